//! Behaviour of RFC 9002 that spans the parts of recovery, its properties, and its performance on a
//! modelled link.

mod link;
mod marks;
mod properties;
mod samples;
pub(super) mod shared;

use super::congestion::{ControllerKind, initial_window};
use super::outcome::{AckOfUnsent, SendBudget};
use super::*;
use crate::ecn::EcnCounts;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

const A: PathKey = PathKey(1);
const B: PathKey = PathKey(2);
const SIZE: u32 = 1_200;

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(1_000 + millis)
}

/// Recovery with consecutive numbers taken by hand; what a packet carries is its number.
struct Bench {
    recovery: Recovery<u64>,
    rng: Rng,
    outcome: AckOutcome<u64>,
    timeouts: TimeoutOutcome<u64>,
}

impl Bench {
    fn new() -> Self {
        Self::with(ControllerKind::default())
    }

    fn with(kind: ControllerKind) -> Self {
        Self {
            recovery: Recovery::new(kind),
            rng: Rng::from_seed([1; 32]),
            outcome: AckOutcome::new(),
            timeouts: TimeoutOutcome::new(),
        }
    }

    fn send(&mut self, path: PathKey, now: Instant) -> u64 {
        self.send_with(path, now, false)
    }

    fn send_with(&mut self, path: PathKey, now: Instant, is_marked: bool) -> u64 {
        let pn = self.recovery.next_packet_number(&mut self.rng);
        self.recovery.on_packet_sent(SentPacket {
            pn,
            at: now,
            bytes: SIZE,
            path,
            ack_eliciting: true,
            is_marked,
            frames: pn,
        });
        pn
    }

    /// Sends packets as the engine does: marked as long as the path may be.
    fn send_marked(&mut self, count: usize, path: PathKey, now: Instant) -> Vec<u64> {
        let mut send = |_| {
            let is_marked = self.recovery.marks(path);
            self.send_with(path, now, is_marked)
        };
        (0..count).map(&mut send).collect()
    }

    /// Acknowledges single packets, and counts so many ECT(0) and CE in all.
    fn ack_counting(&mut self, numbers: &[u64], (ect0, ce): (u64, u64), now: Instant) {
        self.ack(numbers, now);
        let counts = EcnCounts { ect0, ect1: 0, ce };
        self.recovery
            .on_ecn_counts(counts, &self.outcome.acked, now);
    }

    fn send_many(&mut self, count: usize, path: PathKey, now: Instant) -> Vec<u64> {
        (0..count).map(|_| self.send(path, now)).collect()
    }

    /// Acknowledges single packets, given in ascending order.
    fn ack(&mut self, numbers: &[u64], now: Instant) -> &AckOutcome<u64> {
        let ranges = numbers.iter().rev().map(|pn| (*pn, *pn));
        let result = self
            .recovery
            .on_ack(ranges, Duration::ZERO, now, &mut self.outcome);
        assert_eq!(result, Ok(()));
        &self.outcome
    }

    fn lost_by_ack(&mut self, numbers: &[u64], now: Instant) -> Vec<u64> {
        self.ack(numbers, now)
            .lost
            .iter()
            .map(|l| l.frames)
            .collect()
    }

    fn timeout(&mut self, now: Instant) -> (Vec<u64>, Vec<PathKey>) {
        self.recovery.on_timeout(now, &mut self.timeouts);
        let lost = self.timeouts.lost.iter().map(|l| l.pn).collect();
        (lost, self.timeouts.probes.clone())
    }
}

#[test]
fn three_later_packets_make_one_lost() {
    let mut bench = Bench::new();
    let sent = bench.send_many(4, A, at(0));
    assert_eq!(bench.lost_by_ack(&sent[2..3], at(50)), [0_u64; 0]);
    assert_eq!(bench.lost_by_ack(&sent[3..4], at(50)), sent[..1]);
    assert_eq!(bench.recovery.bytes_in_flight(A), u64::from(SIZE));
    let stats = bench.recovery.stats(A).unwrap();
    assert_eq!((stats.lost_packets, stats.congestion_events), (1, 1));
}

#[test]
fn nine_eighths_of_a_round_trip_make_a_packet_lost() {
    let mut bench = Bench::new();
    let sent = bench.send_many(2, A, at(0));
    assert!(bench.lost_by_ack(&sent[1..], at(80)).is_empty());
    assert_eq!(bench.recovery.next_timeout(), Some(at(90)));
    assert_eq!(bench.timeout(at(89)), (vec![], vec![]));
    assert_eq!(bench.timeout(at(90)), (vec![sent[0]], vec![]));
    assert_eq!(bench.recovery.next_timeout(), None);
    assert!(bench.recovery.is_idle());
}

