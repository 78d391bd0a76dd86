//! Peers at rest: they take little room, lose nothing, and wake for whatever concerns them.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Fate, Net, address, call, config, count, introducer_config, is_disconnected_event, pair, three,
};
use crate::api::{Answer, Command, DisconnectReason, Engine, Event, RequestOutcome};
use crate::id::NodeId;
use crate::limits;
use crate::rng::Rng;
use crate::time::Duration;

pub(super) fn is_at_rest(net: &mut Net, n: u8, peer: &NodeId) -> bool {
    let table = &net.node(n).peers.table;
    let key = table.key_of(peer).expect("known");
    table.is_at_rest(key)
}

/// Ada (2) and ben (3) connected to each other alone, and at rest on both sides.
fn resting() -> (Net, NodeId, NodeId) {
    let (mut net, ada, ben) = pair();
    call(&mut net, 2, 3);
    // Between two signs of life.
    net.run(Duration::from_secs(37));
    assert!(is_at_rest(&mut net, 2, &ben) && is_at_rest(&mut net, 3, &ada));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    net.events.clear();
    (net, ada, ben)
}

fn request(net: &mut Net, peer: NodeId, text: &str) {
    let (service, body) = ("echo".to_owned(), Bytes::from(text.to_owned()));
    let deadline = Duration::from_secs(20);
    net.order(
        2,
        Command::SendRequest {
            peer,
            service,
            body,
            deadline,
            budget: 0,
        },
    );
}

/// Ben answers each request that came; how many there were.
fn answer_all(net: &mut Net, ben: NodeId) -> usize {
    let mut answered = 0;
    for event in net.events_of(ben) {
        if let Event::RequestReceived {
            peer,
            request,
            body,
            ..
        } = event
        {
            let answer = Answer { status: 0, body };
            net.order(
                3,
                Command::Answer {
                    peer,
                    request,
                    answer,
                },
            );
            answered += 1;
        }
    }
    answered
}

#[test]
fn a_registered_peer_rests_and_stays_registered() {
    let (mut net, ada, ben) = three();
    net.run(Duration::from_secs(10));
    assert!(is_at_rest(&mut net, 1, &ada) && is_at_rest(&mut net, 1, &ben));
    let introducer = net.node(1).id();
    assert!(is_at_rest(&mut net, 2, &introducer));
    let mut rests = 0;
    for _ in 0..300 {
        net.run(Duration::from_millis(6_010));
        rests += u32::from(is_at_rest(&mut net, 1, &ada));
        assert!(net.is_connected(1, &ada) && net.is_connected(2, &introducer));
    }
    assert!(rests > 270, "{rests}");
    net.connect(2, ben);
    net.run(Duration::from_secs(2));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}

#[test]
fn a_peer_that_only_registered_rests_sooner_than_one_that_was_asked_something() {
    let (mut net, ada, ben) = pair();
    net.add(1, introducer_config());
    call(&mut net, 2, 1);
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    request(&mut net, ben, "hello");
    net.run(Duration::from_millis(100));
    assert_eq!(answer_all(&mut net, ben), 1);
    net.run(limits::CONTROL_REST_AFTER + Duration::from_secs(2));
    assert!(is_at_rest(&mut net, 1, &ada) && !is_at_rest(&mut net, 3, &ada));
    net.run(limits::REST_AFTER);
    assert!(is_at_rest(&mut net, 3, &ada));
}

#[test]
fn a_registered_peer_at_rest_has_one_key_record_with_the_directory() {
    let (mut net, ada, _) = three();
    net.run(Duration::from_secs(10));
    assert!(is_at_rest(&mut net, 1, &ada));
    let peers = &net.node(1).peers;
    let key = peers.table.key_of(&ada).expect("known");
    let record = peers
        .table
        .get(key)
        .expect("known")
        .peer
        .profile
        .record()
        .cloned();
    // The peer, the directory, and this one.
    assert_eq!(record.map(|record| Arc::strong_count(&record)), Some(3));
}

#[test]
fn requests_are_answered_once_each_over_rests_and_losses() {
    let (mut net, ada, ben) = resting();
    let mut rng = Rng::from_seed([6; 32]);
    net.set_tap(move |_, _| match rng.below(10) {
        0 | 1 => Fate::Drop,
        2 => Fate::Late(Duration::from_millis(rng.below(400))),
        _ => Fate::Pass,
    });
    let (rounds, mut rests, mut answered, mut done) = (60, 0, 0, 0);
    for round in 0..rounds {
        request(&mut net, ben, &format!("{round}"));
        for _ in 0..100 {
            net.run(Duration::from_millis(100));
            answered += answer_all(&mut net, ben);
        }
        for event in net.events_of(ada) {
            let Event::RequestDone { outcome, .. } = event else {
                panic!("{event:?}");
            };
            let RequestOutcome::Answered(answer) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(answer.body, format!("{round}"));
            done += 1;
        }
        net.run(Duration::from_secs(20));
        rests += u32::from(is_at_rest(&mut net, 3, &ada));
    }
    assert_eq!((answered, done), (rounds, rounds));
    // An answer whose acknowledgement was lost is kept for a while.
    assert!(rests > 20, "{rests} rests");
}

