//! The edge to the sockets: which address of ours a datagram leaves from, and what follows when it cannot.

use core::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::api::{AddressFamilies, Arrival, Link, LinkId};

/// Ben's second link; he would choose his first.
const SECOND: Link = Link {
    id: LinkId(7),
    families: AddressFamilies::Both,
};
/// Ben's second address; the system would choose his first.
const ASKED: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 3));

#[test]
fn a_node_with_two_addresses_answers_from_the_one_that_was_asked() {
    let (mut net, ada, ben) = pair();
    let (now, up) = (net.now, Command::LinkUp(SECOND));
    net.node(3).handle_command(now, up).expect("room");
    call(&mut net, 2, 3);
    let end = net.now + Duration::from_secs(40);
    let mut answers = 0;
    while net.now < end {
        net.drain_asked(&mut answers);
        net.now += Duration::from_millis(50);
        let now = net.now;
        for n in [2, 3] {
            if net.node(n).poll_timeout().is_some_and(|d| d.at <= now) {
                net.node(n).handle_timeout(now);
            }
        }
    }
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    assert!(answers >= 3, "{answers} answers: handshake and keep-alives");
}

impl Net {
    /// Hands everything over that waits; all that is sent to ben is sent to his second address.
    fn drain_asked(&mut self, answers: &mut usize) {
        let now = self.now;
        let mut waiting = core::mem::take(&mut self.wire);
        loop {
            while let Some(t) = self
                .nodes
                .get_mut(&address(2))
                .and_then(|node| node.poll_transmit(now, &mut self.buffer))
            {
                let (from, to, bytes) = (address(2), t.to, self.buffer[..t.len].to_vec());
                self.serial += 1;
                waiting.insert((now, self.serial), Datagram { from, to, bytes });
            }
            let Some((_, mut datagram)) = waiting.pop_first() else {
                return;
            };
            let arrival = Arrival {
                link: SECOND.id,
                from: datagram.from,
                to: Some(ASKED),
                ecn: None,
                segment_size: datagram.bytes.len(),
                bytes: &mut datagram.bytes,
            };
            self.node(3).handle_arrival(now, arrival);
            let mut buffer = vec![0; 65_536];
            while let Some(t) = self.node(3).poll_transmit(now, &mut buffer) {
                assert_eq!((t.from, t.link), (Some(ASKED), SECOND.id), "at {now:?}");
                *answers += 1;
                let bytes = &mut buffer[..t.len];
                self.node(2)
                    .handle_batch(now, address(3), bytes, t.segment_size);
            }
        }
    }
}

#[test]
fn a_send_that_fails_moves_the_data_to_the_next_path_at_once() {
    let (mut net, _, ben) = connected();
    net.run(Duration::from_secs(3));
    let now = net.now;
    let node = net.node(2);
    let key = node.peers.table.key_of(&ben).expect("known");
    let introducer = node.rendezvous.introducers()[0].address.id;
    let relay = node.peers.table.key_of(&introducer).expect("known");
    node.peers.add_relay_route(now, key, relay, 5);
    let entry = node.peers.table.get_mut(key).expect("known");
    let direct = entry.peer.active_route().expect("a path");
    assert!(direct.is_direct());
    entry.peer.sources.ping().expect("connected");
    node.peers.agenda.on_touched(key);
    let mut buffer = vec![0; 65_536];
    let t = node.poll_transmit(now, &mut buffer).expect("a ping");
    assert_eq!(t.to, address(3));
    node.handle_send_error(now, address(9), t.from);
    let is_direct = |node: &Node| {
        let entry = node.peers.table.get(key).expect("known");
        entry.peer.active_route().is_some_and(|r| r.is_direct())
    };
    assert!(is_direct(node), "another's error is not ours");
    node.handle_send_error(now, t.to, t.from);
    assert!(!is_direct(node), "the relay carries the data");
}

/// Sends a ping to a peer and takes what leaves.
fn ping(net: &mut Net, n: u8, peer: &NodeId) -> Option<crate::api::Transmit> {
    let now = net.now;
    let node = net.node(n);
    let _ = node.handle_command(now, Command::Ping(*peer));
    let mut buffer = vec![0; 65_536];
    let first = node.poll_transmit(now, &mut buffer);
    while node.poll_transmit(now, &mut buffer).is_some() {}
    first
}

#[test]
fn nothing_leaves_by_a_link_that_is_down_and_another_carries_on() {
    let (mut net, _, ben) = connected();
    net.run(Duration::from_secs(3));
    assert_eq!(
        ping(&mut net, 2, &ben).map(|t| t.link),
        Some(LinkId::default())
    );
    let now = net.now;
    let down = |net: &mut Net, id| net.node(2).handle_command(now, Command::LinkDown(id));
    assert!(down(&mut net, SECOND.id).is_err(), "no such link");
    down(&mut net, LinkId::default()).expect("a link");
    net.now += Duration::from_secs(1);
    assert_eq!(ping(&mut net, 2, &ben), None);
    let up = Command::LinkUp(SECOND);
    net.node(2).handle_command(now, up).expect("room");
    let left = ping(&mut net, 2, &ben).map(|t| t.link);
    assert_eq!(left, Some(SECOND.id));
    net.run(Duration::from_secs(5));
    assert!(net.is_connected(2, &ben));
}

#[test]
fn a_link_that_goes_down_fails_its_paths_at_once() {
    let (mut net, _, ben) = connected();
    let now = net.now;
    net.node(2)
        .handle_command(now, Command::LinkUp(SECOND))
        .expect("room");
    net.run(Duration::from_secs(3));
    let now = net.now;
    let node = net.node(2);
    let key = node.peers.table.key_of(&ben).expect("known");
    let introducer = node.rendezvous.introducers()[0].address.id;
    let relay = node.peers.table.key_of(&introducer).expect("known");
    node.peers.add_relay_route(now, key, relay, 5);
    let is_direct = |node: &Node| {
        let entry = node.peers.table.get(key).expect("known");
        entry.peer.active_route().is_some_and(|r| r.is_direct())
    };
    assert!(is_direct(node));
    node.handle_command(now, Command::LinkDown(SECOND.id))
        .expect("a link");
    assert!(is_direct(node), "another's link");
    node.handle_command(now, Command::LinkDown(LinkId::default()))
        .expect("a link");
    assert!(!is_direct(node), "the relay carries the data");
}
