//! Services by name between two nodes (protocol §5.1): whatever the line loses or swaps, across rekeys and rests, what
//! arrives has the name and flags that it was sent with; a peer that breaks the rules of names is cut off.

use bytes::Bytes;

use super::hostile::{frames, strike};
use super::rest::is_at_rest;
use super::{Fate, Net, call, connected, pair};
use crate::api::{Channel, Command, DisconnectReason, Engine, Event, Label, ServiceName};
use crate::error::PeerMisbehaved;
use crate::id::NodeId;
use crate::limits;
use crate::rng::Rng;
use crate::tag::{Tag, Topic};
use crate::time::Duration;
use crate::wire::frame::{DatagramFrame, Frame, MessageFrame, ServiceNameFrame, StreamFrame};

const LONG: &str = "a name that is as long as a service may have it.";

/// The label of the n-th item: three services and one channel in turn, flags beside them.
fn label(n: u32) -> Label {
    let name = ["web", "chat", LONG].get(n as usize % 4);
    let channel = name.map_or(Channel::Number(n % 9), |name| {
        Channel::Service(ServiceName::new(name).expect("a name"))
    });
    let flags = n % 7 * 100;
    Label { channel, flags }
}

fn bytes(n: u32) -> Bytes {
    Bytes::copy_from_slice(&n.to_be_bytes())
}

/// Sends the n-th item over level 0, 2 or 3.
fn send(net: &mut Net, peer: NodeId, n: u32) {
    let (label, data) = (label(n), bytes(n));
    let command = match n / 4 % 3 {
        0 => Command::SendDatagram {
            peer,
            label,
            data,
            expiry: None,
        },
        1 => Command::SendMessage {
            peer,
            label,
            data,
            deadline: None,
        },
        _ => return open(net, peer, label, data),
    };
    net.order(2, command);
}

fn open(net: &mut Net, peer: NodeId, label: Label, data: Bytes) {
    use crate::api::Accepted;
    let Accepted::Stream(stream) = net.order(2, Command::OpenStream { peer, label }) else {
        panic!("no stream");
    };
    net.order(2, Command::WriteStream { peer, stream, data });
    net.order(2, Command::FinishStream { peer, stream });
}

/// Checks every arrival against its content; how many came over levels 0, 2 and 3.
fn arrived(net: &mut Net, from: NodeId, to: NodeId) -> [u32; 3] {
    let mut count = [0; 3];
    let now = net.now;
    for event in net.events_of(to) {
        let (at, got, data) = match event {
            Event::DatagramReceived { label, data, .. } => (0, label, data),
            Event::MessageReady { message, label, .. } => {
                let data = net.node(3).take_message(now, from, message);
                (1, label, data.expect("announced"))
            }
            Event::StreamOpened { stream, label, .. } => {
                let read = net.node(3).read_stream(now, from, stream, 9);
                let crate::api::StreamRead::Data(data) = read.expect("opened") else {
                    panic!("opened without bytes");
                };
                net.order(3, Command::FinishStream { peer: from, stream });
                (2, label, data)
            }
            Event::Disconnected { reason, .. } => panic!("{reason:?}"),
            _ => continue,
        };
        let n = u32::from_be_bytes(data[..].try_into().expect("four bytes"));
        assert_eq!(got, label(n), "of {n}");
        count[at] += 1;
    }
    count
}

/// Protocol §5.1, §3.7: names hold for the association, whatever sessions come and go.
#[test]
fn names_arrive_with_their_data_over_a_bad_line_and_across_rekeys() {
    let (mut net, ada, ben) = connected();
    let mut dice = Rng::from_seed([3; 32]);
    net.set_tap(move |_, _| match dice.below(100) {
        0..30 => Fate::Drop,
        30..60 => Fate::Late(Duration::from_millis(dice.below(400))),
        _ => Fate::Pass,
    });
    let mut count = [0; 3];
    for n in 0..600 {
        send(&mut net, ben, n);
        net.run(Duration::from_millis(450));
        for (sum, more) in count.iter_mut().zip(arrived(&mut net, ada, ben)) {
            *sum += more;
        }
    }
    net.tap = None;
    net.run(Duration::from_secs(30));
    for (sum, more) in count.iter_mut().zip(arrived(&mut net, ada, ben)) {
        *sum += more;
    }
    assert!(count[0] > 100, "datagrams: {count:?}");
    assert_eq!(count[1..], [200, 200]);
}

