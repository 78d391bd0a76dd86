//! Messages over a bad pipe: delivered once and byte-exact, or failed; hostile fragments; credit.

mod budget;
mod taken;

use std::collections::BTreeMap;

use bytes::Bytes;
use quickcheck::quickcheck;

use super::{MessageControl, MessageEvent, MessagePiece, MessageSent, Messages, WINDOW_BYTES};
use crate::api::{ApiMisuse, MessageFailure, MessageId};
use crate::level::budget::Budgets;
use crate::level::test_pipe::{Arrival, Pipe};
use crate::level::window::Pace;
use crate::level::{Received, Violation};
use crate::limits;
use crate::time::{Duration, Instant};

#[derive(Clone)]
enum Frame {
    Piece(MessagePiece),
    Control(MessageControl),
}

impl Frame {
    fn sent(&self) -> MessageSent {
        match self {
            Self::Piece(piece) => piece.sent(),
            Self::Control(control) => MessageSent::Control(*control),
        }
    }
}

fn apply(to: &mut Messages, frame: &Frame, now: Instant) -> bool {
    match frame {
        Frame::Piece(p) => {
            let id = (p.id, p.tag);
            if let Some(life_ms) = p.life_ms {
                to.on_deadline(p.id.0, life_ms, now);
            }
            let got = to.on_fragment(id, p.total, p.offset, &p.data, now);
            return got.unwrap() == Received::Accepted;
        }
        Frame::Control(MessageControl::Credit {
            total_bytes,
            total_messages,
        }) => to.on_credit(*total_bytes, *total_messages),
        Frame::Control(MessageControl::Abandon { wire_id }) => to.on_abandon(*wire_id).unwrap(),
        Frame::Control(MessageControl::Taken { first, more }) => {
            to.on_taken(*first, *more).unwrap();
        }
    }
    true
}

/// Messages with a budget of their own.
fn messages() -> Messages {
    Messages::new(&Budgets::default())
}

const PACE: Pace = Pace {
    now: Instant::EPOCH,
    rtt: Duration::from_millis(50),
};

fn poll(from: &mut Messages, room: usize, now: Instant) -> Option<Frame> {
    let control = from.poll_control(room, PACE).map(Frame::Control);
    control.or_else(|| from.poll_fragment(room, |_| 0, now).map(Frame::Piece))
}

