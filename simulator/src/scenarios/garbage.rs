//! A flood of random datagrams, many shaped like the protocol's own, into a live node that serves
//! an honest peer all the while: no session comes of it, nobody is disturbed, and no address gets
//! more than it paid for.

use core::net::{Ipv4Addr, SocketAddr};

use p2p_core::api::RequestOutcome;

use super::{meet, trio};
use crate::garbage::garbage_datagram;
use crate::units::{ms, secs};
use crate::world::World;

/// What came of a flood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GarbageReport {
    /// Datagrams thrown.
    pub thrown: u64,
    /// Of those, delivered to the node.
    pub delivered: u64,
    /// Sessions established meanwhile beyond those of honest nodes.
    pub sessions_gained: u64,
    /// Requests of the honest peer during the flood, and how many were answered.
    pub requests: [u64; 2],
    /// Bytes that the nodes sent to the throwers.
    pub answer_bytes: u64,
}

/// Throws `count` random datagrams at a node, 100 from new addresses each virtual millisecond.
///
/// # Panics
/// When a promise is broken.
#[must_use]
pub fn garbage(seed: u64, count: u64) -> GarbageReport {
    let world = World::seeded(seed).latency(ms(20));
    let (mut world, [introducer, alice, bob]) = trio(world, &[], &[]);
    meet(&mut world, alice, bob);
    world.run_for(secs(5));
    let mut rng = world.rng("garbage");
    let sessions = |w: &World| {
        let of = |who| w.status(who).map_or(0, |s| s.counters.sessions_established);
        of(bob) + of(introducer)
    };
    let before = sessions(&world);
    let received = world.traffic(bob).datagrams_received;
    let mut report = GarbageReport::default();
    let mut asked = Vec::new();
    while report.thrown < count {
        for _ in 0..100.min(count - report.thrown) {
            let source = Ipv4Addr::from(0x1700_0000 + rng.below(1 << 20) as u32);
            let from = SocketAddr::new(source.into(), 1_024 + rng.below(60_000) as u16);
            let bytes = garbage_datagram(&mut rng);
            // The introducer gets one in ten: it alone answers handshakes of any stranger.
            let to = if rng.below(10) == 0 { introducer } else { bob };
            world.deliver_raw(to, from, bytes);
            report.thrown += 1;
        }
        if report.thrown % 10_000 == 0 {
            asked.extend(world.send_request(alice, bob, "still well?", secs(5)).ok());
        }
        world.run_for(ms(1));
    }
    world.run_for(secs(6));
    let answered = asked.iter().filter(|r| {
        let outcome = world.app(alice).requests.get(r);
        matches!(outcome, Some(RequestOutcome::Answered(_)))
    });
    report.requests = [asked.len() as u64, answered.count() as u64];
    report.delivered = world.traffic(bob).datagrams_received - received;
    report.sessions_gained = sessions(&world) - before;
    report.answer_bytes = world.sent_to_strangers(bob) + world.sent_to_strangers(introducer);
    report
}
