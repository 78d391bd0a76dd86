//! What a peer tells the node above it; the node translates and passes on.

use crate::api::{DisconnectReason, Event, PathChangeReason};
use crate::purpose::Purpose;
use crate::time::Duration;
use crate::wire::control::ControlMessage;

/// Who waits for the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// The application.
    Application,
    /// The engine.
    Engine(Purpose),
}

/// Something the node has to act on.
pub(crate) enum PeerOutcome {
    /// For the application, complete.
    Event(Event),
    /// A control message to act on; a request among them is new and is executed once.
    Control(ControlMessage),
    /// The answer to a control request of ours.
    ControlAnswered {
        purpose: Purpose,
        answer: ControlMessage,
    },
    /// A control request of ours ran out of time or lost its session.
    ControlFailed { purpose: Purpose },
    /// A datagram came through a relay, which this peer is.
    Relayed { channel: u32, datagram: Vec<u8> },
    /// A receiver index is free again.
    IndexRetired(u32),
    /// A session came up; `is_new` unless it only renewed the keys of an association.
    Established { is_new: bool },
    /// Nobody answered the handshake.
    HandshakeFailed,
    /// The data path changed.
    PathChanged { reason: PathChangeReason },
    /// It answers nothing on any path.
    Silent,
    /// A measurement of the round trip came back, or was lost.
    Pong { rtt: Option<Duration> },
    /// The association is over.
    Ended(DisconnectReason),
    /// A control message had an unknown command.
    UnknownCommand,
    /// A packet broke the protocol and was dropped.
    Malformed,
}
