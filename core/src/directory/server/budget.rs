//! Budgets of events a minute for many keys. Takes: that a key wants one event now. Decides: whether it may,
//! or how long it must wait. Each bucket is one point in time, at which it would be full again (GCRA, ITU-T
//! I.371); a full bucket is the same as none and is forgotten, so only busy keys take memory. protocol §10.1.

use std::collections::{BTreeMap, BTreeSet};

use crate::time::{Duration, Instant};

/// Token buckets by key.
pub(super) struct Budget<K> {
    interval: Duration,
    depth: Duration,
    keys: usize,
    full_at: BTreeMap<K, Instant>,
    by_time: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Budget<K> {
    pub(super) fn new(per_minute: u32, burst: u32, keys: usize) -> Self {
        let interval = Duration::from_secs(60) / per_minute.max(1);
        Self {
            interval,
            depth: interval * burst.max(1),
            keys,
            full_at: BTreeMap::new(),
            by_time: BTreeSet::new(),
        }
    }

    /// Time until `key` may; zero where it may now. Changes nothing.
    pub(super) fn wait(&self, now: Instant, key: &K) -> Duration {
        self.wait_leaving(now, key, 0)
    }

    /// Time until `key` may and still has `left` events; zero where it may now. Changes nothing.
    pub(super) fn wait_leaving(&self, now: Instant, key: &K, left: u32) -> Duration {
        match self.full_at.get(key) {
            Some(full_at) => {
                let end = *full_at + self.interval + self.interval * left;
                end.saturating_since(now + self.depth)
            }
            None if self.full_at.len() >= self.keys => self.interval,
            None => Duration::ZERO,
        }
    }

    /// Takes one event from the bucket of `key`.
    pub(super) fn charge(&mut self, now: Instant, key: K) {
        let old = self.full_at.get(&key).copied();
        if let Some(old) = old {
            self.by_time.remove(&(old, key));
        }
        let full_at = old.unwrap_or(now).max(now) + self.interval;
        self.full_at.insert(key, full_at);
        self.by_time.insert((full_at, key));
    }

    /// Forgets buckets that are full.
    pub(super) fn forget_full(&mut self, now: Instant) {
        while let Some(&(at, key)) = self.by_time.first()
            && at <= now
        {
            self.by_time.pop_first();
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_allows_its_burst_then_its_rate_and_says_how_long_to_wait() {
        let mut budget = Budget::new(10, 20, 100);
        let mut now = Instant::from_millis(5);
        for _ in 0..20 {
            assert_eq!(budget.wait(now, &1), Duration::ZERO);
            budget.charge(now, 1);
        }
        for _ in 0..3 {
            let wait = budget.wait(now, &1);
            assert_eq!(wait, Duration::from_secs(6));
            assert_eq!(budget.wait(now, &2), Duration::ZERO, "keys do not share");
            let early = now + (wait - Duration::from_nanos(1));
            assert_eq!(budget.wait(early, &1), Duration::from_nanos(1));
            now += wait;
            assert_eq!(budget.wait(now, &1), Duration::ZERO);
            budget.charge(now, 1);
        }
        budget.forget_full(now + Duration::from_secs(120));
        assert!(budget.full_at.is_empty() && budget.by_time.is_empty());
    }

    #[test]
    fn a_full_table_makes_new_keys_wait() {
        let mut budget = Budget::new(10, 1, 1);
        budget.charge(Instant::EPOCH, 1);
        assert!(budget.wait(Instant::EPOCH, &2) > Duration::ZERO);
        budget.forget_full(Instant::from_millis(6_000));
        assert_eq!(budget.wait(Instant::from_millis(6_000), &2), Duration::ZERO);
    }
}
