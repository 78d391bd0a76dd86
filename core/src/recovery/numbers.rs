//! Packet numbers of one association: counted up from 0, now and then one is left out. A peer that
//! acknowledges a number left out, or one not reached yet, acknowledges what it cannot have seen
//! (RFC 9000 §21.4). The gaps are random and grow on average from 128 to 32,768 numbers.

use std::collections::VecDeque;

use super::outcome::AckOfUnsent;
use crate::rng::Rng;

const FIRST_GAP: u64 = 256;
const LAST_GAP: u64 = 65_536;
/// Numbers left out that are remembered; an acknowledgement of older ones gains a cheat nothing.
const SKIPPED_REMEMBERED: usize = 8;

/// Counter of packet numbers.
#[derive(Debug)]
pub(super) struct PacketNumbers {
    next: u64,
    skip_at: Option<u64>,
    gap: u64,
    skipped: VecDeque<u64>,
    largest_acked: Option<u64>,
}

impl PacketNumbers {
    pub(super) const fn new() -> Self {
        Self {
            next: 0,
            skip_at: None,
            gap: FIRST_GAP,
            skipped: VecDeque::new(),
            largest_acked: None,
        }
    }

    /// The next number; it counts as used from now on.
    pub(super) fn take_next(&mut self, rng: &mut Rng) -> u64 {
        let skip_at = match self.skip_at {
            Some(at) => at,
            None => self.plan(rng),
        };
        if self.next >= skip_at {
            if self.skipped.len() >= SKIPPED_REMEMBERED {
                self.skipped.pop_front();
            }
            self.skipped.push_back(self.next);
            self.next += 1;
            self.plan(rng);
        }
        let pn = self.next;
        self.next += 1;
        pn
    }

    fn plan(&mut self, rng: &mut Rng) -> u64 {
        let at = self.next + 1 + rng.below(self.gap);
        self.gap = (self.gap * 2).min(LAST_GAP);
        self.skip_at = Some(at);
        at
    }

    /// Checks one range of an acknowledgement.
    pub(super) fn check(&self, start: u64, end: u64) -> Result<(), AckOfUnsent> {
        if end >= self.next {
            return Err(AckOfUnsent { pn: end });
        }
        match self.skipped.iter().find(|pn| (start..=end).contains(pn)) {
            Some(pn) => Err(AckOfUnsent { pn: *pn }),
            None => Ok(()),
        }
    }

    pub(super) fn on_acked(&mut self, largest: u64) {
        self.largest_acked = self.largest_acked.max(Some(largest));
    }

    pub(super) const fn largest_acked(&self) -> Option<u64> {
        self.largest_acked
    }

    /// Where counting stands: the next number, the next to be left out, and the mean distance between those.
    pub(super) const fn position(&self) -> (u64, Option<u64>, u64) {
        (self.next, self.skip_at, self.gap)
    }

    /// Goes on from a position.
    pub(super) const fn at(position: (u64, Option<u64>, u64), largest_acked: Option<u64>) -> Self {
        let (next, skip_at, gap) = position;
        Self {
            next,
            skip_at,
            gap,
            skipped: VecDeque::new(),
            largest_acked,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_those_left_out_may_not_be_acknowledged() {
        let mut rng = Rng::from_seed([3; 32]);
        let mut numbers = PacketNumbers::new();
        let taken: Vec<u64> = (0..5_000).map(|_| numbers.take_next(&mut rng)).collect();
        assert_eq!(taken.first(), Some(&0));
        assert!(taken.is_sorted_by(|a, b| a < b));
        let last = *taken.last().unwrap();
        let left_out: Vec<u64> = (0..last)
            .filter(|pn| taken.binary_search(pn).is_err())
            .collect();
        assert!(left_out.len() >= 4, "{left_out:?}");
        for pn in left_out {
            assert_eq!(numbers.check(pn - 1, pn + 1), Err(AckOfUnsent { pn }));
        }
        assert_eq!(numbers.check(last, last), Ok(()));
        assert_eq!(
            numbers.check(last, last + 1),
            Err(AckOfUnsent { pn: last + 1 })
        );
    }
}
