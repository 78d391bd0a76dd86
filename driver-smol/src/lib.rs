//! The production driver: one loop that owns the engine, one UDP socket per address family with many datagrams per
//! system call, and the HTTP surface on loopback through hyper. Built on smol; threads of its own only wait for news
//! of interfaces, names and files.
//!
//! [`run_node`] runs a whole node: state directory, sockets, engine, HTTP. To put something other than HTTP beside the
//! engine, implement [`Application`] and run an [`EngineLoop`] around it. The loop owns engine and application and
//! calls one method at a time, so there is nothing to lock; the rest of the program talks to it through a [`Handle`],
//! which can be cloned into other tasks and threads.
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Duration;
//! use p2p_core::api::{ConnectTarget, Engine, EngineExt, Event, NodeConfig};
//! use p2p_core::id::NodeId;
//! use p2p_core::time::Instant;
//! use p2p_driver_smol::{Application, Clock, EngineLoop, NodeError, Sockets};
//!
//! /// Connects to the peers that it is told of; done with the first one that answers.
//! #[derive(Default)]
//! struct Caller { reached: Option<NodeId> }
//!
//! impl Application for Caller {
//!     type Input = (NodeId, SocketAddr);
//!
//!     fn handle_input(&mut self, now: Instant, node: &mut dyn Engine, (id, address): Self::Input) {
//!         let target = ConnectTarget::Address { id, address };
//!         node.connect(now, target, None, Duration::from_secs(5)).expect("another node");
//!     }
//!
//!     fn handle_event(&mut self, _: Instant, _: &mut dyn Engine, event: Event) {
//!         if let Event::Connected { peer, .. } = event {
//!             self.reached = Some(peer);
//!         }
//!     }
//!
//!     fn is_done(&self) -> bool { self.reached.is_some() }
//! }
//!
//! fn start(seed: u8) -> Result<(EngineLoop<Caller>, SocketAddr), NodeError> {
//!     let sockets = Sockets::bind(Some("127.0.0.1:0".parse().expect("an address")))?;
//!     let address = sockets.bound()[0];
//!     // Outside of an example the seeds come from the operating system, and the first two are kept.
//!     let config = NodeConfig::new([seed; 32], [seed + 1; 32], [seed + 2; 32]);
//!     Ok((EngineLoop::new(config, Clock::start(), sockets, Caller::default())?, address))
//! }
//!
//! # fn main() -> Result<(), NodeError> {
//! let ((ada, _), (ben, address)) = (start(1)?, start(4)?);
//! let id = ben.id();
//! ada.handle().send((id, address));
//! let both = smol::future::zip(ada.run(), ben.run());
//! let (ada, ben) = smol::block_on(both);
//! assert_eq!(ada.reached, Some(id));
//! assert!(ben.reached.is_some());
//! # Ok(())
//! # }
//! ```
//!
//! A longer one is `examples/embed_smol.rs`. What the loop does with failing sockets, and how its budgets keep inputs,
//! receives and sends from starving each other, is told in docs/drivers.md.

mod application;
mod engine;
mod http;
mod node;
mod signals;
mod udp;

pub use application::{Application, Work};
pub use engine::{EngineLoop, Handle};
pub use http::{HttpApplication, HttpClient};
pub use node::run_node;
pub use p2p_host::{Clock, NodeError, NodeOptions, Ready};
pub use signals::shutdown_signal;
pub use udp::Sockets;
