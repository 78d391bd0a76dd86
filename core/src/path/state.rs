//! One path, or one address that may become one: what was sent and heard, whether it is validated,
//! doubted or held back, and what may still be spent on it while it is unvalidated.
//!
//! Takes from [`super::Paths`] what happened on it. Returns nothing by itself; the rules that compare
//! paths live in `selection`, those of time in `liveness` (docs/protocol.md §9.2, §9.5).

use super::amplification::Amplification;
use super::mtu::{MtuAtRest, MtuDiscovery};
use super::rest::RouteAtRest;
use super::selection::Choice;
use super::types::{PathKey, Route};
use super::validation::{Challenges, Purpose, Schedule};
use crate::api::CandidateKind;
use crate::limiter::TokenBucket;
use crate::limits;
use crate::time::{Duration, Instant, Offset};

/// Size reckoned for a probe, bytes of UDP payload: header, challenge, response and tag.
pub(super) const PROBE_BYTES: usize = 48;
/// An unvalidated candidate earns one more probe each so long.
const PROBE_INTERVAL: Duration = Duration::from_secs(30);
/// A path that failed is held back this long at first, doubling.
const HOLD: Duration = Duration::from_secs(1);
/// Doublings of [`HOLD`] at most.
const HOLD_DOUBLINGS: u32 = 6;
/// Working so long makes up for earlier failures.
const FORGIVE_AFTER: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
pub(super) struct PathState {
    pub(super) key: PathKey,
    pub(super) route: Route,
    pub(super) kind: CandidateKind,
    /// When an answer last made it usable; `None` while unvalidated.
    pub(super) validated_at: Option<Instant>,
    pub(super) doubted: bool,
    pub(super) rtt: Option<Duration>,
    pub(super) last_sent: Option<Instant>,
    pub(super) last_received: Option<Instant>,
    pub(super) consent_asked_at: Option<Instant>,
    /// When the newest question left that was answered.
    pub(super) answered_at: Option<Instant>,
    pub(super) schedule: Schedule,
    pub(super) challenges: Challenges,
    pub(super) amplification: Amplification,
    pub(super) mtu: MtuDiscovery,
    pub(super) probes_sent: u32,
    pub(super) probes_received: u32,
    probe_budget: TokenBucket,
    was_validated: bool,
    held_until: Option<Instant>,
    failures: u32,
}

/// What a validated path needs to go on later.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathAtRest {
    pub(super) key: PathKey,
    route: RouteAtRest,
    kind: CandidateKind,
    failures: u8,
    validated_at: Offset,
    /// Zero for none: a round trip takes time.
    rtt_micros: u32,
    last_sent: Offset,
    pub(super) last_received: Offset,
    consent_asked_at: Offset,
    mtu: MtuAtRest,
    probes_sent: u32,
    probes_received: u32,
}

impl PathState {
    pub(super) fn new(key: PathKey, route: Route, kind: CandidateKind, now: Instant) -> Self {
        let burst = u64::from(limits::PROBES_PER_CANDIDATE);
        Self {
            key,
            route,
            kind,
            validated_at: None,
            doubted: false,
            rtt: None,
            last_sent: None,
            last_received: None,
            consent_asked_at: None,
            answered_at: None,
            schedule: Schedule::default(),
            challenges: Challenges::default(),
            amplification: Amplification::default(),
            mtu: if route.is_direct() {
                MtuDiscovery::new()
            } else {
                MtuDiscovery::relayed()
            },
            probes_sent: 0,
            probes_received: 0,
            probe_budget: TokenBucket::with_interval(PROBE_INTERVAL, burst, now),
            was_validated: false,
            held_until: None,
            failures: 0,
        }
    }

    /// The path at rest: validated, undoubted, with nothing to wait for.
    pub(super) fn rest(&self, now: Instant, base: Instant) -> Option<PathAtRest> {
        let Self {
            key,
            route,
            kind,
            validated_at,
            doubted,
            rtt,
            last_sent,
            last_received,
            consent_asked_at,
            // Tells alive from dead within a suspicion only.
            answered_at: _,
            schedule,
            challenges,
            // Counts only for what is not validated; from nothing it begins stricter than it was.
            amplification: _,
            mtu,
            probes_sent,
            probes_received,
            probe_budget,
            was_validated,
            held_until,
            failures,
        } = self;
        let is_waiting = *doubted
            || schedule.due().is_some()
            || challenges.is_waiting(now)
            || !probe_budget.is_full(now)
            || held_until.is_some()
            || !was_validated
            || validated_at.is_none();
        if is_waiting {
            return None;
        }
        Some(PathAtRest {
            key: *key,
            route: RouteAtRest::of(*route)?,
            kind: *kind,
            validated_at: Offset::of(base, *validated_at),
            rtt_micros: rtt.map_or(0, |rtt| {
                u32::try_from(rtt.as_micros().max(1)).unwrap_or(u32::MAX)
            }),
            last_sent: Offset::of(base, *last_sent),
            last_received: Offset::of(base, *last_received),
            consent_asked_at: Offset::of(base, *consent_asked_at),
            mtu: mtu.rest(base)?,
            probes_sent: *probes_sent,
            probes_received: *probes_received,
            failures: u8::try_from(*failures).ok()?,
        })
    }

