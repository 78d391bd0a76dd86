//! The small driver: plain threads, one blocking UDP socket per address family, and the HTTP surface on loopback
//! through tiny_http. The same node as the production driver runs, with few dependencies and no batched system calls.
//!
//! [`start`] runs a node on threads of its own (docs/drivers.md).

mod client;
mod engine;
mod http;
mod input;
mod node;
mod udp;

pub use node::{Running, start};
pub use p2p_host::{NodeError, NodeOptions, Ready};
