use super::*;
use quickcheck::quickcheck;

const A: PeerKey = PeerKey(1);
const B: PeerKey = PeerKey(2);
const C: PeerKey = PeerKey(3);
const NOW: Instant = Instant::from_millis(1_000);

fn relay(config: RelayConfig) -> RelayServer {
    RelayServer::new(config, Rng::from_seed([5; 32]))
}

fn from(peer: PeerKey) -> (PeerKey, SourceKey) {
    let [a, b] = [peer.0 as u8, (peer.0 >> 8) as u8];
    (peer, SourceKey::of([192, 0, b, a].into()))
}

fn to(peer: PeerKey, channel: u32) -> Forward {
    Forward::To { peer, channel }
}

#[test]
fn a_channel_joins_its_two_ends_and_nobody_else() {
    let mut relay = relay(RelayConfig::default());
    let far = relay.open(NOW, from(A), 7, B).unwrap();
    assert_ne!(far & RELAY_CHOSEN, 0);
    assert_eq!(relay.forward(NOW, A, 7, 100), to(B, far));
    assert_eq!(relay.forward(NOW, B, far, 100), to(A, 7));
    let unknown = Forward::Drop(DropReason::UnknownChannel);
    for (peer, channel) in [(B, 7), (A, far), (C, 7), (C, far), (A, 8)] {
        assert_eq!(relay.forward(NOW, peer, channel, 100), unknown);
    }
    assert_eq!(relay.counters().forwarded_bytes, 200);
}

#[test]
fn opening_again_is_idempotent_and_another_target_replaces() {
    let mut relay = relay(RelayConfig::default());
    let to_b = relay.open(NOW, from(A), 7, B).unwrap();
    assert_eq!(relay.open(NOW, from(A), 7, B), Ok(to_b));
    let to_c = relay.open(NOW, from(A), 7, C).unwrap();
    assert_eq!(relay.len(), 1);
    assert_eq!(relay.forward(NOW, A, 7, 1), to(C, to_c));
    let dropped = Forward::Drop(DropReason::UnknownChannel);
    assert_eq!(relay.forward(NOW, B, to_b, 1), dropped);
}

#[test]
fn impossible_numbers_and_oneself_are_refused() {
    let mut relay = relay(RelayConfig::default());
    for (channel, target) in [(0, B), (RELAY_CHOSEN | 1, B), (7, A)] {
        let refusal = relay.open(NOW, from(A), channel, target);
        assert_eq!(refusal, Err(RelayRefusal::Malformed));
    }
}

#[test]
fn the_caps_hold_for_requester_target_and_relay() {
    let mut relay = relay(RelayConfig {
        channels: 5,
        channels_per_peer: 3,
        channels_per_pair: 3,
        ..RelayConfig::default()
    });
    for channel in 1..=3 {
        let far = relay.open(NOW, from(A), channel, B).unwrap();
        assert_eq!(relay.forward(NOW, B, far, 1), to(A, channel));
    }
    assert_eq!(relay.open(NOW, from(A), 4, C), Err(RelayRefusal::Full));
    assert_eq!(relay.open(NOW, from(C), 1, B), Err(RelayRefusal::Full));
    assert!(
        relay.open(NOW, from(A), 3, C).is_ok(),
        "replacing needs no room"
    );
    assert!(relay.open(NOW, from(PeerKey(4)), 1, PeerKey(5)).is_ok());
    assert!(relay.open(NOW, from(PeerKey(4)), 2, PeerKey(5)).is_ok());
    let sixth = relay.open(NOW, from(PeerKey(6)), 1, PeerKey(7));
    assert_eq!(sixth, Err(RelayRefusal::Full));
}

/// Protocol §10.2.
#[test]
fn sec_23_a_target_stays_reachable_whoever_fills_its_channels() {
    let mut relay = relay(RelayConfig::default());
    let carol = (PeerKey(9_999), SourceKey::of([198, 51, 100, 9].into()));
    let at = |n: u32| SourceKey::of(core::net::Ipv4Addr::from_bits(0x2c00_0000 + n).into());
    // One key, then the keys of one source, then those of many sources.
    for channel in 1..=200 {
        assert!(relay.open(NOW, (A, at(1)), channel, B).is_ok());
    }
    assert_eq!(relay.len(), RELAY_CHANNELS_PER_PAIR);
    for n in 100..164 {
        let _ = relay.open(NOW, (PeerKey(n), at(1)), 1, B);
    }
    assert_eq!(relay.len(), RELAY_CHANNELS_TO_TARGET_PER_SOURCE);
    for n in 200..500 {
        let _ = relay.open(NOW, (PeerKey(n), at(n)), 1, B);
    }
    assert_eq!(relay.len(), RELAY_CHANNELS_PER_PEER);
    let far = relay.open(NOW, carol, 7, B).unwrap();
    assert_eq!(relay.forward(NOW, B, far, 100), to(carol.0, 7));
    // Answered, it does not make room for others, and whoever is not answered goes, however often it speaks.
    for n in 500..800 {
        let _ = relay.open(NOW, (PeerKey(n), at(n)), 1, B);
    }
    for s in 1..=10 {
        let now = NOW + Duration::from_secs(s);
        for n in 200..800 {
            relay.forward(now, PeerKey(n), 1, 1);
        }
        relay.on_timeout(now);
    }
    assert_eq!(relay.len(), 1);
    let end = NOW + Duration::from_secs(11);
    assert_eq!(relay.forward(end, B, far, 100), to(carol.0, 7));
}

