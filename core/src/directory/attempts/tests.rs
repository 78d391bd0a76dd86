use super::*;
use quickcheck::quickcheck;

const TIMEOUT: Duration = Duration::from_secs(10);

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn id(n: u8) -> NodeId {
    NodeId::from_bytes([n; 32])
}

fn op(n: u64) -> OperationId {
    OperationId(n)
}

fn attempts() -> ConnectAttempts {
    ConnectAttempts::new(Rng::from_seed([4; 32]))
}

fn ready(introducers: &[u8]) -> Vec<Candidate> {
    let candidate = |n: &u8| Candidate {
        introducer: id(*n),
        registered: true,
    };
    introducers.iter().map(candidate).collect()
}

fn asked(a: &mut ConnectAttempts) -> Vec<NodeId> {
    core::iter::from_fn(|| a.poll_ask())
        .map(|ask| ask.introducer)
        .collect()
}

fn ended(a: &mut ConnectAttempts) -> Vec<(u64, ConnectOutcome)> {
    core::iter::from_fn(|| a.poll_outcome())
        .map(|(o, r)| (o.0, r))
        .collect()
}

fn start(a: &mut ConnectAttempts, n: u64, target: ConnectTarget, with: &[u8]) -> AttemptId {
    a.start(at(0), op(n), target, &ready(with), TIMEOUT)
}

fn failed(peer: u8, why: ConnectFailure) -> ConnectOutcome {
    ConnectOutcome::Failed(Some(id(peer)), why)
}

#[test]
fn operations_for_one_target_share_an_attempt_and_each_ends_once() {
    let mut a = attempts();
    let first = start(&mut a, 1, ConnectTarget::Name("Ada".into()), &[9]);
    let second = start(&mut a, 2, ConnectTarget::Name("aDa".into()), &[9]);
    assert_eq!((first, a.len()), (second, 1));
    let ask = a.poll_ask().unwrap();
    assert!(ask.channel != 0 && ask.channel & RELAY_CHOSEN == 0);
    assert_eq!(a.poll_ask(), None);
    let channel = ask.channel;
    let answer = a.on_answer(at(1), first, id(9), id(5));
    assert_eq!(answer, AnswerOutcome::Proceed { channel });
    a.on_peer_connected(id(5));
    let connected = ConnectOutcome::Connected(id(5));
    assert_eq!(ended(&mut a), [(1, connected), (2, connected)]);
    assert!(a.is_empty() && a.next_timeout().is_none());
    assert!(!a.cancel(at(2), id(5)), "nothing is left to give up");
    assert_eq!(ended(&mut a), []);
}

#[test]
fn what_is_given_up_ends_at_once_and_for_that_peer_alone() {
    let mut a = attempts();
    start(&mut a, 1, ConnectTarget::Id(id(5)), &[9]);
    let named = start(&mut a, 2, ConnectTarget::Name("ada".into()), &[9]);
    start(&mut a, 3, ConnectTarget::Id(id(6)), &[9]);
    a.poll_ask();
    a.poll_ask();
    a.on_answer(at(1), named, id(9), id(5));
    assert!(a.cancel(at(2), id(5)));
    let cancelled = failed(5, ConnectFailure::Cancelled);
    assert_eq!(ended(&mut a), [(1, cancelled), (2, cancelled)]);
    assert_eq!(a.len(), 1, "the other peer is still being asked for");
    assert!(!a.cancel(at(2), id(5)));
}

#[test]
fn introducers_are_asked_in_turn_and_the_first_answer_wins() {
    let mut a = attempts();
    let attempt = start(&mut a, 1, ConnectTarget::Id(id(5)), &[7, 8, 9]);
    assert_eq!(asked(&mut a), [id(7)]);
    a.on_timeout(at(299));
    assert_eq!(asked(&mut a), []);
    a.on_timeout(at(300));
    assert_eq!(asked(&mut a), [id(8)]);
    let first = a.on_answer(at(310), attempt, id(8), id(5));
    assert!(matches!(first, AnswerOutcome::Proceed { .. }));
    let late = a.on_answer(at(320), attempt, id(7), id(5));
    assert!(matches!(late, AnswerOutcome::Spare { .. }));
    assert_eq!(
        a.on_answer(at(320), attempt, id(7), id(5)),
        AnswerOutcome::Ignored
    );
    a.on_timeout(at(5_000));
    assert_eq!(asked(&mut a), [], "no need for the third");
    let spare = a.on_handshake_failed(at(5_000), id(5), ConnectFailure::TimedOut);
    assert_eq!(spare.map(|s| s.0), Some(id(7)));
    let none = a.on_handshake_failed(at(6_000), id(5), ConnectFailure::TimedOut);
    assert_eq!((none, asked(&mut a)), (None, vec![id(9)]));
    a.on_refused(at(6_001), attempt, id(9), RefusalCode::Unknown);
    assert_eq!(ended(&mut a), [(1, failed(5, ConnectFailure::TimedOut))]);
}

