//! The two halves of a measurement, each a process of its own.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::meter::Meter;
use crate::process::{self, Failure};
use crate::system::System;
use crate::systems;
use crate::workload::Workload;

/// Runs the receiving half until standard input ends; does not return then.
///
/// # Errors
/// Where the system cannot be set up.
pub(crate) fn serve(system: System, workload: Workload) -> Result<(), Failure> {
    let meter = Meter::start();
    let listened = Arc::clone(&meter);
    thread::spawn(move || process::obey(&listened));
    systems::serve(system, workload, meter, &|contact| {
        println!("ready {contact}")
    })
}

/// Runs the driving half and prints its figures.
///
/// # Errors
/// Where the connection fails.
pub(crate) fn drive(
    system: System,
    workload: Workload,
    contact: &str,
    seconds: f64,
) -> Result<(), Failure> {
    let figures = systems::drive(system, workload, contact, Duration::from_secs_f64(seconds))?;
    println!("{}", figures.to_line());
    // What is still open is of no interest; the orchestrator waits for this process to end.
    std::process::exit(0);
}
