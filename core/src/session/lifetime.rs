//! How long a session may live (protocol §4.5): when it is to be replaced, when its keys step, when
//! it is over.
//!
//! Takes the time it came up, what went through it and when its sealing keys stepped; says its
//! [`Age`] and when that may change next. A session that carries data is young only for two minutes
//! after fresh keys; one that carries only control makes itself fresh keys for hours, because an
//! introducer with a million of them cannot shake hands so often.

use core::time::Duration;

use crate::limits::{
    CONTROL_SESSION_LIFE, CONTROL_SESSION_REKEY_AFTER, REKEY_AFTER, REKEY_AFTER_BYTES,
    REKEY_AFTER_PACKETS, RESPONDER_REKEY_DELAY, SESSION_LIFE,
};
use crate::time::{Instant, Offset};

/// What is due with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Age {
    /// Nothing.
    Fresh,
    /// The key phase of this side is to step.
    StepPhaseDue,
    /// A new handshake is to replace it; until then it goes on.
    RekeyDue,
    /// It must neither seal nor open any more.
    Expired,
}

/// The age of one session.
#[derive(Clone, Debug)]
pub(crate) struct Lifetime {
    established: Instant,
    keys_since: Instant,
    step_at: Instant,
    is_initiator: bool,
    carried_data: bool,
    bytes: u64,
    packets: u64,
}

/// The age of a session at rest, by times from when it came up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LifetimeAtRest {
    bytes: u32,
    packets: u32,
    keys_since: Offset,
    step_at: Offset,
    carried_data: bool,
}

impl LifetimeAtRest {
    /// The life as it was.
    pub(crate) fn wake(self, base: Instant, is_initiator: bool) -> Lifetime {
        Lifetime {
            established: base,
            keys_since: self.keys_since.some(base),
            step_at: self.step_at.some(base),
            is_initiator,
            carried_data: self.carried_data,
            bytes: u64::from(self.bytes),
            packets: u64::from(self.packets),
        }
    }
}

impl Lifetime {
    /// The life at rest; `None` where it has counted more bytes or packets than that has room for.
    pub(crate) fn rest(&self) -> Option<LifetimeAtRest> {
        let base = self.established;
        Some(LifetimeAtRest {
            bytes: u32::try_from(self.bytes).ok()?,
            packets: u32::try_from(self.packets).ok()?,
            keys_since: Offset::of(base, Some(self.keys_since)),
            step_at: Offset::of(base, Some(self.step_at)),
            carried_data: self.carried_data,
        })
    }

    /// Whether the session carried application data.
    pub(crate) const fn carried_data(&self) -> bool {
        self.carried_data
    }

    /// The life of a session that came up at `now`.
    #[must_use]
    pub(crate) fn new(now: Instant, is_initiator: bool) -> Self {
        Self {
            established: now,
            keys_since: now,
            step_at: now + REKEY_AFTER,
            is_initiator,
            carried_data: false,
            bytes: 0,
            packets: 0,
        }
    }

    /// A packet was sealed or opened.
    #[inline]
    pub(crate) fn on_packet(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        self.packets = self.packets.saturating_add(1);
    }

    /// The session carried application data, in either direction.
    #[inline]
    pub(crate) fn on_application_data(&mut self) {
        self.carried_data = true;
    }

    /// The key phase of this side stepped.
    pub(crate) fn on_key_phase(&mut self, now: Instant) {
        self.keys_since = now;
        self.step_at = now + REKEY_AFTER;
    }

    /// The key phase could not step yet; it is due again after `pause`.
    pub(crate) fn on_key_phase_refused(&mut self, now: Instant, pause: Duration) {
        self.step_at = now + pause;
    }

    /// What is due.
    #[must_use]
    pub(crate) fn age(&self, now: Instant) -> Age {
        let is_used_up = self.bytes >= REKEY_AFTER_BYTES || self.packets >= REKEY_AFTER_PACKETS;
        if now >= self.expires_at() {
            Age::Expired
        } else if is_used_up || now >= self.rekey_at() {
            Age::RekeyDue
        } else if !self.carried_data && now >= self.step_at {
            Age::StepPhaseDue
        } else {
            Age::Fresh
        }
    }

