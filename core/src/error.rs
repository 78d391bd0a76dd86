//! Faults of others: bytes that do not decode, and peers that break a rule of the protocol.
//!
//! A [`DecodeError`] costs the packet (or control message) it was found in and is counted (protocol
//! §5); a [`PeerMisbehaved`] comes out of a packet that was authentic and ends the connection with
//! its code in CLOSE. Refusals towards our own caller are in [`crate::api`].

use core::fmt;

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end before the field does.
    Truncated,
    /// Bytes are left after the last field.
    TrailingBytes,
    /// The value has a shorter or different legal spelling.
    NotCanonical,
    /// The type byte is not assigned.
    UnknownType,
    /// The value is outside of what the field may hold.
    OutOfRange,
    /// The field is longer than its bound.
    TooLong,
    /// The text is not UTF-8.
    NotUtf8,
    /// The text is not the JSON that is allowed here.
    BadJson,
    /// JSON nests deeper than [`crate::limits::CONTROL_DEPTH`].
    TooDeep,
    /// A JSON object names an attribute twice.
    DuplicateKey,
    /// A required attribute is missing.
    Missing,
    /// The attribute has another JSON type than it must.
    WrongType,
}

/// Bytes that do not decode: which field, and what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The field as the protocol names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub kind: DecodeErrorKind,
}

impl DecodeError {
    /// Joins a field and what is wrong with it.
    #[must_use]
    pub const fn new(field: &'static str, kind: DecodeErrorKind) -> Self {
        Self { field, kind }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            DecodeErrorKind::Truncated => "is cut off",
            DecodeErrorKind::TrailingBytes => "is followed by stray bytes",
            DecodeErrorKind::NotCanonical => "is not in its one legal spelling",
            DecodeErrorKind::UnknownType => "has an unknown value",
            DecodeErrorKind::OutOfRange => "is out of range",
            DecodeErrorKind::TooLong => "is too long",
            DecodeErrorKind::NotUtf8 => "is not UTF-8",
            DecodeErrorKind::BadJson => "is not valid JSON",
            DecodeErrorKind::TooDeep => "nests too deeply",
            DecodeErrorKind::DuplicateKey => "names an attribute twice",
            DecodeErrorKind::Missing => "is missing",
            DecodeErrorKind::WrongType => "has the wrong JSON type",
        };
        write!(f, "{} {what}", self.field)
    }
}

impl core::error::Error for DecodeError {}

/// A rule that an authenticated peer broke; the connection ends with [`PeerMisbehaved::code`] in
/// CLOSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum PeerMisbehaved {
    /// An ACK covers a packet number that was never sent.
    AckOfUnsentPacket,
    /// More stream bytes than the credit allowed.
    FlowControl,
    /// More streams opened than allowed.
    StreamLimit,
    /// A frame for a stream that cannot have it: wrong opener, wrong direction, never opened.
    StreamState,
    /// Two different final sizes of a stream, or bytes beyond it.
    FinalSize,
    /// A message beyond the credit, larger than allowed, or two different totals for one message.
    MessageLimit,
    /// A frame that decodes but contradicts itself or an earlier one.
    MalformedFrame,
    /// More control messages than the rate allows.
    TooManyControls,
    /// A number without a name, two names for one number, or more names than allowed.
    ServiceName,
    /// Reserved header bits set in an authentic packet.
    ReservedBits,
}

impl PeerMisbehaved {
    /// The code that CLOSE carries; 0 is a goodbye without a fault.
    #[must_use]
    pub const fn code(self) -> u64 {
        match self {
            Self::AckOfUnsentPacket => 1,
            Self::FlowControl => 2,
            Self::StreamLimit => 3,
            Self::StreamState => 4,
            Self::FinalSize => 5,
            Self::MessageLimit => 6,
            Self::MalformedFrame => 7,
            Self::TooManyControls => 8,
            Self::ReservedBits => 9,
            Self::ServiceName => 10,
        }
    }

    /// The rule as a clause of at most 64 bytes, fit for the reason of CLOSE.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::AckOfUnsentPacket => "only packets that were sent are acknowledged",
            Self::FlowControl => "stream bytes stay within the credit",
            Self::StreamLimit => "streams opened stay within the limit",
            Self::StreamState => "frames fit the state of their stream",
            Self::FinalSize => "the final size of a stream is kept",
            Self::MessageLimit => "messages stay within the credit",
            Self::MalformedFrame => "frames contradict neither themselves nor others",
            Self::TooManyControls => "control messages stay within their rate",
            Self::ServiceName => "services are named before they are used, and once",
            Self::ReservedBits => "reserved header bits are zero",
        }
    }
}

impl fmt::Display for PeerMisbehaved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "broken rule: {}", self.rule())
    }
}

impl core::error::Error for PeerMisbehaved {}
