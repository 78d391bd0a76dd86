//! The HTTP surface of a node as a state machine beside the engine: it takes parsed requests, body chunks and
//! engine events, calls the engine, and gives response parts. It has no socket, clock or thread, so that both
//! drivers and the simulator serve the same routes (docs/http.md).
//!
//! For each request the driver calls `handle_request`, then `handle_body` as far as `body_window` allows, then
//! `handle_body_end` (always, even without a body); it hands every engine event to `handle_event`, calls
//! `handle_timeout` when `next_timeout` is due, and after any of these writes what `poll_response` gives. Bytes of
//! `Chunk`s are reported with `handle_consumed` once written.

mod call;
mod clock;
mod config;
mod encode;
mod exchange;
mod exchanges;
mod inbox;
mod journal;
mod locks;
mod openapi;
mod outbox;
mod page;
mod problem;
mod reply;
mod resources;
mod routes;
mod schema;
mod services;
mod state;
mod surface;
mod view;
mod words;

pub use config::{InvalidToken, SurfaceConfig, Token};
pub use exchange::{BodyKind, HttpId, Request, ResponsePart};
pub use exchanges::{Client, Exchanges, GivenBody, HttpInput};
pub use routes::takes_whole_body;
pub use surface::Surface;
pub use words::fingerprint;
