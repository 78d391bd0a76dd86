//! Handshakes of both sides that cross, with each datagram lost or late in turn; renewal of keys under loss; one
//! side that starts anew (protocol §3.6, §3.7, §4.5).

use bytes::Bytes;

use super::{
    Fate, Net, address, call, config, count, is_connected_event, is_disconnected_event, pair,
};
use crate::Node;
use crate::api::{Command, DisconnectReason, Engine, Event, MessageId};
use crate::id::NodeId;
use crate::time::Duration;

fn association(net: &mut Net, n: u8, peer: &NodeId) -> u64 {
    let node = net.node(n);
    let key = node.peers.table.key_of(peer).expect("known");
    let entry = node.peers.table.get(key).expect("known");
    entry.peer.sessions().association()
}

fn send(net: &mut Net, n: u8, peer: NodeId, text: &'static str) {
    let data = Bytes::from_static(text.as_bytes());
    let (channel, deadline) = (0, None);
    net.order(
        n,
        Command::SendMessage {
            peer,
            label: channel.into(),
            data,
            deadline,
        },
    );
}

fn ready(events: &[Event]) -> Vec<MessageId> {
    let ready = events.iter().filter_map(|event| match event {
        Event::MessageReady { message, .. } => Some(*message),
        _ => None,
    });
    ready.collect()
}

/// Both are connected, agree on the association, and data passes both ways; nobody was told of a second one.
fn assert_one_association(net: &mut Net, ada: NodeId, ben: NodeId, what: &str) {
    assert!(
        net.is_connected(2, &ben) && net.is_connected(3, &ada),
        "{what}"
    );
    let theirs = association(net, 3, &ada);
    assert_eq!(association(net, 2, &ben), theirs, "{what}");
    send(net, 2, ben, "hello");
    send(net, 3, ada, "hello");
    net.run(Duration::from_secs(5));
    for id in [ada, ben] {
        let events = net.events_of(id);
        assert_eq!(count(&events, is_connected_event), 1, "{what} {events:?}");
        assert_eq!(
            count(&events, is_disconnected_event),
            0,
            "{what} {events:?}"
        );
        assert_eq!(ready(&events).len(), 1, "{what}");
    }
}

/// Fates of the first datagrams: each may pass, be lost, or come late enough to be overtaken by repetitions.
fn fates(code: usize, places: u32) -> Vec<Fate> {
    let late = |ms| Fate::Late(Duration::from_millis(ms));
    let all = [Fate::Pass, Fate::Drop, late(40), late(400)];
    (0..places)
        .map(|place| all[code / 4_usize.pow(place) % 4])
        .collect()
}

#[test]
fn calls_that_cross_make_one_association() {
    const PLACES: u32 = 4;
    for gap_ms in [0, 1, 2, 3, 30] {
        for code in 0..4_usize.pow(PLACES) {
            let (mut net, ada, ben) = pair();
            let fates = fates(code, PLACES);
            let what = format!("{gap_ms} ms, {fates:?}");
            net.set_tap(move |place, _| fates.get(place).copied().unwrap_or(Fate::Pass));
            call(&mut net, 2, 3);
            net.run(Duration::from_millis(gap_ms));
            if !net.is_connected(3, &ada) {
                call(&mut net, 3, 2);
            }
            net.run(Duration::from_secs(10));
            assert_one_association(&mut net, ada, ben, &what);
        }
    }
}

/// Lets time pass to just before keys are renewed, with data in the session.
fn before_renewal() -> (Net, NodeId, NodeId) {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    send(&mut net, 2, ben, "first");
    send(&mut net, 3, ada, "first");
    net.run(Duration::from_millis(118_500));
    net.events_of(ada);
    net.events_of(ben);
    (net, ada, ben)
}

fn assert_nothing_ended(net: &mut Net, ada: NodeId, ben: NodeId, before: u64, what: &str) {
    assert_eq!(association(net, 2, &ben), before, "{what}");
    assert_eq!(association(net, 3, &ada), before, "{what}");
    for id in [ada, ben] {
        let events = net.events_of(id);
        assert_eq!(count(&events, is_connected_event), 0, "{what} {events:?}");
        assert_eq!(
            count(&events, is_disconnected_event),
            0,
            "{what} {events:?}"
        );
    }
}

