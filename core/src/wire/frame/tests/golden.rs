//! The bytes of every frame, recorded in `golden.txt`: a change of the wire shows as a change of that file. Where a
//! change is meant, the failing test prints the whole file as it would be now.

use super::*;

/// A service, and flags of two bytes.
const WEB: Tag = Tag {
    topic: Topic::Service(70),
    flags: 65,
};

const NAMES: [&str; 3] = ["sum", "no more", "{\"c\":\"q\"}"];

/// One frame of each kind, with numbers of one, two and four bytes among its fields.
fn every_frame() -> Vec<Frame<'static>> {
    let [service, reason, json] = NAMES;
    let (json, data) = (json.as_bytes(), b"data".as_slice());
    vec![
        Frame::Padding(PaddingFrame { zeros: 3 }),
        Frame::Ping,
        Frame::Control(ControlFrame { json }),
        Frame::KeepAlive,
        Frame::PathChallenge(PathChallengeFrame { data: [7; 8] }),
        Frame::PathResponse(PathResponseFrame { data: [8; 8] }),
        Frame::Close(CloseFrame { code: 5, reason }),
        Frame::Datagram(DatagramFrame {
            tag: 9.into(),
            data,
        }),
        Frame::Request(RequestFrame {
            reference: 0x1_0000,
            budget: 1,
            service,
            body: data,
        }),
        Frame::Answer(AnswerFrame {
            reference: 0x1_0000,
            status: 404,
            body: data,
        }),
        Frame::Message(MessageFrame {
            id: 70,
            tag: WEB,
            total_bytes: 20_000,
            offset_bytes: 16_000,
            data,
        }),
        Frame::MessageAbandon(MessageAbandonFrame { id: 70 }),
        Frame::MessageCredit(MessageCreditFrame {
            total_bytes: 1 << 24,
            total_messages: 1_024,
        }),
        Frame::Stream(StreamFrame {
            id: 4,
            offset_bytes: 0,
            tag: Some(2.into()),
            fin: false,
            data,
        }),
        Frame::Stream(StreamFrame {
            id: 4,
            offset_bytes: 100_000,
            tag: None,
            fin: true,
            data,
        }),
        Frame::StreamReset(StreamResetFrame {
            id: 4,
            code: 77,
            final_size_bytes: 100_004,
        }),
        Frame::StreamStop(StreamStopFrame { id: 4, code: 78 }),
        Frame::StreamCredit(StreamCreditFrame {
            id: 4,
            total_bytes: 1 << 21,
        }),
        Frame::StreamsCredit(StreamsCreditFrame {
            total_bytes: 1 << 23,
        }),
        Frame::StreamsLimit(StreamsLimitFrame { streams: 300 }),
        Frame::StreamTaken(StreamTakenFrame { id: 300 }),
        Frame::Latest(LatestFrame {
            version: 300,
            key: service,
            value: data,
        }),
        Frame::MessageDeadline(MessageDeadlineFrame {
            id: 70,
            life_ms: 2_000,
        }),
        Frame::MessageTaken(MessageTakenFrame {
            first: 300,
            more: 2,
        }),
        Frame::Relay(RelayFrame {
            channel: 0x0102_0304,
            datagram: data,
        }),
        Frame::ServiceName(ServiceNameFrame {
            number: 70,
            name: service,
        }),
    ]
}

fn line(name: &str, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {hex}\n")
}

#[test]
fn every_frame_has_its_recorded_bytes() {
    let mut table = String::new();
    for frame in every_frame() {
        let AnyFrame(bytes) = write(frame);
        let text = format!("{frame:?}");
        let name: String = text.chars().take_while(|c| c.is_alphabetic()).collect();
        table += &line(&name, &bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Frame::decode(&mut reader).as_ref(), Ok(&frame));
    }
    let mut buffer = [0; 64];
    let mut w = Writer::new(&mut buffer);
    let ranges = [(90, 100), (70, 80), (5, 5)];
    ack::encode_ranges(&mut w, 25_000, &ranges, None).unwrap();
    table += &line("Ack", w.written());
    let counts = EcnCounts {
        ect0: 300,
        ect1: 0,
        ce: 20,
    };
    let mut w = Writer::new(&mut buffer);
    ack::encode_ranges(&mut w, 25_000, &ranges, Some(&counts)).unwrap();
    table += &line("AckEcn", w.written());
    assert!(
        table == include_str!("golden.txt"),
        "golden.txt would be:\n{table}"
    );
}
