//! Timers that others hide: who hears and has nothing to say speaks all the same, keys are renewed to the moment, and
//! what waits for the pacer leaves when its time has come (protocol §4.5, §9.5; RFC 9002 §7.7).

use bytes::Bytes;

use super::{Fate, Net, address, call, pair};
use crate::api::{Command, Engine};
use crate::id::NodeId;
use crate::limits;
use crate::time::{Duration, TimerKind};
use crate::wire::Writer;
use crate::wire::frame::Frame;

/// Ada and ben with a session that carried data, and nothing under way.
fn quiet_pair() -> (Net, NodeId, NodeId) {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    for (n, peer) in [(2, ben), (3, ada)] {
        let data = Bytes::from_static(b"some data");
        net.order(
            n,
            Command::SendMessage {
                peer,
                label: 0.into(),
                data,
                deadline: None,
            },
        );
    }
    net.run(Duration::from_secs(1));
    (net, ada, ben)
}

/// Datagrams recorded since the last time that `n` sent.
fn sent_by(net: &mut Net, n: u8) -> Vec<Vec<u8>> {
    let sent = net.trace.replace(Vec::new()).unwrap_or_default();
    let own = sent.into_iter().filter(|d| d.from == address(n));
    own.map(|d| d.bytes).collect()
}

/// Signs of life are not acknowledged, and whoever hears them asks for none: only its own keep-alive tells the other
/// side, and the boxes on the way, that it is there.
#[test]
fn who_hears_the_other_side_keeps_the_path_alive_all_the_same() {
    let (mut net, ada, _) = quiet_pair();
    let mut frame = vec![0; Frame::KeepAlive.encoded_len()];
    let mut writer = Writer::new(&mut frame);
    Frame::KeepAlive.encode(&mut writer).expect("room");
    // Ben's own questions are lost, so that ada has nothing to answer.
    net.set_tap(|_, datagram| match datagram.from == address(3) {
        true => Fate::Drop,
        false => Fate::Pass,
    });
    net.trace = Some(Vec::new());
    let mut silent_s = 0;
    for _ in 0..120 {
        let (_, sign) = net.forge(3, ada, &frame);
        net.deliver(2, address(3), &sign);
        net.run(Duration::from_secs(1));
        silent_s = match sent_by(&mut net, 2).is_empty() {
            true => silent_s + 1,
            false => 0,
        };
        assert!(silent_s <= limits::KEEP_ALIVE.as_secs(), "{silent_s} s");
    }
}

/// A session that carried data is renewed two minutes after it came up, not when something else wakes the node.
#[test]
fn keys_are_renewed_when_their_time_is_over() {
    let (mut net, ..) = pair();
    let start = net.now;
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    let (ada, ben) = (net.node(2).id(), net.node(3).id());
    for (n, peer) in [(2, ben), (3, ada)] {
        net.order(
            n,
            Command::SendMessage {
                peer,
                label: 0.into(),
                data: Bytes::from_static(b"some data"),
                deadline: None,
            },
        );
    }
    let is_handshake = |datagram: &Vec<u8>| datagram[0] & 0xc0 == 0x80;
    net.trace = Some(Vec::new());
    let due = start + limits::REKEY_AFTER;
    net.run(due.saturating_since(net.now));
    let early = sent_by(&mut net, 2);
    assert!(!early.iter().any(is_handshake), "renewed too early");
    net.run(Duration::from_millis(20));
    let sent = sent_by(&mut net, 2);
    assert!(sent.iter().any(is_handshake), "not renewed to the moment");
}

/// Where the window has room and the pacer holds the next batch back, the node asks to be woken for it and then sends.
#[test]
fn what_the_pacer_holds_back_leaves_in_its_time() {
    let (mut net, _, ben) = quiet_pair();
    net.set_tap(|_, _| Fate::Late(Duration::from_millis(50)));
    net.order(
        2,
        Command::SendMessage {
            peer: ben,
            label: 0.into(),
            data: Bytes::from(vec![7; 4 << 20]),
            deadline: None,
        },
    );
    net.trace = Some(Vec::new());
    let mut released = 0;
    for _ in 0..2_000 {
        net.run(Duration::from_millis(1));
        let deadline = net.node(2).poll_timeout().expect("data under way");
        let now = net.now;
        if deadline.kind != TimerKind::Pacing || deadline.at <= now {
            continue;
        }
        // Nothing arrives before it: what leaves then leaves because of the timer.
        let is_first = net
            .wire
            .keys()
            .next()
            .is_none_or(|(at, _)| *at > deadline.at);
        if is_first && deadline.at < now + Duration::from_millis(20) {
            sent_by(&mut net, 2);
            net.run(deadline.at.saturating_since(now));
            released += usize::from(!sent_by(&mut net, 2).is_empty());
        }
    }
    assert!(
        released >= 10,
        "{released} batches left by the pacer's timer"
    );
}
