//! The rendezvous alone: told facts, polled for moves. No node, no session.

use super::*;
use crate::api::SearchOutcome;
use crate::id::AttemptId;
use crate::identity::{Identity, KeyRecord};
use crate::wire::control::{ControlMessage, RefusalCode};

const NOW: Instant = Instant::from_millis(1_000);
const SECOND: Duration = Duration::from_secs(1);

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, n], 6660))
}

fn record(n: u8) -> KeyRecord {
    let identity = Identity::from_seeds(&[n; 32], &[n + 100; 32], 1).expect("a key");
    identity.record().clone()
}

fn introducer(n: u8) -> IntroducerAddress {
    IntroducerAddress {
        id: id(n),
        host: address(n).ip().to_string(),
        port: 6660,
    }
}

/// Of node 1, with these introducers.
fn rendezvous(introducers: &[u8]) -> Rendezvous {
    let credentials = Credentials {
        id: id(1),
        key_record: vec![1],
        name_record: Some(vec![2]),
        is_listed: true,
        direct_paths: true,
    };
    let mut rendezvous = Rendezvous::new(credentials, &Rng::from_seed([5; 32]));
    for n in introducers {
        rendezvous
            .add_introducer(introducer(*n))
            .expect("another node");
    }
    rendezvous
}

fn moves(rendezvous: &mut Rendezvous, now: Instant) -> Vec<Move> {
    core::iter::from_fn(|| rendezvous.poll_move(now)).collect()
}

/// Each registered, and seen at an address.
fn registered(introducers: &[u8]) -> Rendezvous {
    let mut rendezvous = rendezvous(introducers);
    moves(&mut rendezvous, NOW);
    for n in introducers {
        assert!(rendezvous.on_session_up(&id(*n)));
        moves(&mut rendezvous, NOW);
        let answer = ControlMessage::Registered {
            reply_to: 1,
            observed: address(99),
            life_s: 60,
        };
        rendezvous.on_answer(NOW, id(*n), Purpose::Register, answer, |_| None);
        moves(&mut rendezvous, NOW);
    }
    rendezvous
}

fn connect(rendezvous: &mut Rendezvous, peer: NodeId) -> OperationId {
    let target = ConnectTarget::Id(peer);
    let begun = rendezvous.connect(NOW, target, None, 10 * SECOND, |_| false);
    begun.expect("introducers are there")
}

/// The questions among these moves: whom, and under which purpose.
fn asked(moves: &[Move]) -> Vec<(NodeId, Purpose)> {
    let asked = moves.iter().filter_map(|next| match next {
        Move::Ask {
            introducer,
            purpose,
            ..
        } => Some((*introducer, *purpose)),
        _ => None,
    });
    asked.collect()
}

fn found(n: u8) -> ControlMessage {
    ControlMessage::ConnectAnswer {
        reply_to: 1,
        key_record: vec![n],
        name: Some("ben".to_owned()),
        observed: address(98),
    }
}

#[test]
fn an_introducer_is_called_registered_with_and_told_of() {
    let mut rendezvous = rendezvous(&[7]);
    let first = moves(&mut rendezvous, NOW);
    let [
        Move::HandshakeWithIntroducer {
            introducer,
            address: at,
        },
        Move::Tell(Event::Introducer { state, .. }),
    ] = first.as_slice()
    else {
        panic!("{} moves", first.len());
    };
    assert_eq!((*introducer, *at), (id(7), address(7)));
    assert_eq!(*state, IntroducerState::Connecting);
    assert!(rendezvous.on_session_up(&id(7)) && !rendezvous.on_session_up(&id(8)));
    let next = moves(&mut rendezvous, NOW);
    assert_eq!(asked(&next), [(id(7), Purpose::Register)]);
    let answer = ControlMessage::Registered {
        reply_to: 1,
        observed: address(99),
        life_s: 60,
    };
    rendezvous.on_answer(NOW, id(7), Purpose::Register, answer, |_| None);
    let last = moves(&mut rendezvous, NOW);
    assert!(matches!(last[0], Move::Registered { observed, .. } if observed == address(99)));
    let state = rendezvous.introducers()[0].link.state();
    assert_eq!(state, IntroducerState::Registered);
}

