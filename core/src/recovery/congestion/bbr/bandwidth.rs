//! How fast the path delivers: the largest rate of the last two cycles of probing, whether it still grows, and how far
//! acknowledgements come in lumps.

use super::{Ack, seconds};
use crate::time::Instant;

/// Growth of the rate within a round that counts as growth.
const GROWTH: f64 = 1.25;
/// Rounds without it after which the pipe counts as full.
const FULL_ROUNDS: u32 = 3;
/// Rounds that the lumps of acknowledgements are remembered.
const AGGREGATION_ROUNDS: usize = 10;

/// The largest delivery rate, bytes a second.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct MaxBandwidth {
    cycles: [f64; 2],
}

impl MaxBandwidth {
    /// Applies a rate. One that the application limited can only raise the maximum.
    pub(super) fn on_rate(&mut self, rate: f64, is_app_limited: bool) {
        if !is_app_limited || rate >= self.get() {
            self.cycles[1] = self.cycles[1].max(rate);
        }
    }

    /// Begins another cycle of probing, which forgets the one before the last.
    pub(super) const fn advance(&mut self) {
        self.cycles = [self.cycles[1], 0.0];
    }

    pub(super) const fn get(&self) -> f64 {
        self.cycles[0].max(self.cycles[1])
    }
}

/// Whether the rate has stopped growing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FullPipe {
    /// It has, since [`FullPipe::search`].
    pub(super) is_now: bool,
    /// It has at some time.
    pub(super) is_reached: bool,
    /// The rate that growth is measured from.
    pub(super) rate: f64,
    pub(super) rounds: u32,
}

impl FullPipe {
    /// Looks for growth from `rate` on.
    pub(super) const fn search(&mut self, rate: f64) {
        self.rate = rate;
        self.rounds = 0;
        self.is_now = false;
    }

    /// Whether `rate` has grown.
    pub(super) const fn has_grown(&self, rate: f64) -> bool {
        rate >= self.rate * GROWTH
    }

    /// Applies the rate of a round that ended. `is_over(rounds)` says whether there is other evidence after so many
    /// rounds without growth.
    pub(super) fn on_round(&mut self, rate: f64, is_over: impl Fn(u32) -> bool) {
        if self.is_now {
            return;
        }
        if self.has_grown(rate) {
            self.rate = rate;
            self.rounds = 0;
            return;
        }
        self.rounds += 1;
        if self.rounds >= FULL_ROUNDS || is_over(self.rounds) {
            self.is_now = true;
            self.is_reached = true;
        }
    }
}

/// Bytes acknowledged beyond what the rate explains: acknowledgements that were held back and come together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aggregation {
    since: Instant,
    delivered: f64,
    rounds: [f64; AGGREGATION_ROUNDS],
}

impl Aggregation {
    pub(super) const fn new() -> Self {
        Self {
            since: Instant::EPOCH,
            delivered: 0.0,
            rounds: [0.0; AGGREGATION_ROUNDS],
        }
    }

    /// Starts to measure anew.
    pub(super) const fn restart(&mut self, now: Instant) {
        self.since = now;
        self.delivered = 0.0;
    }

    /// Applies an acknowledgement, which begins a round or not, at a bandwidth and with a window.
    pub(super) fn on_ack(&mut self, ack: &Ack, bandwidth: f64, window: f64, is_round_start: bool) {
        if is_round_start {
            self.rounds.rotate_right(1);
            self.rounds[0] = 0.0;
        }
        let mut expected = bandwidth * seconds(ack.now.saturating_since(self.since));
        if self.delivered <= expected {
            self.delivered = 0.0;
            self.since = ack.now;
            expected = 0.0;
        }
        self.delivered += ack.bytes;
        let lump = (self.delivered - expected).min(window);
        self.rounds[0] = self.rounds[0].max(lump);
    }

    /// Bytes that the window needs on top.
    pub(super) fn extra(&self) -> f64 {
        self.rounds.iter().copied().fold(0.0, f64::max)
    }
}
