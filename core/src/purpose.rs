//! What a control request of ours says, and what it is about.

use crate::api::OperationId;
use crate::id::AttemptId;
use crate::wire::control::{ControlMessage, Target};

/// What a control request of ours is about; comes back with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `rg`: our registration.
    Register,
    /// `qrq`: a search.
    Search(OperationId),
    /// `cr1`: an introduction.
    Connect { attempt: AttemptId },
    /// `cr2` to the target of somebody's `cr1`, with the target's end of the relay channel.
    Introduce { channel: u32 },
}

/// What an introducer is asked.
pub(crate) enum Question {
    /// `rg`.
    Register {
        key_record: Vec<u8>,
        name_record: Option<Vec<u8>>,
        listed: bool,
    },
    /// `qrq`.
    Search {
        prefix: String,
        cursor: Option<String>,
    },
    /// `cr1`.
    Connect { target: Target, channel: u32 },
}

impl Question {
    /// The message, under a reference of the session.
    pub(crate) fn into_message(self, reference: u64) -> ControlMessage {
        match self {
            Self::Register {
                key_record,
                name_record,
                listed,
            } => ControlMessage::Register {
                reference,
                key_record,
                name_record,
                listed,
            },
            Self::Search { prefix, cursor } => ControlMessage::Search {
                reference,
                prefix,
                cursor,
            },
            Self::Connect { target, channel } => ControlMessage::ConnectRequest {
                reference,
                target,
                channel,
            },
        }
    }
}
