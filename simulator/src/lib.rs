//! Whole networks in virtual time: engines, links, address translators and faults under one seed, judged by oracles. A
//! world is a function of its seed and of what the test does to it; nothing here reads a clock.
//!
//! [`World`] is the stage, [`Nat`] and [`Link`] the scenery, [`ops`] random plots, [`oracle`] the judge of each thing
//! that arrives, [`verdict`] of a whole world at its end, and [`scenarios`] the longer plays that tests and the
//! `p2p-sim` program share.
//!
//! ```
//! use p2p_simulator::{Nat, TraceHash, World, ms, secs};
//!
//! fn story(seed: u64) -> TraceHash {
//!     let mut world = World::seeded(seed).latency(ms(20));
//!     let introducer = world.public_node("introducer");
//!     let boxed = |world: &mut World, name: &str| {
//!         world.node(name).behind(Nat::address_restricted()).introducer(introducer).start()
//!     };
//!     let (alice, bob) = (boxed(&mut world, "alice"), boxed(&mut world, "bob"));
//!     world.run_until(|w| w.is_registered(alice) && w.is_registered(bob)).within(secs(10));
//!     world.connect(alice, bob);
//!     world.run_until(|w| w.is_connected(alice, bob)).within(secs(10));
//!     let request = world.send_request(alice, bob, "well?", secs(10)).expect("connected");
//!     world.run_until(|w| w.app(alice).requests.contains_key(&request)).within(secs(11));
//!     world.trace_hash()
//! }
//!
//! assert_eq!(story(7), story(7));
//! assert_ne!(story(7), story(8));
//! ```
//!
//! A broken promise stops the world with its seed and what led to it; `p2p-sim campaign` makes up plots by the thousand
//! and shortens the one that fails.

mod app;
mod engine;
mod fired;
mod garbage;
pub mod link;
pub mod nat;
pub mod ops;
pub mod oracle;
mod pulse;
pub mod scenarios;
mod trace;
mod units;
pub mod verdict;
mod world;

pub use app::{Application, ConnectOutcome, ReceivedMessage};
pub use engine::{Engine, Factory};
pub use fired::{Fault, Fired};
pub use link::{Burst, Link, LinkCounters, percent};
pub use nat::Nat;
pub use pulse::Pulse;
pub use trace::TraceHash;
pub use units::{ms, secs};
pub use world::{LanId, NodeBuilder, StreamHandle, Traffic, Who, Within, World};
