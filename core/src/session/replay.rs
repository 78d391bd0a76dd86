//! Which packet numbers were received (protocol §4.4; RFC 6479 with a bitmap that grows only as far
//! as it must).
//!
//! Takes packet numbers; says whether one is new. Numbers more than [`REPLAY_WINDOW`] behind the
//! newest count as received. A stretch that came in whole is forgotten, so a session without losses
//! holds a few words.

use std::collections::VecDeque;

use crate::limits::REPLAY_WINDOW;

const BLOCK_BITS: u64 = 64;
/// Blocks that a window touches at most, one more than it fills.
const BLOCKS: u64 = REPLAY_WINDOW / BLOCK_BITS + 1;

/// The received packet numbers of a session.
#[derive(Default)]
pub(super) struct ReplayWindow {
    largest: Option<u64>,
    /// Every number in a block below this one counts as received.
    floor: u64,
    /// Block number of `blocks[0]`; between `floor` and it nothing was received.
    first: u64,
    blocks: VecDeque<u64>,
}

impl ReplayWindow {
    /// A window in which nothing was received.
    #[must_use]
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// The largest number received.
    #[must_use]
    pub(super) const fn largest(&self) -> Option<u64> {
        self.largest
    }

    /// Whether `number` is new: not received, and not too old to tell.
    #[must_use]
    pub(super) fn is_new(&self, number: u64) -> bool {
        let Some(largest) = self.largest else {
            return true;
        };
        if number > largest {
            return true;
        }
        let block = number / BLOCK_BITS;
        if largest - number >= REPLAY_WINDOW || block < self.floor {
            return false;
        }
        let Some(index) = block.checked_sub(self.first) else {
            return true;
        };
        let word = usize::try_from(index)
            .ok()
            .and_then(|index| self.blocks.get(index));
        word.is_none_or(|word| word & bit(number) == 0)
    }

    /// Notes `number`, which came in authentic; says whether it was new.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        if !self.is_new(number) {
            return false;
        }
        let block = number / BLOCK_BITS;
        if self.largest.is_none_or(|largest| number > largest) {
            self.largest = Some(number);
            self.advance(block);
        }
        while block < self.first {
            self.blocks.push_front(0);
            self.first -= 1;
        }
        let index = usize::try_from(block - self.first).unwrap_or(usize::MAX);
        if let Some(word) = self.blocks.get_mut(index) {
            *word |= bit(number);
        }
        self.forget_full_blocks();
        true
    }

    /// Makes room up to `block`, the newest one, and drops what lies behind the window.
    fn advance(&mut self, block: u64) {
        self.floor = self.floor.max((block + 1).saturating_sub(BLOCKS));
        let end = self.first + self.blocks.len() as u64;
        if self.blocks.is_empty() || block.saturating_sub(end) >= BLOCKS {
            self.blocks.clear();
            self.first = block;
            self.blocks.push_back(0);
            return;
        }
        for _ in end..=block {
            self.blocks.push_back(0);
        }
        while self.first < self.floor && self.blocks.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn forget_full_blocks(&mut self) {
        while self.first <= self.floor
            && self.blocks.len() > 1
            && self.blocks.front() == Some(&u64::MAX)
        {
            self.blocks.pop_front();
            self.first += 1;
            self.floor = self.first;
        }
    }
}

/// How many of the newest numbers a window at rest tells apart.
const REST_BITS: u64 = 32;

/// A window at rest: the newest number, and which of the 31 before it were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplayAtRest {
    largest: u32,
    /// Bit `n` stands for `largest - n`.
    received: u32,
}

impl ReplayAtRest {
    /// The largest number received.
    pub(crate) fn largest(&self) -> u64 {
        self.largest.into()
    }
}

impl ReplayWindow {
    /// The window at rest, where anything was received, and no number is too large for it. What lies further back
    /// than it can say counts as received afterwards.
    pub(crate) fn rest(&self) -> Option<ReplayAtRest> {
        let largest = self.largest?;
        let is_received = |behind: &u64| {
            let number = largest.checked_sub(*behind);
            number.is_none_or(|number| !self.is_new(number))
        };
        Some(ReplayAtRest {
            largest: u32::try_from(largest).ok()?,
            received: (0..REST_BITS)
                .filter(is_received)
                .fold(0, |bits, n| bits | 1 << n),
        })
    }

    /// The window that was at rest.
    pub(crate) fn wake(at_rest: ReplayAtRest) -> Self {
        let largest = at_rest.largest();
        let newest = largest / BLOCK_BITS;
        let oldest = newest.saturating_sub(1);
        let word = |block: u64| {
            let numbers = block * BLOCK_BITS..=block * BLOCK_BITS + (BLOCK_BITS - 1);
            let is_received = |number: &u64| match largest.checked_sub(*number) {
                Some(behind) => behind >= REST_BITS || at_rest.received & 1 << behind != 0,
                None => false,
            };
            numbers
                .filter(is_received)
                .fold(0, |word, number| word | bit(number))
        };
        Self {
            largest: Some(largest),
            floor: oldest,
            first: oldest,
            blocks: (oldest..=newest).map(word).collect(),
        }
    }
}

