//! The keys of one association: the current session, and the one before it while late packets may still come
//! (protocol §4.5). Takes: sessions that came up, packets, time. Decides: which one seals, when to renew, which
//! receiver indices are free again.

use crate::limits;
use crate::session::{Age, Lifetime, LifetimeAtRest, Session, SessionAtRest};
use crate::time::{Duration, Instant};

/// How long the session before still opens packets after it was replaced.
const OVERLAP: Duration = Duration::from_secs(60);
/// Pause before a key phase is stepped that the peer could not have followed yet.
const PHASE_RETRY: Duration = Duration::from_secs(10);

/// One session and its age.
struct Live {
    session: Session,
    lifetime: Lifetime,
    since: Instant,
    /// A packet was opened with it: the other side has it too.
    is_heard: bool,
    ends: Option<Instant>,
}

/// The sessions of one association.
#[derive(Default)]
pub(crate) struct Sessions {
    current: Option<Box<Live>>,
    previous: Option<Box<Live>>,
    association: u64,
}

/// The one session of an association at rest.
#[derive(Clone)]
pub(crate) struct SessionsAtRest {
    session: SessionAtRest,
    lifetime: LifetimeAtRest,
    since: Instant,
    association: u64,
}

impl SessionsAtRest {
    /// The token that would end the session.
    pub(crate) fn reset_token(&self) -> &[u8; 16] {
        &self.session.remote_reset_token
    }

    /// When the session came up.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// The largest packet number that was opened.
    pub(crate) fn largest_opened(&self) -> u64 {
        self.session.largest_opened()
    }

    /// The sessions as they were; `next_pn` is the next number to seal.
    pub(crate) fn wake(&self, next_pn: u64) -> Sessions {
        Sessions {
            current: Some(Box::new(Live {
                session: self.session.wake(next_pn),
                lifetime: self.lifetime.wake(self.since, self.session.is_initiator()),
                since: self.since,
                // It opened packets, or it would not be at rest.
                is_heard: true,
                ends: None,
            })),
            previous: None,
            association: self.association,
        }
    }
}

impl Sessions {
    /// The session at rest; `None` where there is none, or while the one before it still opens packets.
    pub(crate) fn rest(&self, next_pn: u64) -> Option<SessionsAtRest> {
        if self.previous.is_some() {
            return None;
        }
        let live = self.current.as_ref()?;
        Some(SessionsAtRest {
            session: live.session.rest(next_pn)?,
            lifetime: live.lifetime.rest()?,
            since: live.since,
            association: self.association,
        })
    }

    /// The association that the sessions belong to; 0 for none.
    pub(crate) fn association(&self) -> u64 {
        if self.current.is_some() {
            self.association
        } else {
            0
        }
    }

    /// Whether packets can be sealed.
    pub(crate) fn is_up(&self) -> bool {
        self.current.is_some()
    }

    /// Puts a confirmed session in front. Gives back the receiver indices that are free now.
    pub(crate) fn install(
        &mut self,
        now: Instant,
        mut session: Session,
        association: u64,
        largest_received: Option<u64>,
    ) -> Vec<u32> {
        if association == self.association {
            session.resume_after(largest_received);
        }
        let mut retired = Vec::new();
        if association != self.association {
            retired = self.clear();
        }
        retired.extend(self.previous.take().map(|old| old.session.local_index));
        self.previous = self.current.take().map(|mut old| {
            old.ends = Some(now + OVERLAP);
            old
        });
        self.association = association;
        let lifetime = Lifetime::new(now, session.is_initiator());
        self.current = Some(Box::new(Live {
            session,
            lifetime,
            since: now,
            is_heard: false,
            ends: None,
        }));
        retired
    }

    /// Throws all keys away. Gives back the receiver indices.
    pub(crate) fn clear(&mut self) -> Vec<u32> {
        self.association = 0;
        let both = [self.current.take(), self.previous.take()];
        both.into_iter()
            .flatten()
            .map(|live| live.session.local_index)
            .collect()
    }

    /// The session that seals.
    pub(crate) fn sealing(&mut self) -> Option<(&mut Session, &mut Lifetime)> {
        self.current
            .as_mut()
            .map(|live| (&mut live.session, &mut live.lifetime))
    }

