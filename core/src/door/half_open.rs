//! Half-open handshakes that this node answered: bounded, short-lived, one for each initiator (protocol §3.6).
//!
//! Of one identity the one with the largest stamp stays, so that copies of old initiations never push out the genuine
//! one, which is newer than all of them. Those that go on with an association have room of their own: a peer has one,
//! and whoever has no session cannot crowd them out.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;
use crate::identity::KeyRecord;
use crate::limiter::{Shares, SourceKey};
use crate::limits;
use crate::path::Route;
use crate::session::{Session, XxResponder};
use crate::time::{Duration, Instant};

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
    /// Larger than in every initiation that this identity made before.
    pub(crate) stamp: u64,
}

/// Which of the two rooms a half-open handshake lies in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pool {
    New,
    Resuming,
}

impl Pool {
    const fn life(self) -> Duration {
        match self {
            Self::New => limits::PROVISIONAL_LIFE,
            Self::Resuming => limits::PROVISIONAL_RESUMED_LIFE,
        }
    }

    const fn most(self) -> usize {
        match self {
            Self::New => limits::PROVISIONAL_SESSIONS,
            Self::Resuming => limits::PROVISIONAL_RESUMED_SESSIONS,
        }
    }
}

struct Slot {
    half_open: HalfOpen,
    pool: Pool,
    source: SourceKey,
    initiation: Vec<u8>,
    answer: Vec<u8>,
    route: Route,
    since: Instant,
    /// Whether a third datagram of `XX` was computed for it.
    is_tried: bool,
}

/// All half-open handshakes, by our receiver index.
pub(crate) struct HalfOpenTable {
    slots: BTreeMap<u32, Slot>,
    by_initiation: BTreeMap<Vec<u8>, u32>,
    by_remote: BTreeMap<NodeId, u32>,
    /// By start; all of a pool live equally long.
    new: BTreeSet<(Instant, u32)>,
    resuming: BTreeSet<(Instant, u32)>,
    /// Where those come from that begin an association.
    by_source: BTreeSet<(SourceKey, Instant, u32)>,
    shares: Shares,
}

impl Default for HalfOpenTable {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
            by_initiation: BTreeMap::new(),
            by_remote: BTreeMap::new(),
            new: BTreeSet::new(),
            resuming: BTreeSet::new(),
            by_source: BTreeSet::new(),
            shares: Shares::new(
                limits::PROVISIONAL_PER_SOURCE,
                limits::PROVISIONAL_PER_NETWORK,
            ),
        }
    }
}

impl HalfOpenTable {
    /// The answer given before to exactly this initiation.
    pub(crate) fn answer_to(&self, initiation: &[u8]) -> Option<&[u8]> {
        let index = self.by_initiation.get(initiation)?;
        self.slots.get(index).map(|slot| slot.answer.as_slice())
    }

    /// Whether one more from this source could push out others: then it must prove its address first.
    pub(crate) fn is_crowded(&self, source: SourceKey) -> bool {
        2 * self.new.len() >= Pool::New.most() || !self.shares.has_room(source)
    }

    /// The stamp of the initiation that was answered to this identity last, where its answer still waits.
    pub(crate) fn stamp_of(&self, remote: &NodeId) -> Option<u64> {
        let slot = self.slots.get(self.by_remote.get(remote)?)?;
        match &slot.half_open {
            HalfOpen::Ik(ik) => Some(ik.stamp),
            HalfOpen::Xx(_) => None,
        }
    }

    /// Keeps a half-open handshake; gives back the receiver indices that had to make room: the older one of the same
    /// identity, and the oldest of a source or a pool that is full.
    pub(crate) fn insert(
        &mut self,
        now: Instant,
        index: u32,
        half_open: HalfOpen,
        (route, source): (Route, SourceKey),
        (initiation, answer): (Vec<u8>, Vec<u8>),
    ) -> Vec<u32> {
        let mut retired = Vec::new();
        let mut pool = Pool::New;
        if let HalfOpen::Ik(ik) = &half_open {
            if ik.resumes {
                pool = Pool::Resuming;
            }
            let older = self.by_remote.get(&ik.record.id).copied();
            retired.extend(older.and_then(|older| self.drop_slot(older)));
            self.by_remote.insert(ik.record.id, index);
        }
        if pool == Pool::New && !self.shares.has_room(source) {
            retired.extend(self.drop_oldest_of(source));
        }
        while self.order(pool).len() >= pool.most() {
            let Some((_, oldest)) = self.order(pool).first().copied() else {
                break;
            };
            retired.extend(self.drop_slot(oldest));
        }
        self.order(pool).insert((now, index));
        if pool == Pool::New {
            self.shares.add(source);
            self.by_source.insert((source, now, index));
        }
        self.by_initiation.insert(initiation.clone(), index);
        self.slots.insert(
            index,
            Slot {
                half_open,
                pool,
                source,
                initiation,
                answer,
                route,
                since: now,
                is_tried: false,
            },
        );
        retired
    }

    /// Makes room for a source: its own oldest goes, or where it has none, that of its network.
    fn drop_oldest_of(&mut self, source: SourceKey) -> Option<u32> {
        let first = |start: SourceKey| {
            let from = (start, Instant::EPOCH, 0);
            self.by_source.range(from..).next().copied()
        };
        let own = first(source).filter(|(other, ..)| *other == source);
        let network = source.network();
        let other = || first(network).filter(|(other, ..)| other.network() == network);
        let (_, _, index) = own.or_else(other)?;
        self.drop_slot(index)
    }

    fn order(&mut self, pool: Pool) -> &mut BTreeSet<(Instant, u32)> {
        match pool {
            Pool::New => &mut self.new,
            Pool::Resuming => &mut self.resuming,
        }
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
        for pool in [Pool::New, Pool::Resuming] {
            while let Some((since, index)) = self.order(pool).first().copied()
                && since + pool.life() <= now
            {
                self.order(pool).remove(&(since, index));
                retired.extend(self.drop_slot(index));
            }
        }
        retired
    }

    /// When the oldest is too old.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let end = |order: &BTreeSet<(Instant, u32)>, pool: Pool| {
            order.first().map(|(since, _)| *since + pool.life())
        };
        let ends = [
            end(&self.new, Pool::New),
            end(&self.resuming, Pool::Resuming),
        ];
        ends.into_iter().flatten().min()
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
        self.order(slot.pool).remove(&(slot.since, index));
        if slot.pool == Pool::New {
            self.shares.remove(slot.source);
            self.by_source.remove(&(slot.source, slot.since, index));
        }
        self.by_initiation.remove(&slot.initiation);
        if let HalfOpen::Ik(ik) = &slot.half_open
            && self.by_remote.get(&ik.record.id) == Some(&index)
        {
            self.by_remote.remove(&ik.record.id);
        }
    }
}
