//! A budget that many sources share, so that no network of theirs takes it from the others.
//!
//! Takes: the time and a source. Returns: whether it gets one of what is left. A network has a share of its own; beyond
//! the first few in a second it gets from the upper half of the budget only, so that the lower half stays for whoever
//! asks for little (docs/protocol.md §3.5).

use super::{SourceKey, SourceMeter, TokenBucket};
use crate::rng::Rng;
use crate::time::Instant;

/// The budget, what each network may take of it, and what counts as little.
pub(crate) struct FairBudget {
    all: TokenBucket,
    half: u64,
    networks: SourceMeter,
    modest: SourceMeter,
}

impl FairBudget {
    /// A full budget of `per_s`; a network takes `per_network` a second at most, and `modest` of them come first.
    #[must_use]
    pub(crate) fn new(
        now: Instant,
        rng: &mut Rng,
        per_s: u32,
        per_network: u32,
        modest: u32,
    ) -> Self {
        let per_s = u64::from(per_s);
        Self {
            all: TokenBucket::new(per_s, per_s, now),
            half: per_s / 2,
            networks: SourceMeter::new(rng, per_network, per_network),
            modest: SourceMeter::new(rng, modest, modest),
        }
    }

    /// Takes one for a source, where its network has not had its share.
    #[must_use]
    pub(crate) fn take(&mut self, now: Instant, source: SourceKey) -> bool {
        let network = source.network();
        if !self.networks.take(now, network) {
            return false;
        }
        let is_modest = self.modest.take(now, network);
        let is_plenty = self.all.retry_after(now, self.half + 1).is_zero();
        (is_modest || is_plenty) && self.all.take(now, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_budget_stays_for_whoever_asks_for_little() {
        let mut rng = Rng::from_seed([7; 32]);
        let now = Instant::from_millis(1_000);
        let mut budget = FairBudget::new(now, &mut rng, 1_000, 100, 4);
        let greedy = |n: u8| SourceKey::of([10, 0, 0, n].into());
        let granted = (0..200_u8)
            .map(|n| (0..200).filter(|_| budget.take(now, greedy(n))).count())
            .collect::<Vec<_>>();
        assert_eq!(granted[0], 100, "the share of a network");
        // Six networks have what is above half; the others get a few each.
        assert!(granted[10..100].iter().all(|n| *n == 4), "{granted:?}");
        let mut budget = FairBudget::new(now, &mut rng, 1_000, 100, 4);
        for n in 0..50 {
            let _ = (0..200).filter(|_| budget.take(now, greedy(n))).count();
        }
        assert!(budget.take(now, SourceKey::of([192, 0, 2, 1].into())));
    }
}
