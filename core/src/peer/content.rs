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
    /// A request of ours, or a control message with a reference, and which of its sendings this is.
    Request { reference: u64, sending: u32 },
    /// The answer to a request, and which of its sendings this is: once it is acknowledged it need not be kept.
    Reply { reference: u64, sending: u32 },
    /// A padded packet of this many bytes, to find the path's largest datagram.
    MtuProbe(usize),
}

impl SentFrame {
    /// Whether a probe timeout may bring it again.
    pub(crate) fn is_repeated(&self) -> bool {
        !matches!(self, Self::Ack { .. } | Self::Ping | Self::MtuProbe(_))
    }
}

/// Everything in one packet; two frames are kept without allocation.
pub(crate) type Content = SmallVec<[SentFrame; 2]>;
