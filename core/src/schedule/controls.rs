//! Control messages that have no answer of their own (protocol §6): those of ours wait here, in order, and come again
//! until they arrive; those of the peer are counted against its budget.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Content, SentFrame};
use crate::limiter::TokenBucket;
use crate::limits;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::ControlFrame;

/// Control messages of one peer, both directions.
pub(crate) struct Controls {
    queue: VecDeque<Bytes>,
    budget: TokenBucket,
}

impl Controls {
    /// Nothing to say, and a full budget.
    pub(crate) fn new(now: Instant) -> Self {
        let (per_s, burst) = (limits::CONTROLS_PER_S, limits::CONTROLS_BURST);
        Self {
            queue: VecDeque::new(),
            budget: TokenBucket::new(u64::from(per_s), u64::from(burst), now),
        }
    }

    /// Whether a control message that came may be read.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        self.budget.take(now, 1)
    }

    /// Says this until it arrives; of too many the oldest is given up.
    pub(crate) fn push(&mut self, json: Bytes) {
        if self.queue.len() >= limits::CONTROLS_QUEUED {
            self.queue.pop_front();
        }
        self.queue.push_back(json);
    }

    /// The association is over: nothing is said any more. What the peer has used up of its budget stays so.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Whether something is to be said.
    pub(crate) fn waits(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether nothing would be forgotten in a rest.
    pub(crate) fn may_rest(&self, now: Instant) -> bool {
        self.queue.is_empty() && self.budget.is_full(now)
    }

    /// Writes as many as there is room for.
    pub(crate) fn fill(&mut self, w: &mut Writer<'_>, content: &mut Content) {
        while let Some(json) = self.queue.front() {
            if (ControlFrame { json }).encode(w).is_err() {
                break;
            }
            content.extend(self.queue.pop_front().map(SentFrame::Control));
        }
    }

    /// The packet with this in it is lost, or a probe is to carry it again.
    pub(crate) fn on_lost(&mut self, json: Bytes) {
        self.queue.push_back(json);
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(n: usize) -> Bytes {
        Bytes::from(format!("{{\"n\":{n}}}"))
    }

    fn packet(controls: &mut Controls, room: usize) -> Content {
        let (mut buffer, mut content) = ([0; 1_400], Content::new());
        controls.fill(&mut Writer::new(&mut buffer[..room]), &mut content);
        content
    }

    #[test]
    fn what_is_lost_is_said_again_and_what_arrived_is_not() {
        let mut controls = Controls::new(Instant::EPOCH);
        controls.push(json(1));
        controls.push(json(2));
        let content = packet(&mut controls, 1_400);
        assert_eq!(content.len(), 2);
        assert!(!controls.waits());
        let Some(SentFrame::Control(lost)) = content.into_iter().next_back() else {
            panic!("a control");
        };
        controls.on_lost(lost);
        let again = packet(&mut controls, 1_400);
        assert!(matches!(&again[..], [SentFrame::Control(same)] if *same == json(2)));
    }

    #[test]
    fn what_finds_no_room_waits_for_the_next_packet() {
        let mut controls = Controls::new(Instant::EPOCH);
        controls.push(json(1));
        controls.push(json(2));
        assert_eq!(packet(&mut controls, 12).len(), 1);
        assert_eq!(packet(&mut controls, 12).len(), 1);
        assert!(!controls.waits());
    }

    #[test]
    fn the_queue_is_bounded_whatever_is_said_and_the_newest_stays() {
        let mut controls = Controls::new(Instant::EPOCH);
        for n in 0..10 * limits::CONTROLS_QUEUED {
            controls.push(json(n));
        }
        assert_eq!(controls.len(), limits::CONTROLS_QUEUED);
        let newest = json(10 * limits::CONTROLS_QUEUED - 1);
        assert!(controls.queue.contains(&newest));
        controls.clear();
        assert!(!controls.waits());
    }

    #[test]
    fn a_peer_that_floods_is_not_heard_until_its_budget_refills() {
        let mut controls = Controls::new(Instant::EPOCH);
        let heard = (0..10 * limits::CONTROLS_BURST).filter(|_| controls.admits(Instant::EPOCH));
        assert_eq!(heard.count(), limits::CONTROLS_BURST as usize);
        // A rest in between would give it a full budget.
        assert!(!controls.may_rest(Instant::EPOCH));
        controls.clear();
        assert!(
            !controls.admits(Instant::EPOCH),
            "an end gives nothing back"
        );
        assert!(controls.admits(Instant::from_millis(1_000)));
        assert!(controls.may_rest(Instant::from_millis(3_600_000)));
    }
}