const fn bit(number: u64) -> u64 {
    1 << (number % BLOCK_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn a_rest_forgets_nothing_that_was_received(steps: Vec<u8>, base: u32) -> bool {
            let mut window = ReplayWindow::new();
            let mut next = u64::from(base / 2);
            for step in steps {
                next += u64::from(step % 5);
                window.insert(next.saturating_sub(u64::from(step / 16)));
            }
            let woken = window.rest().map_or_else(ReplayWindow::new, ReplayWindow::wake);
            let largest = window.largest().unwrap_or(0);
            let numbers = largest.saturating_sub(300)..largest + 300;
            woken.largest() == window.largest()
                && numbers.into_iter().all(|number| {
                    let is_near = largest.saturating_sub(number) < REST_BITS;
                    let is_same = woken.is_new(number) == window.is_new(number);
                    is_same || (!is_near && !woken.is_new(number))
                })
        }
    }

    #[test]
    fn a_window_goes_on_after_a_rest() {
        let mut window = ReplayWindow::new();
        assert!(
            [100, 102, 130]
                .into_iter()
                .all(|number| window.insert(number))
        );
        let mut woken = ReplayWindow::wake(window.rest().expect("not empty"));
        assert!(
            ![100, 102, 130]
                .into_iter()
                .any(|number| woken.is_new(number))
        );
        assert!(woken.insert(101) && !woken.insert(101));
        assert!(woken.insert(9_000) && woken.insert(8_999) && !woken.insert(130));
        assert!(!woken.is_new(30), "further back than a rest remembers");
    }
    use std::collections::BTreeSet;

    #[derive(Default)]
    struct Naive(BTreeSet<u64>);

    impl Naive {
        fn insert(&mut self, number: u64) -> bool {
            let too_old = self
                .0
                .last()
                .is_some_and(|largest| number + REPLAY_WINDOW <= *largest);
            !too_old && self.0.insert(number)
        }
    }

    fn agrees(numbers: impl IntoIterator<Item = u64>) -> bool {
        let (mut window, mut naive) = (ReplayWindow::new(), Naive::default());
        numbers.into_iter().all(|number| {
            let expected = naive.insert(number);
            let same = window.is_new(number) == expected && window.insert(number) == expected;
            same && window.largest() == naive.0.last().copied()
                && window.blocks.len() as u64 <= BLOCKS
        })
    }

    quickcheck! {
        fn any_numbers_are_judged_as_by_a_set(numbers: Vec<u16>) -> bool {
            agrees(numbers.into_iter().map(u64::from))
        }

        fn walks_are_judged_as_by_a_set(start: u32, steps: Vec<i16>) -> bool {
            let mut at = u64::from(start);
            agrees(steps.into_iter().map(|step| {
                at = at.saturating_add_signed(i64::from(step) / 4);
                at
            }))
        }

        fn small_steps_are_judged_as_by_a_set(steps: Vec<u8>, start: u16) -> bool {
            let mut at = u64::from(start);
            let numbers = steps.into_iter().flat_map(|step| {
                at += u64::from(step % 5);
                [at, at.saturating_sub(u64::from(step)), at]
            });
            agrees(numbers.collect::<Vec<_>>())
        }

        fn jumps_are_judged_as_by_a_set(steps: Vec<(u8, u8)>) -> bool {
            let mut at = 0u64;
            let numbers = steps.into_iter().flat_map(|(power, back)| {
                at = at.saturating_add(1 << (power % 40));
                [at, at.saturating_sub(REPLAY_WINDOW - 2 + u64::from(back % 4)), at]
            });
            agrees(numbers.collect::<Vec<_>>())
        }
    }

    #[test]
    fn the_whole_window_is_remembered() {
        let backwards = (0..REPLAY_WINDOW + 70).rev();
        assert!(agrees(backwards.chain(0..3 * REPLAY_WINDOW)));
        assert!(agrees((0..40_000).step_by(3).chain(0..40_000)));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let mut window = ReplayWindow::new();
        assert!(window.insert(u64::MAX));
        assert!(!window.insert(u64::MAX));
        assert!(window.insert(u64::MAX - REPLAY_WINDOW + 1));
        assert!(!window.insert(u64::MAX - REPLAY_WINDOW));
    }

    #[test]
    fn a_stretch_without_losses_takes_few_words() {
        let mut window = ReplayWindow::new();
        for number in 0..100_000 {
            assert!(window.insert(number));
        }
        assert!(window.blocks.len() <= 2 && window.blocks.capacity() <= 8);
    }
}
