//! Nodes on a perfect network: the wiring itself, one test for each thing that a node does.

use bytes::Bytes;

use super::{Net, address, config, connected, three};
use crate::Node;
use crate::api::{
    Accepted, Answer, Command, ConnectTarget, Engine, Event, KnownPeer, PathKind, RequestOutcome,
    Roles, SearchOutcome, StreamId, StreamRead,
};
use crate::id::NodeId;
use crate::time::Duration;

#[test]
fn both_register_and_find_each_other_by_name() {
    let (mut net, ada, ben) = three();
    let now = net.now;
    assert_eq!(net.node(1).status(now).directory_entries, 2);
    let query = "ben".to_owned();
    net.order(
        2,
        Command::Search {
            query,
            introducer: None,
            cursor: None,
        },
    );
    net.run(Duration::from_secs(1));
    let found = net
        .events_of(ada)
        .into_iter()
        .find_map(|event| match event {
            Event::SearchDone {
                outcome: SearchOutcome::Found { entries, .. },
                ..
            } => Some(entries),
            _ => None,
        });
    let found = found.expect("the search ends");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, ben);
}

/// Protocol §9, §9.1.
#[test]
fn a_connection_starts_relayed_and_becomes_direct() {
    let (mut net, ada, ben) = connected();
    let now = net.now;
    let path = net
        .node(2)
        .peer(now, &ben)
        .expect("known")
        .path
        .expect("connected");
    assert_eq!(
        path.kind,
        PathKind::Direct,
        "{:?}",
        net.node(2).why(now, &ben)
    );
    let first = net
        .events_of(ada)
        .into_iter()
        .find_map(|event| match event {
            Event::Connected { path, .. } => Some(path.kind),
            _ => None,
        });
    assert!(matches!(first, Some(PathKind::Relay { .. })));
    let theirs = net.events_of(ben);
    assert!(
        theirs
            .iter()
            .any(|e| matches!(e, Event::Connected { peer, .. } if *peer == ada))
    );
}

#[test]
fn all_four_levels_carry_data() {
    let (mut net, ada, ben) = connected();
    net.events_of(ben);
    let data = Bytes::from_static(b"tick");
    net.order(
        2,
        Command::SendDatagram {
            peer: ben,
            label: 7.into(),
            data,
            expiry: None,
        },
    );
    let (service, body) = ("sum".to_owned(), Bytes::from_static(b"1+1"));
    let deadline = Duration::from_secs(5);
    net.order(
        2,
        Command::SendRequest {
            peer: ben,
            service,
            budget: 0,
            body,
            deadline,
        },
    );
    let message = Bytes::from(vec![42; 1 << 20]);
    let (channel, data) = (1, message.clone());
    net.order(
        2,
        Command::SendMessage {
            peer: ben,
            label: channel.into(),
            data,
            deadline: None,
        },
    );
    net.run(Duration::from_secs(3));
    let mut seen = (false, false, false);
    for event in net.events_of(ben) {
        match event {
            Event::DatagramReceived { data, label, .. } if label == 7.into() => {
                seen.0 = &data[..] == b"tick"
            }
            Event::RequestReceived { request, body, .. } => {
                assert_eq!(&body[..], b"1+1");
                let answer = Answer {
                    status: 0,
                    body: Bytes::from_static(b"2"),
                };
                net.order(
                    3,
                    Command::Answer {
                        peer: ada,
                        request,
                        answer,
                    },
                );
                seen.1 = true;
            }
            Event::MessageReady {
                message: id, len, ..
            } => {
                let now = net.now;
                let taken = net.node(3).take_message(now, ada, id).expect("announced");
                assert_eq!((taken.len(), &taken), (len, &message));
                seen.2 = true;
            }
            _ => {}
        }
    }
    assert_eq!(seen, (true, true, true));
    net.run(Duration::from_secs(1));
    let ours = net.events_of(ada);
    assert!(
        ours.iter()
            .any(|e| matches!(e, Event::MessageDelivered { .. }))
    );
    let answered = |e: &Event| match e {
        Event::RequestDone { outcome, .. } => {
            matches!(outcome, RequestOutcome::Answered(a) if &a.body[..] == b"2")
        }
        _ => false,
    };
    assert_eq!(ours.iter().filter(|e| answered(e)).count(), 1);
}

pub(super) fn read_all(net: &mut Net, n: u8, peer: NodeId, stream: StreamId) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let now = net.now;
    loop {
        match net.node(n).read_stream(now, peer, stream, usize::MAX) {
            Ok(StreamRead::Data(data)) => bytes.extend_from_slice(&data),
            Ok(StreamRead::Finished) => return (bytes, true),
            _ => return (bytes, false),
        }
    }
}

