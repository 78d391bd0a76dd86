//! How the two halves of a measurement, which are processes, talk to the orchestrator: lines on standard input and
//! output. A server says `ready CONTACT`; `mark` makes it note its memory; at the end of its input it prints its
//! figures. A client may print `mark` and wait for a line; at its end it prints its figures.

use std::fmt;
use std::io::{self, BufRead};

use crate::meter::Meter;
use crate::sample::Figures;
use crate::usage;

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

/// Carries out what the orchestrator says on standard input, then ends the process.
pub(crate) fn obey(meter: &Meter) {
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

/// Has the server note its memory, and waits until it did.
pub(crate) fn mark() {
    println!("mark");
    let mut line = String::new();
    let _ = io::stdin().lock().read_line(&mut line);
}
