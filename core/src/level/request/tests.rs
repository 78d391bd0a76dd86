//! Requests over a bad pipe: executed at most once, ended exactly once; bounds of the reply cache.

use std::collections::BTreeMap;

use bytes::Bytes;
use quickcheck::quickcheck;

use super::{Admission, ReplyCache, RequestPayload, Requests};
use crate::level::test_pipe::{Arrival, Pipe};
use crate::limits;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

#[derive(Clone)]
enum Frame {
    /// Reference, which of its sendings, body.
    Request(u64, u32, Bytes),
    Answer(u64, u32, u8),
}

fn app(body: &[u8]) -> RequestPayload {
    RequestPayload::App {
        service: "echo".to_owned(),
        budget: 0,
        body: Bytes::copy_from_slice(body),
    }
}

fn send_answer(pipe: &mut Pipe<Frame>, replies: &mut ReplyCache<u8>, reference: u64, n: u8) {
    let sending = replies.on_reply_sent(reference);
    pipe.send(1, vec![Frame::Answer(reference, sending, n)]);
}

/// How each request ended: with an answer, or not.
type Ends = BTreeMap<u8, Vec<Option<u8>>>;

/// Asks 40 times; the executing side remembers so many settled references. Returns how often each was executed and
/// how each ended.
fn run(seed: u64, settled_max: usize) -> (BTreeMap<u8, u32>, Ends) {
    let mut pipe = Pipe::new(seed);
    pipe.loss_percent = 10 + seed % 80;
    let (mut requests, mut replies) = (
        Requests::default(),
        ReplyCache::with_settled_max(settled_max),
    );
    let (mut executed, mut ended) = (BTreeMap::new(), Ends::new());
    let mut working: Vec<(Instant, u64, u8)> = Vec::new();
    for tick in 0..1_400_u64 {
        let now = pipe.now;
        if tick.is_multiple_of(3) && tick < 120 {
            let n = (tick / 3) as u8;
            let reference = requests.unused_reference(&mut pipe.rng);
            let deadline = now + Duration::from_millis(100 + pipe.rng.below(9_000));
            requests
                .start(reference, app(&[n]), n, deadline, now)
                .unwrap();
        }
        for expired in requests.on_timeout(now) {
            ended.entry(expired.owner).or_default().push(None);
        }
        while let Some(request) = requests.poll_send(1_200, now) {
            let RequestPayload::App { body, .. } = &request.payload else {
                unreachable!()
            };
            let frame = Frame::Request(request.reference, request.sendings, body.clone());
            pipe.send(0, vec![frame]);
        }
        working.retain(|(at, reference, n)| {
            if *at <= now && replies.on_reply(*reference, *n, now) {
                send_answer(&mut pipe, &mut replies, *reference, *n);
            }
            *at > now
        });
        let until = now + Duration::from_millis(50);
        while let Some(arrival) = pipe.next_arrival(until) {
            match arrival {
                Arrival::Packet { number, frames, .. } => {
                    pipe.settle(number, true);
                    for frame in frames {
                        match frame {
                            Frame::Request(reference, _, body) => {
                                match replies.on_request(reference, number, pipe.now) {
                                    Admission::Execute => {
                                        *executed.entry(body[0]).or_default() += 1;
                                        let work = Duration::from_millis(pipe.rng.below(700));
                                        working.push((pipe.now + work, reference, body[0]));
                                    }
                                    Admission::Repeat(n) => {
                                        let n = *n;
                                        send_answer(&mut pipe, &mut replies, reference, n);
                                    }
                                    _ => {}
                                }
                            }
                            Frame::Answer(reference, _, n) => {
                                if let Some(entry) = requests.on_answer(reference) {
                                    ended.entry(entry.owner).or_default().push(Some(n));
                                }
                            }
                        }
                    }
                }
                Arrival::Acked { frames, .. } => {
                    for frame in frames {
                        match frame {
                            Frame::Request(reference, ..) => requests.on_delivered(reference),
                            Frame::Answer(reference, ..) => {
                                replies.on_reply_delivered(reference, pipe.next_number(), pipe.now);
                            }
                        }
                    }
                }
                Arrival::Lost { frames, .. } => {
                    for frame in frames {
                        match frame {
                            Frame::Request(reference, sending, _) => {
                                requests.on_lost(reference, sending);
                            }
                            Frame::Answer(reference, sending, _) => {
                                if let Some(n) = replies.on_reply_lost(reference, sending) {
                                    let n = *n;
                                    send_answer(&mut pipe, &mut replies, reference, n);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(requests.is_empty() && requests.next_timeout().is_none());
    (executed, ended)
}

quickcheck! {
    fn executed_at_most_once_and_ended_exactly_once(seed: u64) -> bool {
        let (executed, ended) = run(seed, (seed % 4) as usize);
        (0..40_u8).all(|n| {
            let times = executed.get(&n).copied().unwrap_or(0);
            let ends = ended.get(&n).map_or(&[][..], Vec::as_slice);
            let right = match ends {
                [Some(answer)] => *answer == n && times == 1,
                [None] => true,
                _ => false,
            };
            times <= 1 && right
        })
    }
}

/// Protocol §6.1, §8.1.
#[test]
fn repeats_follow_the_clock() {
    let mut requests = Requests::default();
    let start = Instant::from_millis(0);
    let deadline = start + Duration::from_secs(10);
    requests.start(7, app(b""), (), deadline, start).unwrap();
    let mut sent = Vec::new();
    let mut now = start;
    loop {
        while requests.poll_send(1_200, now).is_some() {
            sent.push(now.as_nanos() / 1_000_000);
        }
        let Some(next) = requests.next_timeout() else {
            break;
        };
        now = next;
        if !requests.on_timeout(now).is_empty() {
            break;
        }
    }
    assert_eq!(sent, [0, 250, 750, 1_750, 3_750, 5_750, 7_750, 9_750]);
    assert_eq!(now, deadline);
}

#[test]
fn only_the_newest_sending_is_repeated_and_the_clock_keeps_its_pauses() {
    let mut requests = Requests::default();
    let now = Instant::EPOCH;
    let end = now + Duration::from_secs(9);
    requests.start(1, app(b""), (), end, now).unwrap();
    assert_eq!(requests.poll_send(1_200, now).unwrap().sendings, 1);
    requests.on_lost(1, 1);
    assert_eq!(requests.poll_send(1_200, now).unwrap().sendings, 2);
    requests.on_lost(1, 1);
    assert!(!requests.has_data_to_send(), "the second is under way");
    requests.on_probe(1);
    requests.on_probe(1);
    assert_eq!(requests.poll_send(1_200, now).unwrap().sendings, 3);
    assert_eq!(requests.next_timeout(), Some(now + super::outgoing::RETRY));
    requests.on_delivered(1);
    requests.on_lost(1, 3);
    requests.on_probe(1);
    assert!(!requests.has_data_to_send(), "it has arrived");
    assert!(requests.on_answer(1).is_some() && requests.next_timeout().is_none());
}

#[test]
fn only_the_newest_sending_of_an_answer_is_repeated() {
    let mut replies = ReplyCache::default();
    let now = Instant::EPOCH;
    assert_eq!(replies.on_request(1, 0, now), Admission::Execute);
    assert_eq!(replies.on_probe(1), None, "there is no answer yet");
    assert!(replies.on_reply(1, 9, now));
    assert_eq!(replies.on_reply_sent(1), 1);
    assert_eq!(replies.on_reply_sent(1), 2);
    assert_eq!(replies.on_reply_lost(1, 1), None);
    assert_eq!(replies.on_reply_lost(1, 2), Some(&9));
    assert_eq!(replies.on_probe(1), Some(&9));
    replies.on_reply_delivered(1, 5, now);
    assert_eq!(replies.on_reply_lost(1, 2), None);
    assert_eq!(replies.on_probe(1), None);
}

#[test]
fn a_request_waits_for_room_and_a_cancelled_one_never_leaves() {
    let mut requests = Requests::default();
    let now = Instant::EPOCH;
    let end = now + Duration::from_secs(1);
    requests.start(1, app(&[0; 1_000]), (), end, now).unwrap();
    assert!(requests.poll_send(1_015, now).is_none());
    assert!(requests.has_data_to_send());
    assert!(requests.cancel(1).is_some());
    assert!(requests.poll_send(1_200, now).is_none());
    assert!(requests.on_answer(1).is_none());
}

#[test]
fn under_way_are_bounded() {
    let mut requests = Requests::default();
    let mut rng = Rng::from_seed([1; 32]);
    let now = Instant::EPOCH;
    let end = now + Duration::from_secs(1);
    for _ in 0..limits::REQUESTS_PER_PEER {
        let reference = requests.unused_reference(&mut rng);
        assert!(requests.start(reference, app(b""), (), end, now).is_ok());
    }
    assert!(requests.start(1, app(b""), (), end, now).is_err());
    assert_eq!(requests.take_all().len(), limits::REQUESTS_PER_PEER);
}

#[test]
fn a_full_cache_refuses_instead_of_forgetting() {
    let mut replies = ReplyCache::default();
    let now = Instant::EPOCH;
    for reference in 0..limits::REPLY_CACHE as u64 {
        assert_eq!(replies.on_request(reference, 0, now), Admission::Execute);
        assert!(replies.on_reply(reference, reference, now));
    }
    assert_eq!(replies.on_request(9_999, 0, now), Admission::Busy);
    assert_eq!(replies.on_request(0, 0, now), Admission::Repeat(&0));
    replies.on_reply_delivered(5, 1, now);
    assert_eq!(replies.on_request(5, 0, now), Admission::Settled);
    assert_eq!(replies.on_request(9_999, 0, now), Admission::Execute);
    let later = now + limits::REPLY_LIFE;
    assert_eq!(replies.on_request(10_000, 1, later), Admission::Execute);
}

#[test]
fn a_brisk_asker_is_served_and_memory_stays_bounded() {
    let mut replies = ReplyCache::default();
    let mut now = Instant::EPOCH;
    for pn in 0..60_000 {
        // 500,000 a second, each settled by the packet that brings the next.
        now += Duration::from_micros(2);
        assert_eq!(replies.on_request(pn, pn, now), Admission::Execute);
        assert!(replies.on_reply(pn, (), now));
        replies.on_reply_delivered(pn, pn + 1, now);
        assert!(replies.len() <= limits::REQUESTS_SETTLED);
    }
    replies.on_timeout(now + limits::REPLY_LIFE);
    assert!(replies.is_empty() && replies.next_timeout().is_none());
}

#[test]
fn a_copy_of_what_was_forgotten_is_told_by_its_packet_number() {
    let mut replies = ReplyCache::with_settled_max(1);
    let now = Instant::EPOCH;
    for reference in [7, 8] {
        let pn = reference * 10;
        assert_eq!(replies.on_request(reference, pn, now), Admission::Execute);
        assert!(replies.on_reply(reference, (), now));
        replies.on_reply_delivered(reference, pn + 5, now);
    }
    assert_eq!(replies.on_request(8, 84, now), Admission::Settled);
    assert_eq!(replies.on_request(7, 74, now), Admission::Late);
    assert_eq!(replies.on_request(9, 75, now), Admission::Execute);
}

#[test]
fn work_that_never_ends_holds_its_place_only_for_a_while() {
    let mut replies = ReplyCache::<()>::default();
    let now = Instant::EPOCH;
    for reference in 0..limits::REQUESTS_PER_PEER as u64 {
        assert_eq!(replies.on_request(reference, 0, now), Admission::Execute);
    }
    assert_eq!(replies.on_request(1_000, 0, now), Admission::Busy);
    assert_eq!(replies.on_request(0, 0, now), Admission::InProgress);
    let later = now + limits::REPLY_LIFE;
    assert_eq!(replies.on_request(1_000, 0, later), Admission::Execute);
    assert!(!replies.on_reply(1, (), later), "nobody waits any more");
}
