//! One request on its way to its handler: route, path parameters, checked query, body. What cannot be read becomes
//! a problem here, so that handlers see values of the right shape only.

mod body;
mod query;

use core::time::Duration;

use bytes::Bytes;
use p2p_core::api::{Channel, Label, ServiceName};

pub(crate) use body::decode_json;
pub(crate) use query::{Kind, Param, Query};

use crate::exchange::{HttpId, Request};
use crate::locks::Identity;
use crate::problem::{Code, Problem};

/// Longest time a client may wait for something (`wait=`, `Prefer: wait=`), seconds.
pub(crate) const WAIT_MAX_S: u64 = 60;

/// What a number or the name of a service stands for, of which only one may be there. A fault names its field.
pub(crate) fn channel(
    number: Option<u32>,
    service: Option<&str>,
) -> Result<Option<Channel>, (&'static str, &'static str)> {
    match (number, service) {
        (Some(_), Some(_)) => Err(("service", "must not be there beside channel")),
        (number, None) => Ok(number.map(Channel::Number)),
        (None, Some(name)) => match ServiceName::new(name) {
            Ok(name) => Ok(Some(Channel::Service(name))),
            Err(_) => Err(("service", "must have 1 to 48 bytes")),
        },
    }
}

/// A request that passed the locks and found its route.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// Its number.
    pub id: HttpId,
    /// Path parameters in order, decoded.
    pub params: Vec<String>,
    /// Query parameters, checked against the route.
    pub query: Query,
    /// Who asks.
    pub identity: Identity,
    /// The head.
    pub request: Request,
    /// The body; empty for routes that stream it.
    pub body: Bytes,
}

impl Call {
    /// A path parameter by position; empty where the route has fewer.
    pub(crate) fn param(&self, index: usize) -> &str {
        self.params.get(index).map_or("", String::as_str)
    }

    /// `Prefer: wait=N` (RFC 7240), capped.
    pub(crate) fn prefer_wait(&self) -> Option<Duration> {
        let preferences = self.request.header("prefer")?;
        let wait = preferences
            .split([',', ';'])
            .find_map(|p| p.trim().strip_prefix("wait="))?;
        let seconds: u64 = wait.trim().parse().ok()?;
        Some(Duration::from_secs(seconds.min(WAIT_MAX_S)))
    }

    /// A duration in milliseconds from the query.
    pub(crate) fn duration_ms(&self, name: &str) -> Option<Duration> {
        self.query.number(name).map(Duration::from_millis)
    }

    /// The channel or service from the query, if one is named.
    pub(crate) fn channel(&self) -> Result<Option<Channel>, Problem> {
        let number = self.number_u32("channel");
        channel(number, self.query.text("service")).map_err(|(name, must)| {
            let detail = "A query parameter is wrong.";
            Problem::new(Code::InvalidParameter, detail).with_error(name, must)
        })
    }

    /// What something to be sent is for: channel 0 where the query names none.
    pub(crate) fn label(&self) -> Result<Label, Problem> {
        Ok(Label {
            channel: self.channel()?.unwrap_or(Channel::Number(0)),
            flags: self.number_u32("flags").unwrap_or(0),
        })
    }

    fn number_u32(&self, name: &str) -> Option<u32> {
        self.query.number(name).and_then(|n| u32::try_from(n).ok())
    }

    /// A number in an id's decimal text.
    pub(crate) fn number_param(&self, index: usize, code: Code) -> Result<u64, Problem> {
        let text = self.param(index);
        let number = text.parse().ok().filter(|_| !text.starts_with('+'));
        number.ok_or_else(|| Problem::new(code, "The id is not a decimal number."))
    }
}
