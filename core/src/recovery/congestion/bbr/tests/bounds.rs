//! What congestion does, what takes it back, and lines that change.

use super::*;

#[test]
fn sub_packet_bdp() {
    let link = Bottleneck {
        rate_bytes_per_s: 10_000,
        queue_per_mille: 20_000,
        ..HOME
    };
    let mut run = Run::new(link);
    run.go_on(ms(15_000));
    // The line itself takes 120 ms for a datagram.
    assert!(run.bbr().bdp(1.0) < 2.0 * 1_200.0);
    assert!(run.bbr().window >= 4.0 * 1_200.0);
    let used = run.used_percent(ms(20_000));
    assert!(used >= 90, "{used}");
}

#[test]
fn bandwidth_up_10x() {
    let mut run = Run::new(HOME);
    run.go_on(ms(4_000));
    run.net.link.rate_bytes_per_s *= 10;
    let found = run.until(ms(4_000), |b| b.max_bandwidth.get() >= 0.9 * 12_500_000.0);
    assert!(found, "{}", run.bbr().max_bandwidth.get());
}

#[test]
fn bandwidth_down_10x() {
    let link = Bottleneck {
        rate_bytes_per_s: 12_500_000,
        ..HOME
    };
    let mut run = Run::new(link);
    run.go_on(ms(4_000));
    run.net.link.rate_bytes_per_s /= 10;
    assert!(run.until(ms(1_500), |b| b.bandwidth <= 1.5 * 1_250_000.0));
    assert!(run.until(ms(10_000), |b| b.max_bandwidth.get() <= 1.1 * 1_250_000.0));
    let used = run.used_percent(ms(5_000));
    assert!(used >= 85, "{used}");
}

#[test]
fn token_bucket() {
    let link = Bottleneck {
        queue_per_mille: 0,
        ..HOME
    };
    let mut run = Run::new(link);
    run.go_on(ms(5_000));
    let before = run.net.sent_and_dropped();
    let used = run.used_percent(ms(15_000));
    let after = run.net.sent_and_dropped();
    let lost = (after[1] - before[1]) * 100 / (after[0] - before[0]);
    assert!(used >= 50 && lost <= 12, "{used} % at {lost} % loss");
}

#[test]
fn cruise_with_aggregation() {
    let mut run = Run::new(HOME);
    run.reach(State::Cruise);
    run.net.hold_acks(ms(15));
    run.go_on(ms(2_000));
    assert!(run.bbr().aggregation.extra() > 0.0);
    let used = run.used_percent(ms(6_000));
    assert!(used >= 90, "{used}");
}

#[test]
fn spurious_fast_recovery() {
    let link = Bottleneck {
        queue_per_mille: 4_000,
        ..HOME
    };
    let mut run = Run::new(link);
    run.reach(State::Cruise);
    assert!(run.until(ms(1_000), |b| !b.is_listening()));
    run.net.delay_next(ms(15));
    run.go_on(ms(200));
    assert!(run.net.spurious_losses() > 0);
    let bounds = run.bbr().bounds;
    assert_eq!(bounds.inflight_long, f64::INFINITY);
    assert_eq!(bounds.rate_short, f64::INFINITY);
    assert!(run.bbr().undo.is_none(), "taken back");
}

/// What a timeout does, too, is taken back: state and bounds.
#[test]
fn spurious_rto() {
    let mut run = Run::new(HOME);
    run.reach(State::Up);
    let mut bbr = run.bbr();
    bbr.undo = Some(Undo::of(&bbr));
    bbr.bounds.inflight_long = 5_000.0;
    bbr.bounds.rate_short = 1_000.0;
    let (now, delivered) = (Instant::from_millis(9_000), bbr.delivered);
    bbr.start_down(now, 7, delivered);
    bbr.on_spurious_congestion_event();
    assert_eq!(bbr.state, State::Refill, "from where it goes up again");
    assert_eq!(bbr.bounds.inflight_long, f64::INFINITY);
    assert_eq!(bbr.bounds.rate_short, f64::INFINITY);
}

#[test]
fn loss_in_up_after_longterm() {
    let mut run = Run::new(HOME);
    run.reach(State::Up);
    let held = run.bbr().bdp(1.0);
    run.changed().bounds.inflight_long = 1.2 * held;
    run.net.link.loss_per_mille = 400;
    run.reach(State::Down);
    run.net.link.loss_per_mille = 0;
    let bound = run.bbr().bounds.inflight_long;
    assert!(bound < 1.2 * held && bound >= 0.69 * held, "{bound} {held}");
}

#[test]
fn ce_counts_as_queue() {
    let mut run = Run::new(HOME);
    run.reach(State::Up);
    let now = run.net.now();
    let mut bbr = run.bbr();
    let window = bbr.window;
    assert!(bbr.on_ecn_ce(now, now));
    assert!(!bbr.on_ecn_ce(now + ms(1), now), "once a round trip");
    assert_eq!(bbr.state, State::Down);
    assert!(is_near(bbr.bounds.inflight_short, 0.85 * window, 1.0));
}

#[test]
fn headroom_never_underflows() {
    let mut bbr = Bbr::new(1_200);
    assert_eq!(bbr.headroom(), f64::INFINITY);
    bbr.bounds.inflight_long = 1.0;
    assert_eq!(bbr.headroom(), 4.0 * 1_200.0);
}

#[test]
fn counters_beyond_2_pow_33() {
    let mut rounds = Rounds::default();
    rounds.on_ack(0, 1 << 34);
    rounds.on_ack((1 << 34) - 1, (1 << 34) + 5);
    assert!(!rounds.is_start);
    rounds.on_ack(1 << 34, (1 << 34) + 9);
    assert!(rounds.is_start && rounds.count == 2);
}

#[test]
fn loopback_is_not_throttled() {
    let link = Bottleneck {
        rate_bytes_per_s: 312_500_000,
        round_trip: Duration::from_micros(50),
        queue_per_mille: 200_000,
        ..HOME
    };
    let mut run = Run::new(link);
    run.go_on(ms(100));
    let used = run.used_percent(ms(400));
    assert!(used >= 80, "{used}");
}
