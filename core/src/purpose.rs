//! What a control request of ours is about.

use crate::api::OperationId;
use crate::id::AttemptId;

/// What a control request of ours is about; comes back with its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// `rg`: our registration.
    Register,
    /// `qrq`: a search.
    Search(OperationId),
    /// `cr1`: an introduction.
    Connect { attempt: AttemptId },
    /// `cr2` to the target of somebody's `cr1`, with the target's end of the relay channel.
    Introduce { channel: u32 },
}
