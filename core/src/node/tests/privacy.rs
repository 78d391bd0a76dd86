//! What a peer learns of our addresses, by what it is to us (protocol §6.2, §9.2).

use core::net::SocketAddr;

use super::{Net, address, client, introducer_config};
use crate::api::{
    Accepted, Command, ConnectFailure, ConnectTarget, Engine, Event, HostAddresses, Label,
    PathKind, Strangers,
};
use crate::id::NodeId;
use crate::time::Duration;

fn at(ip: [u8; 4]) -> SocketAddr {
    SocketAddr::from((ip, 6660))
}

/// An office and a VPN of ben's.
const OFFICE: [u8; 4] = [172, 16, 55, 9];
const VPN: [u8; 4] = [100, 99, 1, 7];
/// His address at home, which no introducer sees.
const HOME: [u8; 4] = [192, 168, 7, 2];

/// Ada knows nobody; ben, who is at home behind 10.0.0.3, treats strangers so.
fn scene(strangers: Strangers) -> (Net, NodeId, NodeId) {
    let mut net = Net::new();
    let introducer = net.add(1, introducer_config());
    let ada = net.add(2, client(2, "ada", introducer));
    let mut config = client(3, "ben", introducer);
    config.strangers = strangers;
    config.local_addresses = HostAddresses {
        main: vec![at(HOME)],
        side: vec![at(OFFICE), at(VPN)],
    };
    let ben = net.add(3, config);
    net.run(Duration::from_secs(2));
    (net, ada, ben)
}

/// What ada was told of ben's addresses, or saw.
fn learnt(net: &mut Net, ben: NodeId) -> Vec<SocketAddr> {
    let node = net.node(2);
    let key = node.peers.table.key_of(&ben).expect("known");
    let entry = node.peers.table.get(key).expect("known");
    let mut learnt = entry.peer.line.paths.remote_addresses();
    learnt.sort_unstable();
    learnt.dedup();
    learnt
}

#[test]
fn a_stranger_learns_what_its_introducer_sees_and_gets_a_direct_path() {
    let (mut net, _, ben) = scene(Strangers::Public);
    net.connect(2, ben);
    net.run(Duration::from_secs(3));
    assert_eq!(learnt(&mut net, ben), [address(3)]);
    let now = net.now;
    let peer = net.node(2).peer(now, &ben).expect("connected");
    assert!(
        peer.path.is_some_and(|path| path.kind == PathKind::Direct),
        "direct"
    );
}

#[test]
fn a_stranger_that_is_relayed_learns_nothing_and_is_still_served() {
    let (mut net, ada, ben) = scene(Strangers::Relayed);
    net.connect(2, ben);
    net.run(Duration::from_secs(3));
    assert_eq!(learnt(&mut net, ben), []);
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    let label = Label::from(1);
    let (peer, data, deadline) = (ben, "hello".into(), None);
    let order = Command::SendMessage {
        peer,
        label,
        data,
        deadline,
    };
    assert!(matches!(net.order(2, order), Accepted::Message(_)));
    net.run(Duration::from_secs(2));
    let arrived = |e: &Event| matches!(e, Event::MessageReady { .. });
    assert!(net.events_of(ben).iter().any(arrived));
}

#[test]
fn who_is_written_to_learns_the_main_address_and_no_network_that_it_is_not_on() {
    for strangers in [Strangers::Public, Strangers::Relayed] {
        let (mut net, ada, ben) = scene(strangers);
        net.connect(2, ben);
        net.run(Duration::from_secs(3));
        let (label, data, expiry) = (Label::from(1), "hello".into(), None);
        let peer = ada;
        let order = Command::SendDatagram {
            peer,
            label,
            data,
            expiry,
        };
        net.order(3, order);
        net.run(Duration::from_secs(3));
        let mut expected = vec![address(3), at(HOME)];
        expected.sort_unstable();
        assert_eq!(learnt(&mut net, ben), expected, "{strangers:?}");
    }
}

#[test]
fn who_is_refused_learns_nothing() {
    for strangers in [Strangers::Ask, Strangers::Refuse] {
        let (mut net, _, ben) = scene(strangers);
        net.connect(2, ben);
        net.run(Duration::from_secs(15));
        assert!(!net.is_connected(2, &ben), "{strangers:?}");
    }
}

