//! Credit, limits and stops that were lost are told again, with their newest values and only while they matter.

use super::*;

/// The next control frame of this side, which must be there.
fn control(from: &mut Streams) -> StreamControl {
    from.poll_control(1_200, PACE).expect("a control frame")
}

fn lose(from: &mut Streams, control: StreamControl) {
    from.on_lost(&StreamSent::Control(control));
}

/// A reader that has read as much as makes it tell credit for its stream.
fn reader_with_credit_to_tell() -> (Streams, StreamId) {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    let quarter = limits::STREAM_WINDOW_BYTES as usize / 4;
    a.write(id, Bytes::from(vec![5; quarter])).unwrap();
    while let Some(piece) = a.poll_stream_frame(1_400, |_| 0) {
        assert!(apply(&mut b, &Frame::Piece(piece)));
        assert!(!b.has_control_to_send(), "not before a quarter was read");
    }
    while let Ok(StreamRead::Data(_)) = b.read(id, usize::MAX) {}
    (b, id)
}

#[test]
fn lost_credit_of_a_stream_is_told_again_unless_a_newer_one_was() {
    let (mut b, id) = reader_with_credit_to_tell();
    let told = control(&mut b);
    let total_bytes = limits::STREAM_WINDOW_BYTES / 4 * 5;
    assert_eq!(told, StreamControl::StreamCredit { id, total_bytes });
    lose(&mut b, told);
    assert_eq!(control(&mut b), told);
    let older = StreamControl::StreamCredit {
        id,
        total_bytes: total_bytes - 1,
    };
    lose(&mut b, older);
    assert!(!b.has_control_to_send());
}

#[test]
fn lost_credit_of_all_streams_is_told_again() {
    let mut b = streams(false);
    let quarter = limits::STREAMS_WINDOW_BYTES / 4;
    // Thrown away by a reset, so read at once.
    b.on_reset(StreamId(0), 0, quarter).unwrap();
    let told = control(&mut b);
    let total_bytes = limits::STREAMS_WINDOW_BYTES + quarter;
    assert_eq!(told, StreamControl::StreamsCredit { total_bytes });
    lose(&mut b, told);
    assert_eq!(control(&mut b), told);
}

#[test]
fn a_lost_limit_of_streams_is_told_again() {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    a.finish(id).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(b.read(id, 1), Ok(StreamRead::Finished));
    b.finish(id).unwrap();
    let end = b.poll_stream_frame(1_200, |_| 0).unwrap();
    b.on_delivered(&end.sent());
    assert_eq!(control(&mut b), StreamControl::Taken { id });
    b.on_taken(id).unwrap();
    let told = control(&mut b);
    let streams = limits::STREAMS_PER_PEER + 1;
    assert_eq!(told, StreamControl::StreamsLimit { streams });
    lose(&mut b, told);
    assert_eq!(control(&mut b), told);
    assert!(!b.has_control_to_send());
}

#[test]
fn a_lost_stop_is_told_again_until_the_reset_that_answers() {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    a.write(id, Bytes::from_static(b"abc")).unwrap();
    settle(&mut a, &mut b);
    b.stop(id, 4).unwrap();
    let stop = control(&mut b);
    assert_eq!(stop, StreamControl::Stop { id, code: 4 });
    lose(&mut b, stop);
    assert_eq!(control(&mut b), stop);
    // The peer's end crosses it: the peer still has to hear that nobody reads it.
    let end = b.on_stream(id, 3, None, b"", true);
    assert_eq!(end, Ok(Received::Accepted));
    lose(&mut b, stop);
    assert_eq!(control(&mut b), stop);
    b.on_reset(id, 4, 3).unwrap();
    lose(&mut b, stop);
    assert!(!b.has_control_to_send());
}
