//! Which pairs of NATs get a direct path, and what happens when it goes away.

use super::super::*;
use super::world::{Filtering, Mapping, Nat, World};
use crate::api::Verdict;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn easy(public: [u8; 4]) -> Nat {
    Nat::new(
        public,
        Mapping::EndpointIndependent,
        Filtering::AddressAndPortDependent,
    )
}

fn hard(public: [u8; 4]) -> Nat {
    Nat::new(
        public,
        Mapping::AddressAndPortDependent,
        Filtering::AddressAndPortDependent,
    )
}

fn cone(public: [u8; 4]) -> Nat {
    Nat::new(
        public,
        Mapping::EndpointIndependent,
        Filtering::AddressDependent,
    )
}

const A: [u8; 4] = [198, 51, 100, 1];
const B: [u8; 4] = [192, 0, 2, 2];

fn met(nats: [Nat; 2]) -> World {
    let mut world = World::new(1, nats);
    world.introduce();
    world
}

fn last_reason(world: &World, side: usize) -> Option<PathChangeReason> {
    world.sides[side]
        .events
        .iter()
        .rev()
        .find_map(|event| match event {
            PathEvent::ActiveChanged { reason, .. } => Some(*reason),
            _ => None,
        })
}

#[test]
fn a_port_restricted_pair_becomes_direct_and_stays_so() {
    let mut world = met([easy(A), easy(B)]);
    assert!(!world.is_direct(0) && world.sides[0].paths.active().is_some());
    world.run(s(1));
    for side in [0, 1] {
        assert!(world.is_direct(side));
        assert_eq!(last_reason(&world, side), Some(PathChangeReason::Upgraded));
        assert_eq!(world.sides[side].paths.verdict(), Verdict::Direct);
        let status = world.sides[side].paths.status();
        assert_eq!(status[0].mtu_bytes, limits::MAX_DATAGRAM_BYTES);
        assert_eq!(status[0].rtt, Some(Duration::from_millis(40)));
    }
    let changes = world.sides[0].events.len();
    world.run(s(3_600));
    assert!(world.is_direct(0) && world.is_direct(1));
    assert_eq!(
        world.sides[0].events.len(),
        changes,
        "an idle hour changes nothing"
    );
}

#[test]
fn a_symmetric_pair_stays_relayed_within_its_budget() {
    let mut world = met([hard(A), hard(B)]);
    world.run(s(60));
    for side in [0, 1] {
        assert!(!world.is_direct(side));
        assert!(
            world.sides[side].probes.len() <= 12,
            "{}",
            world.sides[side].probes.len()
        );
        assert_eq!(world.sides[side].paths.verdict(), Verdict::NoProbeArrived);
    }
    world.run(s(3_600));
    assert!(!world.is_direct(0) && world.sides[0].paths.active().is_some());
    assert!(
        world.sides[0].probes.len() <= 100,
        "{}",
        world.sides[0].probes.len()
    );
    assert!(!world.sides[0].events.contains(&PathEvent::AllPathsLost));
}

#[test]
fn a_symmetric_nat_meets_a_cone_by_the_source_of_its_probes() {
    for nats in [[hard(A), cone(B)], [cone(A), hard(B)]] {
        let mut world = met(nats);
        world.run(s(2));
        assert!(world.is_direct(0) && world.is_direct(1));
    }
}

#[test]
fn a_symmetric_nat_does_not_meet_a_port_restricted_one() {
    let mut world = met([hard(A), easy(B)]);
    world.run(s(120));
    assert!(!world.is_direct(0) && !world.is_direct(1));
}

#[test]
fn a_dead_direct_path_gives_way_to_the_relay_and_comes_back() {
    let mut world = met([easy(A), easy(B)]);
    world.run(s(2));
    world.direct_is_cut = true;
    let (key, _) = world.sides[0].paths.active().unwrap();
    let now = world.now;
    world.sides[0].paths.on_probe_timeouts(now, key, 1);
    assert!(world.is_direct(0), "a lost packet is no dead path");
    world.run(Duration::from_millis(300));
    assert!(world.is_direct(0), "not enough was asked yet");
    world.run(Duration::from_millis(200));
    assert!(!world.is_direct(0));
    assert_eq!(world.sides[0].paths.verdict(), Verdict::PathLost);
    world.run(s(40));
    assert_eq!(last_reason(&world, 0), Some(PathChangeReason::Failed));
    assert!(world.sides[0].events.contains(&PathEvent::PathDropped(key)));
    assert!(
        !world.is_direct(1),
        "the other side sees the silence by itself"
    );
    world.direct_is_cut = false;
    world.run(s(700));
    assert!(world.is_direct(0) && world.is_direct(1));
}

