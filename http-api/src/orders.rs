//! What is to be kept on disk, in the order in which it was decided, and the numbers under which the disk's word on it
//! comes back.

use std::collections::VecDeque;

use p2p_storage::Change;

/// Changes on their way to the disk.
#[derive(Default)]
pub(crate) struct Orders {
    /// Something outside keeps changes; otherwise they last as long as this.
    is_kept: bool,
    last: u64,
    queue: VecDeque<(u64, Vec<Change>)>,
}

impl Orders {
    /// From now on changes are kept outside.
    pub(crate) const fn set_kept(&mut self) {
        self.is_kept = true;
    }

    /// Whether changes are kept outside.
    pub(crate) const fn are_kept(&self) -> bool {
        self.is_kept
    }

    /// Orders changes, all of them or none. Gives the number of the order; none where nothing is kept.
    pub(crate) fn place(&mut self, changes: Vec<Change>) -> Option<u64> {
        if !self.is_kept {
            return None;
        }
        self.last += 1;
        self.queue.push_back((self.last, changes));
        Some(self.last)
    }

    /// The next order.
    pub(crate) fn poll(&mut self) -> Option<(u64, Vec<Change>)> {
        self.queue.pop_front()
    }
}