#[test]
fn a_question_that_cannot_be_asked_is_as_good_as_unanswered() {
    let mut rendezvous = rendezvous(&[7]);
    moves(&mut rendezvous, NOW);
    rendezvous.on_session_up(&id(7));
    moves(&mut rendezvous, NOW);
    rendezvous.on_unasked(NOW, id(7), Purpose::Register);
    moves(&mut rendezvous, NOW);
    let state = rendezvous.introducers()[0].link.state();
    assert_eq!(state, IntroducerState::Unreachable);
}

#[test]
fn wrong_targets_are_refused_and_nothing_begins() {
    let mut rendezvous = registered(&[7]);
    let at = |address| ConnectTarget::Address { id: id(5), address };
    let name = |name: &str| ConnectTarget::Name(name.to_owned());
    let wrong = [
        ConnectTarget::Id(id(1)),
        at(SocketAddr::from(([0, 0, 0, 0], 1))),
        at(SocketAddr::from(([255; 4], 1))),
        at(SocketAddr::from(([224, 0, 0, 1], 1))),
        at(SocketAddr::from(([10, 0, 0, 1], 0))),
        name(""),
        name("a b"),
    ];
    for target in wrong {
        let begun = rendezvous.connect(NOW, target.clone(), None, SECOND, |_| true);
        assert!(begun.is_err(), "{target:?}");
    }
    let other = rendezvous.connect(NOW, name("ben"), Some(id(9)), SECOND, |_| false);
    assert_eq!(other, Err(ApiMisuse::UnknownIntroducer));
    assert_eq!(rendezvous.sizes(), [0; 3]);
    assert!(moves(&mut rendezvous, NOW).is_empty());
    let lonely = self::rendezvous(&[]).connect(NOW, name("ben"), None, SECOND, |_| false);
    assert_eq!(lonely, Err(ApiMisuse::NoIntroducer));
}

#[test]
fn a_peer_that_is_reached_already_answers_at_once() {
    let mut rendezvous = rendezvous(&[]);
    let target = ConnectTarget::Id(id(5));
    let begun = rendezvous.connect(NOW, target, None, SECOND, |peer| *peer == id(5));
    let told = moves(&mut rendezvous, NOW);
    let [Move::TellConnected { peer, operation }] = told.as_slice() else {
        panic!("{} moves", told.len());
    };
    assert_eq!((*peer, *operation), (id(5), begun.ok()));
}

#[test]
fn the_first_answer_is_called_the_second_kept_for_when_it_fails() {
    let mut rendezvous = registered(&[7, 8]);
    let peer = record(5);
    let operation = connect(&mut rendezvous, peer.id);
    let first = asked(&moves(&mut rendezvous, NOW));
    let later = NOW + SECOND;
    rendezvous.on_timeout(later);
    let second = asked(&moves(&mut rendezvous, later));
    let asked = [first[0], second[0]];
    assert_ne!(asked[0].0, asked[1].0);
    let mut calls = Vec::new();
    for (introducer, purpose) in asked {
        let verify = |_: &[u8]| Some(peer.clone());
        rendezvous.on_answer(later, introducer, purpose, found(5), verify);
        for next in moves(&mut rendezvous, later) {
            if let Move::Meet {
                record, calls: c, ..
            } = next
            {
                calls.push((record.id, c));
            }
        }
    }
    assert_eq!(calls, [(peer.id, true), (peer.id, false)]);
    rendezvous.on_handshake_failed(later, peer.id);
    let next = moves(&mut rendezvous, later);
    let through = next.iter().find_map(|next| match next {
        Move::HandshakeThrough { introducer, .. } => Some(*introducer),
        _ => None,
    });
    assert_eq!(through, Some(asked[1].0));
    rendezvous.on_peer_connected(peer.id);
    let told = moves(&mut rendezvous, later);
    assert!(matches!(
        told.as_slice(),
        [Move::TellConnected { operation: Some(o), .. }] if *o == operation
    ));
    assert_eq!(rendezvous.sizes(), [0; 3]);
}

#[test]
fn a_connection_that_nobody_asked_for_is_told_once_without_an_operation() {
    let mut rendezvous = registered(&[7]);
    rendezvous.on_peer_connected(id(5));
    let told = moves(&mut rendezvous, NOW);
    assert!(matches!(
        told.as_slice(),
        [Move::TellConnected {
            operation: None,
            ..
        }]
    ));
}

