//! What arrived and when it is to be acknowledged (RFC 9000 §13.2, protocol §7). Takes: packet
//! numbers of authentic packets, acknowledgements sent, and acknowledgements of those. Answers:
//! whether one is due, its ranges and its delay. The newest range is held beside the list of older
//! ones: orderly traffic only moves one number and holds no heap memory.

use crate::ecn::{EcnCodepoint, EcnCounts};
use crate::limits;
use crate::time::{Duration, Instant};

/// An inclusive range of packet numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    start: u64,
    end: u64,
}

/// Where a packet number fell.
enum Place {
    /// Just behind the newest.
    InOrder,
    /// It opened or filled a gap.
    OutOfOrder,
    /// Known already, or too old to be remembered.
    Known,
}

/// Received packet numbers of an association.
#[derive(Clone, Debug)]
pub(crate) struct ReceivedPackets {
    newest: Option<Range>,
    /// Older ranges, ascending, apart from each other and from `newest` by at least one number.
    older: Vec<Range>,
    /// Numbers below are not recorded any more.
    floor: u64,
    largest_at: Instant,
    threshold: u32,
    eliciting: u32,
    at_once: bool,
    due_at: Option<Instant>,
    marks: EcnCounts,
}

impl ReceivedPackets {
    /// Starts with nothing received.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self {
            newest: None,
            older: Vec::new(),
            floor: 0,
            largest_at: Instant::EPOCH,
            threshold: limits::ACK_THRESHOLD,
            eliciting: 0,
            at_once: false,
            due_at: None,
            marks: EcnCounts {
                ect0: 0,
                ect1: 0,
                ce: 0,
            },
        }
    }

    /// Goes on behind the largest number that was received before; what is older is known, or lost for good.
    pub(super) fn go_on(largest: Option<u64>, marks: EcnCounts) -> Self {
        Self {
            marks,
            newest: largest.map(|pn| Range { start: pn, end: pn }),
            floor: largest.unwrap_or(0),
            ..Self::new()
        }
    }

    /// Notes an authentic packet and its mark; one that is known already changes nothing.
    pub(crate) fn on_packet(
        &mut self,
        pn: u64,
        ack_eliciting: bool,
        mark: Option<EcnCodepoint>,
        now: Instant,
    ) {
        let place = self.insert(pn, now);
        if matches!(place, Place::Known) {
            return;
        }
        if let Some(mark) = mark {
            self.marks.add(mark);
            // Congestion is told at once (RFC 9000 §13.2.1).
            self.at_once |= mark == EcnCodepoint::Ce && ack_eliciting;
        }
        if !ack_eliciting {
            return;
        }
        self.eliciting = self.eliciting.saturating_add(1);
        self.at_once |= matches!(place, Place::OutOfOrder);
        if self.due_at.is_none() {
            self.due_at = Some(now + limits::MAX_ACK_DELAY);
        }
    }

    /// The packet just noted wants its acknowledgement now: somebody measures, or probes after a loss.
    pub(crate) fn hasten_ack(&mut self) {
        self.at_once |= self.eliciting > 0;
    }

    /// Sets how many ack-eliciting packets call for an acknowledgement; 2 at first, never below 1.
    #[cfg(test)]
    pub(crate) fn set_ack_threshold(&mut self, packets: u32) {
        self.threshold = packets.max(1);
    }

    /// Whether an acknowledgement is to leave even if alone.
    #[must_use]
    pub(crate) fn ack_due(&self, now: Instant) -> bool {
        self.eliciting > 0
            && (self.at_once
                || self.eliciting >= self.threshold
                || self.due_at.is_some_and(|at| at <= now))
    }

    /// Whether something is worth acknowledging with the next packet that leaves anyway.
    #[must_use]
    pub(crate) const fn ack_pending(&self) -> bool {
        self.eliciting > 0
    }

    /// When a lone acknowledgement is due; in the past where one is due already.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        if self.at_once || self.eliciting >= self.threshold {
            return self.due_at.map(|at| at - limits::MAX_ACK_DELAY);
        }
        self.due_at
    }

    /// The ranges to acknowledge: inclusive `(start, end)`, descending, at most
    /// `limits::ACK_RANGES`.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + Clone + '_ {
        self.newest
            .iter()
            .chain(self.older.iter().rev())
            .map(|range| (range.start, range.end))
    }

    /// How many packets came with each mark; `None` where none did.
    pub(crate) fn marks(&self) -> Option<EcnCounts> {
        Some(self.marks).filter(|marks| !marks.is_empty())
    }

    /// How many ranges [`Self::ranges`] yields.
    #[must_use]
    pub(crate) fn range_count(&self) -> usize {
        usize::from(self.newest.is_some()) + self.older.len()
    }

    /// The largest packet number received.
    #[must_use]
    pub(crate) fn largest(&self) -> Option<u64> {
        self.newest.map(|range| range.end)
    }

    /// Time since the packet with the largest number arrived.
    #[must_use]
    pub(crate) fn ack_delay(&self, now: Instant) -> Duration {
        now.saturating_since(self.largest_at)
    }

    /// Notes that an acknowledgement of all ranges leaves.
    pub(crate) fn on_ack_sent(&mut self, _now: Instant) {
        self.eliciting = 0;
        self.at_once = false;
        self.due_at = None;
    }

    /// Forgets ranges that the peer knows to be acknowledged: it acknowledged a packet of ours
    /// whose acknowledgement had `largest_acked` as its largest number (RFC 9000 §13.2.4). The
    /// range around that number stays.
    pub(crate) fn on_ack_of_ack(&mut self, largest_acked: u64) {
        let settled = self.older.partition_point(|r| r.end < largest_acked);
        let _ = self.older.drain(..settled);
        let start = self.older.first().or(self.newest.as_ref());
        // Where the number lies in a range, all below the range is known to be settled.
        let reached = start.map_or(0, |r| r.start).min(largest_acked);
        self.floor = self.floor.max(reached);
        if self.older.is_empty() {
            self.older = Vec::new();
        }
    }

    fn insert(&mut self, pn: u64, now: Instant) -> Place {
        let Some(newest) = &mut self.newest else {
            self.newest = Some(Range { start: pn, end: pn });
            self.largest_at = now;
            return if pn == 0 {
                Place::InOrder
            } else {
                Place::OutOfOrder
            };
        };
        if newest.end.checked_add(1) == Some(pn) {
            newest.end = pn;
            self.largest_at = now;
            return Place::InOrder;
        }
        if pn > newest.end {
            let before = core::mem::replace(newest, Range { start: pn, end: pn });
            self.older.push(before);
            self.largest_at = now;
            self.cap();
            return Place::OutOfOrder;
        }
        if pn >= newest.start || pn < self.floor {
            return Place::Known;
        }
        if pn.checked_add(1) == Some(newest.start) {
            newest.start = pn;
            if let Some(below) = self.older.pop_if(|r| r.end.checked_add(1) == Some(pn)) {
                newest.start = below.start;
            }
            return Place::OutOfOrder;
        }
        self.insert_older(pn)
    }

    fn insert_older(&mut self, pn: u64) -> Place {
        // The first range that ends at or above the number's lower neighbour.
        let index = self.older.partition_point(|r| r.end.saturating_add(1) < pn);
        let Some(range) = self.older.get_mut(index) else {
            self.older.push(Range { start: pn, end: pn });
            self.cap();
            return Place::OutOfOrder;
        };
        if (range.start..=range.end).contains(&pn) {
            return Place::Known;
        }
        if range.end.checked_add(1) == Some(pn) {
            range.end = pn;
            let end = pn;
            let next = self.older.get(index + 1).copied();
            if let Some(next) = next.filter(|n| end.checked_add(1) == Some(n.start)) {
                self.older.remove(index + 1);
                if let Some(range) = self.older.get_mut(index) {
                    range.end = next.end;
                }
            }
        } else if pn.checked_add(1) == Some(range.start) {
            range.start = pn;
        } else {
            self.older.insert(index, Range { start: pn, end: pn });
            self.cap();
        }
        Place::OutOfOrder
    }

    /// Forgets the oldest range where there are too many; its numbers count as known from then on.
    fn cap(&mut self) {
        if self.older.len() >= limits::ACK_RANGES {
            let oldest = self.older.remove(0);
            self.floor = self.floor.max(oldest.end.saturating_add(1));
        }
    }
}

