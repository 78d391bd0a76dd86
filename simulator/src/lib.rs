//! Whole networks in virtual time: engines, links, address translators and faults under one seed,
//! judged by oracles. A world is a function of its seed and of what the test does to it; nothing
//! here reads a clock.
//!
//! [`World`] is the stage, [`Nat`] and [`Link`] the scenery, [`ops`] random plots, [`oracle`] the
//! judge of each thing that arrives, [`verdict`] of a whole world at its end, and [`scenarios`] the longer plays that
//! tests and the `p2p-sim` program share.

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
