//! Scenarios that read like stories: a world, its cast, what they do, and one assertion for each
//! sentence.

use p2p_core::api::{
    ConnectFailure, ConnectTarget, DisconnectReason, Event, IntroducerState, PathChangeReason,
    PathKind, RequestOutcome, SearchOutcome,
};
use p2p_simulator::scenarios::{meet, trio};
use p2p_simulator::{ConnectOutcome, Nat, Who, World, ms, secs};

fn world() -> World {
    World::seeded(7).latency(ms(40))
}

fn both_direct(w: &World, a: Who, b: Who) -> bool {
    w.is_direct(a, b) && w.is_direct(b, a)
}

/// An introducer and two nodes, connected directly.
fn direct_pair(a: &[Nat], b: &[Nat]) -> (World, [Who; 3]) {
    let (mut world, cast) = trio(world(), a, b);
    meet(&mut world, cast[1], cast[2]);
    world
        .run_until(|w| both_direct(w, cast[1], cast[2]))
        .within(secs(10));
    (world, cast)
}

/// Asks and waits for the answer.
#[track_caller]
fn ask(world: &mut World, from: Who, to: Who) {
    let request = world.send_request(from, to, "well?", secs(10));
    let request = request.expect("connected");
    world
        .run_until(|w| w.app(from).requests.contains_key(&request))
        .within(secs(11));
    let outcome = &world.app(from).requests[&request];
    assert!(
        matches!(outcome, RequestOutcome::Answered(_)),
        "{outcome:?}"
    );
}

/// Alice and Bob sit behind address-restricted boxes and know only the introducer.
/// They meet, punch through, and keep talking when the introducer dies.
#[test]
fn two_peers_behind_nats_meet_and_outlive_their_introducer() {
    let mut world = world();
    let introducer = world.public_node("introducer");
    let alice = world
        .node("alice")
        .behind(Nat::address_restricted())
        .start();
    let bob = world.node("bob").behind(Nat::address_restricted()).start();
    world.register_with(alice, introducer);
    world.register_with(bob, introducer);
    world
        .run_until(|w| w.is_registered(alice) && w.is_registered(bob))
        .within(secs(3));

    meet(&mut world, alice, bob);
    let chat = world.open_stream_to(alice, bob);
    world
        .run_until(|w| both_direct(w, alice, bob))
        .within(secs(3));

    world.crash(introducer);
    let before = world.traffic(introducer).datagrams_sent;
    world.write(alice, chat, b"still here?");
    world.run_for(secs(1));
    assert_eq!(world.read(bob, chat), b"still here?");
    world.write(bob, chat, b"always");
    world.run_for(secs(120));
    assert_eq!(world.read(alice, chat), b"always");
    assert!(both_direct(&world, alice, bob));
    assert_eq!(world.traffic(introducer).datagrams_sent, before);
}

#[test]
fn a_node_registers_and_is_found_by_the_start_of_its_name() {
    let (mut world, [_, alice, bob]) = trio(world(), &[Nat::symmetric()], &[]);
    let search = p2p_core::api::Command::Search {
        query: "ali".to_owned(),
        introducer: None,
        cursor: None,
    };
    let accepted = world.command(bob, search).expect("has an introducer");
    let p2p_core::api::Accepted::Operation(operation) = accepted else {
        panic!("{accepted:?}");
    };
    world.run_for(secs(2));
    let outcome = &world.app(bob).searches[&operation];
    let SearchOutcome::Found { entries, .. } = outcome else {
        panic!("{outcome:?}");
    };
    let found: Vec<_> = entries.iter().map(|e| (e.name.as_str(), e.id)).collect();
    assert_eq!(found, [("alice", world.id(alice))]);

    let named = ConnectTarget::Name("alice".to_owned());
    world
        .connect_to(bob, named)
        .expect("a command like another");
    world
        .run_until(|w| w.is_connected(bob, alice))
        .within(secs(5));
    ask(&mut world, bob, alice);
}

#[test]
fn the_relay_carries_data_before_a_direct_path_is_found() {
    let nat = [Nat::port_restricted()];
    let (mut world, [introducer, alice, bob]) = trio(world(), &nat, &nat);
    // Nothing passes directly until later.
    world.partition(alice, bob);
    meet(&mut world, alice, bob);
    let via = world.id(introducer);
    let path = world.path(alice, bob).expect("connected");
    assert_eq!(path.kind, PathKind::Relay { via });
    let stream = world.open_stream_to(alice, bob);
    world.write(alice, stream, b"by relay");
    world
        .run_until(|w| w.received(bob, stream) == b"by relay")
        .within(secs(1));
    ask(&mut world, bob, alice);

    world.rejoin(alice, bob);
    world
        .run_until(|w| both_direct(w, alice, bob))
        .within(secs(70));
    let upgraded = |e: &Event| {
        matches!(
            e,
            Event::PathChanged {
                reason: PathChangeReason::Upgraded,
                ..
            }
        )
    };
    assert!(world.app(alice).events.iter().any(|(_, e)| upgraded(e)));
    world.write(alice, stream, b", then directly");
    world.run_for(secs(1));
    assert_eq!(world.received(bob, stream), b"by relay, then directly");
}

