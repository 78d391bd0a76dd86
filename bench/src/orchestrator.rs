//! Runs the measurements: for each round and workload every system in turn, so that whatever else the machine does
//! falls on all of them; a server and a client process for each.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::process::Failure;
use crate::sample::{Figures, Sample, combine};
use crate::system::System;
use crate::table;
use crate::workload::Workload;

/// Pause between measurements, so that sockets and processes of the one before are gone.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs everything, prints one line for each result and the table at the end.
///
/// # Errors
/// Where no result came at all; single failures are printed and leave gaps in the table.
pub(crate) fn run(
    workloads: &[Workload],
    systems: &[System],
    rounds: u32,
    seconds: f64,
) -> Result<(), Failure> {
    let mut samples = Vec::new();
    for round in 1..=rounds {
        for &workload in workloads {
            for &system in systems.iter().filter(|s| s.has(workload)) {
                match measure(system, workload, seconds) {
                    Ok(figures) => {
                        let sample = Sample {
                            system,
                            workload,
                            round,
                            figures,
                        };
                        println!("{}", sample.to_line());
                        samples.push(sample);
                    }
                    Err(failure) => {
                        let (system, workload) = (system.name(), workload.name());
                        eprintln!("bench: {system} {workload}, round {round}: {failure}");
                    }
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
    if samples.is_empty() {
        return Err(Failure("no measurement succeeded".to_owned()));
    }
    print!("{}", table::render(&samples));
    Ok(())
}

/// A half of a measurement that is ended when it is dropped.
struct Half {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Half {
    fn start(words: &[&str], one_core: bool) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let mut command = if one_core && has_taskset() {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        let mut child = command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or_else(|| ended("at its start"))?;
        let lines = BufReader::new(out).lines();
        Ok(Self { child, lines })
    }

    fn line(&mut self) -> Result<String, Failure> {
        let line = self.lines.next().ok_or_else(|| ended("without a word"))?;
        Ok(line?)
    }

    fn tell(&mut self, line: &str) -> Result<(), Failure> {
        let input = self.child.stdin.as_mut();
        writeln!(input.ok_or_else(|| ended("its input"))?, "{line}")?;
        Ok(())
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // It has usually ended by itself; an error says just that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ended(how: &str) -> Failure {
    Failure(format!("a process ended {how}"))
}

fn has_taskset() -> bool {
    let probe = Command::new("taskset").arg("--version").output();
    probe.is_ok_and(|output| output.status.success())
}

/// One measurement: server, client, their figures.
fn measure(system: System, workload: Workload, seconds: f64) -> Result<Figures, Failure> {
    let one_core = workload == Workload::Serial;
    let names = [system.name(), workload.name()];
    let mut server = Half::start(&["serve", names[0], names[1]], one_core)?;
    let ready = server.line()?;
    let contact = ready.strip_prefix("ready ");
    let contact = contact.ok_or_else(|| Failure(format!("the server said: {ready}")))?;
    let seconds = seconds.to_string();
    let words = ["drive", names[0], names[1], contact, "--seconds", &seconds];
    let mut client = Half::start(&words, one_core)?;
    let driven = loop {
        let line = client.line()?;
        if line == "mark" {
            server.tell("mark")?;
            // The server reads its memory at once; only then may the client go on.
            std::thread::sleep(PAUSE);
            client.tell("go on")?;
        } else {
            break Figures::from_line(&line).ok_or(Failure(line))?;
        }
    };
    drop(server.child.stdin.take());
    let line = server.line()?;
    let served = Figures::from_line(&line).ok_or(Failure(line))?;
    let both = BTreeMap::from([("served", &served), ("driven", &driven)]);
    combine(workload, &served, &driven).ok_or_else(|| Failure(format!("too little: {both:?}")))
}
