//! How many probes may leave to addresses that are not validated, over all peers (protocol §9.2).
//!
//! Takes: the time, and whether the owner chose the peer. Returns: whether there is room. Strangers have half of it, so
//! that no number of them holds up the way to a peer that the owner wants.

use crate::limiter::TokenBucket;
use crate::limits;
use crate::time::Instant;

/// The budget of a node.
pub(super) struct ProbeBudget {
    all: TokenBucket,
}

impl ProbeBudget {
    /// A full budget.
    pub(super) fn new(now: Instant) -> Self {
        let per_minute = u64::from(limits::PROBES_PER_MINUTE);
        Self {
            all: TokenBucket::new(per_minute.div_ceil(60), per_minute, now),
        }
    }

    /// Whether a probe for such a peer may leave.
    pub(super) fn has_room(&self, now: Instant, is_accepted: bool) -> bool {
        let left = match is_accepted {
            true => 0,
            false => u64::from(limits::PROBES_PER_MINUTE) / 2,
        };
        self.all.retry_after(now, left + 1).is_zero()
    }

    /// So many probes left.
    pub(super) fn charge(&mut self, now: Instant, probes: u32) {
        let _ = self.all.take(now, u64::from(probes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_use_up_half_of_the_probes_and_the_owners_peers_the_rest() {
        let now = Instant::from_millis(1_000);
        let mut budget = ProbeBudget::new(now);
        let used = |budget: &mut ProbeBudget, is_accepted| {
            let probes = (0..10_000).take_while(|_| {
                let has_room = budget.has_room(now, is_accepted);
                if has_room {
                    budget.charge(now, 1);
                }
                has_room
            });
            probes.count()
        };
        let half = limits::PROBES_PER_MINUTE as usize / 2;
        assert_eq!(used(&mut budget, false), half);
        assert_eq!(used(&mut budget, false), 0);
        assert_eq!(used(&mut budget, true), half);
        assert!(!budget.has_room(now, true));
    }
}
