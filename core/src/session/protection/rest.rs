//! A session of a peer at rest: secrets instead of expanded keys, and of the replay window the numbers nearest to the
//! newest. Nothing that opened is forgotten, so that no packet opens a second time after a rest.

use zeroize::Zeroizing;

use super::keys::{HeaderSecret, PhaseKey};
use super::{Opening, Sealing, Session, Suite};
use crate::session::replay::{ReplayAtRest, ReplayWindow};
use crate::time::Behind;

/// What a session needs to go on later.
#[derive(Clone)]
pub(crate) struct SessionAtRest {
    pub(crate) local_index: u32,
    remote_index: u32,
    pub(crate) remote_reset_token: [u8; 16],
    is_initiator: bool,
    suite: Suite,
    sealing_phase: bool,
    opening_phase: bool,
    headers: HeaderSecret,
    sealing: DirectionAtRest,
    opening: DirectionAtRest,
    sealing_first: Behind,
    replay: ReplayAtRest,
    forgeries: u16,
}

/// The keys of one direction.
#[derive(Clone)]
struct DirectionAtRest {
    secret: Zeroizing<[u8; 32]>,
    /// First packet number of the phase, seen from the next number of all or the largest one that was opened.
    first_in_phase: Behind,
}

impl Session {
    /// The session at rest; `None` where nothing came yet from which packet numbers could be restored. The key of a
    /// past phase goes: what comes so late says nothing that anybody waits for. `next_pn` is the next number to seal.
    pub(crate) fn rest(&self, next_pn: u64) -> Option<SessionAtRest> {
        let Self {
            local_index,
            remote_index,
            remote_reset_token,
            is_initiator,
            suite,
            sealing,
            opening,
        } = self;
        let opened = opening.replay.largest()?;
        if opening.resumed_after > Some(opened) {
            return None;
        }
        let direction = |key: &PhaseKey, first_in_phase| DirectionAtRest {
            secret: key.secret().clone(),
            first_in_phase,
        };
        let (s, o) = (sealing, opening);
        Some(SessionAtRest {
            local_index: *local_index,
            remote_index: *remote_index,
            remote_reset_token: *remote_reset_token,
            is_initiator: *is_initiator,
            suite: *suite,
            sealing_phase: s.phase,
            opening_phase: o.phase,
            headers: s.header.secret().clone(),
            sealing: direction(&s.key, Behind::of(next_pn, s.first_in_phase)?),
            opening: direction(&o.key, Behind::of(opened, o.first_in_phase)?),
            sealing_first: Behind::of(next_pn, s.first)?,
            replay: o.replay.rest()?,
            forgeries: u16::try_from(o.forgeries).ok()?,
        })
    }
}

impl SessionAtRest {
    /// Whether this side opened the handshake.
    pub(crate) const fn is_initiator(&self) -> bool {
        self.is_initiator
    }

    /// The largest packet number that was opened.
    pub(crate) fn largest_opened(&self) -> u64 {
        self.replay.largest()
    }

    /// The session as it was; keys are expanded when they are used.
    pub(crate) fn wake(&self, next_pn: u64) -> Session {
        let (sealing, opening) = (&self.sealing, &self.opening);
        let header = |to_responder| self.headers.key(self.suite, to_responder);
        Session {
            local_index: self.local_index,
            remote_index: self.remote_index,
            remote_reset_token: self.remote_reset_token,
            is_initiator: self.is_initiator,
            suite: self.suite,
            sealing: Sealing {
                header: header(self.is_initiator),
                key: PhaseKey::new(self.suite, sealing.secret.clone()),
                phase: self.sealing_phase,
                first: self.sealing_first.get(next_pn),
                first_in_phase: sealing.first_in_phase.get(next_pn),
            },
            opening: Opening {
                header: header(!self.is_initiator),
                key: PhaseKey::new(self.suite, opening.secret.clone()),
                phase: self.opening_phase,
                first_in_phase: opening.first_in_phase.get(self.largest_opened()),
                next: None,
                previous: None,
                replay: ReplayWindow::wake(self.replay),
                resumed_after: None,
                forgeries: u64::from(self.forgeries),
            },
        }
    }
}
