//! TCP connections with programs of this machine that the surface wants carried out: it says what to do, the host tells
//! what happened. Nothing here knows what is sent over them. Both directions are bounded: the host reads as many bytes
//! as it was allowed to, and the surface sends on as written bytes are reported. So are connections that programs
//! begin: the host takes as many as it was told to, the rest wait at the system.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;

/// One connection, or one place where programs may connect. The surface numbers them; none is used twice.
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
    /// Take connections at this address, as they are asked for.
    Listen {
        /// The new place.
        id: SocketId,
        /// Where; port 0 is any that is free.
        address: SocketAddr,
    },
    /// Take one connection, the next that comes.
    Accept {
        /// Where.
        listener: SocketId,
        /// The new connection.
        id: SocketId,
    },
    /// Write after everything before.
    Write(SocketId, Bytes),
    /// End the sending half after everything written.
    Finish(SocketId),
    /// Read so many bytes more.
    Read(SocketId, usize),
    /// Close it; nothing more is told of it. What is not reported as written may be lost.
    Close(SocketId),
    /// Reset at once; nothing more is told of it.
    Reset(SocketId),
}

/// What happened to a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SocketNews {
    /// Nobody listens there; it is over.
    Refused(SocketId),
    /// Programs may connect now, at this address.
    Listening(SocketId, SocketAddr),
    /// The system lets nobody listen there; it is over.
    NotListening(SocketId, io::ErrorKind),
    /// A program has connected; this is its connection.
    Accepted(SocketId),
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
            | Self::Listening(id, _)
            | Self::NotListening(id, _)
            | Self::Accepted(id)
            | Self::Read(id, _)
            | Self::Written(id, _)
            | Self::Ended(id)
            | Self::Broken(id) => *id,
        }
    }
}

/// What is to be done, in order, and the numbers.
#[derive(Debug, Default)]
pub(crate) struct SocketOrders {
    queue: VecDeque<SocketOrder>,
    next: u64,
}

impl SocketOrders {
    /// A new number.
    pub(crate) const fn number(&mut self) -> SocketId {
        self.next += 1;
        SocketId(self.next)
    }

    /// One more thing to do.
    pub(crate) fn push(&mut self, order: SocketOrder) {
        self.queue.push_back(order);
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<SocketOrder> {
        self.queue.pop_front()
    }
}
