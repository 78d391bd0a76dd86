//! Control messages that have no answer of their own (protocol §6), as a source: each comes again until it arrived.
//! Those of the peer are counted against its budget.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Acked, Content, ControlSent, SentFrame, Source, Wrote};
use crate::limiter::TokenBucket;
use crate::limits;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::ControlFrame;

/// A message of ours that the peer is not known to have.
struct Unheard {
    id: u64,
    json: Bytes,
    /// How often it has left.
    sendings: u32,
    /// To be sent now.
    waits: bool,
}

/// Control messages of one peer, both directions.
pub(crate) struct Controls {
    unheard: VecDeque<Unheard>,
    next_id: u64,
    budget: TokenBucket,
}

impl Controls {
    /// Nothing to say, and a full budget.
    pub(crate) fn new(now: Instant) -> Self {
        let (per_s, burst) = (limits::CONTROLS_PER_S, limits::CONTROLS_BURST);
        Self {
            unheard: VecDeque::new(),
            next_id: 0,
            budget: TokenBucket::new(u64::from(per_s), u64::from(burst), now),
        }
    }

    /// Whether a control message that came may be read.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        self.budget.take(now, 1)
    }

    /// Says this until it arrives; of too many the oldest is given up.
    pub(crate) fn push(&mut self, json: Bytes) {
        if self.unheard.len() >= limits::CONTROLS_QUEUED {
            self.unheard.pop_front();
        }
        self.unheard.push_back(Unheard {
            id: self.next_id,
            json,
            sendings: 0,
            waits: true,
        });
        self.next_id += 1;
    }

    /// The association is over: nothing is said any more. What the peer has used up of its budget stays so.
    pub(crate) fn clear(&mut self) {
        self.unheard.clear();
    }

    /// Whether nothing would be forgotten in a rest.
    pub(crate) fn may_rest(&self, now: Instant) -> bool {
        self.unheard.is_empty() && self.budget.is_full(now)
    }

    fn by_id(&mut self, id: u64) -> Option<&mut Unheard> {
        self.unheard.iter_mut().find(|unheard| unheard.id == id)
    }

    /// How many are not known to have arrived.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.unheard.len()
    }
}

impl Source<()> for Controls {
    type Sent = ControlSent;

    fn waits(&self) -> bool {
        self.unheard.iter().any(|unheard| unheard.waits)
    }

    fn poll(
        &mut self,
        _names: &mut (),
        w: &mut Writer<'_>,
        _now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        let first = self.unheard.iter_mut().find(|unheard| unheard.waits)?;
        let json = &first.json;
        (ControlFrame { json }).encode(w).ok()?;
        first.waits = false;
        first.sendings = first.sendings.saturating_add(1);
        let (id, sending) = (first.id, first.sendings);
        content.push(SentFrame::Control(ControlSent { id, sending }));
        Some(Wrote::Engine)
    }

    fn on_delivered(&mut self, sent: &ControlSent, _acked: Acked) {
        self.unheard.retain(|unheard| unheard.id != sent.id);
    }

    fn on_lost(&mut self, sent: &ControlSent) {
        if let Some(unheard) = self.by_id(sent.id) {
            // A later sending may be under way.
            unheard.waits |= unheard.sendings == sent.sending;
        }
    }

    fn on_probe(&mut self, sent: &ControlSent) {
        if let Some(unheard) = self.by_id(sent.id) {
            unheard.waits = true;
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(n: usize) -> Bytes {
        Bytes::from(format!("{{\"n\":{n}}}"))
    }

    fn packet(controls: &mut Controls, room: usize) -> Vec<ControlSent> {
        let (mut buffer, mut content) = ([0; 1_400], Content::new());
        let mut w = Writer::new(&mut buffer[..room]);
        let now = Instant::EPOCH;
        while controls.poll(&mut (), &mut w, now, &mut content).is_some() {}
        let sent = content.into_iter().map(|frame| match frame {
            SentFrame::Control(sent) => sent,
            other => panic!("{other:?}"),
        });
        sent.collect()
    }

    fn arrive(controls: &mut Controls, sent: &ControlSent) {
        let acked = Acked {
            by_pn: 1,
            now: Instant::EPOCH,
            rtt: None,
        };
        controls.on_delivered(sent, acked);
    }

    #[test]
    fn what_is_lost_is_said_again_and_what_arrived_is_not() {
        let mut controls = Controls::new(Instant::EPOCH);
        controls.push(json(1));
        controls.push(json(2));
        let sent = packet(&mut controls, 1_400);
        assert_eq!(sent.len(), 2);
        assert!(!controls.waits());
        arrive(&mut controls, &sent[0]);
        controls.on_lost(&sent[0]);
        controls.on_lost(&sent[1]);
        let again = packet(&mut controls, 1_400);
        assert_eq!(again.len(), 1);
        arrive(&mut controls, &again[0]);
        assert!(controls.may_rest(Instant::EPOCH));
    }

    /// Over a bad line each message is under way several times; its copies must not breed.
    #[test]
    fn probes_and_late_losses_make_no_second_copy() {
        let mut controls = Controls::new(Instant::EPOCH);
        controls.push(json(1));
        let mut sent = packet(&mut controls, 1_400);
        for _ in 0..50 {
            sent.iter().for_each(|sent| controls.on_probe(sent));
            sent.extend(packet(&mut controls, 1_400));
        }
        assert_eq!(sent.len(), 51, "one for each probe");
        let (newest, older) = sent.split_last().expect("sent");
        older.iter().for_each(|sent| controls.on_lost(sent));
        assert!(!controls.waits(), "the newest is under way");
        controls.on_lost(newest);
        assert_eq!(packet(&mut controls, 1_400).len(), 1);
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
    fn what_is_kept_is_bounded_whatever_is_said_and_lost_and_the_newest_stays() {
        let mut controls = Controls::new(Instant::EPOCH);
        for n in 0..10 * limits::CONTROLS_QUEUED {
            controls.push(json(n));
            for sent in packet(&mut controls, 1_400) {
                controls.on_lost(&sent);
            }
        }
        assert_eq!(controls.len(), limits::CONTROLS_QUEUED);
        let newest = json(10 * limits::CONTROLS_QUEUED - 1);
        assert!(controls.unheard.iter().any(|u| u.json == newest));
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
