//! Judges of a whole world at its end. [`liveness`] asks, after all faults were healed, whether
//! everything promised has come or was reported failed, and whether the world is silent then but
//! for keep-alives. [`availability`] judges worlds in which nothing broke, [`directness`] whether
//! pairs talk directly where they can, [`endurance`] how two peers fare on a bad line, and
//! [`examine`] whether they do at once what could be put off.

mod availability;
mod directness;
mod endurance;
mod exams;
mod liveness;

pub use availability::{Asked, availability};
pub use directness::directness;
pub use endurance::endurance;
pub use exams::{Payload, Sitting, exam_names, examine};
pub use liveness::{LivenessReport, liveness};
