//! Peers that are gone and come back by themselves, without a word of the application (docs/protocol.md §6.7).

use p2p_core::api::{DisconnectReason, Event, MessageId, PathKind};
use p2p_simulator::scenarios::{meet, trio};
use p2p_simulator::{Nat, Who, World, ms, percent, secs};

/// Two nodes whose packets go through the relay only.
fn relayed_pair(seed: u64) -> (World, [Who; 3]) {
    let world = World::seeded(seed).latency(ms(20));
    let nat = [Nat::symmetric()];
    let (mut world, [introducer, alice, bob]) = trio(world, &nat, &nat);
    meet(&mut world, alice, bob);
    world.run_for(secs(20));
    let path = world.path(alice, bob).map(|path| path.kind);
    assert!(matches!(path, Some(PathKind::Relay { .. })));
    (world, [introducer, alice, bob])
}

fn reasons(world: &World, who: Who) -> Vec<DisconnectReason> {
    let reason = |e: &Event| match e {
        Event::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    };
    let events = world.app(who).events.iter();
    events.filter_map(|(_, e)| reason(e)).collect()
}

fn delivered(world: &World, from: Who, (to, sent): (Who, MessageId)) -> bool {
    let sent = (world.id(to), sent);
    world.app(from).sent_messages.get(&sent) == Some(&Ok(()))
}

fn messages_at(world: &World, who: Who) -> usize {
    let is_message = |(_, e): &&(_, Event)| matches!(e, Event::MessageReady { .. });
    world.app(who).events.iter().filter(is_message).count()
}

fn connected(world: &World, a: Who, b: Who) -> bool {
    world.is_connected(a, b) && world.is_connected(b, a)
}

/// Protocol §6.7: whoever speaks to a peer that lost its state hears so within about a second, over a relay too, and
/// the pair is up again.
#[test]
fn a_relayed_peer_that_restarts_is_noticed_and_called_within_a_second() {
    for seed in 1..=20 {
        let (mut world, [_, alice, bob]) = relayed_pair(seed);
        world.crash(bob);
        world.run_for(ms(500));
        world.restart(bob);
        world.run_until(|w| w.is_registered(bob)).within(secs(5));
        let lost = world.send_message(alice, bob, 1, "are you there");
        lost.expect("alice still thinks so");
        world
            .run_until(|w| !w.app(alice).disconnects.is_empty() && connected(w, alice, bob))
            .within(ms(2_000));
        assert_eq!(reasons(&world, alice), [DisconnectReason::PeerRestarted]);
        let again = world.send_message(alice, bob, 1, "and now").expect("up");
        world
            .run_until(|w| messages_at(w, bob) == 1)
            .within(ms(1_500));
        world
            .run_until(|w| delivered(w, alice, (bob, again)))
            .within(secs(3));
    }
}

/// Protocol §6.7: an outage of any length ends with the pair connected, soon after the network is back.
#[test]
fn whoever_was_cut_off_for_long_comes_back_by_itself() {
    for (seed, outage_s) in [(1, 90), (2, 600), (3, 7_200)] {
        let nat = [Nat::port_restricted()];
        let world = World::seeded(seed).latency(ms(20));
        let (mut world, [_, alice, bob]) = trio(world, &nat, &nat);
        meet(&mut world, alice, bob);
        world.run_for(secs(5));
        world.change_link(alice, |link| link.loss = percent(100));
        world.run_for(secs(outage_s));
        assert!(!world.is_connected(alice, bob));
        world.change_link(alice, |link| link.loss = percent(0));
        world
            .run_until(|w| connected(w, alice, bob))
            .within(secs(40));
        world.run_for(secs(5));
        assert!(connected(&world, alice, bob), "and stays");
    }
}

/// Whom the application left is not called again.
#[test]
fn who_was_left_stays_away() {
    let (mut world, [_, alice, bob]) = relayed_pair(7);
    let left = p2p_core::api::Command::Disconnect(world.id(bob));
    world.command(alice, left).expect("connected");
    world.run_for(secs(120));
    assert!(!world.is_connected(alice, bob) && !world.is_connected(bob, alice));
}

/// Protocol §6.7: where two introducers are shared a second relay stands ready.
#[test]
fn a_relay_that_dies_is_replaced_within_a_second() {
    for seed in 1..=8 {
        let (mut world, [first, alice, bob]) = relayed_pair(seed);
        let second = world.public_node("second");
        world.register_with(alice, second);
        world.register_with(bob, second);
        world.run_for(secs(5));
        let ready = world.peer_status(alice, bob).map(|p| p.alternatives.len());
        assert_eq!(ready, Some(1), "the second relay");
        world.crash(first);
        let sent = world.send_message(alice, bob, 1, "around it");
        let sent = sent.expect("connected");
        world
            .run_until(|w| messages_at(w, bob) == 1)
            .within(ms(1_500));
        world
            .run_until(|w| delivered(w, alice, (bob, sent)))
            .within(secs(2));
        assert_eq!(world.app(alice).disconnects, []);
        assert_eq!(world.app(bob).disconnects, []);
    }
}
