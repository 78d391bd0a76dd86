//! What [`Paths`] is told: routes that came up, candidates, packets, challenges and echoes,
//! losses, and changes of the network. Each changes state and may queue answers and events;
//! nothing is sent from here (docs/protocol.md §9.2, §9.3; RFC 9000 §8.2, §9).

use core::net::SocketAddr;

use super::lull::Lull;
use super::suspicion::{LIKELY, SELDOM_PACE, SLOW_PACE, Suspicion};
use super::types::{PacketOutcome, PathEvent, PathKey, Received, ResponseOutcome, Route};
use super::validation::Purpose;
use super::{LEARNT, PathState, Paths, RESPONSES, canonical, may_probe};
use crate::api::{CandidateKind, CandidateRefusal, LinkId};
use crate::limits;
use crate::time::{Duration, Instant};

/// Least pause between two probes that a packet from a candidate triggers (RFC 8445 §14, Ta).
const TRIGGERED_GAP: Duration = Duration::from_millis(50);

/// Least pause before a doubted path on which the peer is heard is probed again.
const DOUBT_PROBE: Duration = Duration::from_secs(5);

impl Paths {
    /// A relayed route exists over which the peer's authentic packets may come: usable at once.
    pub(crate) fn on_relay_route(&mut self, now: Instant, route: Route) {
        // The introducer speaks for the route, not for the peer: who is silent stays so.
        let before = (self.last_received, self.lost_announced);
        let was_established = self.was_established;
        self.on_established(now, route);
        if was_established {
            (self.last_received, self.lost_announced) = before;
        }
        // It may be the way out; nobody waits for it, so it is asked slowly.
        if self.suspicion.is_some()
            && let Some(path) = self.by_route_mut(route)
        {
            path.schedule.start(Purpose::Suspicion(SLOW_PACE), now);
        }
    }

    /// The handshake was completed on this route, which proves both directions.
    pub(crate) fn on_established(&mut self, now: Instant, route: Route) {
        let route = route.canonical();
        if self.by_route(route).is_none() {
            let kind = CandidateKind::PeerReflexive;
            if self.insert(now, route, kind).is_none() {
                return;
            }
        }
        self.last_received = now;
        self.lost_announced = false;
        if let Some(path) = self.by_route_mut(route) {
            path.route.learn_local(&route);
            path.on_validated(now);
        }
        self.reselect(now);
    }

    /// The association ended: nothing is validated, tried or awaited any more.
    pub(crate) fn on_ended(&mut self) {
        self.paths.clear();
        self.refused.clear();
        self.active = None;
        self.was_established = false;
        self.lost_direct = false;
        self.remote_reflexive.clear();
        self.rounds.stop();
        self.roaming.clear();
        self.suspicion = None;
        self.heard_by = None;
        self.lull = Lull::default();
        self.lost_announced = false;
        self.responses.clear();
        self.events.clear();
    }

    /// Whether addresses are tried at all with this peer.
    pub(crate) const fn allow_direct(&mut self, is_allowed: bool) {
        self.direct_paths = is_allowed;
    }

    /// Where the peer is, by what it said and by what was seen.
    pub(crate) fn remote_addresses(&self) -> Vec<SocketAddr> {
        let paths = self.paths.iter().filter_map(|path| path.route.address());
        let refused = self.refused.iter().map(|(address, _, _)| *address);
        paths.chain(refused).collect()
    }

    /// Our own addresses: as introducers see them, and those of our interfaces that the peer may know.
    pub(crate) fn on_local_addresses(&mut self, reflexive: &[SocketAddr], host: &[SocketAddr]) {
        let bounded =
            |from: &[SocketAddr]| from.iter().take(limits::CANDIDATES * 2).copied().collect();
        self.local_reflexive = bounded(reflexive);
        self.local_host = bounded(host);
    }

