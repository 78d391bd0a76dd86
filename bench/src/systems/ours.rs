//! This project through its production driver.

use std::sync::Arc;
use std::time::Duration;

use crate::meter::Meter;
use crate::process::Failure;
use crate::sample::Figures;
use crate::workload::Workload;

/// Serves until the process ends.
pub fn serve(_: Workload, _: Arc<Meter>, _: &dyn Fn(String)) -> Result<(), Failure> {
    Err(Failure("the driver has no loop yet".to_owned()))
}

/// Drives the workload against the server that `contact` names.
pub fn drive(_: Workload, _: &str, _: Duration) -> Result<Figures, Failure> {
    Err(Failure("the driver has no loop yet".to_owned()))
}