/// Protocol §5.1: a rest forgets no name on either side.
#[test]
fn names_outlive_a_rest_and_cost_their_length_once() {
    let (mut net, ada, ben) = connected();
    net.trace = Some(Vec::new());
    let longest = |net: &mut Net| {
        let trace = net.trace.replace(Vec::new()).expect("on");
        trace.iter().map(|d| d.bytes.len()).max().expect("sent")
    };
    let (n, data) = (2, Bytes::from(vec![0, 0, 0, 2]));
    assert_eq!(
        label(n).channel.service().map(ServiceName::as_str),
        Some(LONG)
    );
    let datagram = |net: &mut Net| {
        let command = Command::SendDatagram {
            peer: ben,
            label: label(n),
            data: data.clone(),
            expiry: None,
        };
        net.order(2, command);
        net.run(Duration::from_millis(100));
    };
    datagram(&mut net);
    let first = longest(&mut net);
    assert!(first > LONG.len(), "with the name");
    datagram(&mut net);
    assert!(longest(&mut net) < first - LONG.len() / 2, "by number");
    net.run(limits::REST_AFTER * 3);
    longest(&mut net);
    assert!(is_at_rest(&mut net, 2, &ben) && is_at_rest(&mut net, 3, &ada));
    datagram(&mut net);
    assert!(longest(&mut net) < first - LONG.len() / 2, "still known");
    assert_eq!(arrived(&mut net, ada, ben), [3, 0, 0]);
}

/// Protocol §5.1.
#[test]
fn a_peer_that_breaks_the_rules_of_names_is_cut_off() {
    let tag = |number| Tag {
        topic: Topic::Service(number),
        flags: 0,
    };
    let datagram = |number| {
        Frame::Datagram(DatagramFrame {
            tag: tag(number),
            data: b"x",
        })
    };
    let name = |number, name| Frame::ServiceName(ServiceNameFrame { number, name });
    let message = Frame::Message(MessageFrame {
        id: 0,
        tag: tag(1),
        total_bytes: 1,
        offset_bytes: 0,
        data: b"x",
    });
    let stream = |own: u64| {
        Frame::Stream(StreamFrame {
            id: own,
            offset_bytes: 0,
            tag: Some(tag(1)),
            fin: false,
            data: b"x",
        })
    };
    for case in 0..8 {
        let (mut net, ada, ben) = pair();
        call(&mut net, 2, 3);
        net.run(Duration::from_secs(1));
        net.events_of(ben);
        let payload = match case {
            0 => frames(&[datagram(0)]),
            1 => frames(&[name(0, "web"), datagram(1)]),
            2 => frames(&[name(0, "web"), message]),
            3 => frames(&[name(0, "web"), stream(u64::from(ada > ben))]),
            4 => frames(&[name(0, "web"), name(0, "chat")]),
            5 => frames(&[name(limits::SERVICE_NAMES as u32, "web")]),
            6 => frames(&[name(0, "a\nb")]),
            // Within the rules.
            _ => frames(&[name(127, "web"), name(127, "web"), datagram(127)]),
        };
        strike(&mut net, ben, &payload);
        net.run(Duration::from_secs(1));
        let events = net.events_of(ben);
        let is_fault = |event: &Event| {
            let reason = match event {
                Event::Disconnected { reason, .. } => Some(reason),
                _ => None,
            };
            let fault = DisconnectReason::Misbehaved(PeerMisbehaved::ServiceName);
            reason == Some(&fault)
        };
        assert_eq!(events.iter().any(is_fault), case < 7, "{case}: {events:?}");
        let is_data = |event: &Event| matches!(event, Event::DatagramReceived { .. });
        assert_eq!(events.iter().any(is_data), case == 7, "{case}");
    }
}
