//! A peer that is who it says and breaks every rule: its packets are authentic, their frames are ours to write
//! (protocol §5, §8; the bounds of `limits`).

use super::{Net, address, call, connected, count, is_disconnected_event, pair};
use crate::api::{Command, DisconnectReason, Engine, Event};
use crate::error::PeerMisbehaved;
use crate::id::NodeId;
use crate::limits;
use crate::time::Duration;
use crate::wire::Writer;
use crate::wire::frame::{
    CloseFrame, ControlFrame, DatagramFrame, Frame, MessageFrame, PathChallengeFrame, RelayFrame,
    RequestFrame, StreamFrame, StreamResetFrame, StreamStopFrame, ack,
};

pub(super) fn frames(all: &[Frame<'_>]) -> Vec<u8> {
    let mut bytes = vec![0; 1_400];
    let mut writer = Writer::new(&mut bytes);
    for frame in all {
        frame.encode(&mut writer).expect("room");
    }
    let len = writer.len();
    bytes.truncate(len);
    bytes
}

/// Ada sends ben a packet with these bytes as its frames, at once.
pub(super) fn strike(net: &mut Net, ben: NodeId, payload: &[u8]) {
    let (_, mut bytes) = net.forge(2, ben, payload);
    let now = net.now;
    net.node(3).handle_datagram(now, address(2), &mut bytes);
}

/// Lengths of what ben holds for ada, and of his own queues.
fn held(net: &mut Net, ada: NodeId) -> ([usize; 5], usize) {
    let node = net.node(3);
    let key = node.peers.table.key_of(&ada).expect("known");
    let lengths = node
        .peers
        .table
        .get(key)
        .expect("known")
        .peer
        .queue_lengths();
    (
        lengths,
        node.news.len() + node.relayed.len() + node.endpoint.waiting(),
    )
}

fn end_of(events: &[Event]) -> Option<DisconnectReason> {
    events.iter().find_map(|event| match event {
        Event::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
}

fn stream(id: u64, offset_bytes: u64, data: &[u8], fin: bool) -> Frame<'_> {
    let tag = (offset_bytes == 0).then_some(0.into());
    Frame::Stream(StreamFrame {
        id,
        offset_bytes,
        tag,
        fin,
        data,
    })
}

fn message(id: u64, total_bytes: u64, offset_bytes: u64, data: &[u8]) -> Frame<'_> {
    Frame::Message(MessageFrame {
        id,
        tag: 0.into(),
        total_bytes,
        offset_bytes,
        data,
    })
}

#[test]
fn every_broken_rule_ends_that_connection_alone() {
    let (mut probe, ada, ben) = pair();
    call(&mut probe, 2, 3);
    probe.run(Duration::from_secs(1));
    // Streams that ada opens have an even number where her id is the smaller one.
    let own = u64::from(ada > ben);
    let mut unsent = vec![0; 64];
    let mut writer = Writer::new(&mut unsent);
    ack::encode_ranges(&mut writer, 0, &[(900_000, 900_000)], None).expect("room");
    let len = writer.len();
    unsent.truncate(len);
    let window = limits::STREAM_WINDOW_BYTES;
    let many = 4 * limits::STREAMS_PER_PEER + own;
    let broken = [
        unsent,
        frames(&[stream(own, window, b"x", false)]),
        frames(&[stream(own, u64::MAX >> 3, b"x", false)]),
        frames(&[stream(many, 0, b"x", false)]),
        frames(&[stream(own, 0, b"abc", true), stream(own, 3, b"d", false)]),
        frames(&[message(0, u64::MAX >> 3, 0, b"x")]),
        frames(&[message(1 << 45, 10, 0, b"x")]),
        frames(&[message(0, 10, 0, b"x"), message(0, 11, 1, b"y")]),
    ];
    let faults = [
        PeerMisbehaved::AckOfUnsentPacket,
        PeerMisbehaved::FlowControl,
        PeerMisbehaved::FlowControl,
        PeerMisbehaved::StreamLimit,
        PeerMisbehaved::FinalSize,
        PeerMisbehaved::MessageLimit,
        PeerMisbehaved::MessageLimit,
        PeerMisbehaved::MalformedFrame,
    ];
    for (case, payload) in broken.iter().enumerate() {
        let (mut net, ada, ben) = pair();
        call(&mut net, 2, 3);
        net.run(Duration::from_secs(1));
        net.events_of(ada);
        strike(&mut net, ben, payload);
        net.run(Duration::from_secs(1));
        let end = end_of(&net.events_of(ben));
        let Some(DisconnectReason::Misbehaved(fault)) = end else {
            panic!("case {case}: {end:?}");
        };
        assert_eq!(fault, faults[case], "case {case}");
        let theirs = end_of(&net.events_of(ada));
        let accused = Some(DisconnectReason::Accused(fault.code()));
        assert_eq!(theirs, accused, "case {case}");
        // The next connection owes nothing to this one.
        call(&mut net, 2, 3);
        net.run(Duration::from_secs(1));
        assert!(
            net.is_connected(3, &ada) && net.is_connected(2, &ben),
            "case {case}"
        );
    }
}

#[test]
fn malformed_frames_have_no_effect_at_all() {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    net.events_of(ben);
    let good = frames(&[message(0, 5, 0, b"hello")]);
    for cut in 1..good.len() {
        strike(&mut net, ben, &good[..cut]);
    }
    for kind in [0x0e, 0x0f, 0x17, 0x20, 0xff] {
        let mut bytes = good.clone();
        bytes.push(kind);
        strike(&mut net, ben, &bytes);
    }
    net.run(Duration::from_secs(1));
    let events = net.events_of(ben);
    assert_eq!(
        count(&events, |e| matches!(e, Event::MessageReady { .. })),
        0
    );
    assert!(net.is_connected(3, &ada));
}

/// Everything at once, as fast as it can, towards an application that fetches nothing.
#[test]
fn a_flood_of_frames_is_bounded_and_other_peers_are_undisturbed() {
    let (mut net, ada, ben) = connected();
    net.run(Duration::from_secs(5));
    let own = u64::from(ada > ben);
    let json = br#"{"c":"cr1","n":"0000000000000000","u":"ben","ch":"00000001"}"#;
    for i in 0..40_000_u64 {
        let mut control = json.to_vec();
        let text = format!("{i:016x}");
        control[16..32].copy_from_slice(text.as_bytes());
        let (id, data) = (own + 2 * (i % 300), [7; 20]);
        let frame = match i % 10 {
            0 => Frame::Ping,
            1 => Frame::Control(ControlFrame { json: &control }),
            2 => Frame::Control(ControlFrame {
                json: br#"{"c":"cr3","o":[{"h":"9.9.9.9","p":9999,"k":1}]}"#,
            }),
            3 => Frame::Datagram(DatagramFrame {
                tag: 0.into(),
                data: &data,
            }),
            4 => Frame::Request(RequestFrame {
                reference: i,
                service: "s",
                budget: 0,
                body: &data,
            }),
            5 => Frame::Relay(RelayFrame {
                channel: i as u32,
                datagram: &data,
            }),
            6 => Frame::PathChallenge(PathChallengeFrame {
                data: i.to_be_bytes(),
            }),
            7 if id < 512 => stream(id, 0, b"", true),
            8 if id < 512 => Frame::StreamStop(StreamStopFrame { id, code: 1 }),
            9 => message(i % 1_000, 1_000, i % 900, b"z"),
            _ => Frame::KeepAlive,
        };
        strike(&mut net, ben, &frames(&[frame]));
        net.now += Duration::from_micros(20);
    }
    let (lengths, queues) = held(&mut net, ada);
    println!("{lengths:?} {queues} events and datagrams waiting");
    let [outcomes, controls, relayed, replies, kept] = lengths;
    assert!(outcomes == 0 && controls <= limits::CONTROLS_QUEUED);
    assert!(relayed == 0 && replies <= limits::REPLY_CACHE && kept == 0);
    assert!(queues <= 3 * limits::EVENTS_WAITING, "{queues}");
    net.run(Duration::from_secs(5));
    // Ben's session with his introducer went on.
    let now = net.now;
    let states = net.node(3).status(now).introducers;
    assert_eq!(states[0].state, crate::api::IntroducerState::Registered);
}

#[test]
fn streams_opened_and_reset_for_ever_do_not_pile_up() {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    let own = u64::from(ada > ben);
    for i in 0..20_000_u64 {
        if !net.is_connected(2, &ben) || !net.is_connected(3, &ada) {
            break;
        }
        let id = own + 2 * i;
        let reset = StreamResetFrame {
            id,
            code: 1,
            final_size_bytes: 0,
        };
        let stop = StreamStopFrame { id, code: 1 };
        strike(
            &mut net,
            ben,
            &frames(&[
                stream(id, 0, b"", false),
                Frame::StreamReset(reset),
                Frame::StreamStop(stop),
            ]),
        );
        if i % 64 == 0 {
            // Ben's packets leave, his application sleeps.
            let now = net.now;
            let mut buffer = vec![0; 65_536];
            let mut out = Vec::new();
            while let Some(t) = net.node(3).poll_transmit(now, &mut buffer) {
                for datagram in buffer[..t.len].chunks(t.segment_size) {
                    out.push(datagram.to_vec());
                }
            }
            for mut bytes in out {
                net.node(2).handle_datagram(now, address(3), &mut bytes);
            }
            net.now += Duration::from_millis(5);
        }
    }
    let (_, queues) = held(&mut net, ada);
    println!("{queues} events waiting");
    assert!(queues <= 4 * limits::STREAMS_PER_PEER as usize, "{queues}");
}

#[test]
fn a_challenge_and_a_goodbye_in_one_packet_leave_nothing_to_do() {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    let challenge = PathChallengeFrame { data: [1; 8] };
    let close = CloseFrame {
        code: 0,
        reason: "",
    };
    strike(
        &mut net,
        ben,
        &frames(&[Frame::PathChallenge(challenge), Frame::Close(close)]),
    );
    net.run(Duration::from_secs(600));
    let events = net.events_of(ben);
    assert_eq!(count(&events, is_disconnected_event), 1);
    // Goodbyes in a loop: each new connection ends once.
    for _ in 0..10 {
        net.run(Duration::from_secs(10));
        call(&mut net, 2, 3);
        net.run(Duration::from_millis(100));
        assert!(net.is_connected(3, &ada));
        for _ in 0..5 {
            if net.is_connected(2, &ben) {
                strike(&mut net, ben, &frames(&[Frame::Close(close)]));
            }
        }
        net.run(Duration::from_millis(100));
        let events = net.events_of(ben);
        assert_eq!(count(&events, is_disconnected_event), 1, "{events:?}");
        let _ = net
            .node(2)
            .handle_command(crate::time::Instant::EPOCH, Command::Disconnect(ben));
    }
}

/// Ben's session with ada has met this many forgeries, and one more comes. Gives the session's receiver index.
fn wear(net: &mut Net, ada: NodeId, forgeries: u64) -> u32 {
    let node = net.node(3);
    let key = node.peers.table.key_of(&ada).expect("known");
    let entry = node.peers.table.get_mut(key).expect("known");
    let index = entry.peer.wear(forgeries).expect("a session");
    let mut forged = vec![0xC1; 100];
    forged[1..5].copy_from_slice(&index.to_be_bytes());
    let now = net.now;
    net.node(3).handle_datagram(now, address(2), &mut forged);
    index
}

#[test]
fn a_session_that_forgeries_wore_out_is_replaced_and_one_beyond_the_bound_ends() {
    let (mut net, ada, ben) = connected();
    net.run(Duration::from_secs(1));
    let worn = wear(&mut net, ada, limits::FORGERIES_REKEY);
    net.events_of(ben);
    net.run(Duration::from_secs(20));
    let events = net.events_of(ben);
    assert_eq!(count(&events, is_disconnected_event), 0, "it goes on");
    let fresh = wear(&mut net, ada, limits::FORGERIES_MAX);
    assert_ne!(worn, fresh, "a new handshake took over");
    net.run(Duration::from_millis(10));
    let events = net.events_of(ben);
    assert_eq!(count(&events, is_disconnected_event), 1);
    assert!(!net.is_connected(3, &ada));
}