/// Both sides with what they saw.
struct World {
    pipe: Pipe<Frame>,
    sides: [Messages; 2],
    sent: [BTreeMap<u64, Vec<u8>>; 2],
    got: [BTreeMap<u64, Vec<u8>>; 2],
    delivered: [Vec<u64>; 2],
    failed: [Vec<(u64, MessageFailure)>; 2],
    /// A side takes only every so many ticks.
    lazy: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            pipe: Pipe::new(seed),
            sides: [messages(), messages()],
            sent: Default::default(),
            got: Default::default(),
            delivered: Default::default(),
            failed: Default::default(),
            lazy: 1 + seed % 7,
        }
    }

    fn send(&mut self, side: usize, len: usize, deadline: Option<Instant>) {
        let mut data = vec![0; len];
        self.pipe.rng.fill(&mut data);
        let bytes = Bytes::from(data.clone());
        if let Ok(id) = self.sides[side].send(3.into(), bytes, deadline) {
            assert!(self.sent[side].insert(id.0, data).is_none());
        }
    }

    fn tick(&mut self, tick: u64) {
        let now = self.pipe.now;
        for side in 0..2 {
            self.sides[side].on_timeout(now);
            for _ in 0..12 {
                let room = 100 + self.pipe.rng.below(1_100) as usize;
                let Some(frame) = poll(&mut self.sides[side], room, now) else {
                    break;
                };
                self.pipe.send(side, vec![frame]);
            }
        }
        let until = now + Duration::from_millis(20);
        while let Some(arrival) = self.pipe.next_arrival(until) {
            match arrival {
                Arrival::Packet { to, number, frames } => {
                    let now = self.pipe.now;
                    let mut fine = true;
                    for frame in &frames {
                        fine &= apply(&mut self.sides[to], frame, now);
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
        if tick.is_multiple_of(self.lazy) {
            self.events();
        }
    }

    fn events(&mut self) {
        for side in 0..2 {
            while let Some(event) = self.sides[side].poll_event() {
                match event {
                    MessageEvent::Ready { id, len_bytes, .. } => {
                        // Its sender may have given it up meanwhile.
                        let Some(data) = self.sides[side].take(id) else {
                            continue;
                        };
                        assert_eq!(data.len(), len_bytes);
                        let twice = self.got[side].insert(id.0, data.to_vec());
                        assert!(twice.is_none(), "delivered twice");
                    }
                    MessageEvent::Delivered(id) => self.delivered[side].push(id.0),
                    MessageEvent::Failed { id, reason } => {
                        self.failed[side].push((id.0, reason));
                    }
                }
            }
        }
    }

    fn is_quiet(&self) -> bool {
        let ended = |s: usize| self.delivered[s].len() + self.failed[s].len();
        // Both sides give a message up at its deadline: what one of them says of it may still be under way when the
        // other has settled.
        let settled = |s: usize| {
            let side = &self.sides[s];
            side.outgoing.is_settled() && side.incoming.is_settled()
        };
        (0..2).all(|s| ended(s) == self.sent[s].len() && settled(s))
    }

    fn check(&self) {
        for side in 0..2 {
            let got = &self.got[1 - side];
            let mut ends = BTreeMap::new();
            for id in &self.delivered[side] {
                assert!(ends.insert(*id, true).is_none(), "two ends");
                assert_eq!(
                    got.get(id),
                    self.sent[side].get(id),
                    "delivered means there"
                );
            }
            for (id, _) in &self.failed[side] {
                assert!(ends.insert(*id, false).is_none(), "two ends");
            }
            assert_eq!(ends.len(), self.sent[side].len(), "every message ends");
            for (id, data) in got {
                assert!(self.sent[side].get(id) == Some(data), "byte-exact");
            }
            let (sender, receiver) = (&self.sides[side], &self.sides[1 - side]);
            assert_eq!(
                sender.outgoing.begun(),
                receiver.incoming.begun(),
                "same books"
            );
            assert_eq!(receiver.incoming.held(), 0, "nothing is left behind");
        }
    }
}

#[test]
fn what_both_sides_gave_up_leaves_nothing_behind() {
    for seed in [18_081_269_400_676_963_890, 7_877_660_312_460_195_418] {
        assert!(delivered_once_and_whole_or_failed(seed));
    }
}

/// Sixty messages with and without deadlines over a line of this seed, to their ends.
fn delivered_once_and_whole_or_failed(seed: u64) -> bool {
    let mut world = World::new(seed);
    world.pipe.loss_percent = seed % 50;
    let rounds = 60;
    for tick in 0..20_000 {
        if tick < rounds {
            let side = world.pipe.rng.below(2) as usize;
            let len = [0, 1, 700, 5_000, 40_000][world.pipe.rng.below(5) as usize];
            let life = Duration::from_millis(world.pipe.rng.below(3_000));
            let deadline = (world.pipe.rng.below(2) == 0).then(|| world.pipe.now + life);
            world.send(side, len, deadline);
        }
        world.tick(tick);
        if tick > rounds && world.is_quiet() {
            break;
        }
    }
    world.events();
    world.check();
    true
}

quickcheck! {
    fn every_message_is_delivered_once_and_whole_or_failed(seed: u64) -> bool {
        delivered_once_and_whole_or_failed(seed)
    }
}

/// Moves everything at once, without loss, until nobody has anything to say.
fn exchange(a: &mut Messages, b: &mut Messages, now: Instant) {
    loop {
        let mut quiet = true;
        for forth in [true, false] {
            let (from, to) = if forth {
                (&mut *a, &mut *b)
            } else {
                (&mut *b, &mut *a)
            };
            // In turns, because a refused fragment is offered again at once.
            if let Some(frame) = poll(from, 1_200, now) {
                quiet = false;
                if apply(to, &frame, now) {
                    from.on_delivered(&frame.sent());
                } else {
                    from.on_lost(&frame.sent());
                }
            }
        }
        if quiet {
            return;
        }
    }
}

#[test]
fn the_largest_message_follows_a_small_one_at_once() {
    let (mut a, mut b) = (messages(), messages());
    let now = Instant::EPOCH;
    for len in [1_000_000, limits::MESSAGE_BYTES, 5, limits::MESSAGE_BYTES] {
        let id = a.send(1.into(), Bytes::from(vec![9; len]), None).unwrap();
        exchange(&mut a, &mut b, now);
        assert_eq!(b.take(id).unwrap().len(), len);
        exchange(&mut a, &mut b, now);
        assert_eq!(a.poll_event(), Some(MessageEvent::Delivered(id)));
    }
}

#[test]
fn what_is_not_taken_holds_the_sender_back() {
    let (mut a, mut b) = (messages(), messages());
    let now = Instant::EPOCH;
    let mut ids = Vec::new();
    for _ in 0..limits::MESSAGES_IN_FLIGHT + 10 {
        ids.push(a.send(1.into(), Bytes::from_static(b"m"), None).unwrap());
        exchange(&mut a, &mut b, now);
    }
    assert_eq!(b.incoming.held(), limits::MESSAGES_IN_FLIGHT);
    for id in &ids[..limits::MESSAGES_IN_FLIGHT] {
        assert!(b.take(*id).is_some());
    }
    exchange(&mut a, &mut b, now);
    assert_eq!(b.incoming.held(), 10);
}

/// Protocol §8.2.
#[test]
fn a_message_given_up_by_its_receiver_is_never_reported_delivered() {
    let (mut a, mut b) = (messages(), messages());
    let id = a.send(1.into(), Bytes::from(vec![1; 2_000]), None).unwrap();
    let now = Instant::EPOCH;
    let first = a.poll_fragment(1_200, |_| 0, now).unwrap();
    let second = a.poll_fragment(1_200, |_| 0, now).unwrap();
    assert!(apply(&mut b, &Frame::Piece(first.clone()), now));
    a.on_delivered(&first.sent());
    let later = now + limits::MESSAGE_PARTIAL_LIFE;
    assert_eq!(b.next_timeout(), Some(later));
    b.on_timeout(later);
    // The abandon is lost; the late fragment must not be acknowledged.
    let abandon = b.poll_control(100, PACE).unwrap();
    assert!(!apply(&mut b, &Frame::Piece(second.clone()), later));
    b.on_lost(&MessageSent::Control(abandon));
    a.on_lost(&second.sent());
    exchange(&mut a, &mut b, later);
    let reason = MessageFailure::Abandoned;
    assert_eq!(a.poll_event(), Some(MessageEvent::Failed { id, reason }));
    assert_eq!((a.poll_event(), b.poll_event()), (None, None));
    assert!(a.outgoing.is_settled());
}

/// A message of two fragments with a deadline after half a second, the first of which has arrived at `b`. Gives the
/// second.
fn half_arrived(a: &mut Messages, b: &mut Messages) -> (MessageId, MessagePiece, Instant) {
    let now = Instant::EPOCH;
    let deadline = now + Duration::from_millis(500);
    let data = Bytes::from(vec![1; 2_000]);
    let id = a.send(1.into(), data, Some(deadline)).unwrap();
    let first = a.poll_fragment(1_200, |_| 0, now).unwrap();
    let second = a.poll_fragment(1_200, |_| 0, now).unwrap();
    assert_eq!((first.life_ms, second.life_ms), (Some(500), Some(500)));
    assert!(apply(b, &Frame::Piece(first.clone()), now));
    a.on_delivered(&first.sent());
    (id, second, deadline)
}

/// Protocol §8.2.
#[test]
fn both_sides_drop_a_message_at_its_deadline_and_its_credit_comes_back() {
    let (mut a, mut b) = (messages(), messages());
    let (id, second, deadline) = half_arrived(&mut a, &mut b);
    assert!(b.incoming.held_capacity_bytes() > 0);
    // The receiver needs no word of its sender for it.
    assert_eq!(b.next_timeout(), Some(deadline));
    b.on_timeout(deadline);
    assert_eq!(b.incoming.held_capacity_bytes(), 0);
    assert!(!apply(&mut b, &Frame::Piece(second.clone()), deadline));
    a.on_lost(&second.sent());
    a.on_timeout(deadline);
    exchange(&mut a, &mut b, deadline);
    let reason = MessageFailure::TimedOut;
    assert_eq!(a.poll_event(), Some(MessageEvent::Failed { id, reason }));
    assert_eq!((a.poll_event(), b.poll_event()), (None, None));
    assert!(a.outgoing.is_settled() && b.incoming.held() == 0);
    // All of the credit is there again: the largest message goes through at once.
    for _ in 0..2 {
        let data = Bytes::from(vec![9; limits::MESSAGE_BYTES]);
        let id = a.send(1.into(), data, None).unwrap();
        exchange(&mut a, &mut b, deadline);
        assert!(b.take(id).is_some());
    }
}

#[test]
fn a_fragment_that_completes_a_message_too_late_delivers_nothing() {
    let (mut a, mut b) = (messages(), messages());
    let (id, second, deadline) = half_arrived(&mut a, &mut b);
    let mut late = second.clone();
    // Copied long ago, and told so: the earliest deadline holds.
    late.life_ms = Some(900);
    assert!(!apply(&mut b, &Frame::Piece(late), deadline));
    assert_eq!(b.poll_event(), None);
    assert!(b.take(id).is_none());
    assert_eq!(b.incoming.held_capacity_bytes(), 0);
}

#[test]
fn nothing_of_a_message_leaves_behind_its_deadline_and_all_of_it_before_is_delivered() {
    let (mut a, mut b) = (messages(), messages());
    let (id, second, deadline) = half_arrived(&mut a, &mut b);
    a.on_lost(&second.sent());
    let just_before = deadline - Duration::from_millis(1);
    let again = a.poll_fragment(1_200, |_| 0, just_before).unwrap();
    assert_eq!(again.life_ms, Some(1));
    a.on_lost(&again.sent());
    assert_eq!(a.poll_fragment(1_200, |_| 0, deadline), None);
    assert!(apply(&mut b, &Frame::Piece(again), just_before));
    assert_eq!(b.take(id).unwrap().len(), 2_000);
}

#[test]
fn a_deadline_concerns_only_the_message_that_it_names() {
    let mut b = messages();
    let now = Instant::EPOCH;
    b.on_deadline(7, 0, now);
    let piece = |id: u64| (MessageId(id), 1.into());
    assert_eq!(
        b.on_fragment(piece(1), 2, 0, b"x", now),
        Ok(Received::Accepted)
    );
    assert_eq!(
        b.on_fragment(piece(7), 2, 0, b"x", now),
        Ok(Received::Accepted)
    );
    b.on_deadline(1, u64::MAX, now);
    assert_eq!(
        b.on_fragment(piece(1), 2, 1, b"x", now),
        Ok(Received::Accepted)
    );
    assert!(b.take(MessageId(1)).is_some());
}

#[test]
fn hostile_fragments_are_violations() {
    let now = Instant::EPOCH;
    let one = |id: u64, total: u64, offset: u64, data: &[u8]| {
        messages().on_fragment((MessageId(id), 1.into()), total, offset, data, now)
    };
    let largest = limits::MESSAGE_BYTES as u64;
    assert_eq!(one(0, largest + 1, 0, b"x"), Err(Violation::MessageLimit));
    assert_eq!(one(0, 1 << 61, 0, b"x"), Err(Violation::MessageLimit));
    assert_eq!(one(0, 10, 10, b"x"), Err(Violation::InconsistentData));
    assert_eq!(one(0, 10, u64::MAX, b"x"), Err(Violation::InconsistentData));
    assert_eq!(one((1 << 62) - 1, 1, 0, b"x"), Ok(Received::Accepted));
    assert_eq!(one(u64::MAX, 1, 0, b"x"), Ok(Received::Accepted));

    let mut messages = messages();
    let id = (MessageId(0), 1.into());
    assert!(messages.on_fragment(id, 10, 0, b"x", now).is_ok());
    let other_total = messages.on_fragment(id, 11, 1, b"x", now);
    assert_eq!(other_total, Err(Violation::InconsistentData));
    let other_tag = messages.on_fragment((MessageId(0), 2.into()), 10, 1, b"x", now);
    assert_eq!(other_tag, Err(Violation::InconsistentData));
    assert_eq!(messages.on_abandon(1), Err(Violation::InconsistentData));
}

#[test]
fn credit_is_enforced_and_declared_totals_cost_nothing() {
    let mut messages = messages();
    let now = Instant::EPOCH;
    let total = WINDOW_BYTES / 2;
    for id in 0..2 {
        let got = messages.on_fragment((MessageId(id), 1.into()), total, 7, b"x", now);
        assert_eq!(got, Ok(Received::Accepted));
    }
    let third = messages.on_fragment((MessageId(2), 1.into()), 1, 0, b"x", now);
    assert_eq!(third, Err(Violation::MessageLimit));
    let held: usize = messages.incoming.held_capacity_bytes();
    assert!(held < 10_000, "{held}");
}

#[test]
fn scattered_abandons_end_the_connection_before_memory_does() {
    let mut messages = messages();
    let violation = (0..1_000_000).find_map(|n| messages.on_abandon(n * 4).err());
    assert_eq!(violation, Some(Violation::MessageLimit));
}

#[test]
fn too_large_and_too_many_are_refused() {
    let mut messages = messages();
    let large = Bytes::from(vec![0; limits::MESSAGE_BYTES + 1]);
    let limit_bytes = limits::MESSAGE_BYTES;
    assert_eq!(
        messages.send(1.into(), large, None),
        Err(ApiMisuse::TooLarge { limit_bytes })
    );
    for _ in 0..limits::MESSAGES_IN_FLIGHT {
        assert!(messages.send(1.into(), Bytes::new(), None).is_ok());
    }
    let refused = messages.send(1.into(), Bytes::new(), None);
    assert!(matches!(refused, Err(ApiMisuse::Limit(_))));
}
