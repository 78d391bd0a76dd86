//! The paths to one peer: which addresses to try, which of them work, which one carries the data,
//! and when one that worked no longer does (docs/protocol.md §9).
//!
//! A connection begins on the route that its handshake took, mostly a relay. From there [`Paths`]
//! looks for a better one. Candidates come from the peer (`on_remote_candidates`) and from the
//! source of every authentic packet (`on_packet_received`): the second kind is what makes a NAT
//! work that gives each destination another port. Each candidate that may be tried (`candidates`)
//! gets a round of challenges (`validation`); both sides do so at the same time, which opens their
//! NATs. An echo of our eight bytes proves both directions. Among validated paths `selection` takes
//! the best. A path is left when recovery reports probe timeouts, when the peer turns up elsewhere
//! and the old address does not answer, or when it stays silent (`liveness`).
//!
//! What an attacker can do is bounded three ways: `candidates` refuses addresses, each unvalidated
//! address has a budget of probes and so has the peer (and, through the parent, the node), and an
//! address that nobody named gets at most three bytes for each byte from it (`amplification`).
//!
//! Takes facts by `on_*`; asked with `poll_*` after each of them, and at [`Paths::next_timeout`].

mod amplification;
mod candidates;
mod inputs;
mod liveness;
mod lull;
mod mtu;
mod report;
mod rest;
mod selection;
mod state;
mod suspicion;
mod types;
mod validation;

#[cfg(test)]
mod tests;

use core::net::SocketAddr;
use std::collections::VecDeque;

pub(crate) use candidates::{canonical, may_probe, shares_network};
pub(crate) use mtu::MtuDiscovery;
pub(crate) use rest::PathsAtRest;
pub(crate) use types::{
    Pair, PathEvent, PathKey, Probe, Received, ResponseOutcome, Route, RouteStatus,
};

use crate::api::{CandidateKind, CandidateRefusal, PathChangeReason};
use crate::limiter::TokenBucket;
use crate::limits;
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use liveness::RoamingCheck;
use lull::Lull;
use state::PathState;
use suspicion::Suspicion;
use validation::Rounds;

/// Addresses kept beside the named candidates, for sources that nobody named.
const LEARNT: usize = 8;
/// Relayed paths kept.
const RELAYED: usize = 4;
/// Answers waiting to be sent; a challenge beyond them is not answered.
const RESPONSES: usize = 16;
/// Probes to unvalidated addresses for one peer at once.
const PEER_PROBES: u64 = (limits::CANDIDATES as u64) * (limits::PROBES_PER_CANDIDATE as u64);
/// The peer earns another such probe each so long.
const PEER_PROBE_INTERVAL: Duration = Duration::from_secs(3);
/// New addresses that the peer may name at once: three sets of candidates. Without this bound it
/// could push an address out and name it again, and so renew its budget of probes.
const NAMES: u64 = 3 * limits::CANDIDATES as u64;
/// The peer may name one more each so long.
const NAME_INTERVAL: Duration = Duration::from_secs(15);
/// Wait when the node's own budget is used up.
const DEFER: Duration = Duration::from_secs(1);

/// All paths and remote candidates of one peer.
pub(crate) struct Paths {
    rng: Rng,
    direct_paths: bool,
    /// Named and learnt addresses, and relayed paths; never more than
    /// `CANDIDATES + LEARNT + RELAYED`, so that a scan is cheap.
    paths: Vec<PathState>,
    refused: Vec<(SocketAddr, CandidateKind, CandidateRefusal)>,
    next_key: u32,
    active: Option<PathKey>,
    active_since: Instant,
    was_established: bool,
    lost_direct: bool,
    remote_reflexive: Vec<SocketAddr>,
    local_reflexive: Vec<SocketAddr>,
    local_host: Vec<SocketAddr>,
    rounds: Rounds,
    peer_probes: TokenBucket,
    names: TokenBucket,
    roaming: RoamingCheck,
    suspicion: Option<Suspicion>,
    /// The path by which the peer's newest data came.
    heard_by: Option<PathKey>,
    lull: Lull,
    last_received: Instant,
    lost_announced: bool,
    responses: VecDeque<(Route, [u8; 8])>,
    events: VecDeque<PathEvent>,
}

