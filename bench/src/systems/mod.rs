//! The systems that are measured, each with a serving and a driving half for every workload.

pub(crate) mod ours;
mod quinn;
mod raw;

use std::sync::Arc;
use std::time::Duration;

use crate::meter::Meter;
use crate::process::Failure;
use crate::sample::Figures;
use crate::system::System;
use crate::workload::Workload;

/// Serves until the process ends; says once how to reach it.
pub(crate) fn serve(
    system: System,
    workload: Workload,
    meter: Arc<Meter>,
    ready: &dyn Fn(String),
) -> Result<(), Failure> {
    match system {
        System::Ours => ours::serve(workload, meter, ready),
        System::Quinn => quinn::serve(workload, meter, ready),
        System::Raw => raw::serve(workload, &meter, ready),
    }
}

/// Drives the workload for so long and returns the driver's own figures.
pub(crate) fn drive(
    system: System,
    workload: Workload,
    contact: &str,
    duration: Duration,
) -> Result<Figures, Failure> {
    match system {
        System::Ours => ours::drive(workload, contact, duration),
        System::Quinn => quinn::drive(workload, contact, duration),
        System::Raw => raw::drive(workload, contact, duration),
    }
}