impl Default for ReceivedPackets {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn after(numbers: &[u64]) -> ReceivedPackets {
        let mut received = ReceivedPackets::new();
        for pn in numbers {
            received.on_packet(*pn, true, None, at(0));
        }
        received
    }

    fn ranges(received: &ReceivedPackets) -> Vec<(u64, u64)> {
        received.ranges().collect()
    }

    #[test]
    fn two_packets_call_for_an_acknowledgement_and_one_waits() {
        let mut received = after(&[0]);
        assert!(!received.ack_due(at(9)));
        assert_eq!(received.next_timeout(), Some(at(10)));
        assert!(received.ack_due(at(10)));
        received.on_packet(1, true, None, at(3));
        assert!(received.ack_due(at(3)));
        assert!(received.next_timeout().is_some_and(|due| due <= at(3)));
        received.on_ack_sent(at(4));
        assert!(!received.ack_due(at(100)) && received.next_timeout().is_none());
        assert_eq!(received.ack_delay(at(4)), Duration::from_millis(1));
    }

    #[test]
    fn packets_that_elicit_nothing_are_listed_but_call_for_nothing() {
        let mut received = ReceivedPackets::new();
        for pn in 0..10 {
            received.on_packet(pn, false, None, at(0));
        }
        assert!(!received.ack_due(at(1_000)) && !received.ack_pending());
        assert_eq!(ranges(&received), [(0, 9)]);
    }