    /// The path as it was.
    pub(super) fn wake(at_rest: &PathAtRest, base: Instant) -> Self {
        let mut path = Self::new(at_rest.key, at_rest.route.route(), at_rest.kind, base);
        path.validated_at = at_rest.validated_at.get(base);
        path.was_validated = true;
        let rtt = Duration::from_micros(u64::from(at_rest.rtt_micros));
        path.rtt = (!rtt.is_zero()).then_some(rtt);
        path.last_sent = at_rest.last_sent.get(base);
        path.last_received = at_rest.last_received.get(base);
        path.consent_asked_at = at_rest.consent_asked_at.get(base);
        path.mtu = MtuDiscovery::wake(at_rest.mtu, base);
        path.probes_sent = at_rest.probes_sent;
        path.probes_received = at_rest.probes_received;
        path.failures = u32::from(at_rest.failures);
        path
    }

    pub(super) fn is_validated(&self) -> bool {
        self.validated_at.is_some()
    }

    /// Both directions work: usable from now on, until dropped.
    pub(super) fn on_validated(&mut self, now: Instant) {
        self.doubted = false;
        self.last_received = Some(now);
        self.schedule.stop();
        if self.validated_at.is_none() {
            self.validated_at = Some(now);
            self.was_validated = true;
            self.mtu.on_validated(now);
        }
    }

    /// A sample from a challenge; recovery's own estimate replaces it where there is one.
    pub(super) fn on_rtt_sample(&mut self, sample: Duration) {
        self.rtt = Some(self.rtt.map_or(sample, |old| (old * 7 + sample) / 8));
    }

    /// No longer validated, but still a candidate, under a new key.
    pub(super) fn move_to_unvalidated(&mut self, key: PathKey) -> PathKey {
        self.validated_at = None;
        self.doubted = false;
        self.rtt = None;
        self.schedule.stop();
        self.mtu = MtuDiscovery::new();
        core::mem::replace(&mut self.key, key)
    }

    /// It was in use and failed: it must wait before it is preferred again.
    pub(super) fn on_failed(&mut self, now: Instant, used_since: Instant) {
        if now.saturating_since(used_since) >= FORGIVE_AFTER {
            self.failures = 0;
        }
        self.failures = (self.failures + 1).min(HOLD_DOUBLINGS);
        self.held_until = Some(now + HOLD * (1 << self.failures));
    }

    /// When it stops being held back.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    pub(super) fn release(&mut self, now: Instant) {
        self.held_until = self.held_until.filter(|until| *until > now);
    }

    pub(super) fn choice(&self, now: Instant) -> Option<Choice> {
        self.is_validated().then_some(Choice {
            path: self.key,
            is_direct: self.route.is_direct(),
            doubted: self.doubted,
            held: self.held_until.is_some_and(|until| until > now),
            rtt: self.rtt,
        })
    }

    /// Begins a round unless one is under way.
    pub(super) fn probe(&mut self, now: Instant) {
        if !matches!(
            self.schedule.purpose(),
            Some(Purpose::Round | Purpose::Suspicion(_))
        ) {
            self.schedule.start(Purpose::Round, now);
        }
    }

    /// Is charged what one probe to this unvalidated address costs: from what it sent us, or, where the
    /// peer named it or it was validated once, from its own small budget.
    pub(super) fn take_probe(&mut self, now: Instant) -> bool {
        if self.amplification.allows(PROBE_BYTES) {
            return true;
        }
        let is_known = self.was_validated || self.kind != CandidateKind::PeerReflexive;
        is_known && self.probe_budget.take(now, 1)
    }

    pub(super) fn refill_probes(&mut self, now: Instant) {
        self.probe_budget.refill(now);
    }

    /// Worth less is evicted first: never heard of, then learnt rather than named, then tried more
    /// often.
    pub(super) fn worth(
        &self,
    ) -> (
        bool,
        core::cmp::Reverse<CandidateKind>,
        core::cmp::Reverse<u32>,
    ) {
        use core::cmp::Reverse;
        (
            self.probes_received > 0,
            Reverse(self.kind),
            Reverse(self.probes_sent),
        )
    }
}
