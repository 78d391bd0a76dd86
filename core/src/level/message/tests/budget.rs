//! Messages under a budget that is too small for all, and credit that grows or gets lost.

use super::*;

const MIB: u64 = 1 << 20;

fn put(to: &mut Messages, id: u64, total: u64, offset: u64, data: &[u8]) -> Received {
    let piece = (MessageId(id), 3.into());
    to.on_fragment(piece, total, offset, data, Instant::EPOCH)
        .unwrap()
}

/// Begins messages of a MiB and sends their bytes until one is refused.
fn flood(to: &mut Messages) {
    for id in 0..16 {
        for offset in (0..MIB).step_by(1_024) {
            if put(to, id, MIB, offset, &[7; 1_024]) == Received::Refused {
                return;
            }
        }
    }
}

#[test]
fn floods_that_nobody_takes_hold_no_more_than_the_budget() {
    let budgets = Budgets::new(4 * MIB, MIB);
    let mut peers: Vec<_> = (0..8).map(|_| Messages::new(&budgets)).collect();
    peers.iter_mut().for_each(flood);
    let held = budgets.receive.held_bytes();
    let most = 4 * MIB + 8 * limits::RECEIVE_LEAST_BYTES;
    assert!((2 * MIB..=most).contains(&held), "{held}");
    let taken = peers[0].take(MessageId(0)).expect("the first was whole");
    assert_eq!(taken.len() as u64, MIB);
    assert_eq!(budgets.receive.held_bytes(), held - MIB);
    // What makes no progress is given up and gives its bytes back.
    let later = Instant::EPOCH + limits::MESSAGE_PARTIAL_LIFE;
    peers.iter_mut().for_each(|peer| peer.on_timeout(later));
    let whole: usize = peers.iter().map(|peer| peer.ready().len()).sum();
    assert_eq!(budgets.receive.held_bytes(), whole as u64 * MIB);
    drop(peers);
    assert_eq!(budgets.receive.held_bytes(), 0);
}

#[test]
fn a_declared_length_is_not_charged() {
    let budgets = Budgets::new(4 * MIB, MIB);
    let mut messages = Messages::new(&budgets);
    for id in 0..16 {
        assert_eq!(put(&mut messages, id, MIB, 0, b""), Received::Accepted);
    }
    assert_eq!(budgets.receive.held_bytes(), 0);
}

#[test]
fn a_full_send_budget_refuses_all_but_small_messages() {
    let budgets = Budgets::new(MIB, MIB);
    let mut messages = Messages::new(&budgets);
    let half = Bytes::from(vec![1; MIB as usize / 2]);
    let first = messages.send(1.into(), half.clone(), None);
    assert!(first.is_ok());
    let refused = messages.send(1.into(), half, None);
    assert!(
        matches!(refused, Err(ApiMisuse::Limit(l)) if l.limit == "SEND_BUDGET_BYTES"),
        "{refused:?}"
    );
    let mut other = Messages::new(&budgets);
    assert!(
        other
            .send(1.into(), Bytes::from_static(b"small"), None)
            .is_ok()
    );
}

/// The credit to tell now, whatever else is told.
fn credit(of: &mut Messages, pace: Pace) -> Option<MessageControl> {
    let mut controls = core::iter::from_fn(|| of.poll_control(1_200, pace));
    controls.find(|c| matches!(c, MessageControl::Credit { .. }))
}

/// Sends one MiB after the other for a time in which each takes `took`; what the last credit is ahead of the reader.
fn window_after(took: Duration) -> u64 {
    let (budgets, mut now) = (Budgets::default(), Instant::EPOCH);
    let mut to = Messages::new(&budgets);
    let (rtt, mut told) = (Duration::from_millis(200), WINDOW_BYTES);
    for id in 0..64 {
        let data = vec![7; MIB as usize];
        let got = to.on_fragment((MessageId(id), 3.into()), MIB, 0, &data, now);
        assert_eq!(got, Ok(Received::Accepted));
        assert!(to.take(MessageId(id)).is_some());
        now += took;
        if let Some(MessageControl::Credit { total_bytes, .. }) = credit(&mut to, Pace { now, rtt })
        {
            told = total_bytes;
        }
    }
    told - 64 * MIB
}

#[test]
fn the_window_of_messages_grows_with_a_fast_reader_only() {
    assert!(window_after(Duration::from_millis(20)) > 2 * WINDOW_BYTES);
    assert!(window_after(Duration::from_millis(500)) <= WINDOW_BYTES);
}

#[test]
fn lost_credit_is_told_again_unless_a_newer_one_was() {
    let mut to = messages();
    let mut tell = |id| {
        for offset in (0..8 * MIB).step_by(1 << 16) {
            assert_eq!(
                put(&mut to, id, 8 * MIB, offset, &[7; 1 << 16]),
                Received::Accepted
            );
        }
        assert!(to.take(MessageId(id)).is_some());
        let credit = credit(&mut to, PACE).expect("credit");
        to.on_lost(&MessageSent::Control(credit));
        assert_eq!(to.poll_control(1_200, PACE), Some(credit), "told again");
        assert!(!to.has_control_to_send());
        credit
    };
    let older = tell(0);
    assert_ne!(tell(1), older);
    to.on_lost(&MessageSent::Control(older));
    assert!(!to.has_control_to_send());
}
