//! Streams over a bad pipe: always a prefix, finally all; credit, limits and hostile frames.

mod budget;
mod lost_control;

use bytes::Bytes;
use quickcheck::quickcheck;

use super::{StreamControl, StreamEvent, StreamPiece, StreamSent, Streams};
use crate::api::{ApiMisuse, StreamId, StreamRead};
use crate::level::budget::Budgets;
use crate::level::test_pipe::{Arrival, Pipe};
use crate::level::window::Pace;
use crate::level::{Received, Violation};
use crate::limits;
use crate::time::{Duration, Instant};

#[derive(Clone)]
enum Frame {
    Piece(StreamPiece),
    Control(StreamControl),
}

impl Frame {
    fn sent(&self) -> StreamSent {
        match self {
            Self::Piece(piece) => piece.sent(),
            Self::Control(control) => StreamSent::Control(*control),
        }
    }
}

fn apply(to: &mut Streams, frame: &Frame) -> bool {
    match frame {
        Frame::Piece(p) => {
            let got = to.on_stream(p.id, p.offset, p.open, &p.data, p.fin);
            return got.unwrap() == Received::Accepted;
        }
        Frame::Control(control) => match *control {
            StreamControl::Reset {
                id,
                code,
                final_size_bytes,
            } => to.on_reset(id, code, final_size_bytes).unwrap(),
            StreamControl::Stop { id, code } => to.on_stop(id, code).unwrap(),
            StreamControl::Taken { id } => to.on_taken(id).unwrap(),
            StreamControl::StreamCredit { id, total_bytes } => {
                to.on_stream_credit(id, total_bytes).unwrap();
            }
            StreamControl::StreamsCredit { total_bytes } => to.on_streams_credit(total_bytes),
            StreamControl::StreamsLimit { streams } => to.on_streams_limit(streams),
        },
    }
    true
}

/// Streams with a budget of their own.
fn streams(is_smaller_id: bool) -> Streams {
    Streams::new(is_smaller_id, &Budgets::default())
}

const PACE: Pace = Pace {
    now: Instant::EPOCH,
    rtt: Duration::from_millis(50),
};

fn poll(from: &mut Streams, room: usize) -> Option<Frame> {
    let control = from.poll_control(room, PACE).map(Frame::Control);
    control.or_else(|| from.poll_stream_frame(room, |_| 0).map(Frame::Piece))
}

/// The byte that a stream carries at an offset.
fn content(id: StreamId, offset: usize) -> u8 {
    (id.0 as usize * 31 + offset * 7 + offset / 251) as u8
}

fn bytes_at(id: StreamId, offset: usize, len: usize) -> Bytes {
    (offset..offset + len).map(|o| content(id, o)).collect()
}

/// One direction of one stream as its two ends see it.
#[derive(Default)]
struct Course {
    written: usize,
    goal: usize,
    is_finished: bool,
    is_reset: bool,
    read: usize,
    end: Option<StreamRead>,
}