    #[test]
    fn a_gap_and_its_filling_are_acknowledged_at_once() {
        let mut received = after(&[0, 1]);
        received.on_ack_sent(at(0));
        received.on_packet(3, true, None, at(1));
        assert!(received.ack_due(at(1)), "a gap opened");
        received.on_ack_sent(at(1));
        received.on_packet(2, true, None, at(2));
        assert!(received.ack_due(at(2)), "the gap closed");
        assert_eq!(ranges(&received), [(0, 3)]);
    }

    #[test]
    fn marks_are_counted_once_and_congestion_is_told_at_once() {
        let mut received = after(&[0]);
        assert_eq!(received.marks(), None);
        received.on_ack_sent(at(0));
        for mark in [EcnCodepoint::Ce, EcnCodepoint::Ect0] {
            received.on_packet(1, true, Some(mark), at(1));
        }
        assert!(received.ack_due(at(1)));
        received.on_packet(2, false, Some(EcnCodepoint::Ect0), at(1));
        let counts = EcnCounts {
            ect0: 1,
            ect1: 0,
            ce: 1,
        };
        assert_eq!(received.marks(), Some(counts));
    }

    #[test]
    fn duplicates_change_nothing() {
        let mut received = after(&[0, 1, 2, 5]);
        received.on_ack_sent(at(0));
        for pn in [0, 2, 5] {
            received.on_packet(pn, true, None, at(1));
        }
        assert!(!received.ack_pending());
        assert_eq!(ranges(&received), [(5, 5), (0, 2)]);
    }

    #[test]
    fn a_higher_threshold_thins_acknowledgements_out() {
        let mut received = ReceivedPackets::new();
        received.set_ack_threshold(16);
        for pn in 0..15 {
            received.on_packet(pn, true, None, at(0));
        }
        assert!(!received.ack_due(at(0)));
        received.on_packet(15, true, None, at(0));
        assert!(received.ack_due(at(0)));
    }

    #[test]
    fn ranges_are_bounded_and_the_oldest_go_first() {
        let numbers: Vec<u64> = (0..200).map(|i| i * 2).collect();
        let mut received = after(&numbers);
        assert_eq!(received.range_count(), limits::ACK_RANGES);
        assert_eq!(ranges(&received).first(), Some(&(398, 398)));
        received.on_ack_sent(at(0));
        received.on_packet(0, true, None, at(0));
        assert!(!received.ack_pending(), "forgotten numbers count as known");
    }

    #[test]
    fn ranges_that_the_peer_saw_acknowledged_are_forgotten() {
        let mut received = after(&[0, 2, 4, 5, 6, 8]);
        received.on_ack_of_ack(5);
        assert_eq!(ranges(&received), [(8, 8), (4, 6)]);
        received.on_ack_sent(at(0));
        received.on_packet(1, true, None, at(0));
        assert_eq!(ranges(&received), [(8, 8), (4, 6)]);
    }

    quickcheck! {
        fn ranges_are_exactly_what_arrived(numbers: Vec<u8>) -> bool {
            let numbers: Vec<u64> = numbers.into_iter().map(|n| u64::from(n % 100)).collect();
            let received = after(&numbers);
            let listed = ranges(&received);
            let apart = listed.windows(2).all(|w| w[0].0 > w[1].1 + 1);
            let set: BTreeSet<u64> = numbers.into_iter().collect();
            let flat: BTreeSet<u64> = listed.iter().flat_map(|(a, b)| *a..=*b).collect();
            apart && flat == set
        }
    }
}
