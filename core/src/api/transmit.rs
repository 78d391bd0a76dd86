//! What leaves the engine for the socket.

use core::net::SocketAddr;

/// One or more datagrams for one destination, laid one behind the other in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Transmit {
    /// Destination.
    pub to: SocketAddr,
    /// Bytes in the buffer.
    pub len: usize,
    /// Size of every datagram but the last, which may be shorter; equals `len` for a single one.
    pub segment_size: usize,
}