    /// The peer named its addresses; those that may be tried are, at once. Addresses named before
    /// keep the budget that they have left, so that naming them again gains nothing.
    pub(crate) fn on_remote_candidates(
        &mut self,
        now: Instant,
        named: &[(SocketAddr, CandidateKind)],
    ) {
        let named = || {
            named
                .iter()
                .take(limits::CANDIDATES)
                .map(|(a, k)| (canonical(*a), *k))
        };
        let reflexive = named().filter(|(_, kind)| *kind == CandidateKind::ServerReflexive);
        self.remote_reflexive = reflexive.map(|(address, _)| address).collect();
        self.refused.clear();
        if !self.direct_paths {
            self.refused
                .extend(named().map(|(a, k)| (a, k, CandidateRefusal::SwitchedOff)));
            return;
        }
        for (address, kind) in named() {
            // Only what is seen of a packet can make a candidate peer-reflexive.
            let kind = kind.min(CandidateKind::ServerReflexive);
            if let Err(reason) = self.may_try(address, kind) {
                self.refused.push((address, kind, reason));
            } else if let Some(known) = self.by_route_mut(Route::to(address)) {
                known.kind = known.kind.min(kind);
            } else if !self.names.take(now, 1) {
                self.refused
                    .push((address, kind, CandidateRefusal::TooMany));
            } else {
                self.insert(now, Route::to(address), kind);
            }
        }
        self.rounds.restart(now);
        self.begin_due_round(now);
    }

    /// An authentic packet arrived, whatever it carried. An unknown source becomes a candidate at
    /// once; where the packet shows that the peer moved, the path in use must prove itself too
    /// (RFC 9000 §9.3).
    pub(crate) fn on_packet_received(
        &mut self,
        now: Instant,
        route: Route,
        packet: Received,
    ) -> PacketOutcome {
        let route = route.canonical();
        self.last_received = now;
        self.lost_announced = false;
        let is_new = self.by_route(route).is_none();
        if is_new && let Err(reason) = self.learn(now, route) {
            return PacketOutcome::Ignored(reason);
        }
        let Some(path) = self.by_route_mut(route) else {
            return PacketOutcome::Ignored(CandidateRefusal::NoRoom);
        };
        let key = path.key;
        path.route.learn_local(&route);
        path.last_received = Some(now);
        path.schedule.stop_if(Purpose::Consent);
        if !path.is_validated() {
            path.amplification.on_received(packet.bytes);
        }
        let is_back = path.doubted
            && path.schedule.due().is_none()
            && path
                .last_sent
                .is_none_or(|sent| now.saturating_since(sent) >= DOUBT_PROBE);
        if is_new || is_back {
            path.probe(now);
        }
        if packet.is_eliciting {
            let rtt = self.active_rtt();
            self.lull.on_data(now, rtt);
        }
        if packet.is_newest && !packet.is_probing {
            self.check_roaming(now, key);
            self.follow(now, key);
        }
        if is_new {
            PacketOutcome::Learnt(key)
        } else {
            PacketOutcome::Known(key)
        }
    }

    /// The peer's data comes by this path now. Where that is news and ours is another, the peer may have left ours for
    /// dead, and we, who send little, would notice late: it is asked whether it answers.
    fn follow(&mut self, now: Instant, key: PathKey) {
        let is_news = self.heard_by.replace(key) != Some(key);
        if let Some(active) = self.active.filter(|active| is_news && *active != key) {
            self.suspect(now, active);
        }
    }

    /// A datagram of this size left on a route.
    pub(crate) fn on_packet_sent(&mut self, now: Instant, route: Route, bytes: usize) {
        if let Some(path) = self.by_route_mut(route.canonical()) {
            path.last_sent = Some(now);
            if !path.is_validated() {
                path.amplification.on_sent(bytes);
            }
        }
    }

    /// The peer challenges us on a route; it is answered there, once. Tell of the packet first
    /// ([`Self::on_packet_received`]).
    pub(crate) fn on_challenge_received(&mut self, now: Instant, route: Route, challenge: [u8; 8]) {
        let route = route.canonical();
        let direct_paths = self.direct_paths;
        let Some(path) = self.by_route_mut(route) else {
            return;
        };
        path.probes_received = path.probes_received.saturating_add(1);
        // It reached us, so that ours may now reach it: do not wait for the next turn of the
        // schedule.
        if (!path.is_validated() || path.doubted) && direct_paths {
            let is_quiet = path
                .last_sent
                .is_none_or(|sent| now.saturating_since(sent) >= TRIGGERED_GAP);
            if is_quiet
                && path
                    .schedule
                    .due()
                    .is_none_or(|due| due > now + TRIGGERED_GAP)
            {
                path.schedule.start(Purpose::Round, now);
            }
        }
        if self.responses.len() < RESPONSES {
            self.responses.push_back((route, challenge));
        }
    }

