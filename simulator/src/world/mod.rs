//! The stage: virtual time, hosts, links and networks under one seed. Engines are driven as a
//! driver would: one input, then datagrams, effects and events until there are none, then the
//! timer. What happens at the same nanosecond happens in the order in which it was caused. Nothing
//! is random but by forks of the world's seed.

mod build;
mod clock;
mod drive;
mod faults;
mod host;
mod judge;
mod label;
mod story;
mod streams;
mod topology;
mod within;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use p2p_core::api::{EcnCodepoint, Label, MessageId, RequestId};
use p2p_core::id::NodeId;
use p2p_core::rng::Rng;
use p2p_core::time::Instant;

use crate::app::Application;
use crate::engine::{self, Factory};
use crate::fired::{Fault, Fired};
use crate::link::{Link, LinkCounters};
use crate::oracle::{Ledger, Violation};
use crate::pulse::Pulse;
use crate::trace::{Sighting, Trace, TraceHash};

pub use build::NodeBuilder;
pub use host::Traffic;
pub(crate) use label::label_for;
pub use streams::StreamHandle;
pub use topology::LanId;
pub use within::Within;

use host::Host;
use topology::Topology;

/// Buffers kept for datagrams to come. Duplicates add some of their own, so that the number kept
/// needs a bound.
const POOL_MAX: usize = 1_024;

/// A host of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who(pub(crate) usize);

impl Who {
    /// Its number, from 0 in the order of making.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0
    }
}

/// Something that will happen.
enum Occurrence {
    /// A datagram has crossed its sender's link and is routed now.
    Crossed {
        origin: Option<usize>,
        lan: LanId,
        from: SocketAddr,
        to: SocketAddr,
        ecn: Option<EcnCodepoint>,
        bytes: Vec<u8>,
    },
    /// A datagram has crossed its receiver's link.
    Arrived {
        host: usize,
        from_stranger: bool,
        from: SocketAddr,
        to: SocketAddr,
        ecn: Option<EcnCodepoint>,
        bytes: Vec<u8>,
    },
    /// A host's timer fires.
    Timer { host: usize },
    /// A paused host goes on.
    Resumed { host: usize },
    /// A host has its interface back; its driver notices or not.
    Plugged { host: usize, noticed: bool },
    /// A service that took its time answers.
    Answer {
        host: usize,
        incarnation: u64,
        peer: NodeId,
        request: RequestId,
        body: Bytes,
    },
    /// A disk that took its time has kept a message.
    Kept {
        host: usize,
        incarnation: u64,
        message: (NodeId, MessageId, Label),
    },
}

/// A simulated network with everybody in it.
pub struct World {
    now: Instant,
    sequence: u64,
    queue: BTreeMap<(Instant, u64), Occurrence>,
    hosts: Vec<Host>,
    by_id: BTreeMap<NodeId, usize>,
    names: BTreeMap<String, SocketAddr>,
    topology: Topology,
    link: Link,
    rng: Rng,
    make: Factory,
    blocked: BTreeSet<(usize, usize)>,
    trace: Trace,
    captured: Option<Vec<(SocketAddr, SocketAddr, Vec<u8>)>>,
    scratch: Vec<u8>,
    pool: Vec<Vec<u8>>,
    steps: u64,
    unrouted: u64,
    fired: Fired,
    pulse: Pulse,
    /// What applications sent and what became of it.
    pub ledger: Ledger,
    /// Promises found broken; `run_*` panics at the first unless `lenient`.
    pub violations: Vec<Violation>,
    /// Whether violations are only collected.
    pub lenient: bool,
    /// Whether every datagram is searched for [`crate::oracle::MARKER`].
    pub watch_markers: bool,
}

