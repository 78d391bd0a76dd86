//! What round-trip times tell: how long the path is without a queue, how much it wavers by itself, and whether a queue
//! stands. Seconds; infinite where nothing was measured.

use super::seconds;
use crate::time::{Duration, Instant};

/// How long the least round-trip time holds.
const MIN_RTT_LIFE: Duration = Duration::from_secs(10);
/// How long without a low round-trip time before one is looked for.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// A sample this close to the least shows that it still holds.
const NEAR: f64 = 1.0 + 1.0 / 64.0;
/// The floor is the least of one to two of these.
const FLOOR_LIFE: Duration = Duration::from_secs(30);
/// The least round average is that of one to two of these.
const MEAN_LIFE: Duration = Duration::from_secs(5);
/// Quiet rounds that are remembered.
const QUIETS: usize = 4;
/// On shorter paths delay tells of the processor, not of a queue.
const LEAST_PATH: f64 = 128e-6;

/// In which way the round that ended was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    /// Searching for the rate, or draining what that left.
    Starting,
    /// Sending at the rate found, alone.
    Cruising,
    /// Otherwise.
    Other,
}

/// Round-trip times of a path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delays {
    pub(super) min: f64,
    min_at: Instant,
    probed_min: f64,
    probed_at: Instant,
    /// No low round-trip time was seen for long.
    pub(super) is_expired: bool,
    floors: [f64; 2],
    floor_at: Instant,
    least_means: [f64; 2],
    least_means_at: Instant,
    quiet: [f64; QUIETS],
    /// How far the averages of quiet rounds waver.
    pub(super) noise: f64,
    pub(super) noise_rounds: f64,
    cruised_rounds: u32,
    mean_before: f64,
    /// The average of the last round.
    pub(super) mean: f64,
    sum: f64,
    samples: f64,
    /// The queue that the last round stood in.
    pub(super) queue: f64,
    /// Rounds without a queue.
    pub(super) calm_rounds: u32,
}

impl Delays {
    pub(super) const fn new() -> Self {
        Self {
            min: f64::INFINITY,
            min_at: Instant::EPOCH,
            probed_min: f64::INFINITY,
            probed_at: Instant::EPOCH,
            is_expired: false,
            floors: [f64::INFINITY; 2],
            floor_at: Instant::EPOCH,
            least_means: [f64::INFINITY; 2],
            least_means_at: Instant::EPOCH,
            quiet: [f64::INFINITY; QUIETS],
            noise: 0.0,
            noise_rounds: 0.0,
            cruised_rounds: 0,
            mean_before: 0.0,
            mean: 0.0,
            sum: 0.0,
            samples: 0.0,
            queue: 0.0,
            calm_rounds: 0,
        }
    }

    /// Takes a sample into floor and average. While others hold a queue the floor stands still.
    pub(super) fn on_sample(&mut self, rtt: f64, now: Instant, in_company: bool) {
        if !in_company && is_over(self.floor_at, FLOOR_LIFE, now) {
            self.floors = [self.floors[1], f64::INFINITY];
            self.floor_at = now;
        }
        self.floors[1] = self.floors[1].min(rtt);
        self.sum += rtt;
        self.samples += 1.0;
    }

    /// Ends a round. `burst` is what one release of the pacer takes to leave.
    pub(super) fn end_round(&mut self, spent: Spent, burst: f64, now: Instant) {
        self.queue = 0.0;
        if self.samples == 0.0 {
            return;
        }
        let mean = self.sum / self.samples;
        self.sum = 0.0;
        self.samples = 0.0;
        if is_over(self.least_means_at, MEAN_LIFE, now) {
            self.least_means = [self.least_means[1], f64::INFINITY];
            self.least_means_at = now;
        }
        self.note_noise(mean, spent);
        self.mean_before = self.mean;
        self.mean = mean;
        self.least_means[1] = self.least_means[1].min(mean);
        let quiet = least(&self.quiet);
        if quiet < f64::INFINITY {
            self.queue = mean - quiet.min(1.25 * self.floor() + 3.0 * self.noise);
        } else if spent == Spent::Starting {
            self.queue = mean - least(&self.least_means);
        }
        self.calm_rounds = if self.has_queue(burst) {
            0
        } else {
            self.calm_rounds.saturating_add(1)
        };
    }

