//! What is to be done next, for whoever holds the sessions.

use core::net::SocketAddr;

use crate::api::{Event, OperationId};
use crate::id::NodeId;
use crate::identity::KeyRecord;
use crate::purpose::{Purpose, Question};

/// One thing to do.
pub(crate) enum Move {
    /// Look an introducer's host up; answer with `on_resolved`.
    Resolve {
        introducer: NodeId,
        host: String,
        port: u16,
    },
    /// Shake hands with an introducer at an address; what stands with it now is over.
    HandshakeWithIntroducer {
        introducer: NodeId,
        address: SocketAddr,
    },
    /// Say goodbye to what was an introducer of ours.
    Leave { introducer: NodeId },
    /// Ask an introducer over the session with it. Answered with `on_answer` or `on_no_answer`, or `on_unasked` where
    /// there is no session.
    Ask {
        introducer: NodeId,
        purpose: Purpose,
        question: Question,
    },
    /// This node is registered there, and seen at an address: peers are to hear of it, and those without a relayed
    /// path through this introducer get one (`reach_through`).
    Registered {
        introducer: NodeId,
        observed: SocketAddr,
    },
    /// An introducer sees this node at an address.
    Observed {
        introducer: NodeId,
        address: SocketAddr,
    },
    /// A peer was found, and a relay channel to it. Unless it is connected (`on_peer_found_connected`), shake hands
    /// where `calls` says so.
    Meet {
        record: Box<KeyRecord>,
        name: Option<String>,
        introducer: NodeId,
        channel: u32,
        calls: bool,
    },
    /// Shake hands with a peer at an address that the application gave (protocol §3.9).
    HandshakeAt { peer: NodeId, address: SocketAddr },
    /// Shake hands with a peer through a relay that was kept in reserve.
    HandshakeThrough {
        peer: NodeId,
        introducer: NodeId,
        channel: u32,
    },
    /// Tell the application that a peer is connected, by which path.
    TellConnected {
        peer: NodeId,
        operation: Option<OperationId>,
    },
    /// Tell the application.
    Tell(Event),
}
