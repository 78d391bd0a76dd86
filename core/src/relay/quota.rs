//! Byte quota of one direction of a relay channel: a token bucket written as one point in time (GCRA, ITU-T
//! I.371): the time at which the bucket would be full again. Told: bytes that want to pass. Decides: whether
//! they may. protocol §10.2.

use crate::time::Instant;

/// Rate and depth that all buckets of a relay share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quota {
    rate_bytes_per_s: u64,
    burst_ns: u64,
}

impl Quota {
    pub(super) fn new(rate_bytes_per_s: u64, burst_bytes: u64) -> Self {
        let mut quota = Self {
            rate_bytes_per_s: rate_bytes_per_s.max(1),
            burst_ns: 0,
        };
        quota.burst_ns = quota.cost_ns(burst_bytes);
        quota
    }

    fn cost_ns(self, bytes: u64) -> u64 {
        let ns = u128::from(bytes) * 1_000_000_000 / u128::from(self.rate_bytes_per_s);
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// Takes `bytes` from `bucket` if it holds as many; otherwise changes nothing.
    pub(super) fn take(self, bucket: &mut Instant, now: Instant, bytes: u64) -> bool {
        let full_at = (*bucket).max(now).as_nanos();
        let full_at = full_at.saturating_add(self.cost_ns(bytes));
        let fits = full_at.saturating_sub(now.as_nanos()) <= self.burst_ns;
        if fits {
            *bucket = Instant::from_nanos(full_at);
        }
        fits
    }
}
