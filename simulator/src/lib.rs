//! Whole networks in virtual time: engines, links, address translators and faults under one seed,
//! judged by oracles. A world is a function of its seed and of what the test does to it; nothing
//! here reads a clock.
//!
//! [`World`] is the stage, [`Nat`] and [`Link`] the scenery, [`ops`] random plots, [`oracle`] the
//! judge, and [`scenarios`] the longer plays that tests and the `p2p-sim` program share.

mod app;
mod engine;
mod fired;
pub mod link;
pub mod nat;
pub mod ops;
pub mod oracle;
mod pulse;
pub mod scenarios;
mod trace;
mod world;

use core::time::Duration;

pub use app::{Application, ConnectOutcome, ReceivedMessage};
pub use engine::{Engine, Factory};
pub use fired::{Fault, Fired};
pub use link::{Burst, Link, LinkCounters, percent};
pub use nat::Nat;
pub use pulse::Pulse;
pub use trace::TraceHash;
pub use world::{LanId, NodeBuilder, StreamHandle, Traffic, Who, Within, World};

/// So many milliseconds.
#[must_use]
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// So many seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