#[test]
fn the_most_telling_failure_is_reported() {
    use ConnectFailure::{IntroducerUnreachable, Refused, Throttled, UnknownPeer};
    use RefusalCode as Code;
    for (codes, expected) in [
        ([Some(Code::Unknown), None], UnknownPeer),
        ([Some(Code::Unknown), Some(Code::Throttled)], Throttled),
        ([Some(Code::Refused), Some(Code::Unknown)], Refused),
        ([None, None], IntroducerUnreachable),
    ] {
        let mut a = attempts();
        let attempt = start(&mut a, 1, ConnectTarget::Id(id(5)), &[7, 8]);
        for (n, code) in [7, 8].into_iter().zip(codes) {
            assert_eq!(asked(&mut a), [id(n)], "the next at once");
            match code {
                None => a.on_introducer_lost(at(1), id(n)),
                Some(code) => a.on_refused(at(1), attempt, id(n), code),
            }
        }
        assert_eq!(ended(&mut a), [(1, failed(5, expected))]);
    }
}

#[test]
fn an_answer_with_another_key_is_a_mismatch() {
    let mut a = attempts();
    let attempt = start(&mut a, 1, ConnectTarget::Id(id(5)), &[7]);
    assert_eq!(
        a.on_answer(at(1), attempt, id(7), id(6)),
        AnswerOutcome::Ignored
    );
    assert_eq!(ended(&mut a), [(1, failed(5, ConnectFailure::KeyMismatch))]);
}

#[test]
fn without_a_registration_it_waits_until_its_deadline() {
    let mut a = attempts();
    start(&mut a, 1, ConnectTarget::Id(id(5)), &[]);
    let unreachable = failed(5, ConnectFailure::IntroducerUnreachable);
    assert_eq!(ended(&mut a), [(1, unreachable)], "nobody to wait for");
    let candidates = [Candidate {
        introducer: id(7),
        registered: false,
    }];
    for (n, timeout_s) in [(2, 5), (3, 9)] {
        let timeout = Duration::from_secs(timeout_s);
        a.start(at(0), op(n), ConnectTarget::Id(id(5)), &candidates, timeout);
    }
    assert_eq!((asked(&mut a), ended(&mut a)), (vec![], vec![]));
    assert_eq!(a.next_timeout().unwrap().at, at(5_000));
    a.on_timeout(at(5_000));
    assert_eq!(ended(&mut a), [(2, unreachable)]);
    a.on_introducer_registered(at(6_000), id(7));
    assert_eq!(asked(&mut a), [id(7)]);
    a.on_timeout(at(9_000));
    assert_eq!(ended(&mut a), [(3, failed(5, ConnectFailure::TimedOut))]);
    assert!(a.is_empty() && a.next_timeout().is_none());
}

quickcheck! {
    /// Whatever happens in whatever order, each operation ends exactly once.
    fn every_operation_ends_exactly_once(steps: Vec<(u8, u8)>) -> bool {
        let mut a = attempts();
        let (mut started, mut now, mut asks) = (0, at(0), Vec::new());
        for (kind, n) in steps {
            let (introducer, peer) = (id(100 + n % 3), id(n % 4));
            now += Duration::from_millis(u64::from(n) * 4);
            asks.extend(core::iter::from_fn(|| a.poll_ask()));
            let ask = asks.get(usize::from(n) % asks.len().max(1)).cloned();
            match (kind % 9, ask) {
                (0 | 1, _) => {
                    started += 1;
                    let target = ConnectTarget::Id(peer);
                    a.start(now, op(started), target, &ready(&[100, 101, 102]), TIMEOUT);
                }
                (2, Some(ask)) => {
                    a.on_answer(now, ask.attempt, ask.introducer, peer);
                }
                (3, Some(ask)) => a.on_refused(now, ask.attempt, ask.introducer, RefusalCode::Unknown),
                (4, _) => a.on_introducer_lost(now, introducer),
                (5, _) => a.on_peer_connected(peer),
                (6, _) => {
                    a.on_handshake_failed(now, peer, ConnectFailure::TimedOut);
                }
                (7, _) => {
                    a.cancel(now, peer);
                }
                _ => a.on_timeout(now),
            }
        }
        a.on_timeout(now + TIMEOUT);
        let mut operations: Vec<_> = ended(&mut a).into_iter().map(|o| o.0).collect();
        operations.sort_unstable();
        let all: Vec<_> = (1..=started).collect();
        operations == all && a.is_empty() && a.timers.is_empty() && a.by_operation.is_empty()
    }
}

