//! The keys of one direction (protocol §4.2, §4.3), by suite. Takes secrets; returns sealed and
//! opened bytes in place. A secret steps forward by a one-way function, and is wiped.

use core::cell::OnceCell;

use aws_lc_rs::aead::quic::{AES_256, CHACHA20, HeaderProtectionKey};
use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::header::{HEADER_MIN, LENGTH_BITS, PN_OFFSET};
use crate::hash::keyed_256;

/// Length of a packet's tag, bytes.
pub(crate) const TAG_BYTES: usize = 16;
/// The bits of the first byte that header protection covers.
const PROTECTED_BITS: u8 = 0x3f;

/// How packets are protected (protocol §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suite {
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305,
    /// AES-256-GCM.
    Aes256Gcm,
}

impl Suite {
    /// What this implementation prefers.
    pub(crate) const PREFERRED: Self = Self::Aes256Gcm;
    pub(in crate::session) const ALL_BITS: u8 = 0b11;

    pub(in crate::session) const fn value(self) -> u8 {
        match self {
            Self::ChaCha20Poly1305 => 1,
            Self::Aes256Gcm => 2,
        }
    }

    pub(in crate::session) const fn from_value(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::ChaCha20Poly1305),
            2 => Some(Self::Aes256Gcm),
            _ => None,
        }
    }

    /// Whether the bit set of an offer holds this suite; its bit is its value.
    pub(in crate::session) const fn is_in(self, bits: u8) -> bool {
        bits & self.value() != 0
    }

    /// The best suite of an offer.
    pub(in crate::session) fn choose(bits: u8) -> Option<Self> {
        [Self::PREFERRED, Self::ChaCha20Poly1305]
            .into_iter()
            .find(|suite| suite.is_in(bits))
    }
}

/// The key of one direction in one key phase. It is expanded when it is first used: a session at rest, and the
/// direction of one that only hears or only says something, hold the secret alone.
pub(super) struct PhaseKey {
    suite: Suite,
    secret: Zeroizing<[u8; 32]>,
    expanded: OnceCell<Option<(LessSafeKey, [u8; 12])>>,
}

impl PhaseKey {
    pub(super) const fn new(suite: Suite, secret: Zeroizing<[u8; 32]>) -> Self {
        Self {
            suite,
            secret,
            expanded: OnceCell::new(),
        }
    }

    #[inline]
    fn expanded(&self) -> Option<&(LessSafeKey, [u8; 12])> {
        self.expanded.get_or_init(|| self.expand()).as_ref()
    }

    #[cold]
    fn expand(&self) -> Option<(LessSafeKey, [u8; 12])> {
        let algorithm = match self.suite {
            Suite::ChaCha20Poly1305 => &CHACHA20_POLY1305,
            Suite::Aes256Gcm => &AES_256_GCM,
        };
        let key = Zeroizing::new(keyed_256(&self.secret, &[b"p2p key"]));
        let key = UnboundKey::new(algorithm, key.as_slice()).ok()?;
        let iv = keyed_256(&self.secret, &[b"p2p iv"]);
        Some((LessSafeKey::new(key), *iv.first_chunk()?))
    }

    /// The key of the next phase.
    pub(super) fn next(&self) -> Self {
        let secret = keyed_256(&self.secret, &[b"p2p next"]);
        Self::new(self.suite, Zeroizing::new(secret))
    }

    /// What it is made of.
    pub(super) const fn secret(&self) -> &Zeroizing<[u8; 32]> {
        &self.secret
    }

    #[inline]
    fn nonce(iv: &[u8; 12], pn: u64) -> Nonce {
        let mut nonce = *iv;
        if let Some(tail) = nonce.last_chunk_mut::<8>() {
            *tail = (u64::from_be_bytes(*tail) ^ pn).to_be_bytes();
        }
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals all of `body` but its last 16 bytes, which take the tag.
    #[inline]
    pub(super) fn seal(&self, pn: u64, header: &[u8], body: &mut [u8]) -> Option<()> {
        let (text, tag) = body.split_last_chunk_mut::<TAG_BYTES>()?;
        let (key, iv) = self.expanded()?;
        let sealed = key.seal_in_place_separate_tag(Self::nonce(iv, pn), Aad::from(header), text);
        tag.copy_from_slice(sealed.ok()?.as_ref());
        Some(())
    }

    /// Opens `body`, whose last 16 bytes are the tag; returns the length of the text at its front.
    #[inline]
    pub(super) fn open(&self, pn: u64, header: &[u8], body: &mut [u8]) -> Option<usize> {
        let (key, iv) = self.expanded()?;
        let text = key.open_in_place(Self::nonce(iv, pn), Aad::from(header), body);
        text.ok().map(|text| text.len())
    }
}

/// What the header keys of both directions are made of; it outlives the secrets of the key phases.
#[derive(Clone)]
pub(super) struct HeaderSecret(Zeroizing<[u8; 32]>);

impl HeaderSecret {
    /// Of the first secrets of both directions.
    pub(super) fn of(to_responder: &[u8; 32], to_initiator: &[u8; 32]) -> Self {
        let secret = keyed_256(to_responder, &[b"p2p hp", to_initiator]);
        Self(Zeroizing::new(secret))
    }

    /// The header key of what the responder, or the initiator, receives.
    pub(super) fn key(&self, suite: Suite, to_responder: bool) -> HeaderKey {
        HeaderKey {
            suite,
            secret: self.clone(),
            to_responder,
            expanded: OnceCell::new(),
        }
    }
}

/// The header key of one direction; the same in all phases. Expanded when it is first used.
pub(super) struct HeaderKey {
    suite: Suite,
    secret: HeaderSecret,
    to_responder: bool,
    expanded: OnceCell<Option<HeaderProtectionKey>>,
}

impl HeaderKey {
    #[inline]
    fn expanded(&self) -> Option<&HeaderProtectionKey> {
        self.expanded.get_or_init(|| self.expand()).as_ref()
    }

    #[cold]
    fn expand(&self) -> Option<HeaderProtectionKey> {
        let algorithm = match self.suite {
            Suite::ChaCha20Poly1305 => &CHACHA20,
            Suite::Aes256Gcm => &AES_256,
        };
        let to: &[u8] = if self.to_responder { b"r" } else { b"i" };
        let key = Zeroizing::new(keyed_256(&self.secret.0, &[b"p2p hp ", to]));
        HeaderProtectionKey::new(algorithm, key.as_slice()).ok()
    }

    /// What it is made of.
    pub(super) const fn secret(&self) -> &HeaderSecret {
        &self.secret
    }

    /// Puts header protection on (`pn_len` known) or takes it off (read from the first byte);
    /// returns the length of the packet number in bytes.
    #[inline]
    pub(super) fn toggle(&self, packet: &mut [u8], pn_len: Option<usize>) -> Option<usize> {
        let (head, rest) = packet.split_first_chunk_mut::<HEADER_MIN>()?;
        let sample = rest.first_chunk::<16>()?;
        let mask = self.expanded()?.new_mask(sample).ok()?;
        let (first, rest) = head.split_first_mut()?;
        let (first_mask, pn_mask) = mask.split_first()?;
        *first ^= first_mask & PROTECTED_BITS;
        let pn_len = pn_len.unwrap_or(usize::from(*first & LENGTH_BITS) + 1);
        let pn = rest.get_mut(PN_OFFSET - 1..PN_OFFSET - 1 + pn_len)?;
        for (byte, mask) in pn.iter_mut().zip(pn_mask) {
            *byte ^= mask;
        }
        Some(pn_len)
    }
}
