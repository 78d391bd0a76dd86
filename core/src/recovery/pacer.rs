//! Spreads a window over a round trip (RFC 9002 §7.7): a bucket of bytes that fills at 1.25 times
//! window per smoothed round-trip time, twice that in slow start. Takes: the rate and what was sent.
//! Answers: how much may leave now, and when more may. The bucket holds what 2 ms let through,
//! because timers are about 1 ms coarse: below some 2 ms of round-trip time it holds a whole
//! window, and nothing is held back.

use core::cmp::{max, min};

use crate::limits;
use crate::time::{Duration, Instant};

/// Time whose bytes fit the bucket.
const BURST: Duration = Duration::from_millis(2);
/// How late timers may fire without a loss of rate, where the controller says what leaves at once.
const LATENESS: Duration = Duration::from_millis(1);
/// Datagrams that always fit the bucket (RFC 9002 §7.7: the initial window may leave at once).
const BURST_DATAGRAMS: u64 = 10;
/// Beyond this rate no link is in need of pacing; it keeps the arithmetic far from overflow.
const RATE_MAX_BYTES_PER_S: u64 = 1 << 40;
const NANOS_PER_S: u128 = 1_000_000_000;

/// A token bucket for one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacer {
    rate_bytes_per_s: u64,
    /// What may leave at once, where the congestion controller says so.
    quantum_bytes: Option<u64>,
    capacity_bytes: i64,
    /// Negative after more left than the bucket held, such as probes.
    tokens_bytes: i64,
    filled_at: Instant,
}

impl Pacer {
    /// Starts with a full bucket.
    #[must_use]
    pub(super) fn new(
        window_bytes: u64,
        rtt: Duration,
        mtu: u64,
        slow_start: bool,
        now: Instant,
    ) -> Self {
        let mut pacer = Self {
            rate_bytes_per_s: 1,
            quantum_bytes: None,
            capacity_bytes: 0,
            tokens_bytes: 0,
            filled_at: now,
        };
        pacer.on_window(window_bytes, rtt, mtu, slow_start, now);
        pacer.tokens_bytes = pacer.capacity_bytes;
        pacer
    }

    /// Takes over a new window or round-trip time.
    pub(super) fn on_window(
        &mut self,
        window_bytes: u64,
        rtt: Duration,
        mtu: u64,
        slow_start: bool,
        now: Instant,
    ) {
        let nanos = max(rtt.as_nanos(), 1);
        let gained = u128::from(window_bytes) * if slow_start { 8 } else { 5 } / 4;
        let rate = u64::try_from(gained * NANOS_PER_S / nanos).unwrap_or(RATE_MAX_BYTES_PER_S);
        self.on_rate(rate, mtu, now);
    }

    /// Takes over what the congestion controller wants to leave at once; counts from the next rate on.
    pub(super) fn set_quantum(&mut self, quantum_bytes: Option<u64>) {
        self.quantum_bytes = quantum_bytes;
    }

    /// Takes over a rate that the congestion controller chose itself.
    pub(super) fn on_rate(&mut self, rate_bytes_per_s: u64, mtu: u64, now: Instant) {
        self.tokens_bytes = self.tokens_at(now);
        self.filled_at = max(self.filled_at, now);
        self.rate_bytes_per_s = rate_bytes_per_s.clamp(1, RATE_MAX_BYTES_PER_S);
        let capacity = match self.quantum_bytes {
            Some(quantum) => max(quantum, mtu) + self.bytes_in(LATENESS),
            None => max(self.bytes_in(BURST), BURST_DATAGRAMS * mtu),
        };
        self.capacity_bytes = i64::try_from(capacity).unwrap_or(i64::MAX);
    }

    /// Bytes that may leave now.
    #[must_use]
    pub(super) fn budget(&self, now: Instant) -> u64 {
        u64::try_from(self.tokens_at(now)).unwrap_or(0)
    }