#[test]
fn what_the_engine_asks_for_itself_ends_in_silence() {
    let mut rendezvous = registered(&[7]);
    rendezvous.reach_through(NOW, id(7), id(5));
    assert_eq!(asked(&moves(&mut rendezvous, NOW)).len(), 1);
    rendezvous.on_peer_found_connected(id(5));
    assert!(moves(&mut rendezvous, NOW).is_empty());
    assert_eq!(rendezvous.sizes(), [0; 3]);
}

#[test]
fn a_record_that_is_false_or_our_own_is_no_answer() {
    for (verified, expected) in [
        (None, ConnectFailure::TimedOut),
        (Some(record(1)), ConnectFailure::Refused),
    ] {
        let mut rendezvous = registered(&[7]);
        if let Some(own) = &verified {
            rendezvous.credentials.id = own.id;
        }
        connect(&mut rendezvous, id(5));
        let (introducer, purpose) = asked(&moves(&mut rendezvous, NOW))[0];
        rendezvous.on_answer(NOW, introducer, purpose, found(1), |_| verified.clone());
        let after = moves(&mut rendezvous, NOW);
        assert!(!after.iter().any(|m| matches!(m, Move::Meet { .. })));
        let failed = after.iter().find_map(|next| match next {
            Move::Tell(Event::ConnectFailed { reason, .. }) => Some(*reason),
            _ => None,
        });
        assert_eq!(failed, Some(expected));
    }
}

#[test]
fn an_answer_to_an_attempt_that_is_over_is_ignored() {
    let mut rendezvous = registered(&[7]);
    let purpose = Purpose::Connect {
        attempt: AttemptId(3),
    };
    rendezvous.on_answer(NOW, id(7), purpose, found(5), |_| Some(record(5)));
    let after = moves(&mut rendezvous, NOW);
    assert!(matches!(after.as_slice(), [Move::Observed { .. }]));
}

#[test]
fn a_search_ends_when_all_that_were_asked_have_answered_or_will_not() {
    let mut rendezvous = registered(&[7, 8]);
    let operation = rendezvous.search("ben", None, None).expect("long enough");
    let purpose = Purpose::Search(operation);
    let asked = asked(&moves(&mut rendezvous, NOW));
    assert_eq!(asked, [(id(7), purpose), (id(8), purpose)]);
    let answer = ControlMessage::SearchResult {
        reply_to: 1,
        entries: vec![("ben".to_owned(), id(5)), ("ben".to_owned(), id(5))],
        cursor: Some("next".to_owned()),
    };
    rendezvous.on_answer(NOW, id(7), purpose, answer, |_| None);
    assert!(moves(&mut rendezvous, NOW).is_empty());
    rendezvous.on_no_answer(NOW, id(8), purpose);
    let told = moves(&mut rendezvous, NOW);
    let [Move::Tell(Event::SearchDone { outcome, .. })] = told.as_slice() else {
        panic!("{} moves", told.len());
    };
    let SearchOutcome::Found { entries, cursor } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!((entries.len(), cursor.as_deref()), (1, Some("next")));
    assert_eq!((entries[0].id, entries[0].introducer), (id(5), id(7)));
}

#[test]
fn a_throttled_search_says_when_to_come_back() {
    let mut rendezvous = registered(&[7]);
    let operation = rendezvous.search("ben", None, None).expect("long enough");
    let purpose = Purpose::Search(operation);
    moves(&mut rendezvous, NOW);
    let refused = ControlMessage::Refused {
        command: crate::wire::control::RefusedCommand::Search,
        reply_to: 1,
        code: RefusalCode::Throttled,
        retry_after_s: Some(9),
    };
    rendezvous.on_answer(NOW, id(7), purpose, refused, |_| None);
    let told = moves(&mut rendezvous, NOW);
    let [Move::Tell(Event::SearchDone { outcome, .. })] = told.as_slice() else {
        panic!("{} moves", told.len());
    };
    let retry_after = 9 * SECOND;
    assert_eq!(*outcome, SearchOutcome::Throttled { retry_after });
}

#[test]
fn a_search_that_nobody_can_be_asked_for_is_unreachable_at_once() {
    let mut rendezvous = rendezvous(&[7]);
    moves(&mut rendezvous, NOW);
    assert!(rendezvous.search("be", None, None).is_err(), "too short");
    assert!(rendezvous.search("ben", Some(id(9)), None).is_err());
    rendezvous.search("ben", None, None).expect("long enough");
    let told = moves(&mut rendezvous, NOW);
    assert!(matches!(
        told.as_slice(),
        [Move::Tell(Event::SearchDone {
            outcome: SearchOutcome::Unreachable,
            ..
        })]
    ));
}

