//! The levels of reliability (protocol §8 and §6.1), independent of how frames are spelled.
//!
//! A parent decodes frames and hands their fields to `on_*`; it asks with `poll_*` for what is to be sent and
//! encodes it. Each level holds the state of one peer in both directions and allocates when data first flows.
//!
//! - [`datagram`]: a queue that drops the oldest; nothing is repeated.
//! - [`latest`]: of each key the newest value, repeated until it arrives or is superseded.
//! - [`request`]: repeated by its own clock until answered; the other side executes a reference once.
//! - [`message`]: fragments under credit, delivered exactly once and whole, or given up.
//! - [`stream`]: ordered bytes under credit, both ways.
//!
//! [`names`] gives the services that datagrams, messages and streams are for their numbers on the wire.
//! Messages and streams share [`send_buffer`] (what is written and not yet acknowledged) and [`assembler`] (what
//! arrived out of order). What a packet carried of them is remembered by the parent as a small "sent" value,
//! which comes back through `on_delivered` or `on_lost`, once or several times, in any order. [`window`] decides how
//! far a sender may be ahead of its reader, [`budget`] how many bytes all peers of a node may hold.

pub(crate) mod assembler;
pub(crate) mod budget;
pub(crate) mod datagram;
pub(crate) mod latest;
pub(crate) mod message;
pub(crate) mod names;
mod ranges;
pub(crate) mod request;
pub(crate) mod send_buffer;
pub(crate) mod stream;
#[cfg(test)]
mod test_pipe;
pub(crate) mod window;

use core::fmt;

use crate::tag::Tag;

/// A rule of protocol §8 that the peer broke; the connection with it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Violation {
    /// More stream bytes than credit was given for.
    FlowControl,
    /// More streams opened than allowed.
    StreamLimit,
    /// A frame for a stream that this side never opened, or that only its opener may send.
    StreamState,
    /// The end of a stream moved, or bytes lie behind it.
    FinalSize,
    /// A message too large, or begun without credit, or too many identifiers in use.
    MessageLimit,
    /// A number of a service that has no name, or another one; or too many.
    ServiceName,
    /// Fields contradict what an earlier frame said.
    InconsistentData,
}

impl Violation {
    /// A stable name for logs and for `DisconnectReason::Misbehaved`.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FlowControl => "flow control",
            Self::StreamLimit => "stream limit",
            Self::StreamState => "stream state",
            Self::FinalSize => "final size",
            Self::MessageLimit => "message limit",
            Self::ServiceName => "service name",
            Self::InconsistentData => "inconsistent data",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl core::error::Error for Violation {}

/// Whether the frame's content was taken in (or was known already).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Received {
    /// The packet may be acknowledged.
    Accepted,
    /// The packet must not be acknowledged, so that its content is sent again later.
    Refused,
}

/// Bytes that RFC 9000 §16 spends on `value`.
const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3F => 1,
        0x40..=0x3FFF => 2,
        0x4000..=0x3FFF_FFFF => 4,
        _ => 8,
    }
}

/// Bytes of a tag in a frame.
const fn tag_len(tag: Tag) -> usize {
    let [topic, flags] = tag.numbers();
    varint_len(topic) + varint_len(flags)
}

/// Most bytes of content that fit into `room` behind `fixed` bytes and a length varint.
const fn content_room(room: usize, fixed: usize) -> usize {
    let left = room.saturating_sub(fixed);
    // Two bytes of length cover every datagram; larger rooms take four.
    let length_bytes = if left <= 0x40 {
        1
    } else if left <= 0x4001 {
        2
    } else {
        4
    };
    left.saturating_sub(length_bytes)
}
