//! Two engines and an introducer in one process, one thread, virtual time, no socket: what the engine itself costs.
//! Batches go from one engine's output straight into the other's input. With `--packets` the amount of work is fixed,
//! so that `valgrind --tool=callgrind` and `perf stat` count instructions per packet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant as MachineInstant;

use p2p_core::Node;
use p2p_core::api::{
    Command, ConnectTarget, Engine as _, Event, IntroducerAddress, IntroducerState, PathKind, Roles,
};
use p2p_core::time::{Duration, Instant};

use crate::meter::Meter;
use crate::process::Failure;
use crate::sample::Figures;
use crate::systems::ours::configuration;
use crate::systems::ours::play::{Driver, Receiver};
use crate::usage;
use crate::workload::Workload;

/// Virtual time that one turn takes: about what a batch takes on the wire of a fast machine.
const TURN: Duration = Duration::from_micros(20);
/// Batches that one node sends in one turn, as the production driver does.
const BATCHES_PER_TURN: usize = 16;
/// Virtual time until the direct path must stand.
const CONNECTING: Duration = Duration::from_secs(10);
/// Turns between looks at the machine's clock.
const TURNS_PER_LOOK: u32 = 64;

const INTRODUCER: usize = 0;
const DRIVING: usize = 1;
const RECEIVING: usize = 2;

/// Runs the measurement for so many seconds, or until the driving engine has sent so many packets.
///
/// # Errors
/// Where the engines do not find each other.
pub(crate) fn run(workload: Workload, seconds: f64, packets: Option<u64>) -> Result<(), Failure> {
    let mut bench = Bench::new()?;
    bench.connect()?;
    let mut driver = Driver::new(workload, bench.node(RECEIVING)?.id(), bench.now);
    let sent_before = bench.packets()?;
    let (start, cpu_s) = (MachineInstant::now(), usage::cpu_seconds());
    let mut turns = 0_u32;
    loop {
        driver.advance(bench.now, bench.node(DRIVING)?);
        bench.turn(Some(&mut driver))?;
        turns = turns.wrapping_add(1);
        if turns.is_multiple_of(TURNS_PER_LOOK) {
            let is_over = match packets {
                Some(packets) => bench.packets()? - sent_before >= packets,
                None => start.elapsed().as_secs_f64() >= seconds,
            };
            if is_over {
                break;
            }
        }
    }
    let elapsed_s = start.elapsed().as_secs_f64();
    let cpu_s = usage::cpu_seconds() - cpu_s;
    let sent = (bench.packets()? - sent_before) as f64;
    let (bytes, count) = bench.meter.totals();
    let figures = Figures::default()
        .with("bytes", bytes as f64)
        .with("count", count as f64)
        .with("answered", driver.answered as f64)
        .with("seconds", elapsed_s)
        .with("cpu_s", cpu_s)
        .with("packets", sent)
        .with("cpu_ns_per_packet", cpu_s * 1e9 / sent)
        .with("gbit_per_s", bytes as f64 * 8.0 / elapsed_s / 1e9);
    println!("{}", figures.to_line());
    Ok(())
}

struct Bench {
    now: Instant,
    nodes: Vec<(SocketAddr, Node)>,
    buffer: Vec<u8>,
    meter: Arc<Meter>,
    receiver: Receiver,
    registered: usize,
    is_direct: bool,
}

impl Bench {
    fn new() -> Result<Self, Failure> {
        let now = Instant::from_millis(1_000);
        let mut nodes: Vec<(SocketAddr, Node)> = Vec::new();
        for number in [INTRODUCER, DRIVING, RECEIVING] {
            let address = SocketAddr::from(([127, 0, 0, 1], 7_000 + u16::try_from(number)?));
            let mut config = configuration()?;
            config.local_addresses = vec![address].into();
            match nodes.first() {
                None => config.roles = Roles::ALL,
                Some((at, introducer)) => {
                    let (host, port) = (at.ip().to_string(), at.port());
                    let id = introducer.id();
                    config.introducers = vec![IntroducerAddress { id, host, port }];
                }
            }
            let node = Node::new(config, now).map_err(|error| Failure(error.to_string()))?;
            nodes.push((address, node));
        }
        let meter = Arc::new(Meter::default());
        Ok(Self {
            now,
            nodes,
            buffer: vec![0; p2p_core::limits::BATCH_BYTES],
            receiver: Receiver::new(Arc::clone(&meter)),
            meter,
            registered: 0,
            is_direct: false,
        })
    }

