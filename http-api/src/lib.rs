//! The HTTP surface of a node as a state machine beside the engine: it takes parsed requests, body chunks and
//! engine events, calls the engine, and gives response parts. It has no socket, clock or thread, so that both
//! drivers and the simulator serve the same routes (docs/http.md).

mod config;
mod exchange;
mod surface;

pub use config::{InvalidToken, SurfaceConfig, Token};
pub use exchange::{BodyKind, HttpId, Request, ResponsePart};
pub use surface::Surface;
