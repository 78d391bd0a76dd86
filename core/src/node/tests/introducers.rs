//! Introducers and relays that lie, and clients that lie to them (protocol §6, §10).

use core::net::SocketAddr;

use super::{
    Fate, Net, address, client, connected, count, introducer_config, is_connected_event, prepare,
    stranger, three,
};
use crate::api::{Command, ConnectFailure, ConnectTarget, Engine, Event, IntroducerState};
use crate::id::{NodeId, PeerKey};
use crate::identity::Identity;
use crate::path::Route;
use crate::purpose::Purpose;
use crate::time::Duration;
use crate::wire::Writer;
use crate::wire::control::{ControlMessage, RELAY_CHOSEN, RefusalCode, Target};
use crate::wire::frame::{ControlFrame, Frame, RelayFrame};

fn encode(frame: Frame<'_>) -> Vec<u8> {
    let mut bytes = vec![0; 1_400];
    let mut writer = Writer::new(&mut bytes);
    frame.encode(&mut writer).expect("room");
    let len = writer.len();
    bytes.truncate(len);
    bytes
}

fn control(message: &ControlMessage) -> Vec<u8> {
    let json = message.to_json();
    encode(Frame::Control(ControlFrame {
        json: json.as_ref(),
    }))
}

fn introducer_id(net: &mut Net) -> NodeId {
    net.node(1).id()
}

/// Sends a control request to the introducer as ada; its answers are caught on the way.
fn ask(net: &mut Net, message: &ControlMessage) {
    let introducer = introducer_id(net);
    let (to, bytes) = net.forge(2, introducer, &control(message));
    net.send(address(2), to, bytes);
    net.run(Duration::from_millis(50));
}

fn key_of(net: &mut Net, n: u8, id: &NodeId) -> PeerKey {
    net.node(n).peers.table.key_of(id).expect("known")
}

/// What the introducer's directory, relay and tables hold.
fn facts(net: &mut Net) -> (usize, usize, [usize; 4]) {
    let node = net.node(1);
    (
        node.serving.role.registrations(),
        node.serving.role.channels(),
        node.peers.table.sizes(),
    )
}

/// Protocol §6.5.
#[test]
fn a_target_that_wants_nobody_is_heard_at_once() {
    let mut net = Net::new();
    let introducer = net.add(1, super::introducer_config());
    let ada = net.add(2, super::client(2, "ada", introducer));
    let mut closed = super::client(3, "ben", introducer);
    closed.strangers = crate::api::Strangers::Refuse;
    let ben = net.add(3, closed);
    net.run(Duration::from_secs(2));
    net.connect(2, ben);
    net.run(Duration::from_millis(100));
    let events = net.events_of(ada);
    let refused = |e: &Event| {
        let reason = ConnectFailure::Refused;
        matches!(e, Event::ConnectFailed { reason: r, .. } if *r == reason)
    };
    assert_eq!(count(&events, refused), 1, "{events:?}");
    assert_eq!(net.node(1).serving.role.channels(), 0);
    assert!(net.node(2).peers.relays.is_empty());
}

/// Protocol §10.2.
#[test]
fn a_target_that_leaves_a_peer_closes_its_channel() {
    let (mut net, ada, ben) = connected();
    assert_eq!(net.node(1).serving.role.channels(), 1);
    net.order(3, Command::Disconnect(ada));
    net.run(Duration::from_secs(1));
    assert_eq!(net.node(1).serving.role.channels(), 0);
    assert!(!net.is_connected(2, &ben));
    // Who is not at an end of a channel closes none.
    net.connect(2, ben);
    net.run(Duration::from_secs(2));
    assert_eq!(net.node(1).serving.role.channels(), 1);
    for channel in [1, RELAY_CHOSEN | 1] {
        let code = RefusalCode::Refused;
        ask(&mut net, &ControlMessage::ChannelClosed { channel, code });
    }
    assert_eq!(net.node(1).serving.role.channels(), 1);
    assert!(net.is_connected(2, &ben));
}