    /// The peer echoed eight bytes. They prove the path on which they were sent, whichever way the
    /// echo came.
    pub(crate) fn on_response_received(
        &mut self,
        now: Instant,
        route: Route,
        echo: [u8; 8],
    ) -> ResponseOutcome {
        let came_by = route.canonical();
        let mut answered = None;
        for path in &mut self.paths {
            if let Some(rtt) = path.challenges.on_response(now, echo) {
                answered = Some((path, rtt));
                break;
            }
        }
        let Some((path, rtt)) = answered else {
            return ResponseOutcome::Unknown;
        };
        let newly_validated = !path.is_validated();
        path.on_validated(now);
        path.answered_at = Some(now - rtt);
        path.on_rtt_sample(rtt);
        let outcome = ResponseOutcome::Validated {
            path: path.key,
            route: path.route,
            rtt,
            newly_validated,
            asymmetric: !path.route.matches(&came_by),
        };
        let key = path.key;
        self.roaming.on_answer(key);
        if self.suspicion.is_some_and(|s| s.counts(now - rtt)) {
            self.on_proof(key);
        }
        self.judge_suspicion(now);
        self.reselect(now);
        outcome
    }

    /// Recovery's smoothed round-trip time of a path, from an acknowledgement: the path works.
    pub(crate) fn on_rtt(&mut self, now: Instant, path: PathKey, smoothed: Duration) {
        if let Some(path) = self.by_key_mut(path)
            && path.is_validated()
        {
            path.rtt = Some(smoothed);
            path.doubted = false;
        }
        self.reselect(now);
    }

    /// So many probe timeouts in a row passed on the path in use. From the first on it is under suspicion: it and the
    /// others that work are asked whether they answer. From the second on everything else is tried as well.
    pub(crate) fn on_probe_timeouts(&mut self, now: Instant, path: PathKey, count: u32) {
        if self.active != Some(path) || count == 0 {
            return;
        }
        if let Some(path) = self.by_key_mut(path) {
            path.mtu.on_probe_timeouts(now, count);
        }
        self.suspect(now, path);
        if count >= 2 {
            self.probe_all(now);
        }
        self.judge_suspicion(now);
    }

    fn active_rtt(&self) -> Duration {
        let active = self.active.and_then(|key| self.by_key(key));
        let rtt = active.and_then(|path| path.rtt);
        rtt.unwrap_or(limits::INITIAL_RTT)
    }

    /// Asks the path in use, and every other that works, until it is clear whether it is dead.
    pub(super) fn suspect(&mut self, now: Instant, key: PathKey) {
        let Some(path) = self.by_key(key).filter(|path| path.is_validated()) else {
            return;
        };
        let rtt = path.rtt.unwrap_or(limits::INITIAL_RTT);
        let is_new = self.suspicion.is_none_or(|s| s.path() != key);
        let suspicion = match self.suspicion {
            Some(running) if !is_new => running,
            _ => Suspicion::new(key, rtt, now),
        };
        self.suspicion = Some(suspicion);
        let seldom = self.unlikely(key);
        for path in self.paths.iter_mut().filter(|p| p.is_validated()) {
            let answered = path.answered_at.is_some_and(|at| suspicion.counts(at));
            let pace = if seldom.contains(&path.key) {
                SELDOM_PACE
            } else {
                suspicion.pace()
            };
            if is_new || (path.schedule.due().is_none() && !answered) {
                path.schedule.start(Purpose::Suspicion(pace), now);
            }
        }
    }

    /// Ways beside the one in use but for those heard of last: a peer behind a box may have left many behind.
    fn unlikely(&self, in_use: PathKey) -> Vec<PathKey> {
        let others = self.paths.iter().filter(|p| p.key != in_use);
        let mut heard: Vec<_> = others
            .filter(|p| p.is_validated())
            .map(|p| (p.last_received, p.key))
            .collect();
        heard.sort_unstable_by(|a, b| b.cmp(a));
        heard.into_iter().skip(LIKELY).map(|(_, key)| key).collect()
    }

