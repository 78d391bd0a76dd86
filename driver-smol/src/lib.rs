//! The production driver: one loop that owns the engine, one UDP socket per address family with batched system calls,
//! and the HTTP surface on loopback through hyper. Built on smol; threads of its own
//! only wait for news of interfaces, names and files.
//!
//! [`run_node`] runs a whole node. To put something other than HTTP beside the engine, implement [`Application`] and
//! run an [`EngineLoop`] (docs/drivers.md).

mod application;
mod engine;
mod http;
mod node;
mod signals;
mod udp;

pub use application::Application;
pub use engine::{EngineLoop, Handle};
pub use http::{HttpApplication, HttpClient};
pub use node::run_node;
pub use p2p_host::{Clock, NodeError, NodeOptions, Ready};
pub use signals::shutdown_signal;
pub use udp::Sockets;