#[test]
fn registrations_of_others_are_refused() {
    let (mut net, ada, ben) = three();
    let before = facts(&mut net);
    let theirs = Identity::from_seeds(&[3; 32], &[103; 32], 9).expect("a key");
    let ours = net
        .node(2)
        .endpoint
        .door
        .identity()
        .record()
        .to_bytes()
        .to_vec();
    let name_of_ben = theirs.sign_name("ada2", 9, 600).expect("a name");
    let mut broken = ours.clone();
    *broken.last_mut().expect("bytes") ^= 1;
    let attempts = [
        (theirs.record().to_bytes().to_vec(), None),
        (broken, None),
        (Vec::new(), None),
        (ours.clone(), Some(name_of_ben.to_bytes())),
        (ours, Some(vec![0; 40])),
    ];
    for (reference, (key_record, name_record)) in (1..).zip(attempts) {
        let listed = true;
        ask(
            &mut net,
            &ControlMessage::Register {
                reference,
                key_record,
                name_record,
                listed,
            },
        );
    }
    assert_eq!(facts(&mut net), before);
    // Ben is still who he is.
    net.connect(2, ben);
    net.run(Duration::from_secs(3));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}

#[test]
fn connect_orders_for_nobody_and_for_oneself_open_nothing() {
    let (mut net, ada, _) = three();
    let before = facts(&mut net);
    let nobody = Identity::from_seeds(&[8; 32], &[9; 32], 1)
        .expect("a key")
        .node_id();
    let targets = [
        Target::Id(nobody),
        Target::Id(ada),
        Target::Name("ada".to_owned()),
        Target::Name("__proto__".to_owned()),
        Target::Id(introducer_id(&mut net)),
    ];
    for (reference, target) in (1..).zip(targets) {
        let channel = 7;
        ask(
            &mut net,
            &ControlMessage::ConnectRequest {
                reference,
                target,
                channel,
            },
        );
    }
    assert_eq!(facts(&mut net), before);
}

#[test]
fn an_unregistered_session_gets_nothing_from_the_directory() {
    let (mut net, ada, ben) = three();
    let now = net.now;
    let key = key_of(&mut net, 1, &ada);
    net.node(1).serving.role.on_session_closed(now, key);
    let target = Target::Id(ben);
    let (reference, channel) = (1, 7);
    ask(
        &mut net,
        &ControlMessage::ConnectRequest {
            reference,
            target,
            channel,
        },
    );
    let (reference, prefix, cursor) = (2, "ben".to_owned(), None);
    net.trace = Some(Vec::new());
    ask(
        &mut net,
        &ControlMessage::Search {
            reference,
            prefix,
            cursor,
        },
    );
    assert_eq!(net.node(1).serving.role.channels(), 0);
    assert!(!net.is_connected(3, &ada));
}

#[test]
fn only_our_introducers_may_introduce() {
    let (mut net, ada, ben) = connected();
    let victim = Identity::from_seeds(&[8; 32], &[9; 32], 1).expect("a key");
    let before = net.node(3).peers.table.sizes();
    let message = ControlMessage::Introduce {
        reference: 5,
        key_record: victim.record().to_bytes().to_vec(),
        channel: 1 << 31,
        name: Some("ada".to_owned()),
        observed: stranger(),
        is_neighbour: false,
    };
    let (to, bytes) = net.forge(2, ben, &control(&message));
    net.send(address(2), to, bytes);
    net.run(Duration::from_secs(1));
    assert_eq!(net.node(3).peers.table.sizes(), before);
    assert_eq!(net.node(3).peers.table.key_of(&victim.node_id()), None);
    assert!(net.is_connected(3, &ada));
}

#[test]
fn relay_frames_on_unknown_channels_reach_nobody() {
    let (mut net, ..) = three();
    let introducer = introducer_id(&mut net);
    net.trace = Some(Vec::new());
    for channel in [0, 1, 7, 1 << 31, u32::MAX] {
        for datagram in [&b"x"[..], &[0x80; 300], &[0xc0; 100], &[0, 1, 0, 0]] {
            let frame = Frame::Relay(RelayFrame { channel, datagram });
            let (to, bytes) = net.forge(2, introducer, &encode(frame));
            net.send(address(2), to, bytes);
        }
    }
    net.run(Duration::from_millis(100));
    let trace = net.trace.take().expect("recording");
    let to_ben = trace.iter().filter(|d| d.to == address(3)).count();
    assert_eq!(to_ben, 0);
    assert_eq!(net.node(1).counters.relayed_datagrams, 0);
}