#[test]
fn keys_are_renewed_under_loss_and_nothing_is_lost() {
    for code in 0..4_usize.pow(4) {
        let (mut net, ada, ben) = before_renewal();
        let before = association(&mut net, 2, &ben);
        let fates = fates(code, 4);
        let what = format!("{fates:?}");
        let mut handshakes = 0;
        net.set_tap(move |_, datagram| {
            // From the first handshake datagram on.
            handshakes += usize::from(handshakes > 0 || datagram.bytes[0] < 0xc0);
            let place = handshakes.checked_sub(1);
            place
                .and_then(|p| fates.get(p))
                .copied()
                .unwrap_or(Fate::Pass)
        });
        for _ in 0..20 {
            send(&mut net, 2, ben, "on");
            send(&mut net, 3, ada, "on");
            net.run(Duration::from_secs(1));
        }
        net.run(Duration::from_secs(100));
        for id in [ada, ben] {
            let events = net.events.get(&id).expect("events");
            assert_eq!(ready(events).len(), 20, "{what}");
        }
        assert_nothing_ended(&mut net, ada, ben, before, &what);
    }
}

#[test]
fn renewals_that_cross_keep_the_association() {
    for code in 0..4_usize.pow(4) {
        let (mut net, ada, ben) = before_renewal();
        let before = association(&mut net, 2, &ben);
        let fates = fates(code, 4);
        let what = format!("{fates:?}");
        net.set_tap(move |place, _| fates.get(place).copied().unwrap_or(Fate::Pass));
        call(&mut net, 2, 3);
        call(&mut net, 3, 2);
        net.run(Duration::from_secs(10));
        // Long enough that whoever holds to older keys would lose them.
        for _ in 0..12 {
            send(&mut net, 2, ben, "on");
            send(&mut net, 3, ada, "on");
            net.run(Duration::from_secs(10));
        }
        for id in [ada, ben] {
            let events = net.events.get(&id).expect("events");
            assert_eq!(ready(events).len(), 12, "{what}");
        }
        assert_nothing_ended(&mut net, ada, ben, before, &what);
    }
}

#[test]
fn an_outage_that_begins_within_a_renewal_costs_nothing() {
    let (mut net, ada, ben) = before_renewal();
    let before = association(&mut net, 2, &ben);
    let mut is_answered = false;
    let mut lost = 0;
    net.set_tap(move |_, datagram| {
        if is_answered && lost < 40 {
            lost += 1;
            return Fate::Drop;
        }
        is_answered |= datagram.bytes[0] == 0x81;
        Fate::Pass
    });
    for _ in 0..40 {
        send(&mut net, 2, ben, "on");
        net.run(Duration::from_millis(500));
    }
    net.tap = None;
    net.run(Duration::from_secs(20));
    assert_eq!(ready(net.events.get(&ben).expect("events")).len(), 40);
    assert_nothing_ended(&mut net, ada, ben, before, "outage");
}

/// Ben's process dies and starts again with the same keys.
fn restart_ben(net: &mut Net) {
    let mut again = config(3);
    again.rng_seed = [77; 32];
    let node = Node::new(again, net.now).expect("a valid configuration");
    net.nodes.insert(address(3), node);
}

fn end_of(events: &[Event]) -> Vec<DisconnectReason> {
    let ends = events.iter().filter_map(|event| match event {
        Event::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_restart_is_noticed_by_a_reset_and_what_arrived_can_still_be_taken() {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    send(&mut net, 3, ada, "kept for you");
    net.run(Duration::from_secs(1));
    let message = ready(&net.events_of(ada))[0];
    restart_ben(&mut net);
    net.events_of(ben);
    send(&mut net, 2, ben, "are you there?");
    net.run(Duration::from_secs(1));
    let events = net.events_of(ada);
    assert_eq!(end_of(&events), [DisconnectReason::PeerRestarted]);
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    assert_one_association(&mut net, ada, ben, "after the restart");
    let now = net.now;
    let taken = net.node(2).take_message(now, ben, message);
    assert_eq!(taken.as_deref(), Ok(&b"kept for you"[..]));
}

#[test]
fn a_restarted_peer_that_calls_takes_the_place_of_the_one_before() {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(10));
    net.events_of(ada);
    restart_ben(&mut net);
    net.events_of(ben);
    call(&mut net, 3, 2);
    net.run(Duration::from_secs(1));
    let events = net.events.get(&ada).cloned().unwrap_or_default();
    assert_eq!(end_of(&events), [DisconnectReason::PeerRestarted]);
    let place = |is_it: fn(&Event) -> bool| events.iter().position(is_it);
    assert!(place(is_disconnected_event) < place(is_connected_event));
    net.events
        .get_mut(&ada)
        .expect("events")
        .retain(|e| !is_disconnected_event(e));
    assert_one_association(&mut net, ada, ben, "after the restart");
}
