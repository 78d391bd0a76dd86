//! Why a packet is not applied to its end.

use crate::error::PeerMisbehaved;
use crate::level::{Received, Violation};

/// Why the rest of a packet is not applied.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::peer) enum Halt {
    /// The packet must not be acknowledged: its content comes again.
    NotNow,
    /// The peer broke a rule.
    Misbehaved(PeerMisbehaved),
}

impl From<Violation> for Halt {
    fn from(violation: Violation) -> Self {
        Self::Misbehaved(match violation {
            Violation::FlowControl => PeerMisbehaved::FlowControl,
            Violation::StreamLimit => PeerMisbehaved::StreamLimit,
            Violation::StreamState => PeerMisbehaved::StreamState,
            Violation::FinalSize => PeerMisbehaved::FinalSize,
            Violation::MessageLimit => PeerMisbehaved::MessageLimit,
            Violation::ServiceName => PeerMisbehaved::ServiceName,
            Violation::InconsistentData => PeerMisbehaved::MalformedFrame,
        })
    }
}

/// Turns what a level said about a piece into whether the packet goes on.
pub(super) fn accepted(received: Received) -> Result<(), Halt> {
    match received {
        Received::Accepted => Ok(()),
        Received::Refused => Err(Halt::NotNow),
    }
}
