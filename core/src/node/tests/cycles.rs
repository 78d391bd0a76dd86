//! Nothing is left behind: connections that come and go, peers that are forgotten, goodbyes that leave.

use super::{
    Net, address, call, connected, count, is_connected_event, is_disconnected_event, pair, prepare,
};
use crate::api::{Command, DisconnectReason, Engine, Event, PeerState};
use crate::id::NodeId;
use crate::limits;
use crate::path::Route;
use crate::time::Duration;

fn disconnect(net: &mut Net, n: u8, peer: NodeId) {
    net.order(n, Command::Disconnect(peer));
}

/// Everything in a node that a connection may leave something in.
fn leftovers(net: &mut Net, n: u8) -> (Vec<usize>, Vec<usize>) {
    let node = net.node(n);
    let mut sizes = node.peers.table.sizes().to_vec();
    sizes.extend([
        node.endpoint.door.half_open(),
        node.peers.relays.len(),
        node.relayed.len(),
        node.endpoint.waiting(),
        node.news.len(),
    ]);
    sizes.extend(node.rendezvous.sizes());
    let keys = node.peers.table.keys();
    let entries = keys.iter().filter_map(|key| node.peers.table.get(*key));
    let queues = entries.flat_map(|entry| entry.peer.queue_lengths());
    (sizes, queues.collect())
}

#[test]
fn a_thousand_connections_leave_nothing_behind() {
    let (mut net, ada, ben) = pair();
    let mut baseline = None;
    for round in 0..1_000 {
        call(&mut net, 2, 3);
        net.run(Duration::from_millis(50));
        assert!(
            net.is_connected(2, &ben) && net.is_connected(3, &ada),
            "{round}"
        );
        let (n, peer) = if round % 2 == 0 { (2, ben) } else { (3, ada) };
        disconnect(&mut net, n, peer);
        net.run(Duration::from_millis(50));
        for id in [ada, ben] {
            let events = net.events_of(id);
            assert_eq!(count(&events, is_connected_event), 1, "{round} {events:?}");
            assert_eq!(
                count(&events, is_disconnected_event),
                1,
                "{round} {events:?}"
            );
        }
        // A peer that is not connected is left in peace, so that its limits on handshakes recover.
        net.run(Duration::from_secs(70));
        let now = [leftovers(&mut net, 2), leftovers(&mut net, 3)];
        assert_eq!(baseline.get_or_insert_with(|| now.clone()), &now, "{round}");
    }
}

#[test]
fn introduced_connections_leave_nothing_behind_either() {
    let (mut net, ada, ben) = connected();
    let mut baseline = None;
    for round in 0..30 {
        disconnect(&mut net, 2, ben);
        net.run(Duration::from_secs(200));
        let now: Vec<_> = (1..4).map(|n| leftovers(&mut net, n)).collect();
        assert_eq!(baseline.get_or_insert_with(|| now.clone()), &now, "{round}");
        let time = net.now;
        assert_eq!(net.node(1).status(time).relay_channels, 0, "{round}");
        net.connect(2, ben);
        net.run(Duration::from_secs(5));
        assert!(
            net.is_connected(2, &ben) && net.is_connected(3, &ada),
            "{round}"
        );
    }
}

#[test]
fn peers_that_are_gone_are_forgotten_beyond_a_bound() {
    let (mut net, ..) = pair();
    let now = net.now;
    let node = net.node(3);
    for n in 0..2 * limits::PEERS_REMEMBERED {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        let other = crate::identity::Identity::from_seeds(&seed, &seed, 1).expect("a key");
        let key = prepare(node, now, other.record().clone());
        // The introducer lies: nobody is there.
        for channel in 0..8 {
            let relay = crate::id::PeerKey(u32::MAX);
            node.peers
                .add_relay_route(now, key, relay, n as u32 * 8 + channel);
        }
    }
    assert_eq!(node.peers.table.sizes()[0], limits::PEERS_REMEMBERED);
    assert!(node.peers.relays.len() <= 4 * limits::PEERS_REMEMBERED);
    net.run(Duration::from_secs(600));
}