struct World {
    pipe: Pipe<Frame>,
    sides: [Streams; 2],
    /// By stream, then by sending side.
    courses: Vec<(StreamId, [Course; 2])>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            pipe: Pipe::new(seed),
            sides: [streams(true), streams(false)],
            courses: Vec::new(),
        };
        world.pipe.loss_percent = seed % 45;
        for _ in 0..6 {
            let side = world.pipe.rng.below(2) as usize;
            let id = world.sides[side].open(5.into()).unwrap();
            let mut courses: [Course; 2] = Default::default();
            for course in &mut courses {
                course.goal = [0, 1, 3_000, 200_000][world.pipe.rng.below(4) as usize];
            }
            world.courses.push((id, courses));
        }
        world
    }

    fn act(&mut self) {
        for (id, courses) in &mut self.courses {
            for (side, course) in courses.iter_mut().enumerate() {
                let rng = &mut self.pipe.rng;
                let sender = &mut self.sides[side];
                let is_known = sender.tag(*id).is_some();
                if is_known && !course.is_finished && !course.is_reset {
                    if rng.below(400) == 0 {
                        sender.reset(*id, 9).unwrap();
                        course.is_reset = true;
                    } else if course.written < course.goal {
                        let len = 1 + rng.below(30_000) as usize;
                        let len = len.min(course.goal - course.written);
                        let data = bytes_at(*id, course.written, len);
                        course.written += sender.write(*id, data).unwrap();
                    } else {
                        sender.finish(*id).unwrap();
                        course.is_finished = true;
                    }
                }
                let reader = &mut self.sides[1 - side];
                if reader.tag(*id).is_none() || course.end.is_some() {
                    continue;
                }
                match reader.read(*id, 1 + rng.below(50_000) as usize).unwrap() {
                    StreamRead::Data(data) => {
                        let expected = bytes_at(*id, course.read, data.len());
                        assert!(data == expected, "a prefix, byte-exact");
                        course.read += data.len();
                    }
                    StreamRead::Pending => {}
                    end => course.end = Some(end),
                }
            }
        }
    }

    fn exchange(&mut self) {
        let now = self.pipe.now;
        for side in 0..2 {
            for _ in 0..40 {
                let room = 100 + self.pipe.rng.below(1_300) as usize;
                let Some(frame) = poll(&mut self.sides[side], room) else {
                    break;
                };
                self.pipe.send(side, vec![frame]);
            }
        }
        let until = now + Duration::from_millis(20);
        while let Some(arrival) = self.pipe.next_arrival(until) {
            match arrival {
                Arrival::Packet { to, number, frames } => {
                    let mut fine = true;
                    for frame in &frames {
                        fine &= apply(&mut self.sides[to], frame);
                    }
                    self.pipe.settle(number, fine);
                }
                Arrival::Acked { side, frames } => {
                    let side = &mut self.sides[side];
                    frames.iter().for_each(|f| side.on_delivered(&f.sent()));
                }
                Arrival::Lost { side, frames } => {
                    let side = &mut self.sides[side];
                    frames.iter().for_each(|f| side.on_lost(&f.sent()));
                }
            }
        }
    }
}

quickcheck! {
    fn always_a_prefix_and_finally_all(seed: u64) -> bool {
        let mut world = World::new(seed);
        for _ in 0..3_000 {
            world.act();
            world.exchange();
            if world.sides.iter().all(Streams::is_empty) {
                break;
            }
        }
        for (_, courses) in &world.courses {
            for course in courses {
                match course.end {
                    Some(StreamRead::Finished) => assert_eq!(course.read, course.goal),
                    // A reset may also end a stream that was complete but not read.
                    Some(StreamRead::Reset(9)) => assert!(course.is_reset),
                    // Removed after the reset, before a read asked.
                    _ => assert!(course.is_reset, "{} of {}", course.read, course.goal),
                }
            }
        }
        assert!(world.sides.iter().all(Streams::is_empty), "all removed");
        for side in 0..2 {
            let (a, b) = (&world.sides[side], &world.sides[1 - side]);
            assert_eq!(a.sent_bytes, b.received_bytes, "same books");
            assert_eq!(b.received_bytes, b.consumed_bytes, "no credit is lost");
            assert!(!a.has_data_to_send());
        }
        world.pipe.now > Instant::EPOCH
    }
}

fn pair() -> (Streams, Streams) {
    (streams(true), streams(false))
}

/// Moves everything at once, without loss, until nobody has anything to say.
fn settle(a: &mut Streams, b: &mut Streams) {
    loop {
        let mut quiet = true;
        for forth in [true, false] {
            let (from, to) = if forth {
                (&mut *a, &mut *b)
            } else {
                (&mut *b, &mut *a)
            };
            while let Some(frame) = poll(from, 1_400) {
                quiet = false;
                assert!(apply(to, &frame));
                from.on_delivered(&frame.sent());
            }
        }
        if quiet {
            return;
        }
    }
}

