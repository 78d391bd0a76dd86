//! Codec properties for every frame at once: what is written reads back, every cut is refused, and
//! what is accepted has no other spelling.

mod golden;

use quickcheck::{Arbitrary, Gen, quickcheck};

use super::*;
use crate::ecn::EcnCounts;
use crate::limits;
use crate::tag::{Tag, Topic};
use crate::wire::{VARINT_MAX, packet};

/// Any frame as its bytes, made by encoding typed fields.
#[derive(Clone, Debug)]
struct AnyFrame(Vec<u8>);

fn varint(g: &mut Gen) -> u64 {
    // As many of each length as of the others.
    (u64::arbitrary(g) & VARINT_MAX) >> (u32::arbitrary(g) % 62)
}

fn bytes(g: &mut Gen, limit: usize) -> Vec<u8> {
    let len = match u8::arbitrary(g) % 4 {
        0 => limit,
        _ => usize::arbitrary(g) % 70 % (limit + 1),
    };
    (0..len).map(|_| u8::arbitrary(g)).collect()
}

fn text(g: &mut Gen, limit: usize) -> String {
    let mut text = String::arbitrary(g);
    while text.len() > limit {
        text.pop();
    }
    text
}

fn ack_ranges(g: &mut Gen) -> Vec<ack::Range> {
    let mut next = varint(g);
    let mut ranges = Vec::new();
    for _ in 0..u8::arbitrary(g) % 80 + 1 {
        let range = u64::from(u16::arbitrary(g)) >> (u8::arbitrary(g) % 16);
        let gap = u64::from(u16::arbitrary(g)) >> (u8::arbitrary(g) % 16);
        ranges.push((next.saturating_sub(range), next));
        match next.checked_sub(range + gap + 2) {
            Some(below) => next = below,
            None => break,
        }
    }
    ranges
}

fn write(frame: Frame<'_>) -> AnyFrame {
    let mut buffer = [0; 2_000];
    let mut w = Writer::new(&mut buffer);
    frame.encode(&mut w).unwrap();
    assert_eq!(w.len(), frame.encoded_len());
    AnyFrame(w.written().to_vec())
}

/// The service with the number 3, and the first flag.
const SERVICE_3: Tag = Tag {
    topic: Topic::Service(3),
    flags: 1,
};

fn any_tag(g: &mut Gen) -> Tag {
    let number = u32::arbitrary(g) >> (u8::arbitrary(g) % 32);
    let topic = if bool::arbitrary(g) {
        Topic::Service(number)
    } else {
        Topic::Channel(number)
    };
    let flags = u32::arbitrary(g) >> (u8::arbitrary(g) % 32);
    Tag { topic, flags }
}

fn any_small(g: &mut Gen) -> AnyFrame {
    let (id, code) = (varint(g), varint(g));
    let (total_bytes, total_messages) = (varint(g), varint(g));
    let data = u64::arbitrary(g).to_be_bytes();
    let frames = [
        Frame::Ping,
        Frame::KeepAlive,
        Frame::Padding(PaddingFrame {
            zeros: (id % 1_400) as usize,
        }),
        Frame::PathChallenge(PathChallengeFrame { data }),
        Frame::PathResponse(PathResponseFrame { data }),
        Frame::MessageAbandon(MessageAbandonFrame { id }),
        Frame::MessageDeadline(MessageDeadlineFrame { id, life_ms: code }),
        Frame::MessageTaken(MessageTakenFrame {
            first: id,
            more: code,
        }),
        Frame::MessageCredit(MessageCreditFrame {
            total_bytes,
            total_messages,
        }),
        Frame::StreamReset(StreamResetFrame {
            id,
            code,
            final_size_bytes: total_bytes,
        }),
        Frame::StreamStop(StreamStopFrame { id, code }),
        Frame::StreamTaken(StreamTakenFrame { id }),
        Frame::StreamCredit(StreamCreditFrame { id, total_bytes }),
        Frame::StreamsCredit(StreamsCreditFrame { total_bytes }),
        Frame::StreamsLimit(StreamsLimitFrame {
            streams: total_messages,
        }),
    ];
    write(*g.choose(&frames).unwrap())
}