#[test]
fn the_owner_hears_who_knocks_and_lets_in_whom_the_owner_accepts() {
    let (mut net, ada, ben) = scene(Strangers::Ask);
    for _ in 0..3 {
        net.connect(2, ben);
        net.run(Duration::from_secs(15));
    }
    let events = net.events_of(ben);
    let knocks: Vec<_> = events.iter().filter(|e| is_knock(e)).collect();
    let [Event::Knocked { peer, name, .. }] = &knocks[..] else {
        panic!("one, and no connection: {events:?}");
    };
    assert_eq!((*peer, name.as_deref()), (ada, Some("ada")));
    assert!(!net.is_connected(3, &ada));
    net.order(3, Command::Accept(ada));
    net.connect(2, ben);
    net.run(Duration::from_secs(3));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    assert!(!net.events_of(ben).iter().any(is_knock));
}

fn is_knock(event: &Event) -> bool {
    matches!(event, Event::Knocked { .. })
}

/// The name of a caller is a claim: it is shown, nobody is found by it, and it replaces no name that was found.
#[test]
fn sec_06_a_stranger_captures_no_name() {
    let (mut net, mallory, ben) = scene(Strangers::Public);
    net.connect(2, ben);
    net.run(Duration::from_secs(3));
    let now = net.now;
    let shown = net.node(3).peer(now, &mallory).expect("connected").name;
    assert_eq!(shown.as_deref(), Some("ada"), "shown");
    assert!(!is_found(&mut net, 3, &mallory), "and only shown");
    // An answer does not make the claim a name either.
    let order = Command::SendDatagram {
        peer: mallory,
        label: Label::from(1),
        data: "who are you".into(),
        expiry: None,
    };
    net.order(3, order);
    net.run(Duration::from_secs(1));
    assert!(!is_found(&mut net, 3, &mallory));
    // The owner's own look-up does.
    let (introducer, timeout) = (None, Duration::from_secs(5));
    let target = ConnectTarget::Name("ada".to_owned());
    net.order(3, Command::Disconnect(mallory));
    net.run(Duration::from_secs(1));
    net.order(
        3,
        Command::Connect {
            target,
            introducer,
            timeout,
        },
    );
    net.run(Duration::from_secs(3));
    assert!(is_found(&mut net, 3, &mallory));
    // Who asked by name found the name.
    assert!(is_found(&mut net, 2, &ben));
}

/// Whether the name of a peer is one under which this node's owner found it.
fn is_found(net: &mut Net, n: u8, peer: &NodeId) -> bool {
    let table = &net.node(n).peers.table;
    let key = table.key_of(peer).expect("known");
    table.is_found_by_name(key)
}

/// Whoever is refused as a caller is reached as one who is called.
#[test]
fn the_owner_reaches_whom_the_owner_asks_for() {
    let (mut net, ada, ben) = scene(Strangers::Refuse);
    let (target, timeout) = (ConnectTarget::Id(ada), Duration::from_secs(5));
    let introducer = None;
    net.order(
        3,
        Command::Connect {
            target,
            introducer,
            timeout,
        },
    );
    net.run(Duration::from_secs(3));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    let mut expected = vec![address(3), at(HOME)];
    expected.sort_unstable();
    assert_eq!(learnt(&mut net, ben), expected);
}

/// Whom the owner blocked is cut off, and meets what a stranger meets where strangers are refused.
#[test]
fn a_blocked_peer_is_cut_off_and_refused_like_a_stranger_until_it_is_not() {
    let (mut net, ada, ben) = scene(Strangers::Public);
    net.connect(2, ben);
    net.run(Duration::from_secs(3));
    assert!(net.is_connected(2, &ben));
    net.order(3, Command::Block(ada));
    net.run(Duration::from_secs(1));
    assert!(!net.is_connected(3, &ada) && !net.is_connected(2, &ben));
    net.events_of(ada);
    net.connect(2, ben);
    net.run(Duration::from_secs(5));
    assert!(!net.is_connected(3, &ada));
    let refused = |event: &Event| {
        let reason = ConnectFailure::Refused;
        matches!(event, Event::ConnectFailed { reason: r, .. } if *r == reason)
    };
    assert!(net.events_of(ada).iter().any(refused));
    // Nor by its address, where it was heard before.
    let now = net.now;
    let address = net.node(3).status(now).local_addresses[0];
    let target = ConnectTarget::Address { id: ben, address };
    net.order(
        2,
        Command::Connect {
            target,
            introducer: None,
            timeout: Duration::from_secs(5),
        },
    );
    net.run(Duration::from_secs(6));
    assert!(!net.is_connected(3, &ada));
    net.order(3, Command::Unblock(ada));
    net.connect(2, ben);
    net.run(Duration::from_secs(5));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}