fn events(streams: &mut Streams) -> Vec<StreamEvent> {
    core::iter::from_fn(|| streams.poll_event()).collect()
}

#[test]
fn a_life_in_events() {
    let (mut a, mut b) = pair();
    let id = a.open(7.into()).unwrap();
    assert_eq!(id, StreamId(0));
    settle(&mut a, &mut b);
    assert_eq!(events(&mut b), [StreamEvent::Opened { id, tag: 7.into() }]);
    assert_eq!(a.write(id, Bytes::from_static(b"ask")), Ok(3));
    a.finish(id).unwrap();
    assert_eq!(a.finish(id), Err(ApiMisuse::StreamFinished));
    settle(&mut a, &mut b);
    assert!(events(&mut a).is_empty(), "acknowledged is not read");
    assert_eq!(events(&mut b), [StreamEvent::Readable(id)]);
    assert_eq!(b.read(id, 0), Ok(StreamRead::Data(Bytes::new())));
    let ask = StreamRead::Data(Bytes::from_static(b"ask"));
    assert_eq!(b.read(id, 100), Ok(ask));
    assert_eq!(b.read(id, 0), Ok(StreamRead::Finished));
    settle(&mut a, &mut b);
    assert!(events(&mut a).is_empty(), "a look takes nothing");
    assert_eq!(b.read(id, 100), Ok(StreamRead::Finished));
    b.finish(id).unwrap();
    settle(&mut a, &mut b);
    let told = [StreamEvent::Finished(id), StreamEvent::Readable(id)];
    assert_eq!(events(&mut a), told);
    assert!(events(&mut b).is_empty());
    assert_eq!(a.read(id, 100), Ok(StreamRead::Finished));
    assert!(a.is_empty());
    settle(&mut a, &mut b);
    assert_eq!(events(&mut b), [StreamEvent::Finished(id)]);
    assert!(b.is_empty());
    assert_eq!(a.read(id, 100), Err(ApiMisuse::UnknownStream));
    // A late copy is ignored.
    let late = b.on_stream(id, 0, Some(7.into()), b"ask", true);
    assert_eq!((late, b.len()), (Ok(Received::Accepted), 0));
}

#[test]
fn the_window_holds_the_sender_back_and_reading_lets_it_go_on() {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    let window = limits::STREAM_WINDOW_BYTES as usize;
    let data = Bytes::from(vec![5; 3 * window]);
    let buffer = limits::STREAM_SEND_BUFFER_BYTES as usize;
    assert_eq!(a.write(id, data), Ok(buffer));
    settle(&mut a, &mut b);
    assert!(!a.has_data_to_send());
    assert_eq!(events(&mut a), [StreamEvent::Writable(id)]);
    let mut read = 0;
    while let Ok(StreamRead::Data(data)) = b.read(id, usize::MAX) {
        read += data.len();
        settle(&mut a, &mut b);
    }
    assert_eq!(read, buffer);
}

#[test]
fn all_streams_together_have_a_window_and_take_turns() {
    let (mut a, mut b) = pair();
    let ids: Vec<_> = (0..8).map(|_| a.open(1.into()).unwrap()).collect();
    for id in &ids {
        let data = Bytes::from(vec![5; limits::STREAM_WINDOW_BYTES as usize]);
        assert!(a.write(*id, data).is_ok());
    }
    settle(&mut a, &mut b);
    assert_eq!(a.sent_bytes, limits::STREAMS_WINDOW_BYTES);
    assert!(!a.has_data_to_send());
    // A finish without bytes needs no credit.
    let last = a.open(1.into()).unwrap();
    a.finish(last).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(b.read(last, 1), Ok(StreamRead::Finished));
    let mut shares = Vec::new();
    for id in &ids {
        let mut read = 0;
        while let Ok(StreamRead::Data(data)) = b.read(*id, usize::MAX) {
            read += data.len();
        }
        shares.push(read);
    }
    let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
    assert!(most - least < 3_000, "{shares:?}");
    settle(&mut a, &mut b);
    assert_eq!(a.sent_bytes, 8 * limits::STREAM_WINDOW_BYTES);
}

