//! TCP connections to programs of this machine that the surface wants carried out: it says what to do, the host tells
//! what happened. Nothing here knows what is sent over them. Both directions are bounded: the host reads as many bytes
//! as it was allowed to, and the surface sends on as written bytes are reported.

use core::time::Duration;
use std::net::SocketAddr;

use bytes::Bytes;

/// One connection. The surface numbers them; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

/// Something to do with a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketOrder {
    /// Connect to the first of the addresses that answers; nothing else may be dialled.
    Connect {
        /// The new connection.
        id: SocketId,
        /// Where, in turn.
        addresses: Vec<SocketAddr>,
        /// Longest time for each.
        timeout: Duration,
    },
    /// Write after everything before.
    Write(SocketId, Bytes),
    /// End the sending half after everything written.
    Finish(SocketId),
    /// Read so many bytes more.
    Read(SocketId, usize),
    /// Close after everything written; nothing more is told of it.
    Close(SocketId),
    /// Reset at once; nothing more is told of it.
    Reset(SocketId),
}

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketNews {
    /// Nobody listens there; it is over.
    Refused(SocketId),
    /// Bytes were read, at most as many as allowed.
    Read(SocketId, Bytes),
    /// So many bytes were written to it.
    Written(SocketId, usize),
    /// The other side ended its half, after all that was read.
    Ended(SocketId),
    /// It broke: reset, or no answer at all. It is over.
    Broken(SocketId),
}

impl SocketNews {
    /// Which connection it is about.
    #[must_use]
    pub const fn id(&self) -> SocketId {
        match self {
            Self::Refused(id)
            | Self::Read(id, _)
            | Self::Written(id, _)
            | Self::Ended(id)
            | Self::Broken(id) => *id,
        }
    }
}
