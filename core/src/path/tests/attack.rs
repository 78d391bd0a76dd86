//! What a hostile peer, or one who copies packets, can make us do.

use core::net::SocketAddr;

use super::super::types::PacketOutcome;
use super::super::*;
use super::world::{Filtering, Mapping, Nat, World};
use quickcheck::quickcheck;

fn paths() -> Paths {
    let mut paths = Paths::new(Rng::from_seed([5; 32]), true, Instant::EPOCH);
    let (reflexive, host) = (["203.0.113.4:6000"], ["192.168.1.5:7000"]);
    let parse = |texts: [&str; 1]| texts.map(|text| text.parse().unwrap());
    paths.on_local_addresses(&parse(reflexive), &parse(host));
    paths.on_relay_route(
        Instant::EPOCH,
        Route::Relay {
            relay: 1,
            channel: 1,
        },
    );
    paths
}

fn victim(n: u32) -> SocketAddr {
    (core::net::Ipv4Addr::from_bits(0xC633_6400 + n), 7_000).into()
}

/// Handles everything due until `end`; gives the addresses of unvalidated probes.
fn run(paths: &mut Paths, mut now: Instant, end: Instant) -> Vec<SocketAddr> {
    let mut probed = Vec::new();
    for _ in 0..100_000 {
        paths.handle_timeout(now);
        while let Some(probe) = paths.poll_probe(now, true) {
            paths.on_packet_sent(now, probe.route, 43);
            probed.extend(probe.route.address().filter(|_| !probe.validated));
        }
        while paths.poll_response().is_some() {}
        while paths.poll_event().is_some() {}
        while paths.poll_keep_alive(now).is_some() {}
        while paths.poll_mtu_probe(now).is_some() {}
        match paths.next_timeout() {
            Some(next) if next.at <= end => {
                assert!(next.at > now, "stuck: {next:?}");
                now = next.at;
            }
            _ => return probed,
        }
    }
    panic!("too many timeouts");
}

#[test]
fn victims_named_again_and_again_get_few_packets() {
    let mut paths = paths();
    let mut probed = Vec::new();
    for minute_part in 0..600_u64 {
        let now = Instant::from_millis(minute_part * 100);
        let first = (minute_part as u32 % 5) * 8;
        let named: Vec<_> = (first..first + 8)
            .map(|n| (victim(n), CandidateKind::ServerReflexive))
            .collect();
        paths.on_remote_candidates(now, &named);
        probed.extend(run(&mut paths, now, now + Duration::from_millis(99)));
    }
    assert!(probed.len() <= 100, "{}", probed.len());
    for n in 0..40 {
        let hits = probed.iter().filter(|to| **to == victim(n)).count();
        assert!(hits <= 20, "{hits} at victim {n}");
    }
}

#[test]
fn one_naming_costs_each_victim_at_most_ten_in_a_minute() {
    let mut paths = paths();
    let named: Vec<_> = (0..20).map(|n| (victim(n), CandidateKind::Host)).collect();
    paths.on_remote_candidates(Instant::EPOCH, &named);
    let probed = run(&mut paths, Instant::EPOCH, Instant::from_millis(29_000));
    assert_eq!(probed.iter().filter(|to| **to == victim(0)).count(), 10);
    assert!(
        (8..20).all(|n| !probed.contains(&victim(n))),
        "only eight are taken"
    );
}

#[test]
fn a_forged_source_gets_at_most_three_times_what_it_sent() {
    let mut paths = paths();
    let now = Instant::from_millis(1_000);
    let source = Route::to(victim(9));
    let packet = Received {
        bytes: 100,
        is_newest: true,
        is_probing: false,
        is_eliciting: true,
    };
    assert!(matches!(
        paths.on_packet_received(now, source, packet),
        PacketOutcome::Learnt(_)
    ));
    let probed = run(&mut paths, now, now + Duration::from_secs(900));
    assert!(
        !probed.is_empty() && probed.len() * 43 <= 300,
        "{}",
        probed.len()
    );
}

#[test]
fn the_nodes_budget_puts_probes_off_without_losing_them() {
    let mut paths = paths();
    let now = Instant::EPOCH;
    paths.on_remote_candidates(now, &[(victim(1), CandidateKind::Host)]);
    assert_eq!(paths.poll_probe(now, false), None);
    assert_eq!(paths.poll_probe(now, true), None);
    assert!(paths.poll_probe(now + DEFER, true).is_some());
}

#[test]
fn without_direct_paths_no_address_is_probed_or_answered() {
    let mut paths = Paths::new(Rng::from_seed([6; 32]), false, Instant::EPOCH);
    let relay = Route::Relay {
        relay: 1,
        channel: 1,
    };
    paths.on_relay_route(Instant::EPOCH, relay);
    paths.on_remote_candidates(Instant::EPOCH, &[(victim(1), CandidateKind::Host)]);
    let source = Route::to(victim(2));
    let packet = Received {
        bytes: 43,
        is_newest: true,
        is_probing: true,
        is_eliciting: false,
    };
    let outcome = paths.on_packet_received(Instant::EPOCH, source, packet);
    assert!(matches!(outcome, PacketOutcome::Ignored(_)));
    paths.on_challenge_received(Instant::EPOCH, source, [1; 8]);
    assert_eq!(paths.poll_response(), None);
    assert!(run(&mut paths, Instant::EPOCH, Instant::from_millis(900_000)).is_empty());
    assert_eq!(paths.attempts().len(), 1);
    assert!(
        paths
            .attempts()
            .iter()
            .all(|attempt| attempt.skipped.is_some())
    );
}