impl Paths {
    /// Makes an empty set. Without `direct_paths` no address is probed and only relayed paths are
    /// used, except for the route that a handshake itself took.
    #[must_use]
    pub(crate) fn new(rng: Rng, direct_paths: bool, now: Instant) -> Self {
        Self {
            rng,
            direct_paths,
            paths: Vec::new(),
            refused: Vec::new(),
            next_key: 0,
            active: None,
            active_since: now,
            was_established: false,
            lost_direct: false,
            remote_reflexive: Vec::new(),
            local_reflexive: Vec::new(),
            local_host: Vec::new(),
            rounds: Rounds::default(),
            peer_probes: TokenBucket::with_interval(PEER_PROBE_INTERVAL, PEER_PROBES, now),
            names: TokenBucket::with_interval(NAME_INTERVAL, NAMES, now),
            roaming: RoamingCheck::default(),
            suspicion: None,
            heard_by: None,
            lull: Lull::default(),
            last_received: now,
            lost_announced: false,
            responses: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The path that carries the data.
    #[must_use]
    pub(crate) fn active(&self) -> Option<(PathKey, Route)> {
        let path = self.by_key(self.active?)?;
        Some((path.key, path.route))
    }

    /// The key of a route, where it is known.
    #[must_use]
    pub(crate) fn key_of(&self, route: Route) -> Option<PathKey> {
        self.by_route(route.canonical()).map(|path| path.key)
    }

    /// The route of a path, while it exists.
    #[must_use]
    pub(crate) fn route_of(&self, path: PathKey) -> Option<Route> {
        self.by_key(path).map(|path| path.route)
    }

    /// Largest datagram known to pass on a path, bytes of UDP payload (through a relay: of the
    /// inner datagram).
    #[must_use]
    pub(crate) fn max_datagram_bytes(&self, path: PathKey) -> usize {
        self.by_key(path)
            .map_or(MtuDiscovery::relayed().current(), |path| path.mtu.current())
    }

    /// The next challenge to send. Where the node's budget for unvalidated addresses is used up
    /// (`may_probe_unvalidated` false), those wait; the caller counts probes with `validated` false.
    pub(crate) fn poll_probe(
        &mut self,
        now: Instant,
        may_probe_unvalidated: bool,
    ) -> Option<Probe> {
        loop {
            let rank = |p: &&mut PathState| (p.schedule.due(), !p.is_validated(), p.kind, p.key);
            let due = |p: &&mut PathState| p.schedule.due().is_some_and(|due| due <= now);
            let path = self.paths.iter_mut().filter(due).min_by_key(rank)?;
            let validated = path.is_validated();
            if !validated && !may_probe_unvalidated {
                path.schedule.defer(now + DEFER);
                continue;
            }
            let is_allowed = validated
                || (self.peer_probes.retry_after(now, 1).is_zero()
                    && path.take_probe(now)
                    && self.peer_probes.take(now, 1));
            path.schedule.advance(now);
            if !is_allowed {
                continue;
            }
            let challenge = self.rng.array();
            path.challenges.on_sent(now, challenge);
            path.probes_sent = path.probes_sent.saturating_add(1);
            let probe = Probe {
                path: path.key,
                route: path.route,
                challenge,
                validated,
            };
            if let Some(suspicion) = &mut self.suspicion {
                suspicion.on_asked(probe.path, now);
            }
            return Some(probe);
        }
    }

    /// The next PATH_RESPONSE to send, on the route that its challenge came by.
    pub(crate) fn poll_response(&mut self) -> Option<(Route, [u8; 8])> {
        self.responses.pop_front()
    }

    /// The next thing to act on.
    pub(crate) fn poll_event(&mut self) -> Option<PathEvent> {
        self.events.pop_front()
    }

    /// A padded PING to send on a path to find its largest datagram: path, route and bytes of UDP
    /// payload.
    pub(crate) fn poll_mtu_probe(&mut self, now: Instant) -> Option<(PathKey, Route, usize)> {
        let active = self.active?;
        let path = self.by_key_mut(active)?;
        let size = path.mtu.poll_probe_size(now)?;
        Some((path.key, path.route, size))
    }

    /// Adds a path for a route. Where there is no room the least worthy unvalidated address goes, or
    /// the relayed path not heard of for longest.
    fn insert(
        &mut self,
        now: Instant,
        route: Route,
        kind: CandidateKind,
    ) -> Option<&mut PathState> {
        let is_direct = route.is_direct();
        let room = if is_direct {
            limits::CANDIDATES + LEARNT
        } else {
            RELAYED
        };
        let alike = || {
            self.paths
                .iter()
                .filter(|p| p.route.is_direct() == is_direct)
        };
        if alike().count() >= room {
            let worst = if is_direct {
                alike()
                    .filter(|p| !p.is_validated())
                    .min_by_key(|p| p.worth())
            } else {
                let active = self.active;
                alike()
                    .filter(|p| Some(p.key) != active)
                    .min_by_key(|p| p.last_received)
            };
            let worst = worst.map(|p| p.key)?;
            self.remove(worst);
        }
        let key = self.fresh_key();
        // Most peers have one path: room for more would weigh on every idle one.
        self.paths.reserve_exact(1);
        self.paths.push(PathState::new(key, route, kind, now));
        self.paths.last_mut()
    }

    fn remove(&mut self, key: PathKey) {
        let was_validated = self.by_key(key).is_some_and(PathState::is_validated);
        self.paths.retain(|path| path.key != key);
        if was_validated {
            self.events.push_back(PathEvent::PathDropped(key));
        }
        if self.active == Some(key) {
            self.active = None;
        }
    }

    fn fresh_key(&mut self) -> PathKey {
        self.next_key = self.next_key.wrapping_add(1);
        PathKey(self.next_key)
    }

    /// Takes the best path, and tells where that is another one.
    fn reselect(&mut self, now: Instant) {
        let choices: Vec<_> = self.paths.iter().filter_map(|p| p.choice(now)).collect();
        let Some(chosen) = selection::choose(self.active, &choices) else {
            return;
        };
        if self.active == Some(chosen) {
            return;
        }
        let before = self.active;
        let has_failed = before
            .and_then(|key| self.by_key(key))
            .is_none_or(|p| p.doubted);
        let reason = match (self.was_established, has_failed) {
            (false, _) => PathChangeReason::Established,
            (true, true) if self.roaming.has_moved(now) => PathChangeReason::Roamed,
            (true, true) => PathChangeReason::Failed,
            (true, false) => PathChangeReason::Upgraded,
        };
        let used_since = self.active_since;
        let was_direct = self.active().is_some_and(|(_, route)| route.is_direct());
        if has_failed && let Some(old) = before.and_then(|key| self.by_key_mut(key)) {
            old.on_failed(now, used_since);
            self.lost_direct |= was_direct;
        }
        let Some(route) = self.route_of(chosen) else {
            return;
        };
        self.active = Some(chosen);
        self.active_since = now;
        self.was_established = true;
        self.suspicion = None;
        self.roaming.clear();
        if route.is_direct() {
            self.lost_direct = false;
            self.rounds.stop();
        } else if self.rounds.due().is_none() {
            self.rounds.restart(now);
        }
        self.tell_change((before, chosen), route, reason);
    }

    /// Tells of a change; several that nobody has heard of yet are one, or none where they lead back.
    fn tell_change(
        &mut self,
        (mut from, to): (Option<PathKey>, PathKey),
        route: Route,
        mut reason: PathChangeReason,
    ) {
        if let Some(PathEvent::ActiveChanged {
            from: first,
            reason: earlier,
            ..
        }) = self.events.back()
        {
            (from, reason) = (*first, *earlier);
            self.events.pop_back();
        }
        if from != Some(to) {
            self.events.push_back(PathEvent::ActiveChanged {
                from,
                to,
                route,
                reason,
            });
        }
    }

    /// Probes every path and candidate at once.
    fn probe_all(&mut self, now: Instant) {
        let direct_paths = self.direct_paths;
        for path in &mut self.paths {
            if path.is_validated() || (direct_paths && path.route.is_direct()) {
                path.probe(now);
            }
        }
    }

    fn by_key(&self, key: PathKey) -> Option<&PathState> {
        self.paths.iter().find(|path| path.key == key)
    }

    fn by_key_mut(&mut self, key: PathKey) -> Option<&mut PathState> {
        self.paths.iter_mut().find(|path| path.key == key)
    }

    /// The path over this very pair, or else one that may be it.
    fn by_route(&self, route: Route) -> Option<&PathState> {
        let exact = self.paths.iter().find(|path| path.route == route);
        exact.or_else(|| self.paths.iter().find(|path| path.route.matches(&route)))
    }

    fn by_route_mut(&mut self, route: Route) -> Option<&mut PathState> {
        let key = self.by_route(route)?.key;
        self.by_key_mut(key)
    }
}
