//! Startup and drain.

use super::*;

const RATE: f64 = 1_250_000.0;

#[test]
fn exit_startup_on_plateau() {
    let mut run = Run::new(HOME);
    run.reach(State::Drain);
    let bbr = run.bbr();
    let found = bbr.max_bandwidth.get();
    assert!(is_near(found, RATE, 20.0), "{found}");
    assert!(bbr.pipe.is_now && bbr.pipe.is_reached);
    // After three rounds without growth, or one with a queue.
    assert!((1..=3).contains(&bbr.pipe.rounds), "{:?}", bbr.pipe);
}

/// The draft ends the search on loss even then; here loss alone is none.
#[test]
fn exit_startup_on_loss_when_app_limited() {
    let mut run = Run::new(HOME);
    run.net.limit_application(Some(100_000));
    run.net.link.loss_per_mille = 50;
    run.go_on(ms(3_000));
    assert_eq!(run.state(), State::Startup);
}

#[test]
fn app_limited_never_exits_startup() {
    let mut run = Run::new(HOME);
    run.net.limit_application(Some(100_000));
    run.go_on(ms(4_000));
    assert_eq!(run.state(), State::Startup);
    run.net.limit_application(None);
    run.reach(State::Drain);
    let found = run.bbr().max_bandwidth.get();
    assert!(is_near(found, RATE, 20.0), "{found}");
}

#[test]
fn startup_survives_ten_percent_loss() {
    for seed in 1..12 {
        let link = Bottleneck {
            loss_per_mille: 100,
            ..HOME
        };
        let mut run = Run::seeded(link, seed);
        run.reach(State::Down);
        let found = run.bbr().max_bandwidth.get();
        assert!(found >= 0.7 * RATE, "{seed}: {found}");
    }
}

#[test]
fn startup_into_a_short_queue_loses_little() {
    let link = Bottleneck {
        queue_per_mille: 100,
        ..HOME
    };
    let mut run = Run::new(link);
    run.reach(State::Drain);
    // Two rounds at 2.77 times the rate are what ends it.
    assert!(run.bbr().rounds.count <= 12, "{:?}", run.bbr().rounds);
    let [sent, dropped] = run.net.sent_and_dropped();
    assert!(dropped * 2 <= sent, "{dropped} of {sent}");
}

#[test]
fn startup_with_aggregation() {
    let mut run = Run::new(HOME);
    run.net.hold_acks(ms(20));
    run.go_on(ms(1_500));
    let found = run.bbr().max_bandwidth.get();
    assert!(found >= 0.9 * RATE, "{found}");
    assert!(run.bbr().aggregation.extra() > 0.0);
}

#[test]
fn exit_drain_on_inflight() {
    let mut run = Run::new(HOME);
    run.reach(State::Drain);
    assert!(is_near(
        run.bbr().pacing,
        0.5 * 0.99 * run.bbr().bandwidth,
        1.0
    ));
    run.reach(State::Down);
    let in_flight = run.net.in_flight_bytes() as f64;
    let held = run.bbr().inflight(1.0) + 6.0 * 1_200.0;
    assert!(in_flight <= held, "{in_flight} of {held}");
}

#[test]
fn exit_drain_after_3_rounds() {
    let mut run = Run::new(HOME);
    run.reach(State::Drain);
    let began = run.bbr().rounds.count;
    run.net.link.rate_bytes_per_s /= 4;
    assert!(run.until(ms(3_000), |b| b.state != State::Drain));
    let lasted = run.bbr().rounds.count - began;
    assert!((1..=4).contains(&lasted), "{lasted}");
}

#[test]
fn first_rtt_sets_the_initial_pacing_rate() {
    let mut bbr = Bbr::new(1_200);
    assert_eq!(bbr.pacing_rate(), None, "the handshake's until then");
    bbr.pace_from_start(0.04);
    assert_eq!(bbr.pacing_rate(), Some(831_000));
}

#[test]
fn mtu_growth_scales_startup() {
    let mut bbr = Bbr::new(1_200);
    bbr.pace_from_start(0.04);
    bbr.on_mtu(1_452);
    assert_eq!(bbr.window(), initial_window(1_452));
    assert_eq!(bbr.pacing_rate(), Some(831_000 * 1_452 / 1_200));
}