fn any_level_0_or_1(g: &mut Gen) -> AnyFrame {
    let reference = u64::arbitrary(g);
    match u8::arbitrary(g) % 5 {
        4 => write(Frame::ServiceName(ServiceNameFrame {
            number: u32::arbitrary(g),
            name: &format!("s{}", text(g, limits::SERVICE_NAME_BYTES - 1)),
        })),
        3 => write(Frame::Latest(LatestFrame {
            version: varint(g),
            key: &format!("k{}", text(g, limits::LATEST_KEY_BYTES - 1)),
            value: &bytes(g, limits::LATEST_VALUE_BYTES),
        })),
        0 => write(Frame::Datagram(DatagramFrame {
            tag: any_tag(g),
            data: &bytes(g, limits::DATAGRAM_BODY_BYTES),
        })),
        1 => write(Frame::Request(RequestFrame {
            reference,
            service: &text(g, limits::SERVICE_NAME_BYTES),
            budget: u8::arbitrary(g) % (limits::FORWARD_BUDGET + 1),
            body: &bytes(g, limits::REQUEST_BODY_BYTES),
        })),
        _ => write(Frame::Answer(AnswerFrame {
            reference,
            status: u16::arbitrary(g),
            body: &bytes(g, limits::REQUEST_BODY_BYTES),
        })),
    }
}

fn any_message(g: &mut Gen) -> AnyFrame {
    let data = bytes(g, 1_200);
    let offset_bytes = varint(g) / 4;
    write(Frame::Message(MessageFrame {
        id: varint(g),
        tag: any_tag(g),
        total_bytes: offset_bytes + data.len() as u64 + varint(g) / 4,
        offset_bytes,
        data: &data,
    }))
}

fn any_stream(g: &mut Gen) -> AnyFrame {
    let tag = bool::arbitrary(g).then(|| any_tag(g));
    write(Frame::Stream(StreamFrame {
        id: varint(g),
        offset_bytes: if tag.is_some() { 0 } else { varint(g) / 2 },
        tag,
        fin: bool::arbitrary(g),
        data: &bytes(g, 1_200),
    }))
}

impl Arbitrary for AnyFrame {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 10 {
            0..=2 => any_small(g),
            3 => any_level_0_or_1(g),
            4 => any_message(g),
            5 => any_stream(g),
            6 => {
                let mut buffer = [0; 1_200];
                let mut w = Writer::new(&mut buffer);
                let ecn = bool::arbitrary(g).then(|| EcnCounts {
                    ect0: varint(g),
                    ect1: varint(g),
                    ce: varint(g),
                });
                ack::encode_ranges(&mut w, varint(g), &ack_ranges(g), ecn.as_ref()).unwrap();
                Self(w.written().to_vec())
            }
            7 => write(Frame::Control(ControlFrame {
                json: &bytes(g, limits::CONTROL_BYTES),
            })),
            8 => write(Frame::Close(CloseFrame {
                code: varint(g),
                reason: &text(g, limits::CLOSE_REASON_BYTES),
            })),
            _ => write(Frame::Relay(RelayFrame {
                channel: u32::arbitrary(g),
                datagram: &bytes(g, 1_140),
            })),
        }
    }
}

fn decode(bytes: &[u8]) -> Result<Frame<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let frame = Frame::decode(&mut reader)?;
    reader.finish("frame")?;
    Ok(frame)
}

/// Whether bytes are refused, or are the one spelling of what they decode to.
fn refused_or_canonical(bytes: &[u8]) -> bool {
    let Ok(frames) = iter(bytes).collect::<Result<Vec<_>, _>>() else {
        return check(bytes).is_err();
    };
    let mut buffer = vec![0; bytes.len()];
    let mut w = Writer::new(&mut buffer);
    frames.iter().all(|frame| frame.encode(&mut w).is_ok())
        && w.written() == bytes
        && check(bytes) == Ok(frames.iter().any(Frame::is_ack_eliciting))
}

