//! A token bucket in integers, kept as the time at which it will be full again (the generic cell
//! rate algorithm, ITU-T I.371): one addition per question, nothing to refill, 24 bytes.
//!
//! Takes: the time and the number of tokens wanted. Returns: whether they were there, or how long
//! to wait.

use crate::time::{Duration, Instant};

const NANOS_PER_S: u64 = 1_000_000_000;

/// A budget of so many tokens a second with a burst. A new bucket is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenBucket {
    full_at: Instant,
    nanos_per_token: u64,
    burst: u64,
}

impl TokenBucket {
    /// Makes a full bucket of `burst` tokens that gains `rate_per_s` tokens a second (at most
    /// 10^9; 0 gains none).
    #[must_use]
    pub(crate) fn new(rate_per_s: u64, burst: u64, now: Instant) -> Self {
        let nanos = NANOS_PER_S.checked_div(rate_per_s).unwrap_or(u64::MAX);
        Self::with_interval(Duration::from_nanos(nanos), burst, now)
    }

    /// Makes a full bucket of `burst` tokens that gains one token each `interval`.
    #[must_use]
    pub(crate) fn with_interval(interval: Duration, burst: u64, now: Instant) -> Self {
        let nanos = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        Self {
            full_at: now,
            nanos_per_token: nanos.max(1),
            burst,
        }
    }

    /// Takes `n` tokens if they are all there; otherwise takes none.
    #[must_use]
    pub(crate) fn take(&mut self, now: Instant, n: u64) -> bool {
        if !self.retry_after(now, n).is_zero() {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.span(n);
        true
    }

    /// How long until `n` tokens are there; zero if they are. `Duration::MAX` where the bucket
    /// never holds as many.
    #[must_use]
    pub(crate) fn retry_after(&self, now: Instant, n: u64) -> Duration {
        if n > self.burst {
            return Duration::MAX;
        }
        let missing = self.full_at.saturating_since(now) + self.span(n);
        missing.saturating_sub(self.span(self.burst))
    }

    /// Whether the bucket is as a new one is.
    #[must_use]
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Makes the bucket full again.
    pub(crate) fn refill(&mut self, now: Instant) {
        self.full_at = self.full_at.min(now);
    }

    fn span(&self, n: u64) -> Duration {
        Duration::from_nanos(self.nanos_per_token.saturating_mul(n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn spends_its_burst_and_then_its_rate() {
        let start = Instant::from_millis(5);
        let mut bucket = TokenBucket::new(20, 20, start);
        assert!((0..20).all(|_| bucket.take(start, 1)));
        assert!(!bucket.take(start, 1));
        assert_eq!(bucket.retry_after(start, 1), Duration::from_millis(50));
        assert!(!bucket.take(start + Duration::from_millis(49), 1));
        assert!(bucket.take(start + Duration::from_millis(50), 1));
    }

    #[test]
    fn never_grants_more_than_its_burst_at_once() {
        let mut bucket = TokenBucket::new(1, 4, Instant::EPOCH);
        let later = Instant::EPOCH + Duration::from_secs(3_600);
        assert!(!bucket.take(later, 5));
        assert_eq!(bucket.retry_after(later, 5), Duration::MAX);
        assert!(bucket.take(later, 4));
        assert!(!bucket.take(later, 1));
    }

    #[test]
    fn is_small_and_refills_on_demand() {
        assert!(size_of::<TokenBucket>() <= 24);
        let mut bucket = TokenBucket::new(0, 2, Instant::EPOCH);
        assert!(bucket.take(Instant::EPOCH, 2));
        let day = Instant::EPOCH + Duration::from_secs(86_400);
        assert!(!bucket.take(day, 1));
        bucket.refill(day);
        assert!(bucket.take(day, 2));
    }

    quickcheck! {
        fn grants_at_most_its_rate(steps: Vec<(u16, u8)>, rate: u8, burst: u8) -> bool {
            let (rate, burst) = (u64::from(rate) + 1, u64::from(burst));
            let mut bucket = TokenBucket::new(rate, burst, Instant::EPOCH);
            let (mut now, mut granted) = (Instant::EPOCH, 0);
            for (wait_ms, n) in steps {
                now += Duration::from_millis(u64::from(wait_ms));
                if bucket.take(now, u64::from(n)) {
                    granted += u64::from(n);
                }
            }
            // One token of slack: the interval is rounded down to whole nanoseconds.
            granted <= burst + rate * now.as_nanos() / NANOS_PER_S + 1
        }
    }
}
