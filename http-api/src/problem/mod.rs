//! Errors as clients see them: RFC 9457 problem details with a stable code, a hint and the fields at fault. They
//! carry no path, key or markup from elsewhere; what a client or a peer said appears as a JSON string at most.

mod code;
mod misuse;

use core::time::Duration;

pub use code::Code;
pub use misuse::{connect_failed, request_outcome};
use serde_json::{Map, Value, json};

/// One field of a body, or one parameter, that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer into the body (RFC 6901), or the name of a query parameter.
    pub pointer: String,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// An error response on its way.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Stable code.
    pub code: Code,
    /// What happened this time.
    pub detail: String,
    /// Fields at fault.
    pub errors: Vec<FieldError>,
    /// Further header fields.
    pub headers: Vec<(&'static str, String)>,
    /// When it is worth to try again.
    pub retry_after: Option<Duration>,
    /// Further members of the document.
    pub members: Map<String, Value>,
}

impl Problem {
    /// Makes a problem; `detail` is a sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            headers: Vec::new(),
            retry_after: None,
            members: Map::new(),
        }
    }

    /// Names a field at fault.
    pub fn with_error(mut self, pointer: impl Into<String>, message: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
        self
    }

    /// Adds a header field.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says when to try again.
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a member to the document.
    pub fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// HTTP status.
    pub const fn status(&self) -> u16 {
        self.code.row().status
    }

    /// The document.
    pub fn body(&self) -> Value {
        let row = self.code.row();
        let mut body = json!({
            "type": format!("/docs/errors#{}", row.text),
            "title": row.title,
            "status": row.status,
            "detail": self.detail,
            "code": row.text,
            "hint": row.hint,
            "retryable": row.retryable,
        });
        let Some(members) = body.as_object_mut() else {
            return body;
        };
        if let Some(after) = self.retry_after {
            let ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            members.insert("retry_after_ms".to_owned(), ms.into());
        }
        if !self.errors.is_empty() {
            let error = |e: &FieldError| json!({"pointer": e.pointer, "message": e.message});
            let errors = self.errors.iter().map(error).collect();
            members.insert("errors".to_owned(), errors);
        }
        members.extend(self.members.clone());
        body
    }

    /// Header fields, with `Retry-After` in whole seconds, rounded up.
    pub fn all_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = self.headers.clone();
        if let Some(after) = self.retry_after {
            let seconds = after.as_millis().div_ceil(1_000).max(1);
            headers.push(("retry-after", seconds.to_string()));
        }
        headers
    }
}
