//! Frames of handshake datagrams (protocol §3.1) and the macs over them (§3.4, §3.5).
//!
//! Takes whole datagrams; returns their fields, or an error before any costly step. Each datagram
//! type has exactly one length, chosen such that no answer is longer than what asked for it.

use subtle::ConstantTimeEq;

use super::HandshakeError;
use crate::hash::{blake2s_256, keyed_128};
use crate::id::NodeId;

/// Length of the datagrams 0x80 and 0x82, bytes: what `IK` needs; `XX` pads to it.
pub(super) const INITIATION_BYTES: usize = 308;

pub(super) const TYPE_IK_INITIATION: u8 = 0x80;
pub(super) const TYPE_IK_RESPONSE: u8 = 0x81;
pub(super) const TYPE_XX_FIRST: u8 = 0x82;
pub(super) const TYPE_XX_SECOND: u8 = 0x83;
pub(super) const TYPE_XX_THIRD: u8 = 0x84;
pub(super) const VERSION: u8 = 1;

pub(super) const MAC_BYTES: usize = 16;
const MACS_BYTES: usize = 2 * MAC_BYTES;

/// Length of the noise message in each datagram type.
pub(super) const IK_FIRST_NOISE: usize = 270;
pub(super) const IK_SECOND_NOISE: usize = 81;
pub(super) const XX_FIRST_NOISE: usize = 32;
pub(super) const XX_SECOND_NOISE: usize = 266;
pub(super) const XX_THIRD_NOISE: usize = 238;

/// A handshake datagram taken apart.
pub(super) struct Frame<'a> {
    pub sender: u32,
    /// Zero in initiations, which have none.
    pub receiver: u32,
    pub noise: &'a [u8],
}

/// Takes a datagram of type `kind` apart: exact length, version, zero padding. Macs are not checked
/// here.
pub(super) fn parse(kind: u8, bytes: &[u8]) -> Result<Frame<'_>, HandshakeError> {
    let (noise_bytes, total, has_receiver) = shape(kind).ok_or(HandshakeError::Malformed)?;
    if bytes.len() != total {
        return Err(HandshakeError::Malformed);
    }
    let (head, rest) = bytes
        .split_first_chunk::<2>()
        .ok_or(HandshakeError::Malformed)?;
    if *head != [kind, VERSION] {
        return Err(HandshakeError::Malformed);
    }
    let (sender, mut rest) = take_u32(rest)?;
    let mut receiver = 0;
    if has_receiver {
        (receiver, rest) = take_u32(rest)?;
    }
    let (noise, rest) = rest
        .split_at_checked(noise_bytes)
        .ok_or(HandshakeError::Malformed)?;
    if !is_answer(kind) {
        let padding = rest
            .len()
            .checked_sub(MACS_BYTES)
            .and_then(|n| rest.get(..n));
        if padding.is_none_or(|p| p.iter().any(|b| *b != 0)) {
            return Err(HandshakeError::Malformed);
        }
    }
    Ok(Frame {
        sender,
        receiver,
        noise,
    })
}

