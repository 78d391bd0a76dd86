//! The role without a node: every answer is given here, and what it costs the directory and the relay is looked at.

use core::net::SocketAddr;

use super::{Claim, IntroducerRole};
use std::sync::Arc;

use crate::api::Roles;
use crate::directory::server::{DirectoryConfig, Requester};
use crate::id::{NodeId, PeerKey};
use crate::identity::Identity;
use crate::limits;
use crate::relay::{DropReason, Forward, RelayConfig};
use crate::rng::Rng;
use crate::time::{Duration, Instant};
use crate::wire::control::{ControlMessage, RELAY_CHOSEN, RefusalCode, RefusedCommand, Target};

const NOW: Instant = Instant::EPOCH;
const ALL: Roles = Roles {
    introducer: true,
    relay: true,
    stun: true,
};

fn role(roles: Roles) -> IntroducerRole {
    let rng = Rng::from_seed([7; 32]);
    let (directory, relay) = (DirectoryConfig::default(), RelayConfig::default());
    IntroducerRole::new(roles, directory, relay, rng)
}

fn identity(n: u8) -> Identity {
    Identity::from_seeds(&[n; 32], &[n ^ 0x55; 32], 1).expect("seeds that make keys")
}

fn source(n: u8) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, n], 6660))
}

fn source_of(key: PeerKey) -> Option<SocketAddr> {
    Some(source(u8::try_from(key.0).expect("few peers")))
}

fn caller(n: u8) -> Requester {
    Requester {
        session: PeerKey(u32::from(n)),
        id: identity(n).node_id(),
        source: source(n),
    }
}

fn claim(n: u8, name: Option<&str>) -> Claim {
    let identity = identity(n);
    let record = Arc::new(identity.record().clone());
    let sign = |name| identity.sign_name(name, 1, limits::NAME_LIFE_S);
    Claim {
        record,
        name: name.map(|name| sign(name).expect("a valid name")),
        is_listed: true,
    }
}

fn register(role: &mut IntroducerRole, n: u8, name: &str) {
    let registered = role.on_register(NOW, &caller(n), 1, claim(n, Some(name)));
    assert!(registered.is_ok(), "{name} registers");
}

fn id(n: u8) -> NodeId {
    identity(n).node_id()
}

/// The code of a refusal, as the asker reads it.
fn code<T>(result: Result<T, super::Refused>) -> Option<RefusalCode> {
    let refused = result.err()?;
    match refused.into_message(RefusedCommand::Connect, 9) {
        ControlMessage::Refused {
            reply_to: 9, code, ..
        } => Some(code),
        other => panic!("a refusal is no {other:?}"),
    }
}

#[test]
fn a_node_without_the_role_refuses_everything_and_keeps_nothing() {
    let mut role = role(Roles {
        introducer: false,
        ..ALL
    });
    let registered = role.on_register(NOW, &caller(1), 1, claim(1, Some("ada")));
    assert_eq!(code(registered), Some(RefusalCode::Role));
    let searched = role.on_search(NOW, &caller(1), 1, "ada", None);
    assert_eq!(code(searched), Some(RefusalCode::Role));
    let target = Target::Id(id(2));
    let introduced = role.on_connect_request(NOW, &caller(1), (1, &target, 5), source_of);
    assert_eq!(code(introduced), Some(RefusalCode::Role));
    assert_eq!((role.registrations(), role.channels()), (0, 0));
}

#[test]
fn an_introducer_that_does_not_relay_introduces_nobody() {
    let mut role = role(Roles {
        relay: false,
        ..ALL
    });
    register(&mut role, 1, "ada");
    register(&mut role, 2, "ben");
    let target = Target::Name("ben".into());
    let introduced = role.on_connect_request(NOW, &caller(1), (1, &target, 5), source_of);
    assert_eq!(code(introduced), Some(RefusalCode::Role));
    assert_eq!(role.channels(), 0);
}

#[test]
fn records_of_another_identity_are_refused() {
    let mut role = role(ALL);
    let foreign_key = role.on_register(NOW, &caller(1), 1, claim(2, None));
    assert_eq!(code(foreign_key), Some(RefusalCode::Malformed));
    let mut foreign_name = claim(1, None);
    foreign_name.name = claim(2, Some("ada")).name;
    let foreign_name = role.on_register(NOW, &caller(1), 1, foreign_name);
    assert_eq!(code(foreign_name), Some(RefusalCode::Malformed));
    assert_eq!(role.registrations(), 0);
}

