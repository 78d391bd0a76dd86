//! Half-open handshakes that this node answered: bounded, short-lived, one for each initiator (protocol §3.6).
//! A replayed initiation costs one place here for five seconds and nothing else.

use std::collections::{BTreeMap, VecDeque};

use crate::id::NodeId;
use crate::identity::KeyRecord;
use crate::limits;
use crate::path::Route;
use crate::session::{Session, XxResponder};
use crate::time::Instant;

/// What waits for a sign that the initiator got our answer.
pub(super) enum HalfOpen {
    /// `IK`: everything is known; a data packet confirms it.
    Ik(Box<HalfOpenIk>),
    /// `XX`: the third datagram tells who it is.
    Xx(Box<XxResponder>),
}

/// A session that its initiator has not yet shown to hold.
pub(super) struct HalfOpenIk {
    pub(super) session: Session,
    pub(super) record: KeyRecord,
    pub(super) association: u64,
}

struct Slot {
    half_open: HalfOpen,
    initiation: Vec<u8>,
    answer: Vec<u8>,
    route: Route,
    ends: Instant,
}

/// All half-open handshakes, by our receiver index.
#[derive(Default)]
pub(super) struct Provisional {
    slots: BTreeMap<u32, Slot>,
    by_initiation: BTreeMap<Vec<u8>, u32>,
    by_remote: BTreeMap<NodeId, u32>,
    order: VecDeque<(Instant, u32)>,
}

impl Provisional {
    /// The answer given before to exactly this initiation.
    pub(super) fn answer_to(&self, initiation: &[u8]) -> Option<&[u8]> {
        let index = self.by_initiation.get(initiation)?;
        self.slots.get(index).map(|slot| slot.answer.as_slice())
    }

    /// Keeps a half-open handshake; gives back the receiver indices that had to make room.
    pub(super) fn insert(
        &mut self,
        now: Instant,
        index: u32,
        half_open: HalfOpen,
        route: Route,
        (initiation, answer): (Vec<u8>, Vec<u8>),
    ) -> Vec<u32> {
        let mut retired = Vec::new();
        if let HalfOpen::Ik(ik) = &half_open
            && let Some(old) = self.by_remote.insert(ik.record.id, index)
        {
            retired.extend(self.drop_slot(old));
            self.by_remote.insert(ik.record.id, index);
        }
        while self.slots.len() >= limits::PROVISIONAL_SESSIONS {
            let Some((_, oldest)) = self.order.pop_front() else {
                break;
            };
            retired.extend(self.drop_slot(oldest));
        }
        let ends = now + limits::PROVISIONAL_LIFE;
        self.order.push_back((ends, index));
        self.by_initiation.insert(initiation.clone(), index);
        self.slots.insert(
            index,
            Slot {
                half_open,
                initiation,
                answer,
                route,
                ends,
            },
        );
        retired
    }

    /// The half-open handshake with this receiver index.
    pub(super) fn get_mut(&mut self, index: u32) -> Option<(&mut HalfOpen, Route)> {
        self.slots
            .get_mut(&index)
            .map(|slot| (&mut slot.half_open, slot.route))
    }

    /// Takes a half-open handshake out: it is confirmed.
    pub(super) fn take(&mut self, index: u32) -> Option<HalfOpen> {
        let slot = self.slots.remove(&index)?;
        self.unlink(index, &slot);
        Some(slot.half_open)
    }

    /// Drops what is too old; gives back its receiver indices.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<u32> {
        let mut retired = Vec::new();
        while let Some((ends, index)) = self.order.front().copied() {
            if ends > now {
                break;
            }
            self.order.pop_front();
            let is_same = self.slots.get(&index).is_some_and(|slot| slot.ends == ends);
            if is_same {
                retired.extend(self.drop_slot(index));
            }
        }
        retired
    }

    /// When the oldest is too old.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.order.front().map(|(ends, _)| *ends)
    }

    fn drop_slot(&mut self, index: u32) -> Option<u32> {
        let slot = self.slots.remove(&index)?;
        self.unlink(index, &slot);
        Some(index)
    }

    fn unlink(&mut self, index: u32, slot: &Slot) {
        self.by_initiation.remove(&slot.initiation);
        if let HalfOpen::Ik(ik) = &slot.half_open
            && self.by_remote.get(&ik.record.id) == Some(&index)
        {
            self.by_remote.remove(&ik.record.id);
        }
    }
}