#[test]
fn a_pair_that_loses_its_direct_path_goes_on_by_relay() {
    let (mut world, [_, alice, bob]) =
        direct_pair(&[Nat::port_restricted()], &[Nat::port_restricted()]);
    let stream = world.open_stream_to(alice, bob);
    world.write(alice, stream, b"one ");
    world.run_for(secs(1));
    world.partition(alice, bob);
    world.write(alice, stream, b"two");
    world
        .run_until(|w| w.received(bob, stream) == b"one two")
        .within(secs(40));
    assert!(world.is_connected(alice, bob) && world.is_connected(bob, alice));
}

#[test]
fn a_reboot_of_a_translator_loses_no_byte_of_a_stream() {
    for renumbered in [false, true] {
        let (mut world, [_, alice, bob]) =
            direct_pair(&[Nat::port_restricted()], &[Nat::address_restricted()]);
        let stream = world.open_stream_to(alice, bob);
        let content: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        world.change_link(alice, |l| l.rate_bytes_per_s = Some(200_000));
        world.write(alice, stream, &content);
        world.finish(alice, stream);
        world.run_for(secs(3));
        assert!(!world.has_ended(bob, stream), "in the middle of it");
        match renumbered {
            false => world.reboot_nat(alice),
            true => world.renumber_nat(alice),
        }
        world
            .run_until(|w| w.has_ended(bob, stream))
            .within(secs(60));
        assert!(world.received(bob, stream) == content);
        assert_eq!(world.app(bob).disconnects, []);
    }
}

#[test]
fn a_node_that_changes_its_address_keeps_its_streams() {
    for noticed in [true, false] {
        let (mut world, [_, alice, bob]) = direct_pair(&[], &[Nat::port_restricted()]);
        let stream = world.open_stream_to(alice, bob);
        world.write(alice, stream, b"from home, ");
        world.run_for(secs(1));
        world.change_address(alice, noticed);
        world.write(alice, stream, b"from the train");
        world
            .run_until(|w| w.received(bob, stream) == b"from home, from the train")
            .within(secs(30));
        world.write(bob, stream, b"and back");
        world
            .run_until(|w| w.received(alice, stream) == b"and back")
            .within(secs(30));
        assert_eq!(world.app(alice).disconnects, []);
    }
}

#[test]
fn an_introducer_that_restarts_empty_is_registered_with_again() {
    let (mut world, [introducer, alice, bob]) = trio(world(), &[Nat::symmetric()], &[]);
    let entries = |w: &World| w.status(introducer).map_or(0, |s| s.directory_entries);
    assert_eq!(entries(&world), 2);
    world.crash(introducer);
    world.run_for(secs(5));
    world.restart(introducer);
    assert_eq!(entries(&world), 0);
    world.run_until(|w| entries(w) == 2).within(secs(90));
    meet(&mut world, bob, alice);
}

#[test]
fn an_introducer_that_stays_away_is_reported_and_found_when_it_returns() {
    let (mut world, [introducer, alice, _]) = trio(world(), &[], &[]);
    let id = world.id(introducer);
    world.crash(introducer);
    world
        .run_until(|w| w.app(alice).introducers[&id] == IntroducerState::Unreachable)
        .within(secs(120));
    world.run_for(secs(300));
    world.restart(introducer);
    world
        .run_until(|w| w.app(alice).introducers[&id] == IntroducerState::Registered)
        .within(secs(120));
}

#[test]
fn both_sides_dialling_at_once_make_one_connection() {
    for skew in [0, 1, 20, 41, 80, 200] {
        let nat = [Nat::port_restricted()];
        let (mut world, [_, alice, bob]) = trio(world(), &nat, &nat);
        let one = world.connect(alice, bob);
        world.run_for(ms(skew));
        let two = world.connect(bob, alice);
        world
            .run_until(|w| w.is_connected(alice, bob) && w.is_connected(bob, alice))
            .within(secs(5));
        world.run_for(secs(10));
        for (who, operation) in [(alice, one), (bob, two)] {
            let outcome = &world.app(who).connects[&operation];
            let connected = matches!(outcome, Some(ConnectOutcome::Connected(_)));
            assert!(connected, "skew {skew}: {outcome:?}");
            assert_eq!(world.app(who).disconnects, [], "skew {skew}");
        }
        ask(&mut world, alice, bob);
        ask(&mut world, bob, alice);
    }
}

