//! One direction of a host's access link: delay, jitter, loss alone and in bursts, duplication,
//! reordering, swaps, a rate with a drop-tail queue that may mark, a largest datagram, bit corruption and truncation,
//! erased marks.
//! Told: a datagram and when it is offered. Returns: when, how often and how mangled it comes out.
//! Every decision is drawn from the direction's own fork of the world's generator.

use core::time::Duration;

use p2p_core::api::EcnCodepoint;
use p2p_core::rng::Rng;
use p2p_core::time::Instant;

/// Probability in parts per million.
pub type Ppm = u32;

/// All of a million.
pub const CERTAIN: Ppm = 1_000_000;

/// Percent as [`Ppm`].
#[must_use]
pub const fn percent(p: u32) -> Ppm {
    p * 10_000
}

/// Burst loss after Gilbert and Elliott: two states, each datagram may change the state before it
/// is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burst {
    /// Chance to go from good to bad.
    pub enter: Ppm,
    /// Chance to go from bad to good.
    pub leave: Ppm,
    /// Loss in the bad state.
    pub loss: Ppm,
}

/// What one direction of a link does to datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whether anything passes at all.
    pub up: bool,
    /// Constant delay.
    pub latency: Duration,
    /// Additional delay, uniform from zero to this; keeps the order.
    pub jitter: Duration,
    /// Independent loss.
    pub loss: Ppm,
    /// Burst loss.
    pub burst: Option<Burst>,
    /// Chance that a datagram comes out twice.
    pub duplicate: Ppm,
    /// Chance that a datagram is held back and overtaken.
    pub reorder: Ppm,
    /// Chance that a datagram overtakes the one before it, where that is still on its way.
    pub swap: Ppm,
    /// Longest time for which a datagram is held back.
    pub reorder_by: Duration,
    /// Bytes a second; none for unlimited.
    pub rate_bytes_per_s: Option<u64>,
    /// Bytes waiting at most where a rate is set; more is dropped at the tail.
    pub queue_bytes: u64,
    /// Bytes waiting from which on datagrams of senders that understand ECN are marked with congestion.
    pub mark_above_bytes: Option<u64>,
    /// Whether marks of ECN are erased.
    pub bleach: bool,
    /// Largest UDP payload that passes.
    pub mtu_bytes: usize,
    /// Chance that one bit is flipped.
    pub corrupt: Ppm,
    /// Chance that a datagram is cut short.
    pub truncate: Ppm,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            up: true,
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0,
            burst: None,
            duplicate: 0,
            reorder: 0,
            swap: 0,
            reorder_by: Duration::from_millis(50),
            rate_bytes_per_s: None,
            queue_bytes: 256 << 10,
            mark_above_bytes: None,
            bleach: false,
            mtu_bytes: 1_472,
            corrupt: 0,
            truncate: 0,
        }
    }
}

impl Link {
    /// An ideal link with a delay.
    #[must_use]
    pub fn with_latency(latency: Duration) -> Self {
        Self {
            latency,
            ..Self::default()
        }
    }
}

/// How often each fault was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Lost on their own.
    pub lost: u64,
    /// Lost in bursts.
    pub lost_in_bursts: u64,
    /// Came out twice.
    pub duplicated: u64,
    /// Held back.
    pub reordered: u64,
    /// Overtook the one before.
    pub swapped: u64,
    /// Took longer than the link's first latency: by jitter, or by another latency.
    pub delayed: u64,
    /// Dropped because the queue was full.
    pub overflowed: u64,
    /// The most bytes that waited.
    pub longest_queue_bytes: u64,
    /// Marked with congestion.
    pub marked: u64,
    /// Lost their mark.
    pub bleached: u64,
    /// Dropped because they were too large.
    pub too_large: u64,
    /// Came out with a flipped bit.
    pub corrupted: u64,
    /// Came out short.
    pub truncated: u64,
    /// Dropped because the link was down.
    pub down: u64,
}

/// When a datagram comes out: not at all, once, or twice.
pub type Arrivals = [Option<Instant>; 2];

/// One direction with its state.
pub struct Direction {
    /// What it does; may be changed at any time.
    pub link: Link,
    /// How often it did it.
    pub counters: LinkCounters,
    rng: Rng,
    usual_latency: Duration,
    in_burst: bool,
    idle_at: Instant,
    newest_arrival: Instant,
}

impl Direction {
    /// A direction that draws from `rng`.
    #[must_use]
    pub fn new(link: Link, rng: Rng) -> Self {
        Self {
            usual_latency: link.latency,
            link,
            counters: LinkCounters::default(),
            rng,
            in_burst: false,
            idle_at: Instant::EPOCH,
            newest_arrival: Instant::EPOCH,
        }
    }

