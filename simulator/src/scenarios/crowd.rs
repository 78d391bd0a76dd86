//! Many nodes registered with one introducer, some of them connected in pairs, and nothing said:
//! what a world costs that only keeps itself alive.

use core::time::Duration;

use crate::nat::Nat;
use crate::units::{ms, secs};
use crate::world::{Who, World};

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrowdReport {
    /// Nodes registered at the end.
    pub registered: usize,
    /// Pairs connected at the end, both ends of one mind.
    pub connected: usize,
    /// Virtual time in all.
    pub virtual_time: Duration,
    /// Things that happened.
    pub steps: u64,
    /// Datagrams sent by the nodes.
    pub datagrams: u64,
}

/// Nodes and pairs that begin in one virtual second: more would meet the introducer's budgets.
const BEGINNING_AT_ONCE: usize = 200;

/// Lets `nodes` nodes behind address translators register with one introducer, connects the first
/// `pairs` pairs of them, and lets `idle` pass.
///
/// # Panics
/// When a promise is broken.
#[must_use]
pub fn crowd(seed: u64, nodes: usize, pairs: usize, idle: Duration) -> CrowdReport {
    let mut world = World::seeded(seed).latency(ms(40));
    let introducer = world.public_node("introducer");
    let mut crowd: Vec<Who> = Vec::with_capacity(nodes);
    for i in 0..nodes {
        let node = world.node(&format!("node-{i}"));
        let node = node.behind(Nat::port_restricted()).introducer(introducer);
        crowd.push(node.start());
        if (i + 1) % BEGINNING_AT_ONCE == 0 {
            world.run_for(secs(1));
        }
    }
    // Asked once a second: a condition is otherwise held against all nodes after every datagram.
    for _ in 0..60 {
        if crowd.iter().all(|w| world.is_registered(*w)) {
            break;
        }
        world.run_for(secs(1));
    }
    let pairs: Vec<_> = crowd.chunks_exact(2).take(pairs).collect();
    for some in pairs.chunks(BEGINNING_AT_ONCE) {
        for pair in some {
            world.connect(pair[0], pair[1]);
        }
        world.run_for(secs(1));
    }
    world.run_for(idle);
    let both = |w: &World, a, b| w.is_connected(a, b) && w.is_connected(b, a);
    CrowdReport {
        registered: crowd.iter().filter(|w| world.is_registered(**w)).count(),
        connected: pairs.iter().filter(|p| both(&world, p[0], p[1])).count(),
        virtual_time: world.now().saturating_since(p2p_core::time::Instant::EPOCH),
        steps: world.steps(),
        datagrams: crowd.iter().map(|w| world.traffic(*w).datagrams_sent).sum(),
    }
}
