use super::*;

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn link() -> IntroducerLink {
    IntroducerLink::new(Rng::from_seed([3; 32]))
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn registered() -> IntroducerLink {
    let mut link = link();
    assert_eq!(link.poll_action(at(0)), Some(LinkAction::Resolve));
    link.on_resolved(at(0), &[address(1), address(2)]);
    assert_eq!(
        link.poll_action(at(0)),
        Some(LinkAction::Connect(address(1)))
    );
    link.on_session_up();
    assert_eq!(link.poll_action(at(0)), Some(LinkAction::Register));
    assert_eq!(link.state(), IntroducerState::Registering);
    link.on_registered(at(0), address(9), Duration::from_secs(60));
    assert_eq!(link.state(), IntroducerState::Registered);
    assert_eq!(
        (link.observed(), link.poll_action(at(0))),
        (Some(address(9)), None)
    );
    link
}

/// Pause until the next action, in milliseconds, and the action.
fn next(link: &mut IntroducerLink, now: Instant) -> (u64, Option<LinkAction>) {
    let due = link.next_timeout().unwrap().at;
    let pause = due.saturating_since(now).as_millis() as u64;
    assert_eq!(
        link.poll_action(due - Duration::from_nanos(1)),
        None,
        "not early"
    );
    (pause, link.poll_action(due))
}

#[test]
fn every_address_is_tried_then_the_pause_doubles_to_a_minute() {
    let mut link = link();
    let mut now = at(0);
    link.poll_action(now);
    for expected_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        link.on_resolved(now, &[address(1), address(2)]);
        assert_eq!(link.poll_action(now), Some(LinkAction::Connect(address(1))));
        link.on_session_lost(now);
        let second = link.next_timeout().unwrap().at;
        assert_eq!(link.poll_action(now), Some(LinkAction::Connect(address(2))));
        assert_eq!(link.poll_action(second), None, "it was silent");
        assert_eq!(link.state(), IntroducerState::Unreachable);
        let (pause_ms, action) = next(&mut link, second);
        assert!((expected_ms * 8 / 10..=expected_ms * 12 / 10).contains(&pause_ms));
        assert_eq!(action, Some(LinkAction::Resolve));
        now = second + Duration::from_millis(pause_ms + 1);
    }
}

#[test]
fn a_registration_is_repeated_after_five_minutes_and_stays_registered_meanwhile() {
    let mut link = registered();
    let (pause_ms, action) = next(&mut link, at(0));
    assert!((240_000..=360_000).contains(&pause_ms));
    assert_eq!(action, Some(LinkAction::Register));
    assert_eq!(link.state(), IntroducerState::Registered);
    link.on_registered(at(300_000), address(8), Duration::from_secs(60));
    assert_eq!(link.observed(), Some(address(8)));
}

#[test]
fn a_lost_session_comes_back_spread_over_three_seconds_at_the_same_address() {
    let mut pauses = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let mut link = registered();
        link.rng = Rng::from_seed([seed; 32]);
        link.on_session_lost(at(1_000));
        assert_eq!(link.state(), IntroducerState::Unreachable);
        let (pause_ms, action) = next(&mut link, at(1_000));
        assert!(pause_ms < 3_000);
        pauses.insert(pause_ms / 300);
        assert_eq!(action, Some(LinkAction::Connect(address(1))));
    }
    assert!(pauses.len() >= 8, "spread, not together: {pauses:?}");
}

#[test]
fn a_new_session_registers_at_once_and_once() {
    let mut link = registered();
    link.on_session_up();
    assert_eq!(link.poll_action(at(5)), Some(LinkAction::Register));
    assert_eq!(link.poll_action(at(5)), None, "one at a time");
    link.on_registered(at(6), address(9), Duration::from_secs(60));
    assert_eq!(link.poll_action(at(6)), None);
}

#[test]
fn failing_paths_ask_for_the_observed_address_but_not_in_rows() {
    let mut link = registered();
    link.on_path_failed(at(100));
    link.on_path_failed(at(200));
    let (pause_ms, action) = next(&mut link, at(0));
    assert_eq!((pause_ms, action), (5_000, Some(LinkAction::Register)));
    link.on_path_failed(at(5_100));
    assert_eq!(link.next_timeout(), None, "one is on its way");
    link.on_registered(at(5_200), address(8), Duration::from_secs(60));
    assert_eq!(link.observed(), Some(address(8)));
    link.on_path_failed(at(60_000));
    assert_eq!(link.poll_action(at(60_000)), Some(LinkAction::Register));
}

#[test]
fn a_refusal_is_retried_slowly_and_a_silent_introducer_is_given_up() {
    let mut link = registered();
    link.on_session_up();
    link.poll_action(at(0));
    for expected_ms in [30_000, 60_000, 120_000, 240_000, 300_000, 300_000] {
        link.on_refused(at(0), RegistrationRefusal::NameTaken, None);
        assert_eq!(
            link.state(),
            IntroducerState::Refused(RegistrationRefusal::NameTaken)
        );
        let (pause_ms, action) = next(&mut link, at(0));
        assert!((expected_ms * 8 / 10..=expected_ms * 12 / 10).contains(&pause_ms));
        assert_eq!(action, Some(LinkAction::Register));
    }
    link.on_request_timed_out(at(0));
    assert_eq!(link.state(), IntroducerState::Unreachable);
    link.on_network_changed();
    assert_eq!(link.poll_action(at(0)), Some(LinkAction::Resolve));
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut link = link();
    link.on_registered(at(0), address(9), Duration::from_secs(60));
    link.on_refused(at(0), RegistrationRefusal::Full, None);
    link.on_request_timed_out(at(0));
    assert_eq!(
        (link.state(), link.observed()),
        (IntroducerState::Resolving, None)
    );
}
