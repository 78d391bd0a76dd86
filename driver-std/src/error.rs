//! Why a node does not start: what, why, and what to do about it.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use p2p_storage::StateError;

/// Why a node could not be started; nothing runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError {
    /// What could not be done.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

impl StartError {
    pub(crate) fn new(what: &str, why: impl ToString, fix: &str) -> Self {
        Self {
            what: what.to_owned(),
            why: why.to_string(),
            fix: fix.to_owned(),
        }
    }

    /// An address that could not be bound; `setting` names the option it comes from.
    pub(crate) fn bind(setting: &str, address: SocketAddr, error: &io::Error) -> Self {
        let taken = error.kind() == io::ErrorKind::AddrInUse;
        let why = if taken {
            "another program uses it".to_owned()
        } else {
            error.to_string()
        };
        let fix = if taken {
            format!("end that program, or choose another address with --{setting}")
        } else {
            format!("choose another address with --{setting}")
        };
        Self {
            what: format!("cannot open {address}"),
            why,
            fix,
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for StartError {}

impl From<StateError> for StartError {
    fn from(error: StateError) -> Self {
        Self {
            what: error.what,
            why: error.why,
            fix: error.fix,
        }
    }
}