quickcheck! {
    fn what_we_write_we_can_read(frame: AnyFrame) -> bool {
        let read = decode(&frame.0).unwrap();
        read.encoded_len() == frame.0.len() && write(read).0 == frame.0
    }

    fn every_shortened_frame_is_refused(frame: AnyFrame) -> bool {
        (0..frame.0.len()).all(|cut| decode(&frame.0[..cut]).is_err())
    }

    fn a_frame_is_written_whole_or_not_at_all(frame: AnyFrame) -> bool {
        let read = decode(&frame.0).unwrap();
        let mut buffer = vec![0; frame.0.len()];
        (0..frame.0.len()).all(|room| {
            let mut w = Writer::new(&mut buffer[..room]);
            read.encode(&mut w) == Err(NoRoom) && w.is_empty()
        })
    }

    fn what_is_accepted_has_one_spelling(bytes: Vec<u8>) -> bool {
        // Types below 0x20 only, so that frames and not just their refusal are tested.
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first %= 0x20;
        }
        refused_or_canonical(&bytes)
    }

    fn a_damaged_frame_is_refused_or_canonical(frame: AnyFrame, at: usize, byte: u8) -> bool {
        let mut bytes = frame.0;
        let at = at % bytes.len();
        bytes[at] = byte;
        refused_or_canonical(&bytes)
    }

    fn frames_follow_each_other(frames: Vec<AnyFrame>) -> bool {
        let packet: Vec<u8> = frames.iter().flat_map(|f| f.0.clone()).collect();
        iter(&packet).map(|f| write(f.unwrap()).0).eq(frames.into_iter().map(|f| f.0))
    }
}

#[test]
fn all_inputs_of_up_to_two_bytes_are_safe() {
    assert!(refused_or_canonical(&[]));
    for first in 0..=255 {
        assert!(refused_or_canonical(&[first]));
        for second in 0..=255 {
            assert!(refused_or_canonical(&[first, second]));
            assert_eq!(packet::receiver_index(&[first, second]), None);
            assert!(crate::wire::stun::parse_binding_request(&[first, second]).is_none());
            assert!(crate::wire::control::ControlMessage::parse(&[first, second]).is_err());
        }
    }
}

#[test]
fn frames_have_the_spelling_of_the_protocol() {
    let vectors: [(&[u8], Frame<'_>); 5] = [
        (&[0x01], Frame::Ping),
        (b"\x04\x0a{\"c\":\"ka\"}", Frame::KeepAlive),
        (
            b"\x0b\x01\x04\x00\x40\x64\x40\x62\x02hi",
            Frame::Message(MessageFrame {
                id: 1,
                tag: 2.into(),
                total_bytes: 100,
                offset_bytes: 98,
                data: b"hi",
            }),
        ),
        (
            b"\x10\x03\x04\x00\x07\x01\x03end",
            Frame::Stream(StreamFrame {
                id: 4,
                offset_bytes: 0,
                tag: Some(SERVICE_3),
                fin: true,
                data: b"end",
            }),
        ),
        (
            b"\x16\x80\x00\x00\x01\x01\xff",
            Frame::Relay(RelayFrame {
                channel: 0x8000_0001,
                datagram: &[0xff],
            }),
        ),
    ];
    for (bytes, frame) in vectors {
        assert_eq!(decode(bytes), Ok(frame));
        assert_eq!(write(frame).0, bytes);
    }
}

#[test]
fn values_out_of_bounds_are_refused() {
    let refused: [(&[u8], DecodeErrorKind); 10] = [
        (&[0x17], DecodeErrorKind::UnknownType),
        (&[0x00, 2, 0, 1], DecodeErrorKind::NotCanonical),
        (b"\x04\x0a{\"c\":\"kb\"}", DecodeErrorKind::NotCanonical),
        (
            b"\x08\xc0\x00\x00\x02\x00\x00\x00\x00\x00\x00",
            DecodeErrorKind::OutOfRange,
        ),
        (
            b"\x08\x00\xc0\x00\x00\x01\x00\x00\x00\x00\x00",
            DecodeErrorKind::OutOfRange,
        ),
        (b"\x19\x00\x00", DecodeErrorKind::OutOfRange),
        (
            b"\x0b\x01\x04\x00\x01\x00\x02hi",
            DecodeErrorKind::OutOfRange,
        ),
        (b"\x10\x04\x00\x00\x00", DecodeErrorKind::OutOfRange),
        (b"\x10\x01\x00\x01\x00\x00\x00", DecodeErrorKind::OutOfRange),
        (b"\x07\x00\x02\xff\xff", DecodeErrorKind::NotUtf8),
    ];
    for (bytes, kind) in refused {
        assert_eq!(decode(bytes).map_err(|e| e.kind), Err(kind), "{bytes:02x?}");
    }
}