/// Protocol §10.2.
#[test]
fn either_end_may_close_a_channel_and_the_other_hears_of_it() {
    let mut relay = relay(RelayConfig::default());
    let far = relay.open(NOW, from(A), 7, B).unwrap();
    assert_eq!(relay.on_declined(C, far), None, "it is not its own");
    assert_eq!(relay.on_declined(B, far), Some((A, 7)));
    assert_eq!(relay.on_declined(B, far), None);
    let far = relay.open(NOW, from(A), 8, B).unwrap();
    assert_eq!(relay.on_declined(A, 8), Some((B, far)));
    assert!(relay.is_empty() && relay.peer_channels.is_empty());
    assert_eq!(relay.sources.sources(), 0);
}

#[test]
fn the_quota_cuts_exactly_and_each_direction_has_its_own() {
    let mut relay = relay(RelayConfig {
        rate_bytes_per_s: 100_000,
        burst_bytes: 10_000,
        ..RelayConfig::default()
    });
    let far = relay.open(NOW, from(A), 7, B).unwrap();
    assert_eq!(
        relay.forward(NOW, B, far, 1),
        to(A, 7),
        "answered, it stays"
    );
    let mut passed = 0;
    for ms in 0..10_000 {
        let now = NOW + Duration::from_millis(ms);
        passed += u32::from(relay.forward(now, A, 7, 1_000) != Forward::Drop(DropReason::Quota));
    }
    // 10 datagrams at once and 100 a second for 9.999 s.
    assert!((1_008..=1_010).contains(&passed), "{passed}");
    let end = NOW + Duration::from_secs(10);
    assert_eq!(relay.forward(end, B, far, 10_000), to(A, 7));
}

/// Protocol §10.2.
#[test]
fn a_channel_lives_while_it_is_used_and_120_s_longer() {
    let mut relay = relay(RelayConfig::default());
    let far = relay.open(NOW, from(A), 7, B).unwrap();
    assert_eq!(relay.forward(NOW, B, far, 1), to(A, 7));
    let used = NOW + Duration::from_secs(100);
    assert!(matches!(relay.forward(used, A, 7, 1), Forward::To { .. }));
    relay.on_timeout(NOW + RELAY_CHANNEL_LIFE);
    assert_eq!(relay.len(), 1);
    let end = used + RELAY_CHANNEL_LIFE;
    assert_eq!(relay.next_timeout().unwrap().at, end);
    let late = Forward::Drop(DropReason::UnknownChannel);
    assert_eq!(relay.forward(end, A, 7, 1), late, "even before the timer");
    relay.on_timeout(end);
    assert!(relay.is_empty() && relay.next_timeout().is_none());
    assert!(relay.peer_channels.is_empty() && relay.ends.is_empty());
}

#[test]
fn the_end_of_a_session_closes_its_channels_on_both_sides_and_no_other() {
    let mut relay = relay(RelayConfig::default());
    let at_b = relay.open(NOW, from(A), 7, B).unwrap();
    relay.open(NOW, from(C), 9, A).unwrap();
    let stays = relay.open(NOW, from(C), 10, B).unwrap();
    relay.on_session_closed(A);
    let gone = Forward::Drop(DropReason::UnknownChannel);
    for (peer, channel) in [(A, 7), (B, at_b), (C, 9)] {
        assert_eq!(relay.forward(NOW, peer, channel, 1), gone);
    }
    assert_eq!(relay.forward(NOW, C, 10, 1), to(B, stays));
    assert_eq!(relay.len(), 1);
}

quickcheck! {
    /// Against a plain list of channels: whatever is opened and closed, a datagram leaves at the
    /// other end of its own channel or not at all.
    fn channels_are_never_cross_wired(steps: Vec<(u8, u8, u8, u8)>) -> bool {
        let mut relay = relay(RelayConfig { channels_per_pair: 6, ..RelayConfig::default() });
        let mut model: Vec<[(PeerKey, u32); 2]> = Vec::new();
        for (kind, a, b, number) in steps {
            let (a, b) = (PeerKey(u32::from(a % 5)), PeerKey(u32::from(b % 5)));
            let number = u32::from(number % 4);
            match kind % 8 {
                0 => {
                    relay.on_session_closed(a);
                    model.retain(|ends| ends.iter().all(|end| end.0 != a));
                }
                _ => {
                    if let Ok(far) = relay.open(NOW, from(a), number, b) {
                        model.retain(|ends| ends[0] != (a, number));
                        model.push([(a, number), (b, far)]);
                    }
                }
            }
        }
        let every_end = model.iter().all(|[x, y]| {
            relay.forward(NOW, x.0, x.1, 1) == to(y.0, y.1)
                && relay.forward(NOW, y.0, y.1, 1) == to(x.0, x.1)
        });
        every_end && relay.len() == model.len() && relay.ends.len() == 2 * model.len()
    }
}
