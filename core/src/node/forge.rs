//! What only tests and fuzzers may do: seal what no honest node would say.

use super::Node;
use crate::id::NodeId;
use crate::path::Route;
use crate::time::Instant;

/// An authentic packet from `node` to `peer` with exactly these frames, and the route it would take; `None` without a
/// session.
pub(crate) fn forge(
    node: &mut Node,
    now: Instant,
    peer: &NodeId,
    frames: &[u8],
) -> Option<(Route, Vec<u8>)> {
    let key = node.peers.table.key_of(peer)?;
    let entry = node.peers.table.get_mut(key)?;
    entry.peer.seal_raw(now, frames)
}