#[test]
fn an_order_to_connect_right_after_one_to_part_ends_connected() {
    let (mut net, ada, ben) = connected();
    net.events_of(ada);
    disconnect(&mut net, 2, ben);
    net.connect(2, ben);
    net.run(Duration::from_secs(5));
    let events = net.events_of(ada);
    let place = |is_it: fn(&Event) -> bool| events.iter().position(is_it);
    assert!(
        place(is_disconnected_event) < place(is_connected_event),
        "{events:?}"
    );
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}

#[test]
fn goodbyes_leave_at_shutdown_and_end_the_other_side_at_once() {
    let (mut net, ada, ben) = connected();
    net.events_of(ben);
    net.order(2, Command::Shutdown);
    let now = net.now;
    assert!(net.node(2).handle_command(now, Command::Shutdown).is_err());
    net.run(Duration::from_millis(100));
    let ended = net.events_of(ben);
    let is_end = |e: &Event| {
        let reason = DisconnectReason::Remote;
        matches!(e, Event::Disconnected { peer, reason: r } if *peer == ada && *r == reason)
    };
    assert_eq!(count(&ended, is_end), 1, "{ended:?}");
    net.run(Duration::from_secs(1));
    assert_eq!(
        net.node(1).serving.role.registrations(),
        1,
        "the registration ended too"
    );
    assert_eq!(
        net.node(2).poll_timeout(),
        None,
        "nothing is left to be done"
    );
}

#[test]
fn a_relay_reached_through_itself_or_a_circle_makes_no_loop() {
    let (mut net, ada, ben) = connected();
    let now = net.now;
    let node = net.node(2);
    let key = node.peers.table.key_of(&ben).expect("known");
    let introducer = node.rendezvous.introducers()[0].address.id;
    let relay = node.peers.table.key_of(&introducer).expect("known");
    node.peers.add_relay_route(now, relay, relay, 5);
    node.peers.add_relay_route(now, relay, key, 6);
    node.peers.add_relay_route(now, key, relay, 7);
    for peer in [key, relay] {
        let entry = node.peers.table.get_mut(peer).expect("known");
        let direct = entry.peer.active_route().expect("a path");
        assert!(direct.is_direct());
        entry.peer.line.paths.on_send_error(now, direct);
        node.peers.agenda.on_touched(peer);
    }
    let is_own = |route: &crate::path::RouteStatus, key: crate::id::PeerKey| match route.route {
        Route::Relay { relay, .. } => relay == key.0,
        Route::Direct(_) => false,
    };
    let entry = node.peers.table.get(relay).expect("known");
    assert!(
        !entry
            .peer
            .line
            .paths
            .status()
            .iter()
            .any(|route| is_own(route, relay))
    );
    net.set_tap(|_, _| super::Fate::Drop);
    net.run(Duration::from_secs(100));
    net.tap = None;
    net.run(Duration::from_secs(30));
    let now = net.now;
    let state = net.node(2).peer(now, &ben).map(|peer| peer.state);
    assert_eq!(state, Some(PeerState::Connected), "it came back by itself");
    let _ = (ada, address(2));
}

/// Strangers that come and go push out strangers, never whom the owner chose.
#[test]
fn sec_20_a_crowd_that_comes_and_goes_makes_no_contact_forgotten() {
    let (mut net, ..) = pair();
    let now = net.now;
    let node = net.node(3);
    let of = |n: usize| {
        let mut seed = [9; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        crate::identity::Identity::from_seeds(&seed, &seed, 1).expect("a key")
    };
    // One who was met first and chosen later, one who was chosen before anything else was known.
    let [met, unmet] = [of(0).node_id(), of(1).node_id()];
    prepare(node, now, of(0).record().clone());
    for friend in [met, unmet] {
        let order = Command::Accept(friend);
        assert!(node.handle_command(now, order).is_ok());
    }
    for n in 2..2 * limits::PEERS_REMEMBERED {
        prepare(node, now, of(n).record().clone());
    }
    assert_eq!(node.peers.table.sizes()[0], limits::PEERS_REMEMBERED);
    for friend in [met, unmet] {
        assert!(node.peer(now, &friend).is_some_and(|p| p.is_accepted));
    }
}