    fn node(&mut self, number: usize) -> Result<&mut Node, Failure> {
        let entry = self.nodes.get_mut(number);
        Ok(&mut entry.ok_or_else(|| Failure("no such node".to_owned()))?.1)
    }

    /// Datagrams that left the two ends so far.
    fn packets(&mut self) -> Result<u64, Failure> {
        let now = self.now;
        let mut sum = 0;
        for number in [DRIVING, RECEIVING] {
            sum += self.node(number)?.status(now).counters.datagrams_sent;
        }
        Ok(sum)
    }

    fn connect(&mut self) -> Result<(), Failure> {
        let end = self.now + CONNECTING;
        let target = ConnectTarget::Id(self.node(RECEIVING)?.id());
        let mut command = Some(Command::Connect {
            target,
            introducer: None,
            timeout: CONNECTING,
        });
        while !self.is_direct {
            self.turn(None)?;
            if self.registered == 2
                && let Some(command) = command.take()
            {
                let now = self.now;
                let accepted = self.node(DRIVING)?.handle_command(now, command);
                accepted.map_err(|error| Failure(error.to_string()))?;
            }
            if self.now >= end {
                return Err(Failure("the engines did not find each other".to_owned()));
            }
        }
        Ok(())
    }

    /// Every node sends, hears and tells once; then time passes.
    fn turn(&mut self, mut driver: Option<&mut Driver>) -> Result<(), Failure> {
        let mut busy = false;
        for number in 0..self.nodes.len() {
            busy |= self.pass_on(number)?;
            let node = self.node(number)?;
            while let Some(effect) = node.poll_effect() {
                drop(effect);
            }
            while let Some(event) = self.node(number)?.poll_event() {
                busy = true;
                self.hear(number, event, driver.as_deref_mut())?;
            }
        }
        self.now += TURN;
        let next = self
            .nodes
            .iter()
            .filter_map(|(_, node)| node.poll_timeout());
        let next = next.map(|deadline| deadline.at).min();
        if !busy && let Some(next) = next {
            self.now = self.now.max(next);
        }
        for (_, node) in &mut self.nodes {
            if node.poll_timeout().is_some_and(|d| d.at <= self.now) {
                node.handle_timeout(self.now);
            }
        }
        Ok(())
    }

    /// Hands what one node sends to those that it is for.
    fn pass_on(&mut self, number: usize) -> Result<bool, Failure> {
        let now = self.now;
        for batch in 0..BATCHES_PER_TURN {
            let Some((from, node)) = self.nodes.get_mut(number) else {
                return Ok(false);
            };
            let from = *from;
            let Some(transmit) = node.poll_transmit(now, &mut self.buffer) else {
                return Ok(batch > 0);
            };
            let target = self.nodes.iter_mut().find(|(at, _)| *at == transmit.to);
            if let (Some((_, target)), Some(bytes)) = (target, self.buffer.get_mut(..transmit.len))
            {
                target.handle_batch(now, from, bytes, transmit.segment_size);
            }
        }
        Ok(true)
    }

    fn hear(
        &mut self,
        number: usize,
        event: Event,
        driver: Option<&mut Driver>,
    ) -> Result<(), Failure> {
        let now = self.now;
        match &event {
            Event::Introducer {
                state: IntroducerState::Registered,
                ..
            } => self.registered += 1,
            Event::Connected { path, .. } | Event::PathChanged { path, .. }
                if number == DRIVING =>
            {
                self.is_direct |= path.kind == PathKind::Direct;
            }
            _ => {}
        }
        match (number, driver) {
            (DRIVING, Some(driver)) => driver.handle_event(now, &event),
            (RECEIVING, _) => {
                if let Some((_, node)) = self.nodes.get_mut(RECEIVING) {
                    self.receiver.handle_event(now, node, event);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
