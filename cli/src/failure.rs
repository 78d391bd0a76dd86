//! A failure as people read it: what did not work, why, and what to do about it, with the exit code. Problem
//! documents of the HTTP surface (RFC 9457) become one; so do errors of this program.

use core::fmt;

use serde_json::{Value, json};

use crate::exit;
use crate::output::escape;

/// Why a command did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How the process ends.
    pub exit_code: u8,
    /// Stable code: one of the HTTP surface's, or one of this program's.
    pub code: String,
    /// What did not work.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

impl Failure {
    /// Makes a failure of this program's own.
    pub(crate) fn new(exit_code: u8, code: &str, what: impl Into<String>) -> Self {
        Self {
            exit_code,
            code: code.to_owned(),
            what: what.into(),
            why: String::new(),
            fix: String::new(),
        }
    }

    /// Says why.
    #[must_use]
    pub(crate) fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = why.to_string();
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// A value on the command line is wrong.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(exit::USAGE, "usage", what)
    }

    /// The state directory refused.
    pub(crate) fn from_state(exit_code: u8, error: &p2p_storage::StateError) -> Self {
        let code = match error.kind {
            p2p_storage::StateErrorKind::InUse => "state_in_use",
            p2p_storage::StateErrorKind::Permissions => "state_permissions",
            p2p_storage::StateErrorKind::Broken => "state_broken",
            p2p_storage::StateErrorKind::NewerVersion => "state_newer_version",
            p2p_storage::StateErrorKind::Setting => "setting",
            _ => "state",
        };
        Self::new(exit_code, code, &error.what)
            .because(&error.why)
            .fix(&error.fix)
    }

    /// Reads a problem document; anything else is shown as its status.
    pub(crate) fn from_problem(status: u16, body: &[u8]) -> Self {
        let problem: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let code = match text("code") {
            code if code.is_empty() => format!("http_{status}"),
            code => code,
        };
        let title = match text("title") {
            title if title.is_empty() => format!("The node answered with status {status}"),
            title => title,
        };
        let mut why = text("detail");
        for error in problem["errors"].as_array().into_iter().flatten() {
            let pointer = error["pointer"].as_str().unwrap_or_default();
            let message = error["message"].as_str().unwrap_or_default();
            if !why.contains(message) {
                why.push_str(&format!(" {pointer}: {message}."));
            }
        }
        let mut fix = advice(&code).map_or_else(|| text("hint"), ToOwned::to_owned);
        if let Some(ms) = problem["retry_after_ms"].as_u64() {
            fix.push_str(&format!(" (Retry in {:.1} s.)", ms as f64 / 1_000.0));
        }
        Self {
            exit_code: exit::of_problem(&code, status),
            code,
            what: title,
            why,
            fix,
        }
    }

    /// The failure as `--json` prints it.
    pub(crate) fn to_json(&self) -> Value {
        json!({"error": {
            "code": self.code,
            "exit_code": self.exit_code,
            "what": self.what,
            "why": self.why,
            "fix": self.fix,
        }})
    }
}

impl fmt::Display for Failure {
    /// Three lines at most; what others wrote is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {} [{}]", escape(&self.what), escape(&self.code))?;
        if !self.why.is_empty() {
            write!(f, "\n  why: {}", escape(&self.why))?;
        }
        if !self.fix.is_empty() {
            write!(f, "\n  fix: {}", escape(&self.fix))?;
        }
        Ok(())
    }
}

/// What to do about a problem with this program's own commands, where the surface's hint speaks of HTTP.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "unauthorized" => {
            "Name the directory of the node that runs there with --state-dir; its token lies in it."
        }
        "peer_not_found" => {
            "Find the name with: p2p search TEXT, then: p2p connect NAME. The peer may be offline."
        }
        "not_connected" => "Connect first: p2p connect PEER",
        "introducer_not_found" => "p2p status lists the introducers configured.",
        "petname_taken" => "Choose another name: p2p contacts lists those that are taken.",
        "peer_blocked" => "Take the block back first, if you want that: p2p contacts unblock PEER",
        "no_introducer" => "Start the node with: p2p up --introducer p2p://ID@HOST:PORT",
        "connect_timed_out" => "See what was tried with: p2p why PEER; then try again.",
        "forward_not_found" => "p2p forward lists them.",
        "listen_in_use" => "Choose another port with --listen; without, any free one is taken.",
        "listen_refused" => "Choose a port above 1023 of 127.0.0.1 or [::1] with --listen.",
        "invalid_parameter" | "invalid_body" => "Correct the value and try again.",
        "request_not_found" | "item_not_found" => "See what is there with: p2p tail",
        "request_timed_out" => {
            "The peer may or may not have carried it out; ask again with a longer --timeout."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_becomes_three_lines() {
        let body = br#"{"title":"No such peer","status":404,"detail":"Nobody\u001b[2J is \"x\".",
            "code":"peer_not_found","hint":"Search for the name."}"#;
        let failure = Failure::from_problem(404, body);
        assert_eq!(failure.exit_code, exit::NOT_FOUND);
        let text = failure.to_string();
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.starts_with("error: No such peer [peer_not_found]\n  why: Nobody\\u{1b}[2J"));
    }

    #[test]
    fn fields_at_fault_and_pauses_are_told() {
        let body =
            br#"{"title":"T","code":"throttled","detail":"D.","hint":"H.","retry_after_ms":1500,
            "errors":[{"pointer":"/a","message":"is required"}]}"#;
        let failure = Failure::from_problem(429, body);
        assert_eq!(failure.why, "D. /a: is required.");
        assert_eq!(failure.fix, "H. (Retry in 1.5 s.)");
    }

    #[test]
    fn what_is_no_problem_document_still_fails_clearly() {
        let failure = Failure::from_problem(503, b"<html>");
        assert_eq!(failure.code, "http_503");
        assert_eq!(failure.exit_code, exit::GENERIC);
    }
}
