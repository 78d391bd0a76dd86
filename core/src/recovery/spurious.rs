//! Remembers packets that were declared lost, so that a late acknowledgement shows a loss as
//! spurious (RFC 9002 §6.1, RFC 9438 §4.9). Takes: losses and acknowledged ranges. Returns: the
//! losses that were none.

use std::collections::VecDeque;

use super::ledger::Meta;
use super::outcome::PathKey;
use crate::limits;

/// A packet that was declared lost.
#[derive(Clone, Copy, Debug)]
pub(super) struct LossNote {
    pub(super) pn: u64,
    pub(super) path: PathKey,
    pub(super) sequence: u64,
    /// The congestion event that the loss belongs to, as its path counts them.
    pub(super) event: u64,
}

/// Losses by ascending packet number.
#[derive(Debug)]
pub(super) struct LossNotes {
    notes: VecDeque<LossNote>,
}

impl LossNotes {
    pub(super) const fn new() -> Self {
        Self {
            notes: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, meta: &Meta, event: u64) {
        if self.notes.len() >= limits::LOSSES_REMEMBERED {
            self.notes.pop_front();
        }
        let note = LossNote {
            pn: meta.sent.pn,
            path: meta.path,
            sequence: meta.sequence,
            event,
        };
        let index = self.notes.partition_point(|n| n.pn < meta.sent.pn);
        self.notes.insert(index, note);
    }

    /// Takes out the losses within an acknowledged range.
    pub(super) fn take_range(&mut self, start: u64, end: u64) -> impl Iterator<Item = LossNote> {
        let from = self.notes.partition_point(|n| n.pn < start);
        let to = self.notes.partition_point(|n| n.pn <= end);
        self.notes.drain(from..to.max(from))
    }

    pub(super) fn forget_path(&mut self, path: PathKey) {
        self.notes.retain(|n| n.path != path);
    }
}
