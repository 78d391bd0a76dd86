//! Engines that keep every promise in the end and are bad at it: each exam must tell them from the real one.

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use p2p_core::api::{
    Accepted, ApiMisuse, Arrival, Command, Effect, Event, MessageId, NodeConfig, NodeStatus,
    PeerStatus, StreamId, StreamRead, Transmit, Why,
};
use p2p_core::id::NodeId;
use p2p_core::time::{Deadline, Instant, TimerKind};

use super::{EXAMS, Exam, HALF_WAY, Sitting};
use crate::engine::{self, Engine, Factory};
use crate::oracle::Violation;
use crate::units::{ms, secs};
use crate::world::World;

/// A real engine, and what is wrong with what goes in and comes out.
struct Spoilt {
    inner: Box<dyn Engine>,
    /// How long datagrams lie about before they are looked at.
    dawdles: Duration,
    waiting: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    /// How much too late timers of a kind fire.
    oversleeps: fn(TimerKind) -> Duration,
    /// Each so many batches one is not sent; 0: none.
    loses_each: u64,
    batches: u64,
    /// Events that are kept from the application.
    conceals: fn(&Event) -> bool,
    /// Commands that are taken and not carried out.
    ignores: fn(&Command) -> bool,
    /// Further copies of each batch.
    repeats: usize,
    copies: Vec<(Transmit, Vec<u8>)>,
}

fn spoil(
    config: NodeConfig,
    now: Instant,
    how: impl Fn(&mut Spoilt),
) -> Result<Box<dyn Engine>, ApiMisuse> {
    let mut spoilt = Spoilt {
        inner: engine::real(config, now)?,
        dawdles: Duration::ZERO,
        waiting: VecDeque::new(),
        oversleeps: |_| Duration::ZERO,
        loses_each: 0,
        batches: 0,
        conceals: |_| false,
        ignores: |_| false,
        repeats: 0,
        copies: Vec::new(),
    };
    how(&mut spoilt);
    Ok(Box::new(spoilt))
}

fn dawdling(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    spoil(config, now, |s| s.dawdles = ms(250))
}

fn oversleeping(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    spoil(config, now, |s| {
        s.oversleeps = |kind| match kind {
            TimerKind::AckDelay | TimerKind::LossDetection => secs(20),
            _ => Duration::ZERO,
        };
    })
}

/// Acknowledges in time, so that it learns what passes, and waits for what does not come, just not so long that it
/// takes itself for asleep.
fn trusting(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    spoil(config, now, |s| {
        s.oversleeps = |kind| match kind {
            TimerKind::LossDetection | TimerKind::PathProbe => ms(4_900),
            _ => Duration::ZERO,
        };
    })
}

fn losing(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    spoil(config, now, |s| s.loses_each = 3)
}

fn concealing(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    spoil(config, now, |s| {
        s.conceals = |event| {
            matches!(
                event,
                Event::StreamReset { .. } | Event::Disconnected { .. } | Event::MessageReady { .. }
            )
        };
    })
}

fn ignoring(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    spoil(config, now, |s| {
        s.ignores = |command| {
            matches!(
                command,
                Command::NetworkChanged | Command::SetLocalAddresses(_)
            )
        };
    })
}

fn repeating(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    spoil(config, now, |s| s.repeats = 60)
}

impl Engine for Spoilt {
    fn id(&self) -> NodeId {
        self.inner.id()
    }

    fn handle_arrival(&mut self, now: Instant, arrival: Arrival<'_>) {
        if self.dawdles.is_zero() {
            return self.inner.handle_arrival(now, arrival);
        }
        let due = now + self.dawdles;
        self.waiting
            .push_back((due, arrival.from, arrival.bytes.to_vec()));
    }

    fn handle_send_error(&mut self, now: Instant, to: SocketAddr, from: Option<IpAddr>) {
        self.inner.handle_send_error(now, to, from);
    }