    /// When `bytes` may leave, or as much of them as the bucket ever holds.
    #[must_use]
    pub(super) fn next_release(&self, now: Instant, bytes: u64) -> Instant {
        let wanted = min(
            i64::try_from(bytes).unwrap_or(i64::MAX),
            self.capacity_bytes,
        );
        let missing = wanted.saturating_sub(self.tokens_at(now));
        let Ok(missing) = u64::try_from(missing) else {
            return now;
        };
        let nanos = (u128::from(missing) * NANOS_PER_S).div_ceil(u128::from(self.rate_bytes_per_s));
        now + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Bytes worth waiting for: half a bucket at high rates, so that batches stay large, else one
    /// datagram.
    #[must_use]
    pub(super) fn batch(&self, mtu: u64) -> u64 {
        if let Some(quantum) = self.quantum_bytes {
            return quantum.clamp(mtu, max(mtu, limits::BATCH_BYTES as u64));
        }
        let half = u64::try_from(self.capacity_bytes / 2).unwrap_or(0);
        if half > BURST_DATAGRAMS * mtu {
            min(half, limits::BATCH_BYTES as u64)
        } else {
            mtu
        }
    }

    /// Takes what was sent out of the bucket.
    pub(super) fn on_sent(&mut self, bytes: u64, now: Instant) {
        let taken = i64::try_from(bytes).unwrap_or(i64::MAX);
        let tokens = self.tokens_at(now).saturating_sub(taken);
        self.tokens_bytes = max(tokens, self.capacity_bytes.saturating_neg());
        self.filled_at = max(self.filled_at, now);
    }

    fn tokens_at(&self, now: Instant) -> i64 {
        let filled = self.bytes_in(now.saturating_since(self.filled_at));
        let tokens = self
            .tokens_bytes
            .saturating_add(i64::try_from(filled).unwrap_or(i64::MAX));
        min(tokens, self.capacity_bytes)
    }

    fn bytes_in(&self, time: Duration) -> u64 {
        let bytes = u128::from(self.rate_bytes_per_s) * time.as_nanos() / NANOS_PER_S;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u64 = 1_200;

    fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn a_burst_leaves_at_once_and_the_rest_at_the_rate() {
        let now = Instant::from_millis(5);
        let mut pacer = Pacer::new(100 * MTU, ms(100), MTU, false, now);
        assert_eq!(pacer.budget(now), 10 * MTU);
        pacer.on_sent(10 * MTU, now);
        assert_eq!(pacer.budget(now), 0);
        assert_eq!(
            pacer.next_release(now, MTU),
            now + Duration::from_micros(800)
        );
        assert_eq!(pacer.budget(now + Duration::from_micros(800)), MTU);
        assert_eq!(pacer.budget(now + ms(4)), 5 * MTU);
        assert_eq!(
            pacer.budget(now + ms(1_000)),
            10 * MTU,
            "never above the bucket"
        );
    }

    #[test]
    fn slow_start_paces_at_twice_the_window() {
        let now = Instant::EPOCH;
        let mut pacer = Pacer::new(100 * MTU, ms(100), MTU, true, now);
        pacer.on_sent(10 * MTU, now);
        assert_eq!(
            pacer.next_release(now, MTU),
            now + Duration::from_micros(500)
        );
    }

    #[test]
    fn a_tiny_round_trip_time_lets_the_whole_window_leave() {
        let now = Instant::EPOCH;
        let window = 64 * 1_452 * 4;
        let pacer = Pacer::new(window, Duration::from_micros(50), 1_452, false, now);
        assert!(pacer.budget(now) >= window);
    }

    #[test]
    fn what_leaves_past_the_bucket_is_paid_back() {
        let now = Instant::EPOCH;
        let mut pacer = Pacer::new(100 * MTU, ms(100), MTU, false, now);
        pacer.on_sent(12 * MTU, now);
        assert_eq!(pacer.budget(now + Duration::from_micros(1_600)), 0);
        assert_eq!(
            pacer.next_release(now, MTU),
            now + Duration::from_micros(2_400)
        );
    }

    #[test]
    fn no_more_than_a_quantum_and_a_late_timer_leaves_at_once() {
        let now = Instant::EPOCH;
        let mut pacer = Pacer::new(100 * MTU, ms(100), MTU, false, now);
        pacer.set_quantum(Some(2 * MTU));
        pacer.on_rate(2_500_000, MTU, now);
        let late = 2_500;
        let held = 2 * MTU + late;
        assert_eq!((pacer.budget(now), pacer.batch(MTU)), (held, 2 * MTU));
        pacer.on_sent(held, now);
        let release = pacer.next_release(now, pacer.batch(MTU));
        assert_eq!(release, now + Duration::from_micros(960));
        // A timer that fires a millisecond late loses nothing.
        assert_eq!(pacer.budget(release + ms(1)), held);
        assert_eq!(pacer.budget(release + ms(9)), held);
        pacer.set_quantum(Some(1));
        pacer.on_rate(2_500_000, MTU, release);
        assert!(pacer.budget(release) >= MTU, "a datagram always fits");
    }

    #[test]
    fn a_change_of_rate_keeps_what_the_bucket_held() {
        let now = Instant::EPOCH;
        let mut pacer = Pacer::new(100 * MTU, ms(100), MTU, false, now);
        pacer.on_sent(10 * MTU, now);
        pacer.on_window(
            200 * MTU,
            ms(100),
            MTU,
            false,
            now + Duration::from_micros(800),
        );
        assert_eq!(pacer.budget(now + Duration::from_micros(800)), MTU);
    }
}
