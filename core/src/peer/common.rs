//! What all peers of a node have in common.

use crate::api::{ControllerKind, SendWeights};
use crate::id::NodeId;
use crate::level::budget::Budgets;

/// What all peers of a node have in common.
#[derive(Debug)]
pub(crate) struct Common {
    /// Our own identity.
    pub(crate) local_id: NodeId,
    /// Congestion controller of every path.
    pub(crate) congestion: ControllerKind,
    /// Shares of what is sent.
    pub(crate) weights: SendWeights,
    /// Bytes that all peers together may hold.
    pub(crate) budgets: Budgets,
    /// Whether direct paths are tried at all.
    pub(crate) direct_paths: bool,
}

#[cfg(test)]
impl Default for Common {
    /// Of the smallest identity.
    fn default() -> Self {
        Self {
            local_id: NodeId::from_bytes([0; 32]),
            congestion: ControllerKind::default(),
            weights: SendWeights::default(),
            budgets: Budgets::default(),
            direct_paths: false,
        }
    }
}
