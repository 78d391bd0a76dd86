//! Frames, the items inside a sealed packet (protocol §5): one file each.
//!
//! A new frame is one file, a variant of [`Frame`], one arm in each of its four functions, and one
//! arm where the peer applies it. Frames borrow from the opened packet; nothing is copied before a
//! level wants to keep it. An error anywhere makes the whole packet malformed, so a caller that
//! applies frames as they come has to check the packet first: [`check`] walks it without keeping
//! anything.

pub(crate) mod ack;
pub(crate) mod answer;
pub(crate) mod close;
pub(crate) mod control;
pub(crate) mod datagram;
pub(crate) mod keep_alive;
pub(crate) mod latest;
pub(crate) mod message;
pub(crate) mod message_abandon;
pub(crate) mod message_credit;
pub(crate) mod message_deadline;
pub(crate) mod message_taken;
pub(crate) mod padding;
pub(crate) mod path_challenge;
pub(crate) mod path_response;
pub(crate) mod ping;
pub(crate) mod relay;
pub(crate) mod request;
pub(crate) mod service_name;
pub(crate) mod stream;
pub(crate) mod stream_credit;
pub(crate) mod stream_reset;
pub(crate) mod stream_stop;
pub(crate) mod stream_taken;
pub(crate) mod streams_credit;
pub(crate) mod streams_limit;

#[cfg(test)]
mod tests;

pub(crate) use ack::AckFrame;
pub(crate) use answer::AnswerFrame;
pub(crate) use close::CloseFrame;
pub(crate) use control::ControlFrame;
pub(crate) use datagram::DatagramFrame;
pub(crate) use latest::LatestFrame;
pub(crate) use message::MessageFrame;
pub(crate) use message_abandon::MessageAbandonFrame;
pub(crate) use message_credit::MessageCreditFrame;
pub(crate) use message_deadline::MessageDeadlineFrame;
pub(crate) use message_taken::MessageTakenFrame;
pub(crate) use padding::PaddingFrame;
pub(crate) use path_challenge::PathChallengeFrame;
pub(crate) use path_response::PathResponseFrame;
pub(crate) use relay::RelayFrame;
pub(crate) use request::RequestFrame;
pub(crate) use service_name::ServiceNameFrame;
pub(crate) use stream::StreamFrame;
pub(crate) use stream_credit::StreamCreditFrame;
pub(crate) use stream_reset::StreamResetFrame;
pub(crate) use stream_stop::StreamStopFrame;
pub(crate) use stream_taken::StreamTakenFrame;
pub(crate) use streams_credit::StreamsCreditFrame;
pub(crate) use streams_limit::StreamsLimitFrame;

use super::{NoRoom, Reader, Writer};
use crate::error::{DecodeError, DecodeErrorKind};

