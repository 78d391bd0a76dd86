//! Chooses the path that carries the data. Direct before relayed; among equals the shorter
//! round-trip time, with enough hysteresis that two similar paths do not take turns
//! (docs/protocol.md §9.4).
//!
//! Takes: what each validated path looks like and which one is active. Returns: which one should be.
//! Pure.

use super::types::PathKey;
use crate::time::Duration;

/// A path must be better by this much to be preferred over a working one of its class.
const BETTER_BY: Duration = Duration::from_millis(5);

/// A validated path as the choice sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) path: PathKey,
    pub(super) is_direct: bool,
    /// It let probe timeouts pass and has not answered since.
    pub(super) doubted: bool,
    /// It failed a moment ago and must first show that it lasts.
    pub(super) held: bool,
    pub(super) rtt: Option<Duration>,
}

impl Choice {
    /// Smaller is better. A doubted path is better than none.
    const fn class(&self) -> u8 {
        match (self.doubted, self.is_direct, self.held) {
            (false, true, false) => 0,
            (false, false, _) => 1,
            (false, true, true) => 2,
            (true, ..) => 3,
        }
    }

    fn rtt_or_max(&self) -> Duration {
        self.rtt.unwrap_or(Duration::MAX)
    }
}

/// The path to use, or `None` where no path is validated.
pub(super) fn choose(active: Option<PathKey>, choices: &[Choice]) -> Option<PathKey> {
    let rank = |c: &&Choice| (c.class(), !c.is_direct, c.rtt_or_max(), c.path);
    let best = choices.iter().min_by_key(rank)?;
    let Some(current) = choices.iter().find(|c| Some(c.path) == active) else {
        return Some(best.path);
    };
    // What is in use already need not show that it lasts.
    let current = &Choice {
        held: false,
        ..*current
    };
    if best.class() < current.class() || (current.class() < 3 && is_clearly_better(best, current)) {
        return Some(best.path);
    }
    Some(current.path)
}

/// 5 ms and 10 % shorter, both known.
fn is_clearly_better(new: &Choice, old: &Choice) -> bool {
    let (Some(new_rtt), Some(old_rtt)) = (new.rtt, old.rtt) else {
        return false;
    };
    new.class() == old.class() && new_rtt + BETTER_BY <= old_rtt && new_rtt * 10 <= old_rtt * 9
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn path(key: u32, is_direct: bool, rtt_ms: u64) -> Choice {
        Choice {
            path: PathKey(key),
            is_direct,
            doubted: false,
            held: false,
            rtt: Some(Duration::from_millis(rtt_ms)),
        }
    }

    #[test]
    fn a_slow_direct_path_beats_a_fast_relay() {
        let paths = [path(1, false, 5), path(2, true, 90)];
        assert_eq!(choose(Some(PathKey(1)), &paths), Some(PathKey(2)));
        assert_eq!(choose(None, &paths), Some(PathKey(2)));
        assert_eq!(choose(None, &[]), None);
    }

    /// Protocol §9.4.
    #[test]
    fn a_change_needs_5_ms_and_10_percent() {
        let at = |old, new| choose(Some(PathKey(1)), &[path(1, true, old), path(2, true, new)]);
        assert_eq!(at(20, 16), Some(PathKey(1)));
        assert_eq!(at(20, 15), Some(PathKey(2)));
        assert_eq!(at(100, 92), Some(PathKey(1)));
        assert_eq!(at(100, 90), Some(PathKey(2)));
    }

    #[test]
    fn a_doubted_path_gives_way_but_is_kept_when_alone() {
        let doubted = Choice {
            doubted: true,
            ..path(1, true, 10)
        };
        assert_eq!(choose(Some(PathKey(1)), &[doubted]), Some(PathKey(1)));
        assert_eq!(
            choose(Some(PathKey(1)), &[doubted, path(2, false, 80)]),
            Some(PathKey(2))
        );
        let held = Choice {
            held: true,
            ..path(1, true, 10)
        };
        assert_eq!(
            choose(Some(PathKey(2)), &[held, path(2, false, 80)]),
            Some(PathKey(2))
        );
    }

    quickcheck! {
        fn choice_is_stable(rtts: Vec<(u16, bool, bool)>) -> bool {
            let paths: Vec<_> = rtts.iter().zip(0..).map(|(&(rtt, direct, doubted), key)| Choice {
                doubted, ..path(key, direct, u64::from(rtt))
            }).collect();
            let first = choose(None, &paths);
            first == choose(first, &paths)
        }
    }
}