/// Protocol §9.4: where nothing else answers, or the path in use does too, nothing is left.
#[test]
fn a_path_is_kept_while_it_answers_or_nothing_else_does() {
    for (direct_is_cut, relay_is_cut) in [(false, false), (false, true), (true, true)] {
        let mut world = met([easy(A), easy(B)]);
        world.run(s(2));
        (world.direct_is_cut, world.relay_is_cut) = (direct_is_cut, relay_is_cut);
        let (key, _) = world.sides[0].paths.active().unwrap();
        for count in 1..6 {
            let now = world.now;
            world.sides[0].paths.on_probe_timeouts(now, key, count);
            world.run(s(1));
        }
        let active = world.sides[0].paths.active().map(|(path, _)| path);
        assert_eq!(active, Some(key), "{direct_is_cut} {relay_is_cut}");
        assert_eq!(last_reason(&world, 0), Some(PathChangeReason::Upgraded));
    }
}

#[test]
fn a_short_outage_returns_to_the_direct_path_after_the_hold() {
    let mut world = met([easy(A), easy(B)]);
    world.run(s(2));
    let (key, _) = world.sides[0].paths.active().unwrap();
    world.direct_is_cut = true;
    let now = world.now;
    world.sides[0].paths.on_probe_timeouts(now, key, 1);
    world.run(Duration::from_millis(500));
    assert!(!world.is_direct(0));
    world.direct_is_cut = false;
    world.run(s(1));
    assert!(!world.is_direct(0), "it answers again, but is held back");
    world.run(s(3));
    assert_eq!(
        world.sides[0].paths.active().map(|(path, _)| path),
        Some(key)
    );
}

#[test]
fn a_doubted_path_is_asked_again_while_the_peer_still_speaks_on_it() {
    let mut world = met([easy(A), easy(B)]);
    world.run(s(2));
    let (key, _) = world.sides[0].paths.active().unwrap();
    world.direct_is_cut = true;
    let now = world.now;
    world.sides[0].paths.on_probe_timeouts(now, key, 2);
    world.run(s(4));
    assert!(!world.is_direct(0) && world.is_direct(1));
    // Its packets keep the path from being silent, so that no check of silent paths finds it.
    world.direct_is_cut = false;
    for _ in 0..20 {
        world.send_data(1);
        world.run(Duration::from_millis(500));
    }
    assert!(world.is_direct(0));
}

#[test]
fn a_nat_that_forgets_is_followed_within_a_second() {
    let mut world = met([easy(A), cone(B)]);
    world.run(s(20));
    let (_, before) = world.sides[1].paths.active().unwrap();
    world.sides[0].nat.reboot();
    for _ in 0..10 {
        world.send_data(0);
        world.run(Duration::from_millis(100));
    }
    let (_, after) = world.sides[1].paths.active().unwrap();
    assert!(after.is_direct() && after != before);
    assert_eq!(last_reason(&world, 1), Some(PathChangeReason::Roamed));
    assert!(world.is_direct(0));
}

#[test]
fn silence_everywhere_ends_the_connection_once() {
    let mut world = met([easy(A), easy(B)]);
    world.run(s(2));
    world.direct_is_cut = true;
    world.relay_is_cut = true;
    world.run(s(50));
    assert!(!world.sides[0].events.contains(&PathEvent::AllPathsLost));
    world.run(s(300));
    let lost = |e: &&PathEvent| **e == PathEvent::AllPathsLost;
    assert_eq!(world.sides[0].events.iter().filter(lost).count(), 1);
}

#[test]
fn a_lost_relay_takes_its_paths_along() {
    let mut world = met([hard(A), hard(B)]);
    world.run(s(1));
    let now = world.now;
    let (key, _) = world.sides[0].paths.active().unwrap();
    world.sides[0].paths.on_relay_lost(now, 1);
    assert_eq!(world.sides[0].paths.active(), None);
    assert_eq!(
        world.sides[0].paths.poll_event(),
        Some(PathEvent::PathDropped(key))
    );
}

#[test]
fn a_changed_network_proves_everything_anew() {
    let mut world = met([easy(A), cone(B)]);
    world.run(s(20));
    world.sides[0].nat.reboot();
    let now = world.now;
    world.sides[0].paths.on_network_change(now);
    world.run(s(2));
    assert!(world.is_direct(0));
    world.send_data(0);
    world.run(s(2));
    assert!(world.is_direct(0) && world.is_direct(1));
    let (_, route) = world.sides[1].paths.active().unwrap();
    world.send_data(1);
    world.run(s(1));
    assert!(route.is_direct());
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let play = || {
        let mut world = met([hard(A), cone(B)]);
        world.run(s(100));
        let [a, b] = world.sides;
        (a.events, b.events, a.probes, b.probes)
    };
    assert_eq!(play(), play());
}