#[test]
fn two_nodes_on_one_host_meet_over_loopback() {
    let mut paths = Paths::new(Rng::from_seed([7; 32]), true, Instant::EPOCH);
    let (ours, theirs) = (
        "127.0.0.1:7001".parse().unwrap(),
        "127.0.0.1:7002".parse().unwrap(),
    );
    paths.on_local_addresses(&[ours], &[ours]);
    paths.on_established(
        Instant::EPOCH,
        Route::Relay {
            relay: 1,
            channel: 1,
        },
    );
    paths.on_remote_candidates(Instant::EPOCH, &[(theirs, CandidateKind::Host)]);
    let probe = paths.poll_probe(Instant::EPOCH, true).unwrap();
    assert_eq!(probe.route, Route::to(theirs));
    paths.on_response_received(Instant::from_millis(1), probe.route, probe.challenge);
    assert_eq!(paths.active(), Some((probe.path, probe.route)));
}

#[test]
fn an_answer_proves_the_address_it_was_sent_to_and_only_once() {
    let mut paths = paths();
    let now = Instant::EPOCH;
    paths.on_remote_candidates(now, &[(victim(1), CandidateKind::Host)]);
    let probe = paths.poll_probe(now, true).unwrap();
    let other = Route::to(victim(2));
    let wrong = paths.on_response_received(now, other, [0; 8]);
    assert_eq!(wrong, ResponseOutcome::Unknown);
    let at = Instant::from_millis(30);
    let outcome = paths.on_response_received(at, other, probe.challenge);
    let expected = ResponseOutcome::Validated {
        path: probe.path,
        route: Route::to(victim(1)),
        rtt: Duration::from_millis(30),
        newly_validated: true,
        asymmetric: true,
    };
    assert_eq!(outcome, expected);
    assert_eq!(
        paths.on_response_received(at, other, probe.challenge),
        ResponseOutcome::Unknown
    );
}

#[test]
fn a_challenge_is_answered_once_on_its_own_route() {
    let mut paths = paths();
    let source = Route::to(victim(3));
    let packet = Received {
        bytes: 43,
        is_newest: true,
        is_probing: true,
        is_eliciting: false,
    };
    paths.on_packet_received(Instant::EPOCH, source, packet);
    paths.on_challenge_received(Instant::EPOCH, source, [7; 8]);
    assert_eq!(paths.poll_response(), Some((source, [7; 8])));
    assert_eq!(paths.poll_response(), None);
    for n in 0..1_000 {
        paths.on_challenge_received(Instant::EPOCH, source, [n as u8; 8]);
    }
    assert!(paths.responses.len() <= RESPONSES);
}

#[test]
fn a_copier_cannot_keep_what_it_stole() {
    let nat = |public| {
        let filtering = Filtering::EndpointIndependent;
        Nat::new(public, Mapping::EndpointIndependent, filtering)
    };
    let mut world = World::new(3, [nat([198, 51, 100, 1]), nat([192, 0, 2, 2])]);
    world.introduce();
    world.run(Duration::from_secs(5));
    let (genuine, route) = world.sides[1].paths.active().unwrap();
    assert!(route.is_direct());
    let copier: SocketAddr = "203.0.113.66:6666".parse().unwrap();
    world.copier = Some(copier);
    for _ in 0..50 {
        world.send_data(0);
        world.run(Duration::from_millis(100));
    }
    world.copier = None;
    // It now swallows what it gets. Whoever was led there notices by probe timeouts.
    let now = world.now;
    let (active, _) = world.sides[1].paths.active().unwrap();
    if active != genuine {
        world.sides[1].paths.on_probe_timeouts(now, active, 2);
    }
    world.run(Duration::from_millis(500));
    assert_eq!(world.sides[1].paths.active(), Some((genuine, route)));
    world.run(Duration::from_secs(120));
    assert_eq!(world.sides[1].paths.active(), Some((genuine, route)));
}

quickcheck! {
    fn no_forbidden_address_is_probed_and_all_is_bounded(steps: Vec<(u8, u32, u16, u8)>) -> bool {
        let mut paths = paths();
        let mut now = Instant::EPOCH;
        let mut probed = Vec::new();
        for (what, ip, port, bytes) in steps {
            let address = SocketAddr::from((core::net::Ipv4Addr::from_bits(ip), port));
            let route = Route::to(address);
            match what % 6 {
                0 => paths.on_remote_candidates(now, &[(address, CandidateKind::Host)]),
                1 | 2 => {
                    let packet = Received {
                        bytes: bytes.into(),
                        is_newest: what & 64 == 0,
                        is_probing: what & 128 == 0,
                        is_eliciting: what & 128 != 0,
                    };
                    paths.on_packet_received(now, route, packet);
                    paths.on_challenge_received(now, route, [bytes; 8]);
                }
                3 => paths.on_probe_timeouts(now, PathKey(ip % 20), 2),
                4 => paths.on_send_error(now, route),
                _ => {
                    let named = [(victim(ip % 9), CandidateKind::ServerReflexive)];
                    paths.on_remote_candidates(now, &named);
                }
            }
            let end = now + Duration::from_millis(u64::from(bytes) * 10);
            probed.extend(run(&mut paths, now, end));
            now = end;
        }
        let minutes = now.as_nanos() / 60_000_000_000 + 1;
        let host = ["192.168.1.5:7000".parse().unwrap()];
        let local = ["203.0.113.4:6000".parse().unwrap()];
        let kind = CandidateKind::PeerReflexive;
        paths.paths.len() <= limits::CANDIDATES + LEARNT + RELAYED
            && probed.len() as u64 <= PEER_PROBES + 20 * minutes
            && probed.iter().all(|to| may_probe(*to, kind, &[], &local, &host).is_ok())
    }
}
