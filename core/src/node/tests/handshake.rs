//! Handshake datagrams that were damaged on the way, or made by somebody who saw the genuine ones (protocol §3).

use std::cell::RefCell;
use std::rc::Rc;

use super::{Fate, Net, address, call, client, count, introducer_config, is_connected_event, pair};
use crate::api::{Event, IntroducerState};
use crate::id::NodeId;
use crate::time::Duration;

const IK_INITIATION: u8 = 0x80;
const IK_RESPONSE: u8 = 0x81;
const XX_FIRST: u8 = 0x82;
const XX_SECOND: u8 = 0x83;
const XX_THIRD: u8 = 0x84;
const COOKIE_REPLY: u8 = 0x88;

/// Takes the first datagram of a kind off the wire.
fn intercept(net: &mut Net, kind: u8) -> Rc<RefCell<Option<Vec<u8>>>> {
    let caught = Rc::new(RefCell::new(None));
    let place = Rc::clone(&caught);
    net.set_tap(move |_, datagram| {
        let is_it = datagram.bytes[0] == kind && place.borrow().is_none();
        if is_it {
            *place.borrow_mut() = Some(datagram.bytes.clone());
        }
        if is_it { Fate::Drop } else { Fate::Pass }
    });
    caught
}

fn variants(genuine: &[u8]) -> Vec<Vec<u8>> {
    let flipped = (0..genuine.len() * 8).map(|bit| {
        let mut bytes = genuine.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    });
    let cut = (0..genuine.len()).map(|len| genuine[..len].to_vec());
    let mut longer = genuine.to_vec();
    longer.push(0);
    flipped.chain(cut).chain([longer]).collect()
}

/// Lets a handshake run while `kind` is attacked on its way from `from` to `to`: the genuine datagram is lost, or
/// comes after all variants of it.
fn attack(net: &mut Net, kind: u8, from: u8, to: u8, is_lost: bool, begin: impl Fn(&mut Net)) {
    let caught = intercept(net, kind);
    begin(net);
    net.run(Duration::from_millis(100));
    let genuine = caught.borrow_mut().take().expect("the handshake sends it");
    net.tap = None;
    for bytes in variants(&genuine) {
        net.deliver(to, address(from), &bytes);
    }
    if !is_lost {
        net.deliver(to, address(from), &genuine);
    }
    net.run(Duration::from_secs(20));
}

/// Everybody's tables, to compare with a world that was left in peace.
fn sizes(net: &mut Net) -> Vec<[usize; 4]> {
    net.nodes
        .values()
        .map(|node| node.peers.table.sizes())
        .collect()
}

fn assert_one_connection(net: &mut Net, ada: NodeId, ben: NodeId) {
    for (n, id, other) in [(2, ada, ben), (3, ben, ada)] {
        assert!(net.is_connected(n, &other));
        let events = net.events_of(id);
        assert_eq!(count(&events, is_connected_event), 1, "{events:?}");
        assert_eq!(net.node(n).endpoint.door.half_open(), 0);
    }
}

#[test]
fn no_damaged_datagram_of_ik_changes_the_outcome() {
    let (mut net, ..) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(20));
    let peaceful = sizes(&mut net);
    for is_lost in [false, true] {
        for (kind, from, to) in [(IK_INITIATION, 2, 3), (IK_RESPONSE, 3, 2)] {
            let (mut net, ada, ben) = pair();
            attack(&mut net, kind, from, to, is_lost, |net| call(net, 2, 3));
            assert_one_connection(&mut net, ada, ben);
            assert_eq!(sizes(&mut net), peaceful, "{kind:#x}");
        }
    }
}

/// The introducer (1) and ada (2), before they know each other.
fn introducer_and_ada() -> (Net, NodeId) {
    let mut net = Net::new();
    let introducer = net.add(1, introducer_config());
    let ada = net.add(2, client(2, "ada", introducer));
    (net, ada)
}

