//! A refusal on its way to whoever asked: a code of protocol §6.3, and when asking again would help.

use crate::directory::server::Refusal;
use crate::relay::RelayRefusal;
use crate::wire::control::{ControlMessage, RefusalCode, RefusedCommand};

/// Why a request is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    code: RefusalCode,
    retry_after_s: Option<u32>,
}

impl Refused {
    /// A refusal that asking again does not change.
    pub(crate) const fn because(code: RefusalCode) -> Self {
        Self {
            code,
            retry_after_s: None,
        }
    }

    /// The answer to the request `reply_to`.
    pub(crate) fn into_message(self, command: RefusedCommand, reply_to: u64) -> ControlMessage {
        ControlMessage::Refused {
            command,
            reply_to,
            code: self.code,
            retry_after_s: self.retry_after_s,
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let seconds = |wait: core::time::Duration| wait.as_millis().div_ceil(1_000);
        let retry_after_s = refusal.retry_after().map(seconds);
        Self {
            code: refusal.code(),
            retry_after_s: retry_after_s.map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
        }
    }
}

impl From<RelayRefusal> for Refused {
    fn from(refusal: RelayRefusal) -> Self {
        Self::because(match refusal {
            RelayRefusal::Full => RefusalCode::Full,
            RelayRefusal::Malformed => RefusalCode::Malformed,
        })
    }
}
