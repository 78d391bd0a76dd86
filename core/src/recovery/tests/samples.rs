//! What a controller is told of each packet and each acknowledgement, seen by one that writes everything down.
#![expect(
    clippy::disallowed_types,
    reason = "a controller can be sent between threads, so what it shares with its test must be too"
)]

use std::sync::{Arc, Mutex};

use super::*;
use crate::recovery::congestion::{AckSample, AckedPacket, Controller, LostPacket, SentState};
use crate::recovery::path_recovery::PathRecovery;

/// An acknowledgement's sample without its borrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sample {
    newest: u64,
    is_app_limited: bool,
    delivered_bytes: u64,
    delivered_in: Duration,
    lost_bytes: u64,
}

#[derive(Debug, Default)]
struct Notes {
    sent: Vec<SentState>,
    acked: Vec<u64>,
    /// Number, and bytes lost since the packet left.
    lost: Vec<(u64, u64)>,
    samples: Vec<Sample>,
    marks: Vec<Instant>,
    /// Names of the calls, in order.
    calls: Vec<&'static str>,
}

/// A fixed window, rate and quantum.
#[derive(Debug)]
struct Recorder(Arc<Mutex<Notes>>);

const WINDOW: u64 = 20 * SIZE as u64;

impl Controller for Recorder {
    fn on_packet_sent(&mut self, sent: &SentState) {
        self.0.lock().unwrap().sent.push(*sent);
    }

    fn on_packet_acked(&mut self, acked: &AckedPacket<'_>) {
        let mut notes = self.0.lock().unwrap();
        notes.acked.push(acked.sent.pn);
        notes.calls.push("acked");
    }

    fn on_packet_lost(&mut self, lost: &LostPacket<'_>) -> bool {
        let mut notes = self.0.lock().unwrap();
        notes.lost.push((lost.sent.pn, lost.lost_since_bytes));
        notes.calls.push("lost");
        true
    }

    fn on_ecn_ce(&mut self, _now: Instant, sent_at: Instant) -> bool {
        self.0.lock().unwrap().marks.push(sent_at);
        true
    }

    fn on_persistent_congestion(&mut self, _now: Instant) {
        self.0.lock().unwrap().calls.push("persistent");
    }

    fn on_ack(&mut self, sample: &AckSample<'_>, _rtt: &Rtt) {
        let mut notes = self.0.lock().unwrap();
        notes.samples.push(Sample {
            newest: sample.newest.pn,
            is_app_limited: sample.newest.is_app_limited,
            delivered_bytes: sample.delivered_bytes,
            delivered_in: sample.delivered_in,
            lost_bytes: sample.lost_bytes,
        });
        notes.calls.push("ack");
    }

    fn on_spurious_congestion_event(&mut self) {}

    fn on_mtu(&mut self, _mtu: u64) {}

    fn window(&self) -> u64 {
        WINDOW
    }

    fn in_slow_start(&self) -> bool {
        false
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(1_200_000)
    }

    fn send_quantum(&self) -> Option<u64> {
        Some(2 * u64::from(SIZE))
    }
}

/// A bench whose path A is watched.
fn watched() -> (Bench, Arc<Mutex<Notes>>) {
    let notes = Arc::new(Mutex::new(Notes::default()));
    let mut bench = Bench::new();
    let controller = Box::new(Recorder(Arc::clone(&notes)));
    let rtt = Rtt::new(crate::limits::INITIAL_RTT);
    let path = PathRecovery::with_controller(A, controller, u64::from(SIZE), rtt, at(0));
    bench.recovery.insert_path(path);
    (bench, notes)
}

#[test]
fn a_packet_remembers_what_was_so_when_it_left() {
    let (mut bench, notes) = watched();
    let size = u64::from(SIZE);
    let first = bench.send_many(2, A, at(0));
    bench.ack(&first, at(40));
    bench.send(A, at(50));
    let late = bench.send(A, at(55));
    bench.ack(&[late], at(94));
    bench.send(A, at(110));
    let sent = notes.lock().unwrap().sent.clone();
    let facts = |n: usize| {
        let s = sent[n];
        (
            s.delivered_bytes,
            s.delivered_at,
            s.first_sent_at,
            s.in_flight_bytes,
        )
    };
    assert_eq!(facts(0), (0, at(0), at(0), size));
    assert_eq!(
        facts(1),
        (0, at(0), at(0), 2 * size),
        "in flight with itself"
    );
    assert_eq!(facts(2), (2 * size, at(50), at(50), size), "after a pause");
    assert_eq!(facts(3), (2 * size, at(50), at(50), 2 * size));
    let moved = (3 * size, at(94), at(55), 2 * size);
    assert_eq!(facts(4), moved, "the flight moved on");
}

