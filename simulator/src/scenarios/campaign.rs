//! Many random plots, one seed after the other: totals over all of them, or the first that broke a
//! promise.

use core::time::Duration;
use std::collections::BTreeMap;

use crate::fired::Fired;
use crate::ops::{Failure, Faults, Outcome, check, generate};
use crate::verdict::exam_names;

/// What to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// Nodes in each world.
    pub nodes: usize,
    /// Virtual seconds of plot.
    pub seconds: u64,
    /// What may break.
    pub faults: Faults,
}

/// Sums over worlds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Worlds played.
    pub worlds: u64,
    /// Virtual time in all of them, rests included.
    pub virtual_time: Duration,
    /// Things that happened.
    pub steps: u64,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Events told to applications.
    pub events: u64,
    /// Commands accepted and refused.
    pub commands: [u64; 2],
    /// Connections at the end, and direct ones among them.
    pub connections: [u64; 2],
    /// Which faults happened, and how often.
    pub fired: Fired,
    /// Worlds that took each exam.
    pub exams: BTreeMap<&'static str, u64>,
}

impl Campaign {
    /// Plays the world of one seed.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn play(&self, seed: u64) -> Result<Outcome, Failure> {
        let ops = generate(seed, self.nodes, self.seconds, self.faults);
        check(seed, self.nodes, &ops)
    }
}

impl Totals {
    /// Exams that no world took.
    #[must_use]
    pub fn untaken(&self) -> Vec<&'static str> {
        let all = exam_names().into_iter();
        all.filter(|name| !self.exams.contains_key(name)).collect()
    }

    /// Adds one world.
    pub fn add(&mut self, outcome: &Outcome) {
        self.worlds += 1;
        self.virtual_time += outcome.virtual_time;
        self.steps += outcome.steps;
        self.datagrams += outcome.datagrams;
        self.events += outcome.events;
        for (sum, count) in self.commands.iter_mut().zip(outcome.commands) {
            *sum += count;
        }
        self.connections[0] += outcome.connections;
        self.connections[1] += outcome.direct;
        self.fired.add(&outcome.fired);
        for exam in &outcome.exams {
            *self.exams.entry(exam).or_default() += 1;
        }
    }
}
