//! The engine of p2p: a pure, deterministic state machine that takes (time, datagram) and gives
//! (address, datagram), events, effects and a deadline. It holds no clock, thread, socket or global randomness.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod addresses;
pub mod api;
mod directory;
mod door;
mod ecn;
pub mod error;
pub mod fingerprint;
mod hash;
pub mod id;
pub mod identity;
mod introducer;
mod level;
mod limiter;
pub mod limits;
mod link;
mod node;
mod path;
mod peer;
mod purpose;
#[cfg(feature = "record")]
pub mod record;
mod recovery;
mod relay;
mod rendezvous;
pub mod rng;
mod schedule;
mod session;
pub mod time;
mod wire;

pub use node::Node;
