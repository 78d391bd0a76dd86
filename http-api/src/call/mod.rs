//! One request on its way to its handler: route, path parameters, checked query, body. What cannot be read becomes
//! a problem here, so that handlers see values of the right shape only.

mod body;
mod query;

use core::time::Duration;

use bytes::Bytes;

pub(crate) use body::decode_json;
pub(crate) use query::{Kind, Param, Query};

use crate::exchange::{HttpId, Request};
use crate::locks::Identity;
use crate::problem::{Code, Problem};

/// Longest time a client may wait for something (`wait=`, `Prefer: wait=`), seconds.
pub(crate) const WAIT_MAX_S: u64 = 60;

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

    /// A channel number from the query.
    pub(crate) fn channel(&self) -> Option<u32> {
        self.query
            .number("channel")
            .and_then(|n| u32::try_from(n).ok())
    }

    /// A number in an id's decimal text.
    pub(crate) fn number_param(&self, index: usize, code: Code) -> Result<u64, Problem> {
        let text = self.param(index);
        let number = text.parse().ok().filter(|_| !text.starts_with('+'));
        number.ok_or_else(|| Problem::new(code, "The id is not a decimal number."))
    }
}
