//! Connecting by identity and address, without an introducer (protocol §3.9), and what the handshake tells of the
//! other side (§3.8).

use bytes::Bytes;

use super::{Net, address, config, count, is_connected_event};
use crate::api::{
    Accepted, ApiMisuse, Command, ConnectFailure, ConnectTarget, Engine, Event, NodeConfig,
};
use crate::id::NodeId;
use crate::time::Duration;

/// Two nodes without an introducer.
fn two(change: impl Fn(u8, &mut NodeConfig)) -> (Net, NodeId, NodeId) {
    let mut net = Net::new();
    let [ada, ben] = [2, 3].map(|n| {
        let mut config = config(n);
        change(n, &mut config);
        net.add(n, config)
    });
    (net, ada, ben)
}

fn connect_at(net: &mut Net, n: u8, id: NodeId, at: u8) -> Result<Accepted, ApiMisuse> {
    let now = net.now;
    let address = address(at);
    let command = Command::Connect {
        target: ConnectTarget::Address { id, address },
        introducer: None,
        timeout: Duration::from_secs(10),
    };
    let accepted = net.node(n).handle_command(now, command);
    net.drain();
    accepted
}

fn failures(events: &[Event]) -> Vec<ConnectFailure> {
    let failure = |event: &Event| match event {
        Event::ConnectFailed { reason, .. } => Some(*reason),
        _ => None,
    };
    events.iter().filter_map(failure).collect()
}

#[test]
fn an_address_connects_without_an_introducer() {
    let (mut net, ada, ben) = two(|_, _| ());
    let accepted = connect_at(&mut net, 2, ben, 3).expect("a host's address");
    let Accepted::Operation(number) = accepted else {
        panic!("{accepted:?}");
    };
    net.run(Duration::from_secs(1));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    let events = net.events_of(ada);
    let ended =
        |e: &Event| matches!(e, Event::Connected { operation: Some(o), .. } if *o == number);
    assert_eq!(count(&events, ended), 1, "{events:?}");
    assert_eq!(count(&net.events_of(ben), is_connected_event), 1);
    net.order(
        3,
        Command::SendRequest {
            peer: ada,
            service: "who".to_owned(),
            budget: 3,
            body: Bytes::from_static(b"?"),
            deadline: Duration::from_secs(1),
        },
    );
    net.run(Duration::from_secs(2));
    let events = net.events_of(ada);
    let asked = |e: &Event| matches!(e, Event::RequestReceived { budget: 3, service, .. } if service == "who");
    assert_eq!(count(&events, asked), 1, "{events:?}");
}

#[test]
fn two_calls_by_address_that_cross_make_one_connection() {
    let (mut net, ada, ben) = two(|_, _| ());
    for (n, id, at) in [(2, ben, 3), (3, ada, 2)] {
        connect_at(&mut net, n, id, at).expect("a host's address");
    }
    net.run(Duration::from_secs(30));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    for id in [ada, ben] {
        let events = net.events_of(id);
        assert_eq!(count(&events, is_connected_event), 1, "{events:?}");
        assert_eq!(failures(&events), []);
    }
    let sent = net.order(
        2,
        Command::SendMessage {
            peer: ben,
            label: 0.into(),
            data: Bytes::from_static(b"hello"),
            deadline: None,
        },
    );
    net.run(Duration::from_secs(2));
    assert!(matches!(sent, Accepted::Message(_)), "{sent:?}");
    let arrived = |e: &Event| matches!(e, Event::MessageReady { .. });
    assert_eq!(count(&net.events_of(ben), arrived), 1);
}

#[test]
fn who_takes_no_strangers_does_not_say_that_he_is_there() {
    let (mut net, ada, ben) = two(|n, config| {
        if n != 2 {
            config.strangers = crate::api::Strangers::Refuse;
        }
    });
    connect_at(&mut net, 2, ben, 3).expect("a host's address");
    net.trace = Some(Vec::new());
    net.run(Duration::from_secs(11));
    assert_eq!(failures(&net.events_of(ada)), [ConnectFailure::TimedOut]);
    let trace = net.trace.take().unwrap_or_default();
    assert!(trace.iter().all(|datagram| datagram.from != address(3)));
    net.run(Duration::from_secs(60));
    // The other way it goes: who is called is no stranger to whoever calls.
    connect_at(&mut net, 3, ada, 2).expect("a host's address");
    net.run(Duration::from_secs(2));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}

#[test]
fn another_identity_at_the_address_is_not_taken_for_the_peer() {
    let (mut net, ada, ben) = two(|_, _| ());
    let eve = net.add(4, config(4));
    connect_at(&mut net, 2, ben, 4).expect("a host's address");
    net.run(Duration::from_secs(20));
    assert_eq!(failures(&net.events_of(ada)), [ConnectFailure::TimedOut]);
    assert!(!net.is_connected(2, &ben) && !net.is_connected(2, &eve));
    assert!(!net.is_connected(4, &ada));
}

#[test]
fn addresses_that_are_no_hosts_and_nodes_without_direct_paths_are_refused() {
    let (mut net, ada, ben) = two(|n, config| config.direct_paths = n != 3);
    let mut refused = |n: u8, id: NodeId, text: &str| {
        let command = Command::Connect {
            target: ConnectTarget::Address {
                id,
                address: text.parse().expect("an address"),
            },
            introducer: None,
            timeout: Duration::from_secs(1),
        };
        let now = net.now;
        net.node(n).handle_command(now, command).unwrap_err()
    };
    for text in ["10.0.0.3:0", "0.0.0.0:6660", "224.0.0.1:6660", "[::]:6660"] {
        let error = refused(2, ben, text);
        assert!(matches!(error, ApiMisuse::InvalidArgument { .. }), "{text}");
    }
    let error = refused(3, ada, "10.0.0.2:6660");
    assert!(matches!(error, ApiMisuse::InvalidArgument { .. }));
    assert_eq!(refused(2, ada, "10.0.0.2:6660"), ApiMisuse::OwnId);
}

/// `XX` first, then `IK`: each side knows what the other offers, the bits that nobody knows too, and the engine's own
/// bits are not shown.
#[test]
fn each_side_learns_what_the_other_offers() {
    const HTTP: u32 = 1 << 10;
    const LATER: u32 = 1 << 31;
    let (mut net, ada, ben) = two(|n, config| {
        config.capabilities = if n == 2 { HTTP | 1 } else { HTTP | LATER };
    });
    let offers = |net: &mut Net, n: u8, peer: NodeId| {
        let now = net.now;
        net.node(n).peer(now, &peer).map(|peer| peer.capabilities)
    };
    connect_at(&mut net, 2, ben, 3).expect("a host's address");
    net.run(Duration::from_secs(1));
    for _ in 0..2 {
        assert_eq!(offers(&mut net, 2, ben), Some(HTTP | LATER));
        assert_eq!(offers(&mut net, 3, ada), Some(HTTP));
        // Long enough for a handshake by key record to have replaced the session.
        net.order(2, Command::Ping(ben));
        net.run(Duration::from_secs(130));
    }
}