#[test]
fn a_stop_resets_the_other_side_and_gives_the_credit_back() {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    a.write(id, Bytes::from(vec![1; 100_000])).unwrap();
    settle(&mut a, &mut b);
    b.stop(id, 4).unwrap();
    b.finish(id).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(events(&mut a)[0], StreamEvent::Stopped { id, code: 4 });
    let write = a.write(id, Bytes::from_static(b"x"));
    assert_eq!(write, Err(ApiMisuse::StreamFinished));
    assert_eq!(a.read(id, 1), Ok(StreamRead::Finished));
    settle(&mut a, &mut b);
    assert!(a.is_empty() && b.is_empty());
    assert_eq!(b.consumed_bytes, 100_000);
}

/// Protocol §8.3.
#[test]
fn a_stop_tells_the_sender_also_after_all_has_arrived() {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    a.write(id, Bytes::from(vec![1; 1_000])).unwrap();
    a.finish(id).unwrap();
    settle(&mut a, &mut b);
    assert!(events(&mut a).is_empty());
    b.stop(id, 4).unwrap();
    b.finish(id).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(events(&mut a)[0], StreamEvent::Stopped { id, code: 4 });
    assert_eq!(a.read(id, 1), Ok(StreamRead::Finished));
    settle(&mut a, &mut b);
    assert!(a.is_empty() && b.is_empty());
    assert_eq!(b.consumed_bytes, 1_000);
}

/// Protocol §8.3.
#[test]
fn a_half_has_ended_when_it_is_read_although_words_get_lost() {
    let (mut a, mut b) = pair();
    let id = a.open(1.into()).unwrap();
    a.write(id, Bytes::from_static(b"all")).unwrap();
    a.finish(id).unwrap();
    let piece = a.poll_stream_frame(1_200, |_| 0).unwrap();
    assert!(apply(&mut b, &Frame::Piece(piece)));
    assert!(matches!(b.read(id, 9), Ok(StreamRead::Data(_))));
    assert_eq!(b.read(id, 9), Ok(StreamRead::Finished));
    let taken = b.poll_control(1_200, PACE).unwrap();
    assert_eq!(taken, StreamControl::Taken { id });
    b.on_lost(&StreamSent::Control(taken));
    assert_eq!(b.poll_control(1_200, PACE), Some(taken));
    // It arrives before the acknowledgement of what it speaks of, and once more.
    assert!(apply(&mut a, &Frame::Control(taken)));
    assert!(apply(&mut a, &Frame::Control(taken)));
    assert_eq!(events(&mut a), [StreamEvent::Finished(id)]);
    assert!(!a.has_data_to_send());
    let early = a.open(1.into()).unwrap();
    assert_eq!(a.on_taken(early), Err(Violation::StreamState));
}

/// Protocol §8.3.
#[test]
fn a_reset_that_overtakes_the_opening_is_told_after_it() {
    let (mut a, mut b) = pair();
    let id = a.open(6.into()).unwrap();
    let open = a.poll_stream_frame(1_200, |_| 0).unwrap();
    a.reset(id, 3).unwrap();
    let reset = a.poll_control(1_200, PACE).unwrap();
    assert!(apply(&mut b, &Frame::Control(reset)));
    assert!(events(&mut b).is_empty());
    // The opening is lost and must come again although the half has ended.
    a.on_delivered(&StreamSent::Control(reset));
    a.on_lost(&open.sent());
    settle(&mut a, &mut b);
    let opened = StreamEvent::Opened { id, tag: 6.into() };
    assert_eq!(events(&mut b), [opened, StreamEvent::Reset { id, code: 3 }]);
    assert_eq!(b.read(id, 1), Ok(StreamRead::Reset(3)));
}

