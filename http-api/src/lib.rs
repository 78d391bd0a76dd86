//! The HTTP surface of a node as a state machine beside the engine: it takes parsed requests, body chunks and engine
//! events, calls the engine, and gives response parts. It has no socket, clock or thread, so that both drivers and the
//! simulator serve the same routes (docs/http.md).
//!
//! For each request the driver calls `handle_request`, then `handle_body` as far as `body_window` allows, then
//! `handle_body_end` (always, even without a body); it hands every engine event to `handle_event`, calls
//! `handle_timeout` when `next_timeout` is due, and after any of these writes what `poll_response` gives. Bytes of
//! `Chunk`s are reported with `handle_consumed` once written. [`Exchanges`] does this book-keeping for drivers.
//!
//! ```
//! use p2p_core::Node;
//! use p2p_core::api::NodeConfig;
//! use p2p_core::time::Instant;
//! use p2p_http_api::{BodyKind, HttpId, Request, ResponsePart, Surface, SurfaceConfig, Token};
//!
//! # fn main() -> Result<(), p2p_core::api::ApiMisuse> {
//! let now = Instant::EPOCH;
//! let mut node = Node::new(NodeConfig::new([1; 32], [2; 32], [3; 32]), now)?;
//! let config = SurfaceConfig {
//!     token: Token::from_bytes([7; 32]),
//!     allowed_hosts: SurfaceConfig::loopback_hosts(8080),
//!     version: "0.1.0".to_owned(),
//!     driver: "example",
//!     settings: Default::default(),
//!     local_forwards: true,
//!     book: Default::default(),
//!     inbox: Default::default(),
//!     rng_seed: [8; 32],
//! };
//! let mut surface = Surface::new(config, now, 1_767_225_600_000);
//!
//! let request = Request {
//!     method: "GET".to_owned(),
//!     target: "/v1/node".to_owned(),
//!     headers: vec![
//!         ("host".to_owned(), b"127.0.0.1:8080".to_vec()),
//!         ("authorization".to_owned(), format!("Bearer {}", "07".repeat(32)).into_bytes()),
//!     ],
//!     peer_is_loopback: true,
//!     can_upgrade: false,
//! };
//! surface.handle_request(now, &mut node, HttpId(1), request);
//! surface.handle_body_end(now, &mut node, HttpId(1));
//! let Some((HttpId(1), ResponsePart::Head { status, body: BodyKind::Full(body), .. })) =
//!     surface.poll_response()
//! else {
//!     panic!("an answer at once");
//! };
//! assert_eq!(status, 200);
//! assert!(String::from_utf8_lossy(&body).contains("\"id\""));
//! assert!(!surface.is_open(HttpId(1)));
//! # Ok(())
//! # }
//! ```
//!
//! Inside, a request goes through the locks (`locks`) to its row of the route table (`routes/table.rs`), whose handler
//! (`resources`) answers at once, later, or bit by bit (`reply`); pictures of engine types are in `view`, errors with
//! their codes in `problem`. The OpenAPI document is made from the same table. `examples/http_client.rs` is the other
//! side: an application with nothing but the standard library.

mod call;
mod callback;
mod clock;
mod config;
mod contacts;
mod encode;
mod exchange;
mod exchanges;
mod forwards;
mod inbox;
mod invite;
mod journal;
mod keeping;
mod knocks;
mod locks;
mod openapi;
mod orders;
mod outbox;
mod page;
mod problem;
mod proxy;
mod reply;
mod resources;
mod routes;
mod schema;
mod services;
mod sockets;
mod state;
mod surface;
mod transfers;
mod view;
mod waiting;
mod websocket;
mod words;

pub use callback::{Callback, CallbackEnd, CallbackId};
pub use config::{InboxPlace, InvalidToken, SettingValue, SurfaceConfig, Token};
pub use exchange::{BodyKind, HttpId, Request, ResponsePart};
pub use exchanges::{Client, Exchanges, Files, GivenBody, HttpInput, Keep, Sockets};
pub use routes::{takes_upgrade, takes_whole_body};
pub use sockets::{SocketId, SocketNews, SocketOrder};
pub use surface::Surface;
pub use words::fingerprint;