#[test]
fn no_damaged_datagram_of_xx_changes_the_outcome() {
    let (mut net, _) = introducer_and_ada();
    net.run(Duration::from_secs(20));
    let peaceful = sizes(&mut net);
    for is_lost in [false, true] {
        for (kind, from, to) in [(XX_FIRST, 2, 1), (XX_SECOND, 1, 2), (XX_THIRD, 2, 1)] {
            let (mut net, ada) = introducer_and_ada();
            attack(&mut net, kind, from, to, is_lost, |_| {});
            let events = net.events_of(ada);
            let state = IntroducerState::Registered;
            let is_registered =
                |e: &Event| matches!(e, Event::Introducer { state: s, .. } if *s == state);
            assert_eq!(count(&events, is_registered), 1, "{kind:#x} {events:?}");
            assert_eq!(sizes(&mut net), peaceful, "{kind:#x}");
        }
    }
}

/// Ada's calls have used up what ben computes for her address without a cookie.
fn use_up_budget(net: &mut Net) {
    let caught = intercept(net, IK_INITIATION);
    call(net, 2, 3);
    net.run(Duration::from_millis(5));
    let old = caught.borrow_mut().take().expect("a call");
    net.set_tap(|_, _| Fate::Drop);
    for _ in 0..30 {
        net.deliver(3, address(2), &old);
    }
    net.tap = None;
}

#[test]
fn no_damaged_cookie_reply_changes_the_outcome() {
    for is_lost in [false, true] {
        let (mut net, ada, ben) = pair();
        use_up_budget(&mut net);
        attack(&mut net, COOKIE_REPLY, 3, 2, is_lost, |net| call(net, 2, 3));
        assert_one_connection(&mut net, ada, ben);
    }
}

#[test]
fn whoever_is_asked_for_a_cookie_gets_through_with_it() {
    let (mut net, ada, ben) = pair();
    use_up_budget(&mut net);
    net.trace = Some(Vec::new());
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(20));
    let trace = net.trace.take().expect("recording");
    let kinds: Vec<u8> = trace.iter().take(4).map(|d| d.bytes[0]).collect();
    assert_eq!(
        kinds,
        [IK_INITIATION, COOKIE_REPLY, IK_INITIATION, IK_RESPONSE]
    );
    net.run(Duration::from_secs(20));
    assert_one_connection(&mut net, ada, ben);
}

#[test]
fn a_replayed_old_call_does_not_push_out_the_genuine_one() {
    let (mut net, ada, ben) = pair();
    let caught = intercept(&mut net, IK_INITIATION);
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(5));
    let old = caught.borrow_mut().take().expect("a call");
    net.set_tap(|_, datagram| match datagram.bytes[0] {
        IK_INITIATION | IK_RESPONSE => Fate::Pass,
        _ => Fate::Late(Duration::from_millis(100)),
    });
    call(&mut net, 2, 3);
    net.run(Duration::from_millis(10));
    net.deliver(3, super::stranger(), &old);
    net.run(Duration::from_secs(20));
    assert_one_connection(&mut net, ada, ben);
}

#[test]
fn a_replayed_call_does_not_redirect_ours() {
    // Ada's key is the smaller one or ben's is: both orders are tried.
    for (caller, called) in [(2, 3), (3, 2)] {
        let (mut net, ada, ben) = pair();
        let caught = intercept(&mut net, IK_INITIATION);
        call(&mut net, caller, called);
        net.run(Duration::from_millis(5));
        let old = caught.borrow_mut().take().expect("a call");
        let now = net.now;
        let peer = if caller == 2 { ben } else { ada };
        let key = net.node(caller).peers.table.key_of(&peer).expect("known");
        let entry = net.node(caller).peers.table.get_mut(key).expect("known");
        entry.peer.drop_handshake();
        net.node(caller).settle(now);
        net.tap = None;
        call(&mut net, called, caller);
        net.deliver(called, super::stranger(), &old);
        net.run(Duration::from_secs(20));
        assert_one_connection(&mut net, ada, ben);
    }
}
