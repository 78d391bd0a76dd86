//! What a packet carried, and what follows when it is delivered or lost. Recovery keeps it without looking inside;
//! each part goes back to the level that it came from.

use smallvec::SmallVec;

use bytes::Bytes;

use crate::level::message::MessageSent;
use crate::level::stream::StreamSent;

/// One frame that somebody wants to hear about again.
#[derive(Clone, Debug)]
pub(crate) enum SentFrame {
    /// An acknowledgement up to this packet number.
    Ack { largest: u64 },
    /// A round-trip measurement that the application asked for.
    Ping,
    /// A control message without an answer of its own (`cr3`); repeated when lost.
    Control(Bytes),
    /// A fragment or a control frame of a stream.
    Stream(StreamSent),
    /// A fragment or a control frame of a message.
    Message(MessageSent),
    /// The answer to a request: once it is acknowledged it need not be kept.
    Reply(u64),
    /// A padded packet of this many bytes, to find the path's largest datagram.
    MtuProbe(usize),
}

/// Everything in one packet; two frames are kept without allocation.
pub(crate) type Content = SmallVec<[SentFrame; 2]>;
