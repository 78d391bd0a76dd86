//! Protection of data packets (protocol §4): sealing and opening in place under a session's keys.
//!
//! A packet is `header | frames | 16 bytes for the tag` in one buffer. [`Session::write_header`]
//! writes the first part, the caller the second, [`Session::seal`] the third and the header
//! protection; nothing is copied or allocated. [`Session::open`] goes the other way and decides
//! before unsealing, by the replay window, whether it is worth it; only an authentic packet changes
//! anything but a counter.
//!
//! Each direction has a key phase of its own: a sender steps its own, and a receiver follows the
//! bit with the one key that the packet number allows. So both sides may step at once.

mod header;
mod keys;
mod rest;

use core::fmt;
use core::ops::Range;

use snow::HandshakeState;
use zeroize::Zeroizing;

use self::header::{FIRST_BYTE, HEADER_MIN, PHASE_BIT, RESERVED_BITS};
use self::keys::{HeaderKey, HeaderSecret, PhaseKey};
pub(crate) use self::keys::{Suite, TAG_BYTES};
pub(crate) use self::rest::SessionAtRest;
use super::replay::ReplayWindow;
use crate::limits::{FORGERIES_MAX, FORGERIES_REKEY, PREVIOUS_PHASE_LIFE};
use crate::time::Instant;

/// What a handshake agreed beside the keys.
pub(super) struct Agreed {
    pub is_initiator: bool,
    pub suite: Suite,
    pub local_index: u32,
    pub remote_index: u32,
    pub remote_reset_token: [u8; 16],
}

/// Why a packet was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum OpenError {
    /// Too short, or not a data packet.
    Malformed,
    /// Received before, or too old to tell.
    Replayed,
    /// Not authentic.
    Forged,
    /// Authentic, but with reserved bits set: a fault of the peer.
    ReservedBits,
    /// Too many forgeries were tried; the session must end.
    Exhausted,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the packet is malformed",
            Self::Replayed => "the packet was received before or is too old",
            Self::Forged => "the packet is not authentic",
            Self::ReservedBits => "the packet has reserved bits set",
            Self::Exhausted => "the session has met too many forgeries",
        })
    }
}

impl core::error::Error for OpenError {}

/// The buffer does not hold what a packet needs: a header of this session, 4 bytes from the packet
/// number on, and room for the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealError;

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer does not hold a whole packet")
    }
}

impl core::error::Error for SealError {}

/// An opened packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Its packet number.
    pub pn: u64,
    /// Where its frames lie in the datagram.
    pub payload: Range<usize>,
}

/// The keys of one session, both directions.
pub(crate) struct Session {
    /// The index under which packets of this session come in.
    pub local_index: u32,
    /// The index that packets to the other side carry.
    pub remote_index: u32,
    /// The token that ends this session in a stateless reset.
    pub remote_reset_token: [u8; 16],
    is_initiator: bool,
    suite: Suite,
    sealing: Sealing,
    opening: Opening,
}

struct Sealing {
    header: HeaderKey,
    key: PhaseKey,
    phase: bool,
    /// First packet number sealed at all, and in this phase.
    first: Option<u64>,
    first_in_phase: Option<u64>,
}

struct Opening {
    header: HeaderKey,
    key: PhaseKey,
    phase: bool,
    /// Smallest packet number opened with the present key; smaller ones belong to the key before.
    first_in_phase: Option<u64>,
    /// Made when the first packet asks for it, kept so that forgeries do not ask again.
    next: Option<Box<PhaseKey>>,
    previous: Option<(Box<PhaseKey>, Instant)>,
    replay: ReplayWindow,
    /// Largest packet number that the association received in sessions before.
    resumed_after: Option<u64>,
    forgeries: u64,
}

impl Session {
    pub(super) fn new(state: &mut HandshakeState, agreed: &Agreed) -> Self {
        let (to_responder, to_initiator) = state.dangerously_get_raw_split();
        let (to_responder, to_initiator) =
            (Zeroizing::new(to_responder), Zeroizing::new(to_initiator));
        Self::from_secrets(to_responder, to_initiator, agreed)
    }

