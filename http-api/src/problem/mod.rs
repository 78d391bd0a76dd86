//! Errors as clients see them: RFC 9457 problem details with a stable code, a hint and the fields at fault. They
//! carry no path, key or markup from elsewhere; what a client or a peer said appears as a JSON string at most.

mod code;
mod misuse;

use core::time::Duration;

pub(crate) use code::Code;
pub(crate) use misuse::{connect_failed, request_outcome};
use serde_json::{Map, Value, json};

/// One field of a body, or one parameter, that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldError {
    /// JSON pointer into the body (RFC 6901), or the name of a query parameter.
    pub pointer: String,
    /// What is wrong, as a sentence.
    pub message: String,
}

/// An error response on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
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
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
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
    pub(crate) fn with_error(
        mut self,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            message: message.into(),
        });
        self
    }

    /// Adds a header field.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Says when to try again.
    pub(crate) const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// Adds a member to the document.
    pub(crate) fn with_member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// HTTP status.
    pub(crate) const fn status(&self) -> u16 {
        self.code.row().status
    }

    /// The document.
    pub(crate) fn body(&self) -> Value {
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
    pub(crate) fn all_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = self.headers.clone();
        if let Some(after) = self.retry_after {
            let seconds = after.as_millis().div_ceil(1_000).max(1);
            headers.push(("retry-after", seconds.to_string()));
        }
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTATION: &str = include_str!("../../../docs/errors.md");

    fn documented(code: Code) -> String {
        let row = code.row();
        let again = if row.retryable { "yes" } else { "no" };
        format!(
            "| <a id=\"{0}\"></a>`{0}` | {1} | {2} | {again} | {3} |",
            row.text, row.status, row.title, row.hint
        )
    }

    #[test]
    fn the_documentation_has_every_code_and_no_other() {
        let rows: Vec<&str> = DOCUMENTATION
            .lines()
            .filter(|line| line.starts_with("| <a"))
            .collect();
        let expected: Vec<String> = Code::ALL.iter().map(|c| documented(*c)).collect();
        let missing: Vec<&String> = expected
            .iter()
            .filter(|e| !rows.contains(&e.as_str()))
            .collect();
        assert!(missing.is_empty(), "missing:\n{missing:#?}");
        assert_eq!(rows.len(), Code::ALL.len());
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457() {
        let problem = Problem::new(Code::Throttled, "Slower.")
            .with_retry_after(Duration::from_millis(1_200))
            .with_error("q", "is too short");
        let body = problem.body();
        assert_eq!(body["type"], "/docs/errors#throttled");
        assert_eq!(body["status"], 429);
        assert_eq!(body["retry_after_ms"], 1_200);
        assert_eq!(body["errors"][0]["pointer"], "q");
        assert_eq!(problem.all_headers(), [("retry-after", "2".to_owned())]);
    }
}
