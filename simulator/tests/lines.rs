//! Bad lines: what loses is kept, what is silent is left (docs/protocol.md §9.4, §9.5).

use p2p_core::api::{Event, PathChangeReason};
use p2p_simulator::scenarios::{meet, trio};
use p2p_simulator::{Link, Nat, Who, World, ms, percent, secs};

/// Two nodes behind boxes that let in only whom they were sent to, on a direct path.
fn direct_pair(seed: u64, one_way_ms: u64) -> (World, [Who; 3]) {
    let world = World::seeded(seed).latency(ms(one_way_ms));
    let nat = [Nat::port_restricted()];
    let (mut world, cast) = trio(world, &nat, &nat);
    meet(&mut world, cast[1], cast[2]);
    world
        .run_until(|w| w.is_direct(cast[1], cast[2]) && w.is_direct(cast[2], cast[1]))
        .within(secs(10));
    world.run_for(secs(5));
    (world, cast)
}

fn changes(world: &World, who: Who) -> Vec<PathChangeReason> {
    let reason = |e: &Event| match e {
        Event::PathChanged { reason, .. } => Some(*reason),
        _ => None,
    };
    let events = world.app(who).events.iter();
    events.filter_map(|(_, e)| reason(e)).collect()
}

/// Protocol §9.4: a path that loses much is not left, with many small messages and in a large stream, whatever the
/// round-trip time.
#[test]
fn a_path_that_only_loses_packets_is_kept() {
    for (seed, one_way_ms) in [(1, 1), (2, 25), (3, 75)] {
        for loss in [5, 9, 13, 20] {
            let (mut world, [_, alice, bob]) = direct_pair(seed, one_way_ms);
            let before = [changes(&world, alice).len(), changes(&world, bob).len()];
            let bad = Link {
                loss: percent(loss),
                ..Link::with_latency(ms(one_way_ms) / 2)
            };
            world.set_link(alice, bad);
            let stream = world.open_stream_to(alice, bob);
            let bulk: Vec<u8> = (0..1_500_000u32).map(|n| (n % 251) as u8).collect();
            world.write(alice, stream, &bulk);
            world.finish(alice, stream);
            for n in 0..300 {
                let sent = world.send_message(bob, alice, 1, format!("small {n}"));
                sent.expect("connected");
                world.run_for(ms(200));
            }
            let after = [changes(&world, alice), changes(&world, bob)];
            let new = [&after[0][before[0]..], &after[1][before[1]..]];
            assert_eq!(new, [&[], &[]], "{loss} % at {one_way_ms} ms one way");
            assert!(world.app(alice).disconnects.is_empty());
        }
    }
}

/// Protocol §9.4: a path over which nothing passes any more is left within about a second, because it failed,
/// and taken again when it works.
#[test]
fn a_path_that_falls_silent_is_left_soon() {
    for (one_way_ms, within_ms) in [(1, 400), (25, 700), (75, 1_200)] {
        let (mut world, [_, alice, bob]) = direct_pair(4, one_way_ms);
        let stream = world.open_stream_to(alice, bob);
        world.write(alice, stream, b"one ");
        world.run_for(secs(1));
        let before = changes(&world, alice).len();
        world.partition(alice, bob);
        world.write(alice, stream, b"two");
        world
            .run_until(|w| w.received(bob, stream) == b"one two")
            .within(ms(within_ms));
        assert_eq!(changes(&world, alice)[before..], [PathChangeReason::Failed]);
        world.rejoin(alice, bob);
        world
            .run_until(|w| w.is_direct(alice, bob) && w.is_direct(bob, alice))
            .within(secs(40));
    }
}
