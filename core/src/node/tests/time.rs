//! Time: deadlines always move on, idle connections cost little, and what moves or dies is noticed.

use bytes::Bytes;
use std::net::SocketAddr;

use super::{
    Fate, Net, address, client, connected, count, introducer_config, is_disconnected_event, three,
};
use crate::Node;
use crate::api::{Command, Engine, Event, PathKind};
use crate::id::NodeId;
use crate::rng::Rng;
use crate::time::Duration;

/// After its output was drained, a node's deadline lies ahead, or moves ahead within a few calls.
fn assert_time_moves(net: &mut Net, what: u64) {
    let now = net.now;
    for (address, node) in &mut net.nodes {
        for calls in 0.. {
            while node.poll_transmit(now, &mut net.buffer).is_some() {}
            while node.poll_event().is_some() {}
            while node.poll_effect().is_some() {}
            if node.poll_timeout().is_none_or(|deadline| deadline.at > now) {
                break;
            }
            assert!(
                calls < 8,
                "world {what}, {address}: {:?} at {now:?}",
                node.poll_timeout()
            );
            node.handle_timeout(now);
        }
    }
}

fn random_order(net: &mut Net, rng: &mut Rng, n: u8, peer: NodeId) {
    let data = Bytes::from(vec![n; rng.below(200_000) as usize]);
    let small = data.slice(..data.len().min(900));
    let channel = 0;
    let command = match rng.below(12) {
        0 => Command::Disconnect(peer),
        1..=3 => Command::SendMessage {
            peer,
            label: channel.into(),
            data,
            deadline: None,
        },
        4 => Command::SendDatagram {
            peer,
            label: channel.into(),
            data: small,
            expiry: None,
        },
        5 | 6 => {
            let (service, deadline) = ("s".to_owned(), Duration::from_secs(5));
            Command::SendRequest {
                peer,
                service,
                budget: 0,
                body: small,
                deadline,
            }
        }
        7 => Command::OpenStream {
            peer,
            label: channel.into(),
        },
        8 => Command::Ping(peer),
        9 => Command::NetworkChanged,
        _ => {
            let target = crate::api::ConnectTarget::Id(peer);
            let timeout = Duration::from_secs(6);
            Command::Connect {
                target,
                introducer: None,
                timeout,
            }
        }
    };
    let now = net.now;
    let _ = net.node(n).handle_command(now, command);
}

#[test]
fn deadlines_move_on_in_random_worlds() {
    for seed in 0..120_u64 {
        let (mut net, ada, ben) = if seed % 3 == 0 { three() } else { connected() };
        let mut rng = Rng::from_seed([seed as u8; 32]);
        for _ in 0..25 {
            let loss = [0, 0, 30, 70, 100][rng.below(5) as usize];
            let mut dice = rng.fork_next();
            net.set_tap(move |_, _| match dice.below(100) < loss {
                true => Fate::Drop,
                false => Fate::Late(Duration::from_millis(dice.below(80))),
            });
            for _ in 0..rng.below(4) {
                let (n, peer) = if rng.below(2) == 0 {
                    (2, ben)
                } else {
                    (3, ada)
                };
                random_order(&mut net, &mut rng, n, peer);
            }
            net.run(Duration::from_millis(1 << rng.below(16)));
            assert_time_moves(&mut net, seed);
        }
    }
}

#[test]
fn an_idle_connection_costs_few_packets() {
    let (mut net, ..) = connected();
    net.run(Duration::from_secs(600));
    net.trace = Some(Vec::new());
    net.run(Duration::from_secs(600));
    let trace = net.trace.take().expect("recording");
    let between = |a: SocketAddr, b: SocketAddr| {
        let it = trace
            .iter()
            .filter(|d| (d.from, d.to) == (a, b) || (d.from, d.to) == (b, a));
        it.count() as u64
    };
    let peers = between(address(2), address(3));
    let introducer = between(address(1), address(2));
    println!("10 minutes idle: {peers} packets between peers, {introducer} with the introducer");
    // A keep-alive each 15 s from either side is 80; some are answered, the relayed path stands by.
    assert!((60..=240).contains(&peers), "{peers}");
    assert!((60..=400).contains(&introducer), "{introducer}");
}

fn send(net: &mut Net, n: u8, peer: NodeId) {
    let (channel, data) = (0, Bytes::from(vec![1; 5_000]));
    net.order(
        n,
        Command::SendMessage {
            peer,
            label: channel.into(),
            data,
            deadline: None,
        },
    );
}

fn arrived(events: &[Event]) -> usize {
    count(events, |e| matches!(e, Event::MessageReady { .. }))
}

#[test]
fn a_peer_whose_nat_rebinds_is_followed() {
    let (mut net, ada, ben) = connected();
    let moved = SocketAddr::from(([10, 0, 0, 2], 7_777));
    // Ada's datagrams come from another port now, and only what goes there reaches her.
    net.set_tap(move |_, datagram| {
        if datagram.from == address(2) {
            datagram.from = moved;
        } else if datagram.to == address(2) {
            return Fate::Drop;
        } else if datagram.to == moved {
            datagram.to = address(2);
        }
        Fate::Pass
    });
    for _ in 0..10 {
        send(&mut net, 2, ben);
        send(&mut net, 3, ada);
        net.run(Duration::from_secs(2));
    }
    net.run(Duration::from_secs(30));
    for id in [ada, ben] {
        let events = net.events_of(id);
        assert_eq!(arrived(&events), 10, "{events:?}");
        assert_eq!(count(&events, is_disconnected_event), 0);
    }
    let now = net.now;
    let path = net
        .node(3)
        .peer(now, &ada)
        .and_then(|p| p.path)
        .expect("a path");
    assert_eq!((path.kind, path.remote), (PathKind::Direct, moved));
}

#[test]
fn a_dead_direct_path_falls_back_to_the_relay_and_comes_back() {
    let (mut net, ada, ben) = connected();
    net.set_tap(|_, d| {
        let is_direct = d.from != address(1) && d.to != address(1);
        if is_direct { Fate::Drop } else { Fate::Pass }
    });
    for _ in 0..10 {
        send(&mut net, 2, ben);
        net.run(Duration::from_secs(2));
    }
    assert_eq!(arrived(&net.events_of(ben)), 10);
    let now = net.now;
    let path = net
        .node(2)
        .peer(now, &ben)
        .and_then(|p| p.path)
        .expect("a path");
    assert!(matches!(path.kind, PathKind::Relay { .. }), "{path:?}");
    net.tap = None;
    net.run(Duration::from_secs(700));
    let now = net.now;
    let path = net
        .node(2)
        .peer(now, &ben)
        .and_then(|p| p.path)
        .expect("a path");
    assert_eq!(
        path.kind,
        PathKind::Direct,
        "{:#?}",
        net.node(2).why(now, &ben)
    );
    assert_eq!(count(&net.events_of(ada), is_disconnected_event), 0);
}

#[test]
fn an_introducer_that_starts_again_is_registered_with_again() {
    let (mut net, ada, ben) = connected();
    let mut again = introducer_config();
    again.rng_seed = [9; 32];
    let introducer = Node::new(again, net.now).expect("a valid configuration");
    net.nodes.insert(address(1), introducer);
    net.run(Duration::from_secs(60));
    assert_eq!(net.node(1).serving.role.registrations(), 2);
    for id in [ada, ben] {
        let events = net.events_of(id);
        assert_eq!(count(&events, is_disconnected_event), 0, "{events:?}");
    }
    let _ = client;
}
