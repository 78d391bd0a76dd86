//! "Delivered" is said when the receiver's application has taken the message, and not before.

use super::*;

const NOW: Instant = Instant::EPOCH;

/// Two sides, and messages of so many bytes that have arrived whole at the second.
fn arrived(lens: &[usize]) -> (Messages, Messages, Vec<MessageId>) {
    let (mut a, mut b) = (messages(), messages());
    let send = |len: &usize| a.send(1.into(), Bytes::from(vec![7; *len]), None).unwrap();
    let ids = lens.iter().map(send).collect();
    exchange(&mut a, &mut b, NOW);
    (a, b, ids)
}

/// Protocol §8.2.
#[test]
fn a_message_that_arrived_is_delivered_only_once_it_is_taken() {
    let (mut a, mut b, ids) = arrived(&[5_000, 0]);
    assert_eq!(
        a.poll_event(),
        None,
        "all is acknowledged, nothing is taken"
    );
    assert_eq!(
        a.unfinished(),
        ids,
        "what the end of the connection leaves open"
    );
    for id in &ids {
        // To look at it is not to take it.
        assert!(b.read(*id).is_some());
        exchange(&mut a, &mut b, NOW);
        assert_eq!(a.poll_event(), None);
        assert_eq!(b.read(*id), b.take(*id));
        assert_eq!((b.read(*id), b.take(*id)), (None, None), "once");
        exchange(&mut a, &mut b, NOW);
        assert_eq!(a.poll_event(), Some(MessageEvent::Delivered(*id)));
    }
    assert!(a.outgoing.is_settled());
}

/// Protocol §8.2.
#[test]
fn messages_in_a_row_are_told_in_one_frame_that_is_repeated_when_it_is_lost() {
    let (mut a, mut b, ids) = arrived(&[1; 5]);
    for n in [0, 1, 2, 4] {
        assert!(b.take(ids[n]).is_some());
    }
    let all = |b: &mut Messages| -> Vec<_> {
        core::iter::from_fn(|| b.poll_control(1_200, PACE)).collect()
    };
    let told = |first, more| MessageControl::Taken { first, more };
    assert_eq!(all(&mut b), [told(0, 2), told(4, 0)]);
    assert_eq!(all(&mut b), []);
    b.on_lost(&MessageSent::Control(told(0, 2)));
    assert!(b.take(ids[3]).is_some());
    assert_eq!(all(&mut b), [told(0, 3)]);
    for frame in [told(0, 3), told(0, 2), told(4, 0)] {
        assert!(apply(&mut a, &Frame::Control(frame), NOW));
    }
    let delivered: Vec<_> = core::iter::from_fn(|| a.poll_event()).collect();
    assert_eq!(delivered.len(), 5, "each once: {delivered:?}");
}

/// Protocol §8.2.
#[test]
fn word_of_a_taken_message_may_overtake_the_acknowledgement_of_its_last_fragment() {
    let (mut a, mut b) = (messages(), messages());
    let id = a.send(1.into(), Bytes::from(vec![1; 10]), None).unwrap();
    let piece = a.poll_fragment(1_200, |_| 0, NOW).unwrap();
    assert!(apply(&mut b, &Frame::Piece(piece.clone()), NOW));
    assert!(b.take(id).is_some());
    // It passes for lost, and is to be sent again.
    a.on_lost(&piece.sent());
    a.on_taken(id.0, 0).unwrap();
    assert_eq!(a.poll_event(), Some(MessageEvent::Delivered(id)));
    assert!(!a.has_data_to_send() || a.poll_fragment(1_200, |_| 0, NOW).is_none());
    a.on_delivered(&piece.sent());
    assert_eq!(a.poll_event(), None);
}

/// Protocol §8.2.
#[test]
fn what_nobody_took_before_its_deadline_is_not_to_be_had_afterwards() {
    let (mut a, mut b) = (messages(), messages());
    let deadline = NOW + Duration::from_millis(500);
    let data = Bytes::from(vec![1; 9]);
    let id = a.send(1.into(), data, Some(deadline)).unwrap();
    exchange(&mut a, &mut b, NOW);
    assert!(b.read(id).is_some());
    assert_eq!(a.next_timeout(), Some(deadline));
    a.on_timeout(deadline);
    exchange(&mut a, &mut b, deadline);
    let reason = MessageFailure::TimedOut;
    assert_eq!(a.poll_event(), Some(MessageEvent::Failed { id, reason }));
    assert_eq!((b.read(id), b.take(id)), (None, None));
    assert_eq!(b.poll_event(), None, "nobody is sent for what is gone");
    assert!(a.outgoing.is_settled() && b.incoming.held() == 0);
}

/// Protocol §8.2.
#[test]
fn to_take_what_was_not_sent_is_a_violation() {
    let (mut a, _, _) = arrived(&[]);
    assert_eq!(a.on_taken(0, 0), Err(Violation::InconsistentData));
    let id = a.send(1.into(), Bytes::from(vec![1; 5_000]), None).unwrap();
    assert_eq!(a.on_taken(id.0, u64::MAX), Err(Violation::InconsistentData));
    assert!(a.poll_fragment(1_200, |_| 0, NOW).is_some());
    assert_eq!(a.on_taken(id.0, 0), Err(Violation::InconsistentData));
    let (mut a, ..) = arrived(&[1]);
    while a
        .send(1.into(), Bytes::from(vec![1; 1 << 20]), None)
        .is_ok()
    {}
    // Begun are only as many as take turns; the others wait.
    assert_eq!(a.on_taken(0, 16), Err(Violation::InconsistentData));
}

#[test]
fn a_peer_that_grants_much_and_takes_nothing_makes_no_more_remembered() {
    let (mut a, mut b) = (messages(), messages());
    a.on_credit(u64::MAX >> 2, u64::MAX >> 2);
    let mut sent = 0;
    while sent < 5 * limits::MESSAGES_IN_FLIGHT
        && a.send(1.into(), Bytes::from_static(b"m"), None).is_ok()
    {
        sent += 1;
        while let Some(piece) = a.poll_fragment(1_200, |_| 0, NOW) {
            a.on_delivered(&piece.sent());
        }
    }
    assert_eq!(sent, 2 * limits::MESSAGES_IN_FLIGHT);
    assert_eq!(b.poll_event(), None);
}
