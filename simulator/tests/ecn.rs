//! Marks of ECN on the way: a queue that marks stays short and loses nothing, and a box that erases marks does no harm.

use p2p_simulator::scenarios::{meet, trio};
use p2p_simulator::{Link, LinkCounters, World, ms, secs};

/// 20 Mbit/s.
const RATE: u64 = 2_500_000;
/// Round trip of the path, without its queue.
const ROUND_TRIP_MS: u64 = 40;
/// Measured time.
const WINDOW_S: u64 = 8;
/// Two products of bandwidth and delay.
const QUEUE_BYTES: u64 = 200_000;

/// One stream for 8 s over a link of the sender; what the reader has of it, and what happened to the link.
fn stream_over(link: Link) -> (u64, LinkCounters) {
    let world = World::seeded(1).latency(ms(ROUND_TRIP_MS / 2));
    let (mut world, [_, alice, bob]) = trio(world, &[], &[]);
    meet(&mut world, alice, bob);
    world
        .run_until(|w| w.is_direct(alice, bob) && w.is_direct(bob, alice))
        .within(secs(5));
    world.set_link(
        alice,
        Link {
            latency: ms(ROUND_TRIP_MS / 4),
            ..link
        },
    );
    let stream = world.open_stream_to(alice, bob);
    world.write(alice, stream, &vec![7; 40 << 20]);
    world.run_for(secs(WINDOW_S));
    let came = world.received(bob, stream).len() as u64;
    (came, world.link_counters(alice)[0])
}

fn bottleneck() -> Link {
    Link {
        rate_bytes_per_s: Some(RATE),
        queue_bytes: QUEUE_BYTES,
        ..Link::default()
    }
}

#[test]
fn a_queue_that_marks_stays_short_and_loses_nothing() {
    let (plain, dropping) = stream_over(bottleneck());
    let (marked, marking) = stream_over(Link {
        mark_above_bytes: Some(40_000),
        ..bottleneck()
    });
    println!("without marks {plain} bytes, {dropping:?}");
    println!("with marks {marked} bytes, {marking:?}");
    assert!(dropping.overflowed > 0 && dropping.marked == 0);
    assert!(marking.overflowed == 0 && marking.marked > 0);
    assert!(marking.longest_queue_bytes < QUEUE_BYTES / 2, "{marking:?}");
    // One round trip in a hundred has marks: the window is cut, not strangled.
    assert!(marked * 10 > RATE * WINDOW_S * 8, "{marked}");
    assert!(marked * 100 > plain * 95, "{marked} of {plain}");
}

#[test]
fn a_box_that_erases_marks_turns_them_off_and_does_no_harm() {
    let (plain, _) = stream_over(bottleneck());
    let (bleached, counters) = stream_over(Link {
        bleach: true,
        mark_above_bytes: Some(40_000),
        ..bottleneck()
    });
    println!("{bleached} of {plain} bytes, {counters:?}");
    assert!(counters.bleached > 0 && counters.marked == 0);
    assert!(counters.bleached < 30, "no mark after the first round trip");
    assert!(bleached * 100 > plain * 98, "{bleached} of {plain}");
}