    fn handle_timeout(&mut self, now: Instant) {
        while self.waiting.front().is_some_and(|(due, ..)| *due <= now) {
            if let Some((_, from, mut bytes)) = self.waiting.pop_front() {
                self.inner.handle_datagram(now, from, &mut bytes);
            }
        }
        if self.inner_due().is_some_and(|deadline| deadline.at <= now) {
            self.inner.handle_timeout(now);
        }
    }

    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        if (self.ignores)(&command) {
            return Ok(Accepted::Done);
        }
        self.inner.handle_command(now, command)
    }

    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        self.inner.read_stream(now, peer, stream, max_bytes)
    }

    fn read_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        self.inner.read_message(now, peer, message)
    }

    fn take_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        self.inner.take_message(now, peer, message)
    }

    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        if let Some((transmit, bytes)) = self.copies.pop() {
            buffer[..bytes.len()].copy_from_slice(&bytes);
            return Some(transmit);
        }
        let transmit = self.inner.poll_transmit(now, buffer)?;
        self.batches += 1;
        if self.loses_each > 0 && self.batches.is_multiple_of(self.loses_each) {
            return self.poll_transmit(now, buffer);
        }
        for _ in 0..self.repeats {
            self.copies
                .push((transmit, buffer[..transmit.len].to_vec()));
        }
        Some(transmit)
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = self.inner.poll_event()?;
        match (self.conceals)(&event) {
            true => self.poll_event(),
            false => Some(event),
        }
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.inner.poll_effect()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        let looked_at = self
            .waiting
            .front()
            .map(|(due, ..)| Deadline::new(*due, TimerKind::OutputWaiting));
        Deadline::earlier(looked_at, self.inner_due())
    }

    fn status(&self, now: Instant) -> NodeStatus {
        self.inner.status(now)
    }

    fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.inner.peers(now)
    }

    fn peers_between(&self, ids: RangeInclusive<NodeId>, most: usize) -> Vec<NodeId> {
        self.inner.peers_between(ids, most)
    }

    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        self.inner.peer(now, id)
    }

    fn why(&self, now: Instant, id: &NodeId) -> Option<Why> {
        self.inner.why(now, id)
    }
}

impl Spoilt {
    /// When the engine wants its timer, by its own bad clock.
    fn inner_due(&self) -> Option<Deadline> {
        let due = self.inner.poll_timeout()?;
        Some(Deadline::new(
            due.at + (self.oversleeps)(due.kind),
            due.kind,
        ))
    }
}

/// How two peers of such engines fare in one exam, warmed up while nothing was wrong with them yet where they are
/// real.
fn fare(make: Factory, name: &str) -> Result<(), Violation> {
    let mut world = World::with_engines(3, make).latency(HALF_WAY * 2);
    world.lenient = true;
    let introducer = world.public_node("introducer");
    let peers = ["a", "b", "c"].map(|name| world.node(name).introducer(introducer).start());
    let [a, b, third] = peers;
    world.run_for(secs(2));
    let mut n = 0_u64;
    let mut payload = |len: usize| {
        n += 1;
        let mut data = n.to_be_bytes().to_vec();
        data.resize(len.max(8), 7);
        data
    };
    let mut sitting = Sitting {
        world: &mut world,
        pair: (a, b),
        third,
        payload: &mut payload,
    };
    let exam: Exam = EXAMS
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, exam)| *exam)
        .expect("an exam");
    sitting.sit(name, exam)
}

#[test]
fn the_real_engine_passes_every_exam() {
    for (name, _) in EXAMS {
        assert_eq!(fare(engine::real, name), Ok(()));
    }
}

#[test]
fn every_exam_fails_an_engine_that_is_bad_at_what_it_asks() {
    let bad: [(&str, Factory); EXAMS.len()] = [
        ("prompt", dawdling),
        ("tail", oversleeping),
        ("gap", dawdling),
        ("lost answer", dawdling),
        ("blackout", repeating),
        ("detour", oversleeping),
        ("small datagrams", trusting),
        ("two flows", losing),
        ("many messages", concealing),
        ("much", concealing),
        ("lost credit", oversleeping),
        ("moved", ignoring),
        ("moved unawares", oversleeping),
        ("goodbye", concealing),
        ("restart", concealing),
        ("renewal", losing),
    ];
    for (name, make) in bad {
        let fared = fare(make, name);
        println!("{name}: {fared:?}");
        assert!(fared.is_err_and(|found| found.starts_with(name)), "{name}");
    }
}
