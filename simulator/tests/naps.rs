//! A machine that sleeps and wakes (docs/protocol.md §9.5): the first message after any nap arrives within two seconds,
//! or is refused at once.

use core::time::Duration;

use p2p_core::api::Event;
use p2p_simulator::scenarios::{meet, trio};
use p2p_simulator::{Nat, Who, World, ms, secs};

fn messages_at(world: &World, who: Who) -> usize {
    let is_message = |(_, e): &&(_, Event)| matches!(e, Event::MessageReady { .. });
    world.app(who).events.iter().filter(is_message).count()
}

/// How long after a nap a message of the sleeper arrives, where it is sent as soon as the engine takes it. None where
/// the first that was taken did not arrive.
fn first_message(seed: u64, nat: Nat, nap: Duration, sleeper_called: bool) -> Option<Duration> {
    let world = World::seeded(seed).latency(ms(20));
    let (mut world, [_, alice, bob]) = trio(world, &[nat], &[nat]);
    match sleeper_called {
        true => meet(&mut world, alice, bob),
        false => meet(&mut world, bob, alice),
    }
    let greeting = world.send_message(alice, bob, 1, "good night");
    greeting.expect("connected");
    world.run_for(secs(20));
    assert_eq!(messages_at(&world, bob), 1);
    world.pause(alice, nap);
    world.run_for(nap);
    let woken_at = world.now();
    let end = woken_at + secs(90);
    while world.now() < end {
        world.run_for(ms(20));
        if world.send_message(alice, bob, 1, "good morning").is_ok() {
            let arrived = world.run_until(|w| messages_at(w, bob) == 2);
            arrived.or_after(secs(90))?;
            return Some(world.now().saturating_since(woken_at));
        }
    }
    None
}

/// Protocol §9.5, §6.7: also where the other one had called, and however long it was.
#[test]
fn the_first_message_after_a_nap_arrives_at_once() {
    for nat in [Nat::port_restricted(), Nat::symmetric()] {
        for nap_s in [20, 55, 70, 130, 600, 7_200] {
            for sleeper_called in [true, false] {
                for seed in [1, 2] {
                    let took = first_message(seed, nat, secs(nap_s), sleeper_called);
                    let is_soon = took.is_some_and(|took| took <= secs(1));
                    assert!(
                        is_soon,
                        "{nap_s} s, sleeper called: {sleeper_called}: {took:?}"
                    );
                }
            }
        }
    }
}
