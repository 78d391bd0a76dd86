//! Whether packets are marked for ECN, and whether the path gives the marks back (protocol §7.2; RFC 9000 §13.4.2).
//! A path begins by marking a few packets; it goes on once an acknowledgement counts them right, and never again where
//! one counts them wrong: a box that bleaches or forges marks would otherwise hide congestion, or invent it.
//!
//! Counts are of an association, marks of a path. An acknowledgement that settles marked packets of two paths judges
//! only that it counts no more packets than were marked.

use crate::ecn::EcnCounts;

/// Packets that try a path (RFC 9000 §A.4).
const TESTS: u8 = 10;

/// What is known about marks on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathEcn {
    /// So many more packets are marked to try the path.
    Testing(u8),
    /// All tests have left and none of them is acknowledged: not marked meanwhile.
    Unknown,
    /// The path carries marks.
    Capable,
    /// It does not, or the peer counts wrong.
    Failed,
}

impl PathEcn {
    pub(super) const fn new() -> Self {
        Self::Testing(TESTS)
    }

    pub(super) const fn marks(self) -> bool {
        matches!(self, Self::Testing(_) | Self::Capable)
    }

    /// A marked packet left that will be acknowledged, or lost.
    pub(super) fn on_marked(&mut self) {
        if let Self::Testing(left) = self {
            *left = left.saturating_sub(1);
            if *left == 0 {
                *self = Self::Unknown;
            }
        }
    }

    /// Marked packets were acknowledged, and counted rightly or not. Says whether marks of congestion count.
    pub(super) fn on_counted(&mut self, is_right: bool) -> bool {
        *self = match self {
            Self::Failed => Self::Failed,
            _ if is_right => Self::Capable,
            _ => Self::Failed,
        };
        *self == Self::Capable
    }
}

/// What the peer has counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeardCounts {
    /// `None` after a rest: the first counts then say only where the peer is, and nothing is marked before.
    newest: Option<EcnCounts>,
    /// Packets sent with a mark that no count has shown yet.
    unseen: u64,
}

impl HeardCounts {
    pub(super) const fn new() -> Self {
        Self {
            newest: Some(EcnCounts {
                ect0: 0,
                ect1: 0,
                ce: 0,
            }),
            unseen: 0,
        }
    }

    pub(super) const fn after_rest() -> Self {
        Self {
            newest: None,
            unseen: 0,
        }
    }

    pub(super) const fn may_mark(&self) -> bool {
        self.newest.is_some()
    }

    pub(super) fn on_marked(&mut self) {
        self.unseen += 1;
    }

    /// Takes counts of an acknowledgement newer than all before, for `acked` packets sent with ECT(0). Gives the
    /// packets marked with congestion where the counts are possible.
    pub(super) fn on_counts(&mut self, counts: EcnCounts, acked: u64) -> Option<u64> {
        let before = self.newest.replace(counts)?;
        let new = counts.since(&before)?;
        let seen = new.ect0.checked_add(new.ce)?;
        let is_right = new.ect1 == 0 && seen >= acked;
        self.unseen = self.unseen.checked_sub(seen)?;
        is_right.then_some(new.ce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn counts(ect0: u64, ect1: u64, ce: u64) -> EcnCounts {
        EcnCounts { ect0, ect1, ce }
    }

    fn after(marked: u64) -> HeardCounts {
        let mut heard = HeardCounts::new();
        (0..marked).for_each(|_| heard.on_marked());
        heard
    }

    #[test]
    fn a_path_is_tried_with_a_few_packets_and_waits_for_the_verdict() {
        let mut path = PathEcn::new();
        for _ in 0..TESTS {
            assert!(path.marks());
            path.on_marked();
        }
        assert!(!path.marks() && path == PathEcn::Unknown);
        assert!(path.on_counted(true) && path.marks());
        path.on_marked();
        assert_eq!(path, PathEcn::Capable);
        assert!(!path.on_counted(false) && !path.marks());
        assert!(!path.on_counted(true) && !path.marks(), "failed for good");
    }

    #[test]
    fn right_counts_give_the_marks_of_congestion() {
        let mut heard = after(10);
        assert_eq!(heard.on_counts(counts(4, 0, 0), 4), Some(0));
        assert_eq!(heard.on_counts(counts(5, 0, 2), 3), Some(2));
        assert_eq!(
            heard.on_counts(counts(7, 0, 3), 2),
            Some(1),
            "one more than acknowledged"
        );
    }

    #[test]
    fn bleached_forged_and_impossible_counts_are_refused() {
        assert_eq!(
            after(3).on_counts(counts(2, 0, 0), 3),
            None,
            "one mark is gone"
        );
        assert_eq!(after(3).on_counts(counts(2, 1, 0), 3), None, "never sent");
        assert_eq!(
            after(3).on_counts(counts(3, 0, 1), 3),
            None,
            "more than were sent"
        );
        let mut heard = after(9);
        assert_eq!(heard.on_counts(counts(3, 0, 0), 3), Some(0));
        assert_eq!(
            heard.on_counts(counts(2, 0, 4), 3),
            None,
            "a count went down"
        );
        let most = counts(u64::MAX, 0, u64::MAX);
        assert_eq!(after(3).on_counts(most, 1), None);
    }

    #[test]
    fn after_a_rest_the_first_counts_only_say_where_the_peer_is() {
        let mut heard = HeardCounts::after_rest();
        assert!(!heard.may_mark());
        assert_eq!(heard.on_counts(counts(70, 0, 5), 0), None);
        assert!(heard.may_mark());
        heard.on_marked();
        assert_eq!(heard.on_counts(counts(70, 0, 6), 1), Some(1));
    }
}
