//! Measures this project beside its peers: one program, two processes for each measurement, every system in turn,
//! several rounds, one JSON line for each result and a table of medians, ranges and ratios at the end.
//!
//! `bench [bulk|requests|datagrams|idle|all] [--rounds N] [--seconds S] [--systems p2p,quinn,raw]` is what people
//! run; `idle` also registers crowds of 10^5 and 10^6 peers at the engine alone (`--peers N`: one of that size only).
//! `serve` and `drive` are the two halves that it starts itself; `engine` measures two engines in one process
//! without a socket, for `perf` and `valgrind --tool=callgrind`.

mod crowd;
mod engine;
mod halves;
mod meter;
mod orchestrator;
mod process;
mod sample;
mod system;
mod systems;
mod table;
mod usage;
mod workload;

use std::process::ExitCode;

use system::System;
use workload::Workload;

const USAGE: &str = "usage: bench [bulk|serial|requests|datagrams|idle|all] [--rounds N] [--seconds S] \
[--systems p2p,quinn,raw]\n       bench engine [bulk|serial|requests|datagrams] [--seconds S | --packets N]\n       \
bench idle --peers N";

/// What the command line asks for.
struct Arguments {
    words: Vec<String>,
    rounds: u32,
    seconds: f64,
    packets: Option<u64>,
    peers: Option<u64>,
    systems: Vec<System>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let mut arguments = Arguments {
        words: Vec::new(),
        rounds: 3,
        seconds: 3.0,
        packets: None,
        peers: None,
        systems: System::ALL.to_vec(),
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => arguments.rounds = words.next()?.parse().ok()?,
            "--seconds" => arguments.seconds = words.next()?.parse().ok()?,
            "--packets" => arguments.packets = Some(words.next()?.parse().ok()?),
            "--peers" => arguments.peers = Some(words.next()?.parse().ok()?),
            "--systems" => {
                let list = words.next()?;
                arguments.systems = list.split(',').map(System::parse).collect::<Option<_>>()?;
            }
            flag if flag.starts_with("--") => return None,
            _ => arguments.words.push(word),
        }
    }
    Some(arguments)
}

fn run(arguments: &Arguments) -> Option<Result<(), process::Failure>> {
    let words: Vec<&str> = arguments.words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["engine"] => engine_run(arguments, Workload::Bulk),
        ["engine", workload] => engine_run(arguments, Workload::parse(workload)?),
        ["serve", system, workload] => Some(halves::serve(
            System::parse(system)?,
            Workload::parse(workload)?,
        )),
        ["drive", system, workload, contact] => Some(halves::drive(
            System::parse(system)?,
            Workload::parse(workload)?,
            contact,
            arguments.seconds,
        )),
        [crowd::SERVE] => Some(crowd::serve()),
        ["idle"] => Some(idle(arguments)),
        [] => measure(arguments, &Workload::ALL),
        [group] => measure(arguments, Workload::group(group)?),
        _ => None,
    }
}

fn engine_run(arguments: &Arguments, workload: Workload) -> Option<Result<(), process::Failure>> {
    // An idle engine has nothing to count here.
    let is_work = workload != Workload::Idle;
    is_work.then(|| engine::run(workload, arguments.seconds, arguments.packets))
}

/// Connections that do nothing: ours and the others' over sockets, then crowds at the engine alone.
fn idle(arguments: &Arguments) -> Result<(), process::Failure> {
    if let Some(peers) = arguments.peers {
        return crowd::run(peers);
    }
    measure(arguments, &[Workload::Idle]).unwrap_or(Ok(()))?;
    crowd::SIZES.into_iter().try_for_each(crowd::run)
}

fn measure(arguments: &Arguments, workloads: &[Workload]) -> Option<Result<(), process::Failure>> {
    Some(orchestrator::run(
        workloads,
        &arguments.systems,
        arguments.rounds,
        arguments.seconds,
    ))
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).as_ref().and_then(run) {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(failure)) => {
            eprintln!("bench: {failure}");
            ExitCode::FAILURE
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}
