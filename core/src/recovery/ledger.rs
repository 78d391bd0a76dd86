//! The record of ack-eliciting packets that are under way, by ascending packet number. Settling a
//! packet takes out what it carried and leaves an empty entry, which goes when it reaches the front
//! or when empty entries are the greater part: so a run of packets is settled in time that is
//! linear in the run, and memory in what is under way.

use std::collections::VecDeque;

use super::congestion::SentState;
use super::outcome::PathKey;

/// Entries below which empty ones in the middle are not worth sweeping.
const SWEEP_FROM: usize = 256;

/// Facts of a packet under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meta {
    /// What was true when it left.
    pub(super) sent: SentState,
    /// Number among the recorded packets of its path.
    pub(super) sequence: u64,
    pub(super) path: PathKey,
    /// It left with the mark ECT(0).
    pub(super) is_marked: bool,
}

#[derive(Debug)]
struct SentPacket<F> {
    meta: Meta,
    frames: Option<F>,
}

/// Packets under way.
#[derive(Debug)]
pub(super) struct Ledger<F> {
    entries: VecDeque<SentPacket<F>>,
    outstanding: usize,
}

impl<F> Ledger<F> {
    pub(super) const fn new() -> Self {
        Self {
            entries: VecDeque::new(),
            outstanding: 0,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.outstanding == 0
    }

    /// Records a packet. Numbers rise in practice; where one does not, its place is searched.
    pub(super) fn push(&mut self, meta: Meta, frames: F) {
        let entry = SentPacket {
            meta,
            frames: Some(frames),
        };
        self.outstanding += 1;
        if self
            .entries
            .back()
            .is_none_or(|e| e.meta.sent.pn < meta.sent.pn)
        {
            self.entries.push_back(entry);
        } else {
            let index = self
                .entries
                .partition_point(|e| e.meta.sent.pn < meta.sent.pn);
            self.entries.insert(index, entry);
        }
    }

    /// Settles the packets from `start` to `end` that are under way, ascending.
    pub(super) fn settle_range(&mut self, start: u64, end: u64, mut each: impl FnMut(Meta, F)) {
        let from = self.entries.partition_point(|e| e.meta.sent.pn < start);
        for entry in self.entries.range_mut(from..) {
            if entry.meta.sent.pn > end {
                break;
            }
            if let Some(frames) = entry.frames.take() {
                self.outstanding -= 1;
                each(entry.meta, frames);
            }
        }
        self.trim();
    }

    /// Settles those packets numbered below `below` that `which` picks, ascending.
    pub(super) fn settle_where(
        &mut self,
        below: u64,
        mut which: impl FnMut(&Meta) -> bool,
        mut each: impl FnMut(Meta, F),
    ) {
        for entry in &mut self.entries {
            if entry.meta.sent.pn >= below {
                break;
            }
            if entry.frames.is_none() || !which(&entry.meta) {
                continue;
            }
            if let Some(frames) = entry.frames.take() {
                self.outstanding -= 1;
                each(entry.meta, frames);
            }
        }
        self.trim();
    }

    /// What is under way on a path, oldest first.
    pub(super) fn outstanding_on(&self, path: PathKey) -> impl Iterator<Item = &F> + '_ {
        self.entries
            .iter()
            .filter(move |e| e.meta.path == path)
            .filter_map(|e| e.frames.as_ref())
    }

    fn trim(&mut self) {
        while self.entries.front().is_some_and(|e| e.frames.is_none()) {
            self.entries.pop_front();
        }
        if self.entries.len() > SWEEP_FROM && self.entries.len() / 2 > self.outstanding {
            self.entries.retain(|e| e.frames.is_some());
        }
    }
}