fn settled(a: &mut ConnectAttempts) -> Vec<Option<NodeId>> {
    core::iter::from_fn(|| a.poll_settled())
        .map(|settled| settled.chosen)
        .collect()
}

fn name(text: &str) -> ConnectTarget {
    ConnectTarget::Name(text.to_owned())
}

/// Protocol §6.6.
#[test]
fn a_bare_name_is_asked_of_all_and_followed_when_all_agree() {
    let mut a = attempts();
    let attempt = start(&mut a, 1, name("ada"), &[7, 8, 9]);
    assert_eq!(asked(&mut a), [id(7), id(8), id(9)], "at once");
    for n in [9, 7] {
        let answer = a.on_answer(at(10), attempt, id(n), id(5));
        assert!(matches!(answer, AnswerOutcome::Held { .. }));
    }
    assert_eq!(settled(&mut a), []);
    a.on_refused(at(20), attempt, id(8), RefusalCode::Unknown);
    assert_eq!(settled(&mut a), [Some(id(7))]);
    a.on_peer_connected(id(5));
    assert_eq!(ended(&mut a), [(1, ConnectOutcome::Connected(id(5)))]);
}

/// Protocol §6.6.
#[test]
fn sec_06_a_name_of_two_identities_is_followed_to_neither() {
    let mut a = attempts();
    let attempt = start(&mut a, 1, name("ada"), &[7, 8]);
    asked(&mut a);
    a.on_answer(at(10), attempt, id(7), id(5));
    let second = a.on_answer(at(20), attempt, id(8), id(6));
    assert!(matches!(second, AnswerOutcome::Held { .. }));
    assert_eq!(settled(&mut a), [None]);
    let ambiguous = ConnectOutcome::Failed(None, ConnectFailure::Ambiguous);
    assert_eq!(ended(&mut a), [(1, ambiguous)]);
    assert!(a.is_empty() && a.next_timeout().is_none());
}

#[test]
fn a_silent_introducer_does_not_hold_a_name_up_for_long() {
    let mut a = attempts();
    let attempt = start(&mut a, 1, name("ada"), &[7, 8]);
    asked(&mut a);
    a.on_answer(at(10), attempt, id(8), id(5));
    a.on_timeout(at(2_009));
    assert_eq!(settled(&mut a), []);
    a.on_timeout(at(2_010));
    assert_eq!(settled(&mut a), [Some(id(8))]);
    // What comes later and differs is of no use any more.
    let late = a.on_answer(at(2_020), attempt, id(7), id(6));
    assert_eq!((late, ended(&mut a)), (AnswerOutcome::Ignored, vec![]));
}

/// Protocol §6.6.
#[test]
fn sec_06_a_bound_name_goes_to_nobody_else() {
    let mut a = attempts();
    let bound = |n| ConnectTarget::BoundName {
        name: "ada".to_owned(),
        id: id(n),
    };
    let attempt = start(&mut a, 1, bound(5), &[7, 8]);
    assert_eq!(asked(&mut a), [id(7)]);
    assert_eq!(
        a.on_answer(at(10), attempt, id(7), id(6)),
        AnswerOutcome::Ignored
    );
    assert_eq!(asked(&mut a), [id(8)], "another may know better");
    a.on_answer(at(20), attempt, id(8), id(6));
    let changed = failed(5, ConnectFailure::NameChanged);
    assert_eq!(ended(&mut a), [(1, changed)]);

    let attempt = start(&mut a, 2, bound(5), &[7]);
    asked(&mut a);
    let same = a.on_answer(at(30), attempt, id(7), id(5));
    assert!(matches!(same, AnswerOutcome::Proceed { .. }));
}
