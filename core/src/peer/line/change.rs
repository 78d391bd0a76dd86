//! What a line tells of its paths.

use crate::api::PathChangeReason;

/// What became of the paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::peer) enum Change {
    /// Data goes another way.
    Moved(PathChangeReason),
    /// The way in use answers nothing, and there is no other.
    Silent,
    /// There is no way any more.
    Lost,
}
