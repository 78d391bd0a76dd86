//! The small driver: plain threads, one blocking UDP socket per address family, and the HTTP surface on loopback
//! through tiny_http. The same node as the production driver runs, with few dependencies and no batched system calls.
//!
//! [`start`] runs a node on threads of its own and gives a [`Running`], which ends it when told or dropped. The program
//! talks to its node over HTTP, as any other program of the machine does; [`Ready`] says where, and where the token
//! lies.
//!
//! ```
//! use p2p_driver_std::{NodeError, NodeOptions, start};
//!
//! # fn main() -> Result<(), NodeError> {
//! let folder = std::env::temp_dir().join(format!("p2p-doc-{}", std::process::id()));
//! let loopback = "127.0.0.1:0".parse().ok(); // any free port
//! let node = start(&NodeOptions {
//!     state_dir: Some(folder.clone()),
//!     listen: loopback,
//!     http: loopback,
//!     name: Some("ada".to_owned()),
//!     ..NodeOptions::default()
//! })?;
//! assert!(node.facts.token_path.starts_with(&folder));
//! assert!(node.facts.page_url.starts_with("http://127.0.0.1:"));
//! let id = node.facts.id;
//! node.shutdown(); // says goodbye to all peers
//!
//! // The identity lives in the state directory.
//! let again = start(&NodeOptions {
//!     state_dir: Some(folder.clone()),
//!     listen: loopback,
//!     http: loopback,
//!     ..NodeOptions::default()
//! })?;
//! assert_eq!(again.facts.id, id);
//! drop(again);
//! # std::fs::remove_dir_all(folder).expect("our own folder");
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed_std.rs` asks its node over HTTP as well. The binary `p2p-mini` is this driver with the settings of
//! `p2p` as options (docs/drivers.md); how the two drivers differ is in the table there.

mod client;
mod engine;
mod http;
mod input;
mod node;
mod udp;

pub use node::{Running, start};
pub use p2p_host::{NodeError, NodeOptions, Ready};
