//! What stands under both drivers: how a node is set up on a machine, whatever runs its loop.

mod error;
mod sockets;

pub use error::NodeError;
pub use sockets::{bind_http, bind_udp, is_passing};