#[test]
fn the_rate_is_that_of_the_slower_of_sending_and_acknowledging() {
    let (mut bench, notes) = watched();
    let size = u64::from(SIZE);
    // Sent over 30 ms, acknowledged at once: the time of sending counts.
    let sent: Vec<u64> = (0..4).map(|n| bench.send(A, at(n * 10))).collect();
    bench.ack(&sent[..1], at(40));
    bench.ack(&sent[1..], at(41));
    // Sent at once, acknowledged over 20 ms: that of acknowledging.
    let burst = bench.send_many(2, A, at(100));
    bench.ack(&burst[..1], at(140));
    bench.ack(&burst[1..], at(160));
    let samples = notes.lock().unwrap().samples.clone();
    let rates: Vec<_> = samples
        .iter()
        .map(|s| (s.delivered_bytes, s.delivered_in))
        .collect();
    assert_eq!(rates[0], (size, ms(40)));
    assert_eq!(rates[1], (4 * size, ms(41)));
    assert_eq!(rates[2], (size, ms(40)));
    assert_eq!(rates[3], (2 * size, ms(60)));
    assert_eq!(samples[3].newest, burst[1]);
}

#[test]
fn losses_are_told_between_the_packets_and_the_acknowledgement_that_show_them() {
    let (mut bench, notes) = watched();
    let size = u64::from(SIZE);
    let sent = bench.send_many(6, A, at(0));
    bench.ack(&sent[4..], at(40));
    let notes = notes.lock().unwrap();
    assert_eq!(
        notes.calls,
        ["acked", "acked", "lost", "lost", "lost", "ack"]
    );
    assert_eq!(notes.acked, [sent[5], sent[4]]);
    let lost: Vec<_> = (0..3).map(|n| (sent[n], (n as u64 + 1) * size)).collect();
    assert_eq!(notes.lost, lost);
    assert_eq!(notes.samples[0].lost_bytes, 3 * size);
}

#[test]
fn app_limited_is_what_left_after_the_sender_ran_dry_until_that_has_arrived() {
    let (mut bench, notes) = watched();
    let first = bench.send_many(2, A, at(0));
    bench.recovery.on_app_limited(A);
    let marked = bench.send(A, at(10));
    bench.ack(&first, at(40));
    let still = bench.send(A, at(41));
    bench.ack(&[marked], at(50));
    let after = bench.send(A, at(51));
    bench.ack(&[still, after], at(91));
    let notes = notes.lock().unwrap();
    let flags: Vec<bool> = notes.sent.iter().map(|s| s.is_app_limited).collect();
    assert_eq!(flags, [false, false, true, true, false]);
    let newest: Vec<bool> = notes.samples.iter().map(|s| s.is_app_limited).collect();
    assert_eq!(newest, [false, true, false]);
}

#[test]
fn a_full_window_is_no_lack_of_data_and_losses_end_the_mark() {
    let (mut bench, notes) = watched();
    bench.send_many(20, A, at(0));
    bench.recovery.on_app_limited(A);
    bench.send(A, at(1));
    assert!(!notes.lock().unwrap().sent[20].is_app_limited);
    let (mut bench, notes) = watched();
    let sent = bench.send_many(10, A, at(0));
    bench.recovery.on_app_limited(A);
    // All but the last are lost; the mark must not wait for them.
    bench.ack(&sent[9..], at(40));
    bench.timeout(bench.recovery.next_timeout().unwrap_or(at(45)));
    let next = bench.send(A, at(100));
    bench.ack(&[next], at(140));
    bench.send(A, at(141));
    let notes = notes.lock().unwrap();
    assert!(!notes.sent.last().unwrap().is_app_limited, "{notes:?}");
}

#[test]
fn rate_and_quantum_of_the_controller_hold() {
    let (mut bench, _) = watched();
    let first = bench.send(A, at(0));
    bench.ack(&[first], at(40));
    let two = 2 * u64::from(SIZE);
    let late = 1_200;
    assert_eq!(bench.recovery.may_send(A, at(60)).bytes, two + late);
    bench.send_many(3, A, at(60));
    let budget = bench.recovery.may_send(A, at(60));
    assert_eq!((budget.bytes, budget.blocked_until), (0, Some(at(62))));
    assert_eq!(bench.recovery.may_send(A, at(62)).bytes, two);
}

#[test]
fn a_mark_is_told_with_the_time_at_which_the_newest_packet_left() {
    let (mut bench, notes) = watched();
    let sent = bench.send_marked(2, A, at(5));
    bench.ack_counting(&sent, (1, 1), at(45));
    assert_eq!(notes.lock().unwrap().marks, [at(5)]);
    assert_eq!(bench.recovery.stats(A).unwrap().congestion_events, 1);
}

#[test]
fn a_mark_shrinks_the_window_of_either_controller_once_a_round_trip() {
    for (kind, tenths) in [(ControllerKind::Cubic, 85), (ControllerKind::NewReno, 80)] {
        let mut bench = Bench::with(kind);
        let mut unmarked = Bench::with(kind);
        let [sent, other] = [&mut bench, &mut unmarked].map(|b| b.send_marked(4, A, at(0)));
        unmarked.ack_counting(&other[..2], (2, 0), at(40));
        bench.ack_counting(&sent[..2], (0, 2), at(40));
        bench.ack_counting(&sent[2..], (0, 4), at(41));
        let expected = unmarked.recovery.window(A) * tenths / 100;
        assert!(bench.recovery.window(A).abs_diff(expected) <= 1, "{kind:?}");
    }
}
