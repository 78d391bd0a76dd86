//! What goes through a relay, and what must not (protocol §10.2).

use bytes::Bytes;

use super::{Net, client, introducer_config};
use crate::api::{Engine, PathKind};
use crate::id::NodeId;
use crate::time::Duration;

/// Ada (2) and ben (3), who reach each other through the introducer (1) only.
fn relayed() -> (Net, NodeId, NodeId) {
    let mut net = Net::new();
    let introducer = net.add(1, introducer_config());
    let ada = net.add(2, {
        let mut config = client(2, "ada", introducer);
        config.direct_paths = false;
        config
    });
    let ben = net.add(3, client(3, "ben", introducer));
    net.run(Duration::from_secs(2));
    net.connect(2, ben);
    net.run(Duration::from_secs(2));
    (net, ada, ben)
}

/// Gives the way to `to` a datagram that came through a relay channel; whether one leaves then.
fn is_forwarded(net: &mut Net, to: NodeId) -> bool {
    let now = net.now;
    let node = net.node(2);
    let key = node.peers.table.key_of(&to).expect("known");
    let peer = &mut node.peers.table.get_mut(key).expect("known").peer;
    assert!(
        peer.sources
            .push_relayed(7, Bytes::from_static(&[0xC0; 60]))
    );
    let (mut buffer, mut probes) = (vec![0; 9_000], 0);
    let sent = peer.poll_transmit(now, &mut buffer, false, &mut probes);
    assert_eq!(peer.queue_lengths()[2], 0, "nothing waits");
    sent.is_some()
}

/// Protocol §10.2: it could lead back to where it came from.
#[test]
fn nothing_is_forwarded_to_a_peer_that_is_itself_reached_through_a_relay() {
    let (mut net, _, ben) = relayed();
    let now = net.now;
    let path = net.node(2).peer(now, &ben).expect("known").path;
    let kind = path.expect("connected").kind;
    assert!(matches!(kind, PathKind::Relay { .. }), "{kind:?}");
    let introducer = net.node(1).id();
    assert!(is_forwarded(&mut net, introducer), "over a direct path");
    assert!(!is_forwarded(&mut net, ben));
}
