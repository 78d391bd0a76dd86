//! Judges of a whole world at its end. [`liveness`] asks, after all faults were healed, whether
//! everything promised has come or was reported failed, and whether the world is silent then but
//! for keep-alives. [`availability`] judges worlds in which nothing broke.

mod availability;
mod liveness;

pub use availability::{Asked, availability};
pub use liveness::{LivenessReport, liveness};