#[test]
fn an_introducer_that_is_left_takes_its_questions_with_it() {
    let mut rendezvous = registered(&[7]);
    connect(&mut rendezvous, id(5));
    moves(&mut rendezvous, NOW);
    assert_eq!(rendezvous.remove_introducer(NOW, id(7)), Ok(()));
    let again = rendezvous.remove_introducer(NOW, id(7));
    assert_eq!(again, Err(ApiMisuse::UnknownIntroducer));
    let after = moves(&mut rendezvous, NOW);
    assert!(matches!(after[0], Move::Leave { introducer } if introducer == id(7)));
    let is_failure = |next: &Move| matches!(next, Move::Tell(Event::ConnectFailed { .. }));
    assert!(after.iter().any(is_failure));
    assert_eq!(rendezvous.sizes(), [0; 3]);
}

#[test]
fn a_session_that_ends_while_the_next_is_under_way_leaves_the_link_alone() {
    for (is_handshaking, expected) in [
        (true, IntroducerState::Registered),
        (false, IntroducerState::Unreachable),
    ] {
        let mut rendezvous = registered(&[7]);
        assert!(rendezvous.on_session_lost(NOW, id(7), is_handshaking));
        assert!(!rendezvous.on_session_lost(NOW, id(5), is_handshaking));
        let state = rendezvous.introducers()[0].link.state();
        assert_eq!(state, expected);
    }
}

/// What came of a name that two introducers were asked for: whom to meet and call, and what was told.
fn asked_for(target: ConnectTarget, answers: [u8; 2]) -> (Vec<(NodeId, bool)>, Vec<Event>) {
    let mut rendezvous = registered(&[7, 8]);
    let begun = rendezvous.connect(NOW, target, None, 10 * SECOND, |_| false);
    begun.expect("introducers are there");
    let mut questions = asked(&moves(&mut rendezvous, NOW));
    let (mut met, mut told) = (Vec::new(), Vec::new());
    for n in answers {
        let (introducer, purpose) = questions.remove(0);
        let verify = |_: &[u8]| Some(record(n));
        rendezvous.on_answer(NOW, introducer, purpose, found(n), verify);
        let next = moves(&mut rendezvous, NOW);
        questions.extend(asked(&next));
        for next in next {
            match next {
                Move::Meet { record, calls, .. } => met.push((record.id, calls)),
                Move::Tell(event) => told.push(event),
                _ => {}
            }
        }
    }
    assert!(rendezvous.held.is_empty(), "nothing is kept");
    (met, told)
}

fn name_found(events: &[Event], n: u8) -> bool {
    let is_it = |event: &Event| {
        matches!(event, Event::NameFound { name, peer, .. }
            if name == "ben" && *peer == record(n).id)
    };
    events.iter().any(is_it)
}

/// Protocol §6.6.
#[test]
fn a_name_is_followed_where_its_introducers_agree_and_nowhere_else() {
    let ben = || ConnectTarget::Name("ben".to_owned());
    let (met, told) = asked_for(ben(), [5, 5]);
    assert_eq!(met, [(record(5).id, true), (record(5).id, false)]);
    assert!(name_found(&told, 5), "{told:?}");

    let (met, told) = asked_for(ben(), [5, 6]);
    assert_eq!(met, [], "nothing is sent to either");
    assert!(name_found(&told, 5) && name_found(&told, 6), "{told:?}");
    let failed = told.iter().any(|event| {
        let reason = ConnectFailure::Ambiguous;
        matches!(event, Event::ConnectFailed { reason: r, .. } if *r == reason)
    });
    assert!(failed, "{told:?}");
}

/// Protocol §6.6.
#[test]
fn sec_06_a_name_that_changed_hands_is_told_and_nobody_met() {
    let target = ConnectTarget::BoundName {
        name: "ben".to_owned(),
        id: record(5).id,
    };
    let (met, told) = asked_for(target, [6, 6]);
    assert_eq!(met, []);
    let differs = |event: &&Event| {
        matches!(event, Event::NameDiffers { known, offered, .. }
            if (*known, *offered) == (record(5).id, record(6).id))
    };
    assert_eq!(told.iter().filter(differs).count(), 2, "{told:?}");
    let reason = ConnectFailure::NameChanged;
    assert!(matches!(told.last(), Some(Event::ConnectFailed { reason: r, .. }) if *r == reason));
}