    /// Carries one datagram, perhaps mangled, and says when it comes out.
    pub fn carry(&mut self, now: Instant, datagram: &mut Vec<u8>) -> Arrivals {
        if !self.link.up {
            self.counters.down += 1;
            return [None; 2];
        }
        if datagram.len() > self.link.mtu_bytes {
            self.counters.too_large += 1;
            return [None; 2];
        }
        let Some(departure) = self.queue(now, datagram.len()) else {
            self.counters.overflowed += 1;
            return [None; 2];
        };
        if self.is_lost() {
            return [None; 2];
        }
        self.mangle(datagram);
        let first = self.arrival(departure);
        let second = self.chance(self.link.duplicate).then(|| {
            self.counters.duplicated += 1;
            self.arrival(departure) + Duration::from_micros(self.rng.below(2_000))
        });
        [Some(first), second]
    }

    /// What becomes of the mark of a datagram that is offered now; ask before it is carried.
    pub fn mark(&mut self, now: Instant, mark: Option<EcnCodepoint>) -> Option<EcnCodepoint> {
        let mark = mark?;
        if self.link.bleach {
            self.counters.bleached += 1;
            return None;
        }
        let waiting = self.waiting_bytes(now);
        let is_long = self.link.mark_above_bytes.is_some_and(|b| waiting >= b);
        self.counters.marked += u64::from(is_long);
        Some(if is_long { EcnCodepoint::Ce } else { mark })
    }

    fn waiting_bytes(&self, now: Instant) -> u64 {
        let rate = self.link.rate_bytes_per_s.unwrap_or(0);
        let waits = self.idle_at.saturating_since(now).as_nanos();
        u64::try_from(waits * u128::from(rate) / 1_000_000_000).unwrap_or(u64::MAX)
    }

    fn queue(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(rate) = self.link.rate_bytes_per_s.filter(|r| *r > 0) else {
            return Some(now);
        };
        let start = self.idle_at.max(now);
        let waiting = self.waiting_bytes(now).saturating_add(bytes as u64);
        if waiting > self.link.queue_bytes {
            return None;
        }
        let counters = &mut self.counters;
        counters.longest_queue_bytes = counters.longest_queue_bytes.max(waiting);
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(rate);
        self.idle_at = start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Some(self.idle_at)
    }

    fn is_lost(&mut self) -> bool {
        if let Some(burst) = self.link.burst {
            let change = if self.in_burst {
                burst.leave
            } else {
                burst.enter
            };
            self.in_burst ^= self.chance(change);
            if self.in_burst && self.chance(burst.loss) {
                self.counters.lost_in_bursts += 1;
                return true;
            }
        }
        let lost = self.chance(self.link.loss);
        self.counters.lost += u64::from(lost);
        lost
    }

    fn mangle(&mut self, datagram: &mut Vec<u8>) {
        if self.chance(self.link.truncate) {
            self.counters.truncated += 1;
            let keep = self.rng.below(datagram.len() as u64) as usize;
            datagram.truncate(keep);
        }
        if self.chance(self.link.corrupt) && !datagram.is_empty() {
            self.counters.corrupted += 1;
            let at = self.rng.below(datagram.len() as u64) as usize;
            datagram[at] ^= 1 << self.rng.below(8);
        }
    }

    fn arrival(&mut self, departure: Instant) -> Instant {
        let jitter_nanos = u64::try_from(self.link.jitter.as_nanos()).unwrap_or(0);
        let mut at = departure + self.link.latency;
        if jitter_nanos > 0 {
            at += Duration::from_nanos(self.rng.below(jitter_nanos));
        }
        self.counters.delayed += u64::from(at > departure + self.usual_latency);
        if self.chance(self.link.swap) && self.newest_arrival > departure {
            self.counters.swapped += 1;
            return self.newest_arrival - Duration::from_nanos(1);
        }
        if self.chance(self.link.reorder) {
            self.counters.reordered += 1;
            let hold = u64::try_from(self.link.reorder_by.as_nanos()).unwrap_or(0);
            return at + Duration::from_nanos(self.rng.below(hold));
        }
        // A lower delay set in mid-flight must not overtake: only `reorder` reorders.
        self.newest_arrival = self.newest_arrival.max(at);
        self.newest_arrival
    }

    fn chance(&mut self, probability: Ppm) -> bool {
        // Nothing is drawn for what is switched off: an ideal link costs no randomness.
        probability > 0 && self.rng.below(u64::from(CERTAIN)) < u64::from(probability)
    }
}

#[cfg(test)]
mod tests;
