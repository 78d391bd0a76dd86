//! What the world drives: any engine that keeps the contract, so that a scripted stand-in or a hostile peer can take a
//! node's place.

use p2p_core::Node;
use p2p_core::api::{ApiMisuse, NodeConfig};
use p2p_core::time::Instant;

pub use p2p_core::api::Engine;

/// Makes an engine; the world calls it at start and after a crash.
pub type Factory = fn(NodeConfig, Instant) -> Result<Box<dyn Engine>, ApiMisuse>;

/// The factory of the real engine.
pub(crate) fn real(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    Ok(Box::new(Node::new(config, now)?))
}
