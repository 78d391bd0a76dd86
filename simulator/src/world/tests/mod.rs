//! The stage itself, tried out with a stand-in for the engine.

mod parrot;

use super::*;
use crate::link::{Burst, CERTAIN, percent};
use crate::nat::Nat;
use crate::oracle::MARKER;
use crate::units::{ms, secs};

/// Two parrots, the second of which knows the first.
fn two(seed: u64, nat: Option<Nat>) -> (World, Who, Who) {
    let mut world = World::with_engines(seed, parrot::make).latency(ms(40));
    let a = world.public_node("a");
    let b = world.node("b").introducer(a);
    let b = match nat {
        Some(nat) => b.behind(nat).start(),
        None => b.start(),
    };
    world.run_for(ms(200));
    assert!(world.is_connected(a, b) && world.is_connected(b, a));
    (world, a, b)
}

fn heard(world: &World, who: Who) -> usize {
    world.app(who).datagrams.len()
}

#[test]
fn a_datagram_takes_the_latency_and_passes_a_box_both_ways() {
    let (mut world, a, b) = two(1, Some(Nat::port_restricted()));
    world.send_datagram(b, a, "there").expect("connected");
    let took = world.run_until(|w| heard(w, a) == 1).within(secs(1));
    assert_eq!(took, ms(40));
    world.send_datagram(a, b, "back").expect("connected");
    world.run_until(|w| heard(w, b) == 1).within(ms(40));
    assert_eq!(world.nat_mappings(b), 1);
}

#[test]
fn a_rebooted_or_renumbered_box_lets_nothing_in_until_something_goes_out() {
    for renumber in [false, true] {
        let (mut world, a, b) = two(1, Some(Nat::port_restricted()));
        // The parrots greet each second: stay between two greetings.
        world.run_for(ms(900));
        match renumber {
            true => world.renumber_nat(b),
            false => world.reboot_nat(b),
        }
        world.send_datagram(a, b, "lost").expect("connected");
        world.run_for(ms(50));
        assert_eq!(heard(&world, b), 0);
        world.run_for(secs(2));
        world.send_datagram(a, b, "found").expect("connected");
        world.run_until(|w| heard(w, b) == 1).within(secs(1));
    }
}

#[test]
fn a_partition_cuts_only_the_pair_and_ends() {
    let (mut world, a, b) = two(1, None);
    world.partition(a, b);
    world.send_datagram(a, b, "lost").expect("connected");
    world.run_for(secs(1));
    assert_eq!(heard(&world, b), 0);
    world.rejoin(a, b);
    world.send_datagram(a, b, "found").expect("connected");
    world.run_until(|w| heard(w, b) == 1).within(ms(40));
}

#[test]
fn a_crash_loses_state_and_a_restart_keeps_the_identity() {
    let (mut world, a, b) = two(1, None);
    let id = world.id(b);
    world.crash(b);
    world.send_datagram(a, b, "lost").expect("a does not know");
    world.run_for(secs(1));
    assert!(!world.is_running(b) && world.app(b).connected.is_empty());
    world.restart(b);
    assert_eq!(world.id(b), id);
    world.run_until(|w| w.is_connected(b, a)).within(secs(1));
}

#[test]
fn a_paused_host_hears_later_what_its_socket_held() {
    let (mut world, a, b) = two(1, None);
    world.pause(b, secs(3));
    world.send_datagram(a, b, "wait").expect("connected");
    world.run_for(secs(2));
    assert_eq!(heard(&world, b), 0);
    world.run_for(secs(2));
    assert_eq!(heard(&world, b), 1);
}

#[test]
fn a_moved_host_is_not_reached_at_its_old_address() {
    let (mut world, a, b) = two(1, None);
    let old = world.address(b);
    world.change_address(b, false);
    assert_ne!(world.address(b), old);
    world.send_datagram(a, b, "lost").expect("connected");
    world.run_for(ms(100));
    assert_eq!(heard(&world, b), 0);
    assert!(world.unrouted() > 0);
}

#[test]
fn the_judge_notices_duplicates_and_clear_text() {
    let (mut world, a, b) = two(1, None);
    world.lenient = true;
    world.change_link(a, |l| l.duplicate = CERTAIN);
    world.send_datagram(a, b, "twice").expect("connected");
    world.run_for(secs(1));
    assert!(world.violations[0].contains("more often than sent"));
    world.violations.clear();
    world.watch_markers = true;
    world.send_datagram(b, a, &MARKER[..]).expect("connected");
    assert!(world.violations[0].contains("clear text"));
}

#[test]
fn the_judge_notices_a_stranger_that_gets_more_than_it_paid_for() {
    let mut world = World::with_engines(1, parrot::make);
    let generous = |c: &mut p2p_core::api::NodeConfig| c.network = "generous".to_owned();
    let node = world.node("node").configure(generous).start();
    let stranger = world.stranger("stranger");
    world.lenient = true;
    world.send_raw(stranger, world.address(node), b"gift?");
    world.run_for(secs(1));
    assert_eq!(world.app(stranger).raw.len(), 1);
    assert!(world.violations[0].contains("to a stranger"));
}

#[test]
fn the_judge_notices_an_engine_whose_timer_is_always_due() {
    let mut world = World::with_engines(1, parrot::make);
    let restless = |c: &mut p2p_core::api::NodeConfig| c.network = "restless".to_owned();
    let _ = world.node("node").configure(restless).start();
    world.lenient = true;
    world.run_for(secs(2));
    assert!(world.violations[0].contains("never comes to rest: Some(KeepAlive)"));
}

/// Whoever wakes with a full socket hears of every datagram before its timer fires.
#[test]
fn a_full_socket_after_a_pause_is_no_engine_that_spins() {
    let (mut world, a, b) = two(1, None);
    world.pause(b, secs(3));
    for n in 0..2_000_u16 {
        let data = n.to_be_bytes().to_vec();
        world.send_datagram(a, b, data).expect("connected");
    }
    world.run_for(secs(4));
    assert_eq!(heard(&world, b), 2_000);
}

#[test]
fn equal_seeds_give_equal_traces_and_others_differ() {
    let run = |seed| {
        let (mut world, a, b) = two(seed, Some(Nat::symmetric()));
        world.change_link(a, |l| {
            l.jitter = ms(20);
            l.loss = percent(10);
            l.burst = Some(Burst {
                enter: percent(1),
                leave: percent(20),
                loss: percent(90),
            });
        });
        for n in 0..100u8 {
            world.send_datagram(a, b, vec![n]).expect("connected");
            world.run_for(ms(100));
        }
        (world.trace_hash(), heard(&world, b))
    };
    let (hash, count) = run(1);
    assert_eq!((hash, count), run(1));
    assert_ne!(hash, run(2).0);
    assert!((50..100).contains(&count), "{count}");
}

#[test]
fn clocks_of_their_own_do_not_disturb_timers() {
    let mut world = World::with_engines(3, parrot::make).latency(ms(10));
    let a = world.public_node("a");
    let b = world.node("b").introducer(a).drift(500).start();
    world.run_for(secs(100));
    // One greeting each second by its own clock.
    let sent = world.traffic(b).datagrams_sent;
    assert!((99..=103).contains(&sent), "{sent}");
}
