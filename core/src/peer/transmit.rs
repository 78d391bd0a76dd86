//! What a peer gives the node to send.

use crate::ecn::EcnCodepoint;
use crate::path::Route;
use crate::schedule::Packets;

/// Datagrams of one peer, for one route, one behind the other in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerTransmit {
    /// Where they go.
    pub(crate) route: Route,
    /// Bytes in all.
    pub(crate) len: usize,
    /// Bytes of each but the last.
    pub(crate) segment_size: usize,
    /// Mark of each.
    pub(crate) ecn: Option<EcnCodepoint>,
}

impl PeerTransmit {
    /// One datagram.
    pub(super) fn single(route: Route, len: usize) -> Self {
        Self {
            route,
            len,
            segment_size: len,
            ecn: None,
        }
    }
}

impl From<Packets<Route>> for PeerTransmit {
    fn from(packets: Packets<Route>) -> Self {
        Self {
            route: packets.route,
            len: packets.len,
            segment_size: packets.segment_size,
            ecn: None,
        }
    }
}
