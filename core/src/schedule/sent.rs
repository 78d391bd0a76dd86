//! What a packet carried, and what follows when it is delivered or lost. Recovery keeps it without looking inside;
//! each part goes back to the source that it came from.

use smallvec::SmallVec;

use crate::level::latest::LatestSent;
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
    Control(ControlSent),
    /// A padded packet of this many bytes, to find the path's largest datagram.
    MtuProbe(usize),
    /// A frame of a level.
    Level(LevelSent),
}

/// A frame of one of the levels, by its source.
#[derive(Clone, Debug)]
pub(crate) enum LevelSent {
    /// A value of a key.
    Latest(LatestSent),
    /// A request of ours, or a control message with a reference.
    Request(RequestSent),
    /// The answer to a request.
    Reply(ReplySent),
    /// The name of a service, by its number.
    ServiceName(u32),
    /// A fragment or a control frame of a message.
    Message(MessageSent),
    /// A fragment or a control frame of a stream.
    Stream(StreamSent),
}

/// One sending of a control message that has no answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlSent {
    /// Which message.
    pub(crate) id: u64,
    /// Which of its sendings.
    pub(crate) sending: u32,
}

/// One sending of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RequestSent {
    /// Which request.
    pub(crate) reference: u64,
    /// Which of its sendings.
    pub(crate) sending: u32,
}

/// One sending of an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplySent {
    /// The request.
    pub(crate) reference: u64,
    /// Which of the answer's sendings.
    pub(crate) sending: u32,
}

impl SentFrame {
    /// Whether a probe timeout may bring it again.
    pub(crate) const fn is_repeated(&self) -> bool {
        matches!(self, Self::Control(_) | Self::Level(_))
    }
}

/// Everything in one packet; two frames are kept without allocation.
pub(crate) type Content = SmallVec<[SentFrame; 2]>;
