//! What time alone does to paths: rounds of probes begin, quiet paths must consent anew, silent
//! ones are dropped, a peer silent everywhere is lost, and a path in use that does not answer
//! after the peer moved is left.
//!
//! Takes: the time. Returns: when it wants to be told again, and why (docs/protocol.md §9.2, §9.5,
//! RFC 7675).

use super::Paths;
use super::state::PathState;
use super::types::{PathEvent, PathKey, Route};
use super::validation::Purpose;
use crate::limits;
use crate::time::{Deadline, Duration, Instant, TimerKind};

/// A direct path is dropped after this long without a packet from it.
const DIRECT_SILENCE: Duration = Duration::from_secs(30);
/// A relayed path that is not in use is checked this seldom; its channel lives twice as long.
const STANDBY_CONSENT: Duration = Duration::from_secs(60);
/// A relayed path not heard of for this long after its check is doubted.
const RELAY_DOUBT: Duration = Duration::from_secs(15);
/// A relayed path not heard of for this long after its check is dropped.
const RELAY_DROP: Duration = Duration::from_secs(60);
/// Bounds of the wait for an answer of the path in use after the peer moved: three round-trip
/// times within these.
const ROAMING_WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));
/// Pause after a check that the path in use passed, doubling.
const ROAMING_PAUSE: Duration = Duration::from_secs(1);

/// A check whether the path in use still answers, because something hints that it does not.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RoamingCheck {
    waiting: Option<(PathKey, Instant)>,
    peer_moved: bool,
    /// Until when the reason counts for naming the change.
    moved_until: Instant,
    quiet_until: Instant,
    passed: u32,
}

impl RoamingCheck {
    pub(super) fn begin(&mut self, now: Instant, path: PathKey, rtt: Option<Duration>) {
        let (least, most) = ROAMING_WAIT;
        let wait = rtt.map_or(most, |rtt| (rtt * 3).clamp(least, most));
        self.waiting = Some((path, now + wait));
        self.peer_moved = false;
        self.quiet_until = now + ROAMING_PAUSE * (1 << self.passed.min(6));
    }

    pub(super) fn on_moved(&mut self) {
        self.peer_moved = true;
    }

    /// Whether enough time passed since a check that the path in use passed.
    pub(super) fn may_begin(&self, now: Instant) -> bool {
        self.waiting.is_none() && self.quiet_until <= now
    }

    pub(super) fn on_answer(&mut self, path: PathKey) {
        if self.waiting.is_some_and(|(waiting, _)| waiting == path) {
            self.waiting = None;
            self.passed = self.passed.saturating_add(1);
        }
    }

    /// The path that did not answer in time.
    fn poll_failed(&mut self, now: Instant) -> Option<PathKey> {
        let (path, _) = self.waiting.filter(|(_, until)| *until <= now)?;
        self.waiting = None;
        if self.peer_moved {
            self.moved_until = now + DIRECT_SILENCE;
        }
        Some(path)
    }