/// Protocol §7, §7.1.
#[test]
fn other_paths_do_not_make_a_packet_lost() {
    let mut bench = Bench::new();
    let slow = bench.send_many(2, A, at(0));
    let fast = bench.send_many(20, B, at(1));
    assert!(bench.lost_by_ack(&fast, at(11)).is_empty());
    assert_eq!(bench.recovery.rtt(B).unwrap().latest(), ms(10));
    assert!(!bench.recovery.rtt(A).unwrap().is_measured());
    let late = bench.send(A, at(20));
    assert!(
        bench.lost_by_ack(&[late], at(120)).contains(&slow[0]),
        "by time"
    );
}

#[test]
fn numbers_of_other_paths_in_between_do_not_count_as_distance() {
    let mut bench = Bench::new();
    let first = bench.send(A, at(0));
    bench.send_many(20, B, at(0));
    let second = bench.send(A, at(0));
    assert!(bench.lost_by_ack(&[second], at(50)).is_empty());
    assert_eq!(bench.ack(&[first], at(51)).delivered.len(), 1);
}

#[test]
fn probe_timeouts_double_up_to_a_bound_and_end_with_an_acknowledgement() {
    let mut bench = Bench::new();
    bench.send(A, at(0));
    let mut last = at(0);
    let mut intervals = Vec::new();
    for _ in 0..6 {
        let due = bench.recovery.next_timeout().unwrap();
        intervals.push(due.saturating_since(last).as_millis());
        assert_eq!(bench.timeout(due), (vec![], vec![A]));
        last = due;
    }
    assert_eq!(intervals, [1_009, 2_018, 2_018, 2_018, 2_018, 2_018]);
    assert_eq!(bench.recovery.pto_count(A), 6);
    let probe = bench.send(A, last);
    bench.ack(&[probe], last + ms(30));
    assert_eq!(bench.recovery.pto_count(A), 0);
}

#[test]
fn a_seeded_round_trip_time_shortens_the_first_probe_timeout() {
    let mut bench = Bench::new();
    bench.recovery.seed_rtt(A, ms(20), at(0));
    bench.send(A, at(0));
    assert_eq!(bench.recovery.next_timeout(), Some(at(0) + ms(70)));
}

#[test]
fn an_acknowledged_probe_shows_what_was_lost_before_it() {
    let mut bench = Bench::new();
    let first = bench.send(A, at(0));
    bench.ack(&[first], at(40));
    let tail = bench.send_many(2, A, at(40));
    let due = bench.recovery.next_timeout().unwrap();
    assert_eq!(bench.timeout(due).1, [A]);
    assert_eq!(
        bench
            .recovery
            .outstanding_on(A)
            .copied()
            .collect::<Vec<_>>(),
        tail
    );
    let probe = bench.send(A, due);
    assert_eq!(bench.lost_by_ack(&[probe], due + ms(40)), tail);
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut bench = Bench::new();
    let last = *bench.send_many(600, A, at(0)).last().unwrap();
    let mut ack = |start, end| {
        let ranges = [(start, end)];
        bench
            .recovery
            .on_ack(ranges, Duration::ZERO, at(50), &mut bench.outcome)
    };
    assert_eq!(ack(last + 1, last + 1), Err(AckOfUnsent { pn: last + 1 }));
    assert!(ack(0, last).is_err(), "a number in between was left out");
}

#[test]
fn persistent_congestion_shrinks_the_window_to_its_minimum() {
    let mut bench = Bench::new();
    let first = bench.send(A, at(0));
    bench.ack(&[first], at(40));
    for step in 0..20 {
        bench.send(A, at(100 + 100 * step));
    }
    let last = bench.send(A, at(2_200));
    assert_eq!(bench.lost_by_ack(&[last], at(2_240)).len(), 20);
    assert_eq!(bench.recovery.window(A), u64::from(2 * SIZE));
}

#[test]
fn losses_at_once_are_one_event_and_no_persistent_congestion() {
    let mut bench = Bench::new();
    let sent = bench.send_many(10, A, at(0));
    assert_eq!(bench.lost_by_ack(&sent[9..], at(40)).len(), 7);
    assert_eq!(
        bench.recovery.window(A),
        initial_window(u64::from(SIZE)) * 7 / 10
    );
    assert_eq!(bench.timeout(at(45)).0.len(), 2);
    assert_eq!(bench.recovery.stats(A).unwrap().congestion_events, 1);
}

#[test]
fn a_spurious_loss_is_noted_forgiven_and_learnt_from() {
    let mut bench = Bench::new();
    let sent = bench.send_many(8, A, at(0));
    let window = bench.recovery.window(A);
    assert_eq!(bench.lost_by_ack(&sent[3..4], at(40)), sent[..1]);
    assert!(bench.recovery.window(A) < window);
    let outcome = bench.ack(&sent[..1], at(41));
    assert_eq!((outcome.spurious_losses, outcome.delivered.len()), (1, 0));
    assert!(bench.recovery.window(A) >= window);
    let more = bench.send_many(8, A, at(50));
    bench.ack(&sent[1..], at(51));
    assert!(bench.lost_by_ack(&more[3..4], at(90)).is_empty());
}

