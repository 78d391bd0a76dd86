//! The engine of p2p: one participant of a peer-to-peer network as a pure, deterministic state machine. Datagrams, time
//! and commands go in; datagrams, events, effects and a deadline come out. It holds no clock, thread, socket or global
//! randomness, so that the same inputs give the same outputs, bit for bit, in production, in a simulator and in a
//! replay.
//!
//! [`api::Engine`] is the contract, [`Node`] keeps it, [`api::EngineExt`] has the commands as typed methods. Whoever
//! runs a node is its *driver*, and does the same few things in a loop:
//!
//! 1. hand in what has come: [`handle_arrival`](api::Engine::handle_arrival) for datagrams,
//!    [`handle_command`](api::Engine::handle_command) for orders,
//!    [`handle_timeout`](api::Engine::handle_timeout) when the deadline is there;
//! 2. take everything out: [`poll_transmit`](api::Engine::poll_transmit) fills a buffer with datagrams for the socket,
//!    [`poll_event`](api::Engine::poll_event) tells the application,
//!    [`poll_effect`](api::Engine::poll_effect) asks for what only a driver can do, and wants an answer
//!    ([`api::Command::Answered`]);
//! 3. wait for the next input, at most until [`poll_timeout`](api::Engine::poll_timeout).
//!
//! Two nodes whose datagrams are carried by hand, in virtual time:
//!
//! ```
//! use std::time::Duration;
//! use p2p_core::Node;
//! use p2p_core::api::{ConnectTarget, Engine, EngineExt, Event, NodeConfig};
//! use p2p_core::limits::BATCH_BYTES;
//! use p2p_core::time::Instant;
//!
//! # fn main() -> Result<(), p2p_core::api::ApiMisuse> {
//! let mut now = Instant::EPOCH;
//! // The seeds come from the operating system; an identity is kept by keeping the first two.
//! let mut ada = Node::new(NodeConfig::new([1; 32], [2; 32], [3; 32]), now)?;
//! let mut ben = Node::new(NodeConfig::new([4; 32], [5; 32], [6; 32]), now)?;
//! let addresses = ["192.0.2.1:6660".parse().unwrap(), "192.0.2.2:6660".parse().unwrap()];
//!
//! let target = ConnectTarget::Address { id: ben.id(), address: addresses[1] };
//! ada.connect(now, target, None, Duration::from_secs(5))?;
//! let mut buffer = vec![0; BATCH_BYTES];
//! let mut heard = None;
//! while heard.is_none() {
//!     for (from, to) in [(0, 1), (1, 0)] {
//!         let (sender, receiver) = if from == 0 { (&mut ada, &mut ben) } else { (&mut ben, &mut ada) };
//!         sender.handle_timeout(now);
//!         while let Some(batch) = sender.poll_transmit(now, &mut buffer) {
//!             assert_eq!(batch.to, addresses[to]);
//!             let bytes = &mut buffer[..batch.len];
//!             receiver.handle_batch(now, addresses[from], bytes, batch.segment_size);
//!         }
//!     }
//!     while let Some(event) = ada.poll_event() {
//!         if let Event::Connected { peer, .. } = event {
//!             ada.send_message(now, peer, 0, "hello".into(), None)?;
//!         }
//!     }
//!     while let Some(event) = ben.poll_event() {
//!         if let Event::MessageReady { peer, message, .. } = event {
//!             heard = Some(ben.take_message(now, peer, message)?);
//!         }
//!     }
//!     now += Duration::from_millis(1);
//!     assert!(now < Instant::EPOCH + Duration::from_secs(5));
//! }
//! assert_eq!(heard.as_deref(), Some(&b"hello"[..]));
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed_engine.rs` does the same over sockets. Every bound is in [`limits`]; refusals towards the caller are
//! [`api::ApiMisuse`], faults of others are counted ([`api::Counters`]). Features: `serde` makes the types of [`api`]
//! readable and writable, `record` adds an engine that writes down all that it is told, and its replay.
//! The floors inside are drawn in docs/architecture.md §4, the protocol is docs/protocol.md.

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
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod hash;
pub mod id;
pub mod identity;
mod introducer;
mod level;
mod limiter;
pub mod limits;
mod link;
pub mod name;
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
mod tag;
pub mod time;
mod timers;
mod wire;

pub use node::Node;
