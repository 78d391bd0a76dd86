//! What strangers and peers may use up: each documented budget and bound, held by flooding it at one moment
//! (`limits`; protocol §3.4 to §3.6, §4.6, §11).

use core::net::SocketAddr;

use bytes::Bytes;

use super::strangers::{identity, initiation};
use super::{
    Net, address, call, client, config, connected, introducer_config, pair, prepare, stranger,
};
use crate::Node;
use crate::api::{ConnectFailure, Engine, Event, KnownPeer, Roles};
use crate::limits;
use crate::rng::Rng;
use crate::time::Duration;
use crate::wire::Writer;
use crate::wire::frame::{ControlFrame, Frame};

/// A source of its own for each number.
fn source(n: u32) -> SocketAddr {
    SocketAddr::from((core::net::Ipv4Addr::from_bits(0x2c00_0000 + n), 4_000))
}

/// First bytes of everything that node `n` sends now to `to`.
fn kinds_to(net: &mut Net, n: u8, to: SocketAddr) -> Vec<u8> {
    net.trace = Some(Vec::new());
    net.drain();
    let trace = net.trace.take().expect("recording");
    let sent = trace.iter().filter(|d| d.from == address(n) && d.to == to);
    sent.map(|d| d.bytes[0]).collect()
}

#[test]
fn half_open_handshakes_of_unproved_sources_fill_half_of_the_room() {
    let (mut net, ..) = pair();
    let mut rng = Rng::from_seed([1; 32]);
    let most = u32::try_from(limits::PROVISIONAL_SESSIONS).expect("small");
    for n in 0..most + 40 {
        // Half of them a second later: beyond a rate, cookies are asked for before anything is kept.
        if n == most / 2 {
            net.now += Duration::from_secs(1);
        }
        let bytes = initiation(&mut net, 3, &identity(n), true, &mut rng);
        let now = net.now;
        let mut bytes = bytes.clone();
        net.node(3).handle_datagram(now, source(n), &mut bytes);
    }
    let node = net.node(3);
    let half = limits::PROVISIONAL_SESSIONS / 2;
    assert_eq!(node.endpoint.door.computed(), half as u64);
    assert_eq!(node.endpoint.door.half_open(), half);
    assert!(node.peers.table.sizes()[1] <= half);
}

#[test]
fn one_identity_holds_one_half_open_handshake() {
    let (mut net, ..) = pair();
    let mut rng = Rng::from_seed([2; 32]);
    for n in 0..20 {
        let mut bytes = initiation(&mut net, 3, &identity(1), true, &mut rng);
        let now = net.now;
        net.node(3).handle_datagram(now, source(n), &mut bytes);
    }
    let node = net.node(3);
    assert_eq!(node.endpoint.door.computed(), 20);
    assert_eq!(node.endpoint.door.half_open(), 1);
}

#[test]
fn stateless_resets_are_few_a_second_to_each_source_and_in_all() {
    let (mut net, ..) = pair();
    let now = net.now;
    let lost = |net: &mut Net, index: u32, from| {
        let mut packet = vec![0xc0; 60];
        packet[1..5].copy_from_slice(&index.to_be_bytes());
        net.node(3).handle_datagram(now, from, &mut packet);
    };
    for index in 0..200_u32 {
        lost(&mut net, index, stranger());
    }
    let resets = kinds_to(&mut net, 3, stranger());
    let most = limits::RESETS_PER_SOURCE_PER_S as usize;
    assert_eq!(resets, vec![0x8f; most]);
    // A flood of one source uses nothing of another's.
    lost(&mut net, 1, address(2));
    assert_eq!(kinds_to(&mut net, 3, address(2)), [0x8f]);
    for n in 0..10_000 {
        lost(&mut net, n, source(n));
    }
    net.trace = Some(Vec::new());
    net.drain();
    let trace = net.trace.take().expect("recording");
    assert!(
        trace.len() <= limits::RESETS_PER_S as usize,
        "{}",
        trace.len()
    );
}

/// Protocol §4.6.
#[test]
fn sec_13_a_reset_that_comes_from_elsewhere_ends_nothing() {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    let key = net.node(2).peers.table.key_of(&ben).expect("known");
    let entry = net.node(2).peers.table.get_mut(key).expect("known");
    let token = entry.peer.sessions().reset_tokens().next().copied();
    let mut reset = vec![0x8f; 16];
    reset.extend_from_slice(&token.expect("a session"));
    for from in [stranger(), address(9), (address(3).ip(), 1_024).into()] {
        net.deliver(2, from, &reset);
    }
    net.run(Duration::from_secs(1));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    net.deliver(2, address(3), &reset);
    assert!(!net.is_connected(2, &ben));
}

#[test]
fn stun_answers_are_bounded() {
    let mut net = Net::new();
    net.add(1, introducer_config());
    let now = net.now;
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    request.extend_from_slice(&[7; 12]);
    for _ in 0..2 * limits::STUN_PER_S {
        let mut bytes = request.clone();
        net.node(1).handle_datagram(now, stranger(), &mut bytes);
    }
    let answers = u64::from(limits::STUN_PER_S);
    assert_eq!(net.node(1).counters.stun_answers, answers);
    assert_eq!(kinds_to(&mut net, 1, stranger()).len() as u64, answers);
}

