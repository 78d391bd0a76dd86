//! The edge to the sockets: which address of ours a datagram leaves from, and what follows when it cannot.

use core::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::api::Arrival;

/// Ben's second address; the system would choose his first.
const ASKED: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 3));

#[test]
fn a_node_with_two_addresses_answers_from_the_one_that_was_asked() {
    let (mut net, ada, ben) = pair();
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
                from: datagram.from,
                to: Some(ASKED),
                ecn: None,
                segment_size: datagram.bytes.len(),
                bytes: &mut datagram.bytes,
            };
            self.node(3).handle_arrival(now, arrival);
            let mut buffer = vec![0; 65_536];
            while let Some(t) = self.node(3).poll_transmit(now, &mut buffer) {
                assert_eq!(t.from, Some(ASKED), "at {now:?}");
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
    entry.peer.ping().expect("connected");
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
