//! Plays a plot: each operation in turn, promises judged all along, then peace, liveness and one
//! more round of talk. Commands that the engine refuses (nobody connected, limits) are no fault.

use core::time::Duration;
use std::collections::BTreeMap;

use p2p_core::api::{Command, RequestOutcome};
use p2p_core::limits;
use p2p_core::rng::Rng;

use super::cast::Cast;
use super::{Failure, Op};
use crate::fired::Fired;
use crate::garbage::garbage_datagram;
use crate::link::{Burst, Link, percent};
use crate::oracle::{MARKER, Violation};
use crate::pulse::Pulse;
use crate::trace::TraceHash;
use crate::units::{ms, secs};
use crate::verdict::{Asked, Sitting, availability, directness, endurance, examine, liveness};
use crate::world::{Who, World, label_for};

/// What came of a plot that kept all promises.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Hash of everything that happened.
    pub hash: Option<TraceHash>,
    /// Things that happened.
    pub steps: u64,
    /// Virtual time.
    pub virtual_time: Duration,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Events told to applications.
    pub events: u64,
    /// Commands accepted and refused.
    pub commands: [u64; 2],
    /// Connections at the end, each counted at both ends.
    pub connections: u64,
    /// Of those, direct ones.
    pub direct: u64,
    /// Which faults happened, and how often.
    pub fired: Fired,
    /// Exams that two peers took at the end.
    pub exams: Vec<&'static str>,
}

/// Captured datagrams kept for replays.
const CAPTURED_MAX: usize = 4_096;

/// One change to a link.
type LinkChange = Box<dyn Fn(&mut Link)>;

struct Play {
    world: World,
    cast: Cast,
    rng: Rng,
    unique: u64,
    commands: [u64; 2],
    exams: Vec<&'static str>,
    stranger: Who,
}

/// Plays `ops` in a world of `nodes` nodes.
///
/// # Errors
/// The first broken promise, with everything needed to see it again.
pub fn check(seed: u64, nodes: usize, ops: &[Op]) -> Result<Outcome, Failure> {
    check_watched(seed, nodes, ops, &Pulse::default())
}

/// The same, while `pulse` beats with everything that happens.
///
/// # Errors
/// As [`check`].
pub fn check_watched(
    seed: u64,
    nodes: usize,
    ops: &[Op],
    pulse: &Pulse,
) -> Result<Outcome, Failure> {
    let failure = |at: usize, violation: Violation| Failure {
        seed,
        nodes,
        ops: ops.to_vec(),
        at,
        violation,
    };
    let mut world = World::seeded(seed).latency(ms(40)).watched_by(pulse);
    world.lenient = true;
    world.watch_markers = true;
    world.capture();
    let cast = Cast::enter(&mut world, nodes);
    let stranger = world.stranger("stranger");
    let rng = world.rng("plot");
    let mut play = Play {
        world,
        cast,
        rng,
        unique: 0,
        commands: [0; 2],
        exams: Vec::new(),
        stranger,
    };
    for (at, op) in ops.iter().enumerate() {
        play.apply(*op);
        play.safety().map_err(|v| failure(at, v))?;
    }
    play.apply(Op::Heal);
    let is_calm = !ops.iter().any(Op::is_misfortune);
    let end = |play: &mut Play| {
        let report = liveness(&mut play.world)?;
        if is_calm {
            availability(&play.world, &play.asked(ops), report.settled_after)?;
        }
        directness(&mut play.world)?;
        play.talk()
    };
    end(&mut play).map_err(|v| failure(ops.len(), v))?;
    Ok(play.outcome())
}

