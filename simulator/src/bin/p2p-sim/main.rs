//! `p2p-sim`: runs simulated worlds from the command line and says which promise broke, if one
//! did. Exit status: 0 all promises kept, 1 a broken one, 2 a wrong command line.

mod args;
mod campaign;
mod replay;
mod watch;

use std::process::ExitCode;

use args::{Command, Plot, USAGE, parse};
use campaign::play;
use p2p_simulator::ops::{Outcome, generate};
use p2p_simulator::scenarios::{
    congestion_table, crowd, every_pair, garbage, goodput_table, matrix_table,
};
use p2p_simulator::{Nat, Pulse, secs};
use watch::Seeds;

fn main() -> ExitCode {
    let command = match parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(wrong) => {
            eprintln!("p2p-sim: {wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let kept = match command {
        Command::Help => {
            print!("{USAGE}");
            true
        }
        Command::Run { seed, plot, print } => run(seed, plot, print),
        Command::Mixed { seeds, plot } => campaign::mixed(seeds, plot),
        Command::Lossy { seeds } => campaign::bad_links(seeds),
        Command::NatMatrix { seed, all: false } => nat_matrix(seed),
        Command::NatMatrix { seed, all: true } => nat_every_pair(seed),
        Command::Garbage { seed, count } => flood(seed, count),
        Command::Crowd {
            seed,
            nodes,
            pairs,
            seconds,
        } => rest(seed, nodes, pairs, seconds),
        Command::Replay { file } => replay::run(&file),
        Command::Goodput => {
            print!("{}", goodput_table());
            true
        }
        Command::Congestion => {
            print!("{}", congestion_table());
            true
        }
    };
    ExitCode::from(u8::from(!kept))
}

fn run(seed: u64, plot: Plot, print: bool) -> bool {
    let ops = generate(seed, plot.nodes, plot.seconds, plot.faults);
    println!(
        "seed {seed}, {} nodes, {} operations",
        plot.nodes,
        ops.len()
    );
    if print {
        println!("{ops:?}");
    }
    let seeds = Seeds {
        first: seed,
        count: 1,
        jobs: 1,
        keep_going: false,
    };
    let mut is_kept = false;
    let play_one = |seed, pulse: &Pulse| play(seed, plot.nodes, &ops, pulse).map_err(Box::new);
    seeds.run(play_one, |_, result| match result {
        Ok(outcome) => {
            tell(&outcome);
            is_kept = true;
        }
        Err(failure) => println!("{failure}"),
    });
    is_kept
}

fn tell(outcome: &Outcome) {
    println!("virtual time   {:?}", outcome.virtual_time);
    println!("steps          {}", outcome.steps);
    println!("datagrams      {}", outcome.datagrams);
    println!("events         {}", outcome.events);
    let [accepted, refused] = outcome.commands;
    println!("commands       {accepted} accepted, {refused} refused");
    let (all, direct) = (outcome.connections, outcome.direct);
    println!("connections    {all} ends, {direct} direct");
    println!("faults         {}", outcome.fired);
    if let Some(hash) = &outcome.hash {
        println!("trace hash     {hash}");
    }
}

fn nat_matrix(seed: u64) -> bool {
    let (table, unexpected) = matrix_table(seed);
    print!("{table}");
    println!(
        "D direct, R relayed, * asymmetric only, ! no talk; {unexpected} not as the oracle says"
    );
    unexpected == 0
}

fn nat_every_pair(seed: u64) -> bool {
    let (mut direct, mut relayed, mut wrong) = (0, 0, 0);
    every_pair(seed, |pair| {
        match pair.cell.direct_after {
            Some(_) => direct += 1,
            None => relayed += 1,
        }
        if !pair.cell.is_as_expected() {
            wrong += 1;
            let words = |chain: &[Nat]| -> String {
                let word = |n: &Nat| format!("{:?}/{:?}/{:?}", n.mapping, n.filtering, n.ports);
                chain.iter().map(word).collect::<Vec<_>>().join(" behind ")
            };
            println!(
                "[{}] with [{}]: {:?}",
                words(&pair.a),
                words(&pair.b),
                pair.cell
            );
        }
    });
    println!("{direct} pairs direct, {relayed} relayed, {wrong} not as the oracle says");
    wrong == 0
}

fn rest(seed: u64, nodes: usize, pairs: usize, seconds: u64) -> bool {
    let report = crowd(seed, nodes, pairs, secs(seconds));
    let (registered, connected) = (report.registered, report.connected);
    println!("{registered} of {nodes} nodes registered, {connected} of {pairs} pairs connected");
    println!("{:?} of virtual time", report.virtual_time);
    println!(
        "{} steps, {} datagrams of the nodes",
        report.steps, report.datagrams
    );
    if let Some(memory) = memory_peak() {
        println!("memory peak {memory}");
    }
    registered == nodes && connected == pairs
}

/// The most memory that this process has held, where the kernel tells (Linux).
fn memory_peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    Some(line.trim().to_owned())
}

fn flood(seed: u64, count: u64) -> bool {
    let report = garbage(seed, count);
    let [asked, answered] = report.requests;
    println!(
        "{} thrown, {} delivered to the node",
        report.thrown, report.delivered
    );
    println!("{answered} of {asked} requests of the honest peer answered meanwhile");
    println!(
        "{} sessions gained, {} bytes answered",
        report.sessions_gained, report.answer_bytes
    );
    report.sessions_gained == 0 && asked == answered
}
