//! Cookies (protocol §3.5): under load, who wants an answer first shows that it receives at its
//! source address.
//!
//! Takes initiations whose `mac1` is right, and sources; returns verdicts on `mac2` and replies. The
//! jar keeps two secrets and nothing for any source.

use core::net::{IpAddr, SocketAddr};

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::HandshakeError;
use super::layout::{self, MAC_BYTES, VERSION};
use crate::hash::{blake2s_256, keyed_128, keyed_256};
use crate::id::NodeId;
use crate::limits::COOKIE_SECRET_LIFE;
use crate::rng::Rng;
use crate::time::Instant;

pub(super) const TYPE_COOKIE_REPLY: u8 = 0x88;
/// Length of a cookie reply, bytes.
pub(crate) const COOKIE_REPLY_BYTES: usize = 62;
const NONCE_BYTES: usize = 24;
const COOKIE_BYTES: usize = 16;

/// Makes and checks the cookies of one node.
pub(crate) struct CookieJar {
    responder: NodeId,
    secret: Zeroizing<[u8; 32]>,
    /// Cookies of the secret before stay valid as long as this one's.
    previous: Option<Zeroizing<[u8; 32]>>,
    renew_at: Option<Instant>,
    rng: Rng,
}

impl CookieJar {
    /// A jar for the node `responder`, with a generator of its own.
    #[must_use]
    pub(crate) fn new(responder: NodeId, mut rng: Rng) -> Self {
        Self {
            responder,
            secret: Zeroizing::new(rng.array()),
            previous: None,
            renew_at: None,
            rng,
        }
    }

    /// Changes the secret where it is due; to be told the time before cookies are made or checked.
    pub(crate) fn on_time(&mut self, now: Instant) {
        let Some(renew_at) = self.renew_at else {
            self.renew_at = Some(now + COOKIE_SECRET_LIFE);
            return;
        };
        if now < renew_at {
            return;
        }
        let fresh = Zeroizing::new(self.rng.array());
        let old = core::mem::replace(&mut self.secret, fresh);
        // After a pause longer than its life the old secret has nothing left to live.
        self.previous = (now < renew_at + COOKIE_SECRET_LIFE).then_some(old);
        self.renew_at = Some(now + COOKIE_SECRET_LIFE);
    }

    /// Whether `mac2` of the datagram proves that its sender receives at `from`.
    #[must_use]
    pub(crate) fn check_mac2(&self, bytes: &[u8], from: SocketAddr) -> bool {
        let Some((body, mac2)) = layout::split_mac2(bytes) else {
            return false;
        };
        let fits = |secret: &Zeroizing<[u8; 32]>| -> bool {
            keyed_128(&cookie(secret, from), &[body]).ct_eq(mac2).into()
        };
        fits(&self.secret) || self.previous.as_ref().is_some_and(fits)
    }

    /// The cookie reply to an initiation whose `mac1` was checked; `None` where it is no
    /// initiation.
    #[must_use]
    pub(crate) fn reply(&self, bytes: &[u8], from: SocketAddr, rng: &mut Rng) -> Option<Vec<u8>> {
        let is_initiation = matches!(
            bytes.first(),
            Some(&layout::TYPE_IK_INITIATION | &layout::TYPE_XX_FIRST)
        );
        if !is_initiation || bytes.len() != layout::INITIATION_BYTES {
            return None;
        }
        let sender = bytes.get(2..)?.first_chunk::<4>()?;
        let nonce: [u8; NONCE_BYTES] = rng.array();
        let mut sealed = cookie(&self.secret, from);
        let tag = key(&self.responder, &nonce)?
            .seal_in_place_separate_tag(zero_nonce(), Aad::from(layout::mac1(bytes)?), &mut sealed)
            .ok()?;
        let mut reply = Vec::with_capacity(COOKIE_REPLY_BYTES);
        reply.extend_from_slice(&[TYPE_COOKIE_REPLY, VERSION]);
        reply.extend_from_slice(sender);
        reply.extend_from_slice(&nonce);
        reply.extend_from_slice(&sealed);
        reply.extend_from_slice(tag.as_ref());
        Some(reply)
    }
}

fn cookie(secret: &Zeroizing<[u8; 32]>, from: SocketAddr) -> [u8; COOKIE_BYTES] {
    let port = from.port().to_be_bytes();
    match from.ip().to_canonical() {
        IpAddr::V4(ip) => keyed_128(secret, &[&ip.octets(), &port]),
        IpAddr::V6(ip) => keyed_128(secret, &[&ip.octets(), &port]),
    }
}

fn key(responder: &NodeId, nonce: &[u8; NONCE_BYTES]) -> Option<LessSafeKey> {
    let key = blake2s_256(&[b"p2p cookie", responder.as_bytes()]);
    let key = keyed_256(&key, &[nonce]);
    UnboundKey::new(&CHACHA20_POLY1305, &key)
        .ok()
        .map(LessSafeKey::new)
}

/// The key is used once: it was derived from a fresh nonce.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

/// Opens a cookie reply to the initiation with this `index` and `mac1`.
pub(super) fn open(
    bytes: &[u8],
    index: u32,
    responder: &NodeId,
    mac1: &[u8; MAC_BYTES],
) -> Result<[u8; COOKIE_BYTES], HandshakeError> {
    let malformed = HandshakeError::Malformed;
    let bytes: &[u8; COOKIE_REPLY_BYTES] = bytes.try_into().map_err(|_| malformed)?;
    let (head, rest) = bytes.split_first_chunk::<2>().ok_or(malformed)?;
    if *head != [TYPE_COOKIE_REPLY, VERSION] {
        return Err(malformed);
    }
    let (receiver, rest) = rest.split_first_chunk::<4>().ok_or(malformed)?;
    if u32::from_be_bytes(*receiver) != index {
        return Err(HandshakeError::Index);
    }
    let (nonce, rest) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(malformed)?;
    let (cookie, tag) = rest.split_first_chunk::<COOKIE_BYTES>().ok_or(malformed)?;
    let mut cookie = *cookie;
    key(responder, nonce)
        .ok_or(HandshakeError::Crypto)?
        .open_in_place_separate_tag(zero_nonce(), Aad::from(mac1), tag, &mut cookie)
        .map_err(|_| HandshakeError::Crypto)?;
    Ok(cookie)
}
