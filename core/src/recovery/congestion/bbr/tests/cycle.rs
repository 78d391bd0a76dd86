//! The cycle of probing for bandwidth, and the probe for a shorter round trip.

use super::*;

#[test]
fn exit_up_on_plateau() {
    let mut run = Run::new(HOME);
    run.reach(State::Up);
    let began = run.bbr().rounds.count;
    let dropped = run.net.sent_and_dropped()[1];
    run.reach(State::Down);
    // Not three rounds, as the probe's queue is bounded: refill is told of first, then the probe.
    assert!((2..=3).contains(&(run.bbr().rounds.count - began)));
    assert_eq!(run.net.sent_and_dropped()[1], dropped);
}

#[test]
fn app_limited_never_exits_up() {
    let mut run = Run::new(HOME);
    run.reach(State::Refill);
    run.net.limit_application(Some(100_000));
    run.reach(State::Up);
    // Not so long that a shorter round trip is looked for: acknowledgements of single packets are late.
    run.go_on(ms(2_500));
    assert_eq!(run.state(), State::Up);
    run.net.limit_application(None);
    run.reach(State::Down);
}

#[test]
fn exit_up_on_loss_when_app_limited() {
    let mut run = Run::new(HOME);
    run.reach(State::Up);
    run.net.limit_application(Some(600_000));
    run.net.link.loss_per_mille = 400;
    run.reach(State::Down);
    assert!(run.bbr().bounds.inflight_long < f64::INFINITY);
}

#[test]
fn exit_down_on_inflight() {
    let mut run = Run::new(HOME);
    run.reach(State::Up);
    run.reach(State::Down);
    assert!(run.until(ms(100), |b| is_near(
        b.pacing,
        0.9 * 0.99 * b.bandwidth,
        1.0
    )));
    run.reach(State::Cruise);
    assert!(run.bbr().is_listening());
    let in_flight = run.net.in_flight_bytes() as f64;
    assert!(in_flight <= run.bbr().inflight(1.0) + 3.0 * 1_200.0);
}

#[test]
fn probe_rtt_enters_and_exits() {
    let mut run = Run::new(HOME);
    run.reach(State::Cruise);
    // Without losses to tell more, and too early to know a queue of others.
    run.net.link.round_trip = ms(44);
    run.reach(State::ProbeRtt);
    let began = run.net.now();
    run.net.turn();
    assert!(run.bbr().window <= run.bbr().window_of_rtt_probe() + 1.0);
    run.reach(State::Cruise);
    assert!(run.net.now().saturating_since(began) >= ms(200));
    assert!(run.until(ms(8_000), |b| b.delays.min > 0.0439));
}

#[test]
fn probe_rtt_skipped_when_app_limited() {
    let mut run = Run::new(HOME);
    run.go_on(ms(3_000));
    run.net.limit_application(Some(0));
    run.go_on(ms(6_000));
    run.net.limit_application(None);
    assert!(!run.until(ms(1_000), |b| b.state == State::ProbeRtt));
}

#[test]
fn probe_rtt_in_startup() {
    let mut run = Run::new(HOME);
    run.net.limit_application(Some(100_000));
    run.go_on(ms(1_000));
    run.net.link.round_trip = ms(60);
    run.reach(State::ProbeRtt);
    assert!(run.until(ms(2_000), |b| b.state != State::ProbeRtt));
    assert_eq!(run.state(), State::Startup);
}

#[test]
fn app_limited_in_refill() {
    let mut run = Run::new(HOME);
    run.reach(State::Refill);
    let before = run.bbr().max_bandwidth.get();
    run.net.limit_application(Some(20_000));
    run.reach(State::Up);
    run.go_on(ms(2_000));
    assert_eq!(run.bbr().max_bandwidth.get(), before);
}

#[test]
fn voice_only_keeps_max_bw() {
    let mut run = Run::new(HOME);
    run.go_on(ms(3_000));
    let before = run.bbr().max_bandwidth.get();
    run.net.limit_application(Some(8_000));
    run.go_on(ms(20_000));
    let after = run.bbr().max_bandwidth.get();
    assert!(is_near(after, before, 20.0), "{after} {before}");
}

#[test]
fn restart_after_idle_paces_at_bw() {
    let mut run = Run::new(HOME);
    run.go_on(ms(3_000));
    run.net.limit_application(Some(0));
    run.go_on(ms(1_000));
    let (window, bandwidth) = (run.bbr().window, run.bbr().bandwidth);
    run.net.limit_application(None);
    assert!(run.until(ms(100), |b| b.is_restart));
    let bbr = run.bbr();
    assert!(is_near(bbr.pacing, bandwidth, 1.0));
    assert!(is_near(bbr.window, window, 1.0));
}