#[test]
fn the_limit_of_streams_moves_as_they_end() {
    let (mut a, mut b) = pair();
    for _ in 0..limits::STREAMS_PER_PEER {
        a.open(1.into()).unwrap();
    }
    assert!(matches!(a.open(1.into()), Err(ApiMisuse::Limit(_))));
    let first = StreamId(0);
    a.finish(first).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(b.read(first, 1), Ok(StreamRead::Finished));
    b.finish(first).unwrap();
    settle(&mut a, &mut b);
    assert_eq!(a.read(first, 1), Ok(StreamRead::Finished));
    settle(&mut a, &mut b);
    assert_eq!(a.open(1.into()), Ok(StreamId(limits::STREAMS_PER_PEER * 2)));
    assert!(a.open(1.into()).is_err());
}

#[test]
fn hostile_frames_are_violations() {
    let fresh = || streams(true);
    let id = StreamId(1);
    let one = |id, offset, data: &[u8]| fresh().on_stream(StreamId(id), offset, None, data, false);
    assert_eq!(one(1, (1 << 62) - 1, b"x"), Err(Violation::FlowControl));
    assert_eq!(one(1, u64::MAX, b"x"), Err(Violation::FlowControl));
    let window = limits::STREAM_WINDOW_BYTES;
    assert_eq!(one(1, window, b"x"), Err(Violation::FlowControl));
    assert_eq!(one(1, window - 1, b"x"), Ok(Received::Accepted));
    assert_eq!(one(0, 0, b"x"), Err(Violation::StreamState));
    assert_eq!(one(u64::MAX, 0, b"x"), Err(Violation::StreamLimit));
    let limit = limits::STREAMS_PER_PEER * 2;
    assert_eq!(one(limit + 1, 0, b"x"), Err(Violation::StreamLimit));
    assert_eq!(one(limit - 1, 0, b"x"), Ok(Received::Accepted));
    let mut streams = fresh();
    assert!(
        streams
            .on_stream(id, 0, Some(1.into()), b"abc", true)
            .is_ok()
    );
    let beyond = streams.on_stream(id, 3, None, b"d", false);
    assert_eq!(beyond, Err(Violation::FinalSize));
    let moved = streams.on_stream(id, 0, Some(1.into()), b"ab", true);
    assert_eq!(moved, Err(Violation::FinalSize));
    assert_eq!(streams.on_reset(id, 0, 4), Err(Violation::FinalSize));
    let other = streams.on_stream(id, 0, Some(2.into()), b"abc", true);
    assert_eq!(other, Err(Violation::InconsistentData));
    let mut streams = fresh();
    assert_eq!(
        streams.on_reset(id, 0, 1 << 61),
        Err(Violation::FlowControl)
    );
    assert_eq!(streams.on_stop(StreamId(2), 0), Err(Violation::StreamState));
    // All streams together.
    let mut streams = fresh();
    for n in 0..4 {
        let id = StreamId(n * 2 + 1);
        assert!(streams.on_reset(id, 0, window).is_ok());
    }
    // What is thrown away is given back, but counts until the credit is advertised.
    let over = streams.on_stream(StreamId(9), 0, Some(1.into()), b"x", false);
    assert_eq!(over, Err(Violation::FlowControl));
    assert!(streams.poll_control(100, PACE).is_some());
}

#[test]
fn an_idle_peer_holds_nothing_and_frames_fill_the_room() {
    let (mut a, mut b) = pair();
    assert!(!a.has_data_to_send() && !a.has_control_to_send());
    let id = a.open(300.into()).unwrap();
    a.write(id, Bytes::from(vec![1; 10_000])).unwrap();
    let piece = a.poll_stream_frame(1_400, |_| 0).unwrap();
    // Type, flags, id, offset, topic (2), flags, length (2).
    assert_eq!(piece.data.len(), 1_400 - 9);
    assert!(apply(&mut b, &Frame::Piece(piece)));
    assert!(a.poll_stream_frame(20, |_| 0).is_none());
    assert!(a.has_data_to_send());
}