    /// Leaves the path in use where it is silent and another one answers.
    pub(super) fn judge_suspicion(&mut self, now: Instant) {
        let Some(suspicion) = &mut self.suspicion else {
            return;
        };
        if !suspicion.is_silent(now) {
            return;
        }
        let suspicion = *suspicion;
        let answers = |p: &PathState| {
            p.key != suspicion.path()
                && p.is_validated()
                && p.answered_at.is_some_and(|at| suspicion.counts(at))
        };
        if !self.paths.iter().any(answers) {
            if let Some(suspicion) = &mut self.suspicion
                && suspicion.take_news(now)
            {
                self.events.push_back(PathEvent::Silent);
            }
            return;
        }
        self.suspicion = None;
        // The others were asked as often. Whoever had the time and did not answer either is no way out.
        let is_silent = |p: &&PathState| {
            let rtt = p.rtt.unwrap_or(limits::INITIAL_RTT);
            p.is_validated() && !answers(p) && suspicion.had_time(rtt, now)
        };
        let silent = self.paths.iter().filter(is_silent).map(|p| p.key);
        let silent: Vec<_> = silent.filter(|key| *key != suspicion.path()).collect();
        for key in silent {
            self.doubt(now, key);
        }
        self.doubt(now, suspicion.path());
    }

    /// What we sent on a path arrived: it is not dead.
    fn on_proof(&mut self, key: PathKey) {
        if self.suspicion.is_some_and(|s| s.path() == key) {
            self.suspicion = None;
            for path in &mut self.paths {
                path.schedule.stop_if_suspicion();
            }
        }
    }

    /// The socket refused to send on a route (no route to host, our end gone, and the like). A path in use is doubted
    /// at once and the next best carries the data; what is tried again leaves from whichever address the system
    /// chooses. Such an error may pass, so that nothing is dropped for it.
    pub(crate) fn on_send_error(&mut self, now: Instant, route: Route) {
        match self.by_route_mut(route.canonical()) {
            Some(path) if path.is_validated() => {
                let key = path.key;
                path.route.forget_local();
                self.doubt(now, key);
            }
            Some(path) => path.schedule.stop(),
            None => {}
        }
    }

    /// A link of ours sends nothing any more: what goes over it fails at once, as where the socket refuses.
    pub(crate) fn on_link_down(&mut self, now: Instant, link: LinkId) {
        let is_over =
            |p: &&PathState| matches!(p.route, Route::Direct(pair) if pair.link == Some(link));
        let routes: Vec<_> = self.paths.iter().filter(is_over).map(|p| p.route).collect();
        for route in routes {
            self.on_send_error(now, route);
        }
    }

    /// Our own network changed: every path must prove itself anew, and every candidate is worth
    /// another try.
    pub(crate) fn on_network_change(&mut self, now: Instant) {
        self.peer_probes.refill(now);
        self.names.refill(now);
        for path in &mut self.paths {
            path.route.forget_local();
            path.refill_probes(now);
            if path.is_validated() {
                path.mtu.on_network_change(now);
            }
        }
        self.probe_all(now);
        if let Some(active) = self.active {
            let rtt = self.by_key(active).and_then(|path| path.rtt);
            self.roaming.begin(now, active, rtt);
        }
        if self.active().is_none_or(|(_, route)| !route.is_direct()) {
            self.rounds.restart(now);
            self.begin_due_round(now);
        }
    }

    /// The session with a relay ended; its channels are gone.
    pub(crate) fn on_relay_lost(&mut self, now: Instant, lost: u32) {
        let is_lost =
            |p: &&PathState| matches!(p.route, Route::Relay { relay, .. } if relay == lost);
        let keys: Vec<_> = self.paths.iter().filter(is_lost).map(|p| p.key).collect();
        for key in keys {
            self.remove(key);
        }
        self.reselect(now);
    }

    /// This one channel of a relay is closed.
    pub(crate) fn on_relay_route_lost(&mut self, now: Instant, route: Route) {
        if let Some(key) = self.key_of(route) {
            self.remove(key);
            self.reselect(now);
        }
    }

