//! What an attacker on the way does to handshakes: packets forged for half-open indices, genuine ones that come from
//! where they were not sent (protocol §3.6, §3.7, §9.3).

use std::cell::RefCell;
use std::rc::Rc;

use core::net::SocketAddr;

use super::{Fate, Net, address, call, pair, stranger};
use crate::api::{Command, Event};
use crate::id::NodeId;
use crate::time::Duration;
use crate::wire::Writer;
use crate::wire::frame::{DatagramFrame, Frame};

const IK_INITIATION: u8 = 0x80;
const IK_RESPONSE: u8 = 0x81;

/// Takes everything off the wire that `from` sends and `is_it` names, and keeps it.
fn hold(
    net: &mut Net,
    from: u8,
    is_it: impl Fn(u8) -> bool + 'static,
) -> Rc<RefCell<Vec<Vec<u8>>>> {
    let held = Rc::new(RefCell::new(Vec::new()));
    let place = Rc::clone(&held);
    net.set_tap(move |_, datagram| {
        if datagram.from == address(from) && is_it(datagram.bytes[0]) {
            place.borrow_mut().push(datagram.bytes.clone());
            return Fate::Drop;
        }
        Fate::Pass
    });
    held
}

const fn is_data(first: u8) -> bool {
    first & 0xc0 == 0xc0
}

/// Where `n` sends to `peer` now.
fn remote(net: &mut Net, n: u8, peer: &NodeId) -> Option<SocketAddr> {
    let node = net.node(n);
    let key = node.peers.table.key_of(peer)?;
    node.peers.table.get(key)?.peer.active_route()?.address()
}

#[test]
fn a_forged_packet_confirms_no_half_open_session() {
    let (mut net, ada, ben) = pair();
    let answers = Rc::new(RefCell::new(Vec::new()));
    let place = Rc::clone(&answers);
    net.set_tap(move |_, datagram| {
        if datagram.bytes[0] == IK_RESPONSE {
            place.borrow_mut().push(datagram.bytes.clone());
        }
        // Ben's answer passes, ada's confirmation does not.
        let is_hers = datagram.from == address(2) && datagram.bytes[0] != IK_INITIATION;
        if is_hers { Fate::Drop } else { Fate::Pass }
    });
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(5));
    assert_eq!(net.node(3).endpoint.door.half_open(), 1);
    // The sender's index stands behind type, version and nothing else.
    let index = answers.borrow()[0][2..6].to_vec();
    for len in [25, 40, 60, 1_200] {
        let mut packet = vec![0xc0; len];
        packet[1..5].copy_from_slice(&index);
        let before = net.node(3).counters.dropped_unauthentic;
        net.deliver(3, address(2), &packet);
        assert_eq!(net.node(3).counters.dropped_unauthentic, before + 1);
        assert_eq!(net.node(3).endpoint.door.half_open(), 1);
        assert!(!net.is_connected(3, &ada));
    }
    net.tap = None;
    net.run(Duration::from_secs(3));
    assert!(net.is_connected(3, &ada) && net.is_connected(2, &ben));
}

#[test]
fn where_a_confirming_packet_seems_to_come_from_is_no_path() {
    let (mut net, ada, ben) = pair();
    let held = hold(&mut net, 2, is_data);
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(5));
    let packet = held.borrow()[0].clone();
    net.deliver(3, stranger(), &packet);
    assert!(net.is_connected(3, &ada));
    assert_eq!(remote(&mut net, 3, &ada), Some(address(2)));
    net.tap = None;
    net.run(Duration::from_secs(5));
    assert_eq!(remote(&mut net, 3, &ada), Some(address(2)));
    assert!(net.is_connected(2, &ben));
}

#[test]
fn where_an_answer_seems_to_come_from_is_no_path() {
    let (mut net, ada, ben) = pair();
    let held = hold(&mut net, 3, |first| first == IK_RESPONSE);
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(5));
    let answer = held.borrow()[0].clone();
    net.deliver(2, stranger(), &answer);
    assert!(net.is_connected(2, &ben));
    assert_eq!(remote(&mut net, 2, &ben), Some(address(3)));
    net.tap = None;
    net.run(Duration::from_secs(5));
    assert_eq!(remote(&mut net, 2, &ben), Some(address(3)));
    assert!(net.is_connected(3, &ada));
}

#[test]
fn a_half_open_session_does_not_go_on_with_an_association_that_has_ended() {
    let (mut net, ada, _) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    assert!(net.is_connected(3, &ada));
    // Ada renews her keys; her confirmation is held back while ben says goodbye, which she does not hear.
    let held = Rc::new(RefCell::new(Vec::new()));
    let place = Rc::clone(&held);
    net.set_tap(move |_, datagram| {
        let is_packet = is_data(datagram.bytes[0]);
        if is_packet && datagram.from == address(2) {
            place.borrow_mut().push(datagram.bytes.clone());
        }
        if is_packet { Fate::Drop } else { Fate::Pass }
    });
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(10));
    assert_eq!(net.node(3).endpoint.door.half_open(), 1);
    net.order(3, Command::Disconnect(ada));
    net.run(Duration::from_millis(10));
    assert!(!net.is_connected(3, &ada));
    let confirmations = held.borrow().clone();
    assert!(!confirmations.is_empty());
    for packet in confirmations {
        net.deliver(3, address(2), &packet);
        assert!(!net.is_connected(3, &ada));
    }
}

#[test]
fn packets_sealed_before_a_rekey_still_arrive_after_it() {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    let mut frame = [0; 64];
    let mut writer = Writer::new(&mut frame);
    let late = Frame::Datagram(DatagramFrame {
        tag: 1.into(),
        data: b"late",
    });
    late.encode(&mut writer).expect("room");
    let (_, packet) = net.forge(2, ben, writer.written());
    let before = net.node(3).counters.sessions_established;
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    assert!(net.node(3).counters.sessions_established > before);
    net.events_of(ben);
    net.deliver(3, address(2), &packet);
    let events = net.events_of(ben);
    let is_late =
        |e: &Event| matches!(e, Event::DatagramReceived { data, .. } if &data[..] == b"late");
    assert!(events.iter().any(is_late), "{events:?}");
    assert!(net.is_connected(3, &ada));
}
