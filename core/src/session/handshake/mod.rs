//! Handshakes (protocol §3): `Noise_IKpsk2` where the remote key record is known, `Noise_XX` where
//! only its id is.
//!
//! ```text
//! IK   Initiator::new_ik  ── 0x80 ──▶  read_ik, IkRequest::accept     (offer, initiator's record)
//!      on_response        ◀── 0x81 ──                                 (acceptance)
//! XX   Initiator::new_xx  ── 0x82 ──▶  answer_xx
//!      on_response        ◀── 0x83 ──                                 (responder's record, acceptance)
//!                         ── 0x84 ──▶  XxResponder::on_final          (initiator's record, offer)
//! ```
//!
//! A datagram that is not authentic leaves every state as it was: whoever can inject cannot stop a
//! handshake that he cannot stop by dropping datagrams. Noise states that a failed read has spoilt
//! are rebuilt from their seed. Everything agreed is inside the transcript: the initiator's index
//! is part of the prologue, the responder's is repeated in its sealed payload.

mod cookie;
mod initiator;
mod layout;
mod pattern;
mod payload;
mod records;
mod responder;

use core::fmt;

#[cfg(test)]
pub(crate) use cookie::COOKIE_REPLY_BYTES;
pub(crate) use cookie::CookieJar;
pub(crate) use initiator::Initiator;
pub(crate) use layout::{MacKey, initiation_body, receiver_index};
pub(crate) use records::RecordCache;
pub(crate) use responder::{IkRequest, XxResponder, answer_xx, read_ik};

use super::protection::Session;
use crate::identity::{KeyRecord, RecordError};

/// Capability bit: the caller wants its association to go on, or the responder lets it (protocol §3.7).
pub(crate) const RESUME: u32 = 1;
/// Capability bits that the engine keeps for itself; the others belong to what runs above it (protocol §3.8).
pub(crate) const ENGINE_CAPABILITIES: u32 = 0xFF;

/// What this side brings into a handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct LocalOffer {
    /// Index under which this side will know the session.
    pub index: u32,
    /// The association (protocol §3.7); not zero. An `XX` initiator's is ignored: there the
    /// responder proposes it.
    pub association: u64,
    /// Token of this side's index (protocol §4.6).
    pub reset_token: [u8; 16],
    /// What this side can do, bit by bit.
    pub capabilities: u32,
    /// Larger than in every handshake that this side began before; says nothing in an answer.
    pub stamp: u64,
}

/// A handshake's end: keys are agreed with an identity.
pub(crate) struct Established {
    /// Protects the packets.
    pub session: Session,
    /// The verified key record of the other side.
    pub remote: KeyRecord,
    /// The association that both sides agreed on.
    pub association: u64,
    /// What the other side can do.
    pub capabilities: u32,
    /// For an `XX` initiator: the third datagram, to be sent until a packet of the session was
    /// opened.
    pub final_datagram: Option<Vec<u8>>,
}

/// Why a handshake datagram was refused. Nothing that the peer learns depends on which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum HandshakeError {
    /// Wrong length, type, version, padding, or a field out of range.
    Malformed,
    /// `mac1` or `mac2` does not fit.
    Mac,
    /// For another handshake of this node.
    Index,
    /// Noise refused: wrong keys, network or identity, changed bytes, or a low-order point.
    Crypto,
    /// The key record inside is not valid.
    Record(RecordError),
    /// The record is valid but not that of the wanted identity, or not for the static key used.
    Identity,
    /// No suite in common.
    Suite,
    /// The handshake is over.
    Finished,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the handshake datagram is malformed",
            Self::Mac => "the handshake datagram has a wrong mac",
            Self::Index => "the handshake datagram is for another handshake",
            Self::Crypto => "the handshake datagram is not authentic",
            Self::Record(error) => return error.fmt(f),
            Self::Identity => "the handshake is with another identity",
            Self::Suite => "the handshake has no suite in common",
            Self::Finished => "the handshake is over",
        })
    }
}

impl core::error::Error for HandshakeError {}

impl From<RecordError> for HandshakeError {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

#[cfg(test)]
mod tests;
