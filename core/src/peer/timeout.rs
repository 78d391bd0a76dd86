//! Time that passed, handed to whoever waits for it; and the earliest of what all of them wait for.

use super::{Peer, PeerOutcome};
use crate::api::DisconnectReason;
use crate::path::PathKey;
use crate::session::Age;
use crate::time::{Deadline, Instant, TimerKind};

/// What age asks of the node, which owns identity and handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewal {
    /// Nothing.
    None,
    /// A new handshake is due.
    Due,
}

impl Peer {
    /// Does everything that is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Renewal {
        self.expire_handshakes(now);
        if !self.sessions.is_up() {
            return Renewal::None;
        }
        self.paths.handle_timeout(now);
        self.apply_path_events(now);
        if !self.sessions.is_up() {
            return Renewal::None;
        }
        self.detect_losses(now);
        self.levels.on_timeout(now);
        self.collect_news();
        if let Some(index) = self.sessions.retire_previous(now) {
            self.retire([index]);
        }
        match self.sessions.age(now) {
            Age::Fresh => Renewal::None,
            Age::StepPhaseDue => {
                self.sessions
                    .step_key_phase(now, self.recovery.largest_acked());
                // Signs of life are not acknowledged; without an acknowledgement in each phase the keys could not
                // step again, and the session would be too old for data.
                self.pings.confirm();
                Renewal::None
            }
            Age::RekeyDue if self.handshakes.is_under_way() => Renewal::None,
            Age::RekeyDue => Renewal::Due,
            Age::Expired => {
                self.end_association(DisconnectReason::TimedOut);
                Renewal::None
            }
        }
    }

    fn expire_handshakes(&mut self, now: Instant) {
        let Some(given_up) = self.handshakes.expire(now) else {
            return;
        };
        self.retire([given_up.index]);
        if !given_up.is_rekey {
            self.outcomes.push_back(PeerOutcome::HandshakeFailed);
        }
    }

    fn detect_losses(&mut self, now: Instant) {
        if self.recovery.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        let mut timeouts = core::mem::take(&mut self.timeouts);
        self.recovery.on_timeout(now, &mut timeouts);
        self.apply_losses(now, &mut timeouts.lost);
        let active = self.paths.active().map(|(path, _)| path);
        for path in timeouts.probes.drain(..) {
            let key = PathKey(path.0);
            if active == Some(key) {
                self.paths
                    .on_probe_timeouts(now, key, self.recovery.pto_count(path));
                self.repeat_oldest(path);
                self.pings.on_probe_timeout();
            } else {
                self.abandon(now, Some(key));
            }
        }
        self.timeouts = timeouts;
    }

    /// Whether age asks for something that was not done yet: a packet may come in between the moment when it was due
    /// and the timer, and the next deadline is read anew after it.
    fn is_renewal_due(&self, now: Instant) -> bool {
        match self.sessions.age(now) {
            Age::Fresh => false,
            Age::StepPhaseDue | Age::Expired => true,
            Age::RekeyDue => !self.handshakes.is_under_way() && self.paths.active().is_some(),
        }
    }

    /// When to be told the time again.
    pub(crate) fn next_timeout(&self, now: Instant) -> Option<Deadline> {
        let at = |at: Option<Instant>, kind| at.map(|at| Deadline::new(at, kind));
        let mut next = self.handshakes.next_timeout();
        if self.sessions.is_up() {
            next = Deadline::earlier(next, self.paths.next_timeout());
            let others = [
                at(self.sessions.next_timeout(now), TimerKind::Rekey),
                at(self.is_renewal_due(now).then_some(now), TimerKind::Rekey),
                at(self.recovery.next_timeout(), TimerKind::LossDetection),
                at(self.received.next_timeout(), TimerKind::AckDelay),
                at(self.paced_until, TimerKind::Pacing),
                at(self.rest_at(now), TimerKind::Rest),
                self.levels.next_timeout(),
            ];
            next = others.into_iter().fold(next, Deadline::earlier);
        }
        next
    }
}