#[test]
fn a_partition_of_everything_is_noticed_and_heals() {
    let (mut world, [introducer, alice, bob]) = direct_pair(&[], &[]);
    for (a, b) in [(alice, bob), (introducer, bob)] {
        world.partition(a, b);
    }
    let message = world.send_message(alice, bob, 1, "into the void");
    let message = message.expect("not noticed yet");
    world
        .run_until(|w| !w.is_connected(alice, bob))
        .within(secs(90));
    world
        .run_until(|w| !w.is_connected(bob, alice))
        .within(secs(90));
    let outcome = world
        .app(alice)
        .sent_messages
        .get(&(world.id(bob), message));
    assert!(outcome.is_some_and(Result::is_err), "{outcome:?}");
    let reason = world.app(alice).disconnects[0].1;
    assert_eq!(reason, DisconnectReason::TimedOut);
    world.heal();
    world.run_until(|w| w.is_registered(bob)).within(secs(90));
    meet(&mut world, alice, bob);
    ask(&mut world, alice, bob);
}

#[test]
fn a_short_partition_is_only_a_delay() {
    let (mut world, [introducer, alice, bob]) = direct_pair(&[], &[]);
    let stream = world.open_stream_to(alice, bob);
    world.partition(alice, bob);
    world.partition(introducer, bob);
    world.write(alice, stream, b"patience");
    world.run_for(secs(20));
    assert_eq!(world.received(bob, stream), b"");
    world.heal();
    world
        .run_until(|w| w.received(bob, stream) == b"patience")
        .within(secs(20));
}

#[test]
fn a_peer_that_nobody_knows_is_reported_as_unknown() {
    let (mut world, [_, alice, _]) = trio(world(), &[], &[]);
    let hermit = world.node("hermit").start();
    let operation = world.connect(alice, hermit);
    world
        .run_until(|w| w.app(alice).connects[&operation].is_some())
        .within(secs(21));
    let outcome = world.app(alice).connects[&operation].clone();
    let unknown = ConnectOutcome::Failed(ConnectFailure::UnknownPeer);
    assert_eq!(outcome, Some(unknown));
    assert_eq!(world.traffic(hermit).datagrams_received, 0);
}

#[test]
fn a_peer_that_restarts_is_noticed_and_talked_to_again() {
    let (mut world, [_, alice, bob]) = direct_pair(&[], &[Nat::port_restricted()]);
    let request = world.send_request(alice, bob, "before", secs(20));
    let request = request.expect("connected");
    world.crash(bob);
    world.run_for(ms(500));
    world.restart(bob);
    world
        .run_until(|w| w.app(alice).requests.contains_key(&request))
        .within(secs(90));
    world.run_until(|w| w.is_registered(bob)).within(secs(90));
    world.run_for(secs(70));
    meet(&mut world, alice, bob);
    ask(&mut world, alice, bob);
    ask(&mut world, bob, alice);
}

#[test]
fn an_idle_pair_stays_connected_for_hours_through_short_lived_mappings() {
    use p2p_simulator::nat::Refresh;
    let nat = [Nat::port_restricted().timeout(secs(30), Refresh::Outbound)];
    let (mut world, [_, alice, bob]) = direct_pair(&nat, &nat);
    let before = world.traffic(alice).datagrams_sent;
    world.run_for(secs(3 * 3_600));
    assert!(both_direct(&world, alice, bob));
    assert_eq!(world.app(alice).disconnects, []);
    ask(&mut world, alice, bob);
    // Two keep-alives each 15 s, to the peer and to the introducer, and a little more.
    let per_hour = (world.traffic(alice).datagrams_sent - before) / 3;
    assert!(per_hour < 1_500, "{per_hour} datagrams an hour");
}

#[test]
fn a_suspended_machine_goes_on_where_it_was() {
    let (mut world, [_, alice, bob]) = direct_pair(&[Nat::port_restricted()], &[]);
    let stream = world.open_stream_to(alice, bob);
    world.pause(bob, secs(20));
    world.write(alice, stream, b"good night");
    world.run_for(secs(19));
    assert_eq!(world.received(bob, stream), b"");
    world
        .run_until(|w| w.received(bob, stream) == b"good night")
        .within(secs(20));
}