    /// The session with this receiver index.
    pub(crate) fn by_index(&mut self, index: u32) -> Option<&mut Session> {
        let both = [self.current.as_mut(), self.previous.as_mut()];
        both.into_iter()
            .flatten()
            .map(|l| &mut l.session)
            .find(|s| s.local_index == index)
    }

    /// A packet was opened with the session of this receiver index. The session before lives on while packets
    /// come: where two handshakes crossed, the other side may seal with it for long.
    pub(crate) fn on_opened(&mut self, now: Instant, index: u32) {
        for live in [self.current.as_mut(), self.previous.as_mut()]
            .into_iter()
            .flatten()
            .filter(|live| live.session.local_index == index)
        {
            live.is_heard = true;
            if live.ends.is_some() && live.lifetime.age(now) != Age::Expired {
                live.ends = Some(now + OVERLAP);
            }
        }
    }

    /// Whether this is the receiver index of the session in front.
    pub(crate) fn is_current(&self, index: u32) -> bool {
        self.current
            .as_ref()
            .is_some_and(|live| live.session.local_index == index)
    }

    /// Whether the session in front carried anything but control.
    pub(crate) fn carried_data(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|live| live.lifetime.carried_data())
    }

    /// The session in front carried application data, in either direction.
    pub(crate) fn on_application_data(&mut self) {
        if let Some(live) = &mut self.current {
            live.lifetime.on_application_data();
        }
    }

    /// When the session in front came up, where this side had called for it.
    pub(crate) fn initiated_since(&self) -> Option<Instant> {
        let live = self.current.as_ref()?;
        live.session.is_initiator().then_some(live.since)
    }

    /// Whether the session in front is the fruit of our own call and the other side, which may not have
    /// confirmed it, was not heard yet.
    pub(crate) fn is_unconfirmed_handshake(&self, now: Instant) -> bool {
        self.current.as_ref().is_some_and(|live| {
            let age = now.saturating_since(live.since);
            live.session.is_initiator() && !live.is_heard && age < limits::PROVISIONAL_LIFE
        })
    }

    /// Goes on under another name: two first handshakes crossed, and the other side knows this one only.
    pub(crate) fn rename(&mut self, association: u64) {
        self.association = association;
    }

    /// Whether this token ends the session in front.
    pub(crate) fn is_current_token(&self, token: &[u8; 16]) -> bool {
        self.current
            .as_ref()
            .is_some_and(|live| live.session.remote_reset_token == *token)
    }

    /// Drops the session before; gives back its index.
    pub(crate) fn drop_previous(&mut self) -> Option<u32> {
        self.previous.take().map(|old| old.session.local_index)
    }

    /// The token that would end the current session, if the peer lost it.
    pub(crate) fn reset_tokens(&self) -> impl Iterator<Item = &[u8; 16]> {
        let both = [self.current.as_ref(), self.previous.as_ref()];
        both.into_iter()
            .flatten()
            .map(|live| &live.session.remote_reset_token)
    }

    /// What age, or the forgeries it has met, asks for; an expired session is thrown away by the caller with `clear`.
    pub(crate) fn age(&self, now: Instant) -> Age {
        self.current.as_ref().map_or(Age::Fresh, |live| {
            let wear = if live.session.is_worn() {
                Age::RekeyDue
            } else {
                Age::Fresh
            };
            live.lifetime.age(now).max(wear)
        })
    }

    /// Steps the key phase of a session that only keeps a registration alive.
    pub(crate) fn step_key_phase(&mut self, now: Instant, largest_acked: Option<u64>) {
        if let Some(live) = &mut self.current {
            if live.session.step_key_phase(largest_acked) {
                live.lifetime.on_key_phase(now);
            } else {
                live.lifetime.on_key_phase_refused(now, PHASE_RETRY);
            }
        }
    }

    /// Retires the session before when its time is over; gives back its index.
    pub(crate) fn retire_previous(&mut self, now: Instant) -> Option<u32> {
        let old = self
            .previous
            .take_if(|live| live.ends.is_some_and(|at| at <= now))?;
        Some(old.session.local_index)
    }

    /// When age next asks for something; at once where it does already: a packet may come in between the moment when
    /// it was due and the timer, and the next deadline is read anew after it. `may_rekey` says that new keys could be
    /// asked for.
    pub(crate) fn next_timeout(&self, now: Instant, may_rekey: bool) -> Option<Instant> {
        let current = self
            .current
            .as_ref()
            .and_then(|live| live.lifetime.next_timeout(now));
        let previous = self.previous.as_ref().and_then(|live| live.ends);
        let is_due = match self.age(now) {
            Age::Fresh => false,
            Age::StepPhaseDue | Age::Expired => true,
            Age::RekeyDue => may_rekey,
        };
        let due = is_due.then_some(now);
        [current, previous, due].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::tests;

    const ASSOCIATION: u64 = 42;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    /// Sessions whose front has this index and came up at the start.
    fn up(index: u32) -> Sessions {
        let mut sessions = Sessions::default();
        let (ours, _) = tests::sessions(index);
        let retired = sessions.install(at(0), ours, ASSOCIATION, None);
        assert!(retired.is_empty());
        sessions
    }

    #[test]
    fn late_packets_of_the_keys_before_open_for_a_while_and_renew_that() {
        let mut sessions = up(10);
        sessions.install(at(100), tests::sessions(20).0, ASSOCIATION, Some(9));
        assert!(sessions.by_index(10).is_some() && !sessions.is_current(10));
        assert_eq!(sessions.retire_previous(at(159)), None);
        sessions.on_opened(at(159), 10);
        assert_eq!(sessions.retire_previous(at(160)), None, "it is still used");
        assert_eq!(sessions.retire_previous(at(219)), Some(10));
        assert!(sessions.by_index(10).is_none() && sessions.by_index(20).is_some());
    }

    #[test]
    fn every_index_is_given_back_once_whatever_replaces_it() {
        let mut sessions = up(10);
        let renewed = sessions.install(at(1), tests::sessions(20).0, ASSOCIATION, None);
        let again = sessions.install(at(2), tests::sessions(30).0, ASSOCIATION, None);
        let other = sessions.install(at(3), tests::sessions(40).0, ASSOCIATION + 1, None);
        assert_eq!((renewed, again, other), (vec![], vec![10], vec![30, 20]));
        assert_eq!(sessions.clear(), [40]);
        assert_eq!((sessions.association(), sessions.is_up()), (0, false));
        assert!(sessions.clear().is_empty());
    }

    /// A stateless reset with the token of the session before must not end the one in front.
    #[test]
    fn a_token_ends_only_its_own_session() {
        let mut sessions = up(10);
        sessions.install(at(1), tests::sessions(20).0, ASSOCIATION, None);
        let tokens: Vec<_> = sessions.reset_tokens().copied().collect();
        assert_eq!(tokens, [[21; 16], [11; 16]]);
        assert!(sessions.is_current_token(&[21; 16]));
        assert!(!sessions.is_current_token(&[11; 16]) && !sessions.is_current_token(&[0; 16]));
        assert_eq!(sessions.drop_previous(), Some(10));
        assert_eq!(sessions.drop_previous(), None);
        assert!(sessions.is_up());
    }

    #[test]
    fn an_answer_that_nobody_heard_of_yet_is_unconfirmed_only_for_a_while() {
        let mut sessions = up(10);
        assert!(sessions.is_unconfirmed_handshake(at(1)));
        assert_eq!(sessions.initiated_since(), Some(at(0)));
        let life = limits::PROVISIONAL_LIFE.as_secs();
        assert!(!sessions.is_unconfirmed_handshake(at(life)));
        sessions.on_opened(at(1), 77);
        assert!(sessions.is_unconfirmed_handshake(at(1)), "of somebody else");
        sessions.on_opened(at(1), 10);
        assert!(!sessions.is_unconfirmed_handshake(at(1)));
        let mut answered = Sessions::default();
        answered.install(at(0), tests::sessions(10).1, ASSOCIATION, None);
        assert!(!answered.is_unconfirmed_handshake(at(0)), "they called");
        assert_eq!(answered.initiated_since(), None);
    }

    /// Forgeries wear keys out, whoever sends them.
    #[test]
    fn a_worn_session_asks_for_new_keys_and_those_begin_fresh() {
        let mut sessions = up(10);
        assert_eq!(sessions.age(at(1)), Age::Fresh);
        let (front, _) = sessions.sealing().expect("it is up");
        front.wear(u64::MAX >> 1);
        assert_eq!(sessions.age(at(1)), Age::RekeyDue);
        sessions.install(at(1), tests::sessions(20).0, ASSOCIATION, None);
        assert_eq!(sessions.age(at(1)), Age::Fresh);
    }
}