    /// From the first secrets of both directions.
    fn from_secrets(
        to_responder: Zeroizing<[u8; 32]>,
        to_initiator: Zeroizing<[u8; 32]>,
        agreed: &Agreed,
    ) -> Self {
        let (suite, is_initiator) = (agreed.suite, agreed.is_initiator);
        let headers = HeaderSecret::of(&to_responder, &to_initiator);
        let (sealing, opening) = if is_initiator {
            (to_responder, to_initiator)
        } else {
            (to_initiator, to_responder)
        };
        Self {
            local_index: agreed.local_index,
            remote_index: agreed.remote_index,
            remote_reset_token: agreed.remote_reset_token,
            is_initiator,
            suite,
            sealing: Sealing {
                header: headers.key(suite, is_initiator),
                key: PhaseKey::new(suite, sealing),
                phase: false,
                first: None,
                first_in_phase: None,
            },
            opening: Opening {
                header: headers.key(suite, !is_initiator),
                key: PhaseKey::new(suite, opening),
                phase: false,
                first_in_phase: None,
                next: None,
                previous: None,
                replay: ReplayWindow::new(),
                resumed_after: None,
                forgeries: 0,
            },
        }
    }

    /// Whether this side opened the handshake.
    #[must_use]
    pub(crate) const fn is_initiator(&self) -> bool {
        self.is_initiator
    }

    /// The suite that was agreed.
    #[must_use]
    #[cfg(test)]
    pub(crate) const fn suite(&self) -> Suite {
        self.suite
    }

    /// Whether a packet was opened: only then is the other side known to hold the keys (protocol
    /// §3.6).
    #[must_use]
    #[cfg(test)]
    pub(crate) const fn is_confirmed(&self) -> bool {
        self.opening.replay.largest().is_some()
    }

    /// Packets that failed to open since the session came up.
    #[must_use]
    #[cfg(test)]
    pub(crate) const fn forgeries(&self) -> u64 {
        self.opening.forgeries
    }

    /// Pretends that so many packets failed to open.
    #[cfg(test)]
    pub(crate) fn wear(&mut self, forgeries: u64) {
        self.opening.forgeries = forgeries;
    }

    /// Whether so many forgeries were tried that a new session should take over.
    #[must_use]
    pub(crate) const fn is_worn(&self) -> bool {
        self.opening.forgeries >= FORGERIES_REKEY
    }

    /// Tells the largest packet number that the association has received in sessions before this
    /// one, so that truncated numbers are restored from there.
    pub(crate) fn resume_after(&mut self, largest_received: Option<u64>) {
        self.opening.resumed_after = self.opening.resumed_after.max(largest_received);
    }

    /// Writes the header of packet `pn` to the front of `buffer`; returns its length in bytes, or
    /// `None` where `buffer` is shorter than it. `largest_acked` is the association's.
    #[must_use]
    pub(crate) fn write_header(
        &self,
        buffer: &mut [u8],
        pn: u64,
        largest_acked: Option<u64>,
    ) -> Option<usize> {
        let known = largest_acked.filter(|acked| self.sealing.first.is_some_and(|f| *acked >= f));
        // Until the peer acknowledged a packet of this session, it may know nothing near `pn`.
        let pn_len = match known {
            None if self.sealing.first.is_none_or(|first| first > 0) && pn > 0 => 4,
            known => header::pn_len(pn, known),
        };
        let phase = if self.sealing.phase { PHASE_BIT } else { 0 };
        header::write(buffer, FIRST_BYTE | phase, self.remote_index, pn, pn_len)
    }

    /// Seals a packet in place: `packet` is the header of `header_len` bytes that
    /// [`Self::write_header`] wrote for `pn`, the frames, and 16 bytes of any content for the tag.
    /// A packet number must never be sealed twice.
    ///
    /// # Errors
    /// [`SealError`] where the packet is shorter than protocol §4.1 demands; nothing was sealed
    /// then.
    #[inline]
    pub(crate) fn seal(
        &mut self,
        packet: &mut [u8],
        header_len: usize,
        pn: u64,
    ) -> Result<(), SealError> {
        let pn_len = header_len.checked_sub(header::PN_OFFSET).ok_or(SealError)?;
        if !(1..=4).contains(&pn_len) || packet.len() < HEADER_MIN + TAG_BYTES {
            return Err(SealError);
        }
        let (header, body) = packet.split_at_mut_checked(header_len).ok_or(SealError)?;
        self.sealing.key.seal(pn, header, body).ok_or(SealError)?;
        self.sealing
            .header
            .toggle(packet, Some(pn_len))
            .ok_or(SealError)?;
        self.sealing.first.get_or_insert(pn);
        self.sealing.first_in_phase.get_or_insert(pn);
        Ok(())
    }

