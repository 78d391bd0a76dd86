//! Time that passed, handed to whoever waits for it; the earliest of what all of them wait for; and rest, when nobody
//! waits for anything but signs of life.

use super::rest::{Parts, Resident};
use super::{Peer, PeerOutcome};
use crate::api::DisconnectReason;
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
        if let Some(given_up) = self.handshakes.expire(now) {
            self.retire([given_up.index]);
            if !given_up.is_rekey {
                self.outcomes.push_back(PeerOutcome::HandshakeFailed);
            }
        }
        if self.sessions.is_up() {
            self.line.paths.handle_timeout(now);
            self.apply_changes(now);
        }
        if !self.sessions.is_up() {
            return Renewal::None;
        }
        self.line.on_timeout(now, &mut self.sources);
        self.sources.levels.on_timeout(now);
        self.sources.take_news(&mut self.outcomes);
        let retired = self.sessions.retire_previous(now);
        self.retire(retired);
        self.renew(now)
    }

    /// Does what the age of the keys asks for.
    fn renew(&mut self, now: Instant) -> Renewal {
        match self.sessions.age(now) {
            Age::RekeyDue if !self.handshakes.is_under_way() => return Renewal::Due,
            Age::Fresh | Age::RekeyDue => {}
            Age::StepPhaseDue => {
                self.sessions.step_key_phase(now, self.line.largest_acked());
                // Signs of life are not acknowledged; without an acknowledgement in each phase the keys could not
                // step again, and the session would be too old for data.
                self.sources.pings.confirm();
            }
            Age::Expired => self.end_association(DisconnectReason::TimedOut),
        }
        Renewal::None
    }

    /// When to be told the time again.
    pub(crate) fn next_timeout(&self, now: Instant) -> Option<Deadline> {
        let mut next = self.handshakes.next_timeout();
        if self.sessions.is_up() {
            let may_rekey = !self.handshakes.is_under_way() && self.active_route().is_some();
            let at = |at: Option<Instant>, kind| at.map(|at| Deadline::new(at, kind));
            let all = [
                self.line.next_timeout(),
                at(self.sessions.next_timeout(now, may_rekey), TimerKind::Rekey),
                self.sources.next_timeout(),
                at(self.rest_at(now), TimerKind::Rest),
            ];
            next = all.into_iter().fold(next, Deadline::earlier);
        }
        next
    }

    /// When to look whether it may rest; `None` where nothing but its own timers can change that.
    fn rest_at(&self, now: Instant) -> Option<Instant> {
        let at = self.activity.quiet_at(self.sessions.carried_data());
        (self.sessions.is_up() && now < at).then_some(at)
    }

    /// The peer at rest, where it may rest; this one is to be dropped then.
    pub(crate) fn rest(&mut self, now: Instant) -> Option<Resident> {
        if self.rest_at(now).is_some() {
            return None;
        }
        self.sources.levels.collect_events();
        // Names every field, so that nobody adds one without a thought about rests.
        let Self {
            id: _,
            profile,
            sessions,
            handshakes,
            line,
            sources,
            // Nobody waits for a turn.
            packets: _,
            farewell,
            activity,
            outcomes,
        } = self;
        let is_settled = handshakes.is_idle() && farewell.is_none() && outcomes.is_empty();
        if !is_settled || sources.has_output(now) || !sources.may_rest(now) {
            return None;
        }
        let sessions = sessions.rest(line.next_pn())?;
        let parts = Parts {
            profile,
            sessions,
            line,
            sources,
            activity,
        };
        Resident::new(now, parts)
    }
}