#[test]
fn a_relay_that_swaps_channels_or_repeats_frames_reads_and_breaks_nothing() {
    let (mut net, ada, ben) = connected();
    // Only the relay is left between them, and it turns bad.
    net.set_tap(|_, d| {
        let is_direct = d.from != address(1) && d.to != address(1);
        if is_direct { Fate::Drop } else { Fate::Pass }
    });
    net.run(Duration::from_secs(60));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    let now = net.now;
    let keys = [key_of(&mut net, 1, &ada), key_of(&mut net, 1, &ben)];
    let routes: Vec<_> = {
        let key = key_of(&mut net, 3, &ada);
        net.node(3).peers.relays.routes_to(key).collect()
    };
    for junk in [
        &[0x80; 300][..],
        &[0xc1; 200],
        &[0x8f; 32],
        &[0; 20],
        b"{}",
        b"",
    ] {
        for channel in routes.iter().map(|r| r.1).chain([3]) {
            for key in keys {
                let node = net.node(1);
                let entry = node.peers.table.get_mut(key).expect("a client");
                for _ in 0..3 {
                    entry
                        .peer
                        .sources
                        .push_relayed(channel, junk.to_vec().into());
                }
                node.peers.agenda.on_touched(key);
            }
        }
        net.run(Duration::from_millis(100));
    }
    let _ = now;
    for id in [ada, ben] {
        net.events_of(id);
    }
    net.order(
        2,
        Command::SendMessage {
            peer: ben,
            label: 0.into(),
            data: vec![1; 20_000].into(),
            deadline: None,
        },
    );
    net.run(Duration::from_secs(5));
    let events = net.events_of(ben);
    assert_eq!(
        count(&events, |e| matches!(e, Event::MessageReady { .. })),
        1
    );
}

/// Lets ada ask for a target, and plays an introducer that answers with this key record.
fn answered_with(target: ConnectTarget, record: Vec<u8>) -> (Net, NodeId, NodeId, Vec<Event>) {
    let (mut net, ada, ben) = three();
    // The genuine introducer hears nothing of it.
    net.set_tap(|_, d| {
        if d.from == address(2) {
            Fate::Drop
        } else {
            Fate::Pass
        }
    });
    let timeout = Duration::from_secs(4);
    let introducer = None;
    net.order(
        2,
        Command::Connect {
            target,
            introducer,
            timeout,
        },
    );
    let now = net.now;
    let introducer = introducer_id(&mut net);
    let node = net.node(2);
    let answer = ControlMessage::ConnectAnswer {
        reply_to: 1,
        key_record: record,
        name: Some("ben".to_owned()),
        observed: stranger(),
    };
    let purpose = Purpose::Connect {
        attempt: crate::id::AttemptId(0),
    };
    let verify = |record: &[u8]| node.endpoint.door.verify(record).ok();
    node.rendezvous
        .on_answer(now, introducer, purpose, answer, verify);
    node.settle(now);
    net.run(Duration::from_secs(10));
    let events = net.events_of(ada);
    (net, ada, ben, events)
}

fn failures(events: &[Event]) -> Vec<ConnectFailure> {
    let failures = events.iter().filter_map(|event| match event {
        Event::ConnectFailed { reason, .. } => Some(*reason),
        _ => None,
    });
    failures.collect()
}

#[test]
fn another_identity_than_the_one_asked_for_is_never_called() {
    let other = Identity::from_seeds(&[8; 32], &[9; 32], 1).expect("a key");
    let ben = Identity::from_seeds(&[3; 32], &[103; 32], 1)
        .expect("a key")
        .node_id();
    let record = other.record().to_bytes().to_vec();
    let (mut net, _, _, events) = answered_with(ConnectTarget::Id(ben), record);
    assert_eq!(
        failures(&events),
        [ConnectFailure::KeyMismatch],
        "{events:?}"
    );
    assert_eq!(net.node(2).peers.table.key_of(&other.node_id()), None);
    assert_eq!(count(&events, is_connected_event), 0);
}