#[test]
fn both_ends_of_an_introduction_learn_each_other_and_share_a_channel() {
    let mut role = role(ALL);
    register(&mut role, 1, "ada");
    register(&mut role, 2, "ben");
    let request = (77, &Target::Name("ben".into()), 5);
    let introduced = role.on_connect_request(NOW, &caller(1), request, source_of);
    let Ok(introduction) = introduced else {
        panic!("the introduction goes ahead");
    };
    let ben = identity(2).record().to_bytes().to_vec();
    let expected = ControlMessage::ConnectAnswer {
        reply_to: 77,
        key_record: ben,
        name: Some("ben".into()),
        observed: source(1),
    };
    assert_eq!(introduction.answer, expected);
    assert_eq!(introduction.target, PeerKey(2));
    let ControlMessage::Introduce {
        reference: 4,
        key_record,
        channel,
        name,
        observed,
        is_neighbour: false,
    } = introduction.into_request(4)
    else {
        panic!("the target is asked with cr2");
    };
    assert_eq!(key_record, identity(1).record().to_bytes().to_vec());
    assert_eq!(name.as_deref(), Some("ada"));
    assert_eq!(observed, source(2), "the target hears its own address");
    assert_ne!(channel & RELAY_CHOSEN, 0);
    let there = role.forward(NOW, PeerKey(1), 5, 1_000);
    let peer = PeerKey(2);
    assert_eq!(there, Forward::To { peer, channel });
    let back = role.forward(NOW, PeerKey(2), channel, 1_000);
    let (peer, channel) = (PeerKey(1), 5);
    assert_eq!(back, Forward::To { peer, channel });
}

#[test]
fn a_target_without_a_direct_path_costs_no_channel() {
    let mut role = role(ALL);
    register(&mut role, 1, "ada");
    register(&mut role, 2, "ben");
    let target = Target::Id(id(2));
    let introduced = role.on_connect_request(NOW, &caller(1), (1, &target, 5), |_| None);
    assert_eq!(code(introduced), Some(RefusalCode::Refused));
    assert_eq!(role.channels(), 0);
}

#[test]
fn a_channel_number_of_the_relay_is_malformed_in_a_request() {
    let mut role = role(ALL);
    register(&mut role, 1, "ada");
    register(&mut role, 2, "ben");
    let request = (1, &Target::Id(id(2)), RELAY_CHOSEN | 5);
    let introduced = role.on_connect_request(NOW, &caller(1), request, source_of);
    assert_eq!(code(introduced), Some(RefusalCode::Malformed));
}

#[test]
fn what_a_session_held_ends_with_it() {
    let mut role = role(ALL);
    register(&mut role, 1, "ada");
    register(&mut role, 2, "ben");
    let request = (1, &Target::Id(id(2)), 5);
    assert!(
        role.on_connect_request(NOW, &caller(1), request, source_of)
            .is_ok()
    );
    assert_eq!((role.registrations(), role.channels()), (2, 1));
    role.on_session_closed(NOW, PeerKey(2));
    assert_eq!((role.registrations(), role.channels()), (1, 0));
    let dropped = Forward::Drop(DropReason::UnknownChannel);
    assert_eq!(role.forward(NOW, PeerKey(1), 5, 100), dropped);
}

#[test]
fn a_registration_ends_without_authentic_packets_and_is_told_once() {
    let mut role = role(ALL);
    register(&mut role, 1, "ada");
    register(&mut role, 2, "ben");
    let half = NOW + limits::REGISTRATION_LIFE / 2;
    role.on_authentic_packet(half, PeerKey(2));
    let end = NOW + limits::REGISTRATION_LIFE + Duration::from_secs(1);
    assert!(role.next_timeout().is_some_and(|d| d.at <= end));
    role.on_timeout(end);
    assert_eq!(role.poll_ended(), Some(PeerKey(1)));
    assert_eq!(role.poll_ended(), None, "ben was heard and stays");
    assert_eq!(role.registrations(), 1);
}

#[test]
fn pages_that_fit_a_message_show_every_name_once() {
    let mut role = role(ALL);
    let name = |n: u8| format!("crowd-{n:02}-{}", "x".repeat(limits::NAME_BYTES - 9));
    for n in 1..=30 {
        register(&mut role, n, &name(n));
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let asked = role.on_search(NOW, &caller(40), 1, "crowd", cursor.as_deref());
        let Ok(answer) = asked else {
            panic!("the search is answered");
        };
        assert!(answer.to_json().len() <= limits::CONTROL_BYTES);
        let ControlMessage::SearchResult {
            entries,
            cursor: next,
            ..
        } = answer
        else {
            panic!("a search is answered with a page");
        };
        seen.extend(entries.into_iter().map(|(name, _)| name));
        pages += 1;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let all: Vec<_> = (1..=30).map(name).collect();
    assert_eq!(seen, all);
    assert!(pages > 2, "names of full length do not fit one message");
}
