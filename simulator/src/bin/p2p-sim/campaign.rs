//! Many seeds, and what to say about them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use p2p_simulator::ops::{Failure, Faults, Op, Outcome, check_watched, generate, shrink};
use p2p_simulator::scenarios::{Totals, lossy};
use p2p_simulator::{Pulse, percent};

use crate::args::Plot;
use crate::watch::Seeds;

/// Trials for making a failing plot shorter.
const SHRINK_TRIALS: usize = 300;
/// Worlds from which on every fault that plots ask for must have happened.
const WORLDS_FOR_EVERY_FAULT: u64 = 100;

/// Plays a plot; a panic of the engine counts as a broken promise.
pub(crate) fn play(seed: u64, nodes: usize, ops: &[Op], pulse: &Pulse) -> Result<Outcome, Failure> {
    let played = catch_unwind(AssertUnwindSafe(|| check_watched(seed, nodes, ops, pulse)));
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

/// Plays random plots. Whether all promises were kept and all faults happened.
pub(crate) fn mixed(seeds: Seeds, plot: Plot) -> bool {
    let mut totals = Totals::default();
    let mut played: BTreeMap<String, u64> = BTreeMap::new();
    let mut failures: BTreeMap<u64, (Failure, Option<Failure>)> = BTreeMap::new();
    let play_one = |seed: u64, pulse: &Pulse| {
        let ops = generate(seed, plot.nodes, plot.seconds, plot.faults);
        let outcome = play(seed, plot.nodes, &ops, pulse);
        outcome.map(|outcome| (ops, outcome)).map_err(|failure| {
            let short = (!seeds.keep_going).then(|| shortened(&failure, pulse));
            Box::new((failure, short.flatten()))
        })
    };
    seeds.run(play_one, |seed, result| match result {
        Ok((ops, outcome)) => {
            totals.add(&outcome);
            for op in &ops {
                *played.entry(name_of(op)).or_default() += 1;
            }
        }
        Err(failure) => {
            if seeds.keep_going {
                println!("seed {seed}: {}", failure.0.violation);
            }
            failures.insert(seed, *failure);
        }
    });
    if let Some((failure, short)) = failures.values().next().filter(|_| !seeds.keep_going) {
        println!("{failure}\n\nshortened:");
        match short {
            Some(short) => println!("{short}"),
            None => println!("(fails only in full)"),
        }
    }
    report(&totals, &played, plot);
    let never = totals.fired.missing(plot.faults);
    let is_long = totals.worlds >= WORLDS_FOR_EVERY_FAULT;
    let untaken = totals.untaken();
    if is_long && !untaken.is_empty() {
        println!("these exams were never taken: {untaken:?}");
    }
    if is_long && !never.is_empty() {
        println!("these faults never happened: {never:?}");
    }
    if !failures.is_empty() {
        println!("{} worlds broke a promise", failures.len());
    }
    failures.is_empty() && (!is_long || (never.is_empty() && untaken.is_empty()))
}

/// A shorter plot that breaks the same promise; none where only the whole one does.
fn shortened(failure: &Failure, pulse: &Pulse) -> Option<Failure> {
    let (seed, nodes) = (failure.seed, failure.nodes);
    let kind = kind_of(&failure.violation);
    let fails = |ops: &[Op]| {
        let played = play(seed, nodes, ops, pulse);
        played.is_err_and(|f| kind_of(&f.violation) == kind)
    };
    let short = shrink(&failure.ops, SHRINK_TRIALS, fails);
    play(seed, nodes, &short, pulse).err()
}

fn report(totals: &Totals, played: &BTreeMap<String, u64>, plot: Plot) {
    let Totals { worlds, steps, .. } = totals;
    let hours = totals.virtual_time.as_secs_f64() * plot.nodes as f64 / 3_600.0;
    println!("{worlds} worlds kept their promises: {hours:.1} node-hours, {steps} steps");
    println!("{} datagrams, {} events", totals.datagrams, totals.events);
    let [accepted, refused] = totals.commands;
    println!("{accepted} commands accepted, {refused} refused");
    let [all, direct] = totals.connections;
    println!("{all} connection ends left, {direct} of them direct");
    let played: Vec<_> = played.iter().map(|(op, n)| format!("{op} {n}")).collect();
    println!("played: {}", played.join(", "));
    if plot.faults != Faults::None {
        println!("faults that happened: {}", totals.fired);
    }
    let exams: Vec<_> = totals
        .exams
        .iter()
        .map(|(name, n)| format!("{name} {n}"))
        .collect();
    println!("exams taken: {}", exams.join(", "));
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

/// Plays bad links. Whether everything came.
pub(crate) fn bad_links(seeds: Seeds) -> bool {
    let (mut slowest, mut sum, mut worlds) = (Duration::ZERO, Duration::ZERO, 0_u32);
    let mut failures = BTreeMap::new();
    let play_one = |seed: u64, pulse: &Pulse| {
        let sizes = [10 << 20, 1 << 20];
        let played = catch_unwind(AssertUnwindSafe(|| lossy(seed, percent(20), sizes, pulse)));
        match played.map(|report| report.took) {
            Ok(Some(took)) => Ok(took),
            Ok(None) => Err("not everything came"),
            Err(_) => Err("a promise was broken"),
        }
    };
    seeds.run(play_one, |seed, result| match result {
        Ok(took) => {
            slowest = slowest.max(took);
            sum += took;
            worlds += 1;
        }
        Err(what) => {
            failures.insert(seed, what);
        }
    });
    for (seed, what) in &failures {
        println!("seed {seed}: {what}");
    }
    let mean = sum.as_secs_f64() / f64::from(worlds.max(1));
    println!("{worlds} seeds: every byte in place");
    println!("mean {mean:.1} s, slowest {slowest:.1?} virtual");
    failures.is_empty()
}
