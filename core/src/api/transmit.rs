//! What passes between the engine and the socket.

use core::net::{IpAddr, SocketAddr};

use crate::ecn::EcnCodepoint;
use crate::link::LinkId;

/// One or more datagrams for one destination, laid one behind the other in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Transmit {
    /// Link that it leaves by.
    pub link: LinkId,
    /// Destination.
    pub to: SocketAddr,
    /// Address of ours to send from (the answer to a datagram leaves from where it arrived); where `None`, or where
    /// the socket cannot, the system chooses.
    pub from: Option<IpAddr>,
    /// Mark of every datagram; a socket that cannot set it sends none, and the other side finds out.
    pub ecn: Option<EcnCodepoint>,
    /// Bytes in the buffer.
    pub len: usize,
    /// Size of every datagram but the last, which may be shorter; equals `len` for a single one.
    pub segment_size: usize,
}

/// One or more datagrams from one source, laid one behind the other, as a socket received them.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// Link that it came by.
    pub link: LinkId,
    /// Source.
    pub from: SocketAddr,
    /// Address of ours that the sender used, where the socket tells.
    pub to: Option<IpAddr>,
    /// Mark of every datagram, where they have one and the socket tells.
    pub ecn: Option<EcnCodepoint>,
    /// Size of every datagram but the last, which may be shorter.
    pub segment_size: usize,
    /// The datagrams; they are opened in place, so the bytes are scrambled afterwards.
    pub bytes: &'a mut [u8],
}
