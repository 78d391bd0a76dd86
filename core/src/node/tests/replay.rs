//! Everything that was ever sent comes again, in any order and from anywhere (protocol §3.6, §4.4; the first
//! generation's directory could be overwritten by anybody).

use bytes::Bytes;
use core::net::SocketAddr;

use super::{
    Datagram, Net, connected, count, is_connected_event, is_disconnected_event, stranger, three,
};
use crate::api::{Answer, Command, Engine, Event};
use crate::id::NodeId;
use crate::rng::Rng;
use crate::time::Duration;

/// A world with a history: registrations, an introduction through the relay, data on all levels.
fn recorded() -> (Net, NodeId, NodeId, Vec<Datagram>) {
    let (mut net, ada, ben) = three();
    net.trace = Some(Vec::new());
    net.connect(2, ben);
    net.run(Duration::from_secs(2));
    talk(&mut net, ada, ben);
    net.run(Duration::from_secs(40));
    let trace = net.trace.take().expect("recording");
    for id in [ada, ben] {
        net.events_of(id);
    }
    (net, ada, ben, trace)
}

/// A message, a datagram and a request, all of which arrive once.
fn talk(net: &mut Net, ada: NodeId, ben: NodeId) {
    let (peer, channel, data) = (ben, 0, Bytes::from(vec![5; 30_000]));
    let small = data.slice(..100);
    let (service, body) = ("count".to_owned(), small.clone());
    let deadline = Duration::from_secs(5);
    net.order(
        2,
        Command::SendMessage {
            peer,
            label: channel.into(),
            data,
            deadline: None,
        },
    );
    net.order(
        2,
        Command::SendDatagram {
            peer,
            label: channel.into(),
            data: small,
            expiry: None,
        },
    );
    net.order(
        2,
        Command::SendRequest {
            peer,
            service,
            budget: 0,
            body,
            deadline,
        },
    );
    net.run(Duration::from_millis(500));
    let events = net.events.get(&ben).cloned().unwrap_or_default();
    for event in events {
        if let Event::RequestReceived { request, .. } = event {
            let answer = Answer {
                status: 0,
                body: Bytes::new(),
            };
            let now = net.now;
            let order = Command::Answer {
                peer: ada,
                request,
                answer,
            };
            let _ = net.node(3).handle_command(now, order);
        }
    }
    net.run(Duration::from_millis(500));
}

/// What must not change: peers, indices, tokens; registrations; relay channels.
fn facts(net: &mut Net) -> Vec<(Vec<usize>, usize, usize)> {
    let now = net.now;
    let nodes = net.nodes.values_mut();
    let facts = nodes.map(|node| {
        let status = node.status(now);
        let sizes = node.peers.table.sizes().to_vec();
        (sizes, status.directory_entries, status.relay_channels)
    });
    facts.collect()
}

fn replay(net: &mut Net, trace: &[Datagram], from: Option<SocketAddr>) {
    for datagram in trace {
        let source = from.unwrap_or(datagram.from);
        let now = net.now;
        if let Some(node) = net.nodes.get_mut(&datagram.to) {
            node.handle_datagram(now, source, &mut datagram.bytes.clone());
        }
        net.run(Duration::from_micros(200));
    }
}

#[test]
fn a_replay_in_any_order_from_anywhere_changes_nothing() {
    let (_, _, _, trace) = recorded();
    let mut reversed = trace.clone();
    reversed.reverse();
    let mut shuffled = trace.clone();
    let mut rng = Rng::from_seed([4; 32]);
    for place in (1..shuffled.len()).rev() {
        shuffled.swap(place, rng.below(place as u64 + 1) as usize);
    }
    for order in [&trace, &reversed, &shuffled] {
        for from in [None, Some(stranger())] {
            let (mut net, ada, ben, _) = recorded();
            let before = facts(&mut net);
            replay(&mut net, order, from);
            net.run(Duration::from_secs(70));
            assert_eq!(facts(&mut net), before);
            for (n, id, other) in [(2, ada, ben), (3, ben, ada)] {
                let events = net.events_of(id);
                let is_news =
                    |e: &Event| !matches!(e, Event::PathChanged { .. } | Event::Introducer { .. });
                assert_eq!(count(&events, is_news), 0, "{events:?}");
                let now = net.now;
                let path = net
                    .node(n)
                    .peer(now, &other)
                    .and_then(|p| p.path)
                    .expect("a path");
                assert_ne!(path.remote, stranger());
            }
            // And all goes on.
            talk(&mut net, ada, ben);
            let events = net.events_of(ben);
            assert_eq!(
                count(&events, |e| matches!(e, Event::MessageReady { .. })),
                1
            );
            assert_eq!(
                count(&events, |e| matches!(e, Event::RequestReceived { .. })),
                1
            );
        }
    }
}

#[test]
fn a_copy_that_arrives_first_steals_no_path() {
    let (mut net, ada, ben) = connected();
    net.events_of(ada);
    net.events_of(ben);
    // Each datagram between the peers is overtaken by its copy from elsewhere.
    for _ in 0..20 {
        talk(&mut net, ada, ben);
        net.trace = Some(Vec::new());
        net.drain();
        let waiting: Vec<_> = net.wire.values().cloned().collect();
        for datagram in waiting.iter().chain(net.trace.take().iter().flatten()) {
            let now = net.now;
            if let Some(node) = net.nodes.get_mut(&datagram.to) {
                node.handle_datagram(now, stranger(), &mut datagram.bytes.clone());
            }
        }
        net.run(Duration::from_secs(3));
    }
    net.run(Duration::from_secs(5));
    for (n, id, other) in [(2, ada, ben), (3, ben, ada)] {
        let now = net.now;
        let path = net
            .node(n)
            .peer(now, &other)
            .and_then(|p| p.path)
            .expect("a path");
        assert_ne!(path.remote, stranger());
        let events = net.events_of(id);
        let news = |e: &Event| is_connected_event(e) || is_disconnected_event(e);
        assert_eq!(count(&events, news), 0, "{events:?}");
    }
}

#[test]
fn a_forged_keep_alive_of_any_generation_changes_nothing() {
    let (mut net, ada, ben) = connected();
    let before = facts(&mut net);
    let sources = [stranger(), super::address(2), super::address(3)];
    let mut forgeries = Vec::new();
    for command in ["ka", "rg", "cr1", "cr2", "cr3", "qrq", "qrs", "__proto__"] {
        for name in ["ada", "ben", "", "__proto__"] {
            let fields = [
                "\"h\":\"6.6.6.6\",\"p\":6660",
                "\"h\":1,\"p\":\"x\"",
                "\"n\":1",
            ];
            for field in fields {
                let text = format!("{{\"c\":\"{command}\",\"f\":\"{name}\",{field}}}");
                forgeries.push(text.into_bytes());
            }
        }
    }
    forgeries.push(vec![b'{'; 1_452]);
    for source in sources {
        for forgery in &forgeries {
            for n in 1..4 {
                net.deliver(n, source, forgery);
            }
        }
    }
    let legacy = net.node(1).counters.dropped_legacy;
    assert_eq!(legacy, 3 * forgeries.len() as u64);
    assert!(net.wire.is_empty(), "nobody answers");
    net.run(Duration::from_millis(1));
    assert_eq!(facts(&mut net), before);
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}