#[test]
fn control_messages_of_one_peer_are_bounded() {
    let (mut net, _, ben) = connected();
    let mut frames = vec![0; 1_000];
    let mut writer = Writer::new(&mut frames);
    let json = br#"{"c":"zz"}"#;
    for _ in 0..50 {
        let frame = Frame::Control(ControlFrame { json });
        frame.encode(&mut writer).expect("room");
    }
    let len = writer.len();
    frames.truncate(len);
    let before = net.node(3).counters.unknown_commands;
    for _ in 0..20 {
        let (_, mut bytes) = net.forge(2, ben, &frames);
        let now = net.now;
        net.node(3).handle_datagram(now, address(2), &mut bytes);
    }
    let parsed = net.node(3).counters.unknown_commands - before;
    assert!(
        parsed > 0 && parsed <= u64::from(limits::CONTROLS_BURST),
        "{parsed}"
    );
}

#[test]
fn a_relay_holds_little_for_a_slow_receiver() {
    let (mut net, ada, ben) = connected();
    let introducer = net.node(1).id();
    let key = net.node(1).peers.table.key_of(&ben).expect("registered");
    let relay = net
        .node(2)
        .peers
        .table
        .key_of(&introducer)
        .expect("registered");
    assert_ne!(ada, introducer);
    for (n, key) in [(1, key), (2, relay)] {
        let peer = &mut net.node(n).peers.table.get_mut(key).expect("known").peer;
        let datagram = Bytes::from(vec![0; 1_000]);
        let taken = (0..1_000).filter(|_| peer.sources.push_relayed(3, datagram.clone()));
        let taken = taken.count() * 1_000;
        assert!(taken <= limits::RELAY_QUEUE_BYTES, "{taken}");
        assert!(taken >= limits::RELAY_QUEUE_BYTES / 2, "{taken}");
    }
}

#[test]
fn who_does_not_know_our_id_uses_up_no_budget() {
    let (mut net, ada, ben) = pair();
    let mut rng = Rng::from_seed([3; 32]);
    let now = net.now;
    for n in 0..3 * limits::HANDSHAKES_BEFORE_COOKIES_PER_S {
        let mut bytes = vec![0x80; 300];
        bytes[1] = 1;
        rng.fill(&mut bytes[2..]);
        // Ada's own address among them.
        let from = if n % 2 == 0 { address(2) } else { source(n) };
        net.node(3).handle_datagram(now, from, &mut bytes);
    }
    let (computed, dropped) = {
        let node = net.node(3);
        (node.endpoint.door.computed(), node.counters.dropped_mac1)
    };
    assert_eq!((computed, dropped), (0, 3_000));
    net.trace = Some(Vec::new());
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(20));
    let trace = net.trace.take().expect("recording");
    let kinds: Vec<u8> = trace.iter().take(2).map(|d| d.bytes[0]).collect();
    assert_eq!(kinds, [0x80, 0x81], "no cookie was asked for");
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}

#[test]
fn a_node_that_wants_no_strangers_answers_none() {
    for is_known in [false, true] {
        let mut net = Net::new();
        let ada = net.add(2, config(2));
        let record = net
            .node(2)
            .endpoint
            .door
            .identity()
            .record()
            .to_bytes()
            .to_vec();
        let mut closed = config(3);
        closed.strangers = crate::api::Strangers::Refuse;
        if is_known {
            closed.known_peers = vec![KnownPeer { record, name: None }];
        }
        let ben = net.add(3, closed);
        call(&mut net, 2, 3);
        net.run(Duration::from_secs(5));
        assert_eq!(net.is_connected(3, &ada), is_known);
        assert_eq!(net.is_connected(2, &ben), is_known);
        assert_eq!(net.node(3).endpoint.door.half_open(), 0);
    }
}

#[test]
fn an_introducer_without_the_relay_role_relays_nothing() {
    let mut net = Net::new();
    let mut introducer = introducer_config();
    introducer.roles = Roles {
        relay: false,
        ..Roles::ALL
    };
    let introducer = net.add(1, introducer);
    let ada = net.add(2, client(2, "ada", introducer));
    let ben = net.add(3, client(3, "ben", introducer));
    net.run(Duration::from_secs(2));
    net.connect(2, ben);
    net.run(Duration::from_secs(12));
    let failures: Vec<_> = net
        .events_of(ada)
        .into_iter()
        .filter_map(|event| match event {
            Event::ConnectFailed { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(failures, [ConnectFailure::Refused]);
    let now = net.now;
    assert_eq!(net.node(1).status(now).relay_channels, 0);
    assert_eq!(net.node(1).counters.relayed_datagrams, 0);
}

/// The answer to a caller whose key record is older than one that we know: none, or a stolen old key would do.
#[test]
fn an_older_key_record_is_not_answered() {
    let newer = crate::identity::Identity::from_seeds(&[2; 32], &[200; 32], 9).expect("a key");
    let (mut net, ada, _) = pair();
    assert_eq!(newer.node_id(), ada);
    let now = net.now;
    prepare(net.node(3), now, newer.record().clone());
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(500));
    assert!(net.node(3).endpoint.door.computed() > 0);
    assert_eq!(net.node(3).endpoint.door.half_open(), 0);
    assert!(!net.is_connected(3, &ada));
    // With the newer key she is answered.
    let mut renewed = config(2);
    renewed.static_seed = [200; 32];
    renewed.record_sequence = 9;
    let now = net.now;
    let node = Node::new(renewed, now).expect("a valid configuration");
    net.nodes.insert(address(2), node);
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    assert!(net.is_connected(3, &ada));
}
