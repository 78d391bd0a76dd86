//! An HTTP client without HTTP: what it asks and what comes back.

use bytes::Bytes;
use p2p_http_api::Request;
use serde_json::Value;

use super::{HOST, bearer};

/// A request to be sent.
#[derive(Clone)]
pub(crate) struct Ask {
    pub request: Request,
    pub body: Option<Bytes>,
    pub keeps_open: bool,
}

/// A request with the right host and no token.
pub(crate) fn bare(method: &str, target: &str) -> Ask {
    let request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: vec![("Host".to_owned(), HOST.into())],
        peer_is_loopback: true,
        can_upgrade: true,
    };
    Ask {
        request,
        body: None,
        keeps_open: false,
    }
}

/// A request with the right host and the token.
pub(crate) fn ask(method: &str, target: &str) -> Ask {
    bare(method, target).header("Authorization", &bearer())
}

impl Ask {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.request.headers.retain(|(n, _)| n != name);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let length = body.len().to_string();
        self.body = Some(body);
        self.header("Content-Length", &length)
    }

    pub(crate) fn json(self, body: &str) -> Self {
        self.header("Content-Type", "application/json")
            .body(body.to_owned())
    }

    /// The body goes on after what is given.
    pub(crate) fn open_ended(mut self) -> Self {
        self.keeps_open = true;
        self
    }
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The length that was told before the body.
    pub length: Option<u64>,
    pub is_complete: bool,
    pub is_aborted: bool,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|(n, _)| n == name);
        field.map(|(_, v)| v.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}