#[test]
fn streams_and_messages_go_on_behind_a_rest() {
    let (mut net, ada, ben) = resting();
    let mut rests = 0;
    for round in 0..5_u8 {
        let data = Bytes::from(vec![round; 100_000]);
        let (channel, deadline) = (7, None);
        net.order(
            2,
            Command::SendMessage {
                peer: ben,
                label: channel.into(),
                data: data.clone(),
                deadline,
            },
        );
        net.run(Duration::from_secs(3));
        let mut taken = 0;
        for event in net.events_of(ben) {
            if let Event::MessageReady { peer, message, .. } = event {
                let now = net.now;
                let read = net.node(3).take_message(now, peer, message);
                assert_eq!(read.expect("a message"), data);
                taken += 1;
            }
        }
        assert_eq!(taken, 1, "round {round}");
        net.run(Duration::from_secs(40));
        // Not while a session that was renewed still opens packets.
        rests += u32::from(is_at_rest(&mut net, 2, &ben) && is_at_rest(&mut net, 3, &ada));
        assert_eq!(count(&net.events_of(ada), is_disconnected_event), 0);
    }
    assert!(rests >= 2, "{rests}");
}

#[test]
fn nothing_that_was_received_is_taken_again_after_a_rest() {
    let (mut net, ada, ben) = pair();
    net.trace = Some(Vec::new());
    call(&mut net, 2, 3);
    net.run(Duration::from_secs(1));
    for n in 0..5 {
        request(&mut net, ben, &format!("{n}"));
        net.run(Duration::from_millis(100));
        answer_all(&mut net, ben);
        net.run(Duration::from_millis(100));
    }
    net.run(Duration::from_secs(37));
    assert!(is_at_rest(&mut net, 2, &ben) && is_at_rest(&mut net, 3, &ada));
    let trace = net.trace.take().expect("recorded");
    net.events.clear();
    let before = net.node(3).counters;
    let packets = trace
        .iter()
        .filter(|d| d.to == address(3) && d.bytes[0] >= 0xc0);
    let packets: Vec<_> = packets.cloned().collect();
    assert!(packets.len() > 5);
    for packet in &packets {
        net.deliver(3, packet.from, &packet.bytes);
        net.run(Duration::from_millis(10));
    }
    let replayed = net.node(3).counters.dropped_replayed - before.dropped_replayed;
    assert_eq!(replayed as usize, packets.len());
    assert!(net.events_of(ben).is_empty());
    assert!(net.is_connected(3, &ada) && net.is_connected(2, &ben));
}

#[test]
fn keys_are_renewed_during_a_rest() {
    let (mut net, ada, ben) = resting();
    let before = net.node(2).counters.sessions_established;
    let span = limits::CONTROL_SESSION_REKEY_AFTER + Duration::from_secs(300);
    let (mut rests, steps) = (0, span.as_secs() / 60);
    for _ in 0..steps {
        net.run(Duration::from_secs(60));
        rests += u64::from(is_at_rest(&mut net, 2, &ben));
        assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    }
    assert!(net.node(2).counters.sessions_established > before);
    assert!(rests + 5 > steps, "{rests} of {steps}");
    assert!(net.events_of(ada).is_empty() && net.events_of(ben).is_empty());
    request(&mut net, ben, "still there");
    net.run(Duration::from_millis(50));
    assert_eq!(answer_all(&mut net, ben), 1);
}

#[test]
fn a_stateless_reset_reaches_a_peer_at_rest() {
    let (mut net, ada, ben) = resting();
    // Ben starts again and knows nothing of ada any more.
    net.add(3, config(3));
    net.run(limits::KEEP_ALIVE + Duration::from_secs(2));
    let events = net.events_of(ada);
    let is_it = |event: &Event| {
        let reason = DisconnectReason::PeerRestarted;
        matches!(event, Event::Disconnected { peer, reason: r } if *peer == ben && *r == reason)
    };
    assert_eq!(count(&events, is_it), 1, "{events:?}");
}

#[test]
fn a_peer_at_rest_that_falls_silent_is_noticed() {
    let (mut net, ada, _) = resting();
    net.set_tap(|_, _| Fate::Drop);
    net.run(limits::PEER_TIMEOUT + Duration::from_secs(20));
    assert_eq!(count(&net.events_of(ada), is_disconnected_event), 1);
}

#[test]
fn a_status_looks_at_a_peer_without_waking_it() {
    let (mut net, ada, ben) = resting();
    let now = net.now;
    let status = net.node(2).peer(now, &ben).expect("known");
    assert_eq!(status.path.expect("a path").remote, address(3));
    assert!(status.sent_packets > 0 && status.sent_bytes > 0);
    assert!(is_at_rest(&mut net, 2, &ben));
    request(&mut net, ben, "hello");
    assert!(!is_at_rest(&mut net, 2, &ben));
    net.run(Duration::from_secs(1));
    let later = net.node(2).peer(now, &ben).expect("known");
    assert!(later.sent_packets > status.sent_packets && later.sent_bytes > status.sent_bytes);
    assert_eq!(answer_all(&mut net, ben), 1);
    let _ = ada;
}
