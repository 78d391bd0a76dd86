//! What a sender was told is delivered outlives its receiver, whenever that dies and whatever its disk does (protocol
//! §8.2).

use core::time::Duration;

use bytes::Bytes;
use p2p_core::api::MessageFailure;
use p2p_simulator::World;

const STEP: Duration = Duration::from_millis(10);
const DISK: Duration = Duration::from_millis(200);

/// Messages that were delivered and that were left open, of three sent to a receiver with a slow disk that dies after
/// so long. The ledger holds each "delivered" against what was on the disk by then.
fn killed_after(steps: u32, is_full: bool) -> (usize, usize) {
    let mut world = World::seeded(u64::from(steps)).latency(Duration::from_millis(20));
    let introducer = world.public_node("introducer");
    let [a, b] = ["a", "b"].map(|name| world.node(name).introducer(introducer).start());
    world.run_for(Duration::from_secs(2));
    world.connect(a, b);
    world.run_for(Duration::from_secs(2));
    world.app_mut(b).keeps_after = DISK;
    world.app_mut(b).disk_full = is_full;
    for n in 0..3_u8 {
        let sent = world.send_message(a, b, 1, Bytes::from(vec![n; 2_000]));
        sent.expect("room for three");
        world.run_for(Duration::from_millis(60));
    }
    world.run_for(STEP * steps);
    world.crash(b);
    world.run_for(Duration::from_secs(1));
    world.restart(b);
    world.run_for(Duration::from_secs(90));
    let ends = &world.app(a).sent_messages;
    let count = |end| ends.values().filter(|e| **e == end).count();
    (count(Ok(())), count(Err(MessageFailure::Disconnected)))
}

/// Protocol §8.2.
#[test]
fn a_receiver_killed_at_any_moment_keeps_what_its_sender_was_told_is_delivered() {
    let ends: Vec<_> = (0..40).map(|steps| killed_after(steps, false)).collect();
    assert!(
        ends.iter().all(|(delivered, open)| delivered + open == 3),
        "{ends:?}"
    );
    assert_eq!((ends[0], ends[39]), ((0, 3), (3, 0)));
    for delivered in 1..3 {
        assert!(
            ends.iter().any(|e| e.0 == delivered),
            "{delivered}: {ends:?}"
        );
    }
}

/// Protocol §8.2.
#[test]
fn what_a_full_disk_cannot_keep_is_never_said_to_be_delivered() {
    for steps in [0, 20, 500] {
        assert_eq!(killed_after(steps, true), (0, 3));
    }
}
