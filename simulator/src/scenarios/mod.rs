//! Longer plays that tests and `p2p-sim` share: every pair of boxes, bad links, floods of garbage,
//! tables of goodput and of congestion controllers, and campaigns of random plots. Each returns data;
//! nothing here prints.

mod campaign;
mod congestion;
mod crowd;
mod garbage;
mod goodput;
mod lossy;
mod matrix;

pub use campaign::{Campaign, Totals};
pub use congestion::congestion_table;
pub use crowd::{CrowdReport, crowd};
pub use garbage::{GarbageReport, garbage};
pub use goodput::{goodput_table, long_path};
pub use lossy::{LossyReport, lossy};
pub use matrix::{Cell, JudgedPair, SIDES, Side, all_chains, cell, every_pair, matrix_table};

use crate::nat::Nat;
use crate::units::{ms, secs};
use crate::world::{Who, World};

/// Sets up an introducer and two nodes registered with it, behind the given boxes (inner first).
#[must_use]
pub fn trio(mut world: World, a: &[Nat], b: &[Nat]) -> (World, [Who; 3]) {
    let introducer = world.public_node("introducer");
    let known = |world: &mut World, name: &str, chain: &[Nat]| {
        let node = world.node(name).behind_chain(chain);
        node.introducer(introducer).start()
    };
    let alice = known(&mut world, "alice", a);
    let bob = known(&mut world, "bob", b);
    world
        .run_until(|w| w.is_registered(alice) && w.is_registered(bob))
        .within(secs(10));
    world.run_for(ms(200));
    (world, [introducer, alice, bob])
}

/// Connects two nodes of a world and waits until both know it.
///
/// # Panics
/// When they do not connect within ten virtual seconds.
#[track_caller]
pub fn meet(world: &mut World, a: Who, b: Who) {
    world.connect(a, b);
    world
        .run_until(|w| w.is_connected(a, b) && w.is_connected(b, a))
        .within(secs(10));
}
