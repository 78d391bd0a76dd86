//! Marks of ECN on the paths of an association (protocol §7.2): which packets leave with one, and what becomes of it.

use super::*;

#[test]
fn a_path_goes_on_marking_once_its_first_marks_are_counted() {
    let mut bench = Bench::new();
    let sent = bench.send_marked(12, A, at(0));
    assert!(!bench.recovery.marks(A), "ten packets try it");
    bench.ack_counting(&sent[..3], (3, 0), at(40));
    assert!(bench.recovery.marks(A));
    bench.ack_counting(&sent[3..], (10, 0), at(41));
    assert!(bench.recovery.marks(A));
}

#[test]
fn a_path_that_bleaches_is_not_marked_again_and_keeps_its_window() {
    let mut bench = Bench::new();
    let mut plain = Bench::new();
    let sent = bench.send_marked(4, A, at(0));
    let other = plain.send_many(4, A, at(0));
    bench.ack_counting(&sent, (0, 0), at(40));
    plain.ack(&other, at(40));
    assert!(!bench.recovery.marks(A) && bench.recovery.marks(B));
    assert_eq!(bench.recovery.window(A), plain.recovery.window(A));
    let later = bench.send_marked(4, A, at(50));
    bench.ack_counting(&later, (4, 0), at(90));
    assert!(!bench.recovery.marks(A));
}

#[test]
fn congestion_counts_only_where_the_counts_are_possible() {
    let mut bench = Bench::new();
    let sent = bench.send_marked(4, A, at(0));
    let before = bench.recovery.window(A);
    bench.ack_counting(&sent, (0, 5), at(40));
    assert!(bench.recovery.window(A) >= before && !bench.recovery.marks(A));
}

#[test]
fn congestion_cuts_the_window_once_in_a_round_trip() {
    let mut bench = Bench::new();
    let sent = bench.send_marked(4, A, at(0));
    let before = bench.recovery.window(A);
    bench.ack_counting(&sent[..1], (0, 1), at(40));
    let cut = bench.recovery.window(A);
    assert!(cut < before);
    bench.ack_counting(&sent[1..], (1, 3), at(45));
    assert_eq!(bench.recovery.window(A), cut, "all of one round trip");
    let later = bench.send_marked(2, A, at(50));
    bench.ack_counting(&later, (2, 4), at(90));
    assert!(bench.recovery.window(A) < cut, "the next round trip");
}

#[test]
fn an_acknowledgement_for_two_paths_does_not_blame_either_for_the_others_loss_of_marks() {
    let mut bench = Bench::new();
    let on_a = bench.send_marked(2, A, at(0));
    let on_b = bench.send_marked(2, B, at(0));
    bench.ack_counting(&[on_a, on_b].concat(), (2, 0), at(40));
    assert!(bench.recovery.marks(A) && bench.recovery.marks(B));
    let on_b = bench.send_marked(2, B, at(50));
    bench.ack_counting(&on_b, (2, 0), at(90));
    assert!(bench.recovery.marks(A) && !bench.recovery.marks(B));
}

#[test]
fn marks_and_their_counts_survive_a_rest() {
    let mut bench = Bench::new();
    let sent = bench.send_marked(2, A, at(0));
    bench.ack_counting(&sent, (2, 0), at(40));
    let mut received = ReceivedPackets::new();
    received.on_packet(0, true, Some(crate::ecn::EcnCodepoint::Ce), at(40));
    received.on_ack_sent(at(41));
    let marks = received.marks();
    let opened = received.largest().expect("something came");
    let rest = bench.recovery.rest(A, &received, opened).expect("quiet");
    let mtu = (A, 1_200);
    (bench.recovery, received) = rest.wake(at(9_000), ControllerKind::default(), mtu, opened);
    assert_eq!(received.marks(), marks, "the peer goes on to compare");
    let first = bench.send_marked(1, A, at(9_000));
    bench.ack_counting(&first, (2, 0), at(9_040));
    assert!(bench.recovery.marks(A), "where the peer is, is known now");
    let second = bench.send_marked(1, A, at(9_050));
    bench.ack_counting(&second, (3, 0), at(9_090));
    assert!(bench.recovery.marks(A));
    let third = bench.send_marked(1, A, at(9_100));
    bench.ack_counting(&third, (3, 0), at(9_140));
    assert!(!bench.recovery.marks(A));
}
