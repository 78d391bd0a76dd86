//! Half-open handshakes that this node answered: bounded, short-lived, few for each initiator (protocol §3.6).
//! A replayed initiation costs one place here for a while and nothing else: it does not push out the genuine one.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;
use crate::identity::KeyRecord;
use crate::limits;
use crate::path::Route;
use crate::session::{Session, XxResponder};
use crate::time::Instant;

/// What waits for a sign that the initiator got our answer.
pub(crate) enum HalfOpen {
    /// `IK`: everything is known; a data packet confirms it.
    Ik(Box<HalfOpenIk>),
    /// `XX`: the third datagram tells who it is.
    Xx(Box<XxResponder>),
}

/// A session that its initiator has not yet shown to hold.
pub(crate) struct HalfOpenIk {
    pub(crate) session: Session,
    pub(crate) record: KeyRecord,
    pub(crate) association: u64,
    /// What the initiator offers (protocol §3.8).
    pub(crate) capabilities: u32,
    /// It goes on with the association that was held when the initiation came.
    pub(crate) resumes: bool,
}

struct Slot {
    half_open: HalfOpen,
    initiation: Vec<u8>,
    answer: Vec<u8>,
    route: Route,
    since: Instant,
    ends: Instant,
    /// Whether a third datagram of `XX` was computed for it.
    is_tried: bool,
}

/// All half-open handshakes, by our receiver index.
#[derive(Default)]
pub(crate) struct HalfOpenTable {
    slots: BTreeMap<u32, Slot>,
    by_initiation: BTreeMap<Vec<u8>, u32>,
    by_remote: BTreeMap<NodeId, Vec<u32>>,
    order: BTreeSet<(Instant, u32)>,
}

impl HalfOpenTable {
    /// The answer given before to exactly this initiation.
    pub(crate) fn answer_to(&self, initiation: &[u8]) -> Option<&[u8]> {
        let index = self.by_initiation.get(initiation)?;
        self.slots.get(index).map(|slot| slot.answer.as_slice())
    }

    /// Keeps a half-open handshake; gives back the receiver indices that had to make room.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        index: u32,
        half_open: HalfOpen,
        route: Route,
        (initiation, answer): (Vec<u8>, Vec<u8>),
    ) -> Vec<u32> {
        let mut retired = Vec::new();
        let mut life = limits::PROVISIONAL_LIFE;
        if let HalfOpen::Ik(ik) = &half_open {
            if ik.resumes {
                life = limits::PROVISIONAL_RESUMED_LIFE;
            }
            let of_remote = self.by_remote.entry(ik.record.id).or_default();
            of_remote.push(index);
            if of_remote.len() > limits::PROVISIONAL_PER_IDENTITY {
                let oldest = of_remote.remove(0);
                retired.extend(self.drop_slot(oldest));
            }
        }
        while self.slots.len() >= limits::PROVISIONAL_SESSIONS {
            let Some((_, first)) = self.order.first().copied() else {
                break;
            };
            retired.extend(self.drop_slot(first));
        }
        let ends = now + life;
        self.order.insert((ends, index));
        self.by_initiation.insert(initiation.clone(), index);
        self.slots.insert(
            index,
            Slot {
                half_open,
                initiation,
                answer,
                route,
                since: now,
                ends,
                is_tried: false,
            },
        );
        retired
    }

    /// The half-open handshake with this receiver index, and where its answer went first.
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<(&mut HalfOpen, Route)> {
        self.slots
            .get_mut(&index)
            .map(|slot| (&mut slot.half_open, slot.route))
    }

    /// Takes the one third datagram of `XX` that was paid for when the first was let in. Without it a caller that was
    /// let in could find the node's budget used up in between, and nothing would ask it to come again.
    pub(crate) fn take_paid_third(&mut self, index: u32) -> bool {
        let slot = self.slots.get_mut(&index);
        slot.is_some_and(|slot| !core::mem::replace(&mut slot.is_tried, true))
    }

    /// When this half-open handshake was answered first.
    pub(crate) fn since(&self, index: u32) -> Option<Instant> {
        self.slots.get(&index).map(|slot| slot.since)
    }

    /// Takes a half-open handshake out: it is confirmed.
    pub(crate) fn take(&mut self, index: u32) -> Option<HalfOpen> {
        let slot = self.slots.remove(&index)?;
        self.unlink(index, &slot);
        Some(slot.half_open)
    }

    /// Drops what is too old; gives back its receiver indices.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<u32> {
        let mut retired = Vec::new();
        while let Some((ends, index)) = self.order.first().copied()
            && ends <= now
        {
            self.order.remove(&(ends, index));
            retired.extend(self.drop_slot(index));
        }
        retired
    }

    /// When the oldest is too old.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.order.first().map(|(ends, _)| *ends)
    }

    /// Half-open handshakes kept now.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Drops one; gives its receiver index back.
    pub(crate) fn drop_slot(&mut self, index: u32) -> Option<u32> {
        let slot = self.slots.remove(&index)?;
        self.unlink(index, &slot);
        Some(index)
    }

    fn unlink(&mut self, index: u32, slot: &Slot) {
        self.order.remove(&(slot.ends, index));
        self.by_initiation.remove(&slot.initiation);
        if let HalfOpen::Ik(ik) = &slot.half_open
            && let Some(of_remote) = self.by_remote.get_mut(&ik.record.id)
        {
            of_remote.retain(|other| *other != index);
            if of_remote.is_empty() {
                self.by_remote.remove(&ik.record.id);
            }
        }
    }
}
