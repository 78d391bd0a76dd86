//! How much of each reliability level gets across at several rates of loss, as a table of text
//! that is kept under version control: a change of the engine that costs or wins throughput shows
//! as a changed line.

use core::fmt::Write as _;

use p2p_core::time::Duration;

use super::{meet, trio};
use crate::link::{Link, percent};
use crate::units::{ms, secs};
use crate::world::{Who, World};

/// Measured time.
const WINDOW: Duration = Duration::from_secs(10);
/// Rate of the link, bytes a second: 10 Mbit/s.
const RATE: u64 = 1_250_000;
/// Loss each way, percent.
const LOSSES: [u32; 4] = [0, 1, 5, 20];

/// Round trips of the long paths, milliseconds.
const ROUND_TRIPS_MS: [u64; 3] = [50, 100, 200];
/// Measured time of the long paths.
const COLD_START: Duration = Duration::from_secs(8);

/// Keeps one level busy for the window; gives the bytes that came across.
type Level = fn(&mut World, Who, Who) -> u64;

/// The table: one line for each level, KiB a second to two significant digits.
#[must_use]
pub fn goodput_table() -> String {
    let mut text = String::from(
        "Goodput in KiB/s, one way, over 10 s: 10 Mbit/s, round trip 40 ms, queue 64 KiB,\n\
         loss each way.\n",
    );
    let _ = write!(text, "{:<10}", "level");
    for loss in LOSSES {
        let _ = write!(text, "{:>8}", format!("{loss} %"));
    }
    text.push('\n');
    let levels: [(&str, Level); 4] = [
        ("datagram", datagrams),
        ("request", requests),
        ("message", messages),
        ("stream", stream),
    ];
    for (name, level) in levels {
        let _ = write!(text, "{name:<10}");
        for loss in LOSSES {
            let bytes = measure(loss, level);
            let per_second = bytes as f64 / 1_024.0 / WINDOW.as_secs_f64();
            let _ = write!(text, "{:>8}", two_digits(per_second as u64));
        }
        text.push('\n');
    }
    text.push_str(
        "\nGoodput in Mbit/s, one way, in 8 s from a cold start: 100 Mbit/s, queue 1 MiB, no loss,\n\
         by round trip.\n",
    );
    let _ = write!(text, "{:<12}", "");
    for round_trip in ROUND_TRIPS_MS {
        let _ = write!(text, "{:>8}", format!("{round_trip} ms"));
    }
    text.push('\n');
    for (name, streams) in [("one stream", 1), ("four streams", 4)] {
        let _ = write!(text, "{name:<12}");
        for round_trip in ROUND_TRIPS_MS {
            let rate = long_path(round_trip, streams);
            let _ = write!(text, "{:>8}", two_digits(rate.round() as u64));
        }
        text.push('\n');
    }
    text
}

/// What so many streams side by side carry in 8 s from a cold start over 100 Mbit/s without loss and with a round
/// trip of so many milliseconds: Mbit/s of stream bytes that the reader has.
#[must_use]
pub fn long_path(round_trip_ms: u64, streams: usize) -> f64 {
    let world = World::seeded(1).latency(ms(round_trip_ms / 2));
    let (mut world, [_, alice, bob]) = trio(world, &[], &[]);
    meet(&mut world, alice, bob);
    let _ = world
        .run_until(|w| w.is_direct(alice, bob) && w.is_direct(bob, alice))
        .or_after(secs(5));
    let link = Link {
        rate_bytes_per_s: Some(12_500_000),
        queue_bytes: 1 << 20,
        ..Link::with_latency(ms(round_trip_ms / 4))
    };
    world.set_link(alice, link);
    let open = |world: &mut World| world.open_stream_to(alice, bob);
    let streams: Vec<_> = (0..streams).map(|_| open(&mut world)).collect();
    let each = (100 << 20) / streams.len();
    for stream in &streams {
        world.write(alice, *stream, &vec![7; each]);
    }
    world.run_for(COLD_START);
    let came = streams.iter().map(|s| world.received(bob, *s).len());
    came.sum::<usize>() as f64 * 8.0 / 1e6 / COLD_START.as_secs_f64()
}

/// Rounds to two significant decimal digits.
fn two_digits(value: u64) -> u64 {
    let mut unit = 1;
    while value / unit >= 100 {
        unit *= 10;
    }
    (value + unit / 2) / unit * unit
}

fn measure(loss: u32, level: Level) -> u64 {
    let (mut world, [_, alice, bob]) = trio(World::seeded(1).latency(ms(20)), &[], &[]);
    meet(&mut world, alice, bob);
    let _ = world
        .run_until(|w| w.is_direct(alice, bob) && w.is_direct(bob, alice))
        .or_after(secs(5));
    let link = Link {
        loss: percent(loss),
        rate_bytes_per_s: Some(RATE),
        queue_bytes: 64 << 10,
        ..Link::with_latency(ms(10))
    };
    world.set_link(alice, link);
    level(&mut world, alice, bob)
}

/// 1,000-byte datagrams at 1,000 a second: what the link could just carry.
fn datagrams(world: &mut World, alice: Who, bob: Who) -> u64 {
    for n in 0..10_000u64 {
        let mut data = vec![0; 1_000];
        data[..8].copy_from_slice(&n.to_be_bytes());
        let _ = world.send_datagram(alice, bob, data);
        world.run_for(ms(1));
    }
    let datagrams = &world.app(bob).datagrams;
    datagrams.iter().map(|d| d.2.len() as u64).sum()
}

/// Sixteen requests of 1,000 bytes under way at any time.
fn requests(world: &mut World, alice: Who, bob: Who) -> u64 {
    let mut open = Vec::new();
    let mut answered = 0;
    let end = world.now() + WINDOW;
    while world.now() < end {
        while open.len() < 16 {
            match world.send_request(alice, bob, vec![7; 1_000], secs(50)) {
                Ok(request) => open.push(request),
                Err(_) => break,
            }
        }
        world.run_for(ms(5));
        let before = open.len();
        open.retain(|r| !world.app(alice).requests.contains_key(r));
        answered += before - open.len();
    }
    answered as u64 * 1_000
}

/// Eight messages of 16 KiB under way at any time.
fn messages(world: &mut World, alice: Who, bob: Who) -> u64 {
    let mut open = Vec::new();
    let mut number = 0u64;
    let end = world.now() + WINDOW;
    while world.now() < end {
        while open.len() < 8 {
            number += 1;
            let mut data = vec![0; 16 << 10];
            data[..8].copy_from_slice(&number.to_be_bytes());
            match world.send_message(alice, bob, 1, data) {
                Ok(message) => open.push((world.id(bob), message)),
                Err(_) => break,
            }
        }
        world.run_for(ms(5));
        open.retain(|m| !world.app(alice).sent_messages.contains_key(m));
    }
    let messages = &world.app(bob).messages;
    messages.iter().map(|m| m.data.len() as u64).sum()
}

/// One stream with always more to send.
fn stream(world: &mut World, alice: Who, bob: Who) -> u64 {
    let stream = world.open_stream_to(alice, bob);
    world.write(alice, stream, &vec![7; 16 << 20]);
    world.run_for(WINDOW);
    world.received(bob, stream).len() as u64
}