#[test]
fn a_stream_arrives_whole_and_in_order() {
    let (mut net, ada, ben) = connected();
    let Accepted::Stream(stream) = net.order(
        2,
        Command::OpenStream {
            peer: ben,
            label: 3.into(),
        },
    ) else {
        panic!("a stream opens");
    };
    let payload: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251) as u8).collect();
    let mut rest = Bytes::from(payload.clone());
    let (mut got, mut is_whole) = (Vec::new(), false);
    for _ in 0..4_000 {
        if !rest.is_empty() {
            let data = rest.clone();
            match net.order(
                2,
                Command::WriteStream {
                    peer: ben,
                    stream,
                    data,
                },
            ) {
                Accepted::Written(n) => drop(rest.split_to(n)),
                other => panic!("{other:?}"),
            }
            if rest.is_empty() {
                net.order(2, Command::FinishStream { peer: ben, stream });
            }
        }
        net.run(Duration::from_millis(2));
        let (bytes, end) = read_all(&mut net, 3, ada, stream);
        got.extend(bytes);
        is_whole |= end;
        if is_whole {
            break;
        }
    }
    assert!(is_whole);
    assert_eq!(got, payload);
}

/// Protocol §9.5.
#[test]
fn an_idle_pair_stays_connected_and_changes_its_keys() {
    let (mut net, ada, ben) = connected();
    net.run(Duration::from_secs(400));
    let now = net.now;
    for (n, other) in [(2, ben), (3, ada)] {
        let status = net.node(n).peer(now, &other).expect("known");
        assert_eq!(status.state, crate::api::PeerState::Connected);
    }
    let lost = |e: &Event| matches!(e, Event::Disconnected { .. });
    assert!(!net.events_of(ada).iter().any(lost));
    let data = Bytes::from_static(b"still here");
    net.order(
        2,
        Command::SendMessage {
            peer: ben,
            label: 0.into(),
            data,
            deadline: None,
        },
    );
    net.run(Duration::from_secs(200));
    let data = Bytes::from_static(b"and here");
    net.order(
        3,
        Command::SendMessage {
            peer: ada,
            label: 0.into(),
            data,
            deadline: None,
        },
    );
    net.run(Duration::from_secs(10));
    let ready = |e: &Event| matches!(e, Event::MessageReady { .. });
    assert!(
        net.events_of(ben).iter().any(ready),
        "keys were renewed without loss"
    );
    assert!(net.events_of(ada).iter().any(ready));
}

/// What one association received must not be acknowledged in the next: the goodbye that ended the first one once was,
/// and the caller took it for an acknowledgement of a packet that it never sent.
#[test]
fn peers_that_parted_connect_again() {
    let (mut net, ada, ben) = connected();
    for _ in 0..3 {
        for _ in 0..20 {
            net.order(2, Command::Ping(ben));
            net.run(Duration::from_millis(50));
        }
        net.order(2, Command::Disconnect(ben));
        net.run(Duration::from_millis(500));
        net.events_of(ada);
        let target = ConnectTarget::Id(ben);
        let (introducer, timeout) = (None, Duration::from_secs(10));
        let connect = Command::Connect {
            target,
            introducer,
            timeout,
        };
        net.order(2, connect);
        net.run(Duration::from_secs(3));
        let events = net.events_of(ada);
        let connected = |e: &Event| matches!(e, Event::Connected { .. });
        let lost = |e: &Event| matches!(e, Event::Disconnected { .. });
        assert!(events.iter().any(connected), "{events:?}");
        assert!(!events.iter().any(lost), "{events:?}");
    }
}

#[test]
fn an_unknown_name_is_refused() {
    let (mut net, ada, _) = three();
    let target = ConnectTarget::Name("nobody".to_owned());
    let timeout = Duration::from_secs(10);
    net.order(
        2,
        Command::Connect {
            target,
            introducer: None,
            timeout,
        },
    );
    net.run(Duration::from_secs(11));
    let failed = net
        .events_of(ada)
        .into_iter()
        .find_map(|event| match event {
            Event::ConnectFailed { reason, .. } => Some(reason),
            _ => None,
        });
    assert_eq!(failed, Some(crate::api::ConnectFailure::UnknownPeer));
}

#[test]
fn a_peer_of_an_earlier_run_is_no_stranger() {
    let (mut net, ada, ben) = connected();
    let now = net.now;
    let record = net
        .node(3)
        .endpoint
        .door
        .identity()
        .record()
        .to_bytes()
        .to_vec();
    let mut again = config(2);
    again.strangers = crate::api::Strangers::Refuse;
    let (name, broken) = (Some("ben".to_owned()), record[1..].to_vec());
    again.known_peers = vec![
        KnownPeer {
            record: broken,
            name: None,
        },
        KnownPeer { record, name },
    ];
    let node = Node::new(again, now).expect("a valid configuration");
    assert_eq!(node.id(), ada);
    let peers = node.peers(now);
    assert_eq!(peers.len(), 1, "the broken record is left out");
    assert_eq!((peers[0].id, peers[0].name.as_deref()), (ben, Some("ben")));
    assert_eq!(peers[0].state, crate::api::PeerState::Disconnected);
}

#[test]
fn a_keep_alive_finds_out_that_the_introducer_started_anew() {
    let (mut net, _, _) = three();
    let now = net.now;
    let mut introducer = config(1);
    introducer.roles = Roles::ALL;
    introducer.rng_seed = [99; 32];
    net.nodes.insert(
        address(1),
        Node::new(introducer, now).expect("a valid configuration"),
    );
    net.run(Duration::from_secs(20));
    let now = net.now;
    assert_eq!(
        net.node(1).status(now).directory_entries,
        2,
        "both are registered again"
    );
}
