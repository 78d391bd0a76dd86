//! Effects and their answers: what is not answered in time has failed, what does not fit is refused.

use super::{config, connected, introducer_config};
use crate::api::{
    ApiMisuse, Command, Effect, EffectId, EffectKind, EffectResult, Engine, Event, IntroducerState,
};
use crate::node::Node;
use crate::node::errands::ANSWER_TIMEOUT;
use crate::time::{Duration, Instant, TimerKind};

const START: Instant = Instant::from_millis(1_000);

/// A node whose introducer is known by a name, and its question for it.
fn asking() -> (Node, Effect) {
    let introducer = Node::new(introducer_config(), START).expect("a node").id();
    let mut config = config(2);
    let address = format!("p2p://{introducer}@introducer.example:6660");
    config.introducers = vec![address.parse().expect("an address")];
    let mut node = Node::new(config, START).expect("a node");
    let effect = node.poll_effect().expect("a question");
    assert!(matches!(
        &effect.kind,
        EffectKind::Resolve { host, port: 6660, .. } if host == "introducer.example"
    ));
    while node.poll_event().is_some() {}
    (node, effect)
}

fn resolved() -> EffectResult {
    EffectResult::Resolved(vec![super::address(1)])
}

fn answer(
    node: &mut Node,
    now: Instant,
    id: EffectId,
    result: EffectResult,
) -> Result<(), ApiMisuse> {
    let command = Command::Answered { id, result };
    node.handle_command(now, command).map(|_| ())
}

fn states(node: &mut Node) -> Vec<IntroducerState> {
    let mut states = Vec::new();
    while let Some(event) = node.poll_event() {
        if let Event::Introducer { state, .. } = event {
            states.push(state);
        }
    }
    states
}

#[test]
fn an_unanswered_look_up_ends_is_told_and_asked_again() {
    let (mut node, first) = asking();
    let due = node.poll_timeout().expect("a deadline");
    assert_eq!(due.at, START + ANSWER_TIMEOUT);
    assert_eq!(due.kind, TimerKind::Effect);
    node.handle_timeout(due.at - Duration::from_millis(1));
    assert_eq!(states(&mut node), []);
    node.handle_timeout(due.at);
    assert_eq!(states(&mut node), [IntroducerState::Unresolved]);

    let late = answer(&mut node, due.at, first.id, resolved());
    assert_eq!(late, Err(ApiMisuse::UnknownEffect));
    assert_eq!(states(&mut node), []);

    let again = node.poll_timeout().expect("a pause").at;
    node.handle_timeout(again);
    let second = node.poll_effect().expect("the same question");
    assert_eq!(second.kind, first.kind);
    assert_ne!(second.id, first.id);
    answer(&mut node, again, second.id, resolved()).expect("waited for");
    assert!(states(&mut node).contains(&IntroducerState::Connecting));
}

#[test]
fn answers_that_fit_nothing_are_refused_and_change_nothing() {
    let (mut node, effect) = asking();
    let foreign = EffectId(effect.id.0 + 1);
    let unknown = answer(&mut node, START, foreign, resolved());
    assert_eq!(unknown, Err(ApiMisuse::UnknownEffect));
    let other_kind = answer(&mut node, START, effect.id, EffectResult::Persisted);
    assert!(matches!(other_kind, Err(ApiMisuse::InvalidArgument { .. })));
    assert_eq!(states(&mut node), []);
    answer(&mut node, START, effect.id, resolved()).expect("still waited for");
    let twice = answer(&mut node, START, effect.id, resolved());
    assert_eq!(twice, Err(ApiMisuse::UnknownEffect));
}

#[test]
fn a_name_without_address_is_told_at_once() {
    for result in [EffectResult::Failed, EffectResult::Resolved(Vec::new())] {
        let (mut node, effect) = asking();
        answer(&mut node, START, effect.id, result).expect("waited for");
        assert_eq!(states(&mut node), [IntroducerState::Unresolved]);
    }
}

#[test]
fn nobody_waits_for_the_addresses_of_an_introducer_that_was_left() {
    let (mut node, effect) = asking();
    let EffectKind::Resolve { introducer, .. } = effect.kind else {
        panic!("{effect:?}");
    };
    node.handle_command(START, Command::RemoveIntroducer(introducer))
        .expect("known");
    let late = answer(&mut node, START, effect.id, resolved());
    assert_eq!(late, Err(ApiMisuse::UnknownEffect));
    assert_eq!(node.poll_timeout(), None);
}

#[test]
fn a_node_that_ends_waits_for_no_answer() {
    let (mut node, effect) = asking();
    node.handle_command(START, Command::Shutdown).expect("ends");
    assert_eq!(node.poll_timeout(), None);
    let late = answer(&mut node, START, effect.id, resolved());
    assert_eq!(late, Err(ApiMisuse::ShutDown));
}

#[test]
fn a_record_that_is_not_kept_is_counted_whether_told_or_not() {
    for (result, lost) in [
        (Some(EffectResult::Persisted), 0),
        (Some(EffectResult::Failed), 1),
        (None, 1),
    ] {
        let (mut net, ada, _) = connected();
        let now = net.now;
        let mut asked = 0;
        for effect in net.effects.remove(&ada).unwrap_or_default() {
            assert!(matches!(effect.kind, EffectKind::PersistRecord { .. }));
            asked += 1;
            if let Some(result) = result.clone() {
                answer(net.node(2), now, effect.id, result).expect("waited for");
            }
        }
        assert_eq!(asked, 1);
        net.run(ANSWER_TIMEOUT);
        let status = net.node(2).status(now);
        assert_eq!(status.counters.records_not_kept, lost, "{result:?}");
    }
}