    /// When [`Self::age`] changes next unless it is told something before; `None` once the session
    /// has expired.
    #[must_use]
    pub(crate) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        let step_at = (!self.carried_data).then_some(self.step_at);
        [Some(self.rekey_at()), Some(self.expires_at()), step_at]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
            .filter(|_| self.age(now) != Age::Expired)
    }

    fn rekey_at(&self) -> Instant {
        let delay = if self.is_initiator {
            Duration::ZERO
        } else {
            RESPONDER_REKEY_DELAY
        };
        let by_age = self.established + CONTROL_SESSION_REKEY_AFTER;
        let by_data = self.keys_since + REKEY_AFTER;
        delay_until(by_age, by_data, self.carried_data) + delay
    }

    fn expires_at(&self) -> Instant {
        let by_age = self.established + CONTROL_SESSION_LIFE;
        let by_data = self.keys_since + SESSION_LIFE;
        delay_until(by_age, by_data, self.carried_data)
    }
}

fn delay_until(by_age: Instant, by_data: Instant, carried_data: bool) -> Instant {
    if carried_data {
        by_age.min(by_data)
    } else {
        by_age
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_session_with_data_is_replaced_by_its_initiator_first() {
        let (mut initiator, mut responder) =
            (Lifetime::new(at(0), true), Lifetime::new(at(0), false));
        initiator.on_application_data();
        responder.on_application_data();
        assert_eq!(initiator.next_timeout(at(0)), Some(at(120)));
        assert_eq!(initiator.age(at(119)), Age::Fresh);
        assert_eq!(initiator.age(at(120)), Age::RekeyDue);
        assert_eq!(responder.age(at(149)), Age::Fresh);
        assert_eq!(responder.age(at(150)), Age::RekeyDue);
        assert_eq!(responder.next_timeout(at(150)), Some(at(180)));
        assert_eq!(initiator.age(at(180)), Age::Expired);
        assert_eq!(initiator.next_timeout(at(180)), None);
    }

    #[test]
    fn a_control_session_steps_and_lives_for_hours() {
        let mut life = Lifetime::new(at(0), true);
        for step in 1..90 {
            assert_eq!(life.next_timeout(at(step * 120 - 1)), Some(at(step * 120)));
            assert_eq!(life.age(at(step * 120)), Age::StepPhaseDue);
            life.on_key_phase(at(step * 120));
            assert_eq!(life.age(at(step * 120)), Age::Fresh);
        }
        assert_eq!(life.age(at(3 * 3_600)), Age::RekeyDue);
        assert_eq!(life.age(at(4 * 3_600)), Age::Expired);
    }

    #[test]
    fn data_in_an_old_control_session_counts_from_its_last_keys() {
        let mut life = Lifetime::new(at(0), true);
        life.on_key_phase(at(1_200));
        life.on_application_data();
        assert_eq!(life.age(at(1_300)), Age::Fresh);
        assert_eq!(life.age(at(1_320)), Age::RekeyDue);
        assert_eq!(life.age(at(1_380)), Age::Expired);
    }

    #[test]
    fn a_refused_step_is_tried_again_later() {
        let mut life = Lifetime::new(at(0), true);
        life.on_key_phase_refused(at(120), Duration::from_secs(5));
        assert_eq!(life.age(at(124)), Age::Fresh);
        assert_eq!(life.age(at(125)), Age::StepPhaseDue);
    }

    #[test]
    fn bytes_and_packets_wear_a_session_out() {
        let mut life = Lifetime::new(at(0), true);
        life.on_packet(usize::try_from(REKEY_AFTER_BYTES - 1).unwrap());
        assert_eq!(life.age(at(1)), Age::Fresh);
        life.on_packet(1);
        assert_eq!(life.age(at(1)), Age::RekeyDue);
    }
}