#[test]
fn an_abandoned_path_gives_back_its_packets_without_a_congestion_signal() {
    let mut bench = Bench::new();
    let sent = bench.send_many(5, A, at(0));
    bench.send_many(3, B, at(0));
    let window = bench.recovery.window(A);
    let mut lost = Vec::new();
    bench.recovery.on_path_abandoned(A, &mut lost);
    assert_eq!(lost.iter().map(|l| l.pn).collect::<Vec<_>>(), sent);
    assert_eq!(bench.recovery.window(A), window);
    assert_eq!(bench.recovery.bytes_in_flight(A), 0);
    bench.recovery.forget_path(A, &mut lost);
    assert!(bench.recovery.stats(A).is_none());
    assert_eq!(
        (lost.len(), bench.recovery.bytes_in_flight(B)),
        (5, u64::from(3 * SIZE))
    );
}

#[test]
fn packets_that_elicit_nothing_are_counted_and_forgotten() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        let pn = bench.recovery.next_packet_number(&mut bench.rng);
        bench.recovery.on_packet_sent(SentPacket {
            pn,
            at: at(0),
            bytes: SIZE,
            path: A,
            ack_eliciting: false,
            is_marked: false,
            frames: pn,
        });
    }
    assert!(bench.recovery.is_idle() && bench.recovery.next_timeout().is_none());
    assert_eq!(bench.recovery.stats(A).unwrap().sent_packets, 100);
}

#[test]
fn the_peers_delay_is_taken_off_samples() {
    let mut bench = Bench::new();
    let first = bench.send(A, at(0));
    bench.ack(&[first], at(40));
    let second = bench.send(A, at(40));
    let ranges = [(second, second)];
    let result = bench
        .recovery
        .on_ack(ranges, ms(8), at(88), &mut bench.outcome);
    assert_eq!(result, Ok(()));
    assert_eq!(bench.outcome.rtt_sample, Some((A, ms(48))));
    assert_eq!(bench.recovery.rtt(A).unwrap().smoothed(), ms(40));
}

#[test]
fn the_window_and_the_pacer_bound_what_may_leave() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.recovery.may_send(A, at(0)).bytes,
        initial_window(u64::from(SIZE))
    );
    bench.send_many(10, A, at(0));
    let full = SendBudget {
        bytes: 0,
        blocked_until: None,
    };
    assert_eq!(bench.recovery.may_send(A, at(0)), full);
    let numbers: Vec<u64> = (0..10).collect();
    bench.ack(&numbers, at(50));
    let window = bench.recovery.window(A);
    assert_eq!(window, 2 * initial_window(u64::from(SIZE)));
    let budget = bench.recovery.may_send(A, at(50));
    assert!(budget.bytes >= u64::from(SIZE) && budget.bytes < window);
    bench.send_many((budget.bytes / u64::from(SIZE)) as usize, A, at(50));
    let paced = bench.recovery.may_send(A, at(50));
    assert_eq!(paced.bytes, 0);
    let release = paced.blocked_until.unwrap();
    assert!(release > at(50) && bench.recovery.may_send(A, release).bytes > 0);
}

#[test]
fn a_sender_that_does_not_use_its_window_keeps_it_as_it_is() {
    let mut bench = Bench::new();
    let window = bench.recovery.window(A);
    for step in 0..200 {
        let pn = bench.send(A, at(step * 50));
        bench.ack(&[pn], at(step * 50 + 40));
    }
    assert_eq!(bench.recovery.window(A), window);
    assert!(bench.recovery.is_idle());
}

/// A challenge on another path is not recorded, and overtakes: where the path's own packet is overdue, it measures.
#[test]
fn what_is_not_recorded_hides_no_sample() {
    let mut bench = Bench::new();
    let first = bench.send(A, at(0));
    bench.ack(&[first], at(40));
    let second = bench.send(A, at(100));
    let challenge = bench.recovery.next_packet_number(&mut bench.rng);
    assert_eq!(bench.ack(&[first, challenge], at(150)).rtt_sample, None);
    // An acknowledgement before this one may have been lost, which makes the path look slow.
    assert_eq!(bench.ack(&[second, challenge], at(160)).rtt_sample, None);
    let third = bench.send(A, at(200));
    let challenge = bench.recovery.next_packet_number(&mut bench.rng);
    let due = bench.recovery.next_timeout().expect("under way");
    assert_eq!(bench.timeout(due).1, [A]);
    let sample = bench.ack(&[third, challenge], at(700)).rtt_sample;
    assert_eq!(sample, Some((A, ms(500))));
    assert!(bench.recovery.rtt(A).unwrap().smoothed() > ms(90));
    // One that an older packet than the newest brings says nothing.
    let [late, newer] = [at(800), at(801)].map(|at| bench.send(A, at));
    assert!(bench.ack(&[newer], at(900)).rtt_sample.is_some());
    assert_eq!(bench.ack(&[late, newer], at(1_000)).rtt_sample, None);
}
