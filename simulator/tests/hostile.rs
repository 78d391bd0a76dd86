//! Strangers who forge, replay and flood: honest peers are not disturbed.

use p2p_simulator::link::CERTAIN;
use p2p_simulator::scenarios::{garbage, meet, trio};
use p2p_simulator::{Who, World, ms, secs};

fn pair() -> (World, Who, Who) {
    let (mut world, [_, alice, bob]) = trio(World::seeded(5).latency(ms(30)), &[], &[]);
    meet(&mut world, alice, bob);
    world
        .run_until(|w| w.is_direct(alice, bob) && w.is_direct(bob, alice))
        .within(secs(10));
    world.run_for(secs(2));
    (world, alice, bob)
}

#[test]
fn a_clear_text_keep_alive_of_the_first_generation_changes_nothing() {
    let (mut world, alice, bob) = pair();
    let before = world.status(bob).expect("runs").counters;
    let (from, to) = (world.address(alice), world.address(bob));
    world.inject(from, to, br#"{"c":"ka"}"#.to_vec());
    let stranger = world.stranger("mallory");
    world.send_raw(stranger, to, br#"{"c":"ka","f":"alice"}"#);
    world.run_for(secs(1));
    let after = world.status(bob).expect("runs").counters;
    assert_eq!(after.dropped_legacy, before.dropped_legacy + 2);
    assert_eq!(after.sessions_established, before.sessions_established);
    assert!(world.app(stranger).raw.is_empty(), "no answer");
    assert!(world.is_connected(bob, alice));
}

#[test]
fn a_replayed_keep_alive_is_counted_and_keeps_nobody_alive() {
    let (mut world, alice, bob) = pair();
    world.capture();
    world.run_for(secs(16));
    let to = world.address(bob);
    let way = (world.address(alice), to);
    let mut packets = world.capture();
    packets.retain(|c| (c.0, c.1) == way);
    assert!(!packets.is_empty(), "a keep-alive each 15 s");
    let before = world.status(bob).expect("runs").counters;
    for (from, to, bytes) in &packets {
        world.inject(*from, *to, bytes.clone());
    }
    world.run_for(secs(1));
    let after = world.status(bob).expect("runs").counters;
    assert_eq!(
        after.dropped_replayed,
        before.dropped_replayed + packets.len() as u64
    );
    // Alice is gone; her old packets, repeated from elsewhere, do not hide it.
    world.crash(alice);
    let elsewhere = world.stranger("mallory");
    for _ in 0..90 {
        for (_, to, bytes) in &packets {
            world.send_raw(elsewhere, *to, bytes);
        }
        world.run_for(secs(1));
    }
    assert!(!world.is_connected(bob, alice));
}

#[test]
fn replayed_handshakes_do_not_end_the_live_session() {
    let (mut world, [introducer, alice, bob]) = trio(World::seeded(5).latency(ms(30)), &[], &[]);
    world.capture();
    meet(&mut world, alice, bob);
    world.run_for(secs(3));
    let handshakes: Vec<_> = world
        .capture()
        .into_iter()
        .filter(|c| c.2.first().is_some_and(|b| (0x80..=0x84).contains(b)))
        .collect();
    for round in 0..20 {
        for (from, to, bytes) in &handshakes {
            world.inject(*from, *to, bytes.clone());
        }
        world.run_for(ms(100 * round));
    }
    assert!(world.is_connected(alice, bob) && world.is_connected(bob, alice));
    for who in [introducer, alice, bob] {
        assert_eq!(world.app(who).disconnects, []);
    }
    let request = world.send_request(alice, bob, "well?", secs(5));
    let request = request.expect("connected");
    world
        .run_until(|w| w.app(alice).requests.contains_key(&request))
        .within(secs(2));
}

#[test]
fn a_flood_of_garbage_makes_no_session_and_disturbs_nobody() {
    let report = garbage(3, 20_000);
    assert_eq!(report.sessions_gained, 0);
    assert!(report.delivered > 17_000, "{report:?}");
    let [asked, answered] = report.requests;
    assert!(asked > 0 && asked == answered, "{report:?}");
}

#[test]
fn a_link_that_flips_a_bit_in_every_datagram_delivers_nothing_wrong() {
    let (mut world, alice, bob) = pair();
    world.change_link(alice, |l| l.corrupt = CERTAIN);
    for n in 0..200u8 {
        let _ = world.send_datagram(alice, bob, vec![n; 200]);
        world.run_for(ms(10));
    }
    world.run_for(secs(1));
    assert!(world.app(bob).datagrams.is_empty());
    world.change_link(alice, |l| l.corrupt = 0);
    let request = world.send_request(alice, bob, "clear again?", secs(10));
    let request = request.expect("connected still");
    world
        .run_until(|w| w.app(alice).requests.contains_key(&request))
        .within(secs(10));
}