impl World {
    /// An empty world of real engines.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::with_engines(seed, engine::real)
    }

    /// An empty world of engines made by `make`.
    #[must_use]
    pub fn with_engines(seed: u64, make: Factory) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        Self {
            now: Instant::EPOCH,
            sequence: 0,
            queue: BTreeMap::new(),
            hosts: Vec::new(),
            by_id: BTreeMap::new(),
            names: BTreeMap::new(),
            topology: Topology::new(),
            link: Link::default(),
            rng: Rng::from_seed(bytes).fork("world"),
            make,
            blocked: BTreeSet::new(),
            trace: Trace::new(),
            captured: None,
            scratch: vec![0; 65_536],
            pool: Vec::new(),
            steps: 0,
            unrouted: 0,
            fired: Fired::default(),
            pulse: Pulse::default(),
            ledger: Ledger::default(),
            violations: Vec::new(),
            lenient: false,
            watch_markers: false,
        }
    }

    /// Delay between two hosts, one way, for hosts made from now on; half of it on each one's
    /// link.
    #[must_use]
    pub fn latency(mut self, one_way: Duration) -> Self {
        self.link.latency = one_way / 2;
        self
    }

    /// The link, each way, of hosts made from now on.
    #[must_use]
    pub fn default_link(mut self, link: Link) -> Self {
        self.link = link;
        self
    }

    /// Lets `pulse` beat with everything that happens.
    #[must_use]
    pub fn watched_by(mut self, pulse: &Pulse) -> Self {
        self.pulse = pulse.clone();
        self
    }

    /// Which faults have happened, and how often.
    #[must_use]
    pub fn fired(&self) -> Fired {
        let mut fired = self.fired.clone();
        for host in &self.hosts {
            fired.add_link(&host.up.counters);
            fired.add_link(&host.down.counters);
        }
        fired
    }

    /// Virtual time since the world began.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// A generator of the test's own.
    #[must_use]
    pub fn rng(&self, label: &str) -> Rng {
        self.rng.fork(label)
    }

    /// Hash of everything that has happened.
    #[must_use]
    pub fn trace_hash(&self) -> TraceHash {
        self.trace.hash()
    }

    /// Things that have happened.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Datagrams that led nowhere: filtered by a box, to nobody's address, or across a partition.
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.unrouted
    }

    /// Everybody.
    pub fn everybody(&self) -> impl Iterator<Item = Who> + use<> {
        (0..self.hosts.len()).map(Who)
    }

    /// What a host's application knows.
    #[must_use]
    pub fn app(&self, who: Who) -> &Application {
        &self.hosts[who.0].app
    }

    /// The same, to change how it behaves.
    pub fn app_mut(&mut self, who: Who) -> &mut Application {
        &mut self.hosts[who.0].app
    }

    /// What a host has sent and received since it was made.
    #[must_use]
    pub fn traffic(&self, who: Who) -> Traffic {
        self.hosts[who.0].traffic
    }

    /// Bytes that a host has sent to strangers since it started.
    #[must_use]
    pub fn sent_to_strangers(&self, who: Who) -> u64 {
        self.hosts[who.0].strangers.values().map(|s| s[1]).sum()
    }

    /// How often faults were applied on a host's link, up and down.
    #[must_use]
    pub fn link_counters(&self, who: Who) -> [LinkCounters; 2] {
        let host = &self.hosts[who.0];
        [host.up.counters, host.down.counters]
    }

    /// Starts to keep copies of datagrams as they are delivered, and gives those kept until now.
    pub fn capture(&mut self) -> Vec<(SocketAddr, SocketAddr, Vec<u8>)> {
        self.captured.replace(Vec::new()).unwrap_or_default()
    }

    /// Datagrams captured so far.
    #[must_use]
    pub fn captured_len(&self) -> usize {
        self.captured.as_ref().map_or(0, Vec::len)
    }

    /// Lets a datagram with any source appear in the open internet.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let crossed = Occurrence::Crossed {
            origin: None,
            lan: topology::INTERNET,
            from,
            to,
            ecn: None,
            bytes,
        };
        self.schedule(self.now, crossed);
    }

    /// Lets time pass.
    ///
    /// # Panics
    /// When a promise is broken, unless the world is lenient.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step_before(end) {}
        self.now = end;
    }

    /// Runs until `condition` holds; say how long it may take with [`Within::within`].
    pub fn run_until<F: FnMut(&Self) -> bool>(&mut self, condition: F) -> Within<'_, F> {
        Within::new(self, condition)
    }

    /// Runs until nobody has sent anything for a second, a minute at most.
    pub fn run_until_quiet(&mut self) {
        let end = self.now + Duration::from_secs(60);
        let sent = |w: &Self| {
            w.hosts
                .iter()
                .map(|h| h.traffic.datagrams_sent)
                .sum::<u64>()
        };
        loop {
            let before = sent(self);
            self.run_for(Duration::from_secs(1));
            if sent(self) == before || self.now >= end {
                return;
            }
        }
    }

    /// Lets the next thing happen if it is due by `end`.
    fn step_before(&mut self, end: Instant) -> bool {
        let Some(entry) = self.queue.first_entry().filter(|e| e.key().0 <= end) else {
            return false;
        };
        let ((at, _), occurrence) = entry.remove_entry();
        self.now = at;
        self.steps += 1;
        self.pulse.beat();
        self.happen(occurrence);
        if !self.lenient
            && let Some(violation) = self.violations.first()
        {
            panic!("at {:?}: {violation}", self.now);
        }
        self.lenient || self.violations.is_empty()
    }

    fn schedule(&mut self, at: Instant, occurrence: Occurrence) -> (Instant, u64) {
        let key = (at.max(self.now), self.sequence);
        self.sequence += 1;
        self.queue.insert(key, occurrence);
        key
    }

    fn happen(&mut self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Crossed {
                origin,
                lan,
                from,
                to,
                ecn,
                bytes,
            } => self.on_crossed(origin, lan, (from, to), ecn, bytes),
            Occurrence::Arrived {
                host,
                from_stranger,
                from,
                to,
                ecn,
                bytes,
            } => self.on_arrived(host, from_stranger, (from, to), ecn, bytes),
            Occurrence::Timer { host } => self.on_timer(host),
            Occurrence::Resumed { host } => self.on_resumed(host),
            Occurrence::Plugged { host, noticed } => self.on_plugged(host, noticed),
            Occurrence::Answer {
                host,
                incarnation,
                peer,
                request,
                body,
            } => {
                if self.hosts[host].incarnation == incarnation {
                    self.answer(host, peer, request, body);
                }
            }
            Occurrence::Kept {
                host,
                incarnation,
                message,
            } => {
                if self.hosts[host].incarnation == incarnation {
                    self.keep(host, message);
                }
            }
        }
    }

    /// Puts a datagram of a host on its link.
    fn send(&mut self, origin: usize, to: SocketAddr, ecn: Option<EcnCodepoint>, datagram: &[u8]) {
        let mut bytes = self.pool.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(datagram);
        let host = &mut self.hosts[origin];
        let (from, lan) = (host.address, host.lan);
        self.trace
            .datagram(Sighting::Sent, self.now, from, to, datagram);
        host.traffic.on_sent(datagram.len());
        if let Err(violation) = host.on_sent_to(to, datagram.len()) {
            self.violations.push(violation);
        }
        let ecn = host.up.mark(self.now, ecn);
        let arrivals = host.up.carry(self.now, &mut bytes);
        let [first, second] = arrivals;
        if let Some(at) = second {
            let bytes = bytes.clone();
            let origin = Some(origin);
            self.schedule(
                at,
                Occurrence::Crossed {
                    origin,
                    lan,
                    from,
                    to,
                    ecn,
                    bytes,
                },
            );
        }
        let Some(at) = first else {
            self.recycle(bytes);
            return;
        };
        let crossed = Occurrence::Crossed {
            origin: Some(origin),
            lan,
            from,
            to,
            ecn,
            bytes,
        };
        self.schedule(at, crossed);
    }

    fn on_crossed(
        &mut self,
        origin: Option<usize>,
        lan: LanId,
        (from, to): (SocketAddr, SocketAddr),
        ecn: Option<EcnCodepoint>,
        mut bytes: Vec<u8>,
    ) {
        let landing = self.topology.route(self.now, lan, from, to).filter(|l| {
            let cut = origin.is_some_and(|o| self.blocked.contains(&(o, l.host)));
            if cut {
                self.fired.note(Fault::Partition);
            }
            !cut && self.hosts[l.host].address == l.to
        });
        let Some(landing) = landing else {
            self.unrouted += 1;
            self.recycle(bytes);
            return;
        };
        let from_stranger = origin.is_some_and(|o| self.hosts[o].raw);
        match origin {
            None => self.fired.note(Fault::Replay),
            Some(_) if from_stranger => self.fired.note(Fault::Garbage),
            Some(_) => {}
        }
        let down = &mut self.hosts[landing.host].down;
        let ecn = down.mark(self.now, ecn);
        let arrivals = down.carry(self.now, &mut bytes);
        let arrived = |bytes| Occurrence::Arrived {
            host: landing.host,
            from_stranger,
            from: landing.from,
            to: landing.to,
            ecn,
            bytes,
        };
        let [first, second] = arrivals;
        let again = second.map(|at| (at, arrived(bytes.clone())));
        match first {
            Some(at) => {
                self.schedule(at, arrived(bytes));
            }
            None => self.recycle(bytes),
        }
        if let Some((at, arrived)) = again {
            self.schedule(at, arrived);
        }
    }

    /// Keeps the buffer of a datagram that is no more.
    fn recycle(&mut self, bytes: Vec<u8>) {
        if self.pool.len() < POOL_MAX {
            self.pool.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