    /// Opens a packet in place. A datagram that failed must not be opened again: it was changed.
    ///
    /// # Errors
    /// [`OpenError`]; the session is as it was but for a counter.
    #[inline]
    pub(crate) fn open(&mut self, datagram: &mut [u8], now: Instant) -> Result<Opened, OpenError> {
        let opening = &mut self.opening;
        if opening.forgeries >= FORGERIES_MAX {
            return Err(OpenError::Exhausted);
        }
        if datagram.len() < HEADER_MIN + TAG_BYTES {
            return Err(OpenError::Malformed);
        }
        let pn_len = opening
            .header
            .toggle(datagram, None)
            .ok_or(OpenError::Malformed)?;
        let header_len = header::PN_OFFSET + pn_len;
        let (header, body) = datagram
            .split_at_mut_checked(header_len)
            .ok_or(OpenError::Malformed)?;
        let first_byte = header.first().copied().unwrap_or_default();
        let largest = opening.replay.largest().max(opening.resumed_after);
        let pn = header::restore(header, largest);
        if !opening.replay.is_new(pn) {
            return Err(OpenError::Replayed);
        }
        let phase = first_byte & PHASE_BIT != 0;
        let length = opening.unseal(phase, pn, header, body, now)?;
        opening.replay.insert(pn);
        if first_byte & RESERVED_BITS != 0 {
            return Err(OpenError::ReservedBits);
        }
        Ok(Opened {
            pn,
            payload: header_len..header_len + length,
        })
    }

    /// Steps the key phase of what this side seals (protocol §4.5). Refused (`false`) until the
    /// peer has acknowledged a packet of the present phase: it could not follow two steps at once.
    pub(crate) fn step_key_phase(&mut self, largest_acked: Option<u64>) -> bool {
        let sealing = &mut self.sealing;
        let is_followed = sealing
            .first_in_phase
            .is_some_and(|first| largest_acked.is_some_and(|acked| acked >= first));
        if is_followed {
            sealing.key = sealing.key.next();
            sealing.phase = !sealing.phase;
            sealing.first_in_phase = None;
        }
        is_followed
    }
}

impl Opening {
    /// Picks the one key that phase bit and packet number allow, and unseals with it.
    fn unseal(
        &mut self,
        phase: bool,
        pn: u64,
        header: &[u8],
        body: &mut [u8],
        now: Instant,
    ) -> Result<usize, OpenError> {
        if self
            .previous
            .as_ref()
            .is_some_and(|(_, until)| now >= *until)
        {
            self.previous = None;
        }
        if phase == self.phase {
            let length = self.key.open(pn, header, body);
            let length = length.ok_or_else(|| count_forgery(&mut self.forgeries))?;
            self.first_in_phase = Some(self.first_in_phase.map_or(pn, |first| first.min(pn)));
            return Ok(length);
        }
        if self.first_in_phase.is_some_and(|first| pn < first) {
            let key = self.previous.as_ref().map(|(key, _)| key);
            let length = key.and_then(|key| key.open(pn, header, body));
            return length.ok_or_else(|| count_forgery(&mut self.forgeries));
        }
        let next = self.next.get_or_insert_with(|| Box::new(self.key.next()));
        let length = next.open(pn, header, body);
        let length = length.ok_or_else(|| count_forgery(&mut self.forgeries))?;
        if let Some(next) = self.next.take() {
            let old = core::mem::replace(&mut self.key, *next);
            self.previous = Some((Box::new(old), now + PREVIOUS_PHASE_LIFE));
        }
        self.phase = phase;
        self.first_in_phase = Some(pn);
        Ok(length)
    }
}

#[cold]
fn count_forgery(forgeries: &mut u64) -> OpenError {
    *forgeries = forgeries.saturating_add(1);
    if *forgeries >= FORGERIES_MAX {
        OpenError::Exhausted
    } else {
        OpenError::Forged
    }
}

#[cfg(test)]
mod tests;