    /// What is left of the averages of rounds when a steady trend is taken out: a queue that grows is no noise.
    fn note_noise(&mut self, mean: f64, spent: Spent) {
        if spent != Spent::Cruising {
            self.cruised_rounds = 0;
            return;
        }
        self.cruised_rounds = self.cruised_rounds.saturating_add(1);
        if self.cruised_rounds < 3 {
            return;
        }
        let mut bend = (self.mean_before - 2.0 * self.mean + mean).abs() / 2.0;
        self.noise_rounds = (self.noise_rounds + 1.0).min(16.0);
        if self.noise_rounds > 4.0 {
            bend = bend.min(3.0 * self.noise + 0.0005);
        }
        self.noise += (bend - self.noise) / self.noise_rounds;
    }

    /// The queue from which on it stands out of the path's own noise.
    pub(super) fn threshold(&self, burst: f64) -> f64 {
        if self.min < LEAST_PATH {
            return f64::INFINITY;
        }
        let share = (self.min / 16.0).clamp(0.002, 0.008);
        share
            .max(burst.min(0.1))
            .max((3.0 * self.noise).min(self.min / 4.0))
    }

    /// Whether a queue stood in the last round.
    pub(super) fn has_queue(&self, burst: f64) -> bool {
        self.queue > self.threshold(burst)
    }

    /// The queue from which on, while nothing of ours waits, it is another's.
    pub(super) fn foreign(&self, burst: f64) -> f64 {
        if self.min < LEAST_PATH {
            return f64::INFINITY;
        }
        let share = (self.min / 8.0).max(0.004);
        share.max(4.0 * self.noise).max(2.0 * burst)
    }

    /// Remembers the last round as one in which nothing of ours waited.
    pub(super) fn note_quiet(&mut self) {
        self.quiet.rotate_right(1);
        self.quiet[0] = self.mean;
    }

    /// Whether the last round was as fast as the best of the last minute: not even a short queue that always stands.
    pub(super) fn is_at_best(&self, burst: f64) -> bool {
        self.mean < self.floor() + (self.min / 32.0).max(0.0008) + burst
    }

    fn floor(&self) -> f64 {
        least(&self.floors)
    }

    /// Whether the last round stood in a queue longer than a search for the rate explains (RFC 9406 §4.2).
    pub(super) fn is_overfull(&self) -> bool {
        self.min >= LEAST_PATH && self.queue > (self.min / 8.0).clamp(0.004, 0.016)
    }

    /// Takes a sample into the least round-trip time.
    pub(super) fn update_min(&mut self, rtt: Option<f64>, now: Instant) {
        let is_known = self.probed_min < f64::INFINITY;
        self.is_expired = is_known && is_over(self.probed_at, PROBE_INTERVAL, now);
        if let Some(rtt) = rtt {
            if rtt <= self.probed_min * NEAR && !self.is_expired {
                self.probed_at = now;
                self.probed_min = self.probed_min.min(rtt);
            }
            if rtt < self.probed_min || self.is_expired {
                self.probed_min = rtt;
                self.probed_at = now;
            }
            if rtt <= self.min * NEAR {
                self.min_at = now;
                self.min = self.min.min(rtt);
            }
        }
        if self.probed_min < self.min || is_over(self.min_at, MIN_RTT_LIFE, now) {
            self.min = self.probed_min;
            self.min_at = self.probed_at;
        }
    }

    /// The round-trip time without a queue was just looked for.
    pub(super) const fn on_probed(&mut self, now: Instant) {
        self.probed_at = now;
    }
}

fn least(times: &[f64]) -> f64 {
    times.iter().copied().fold(f64::INFINITY, f64::min)
}

fn is_over(since: Instant, life: Duration, now: Instant) -> bool {
    seconds(now.saturating_since(since)) > seconds(life)
}
