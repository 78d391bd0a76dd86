//! What the congestion controllers make of a line, as a table of text that is kept under version control: one stream
//! alone by rate, round trip, queue and loss, and two streams that share a line.

use core::fmt::Write as _;

use p2p_core::api::{ControllerKind, NodeConfig};
use p2p_core::time::Duration;

use super::meet;
use crate::link::{Link, percent};
use crate::units::{ms, secs};
use crate::world::{Who, World};
use ControllerKind::{Bbr, Cubic};

/// Measured time of one stream, from a cold start.
const ALONE: Duration = Duration::from_secs(10);
/// Two streams side by side: time that does not count, and time that does.
const SETTLE: Duration = Duration::from_secs(15);
const TOGETHER: Duration = Duration::from_secs(30);
/// Rates, Mbit/s.
const RATES: [u64; 2] = [2, 20];
/// Round trips, milliseconds.
const ROUND_TRIPS_MS: [u64; 3] = [20, 40, 200];
/// Queues, hundredths of what the path holds.
const QUEUES: [u64; 3] = [25, 100, 400];
/// Loss each way, percent.
const LOSSES: [u32; 4] = [0, 1, 5, 20];

/// A line.
#[derive(Clone, Copy)]
struct Line {
    mbit: u64,
    round_trip_ms: u64,
    queue: u64,
    loss: u32,
}

impl Line {
    fn link(self) -> Link {
        let rate = self.mbit * 125_000;
        let held = rate * self.round_trip_ms / 1_000;
        Link {
            loss: percent(self.loss),
            rate_bytes_per_s: Some(rate),
            // Two large datagrams at least.
            queue_bytes: (held * self.queue / 100).max(3_000),
            ..Link::with_latency(ms(self.round_trip_ms / 4))
        }
    }

    fn label(self) -> String {
        format!(
            "{:>4} {:>5} {:>6.2}",
            self.mbit,
            self.round_trip_ms,
            self.queue as f64 / 100.0
        )
    }
}

/// The table, in percent of the line.
#[must_use]
pub fn congestion_table() -> String {
    let mut text = String::from(
        "One stream, 10 s from a cold start: stream bytes that came, percent of the line, bbr and cubic, by loss each\n\
         way. Rate in Mbit/s, round trip in ms, queue in what the path holds.\n",
    );
    let _ = write!(text, "{:>4} {:>5} {:>6}", "rate", "trip", "queue");
    for loss in LOSSES {
        let _ = write!(text, "{:>14}", format!("{loss} %"));
    }
    text.push('\n');
    for mbit in RATES {
        for round_trip_ms in ROUND_TRIPS_MS {
            for queue in QUEUES {
                let line = |loss| Line {
                    mbit,
                    round_trip_ms,
                    queue,
                    loss,
                };
                text.push_str(&line(0).label());
                for loss in LOSSES {
                    let [bbr, cubic] = [Bbr, Cubic].map(|kind| alone(line(loss), kind));
                    let _ = write!(text, "{:>14}", format!("{bbr:>3} {cubic:>3}"));
                }
                text.push('\n');
            }
        }
    }
    text.push_str(
        "\nTwo streams of two nodes into one line of 20 Mbit/s, 30 s after 15: percent that the first has of both,\n\
         and that both have of the line.\n",
    );
    let pairs = [[Bbr, Cubic], [Bbr, Bbr], [Cubic, Cubic]];
    let _ = write!(text, "{:>4} {:>5} {:>6}", "rate", "trip", "queue");
    for [first, second] in pairs {
        let _ = write!(text, "{:>15}", format!("{first}, {second}"));
    }
    text.push('\n');
    for round_trip_ms in [40, 100] {
        for queue in [25, 50, 100, 400] {
            let line = Line {
                mbit: 20,
                round_trip_ms,
                queue,
                loss: 0,
            };
            text.push_str(&line.label());
            for pair in pairs {
                let [share, used] = together(line, pair);
                let _ = write!(text, "{:>15}", format!("{share:>3} {used:>3}"));
            }
            text.push('\n');
        }
    }
    text
}

/// Configures a node for a controller.
fn with(kind: ControllerKind) -> fn(&mut NodeConfig) {
    match kind {
        ControllerKind::Bbr => |c| c.congestion = ControllerKind::Bbr,
        ControllerKind::NewReno => |c| c.congestion = ControllerKind::NewReno,
        _ => |c| c.congestion = ControllerKind::Cubic,
    }
}

/// Senders with their controllers, met with a receiver on a line.
fn cast(line: Line, kinds: &[ControllerKind]) -> (World, Vec<Who>, Who) {
    let mut world = World::seeded(1).latency(ms(line.round_trip_ms / 2));
    let introducer = world.public_node("introducer");
    let bob = world.node("bob").introducer(introducer).start();
    let mut senders = Vec::new();
    for (n, kind) in kinds.iter().enumerate() {
        let node = world.node(&format!("sender-{n}")).introducer(introducer);
        senders.push(node.configure(with(*kind)).start());
    }
    let _ = world
        .run_until(|w| w.is_registered(bob) && senders.iter().all(|s| w.is_registered(*s)))
        .or_after(secs(10));
    for sender in &senders {
        meet(&mut world, *sender, bob);
        let _ = world
            .run_until(|w| w.is_direct(*sender, bob) && w.is_direct(bob, *sender))
            .or_after(secs(5));
    }
    world.set_link(bob, line.link());
    (world, senders, bob)
}

/// Bytes that a line carries in a time.
fn most(line: Line, time: Duration) -> u64 {
    line.mbit * 125_000 * time.as_secs()
}

/// What one stream brings across, percent of the line.
fn alone(line: Line, kind: ControllerKind) -> u64 {
    let (mut world, senders, bob) = cast(line, &[kind]);
    let stream = world.open_stream_to(senders[0], bob);
    let most = most(line, ALONE);
    world.write(senders[0], stream, &vec![7; most as usize]);
    world.run_for(ALONE);
    world.received(bob, stream).len() as u64 * 100 / most
}

/// Percent that the first of two streams has of both, and that both have of the line.
fn together(line: Line, kinds: [ControllerKind; 2]) -> [u64; 2] {
    let (mut world, senders, bob) = cast(line, &kinds);
    let bytes = most(line, SETTLE + TOGETHER) as usize;
    let mut streams = Vec::new();
    for sender in senders {
        let stream = world.open_stream_to(sender, bob);
        world.write(sender, stream, &vec![7; bytes]);
        streams.push(stream);
    }
    let count = |w: &World| [0, 1].map(|n: usize| w.received(bob, streams[n]).len() as u64);
    world.run_for(SETTLE);
    let before = count(&world);
    world.run_for(TOGETHER);
    let after = count(&world);
    let came = [after[0] - before[0], after[1] - before[1]];
    let all = (came[0] + came[1]).max(1);
    [came[0] * 100 / all, all * 100 / most(line, TOGETHER)]
}