    /// A probe for the largest datagram was acknowledged.
    pub(crate) fn on_mtu_probe_acked(&mut self, now: Instant, path: PathKey, bytes: usize) {
        if let Some(path) = self.by_key_mut(path) {
            path.mtu.on_probe_acked(now, bytes);
        }
    }

    /// A probe for the largest datagram was lost.
    pub(crate) fn on_mtu_probe_lost(&mut self, now: Instant, path: PathKey, bytes: usize) {
        if let Some(path) = self.by_key_mut(path) {
            path.mtu.on_probe_lost(now, bytes);
        }
    }

    /// An ordinary datagram was acknowledged.
    pub(crate) fn on_datagram_acked(&mut self, path: PathKey, bytes: usize) {
        self.on_proof(path);
        if let Some(path) = self.by_key_mut(path) {
            path.mtu.on_datagram_acked(bytes);
        }
    }

    /// An ordinary datagram was lost; true where the path's largest datagram fell because of it.
    pub(crate) fn on_datagram_lost(&mut self, now: Instant, path: PathKey, bytes: usize) -> bool {
        self.by_key_mut(path)
            .is_some_and(|path| path.mtu.on_datagram_lost(now, bytes))
    }

    /// Takes the source of an authentic packet as a candidate.
    fn learn(&mut self, now: Instant, route: Route) -> Result<(), CandidateRefusal> {
        let kind = CandidateKind::PeerReflexive;
        match route {
            Route::Relay { .. } => return Err(CandidateRefusal::UnknownChannel),
            Route::Direct(_) if !self.direct_paths => return Err(CandidateRefusal::SwitchedOff),
            Route::Direct(pair) => self.may_try(pair.remote, kind)?,
        }
        let is_learnt = |p: &&PathState| p.kind == kind && p.route.is_direct() && !p.is_validated();
        if self.paths.iter().filter(is_learnt).count() >= LEARNT {
            let worst = self
                .paths
                .iter()
                .filter(is_learnt)
                .min_by_key(|p| p.worth());
            if let Some(key) = worst.map(|p| p.key) {
                self.remove(key);
            }
        }
        self.insert(now, route, kind)
            .map(|_| ())
            .ok_or(CandidateRefusal::NoRoom)
    }

    fn may_try(&self, address: SocketAddr, kind: CandidateKind) -> Result<(), CandidateRefusal> {
        let (remote, local) = (&self.remote_reflexive, &self.local_reflexive);
        may_probe(address, kind, remote, local, &self.local_host)
    }

    /// Data came by another path than the one in use: did the peer move there, or is the packet a
    /// copy?
    fn check_roaming(&mut self, now: Instant, source: PathKey) {
        let Some(active) = self.active.filter(|active| *active != source) else {
            return;
        };
        let Some(path) = self.by_key(active) else {
            return;
        };
        if path.route.is_direct() && self.roaming.may_begin(now) {
            let rtt = path.rtt;
            self.roaming.begin(now, active, rtt);
            self.roaming.on_moved();
            for key in [active, source] {
                if let Some(path) = self.by_key_mut(key) {
                    path.probe(now);
                }
            }
        }
    }

    /// A path that carried data may be dead: tries everything, and takes the next best meanwhile.
    pub(super) fn doubt(&mut self, now: Instant, key: PathKey) {
        let Some(path) = self
            .by_key_mut(key)
            .filter(|path| path.is_validated() && !path.doubted)
        else {
            return;
        };
        path.doubted = true;
        if self.active == Some(key) {
            self.probe_all(now);
        } else if let Some(path) = self.by_key_mut(key) {
            path.probe(now);
        }
        self.reselect(now);
    }

    /// Drops a path; a direct one stays a candidate.
    pub(super) fn drop_path(&mut self, key: PathKey) {
        let fresh = self.fresh_key();
        let Some(path) = self.by_key_mut(key) else {
            return;
        };
        if !path.route.is_direct() {
            self.remove(key);
            return;
        }
        path.move_to_unvalidated(fresh);
        self.lost_direct = true;
        self.events.push_back(PathEvent::PathDropped(key));
        if self.active == Some(key) {
            self.active = None;
        }
    }
}
