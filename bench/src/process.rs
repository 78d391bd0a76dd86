//! The two halves of a measurement as processes, and how they talk to the orchestrator: lines on standard input and
//! output. A server says `ready CONTACT`; `mark` makes it note its memory; at the end of its input it prints its
//! figures. A client may print `mark` and wait for a line; at its end it prints its figures.

use std::fmt;
use std::io::{self, BufRead};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::meter::Meter;
use crate::sample::Figures;
use crate::systems::System;
use crate::usage;
use crate::workload::Workload;

/// Why a measurement came to nothing.
#[derive(Debug)]
pub(crate) struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Runs the receiving half until standard input ends; does not return then.
///
/// # Errors
/// Where the system cannot be set up.
pub(crate) fn serve(system: System, workload: Workload) -> Result<(), Failure> {
    let meter = Meter::start();
    let listened = Arc::clone(&meter);
    thread::spawn(move || obey(&listened));
    system.serve(workload, meter, &|contact| println!("ready {contact}"))
}

/// Carries out what the orchestrator says on standard input, then ends the process.
fn obey(meter: &Meter) {
    let mut marks = Figures::default();
    let mut count = 0;
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if line == "mark" {
            marks = marks.with(&format!("mark{count}_rss_kib"), usage::resident_kib());
            count += 1;
        }
    }
    let mut figures = meter.figures();
    figures.0.append(&mut marks.0);
    println!("{}", figures.to_line());
    std::process::exit(0);
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
    let figures = system.drive(workload, contact, Duration::from_secs_f64(seconds))?;
    println!("{}", figures.to_line());
    // What is still open is of no interest; the orchestrator waits for this process to end.
    std::process::exit(0);
}

/// Has the server note its memory, and waits until it did.
pub(crate) fn mark() {
    println!("mark");
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
}