impl Play {
    /// Promises broken so far, and whether nodes hold no more than they may.
    fn safety(&self) -> Result<(), Violation> {
        if let Some(violation) = self.world.violations.first() {
            return Err(violation.clone());
        }
        for who in &self.cast.introducers {
            let Some(status) = self.world.status(*who) else {
                continue;
            };
            let peers = self.cast.peers.len();
            let entries = status.directory_entries;
            if entries > peers + self.cast.introducers.len() {
                return Err(format!("{entries} directory entries for {peers} peers"));
            }
            let most = peers * limits::RELAY_CHANNELS_PER_PEER;
            if status.relay_channels > most {
                return Err(format!("{} relay channels", status.relay_channels));
            }
        }
        Ok(())
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Advance(millis) => {
                self.world.run_for(ms(millis.into()));
                self.trim_capture();
            }
            Op::Connect(..)
            | Op::Disconnect(..)
            | Op::Datagram(..)
            | Op::Latest(..)
            | Op::Request(..)
            | Op::Message(..)
            | Op::Stream(..)
            | Op::ResetStream(..) => self.talk_about(op),
            Op::Crash(n) => self.world.crash(self.cast.anybody(n)),
            Op::Restart(n) => self.world.restart(self.cast.anybody(n)),
            Op::Pause(n, millis) => {
                let who = self.cast.anybody(n);
                self.world.pause(who, ms(millis.into()));
            }
            Op::RebootNat(n) => self.world.reboot_nat(self.cast.anybody(n)),
            Op::RenumberNat(n) => self.world.renumber_nat(self.cast.anybody(n)),
            Op::Roam(n, noticed) => {
                let who = self.cast.peer(n);
                self.world.change_address(who, noticed);
            }
            Op::Unplug(n, millis, noticed) => {
                let who = self.cast.anybody(n);
                self.world.unplug(who, ms(millis.into()), noticed);
            }
            Op::Partition(a, b) => {
                let (a, b) = (self.cast.anybody(a), self.cast.anybody(b));
                self.world.partition(a, b);
            }
            Op::Block(a, b) => {
                let (a, b) = (self.cast.anybody(a), self.cast.anybody(b));
                self.world.block(a, b);
            }
            Op::Rejoin(a, b) => {
                let (a, b) = (self.cast.anybody(a), self.cast.anybody(b));
                self.world.rejoin(a, b);
            }
            Op::Lazy(..) | Op::AnswerAfter(..) | Op::SlowDisk(..) | Op::FullDisk(..) => {
                self.slow_application(op);
            }
            Op::LossOneWay(n, p, up) => {
                let [upward, downward] = self.world.links_mut(self.cast.anybody(n));
                if up { upward } else { downward }.loss = percent(p.into());
            }
            Op::Garbage(n, count) => self.garbage(self.cast.anybody(n), count),
            Op::Replay(n) => self.replay(n),
            Op::Heal => self.world.heal(),
            _ => self.spoil_link(op),
        }
    }

    fn slow_application(&mut self, op: Op) {
        match op {
            Op::Lazy(n, true) => {
                let who = self.cast.peer(n);
                self.world.app_mut(who).lazy = true;
            }
            Op::Lazy(n, false) => {
                let who = self.cast.peer(n);
                if !self.world.is_paused(who) {
                    self.world.read_eagerly(who);
                }
            }
            Op::AnswerAfter(n, millis) => {
                let who = self.cast.peer(n);
                self.world.app_mut(who).answers_after = ms(millis.into());
            }
            Op::SlowDisk(n, millis) => {
                let who = self.cast.peer(n);
                self.world.app_mut(who).keeps_after = ms(millis.into());
            }
            Op::FullDisk(n, is_full) => {
                let who = self.cast.peer(n);
                self.world.app_mut(who).disk_full = is_full;
            }
            _ => {}
        }
    }

    fn spoil_link(&mut self, op: Op) {
        let (n, change): (u8, LinkChange) = match op {
            Op::Loss(n, p) => (n, Box::new(move |l| l.loss = percent(p.into()))),
            Op::Burst(n) => (n, Box::new(|l| l.burst = Some(BURST))),
            Op::Duplicate(n, p) => (n, Box::new(move |l| l.duplicate = percent(p.into()))),
            Op::Reorder(n, p) => (n, Box::new(move |l| l.reorder = percent(p.into()))),
            Op::Swap(n, p) => (n, Box::new(move |l| l.swap = percent(p.into()))),
            Op::Corrupt(n, p) => (n, Box::new(move |l| l.corrupt = percent(p.into()))),
            Op::Truncate(n, p) => (n, Box::new(move |l| l.truncate = percent(p.into()))),
            Op::Delay(n, t) => (n, Box::new(move |l| l.latency = ms(t.into()))),
            Op::Jitter(n, t) => (n, Box::new(move |l| l.jitter = ms(t.into()))),
            Op::Rate(n, r) => {
                let rate = u64::from(r.max(8)) << 10;
                let change = move |l: &mut Link| {
                    l.rate_bytes_per_s = Some(rate);
                    // A quarter of a second: a queue that holds everything overflows never.
                    l.queue_bytes = (rate / 16).max(4 << 10);
                };
                (n, Box::new(change))
            }
            Op::Mtu(n, mtu) => {
                let mtu = usize::from(mtu).max(limits::BASE_DATAGRAM_BYTES);
                (n, Box::new(move |l| l.mtu_bytes = mtu))
            }
            Op::Mute(n, up) => {
                let who = self.cast.anybody(n);
                let [upward, downward] = self.world.links_mut(who);
                if up { upward } else { downward }.up = false;
                return;
            }
            Op::Calm(n) => (n, Box::new(|l| *l = Link::with_latency(l.latency))),
            _ => return,
        };
        let who = self.cast.anybody(n);
        self.world.change_link(who, change);
    }

    fn talk_about(&mut self, op: Op) {
        let (Op::Connect(a, b)
        | Op::Disconnect(a, b)
        | Op::Datagram(a, b, _)
        | Op::Latest(a, b, _)
        | Op::Request(a, b, _)
        | Op::Message(a, b, _)
        | Op::Stream(a, b, _)
        | Op::ResetStream(a, b, _)) = op
        else {
            return;
        };
        let Some((a, b)) = self.cast.pair(a, b) else {
            return;
        };
        if !self.world.is_running(a) || self.world.is_paused(a) {
            return;
        }
        let accepted = match op {
            Op::Connect(..) => self.world.try_connect(a, b).is_ok(),
            Op::Disconnect(..) => {
                let peer = self.world.id(b);
                let done = self.world.command(a, Command::Disconnect(peer));
                done.is_ok()
            }
            Op::Datagram(_, _, len) => {
                let data = self.payload(len.into());
                self.world.send_datagram(a, b, data).is_ok()
            }
            Op::Latest(_, _, key) => {
                let data = self.payload(60);
                self.world.set_latest(a, b, key, data).is_ok()
            }
            Op::Request(_, _, len) => {
                let data = self.payload(len.into());
                let deadline = secs(1 + self.rng.below(20));
                self.world.send_request(a, b, data, deadline).is_ok()
            }
            Op::Message(_, _, len) => {
                let data = self.payload(len as usize);
                self.world
                    .send_message(a, b, label_for(&data), data)
                    .is_ok()
            }
            Op::Stream(_, _, len) => self.stream(a, b, len as usize, false),
            _ => {
                let Op::ResetStream(_, _, len) = op else {
                    return;
                };
                self.stream(a, b, len as usize, true)
            }
        };
        self.commands[usize::from(!accepted)] += 1;
    }

    fn stream(&mut self, a: Who, b: Who, len: usize, reset: bool) -> bool {
        let Ok(stream) = self.world.try_open_stream(a, b) else {
            return false;
        };
        let data = self.payload(len);
        self.world.write(a, stream, &data);
        if reset {
            self.world.reset_stream(a, stream, 7);
        } else {
            self.world.finish(a, stream);
        }
        true
    }

    /// What a plot asked for that must have come.
    fn asked(&self, ops: &[Op]) -> Asked {
        let mut asked = Asked::default();
        let mut bytes: BTreeMap<Who, u64> = BTreeMap::new();
        for op in ops {
            match op {
                Op::Disconnect(a, b) => asked.parted.extend(self.cast.pair(*a, *b)),
                Op::Message(a, _, len) | Op::Stream(a, _, len) => {
                    *bytes.entry(self.cast.peer(*a)).or_default() += u64::from(*len);
                }
                _ => {}
            }
        }
        asked.most_bytes = bytes.into_values().max().unwrap_or(0);
        asked
    }

    fn payload(&mut self, len: usize) -> Vec<u8> {
        payload(&mut self.rng, &mut self.unique, len)
    }

    fn garbage(&mut self, to: Who, count: u8) {
        let address = self.world.address(to);
        for _ in 0..count {
            let bytes = garbage_datagram(&mut self.rng);
            self.world.send_raw(self.stranger, address, &bytes);
        }
    }

    fn replay(&mut self, n: u8) {
        let captured = self.world.capture();
        if captured.is_empty() {
            return;
        }
        let to = self.cast.anybody(n);
        let address = self.world.address(to);
        let own: Vec<_> = captured.iter().filter(|c| c.1 == address).collect();
        for _ in 0..20.min(own.len()) {
            let (from, to, bytes) = own[self.rng.below(own.len() as u64) as usize];
            self.world.inject(*from, *to, bytes.clone());
        }
    }

    /// Forgets what was captured before it grows large.
    fn trim_capture(&mut self) {
        if self.world.captured_len() > CAPTURED_MAX {
            self.world.capture();
        }
    }

    /// After everything was healed and came to rest, anybody reaches anybody.
    fn talk(&mut self) -> Result<(), Violation> {
        let mut pairs = Vec::new();
        for _ in 0..3 {
            let (a, b) = (self.rng.below(250) as u8, self.rng.below(250) as u8);
            let Some((a, b)) = self.cast.pair(a, b) else {
                continue;
            };
            let names = format!("{} and {}", self.world.name(a), self.world.name(b));
            let operation = self.world.try_connect(a, b);
            operation.map_err(|e| format!("{names} at peace: {e}"))?;
            let took = self
                .world
                .run_until(|w| w.is_connected(a, b) && w.is_connected(b, a))
                .or_after(secs(20));
            took.ok_or(format!("{names} do not connect at peace"))?;
            for key in 0..3 {
                let value = self.payload(40);
                let set = self.world.set_latest(a, b, key, value);
                set.map_err(|e| format!("{names} at peace: {e}"))?;
            }
            let body = self.payload(40);
            let request = self.world.send_request(a, b, body, secs(10));
            let request = request.map_err(|e| format!("{names} at peace: {e}"))?;
            self.world.run_for(secs(5));
            self.world.latest_arrived(a, b)?;
            match self.world.app(a).requests.get(&request) {
                Some(RequestOutcome::Answered(_)) => {}
                other => return Err(format!("{names}: no answer at peace, {other:?}")),
            }
            pairs.push((a, b));
        }
        if let Some(pair) = pairs.pop() {
            let (rng, unique) = (&mut self.rng, &mut self.unique);
            let mut payload = |len| payload(rng, unique, len);
            endurance(&mut self.world, pair, &mut payload)?;
            self.examine(pair)?;
        }
        self.safety()
    }

    fn examine(&mut self, pair: (Who, Who)) -> Result<(), Violation> {
        let others = self.cast.peers.iter();
        let mut others = others.filter(|who| **who != pair.0 && **who != pair.1);
        let Some(third) = others.next().copied() else {
            return Ok(());
        };
        let mut picks = self.rng.fork("exams");
        let (rng, unique) = (&mut self.rng, &mut self.unique);
        let mut sitting = Sitting {
            world: &mut self.world,
            pair,
            third,
            payload: &mut |len| payload(rng, unique, len),
        };
        self.exams = examine(&mut sitting, &mut picks)?;
        Ok(())
    }

    fn outcome(&self) -> Outcome {
        let world = &self.world;
        let everybody = || world.everybody();
        let links =
            everybody().flat_map(|who| world.app(who).connected.keys().map(move |p| (who, p)));
        let links: Vec<_> = links.collect();
        let direct = links
            .iter()
            .filter_map(|(who, peer)| Some(world.is_direct(*who, world.who(peer)?)))
            .filter(|d| *d)
            .count();
        Outcome {
            hash: Some(world.trace_hash()),
            steps: world.steps(),
            virtual_time: world.now().saturating_since(p2p_core::time::Instant::EPOCH),
            datagrams: everybody().map(|w| world.traffic(w).datagrams_sent).sum(),
            events: everybody().map(|w| world.app(w).events_seen).sum(),
            commands: self.commands,
            connections: links.len() as u64,
            direct: direct as u64,
            fired: world.fired(),
            exams: self.exams.clone(),
        }
    }
}

/// Unique content of `len` bytes, the marker and a number at least.
fn payload(rng: &mut Rng, unique: &mut u64, len: usize) -> Vec<u8> {
    *unique += 1;
    let mut data = MARKER.to_vec();
    data.extend_from_slice(&unique.to_be_bytes());
    let head = data.len();
    data.resize(len.max(head), 0);
    rng.fill(&mut data[head..]);
    data
}

const BURST: Burst = Burst {
    enter: percent(2),
    leave: percent(20),
    loss: percent(80),
};