#[test]
fn a_name_that_leads_to_ourselves_or_to_garbage_fails() {
    let ada = Identity::from_seeds(&[2; 32], &[102; 32], 1).expect("a key");
    let mut garbage = ada.record().to_bytes().to_vec();
    garbage[40] ^= 1;
    for record in [ada.record().to_bytes().to_vec(), garbage, Vec::new()] {
        let target = ConnectTarget::Name("ben".to_owned());
        let (mut net, ada, _, events) = answered_with(target, record);
        assert_eq!(failures(&events).len(), 1, "{events:?}");
        assert_eq!(
            net.node(2).peers.table.key_of(&ada),
            None,
            "we are no peer of ours"
        );
    }
}

#[test]
fn a_channel_in_use_cannot_be_given_to_another_peer() {
    let (mut net, ada, ben) = connected();
    let now = net.now;
    let introducer = introducer_id(&mut net);
    let node = net.node(3);
    let (relay, key) = (
        node.peers.table.key_of(&introducer).expect("known"),
        node.peers.table.key_of(&ada).expect("known"),
    );
    let (_, channel) = node.peers.relays.routes_to(key).next().expect("a channel");
    let other = Identity::from_seeds(&[8; 32], &[9; 32], 1).expect("a key");
    let stolen = prepare(node, now, other.record().clone());
    node.peers.add_relay_route(now, stolen, relay, channel);
    assert_eq!(node.peers.relays.lookup(relay, channel), Some(key));
    let route = Route::Relay {
        relay: relay.0,
        channel,
    };
    let entry = node.peers.table.get(stolen).expect("known");
    assert_eq!(entry.peer.line.paths.key_of(route), None);
    let _ = (ben, RefusalCode::Unknown);
}

#[test]
fn an_address_that_an_introduction_shows_first_is_told_to_connected_peers() {
    let (mut net, ada, ben) = connected();
    let new = SocketAddr::from(([10, 0, 0, 77], 7_777));
    let cid = Identity::from_seeds(&[9; 32], &[109; 32], 1).expect("a key");
    let introduction = ControlMessage::Introduce {
        reference: 77,
        key_record: cid.record().to_bytes().to_vec(),
        channel: RELAY_CHOSEN | 9,
        name: None,
        observed: new,
        is_neighbour: false,
    };
    net.trace = Some(Vec::new());
    let (to, bytes) = net.forge(1, ada, &control(&introduction));
    net.send(address(1), to, bytes);
    net.run(Duration::from_secs(2));
    assert!(net.node(2).addresses.reflexive().contains(&new));
    let sent = net.trace.take().unwrap_or_default();
    let is_probe = |d: &&super::Datagram| d.from == address(3) && d.to == new;
    assert!(
        sent.iter().any(|d| is_probe(&d)),
        "ben heard of the address and tries it"
    );
    assert!(net.is_connected(3, &ada) && net.is_connected(2, &ben));
}

/// Protocol §2.2: whoever stole the key of before a rotation, and the record that went with it, is no introducer of
/// ours any more, also after the one with the new key has fallen silent.
#[test]
fn sec_06_a_rotated_key_of_an_introducer_is_not_rolled_back() {
    let mut net = Net::new();
    let before = introducer_config();
    let mut after = introducer_config();
    (after.static_seed, after.record_sequence) = ([77; 32], 2);
    let introducer = net.add(1, after.clone());
    let ada = net.add(2, client(2, "ada", introducer));
    net.run(Duration::from_secs(2));
    let state = |net: &mut Net| net.node(2).rendezvous.introducers()[0].link.state();
    assert_eq!(state(&mut net), IntroducerState::Registered);
    // The thief answers at that address.
    net.add(1, before);
    for _ in 0..60 {
        net.run(Duration::from_secs(5));
        assert_ne!(
            net.node(1).serving.role.registrations(),
            1,
            "ada talks to the thief"
        );
    }
    assert_ne!(state(&mut net), IntroducerState::Registered);
    // The real one is found again by itself.
    net.add(1, after);
    net.run(Duration::from_secs(120));
    assert_eq!(state(&mut net), IntroducerState::Registered);
    assert_eq!(net.node(1).serving.role.registrations(), 1);
    let _ = ada;
}
