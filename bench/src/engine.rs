//! Two engines in one process, one thread, no socket.

use crate::process::Failure;

/// Runs the measurement.
pub fn run(_seconds: f64, _packets: Option<u64>) -> Result<(), Failure> {
    Err(Failure("the engine cannot be driven yet".to_owned()))
}
