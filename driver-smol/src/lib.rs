//! The production driver: one loop that owns the engine, one UDP socket per address family with batched system calls,
//! and the HTTP surface on loopback through hyper. Built on smol; no thread of its own.
//!
//! [`run_node`] runs a whole node. To put something other than HTTP beside the engine, implement [`Application`] and
//! run an [`EngineLoop`] (docs/drivers.md).

mod application;
mod clock;
mod engine;
mod http;
mod interfaces;
mod node;
mod signals;
mod udp;

pub use application::Application;
pub use clock::Clock;
pub use engine::{EngineLoop, Handle};
pub use http::{HttpApplication, HttpClient, HttpServer};
pub use node::{NodeOptions, Ready, run_node};
pub use p2p_host::NodeError;
pub use signals::shutdown_signal;
pub use udp::Sockets;