    /// Whether it is as if there had never been a hint.
    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.waiting.is_none() && self.moved_until <= now && self.quiet_until <= now
    }

    /// Whether the path in use failed because the peer turned up elsewhere.
    pub(super) fn has_moved(&self, now: Instant) -> bool {
        now < self.moved_until
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Paths {
    /// Does what is due. Poll probes, events and keep-alives afterwards.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Some(failed) = self.roaming.poll_failed(now) {
            self.doubt(now, failed);
        }
        if self.lull.take_stop(now)
            && let Some(active) = self.active
        {
            self.suspect(now, active);
        }
        self.judge_suspicion(now);
        let before = self.active;
        self.check_silence(now);
        self.reselect(now);
        if self.active != before {
            // What stands by is held to less than what is in use.
            self.check_silence(now);
            self.reselect(now);
        }
        if self.active.is_none() && self.was_established && self.rounds.due().is_none() {
            self.rounds.restart(now);
        }
        self.begin_due_round(now);
        let silence = now.saturating_since(self.last_received);
        if silence >= limits::PEER_TIMEOUT && self.was_established && !self.lost_announced {
            self.lost_announced = true;
            self.events.push_back(PathEvent::AllPathsLost);
        }
    }

    /// The route on which a KEEP_ALIVE is due now; asking counts as sending.
    pub(crate) fn poll_keep_alive(&mut self, now: Instant) -> Option<Route> {
        let since = self.active_since;
        let path = self.active.and_then(|key| self.by_key_mut(key))?;
        let sent = path.last_sent.unwrap_or(since);
        if now.saturating_since(sent) < limits::KEEP_ALIVE {
            return None;
        }
        path.last_sent = Some(now);
        Some(path.route)
    }

    /// When to call [`Self::handle_timeout`] and to poll.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        if !self.events.is_empty() || !self.responses.is_empty() {
            return Some(Deadline::new(Instant::EPOCH, TimerKind::OutputWaiting));
        }
        let mut next = self
            .rounds
            .due()
            .map(|at| Deadline::new(at, TimerKind::PathProbe));
        let mut add = |at: Option<Instant>, kind| {
            next = Deadline::earlier(next, at.map(|at| Deadline::new(at, kind)));
        };
        for path in &self.paths {
            add(path.schedule.due(), TimerKind::PathProbe);
            add(self.silence_due(path), TimerKind::KeepAlive);
            add(path.held_until(), TimerKind::PathProbe);
        }
        add(
            self.roaming.waiting.map(|(_, until)| until),
            TimerKind::PathProbe,
        );
        add(
            self.suspicion.and_then(|s| s.next_timeout()),
            TimerKind::PathProbe,
        );
        add(self.lull.next_timeout(), TimerKind::PathProbe);
        if let Some(active) = self.active.and_then(|key| self.by_key(key)) {
            let sent = active.last_sent.unwrap_or(self.active_since);
            add(Some(sent + limits::KEEP_ALIVE), TimerKind::KeepAlive);
            add(active.mtu.next_timeout(), TimerKind::PathProbe);
        }
        if self.was_established && !self.lost_announced {
            add(
                Some(self.last_received + limits::PEER_TIMEOUT),
                TimerKind::Idle,
            );
        }
        next
    }

    pub(super) fn begin_due_round(&mut self, now: Instant) {
        if self.rounds.due().is_none_or(|due| due > now) {
            return;
        }
        self.rounds.advance(now);
        let is_direct = self.active().is_some_and(|(_, route)| route.is_direct());
        if is_direct {
            // The first round of new candidates still runs: one of them may be better.
            self.rounds.stop();
        }
        if self.direct_paths {
            for path in self
                .paths
                .iter_mut()
                .filter(|p| p.route.is_direct() && (!p.is_validated() || p.doubted))
            {
                path.probe(now);
            }
        }
    }

    fn check_silence(&mut self, now: Instant) {
        let mut dropped = Vec::new();
        let mut doubted = Vec::new();
        for path in &mut self.paths {
            path.release(now);
            let Some((consent, doubt, drop)) = silence_bounds(path, self.active) else {
                continue;
            };
            let silence = now.saturating_since(path.last_received.unwrap_or(now));
            if silence >= drop {
                dropped.push(path.key);
                continue;
            }
            if silence >= consent && path.consent_is_due(now, consent) {
                path.begin_consent(now);
            }
            if silence >= doubt && !path.doubted {
                doubted.push(path.key);
            }
        }
        for key in doubted {
            self.doubt(now, key);
        }
        for key in dropped {
            self.drop_path(key);
        }
    }

    /// When silence on a path next has a consequence.
    fn silence_due(&self, path: &PathState) -> Option<Instant> {
        let (consent, doubt, drop) = silence_bounds(path, self.active)?;
        let since = path.last_received?;
        if path.consent_is_due(since + consent, consent) {
            return Some(since + consent);
        }
        Some(since + if path.doubted { drop } else { doubt.min(drop) })
    }
}

/// After how much silence a validated path is asked for consent, doubted, and dropped.
fn silence_bounds(
    path: &PathState,
    active: Option<PathKey>,
) -> Option<(Duration, Duration, Duration)> {
    if !path.is_validated() {
        return None;
    }
    if path.route.is_direct() {
        return Some((limits::CONSENT_AFTER, DIRECT_SILENCE, DIRECT_SILENCE));
    }
    let consent = if active == Some(path.key) {
        limits::CONSENT_AFTER
    } else {
        STANDBY_CONSENT
    };
    Some((consent, consent + RELAY_DOUBT, consent + RELAY_DROP))
}

impl PathState {
    /// Whether no consent was asked for since the path fell silent.
    fn consent_is_due(&self, now: Instant, consent: Duration) -> bool {
        let silent_since = self.last_received.unwrap_or(now);
        let asked = self.consent_asked_at;
        asked.is_none_or(|asked| asked < silent_since + consent)
    }

    fn begin_consent(&mut self, now: Instant) {
        self.consent_asked_at = Some(now);
        self.schedule.start(Purpose::Consent, now);
    }
}