/// Any frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// Zeros.
    Padding(PaddingFrame),
    /// Asks for an acknowledgement.
    Ping,
    /// Which packets arrived.
    Ack(AckFrame<'a>),
    /// A control message.
    Control(ControlFrame<'a>),
    /// The control message `ka`.
    KeepAlive,
    /// Asks whether a path works.
    PathChallenge(PathChallengeFrame),
    /// Says that a path works.
    PathResponse(PathResponseFrame),
    /// The connection is over.
    Close(CloseFrame<'a>),
    /// Level 0.
    Datagram(DatagramFrame<'a>),
    /// Level "latest".
    Latest(LatestFrame<'a>),
    /// Level 1, question.
    Request(RequestFrame<'a>),
    /// Level 1, answer.
    Answer(AnswerFrame<'a>),
    /// A number for the name of a service.
    ServiceName(ServiceNameFrame<'a>),
    /// Level 2, fragment.
    Message(MessageFrame<'a>),
    /// Level 2, giving up.
    MessageAbandon(MessageAbandonFrame),
    /// Level 2, credit.
    MessageCredit(MessageCreditFrame),
    /// Level 2, what is left of a message's time.
    MessageDeadline(MessageDeadlineFrame),
    /// Level 2, the receiver has taken some.
    MessageTaken(MessageTakenFrame),
    /// Level 3, bytes.
    Stream(StreamFrame<'a>),
    /// Level 3, the sender gives up.
    StreamReset(StreamResetFrame),
    /// Level 3, the receiver wants no more.
    StreamStop(StreamStopFrame),
    /// Level 3, the receiver has read all.
    StreamTaken(StreamTakenFrame),
    /// Level 3, credit of one stream.
    StreamCredit(StreamCreditFrame),
    /// Level 3, credit of all streams.
    StreamsCredit(StreamsCreditFrame),
    /// Level 3, number of streams.
    StreamsLimit(StreamsLimitFrame),
    /// A datagram through a relay.
    Relay(RelayFrame<'a>),
}

impl<'a> Frame<'a> {
    /// Whether the packet that carries it must be acknowledged (protocol §5, §7).
    #[must_use]
    pub(crate) const fn is_ack_eliciting(&self) -> bool {
        !matches!(
            self,
            Self::Padding(_)
                | Self::Ack(_)
                | Self::KeepAlive
                | Self::PathChallenge(_)
                | Self::PathResponse(_)
                | Self::Close(_)
                | Self::Relay(_)
        )
    }

    /// Bytes of the whole frame.
    #[must_use]
    #[cfg(test)]
    pub(crate) const fn encoded_len(&self) -> usize {
        match self {
            Self::Padding(f) => f.encoded_len(),
            Self::Ping => ping::ENCODED_LEN,
            Self::Ack(f) => f.encoded_len(),
            Self::Control(f) => f.encoded_len(),
            Self::KeepAlive => keep_alive::ENCODED_LEN,
            Self::PathChallenge(f) => f.encoded_len(),
            Self::PathResponse(f) => f.encoded_len(),
            Self::Close(f) => f.encoded_len(),
            Self::Datagram(f) => f.encoded_len(),
            Self::Latest(f) => f.encoded_len(),
            Self::Request(f) => f.encoded_len(),
            Self::Answer(f) => f.encoded_len(),
            Self::ServiceName(f) => f.encoded_len(),
            Self::Message(f) => f.encoded_len(),
            Self::MessageAbandon(f) => f.encoded_len(),
            Self::MessageCredit(f) => f.encoded_len(),
            Self::MessageDeadline(f) => f.encoded_len(),
            Self::MessageTaken(f) => f.encoded_len(),
            Self::Stream(f) => f.encoded_len(),
            Self::StreamReset(f) => f.encoded_len(),
            Self::StreamStop(f) => f.encoded_len(),
            Self::StreamTaken(f) => f.encoded_len(),
            Self::StreamCredit(f) => f.encoded_len(),
            Self::StreamsCredit(f) => f.encoded_len(),
            Self::StreamsLimit(f) => f.encoded_len(),
            Self::Relay(f) => f.encoded_len(),
        }
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        match self {
            Self::Padding(f) => f.encode(w),
            Self::Ping => ping::encode(w),
            Self::Ack(f) => f.encode(w),
            Self::Control(f) => f.encode(w),
            Self::KeepAlive => keep_alive::encode(w),
            Self::PathChallenge(f) => f.encode(w),
            Self::PathResponse(f) => f.encode(w),
            Self::Close(f) => f.encode(w),
            Self::Datagram(f) => f.encode(w),
            Self::Latest(f) => f.encode(w),
            Self::Request(f) => f.encode(w),
            Self::Answer(f) => f.encode(w),
            Self::ServiceName(f) => f.encode(w),
            Self::Message(f) => f.encode(w),
            Self::MessageAbandon(f) => f.encode(w),
            Self::MessageCredit(f) => f.encode(w),
            Self::MessageDeadline(f) => f.encode(w),
            Self::MessageTaken(f) => f.encode(w),
            Self::Stream(f) => f.encode(w),
            Self::StreamReset(f) => f.encode(w),
            Self::StreamStop(f) => f.encode(w),
            Self::StreamTaken(f) => f.encode(w),
            Self::StreamCredit(f) => f.encode(w),
            Self::StreamsCredit(f) => f.encode(w),
            Self::StreamsLimit(f) => f.encode(w),
            Self::Relay(f) => f.encode(w),
        }
    }

    /// Reads one frame; further frames stay in the reader.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match r.u8("frame type")? {
            padding::TYPE => Self::Padding(PaddingFrame::decode(r)?),
            ping::TYPE => Self::Ping,
            ack::TYPE => Self::Ack(AckFrame::decode(r)?),
            ack::TYPE_ECN => Self::Ack(AckFrame::decode_ecn(r)?),
            control::TYPE => Self::Control(ControlFrame::decode(r)?),
            keep_alive::TYPE => keep_alive::decode(r).map(|()| Self::KeepAlive)?,
            path_challenge::TYPE => Self::PathChallenge(PathChallengeFrame::decode(r)?),
            path_response::TYPE => Self::PathResponse(PathResponseFrame::decode(r)?),
            close::TYPE => Self::Close(CloseFrame::decode(r)?),
            datagram::TYPE => Self::Datagram(DatagramFrame::decode(r)?),
            latest::TYPE => Self::Latest(LatestFrame::decode(r)?),
            request::TYPE => Self::Request(RequestFrame::decode(r)?),
            answer::TYPE => Self::Answer(AnswerFrame::decode(r)?),
            service_name::TYPE => Self::ServiceName(ServiceNameFrame::decode(r)?),
            message::TYPE => Self::Message(MessageFrame::decode(r)?),
            message_abandon::TYPE => Self::MessageAbandon(MessageAbandonFrame::decode(r)?),
            message_credit::TYPE => Self::MessageCredit(MessageCreditFrame::decode(r)?),
            message_deadline::TYPE => Self::MessageDeadline(MessageDeadlineFrame::decode(r)?),
            message_taken::TYPE => Self::MessageTaken(MessageTakenFrame::decode(r)?),
            stream::TYPE => Self::Stream(StreamFrame::decode(r)?),
            stream_reset::TYPE => Self::StreamReset(StreamResetFrame::decode(r)?),
            stream_stop::TYPE => Self::StreamStop(StreamStopFrame::decode(r)?),
            stream_taken::TYPE => Self::StreamTaken(StreamTakenFrame::decode(r)?),
            stream_credit::TYPE => Self::StreamCredit(StreamCreditFrame::decode(r)?),
            streams_credit::TYPE => Self::StreamsCredit(StreamsCreditFrame::decode(r)?),
            streams_limit::TYPE => Self::StreamsLimit(StreamsLimitFrame::decode(r)?),
            relay::TYPE => Self::Relay(RelayFrame::decode(r)?),
            _ => return Err(DecodeError::new("frame type", DecodeErrorKind::UnknownType)),
        })
    }
}

/// The frames of an opened packet in order; ends after the first error.
pub(crate) fn iter(bytes: &[u8]) -> impl Iterator<Item = Result<Frame<'_>, DecodeError>> {
    let mut reader = Reader::new(bytes);
    core::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let frame = Frame::decode(&mut reader);
        if frame.is_err() {
            reader = Reader::new(&[]);
        }
        Some(frame)
    })
}

/// Whether a packet has to be acknowledged, once all of its frames are known to decode.
///
/// # Errors
/// The first field that does not decode.
#[cfg(test)]
pub(crate) fn check(bytes: &[u8]) -> Result<bool, DecodeError> {
    iter(bytes).try_fold(false, |eliciting, frame| {
        Ok(eliciting | frame?.is_ack_eliciting())
    })
}
