//! `p2p-sim`: runs simulated worlds from the command line and says which promise broke, if one
//! did. Exit status: 0 all promises kept, 1 a broken one, 2 a wrong command line.

mod args;
mod replay;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use args::{Command, Plot, USAGE, parse};
use p2p_simulator::ops::{Failure, Op, check, generate, shrink};
use p2p_simulator::scenarios::{
    Campaign, Totals, crowd, every_pair, garbage, goodput_table, lossy, matrix_table,
};
use p2p_simulator::{Nat, percent, secs};

/// Trials for making a failing plot shorter.
const SHRINK_TRIALS: usize = 300;

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
        Command::Mixed { first, seeds, plot } => campaign_mixed(first, seeds, plot),
        Command::Lossy { first, seeds } => campaign_lossy(first, seeds),
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
    };
    ExitCode::from(u8::from(!kept))
}

/// Plays a plot; a panic of the engine counts as a broken promise.
fn play(seed: u64, nodes: usize, ops: &[Op]) -> Result<p2p_simulator::ops::Outcome, Failure> {
    let played = catch_unwind(AssertUnwindSafe(|| check(seed, nodes, ops)));
    played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or(panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        Err(Failure {
            seed,
            nodes,
            ops: ops.to_vec(),
            at: ops.len(),
            violation: format!("panic: {}", text.unwrap_or_default()),
        })
    })
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
    match play(seed, plot.nodes, &ops) {
        Ok(outcome) => {
            println!("virtual time   {:?}", outcome.virtual_time);
            println!("steps          {}", outcome.steps);
            println!("datagrams      {}", outcome.datagrams);
            println!("events         {}", outcome.events);
            let [accepted, refused] = outcome.commands;
            println!("commands       {accepted} accepted, {refused} refused");
            let (all, direct) = (outcome.connections, outcome.direct);
            println!("connections    {all} ends, {direct} direct");
            if let Some(hash) = outcome.hash {
                println!("trace hash     {hash}");
            }
            true
        }
        Err(failure) => {
            println!("{failure}");
            false
        }
    }
}

fn campaign_mixed(first: u64, seeds: u64, plot: Plot) -> bool {
    let campaign = Campaign {
        nodes: plot.nodes,
        seconds: plot.seconds,
        faults: plot.faults,
    };
    let mut totals = Totals::default();
    let mut played: BTreeMap<String, u64> = BTreeMap::new();
    for seed in first..first + seeds {
        let ops = generate(seed, campaign.nodes, campaign.seconds, campaign.faults);
        match play(seed, campaign.nodes, &ops) {
            Ok(outcome) => {
                totals.add(&outcome);
                for op in &ops {
                    *played.entry(name_of(op)).or_default() += 1;
                }
            }
            Err(failure) => {
                println!("{failure}\n\nshortened:");
                let nodes = campaign.nodes;
                let kind = kind_of(&failure.violation);
                let fails = |ops: &[Op]| {
                    let played = play(seed, nodes, ops);
                    played.is_err_and(|f| kind_of(&f.violation) == kind)
                };
                let short = shrink(&failure.ops, SHRINK_TRIALS, fails);
                match play(seed, nodes, &short) {
                    Err(failure) => println!("{failure}"),
                    Ok(_) => println!("(fails only in full)"),
                }
                println!(
                    "{} worlds before this one kept their promises",
                    totals.worlds
                );
                return false;
            }
        }
    }
    let Totals { worlds, steps, .. } = totals;
    let hours = totals.virtual_time.as_secs_f64() * campaign.nodes as f64 / 3_600.0;
    println!("{worlds} worlds, {hours:.1} node-hours, {steps} steps, no promise broken");
    println!("{} datagrams, {} events", totals.datagrams, totals.events);
    let [accepted, refused] = totals.commands;
    println!("{accepted} commands accepted, {refused} refused");
    let [all, direct] = totals.connections;
    println!("{all} connection ends left, {direct} of them direct");
    let played: Vec<_> = played.iter().map(|(op, n)| format!("{op} {n}")).collect();
    println!("{}", played.join(", "));
    true
}

/// An operation's name without its numbers.
fn name_of(op: &Op) -> String {
    let text = format!("{op:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

/// The words of a violation without its numbers: shortening must not wander to another fault.
fn kind_of(violation: &str) -> String {
    violation
        .chars()
        .filter(|c| c.is_alphabetic() || *c == ' ')
        .take(24)
        .collect()
}

fn campaign_lossy(first: u64, seeds: u64) -> bool {
    let mut slowest = core::time::Duration::ZERO;
    let mut sum = core::time::Duration::ZERO;
    for seed in first..first + seeds {
        let played = catch_unwind(|| lossy(seed, percent(20), 10 << 20, 1 << 20));
        match played.map(|report| report.took) {
            Ok(Some(took)) => {
                slowest = slowest.max(took);
                sum += took;
            }
            Ok(None) => {
                println!("seed {seed}: not everything came");
                return false;
            }
            Err(_) => {
                println!("seed {seed}: a promise was broken");
                return false;
            }
        }
    }
    let mean = sum.as_secs_f64() / seeds.max(1) as f64;
    println!("{seeds} seeds: every byte in place");
    println!("mean {mean:.1} s, slowest {slowest:.1?} virtual");
    true
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
