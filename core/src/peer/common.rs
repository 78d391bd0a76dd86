//! What all peers of a node have in common.

use crate::api::{ControllerKind, SendWeights};
use crate::level::budget::Budgets;

/// What all peers of a node have in common.
#[derive(Debug, Default)]
pub(crate) struct Common {
    /// Congestion controller of every path.
    pub(crate) congestion: ControllerKind,
    /// Shares of what is sent.
    pub(crate) weights: SendWeights,
    /// Bytes that all peers together may hold.
    pub(crate) budgets: Budgets,
    /// Whether direct paths are tried at all.
    pub(crate) direct_paths: bool,
}