fn take_u32(bytes: &[u8]) -> Result<(u32, &[u8]), HandshakeError> {
    let (field, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(HandshakeError::Malformed)?;
    Ok((u32::from_be_bytes(*field), rest))
}

const fn is_answer(kind: u8) -> bool {
    matches!(kind, TYPE_IK_RESPONSE | TYPE_XX_SECOND)
}

/// Noise length, whole length, and whether a receiver index is there.
const fn shape(kind: u8) -> Option<(usize, usize, bool)> {
    match kind {
        TYPE_IK_INITIATION => Some((IK_FIRST_NOISE, INITIATION_BYTES, false)),
        TYPE_XX_FIRST => Some((XX_FIRST_NOISE, INITIATION_BYTES, false)),
        TYPE_IK_RESPONSE => Some((IK_SECOND_NOISE, 10 + IK_SECOND_NOISE, true)),
        TYPE_XX_SECOND => Some((XX_SECOND_NOISE, 10 + XX_SECOND_NOISE, true)),
        TYPE_XX_THIRD => Some((XX_THIRD_NOISE, 10 + XX_THIRD_NOISE + MACS_BYTES, true)),
        _ => None,
    }
}

/// Builds a datagram; initiator's datagrams bring a key and get `mac1` and a zero `mac2`.
pub(super) fn build(
    kind: u8,
    sender: u32,
    receiver: u32,
    noise: &[u8],
    mac_key: Option<&MacKey>,
) -> Vec<u8> {
    let Some((_, total, has_receiver)) = shape(kind) else {
        return Vec::new();
    };
    let mut bytes = Vec::with_capacity(total);
    bytes.extend_from_slice(&[kind, VERSION]);
    bytes.extend_from_slice(&sender.to_be_bytes());
    if has_receiver {
        bytes.extend_from_slice(&receiver.to_be_bytes());
    }
    bytes.extend_from_slice(noise);
    if let Some(mac_key) = mac_key {
        bytes.resize(total - MACS_BYTES, 0);
        let mac1 = keyed_128(&mac_key.0, &[&bytes]);
        bytes.extend_from_slice(&mac1);
        bytes.resize(total, 0);
    }
    bytes
}

/// The receiver index of a handshake answer, final or cookie reply; `None` where the datagram has
/// none.
#[must_use]
pub(crate) fn receiver_index(bytes: &[u8]) -> Option<u32> {
    let offset = match bytes.first()? {
        &TYPE_IK_RESPONSE | &TYPE_XX_SECOND | &TYPE_XX_THIRD => 6,
        &super::cookie::TYPE_COOKIE_REPLY => 2,
        _ => return None,
    };
    let field = bytes.get(offset..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*field))
}

/// What makes two initiations the same: everything before `mac2`, which a cookie changes.
#[must_use]
pub(crate) fn initiation_body(bytes: &[u8]) -> Option<&[u8]> {
    split_mac2(bytes).map(|(body, _)| body)
}

pub(super) fn split_mac2(bytes: &[u8]) -> Option<(&[u8], &[u8; MAC_BYTES])> {
    bytes.split_last_chunk::<MAC_BYTES>()
}

/// The `mac1` of an initiator's datagram.
pub(super) fn mac1(bytes: &[u8]) -> Option<&[u8; MAC_BYTES]> {
    split_mac2(bytes)?.0.last_chunk::<MAC_BYTES>()
}

/// Writes `mac2` with a cookie.
pub(super) fn write_mac2(bytes: &mut [u8], cookie: &[u8; 16]) {
    if let Some((body, mac2)) = bytes.split_last_chunk_mut::<MAC_BYTES>() {
        *mac2 = keyed_128(cookie, &[body]);
    }
}

/// Keys `mac1` for one responder: who does not know its id gets no answer from it.
#[derive(Clone)]
pub(crate) struct MacKey([u8; 32]);

impl MacKey {
    /// The key of `responder`.
    #[must_use]
    pub(crate) fn of(responder: &NodeId) -> Self {
        Self(blake2s_256(&[b"p2p mac1", responder.as_bytes()]))
    }

    /// Whether `bytes` is an initiator's datagram of exact length with a correct `mac1`; one hash,
    /// no allocation.
    #[must_use]
    pub(crate) fn check_mac1(&self, bytes: &[u8]) -> bool {
        let length_fits = bytes.first().is_some_and(|kind| {
            !is_answer(*kind) && shape(*kind).is_some_and(|(_, total, _)| bytes.len() == total)
        });
        if !length_fits {
            return false;
        }
        let Some((before, mac1)) =
            split_mac2(bytes).and_then(|(body, _)| body.split_last_chunk::<MAC_BYTES>())
        else {
            return false;
        };
        keyed_128(&self.0, &[before]).ct_eq(mac1).into()
    }
}
