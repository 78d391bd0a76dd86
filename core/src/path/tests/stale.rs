//! Many paths that worked once and are dead together: whoever moved behind a box leaves one behind with each move.

use core::net::SocketAddr;

use super::super::*;

const RELAY: Route = Route::Relay {
    relay: 1,
    channel: 1,
};
const RTT: Duration = Duration::from_millis(80);

fn stale(n: u16) -> Route {
    Route::to(SocketAddr::from(([203, 0, 113, 9], 2_000 + n)))
}

/// Lets time pass in which only `answering` answers, a round trip later.
fn run(paths: &mut Paths, now: &mut Instant, span: Duration, answering: Route) {
    let end = *now + span;
    let mut answers = Vec::new();
    while *now < end {
        paths.handle_timeout(*now);
        while let Some(probe) = paths.poll_probe(*now, true) {
            paths.on_packet_sent(*now, probe.route, 43);
            if probe.route == answering {
                answers.push((*now + RTT, probe.challenge));
            }
        }
        while paths.poll_event().is_some() {}
        answers.retain(|(at, echo)| {
            let is_there = at <= now;
            if is_there {
                paths.on_response_received(*now, answering, *echo);
            }
            !is_there
        });
        *now += Duration::from_millis(5);
    }
}

/// Protocol §9.4: one suspicion clears all of them away; they are not tried one after the other.
#[test]
fn paths_that_died_together_are_left_together() {
    let mut now = Instant::from_millis(1_000);
    let mut paths = Paths::new(Rng::from_seed([5; 32]), true, now);
    paths.on_relay_route(now, RELAY);
    for n in 0..8 {
        paths.on_established(now, stale(n));
    }
    run(&mut paths, &mut now, Duration::from_millis(200), RELAY);
    let (active, route) = paths.active().expect("a path");
    assert!(route.is_direct());
    paths.on_probe_timeouts(now, active, 1);
    run(&mut paths, &mut now, Duration::from_millis(1_500), RELAY);
    assert_eq!(paths.active().map(|(_, route)| route), Some(RELAY));
}

/// Protocol §9.4: who only receives asks where a flow stops, and leaves a path that has died for one that answers.
#[test]
fn a_receiver_asks_where_a_flow_stops() {
    let mut now = Instant::from_millis(1_000);
    let mut paths = Paths::new(Rng::from_seed([5; 32]), true, now);
    paths.on_relay_route(now, RELAY);
    paths.on_established(now, stale(1));
    let (active, route) = paths.active().expect("a path");
    assert_eq!(route, stale(1));
    paths.on_rtt(now, active, RTT);
    let packet = Received {
        bytes: 1_200,
        is_newest: true,
        is_probing: false,
        is_eliciting: true,
    };
    for _ in 0..20 {
        paths.on_packet_received(now, stale(1), packet);
        now += Duration::from_millis(10);
    }
    run(&mut paths, &mut now, Duration::from_millis(1_000), RELAY);
    assert_eq!(paths.active().map(|(_, route)| route), Some(RELAY));
}

/// Protocol §9.4: silence costs no more for all the ways that a peer has left behind.
#[test]
fn many_dead_paths_are_asked_seldom() {
    let mut now = Instant::from_millis(1_000);
    let mut paths = Paths::new(Rng::from_seed([5; 32]), true, now);
    for n in 0..16 {
        paths.on_established(now, stale(n));
    }
    let (active, _) = paths.active().expect("a path");
    paths.on_probe_timeouts(now, active, 1);
    let mut asked = 0;
    for _ in 0..600 {
        paths.handle_timeout(now);
        while let Some(probe) = paths.poll_probe(now, true) {
            paths.on_packet_sent(now, probe.route, 43);
            asked += 1;
        }
        now += Duration::from_millis(10);
    }
    // Five of them twelve times at once and then twice a second, eleven once a second.
    assert!((150..=200).contains(&asked), "{asked}");
}
