use super::*;

const PAIR: Pair = (0, 1);

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn a_datagram_may_come_once_for_each_time_it_was_sent() {
    let mut l = Ledger::default();
    l.datagram_sent(PAIR, 1, bytes("a"));
    assert!(
        l.datagram_received(PAIR, &2.into(), &bytes("a")).is_err(),
        "channel"
    );
    assert!(
        l.datagram_received(PAIR, &1.into(), &bytes("b")).is_err(),
        "content"
    );
    assert!(
        l.datagram_received((1, 0), &1.into(), &bytes("a")).is_err(),
        "sender"
    );
    assert!(l.datagram_received(PAIR, &1.into(), &bytes("a")).is_ok());
    assert!(
        l.datagram_received(PAIR, &1.into(), &bytes("a")).is_err(),
        "twice"
    );
}

#[test]
fn a_request_is_executed_and_ended_once() {
    let mut l = Ledger::default();
    let id = RequestId(7);
    l.request_sent(PAIR, id, bytes("q"));
    assert_eq!(l.unsettled().len(), 1);
    assert!(l.request_executed(PAIR, id, &bytes("q")).is_ok());
    assert!(l.request_executed(PAIR, id, &bytes("q")).is_err());
    assert!(l.request_done(PAIR, id, &RequestOutcome::TimedOut).is_ok());
    assert!(l.request_done(PAIR, id, &RequestOutcome::TimedOut).is_err());
    assert!(l.unsettled().is_empty());
}

#[test]
fn a_message_reported_delivered_must_have_come() {
    let mut l = Ledger::default();
    l.message_sent(PAIR, MessageId(0), 1, bytes("m"))
        .expect("new");
    l.message_sent(PAIR, MessageId(1), 1, bytes("n"))
        .expect("new");
    assert!(l.message_received(PAIR, &1.into(), &bytes("m")).is_ok());
    assert!(l.message_received(PAIR, &1.into(), &bytes("m")).is_err());
    assert!(l.message_ended(PAIR, MessageId(0), Ok(())).is_ok());
    assert!(l.message_ended(PAIR, MessageId(1), Ok(())).is_err());
    assert!(l.message_ended(PAIR, MessageId(0), Ok(())).is_err());
}

#[test]
fn a_stream_is_read_as_a_prefix_and_ends_where_it_was_ended() {
    let mut l = Ledger::default();
    let id = StreamId(0);
    l.stream_opened(PAIR, id, [0, 0]);
    l.stream_written(PAIR, id, b"hello");
    assert!(l.stream_read(PAIR, id, 0, b"hel").is_ok());
    assert!(l.stream_read(PAIR, id, 3, b"xx").is_err());
    assert!(l.stream_read(PAIR, id, 3, b"lo!").is_err(), "too much");
    assert!(l.stream_read(PAIR, id, 3, b"lo").is_ok());
    assert!(l.stream_read_end(PAIR, id, 5).is_err(), "not ended yet");
    l.stream_finished(PAIR, id);
    assert_eq!(l.unsettled().len(), 1, "the end is owed");
    assert!(l.stream_read_end(PAIR, id, 5).is_ok());
    assert!(l.unsettled().is_empty());
}

#[test]
fn a_crash_settles_what_its_host_waited_for() {
    let mut l = Ledger::default();
    l.request_sent(PAIR, RequestId(1), bytes("q"));
    l.message_sent(PAIR, MessageId(0), 1, bytes("m"))
        .expect("new");
    l.crashed(0);
    assert!(l.unsettled().is_empty());
}

#[test]
fn of_two_messages_that_look_alike_either_may_come_first() {
    let mut l = Ledger::default();
    for id in 0..2 {
        l.message_sent(PAIR, MessageId(id), 1, bytes("m"))
            .expect("new");
    }
    assert!(l.message_received(PAIR, &1.into(), &bytes("m")).is_ok());
    assert!(l.message_ended(PAIR, MessageId(1), Ok(())).is_ok());
    assert!(
        l.message_ended(PAIR, MessageId(0), Ok(())).is_err(),
        "one has come, not two"
    );
}
