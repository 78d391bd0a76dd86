//! A large stream and large messages across a link that loses a fifth of everything, reorders and
//! duplicates: every byte must come out once and in place.

use core::time::Duration;

use super::{meet, trio};
use crate::link::{Link, Ppm, percent};
use crate::nat::Nat;
use crate::pulse::Pulse;
use crate::units::{ms, secs};
use crate::world::World;

/// How long one run may take in virtual time.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// What came of one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossyReport {
    /// Time until everything had come.
    pub took: Option<Duration>,
    /// Datagrams sent by both.
    pub datagrams: u64,
    /// Datagrams that the links lost, doubled and held back.
    pub faults: [u64; 3],
}

/// Sends a stream of `stream_bytes` one way and a message of `message_bytes` the other way at
/// `loss`; `pulse` beats with everything that happens.
///
/// # Panics
/// When a promise is broken or the content differs.
#[must_use]
pub fn lossy(
    seed: u64,
    loss: Ppm,
    [stream_bytes, message_bytes]: [usize; 2],
    pulse: &Pulse,
) -> LossyReport {
    let world = World::seeded(seed).latency(ms(20)).watched_by(pulse);
    let nat = [Nat::port_restricted()];
    let (mut world, [_, alice, bob]) = trio(world, &nat, &nat);
    meet(&mut world, alice, bob);
    let _ = world
        .run_until(|w| w.is_direct(alice, bob) && w.is_direct(bob, alice))
        .or_after(secs(5));
    let bad = Link {
        loss,
        duplicate: percent(5),
        reorder: percent(10),
        reorder_by: ms(30),
        ..Link::with_latency(ms(10))
    };
    world.set_link(alice, bad);
    let mut rng = world.rng("content");
    let mut content = |len: usize| {
        let mut bytes = vec![0; len];
        rng.fill(&mut bytes);
        bytes
    };
    let (long, whole) = (content(stream_bytes), content(message_bytes));
    let before = world.now();
    let stream = world.open_stream_to(alice, bob);
    world.write(alice, stream, &long);
    world.finish(alice, stream);
    let sent = world.send_message(bob, alice, 2, whole.clone());
    sent.unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    let mut took = None;
    while world.now().saturating_since(before) < PATIENCE {
        world.run_for(ms(100));
        let came = world.app(alice).messages.first().map(|m| m.data.len());
        if world.has_ended(bob, stream) && came.is_some() {
            took = Some(world.now().saturating_since(before));
            break;
        }
        if !world.is_connected(alice, bob) {
            break;
        }
    }
    if took.is_some() {
        assert!(world.received(bob, stream) == long, "seed {seed}: stream");
        let message = &world.app(alice).messages[0];
        assert!(message.data == whole, "seed {seed}: message");
    }
    let [up, down] = world.link_counters(alice);
    LossyReport {
        took,
        datagrams: world.traffic(alice).datagrams_sent + world.traffic(bob).datagrams_sent,
        faults: [
            up.lost + down.lost,
            up.duplicated + down.duplicated,
            up.reordered + down.reordered,
        ],
    }
}
