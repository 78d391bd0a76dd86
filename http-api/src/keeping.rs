//! Messages between the engine and the disk: written before they are taken, so that their senders hear of nothing that
//! a crash could undo; deleted when they are acknowledged. While the disk refuses, they stay in the engine, and one at
//! a time is tried again.

use std::collections::BTreeMap;

use core::time::Duration;

use p2p_core::time::Instant;

use crate::inbox::Item;
use crate::waiting::Waiting;

/// How long after a refusal the disk is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the disk said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Disk {
    /// It keeps what it is given.
    #[default]
    Keeps,
    /// It refused; it is tried again then.
    Refuses(Instant),
    /// One message is tried.
    Tried,
}

/// A message that is being written.
pub(crate) struct Arriving {
    /// Where the engine has it.
    pub waiting: Waiting,
    /// What it is in the inbox.
    pub item: Item,
}

/// What is on its way, by the numbers of orders.
#[derive(Default)]
pub(crate) struct Keeping {
    disk: Disk,
    arriving: BTreeMap<u64, Arriving>,
    leaving: BTreeMap<u64, Vec<(u64, Item)>>,
    last: u64,
}

impl Keeping {
    /// Starts above the greatest number that is on disk.
    pub(crate) fn after(last: u64) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// A number for one more message.
    pub(crate) const fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// Whether the disk may be given one more message.
    pub(crate) fn may_write(&self, now: Instant) -> bool {
        match self.disk {
            Disk::Keeps => true,
            Disk::Refuses(until) => until <= now && self.arriving.is_empty(),
            Disk::Tried => false,
        }
    }

    /// Whether the disk refuses messages.
    pub(crate) const fn is_refused(&self) -> bool {
        !matches!(self.disk, Disk::Keeps)
    }

    /// When the disk is to be tried again.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        match self.disk {
            // What is under way is an attempt, and its end is the next occasion.
            Disk::Refuses(until) if self.arriving.is_empty() => Some(until),
            Disk::Refuses(_) | Disk::Keeps | Disk::Tried => None,
        }
    }

    /// There is nothing to try the disk with now.
    pub(crate) fn put_off(&mut self, now: Instant) {
        if let Disk::Refuses(until) = &mut self.disk {
            *until = (*until).max(now + RETRY);
        }
    }

    /// A message is being written.
    pub(crate) fn write(&mut self, order: u64, arriving: Arriving) {
        if self.is_refused() {
            self.disk = Disk::Tried;
        }
        self.arriving.insert(order, arriving);
    }

    /// What the disk says of an order; the message, where the order was one's writing.
    pub(crate) fn on_written(
        &mut self,
        now: Instant,
        order: u64,
        is_kept: bool,
    ) -> Option<Arriving> {
        let arriving = self.arriving.remove(&order)?;
        self.disk = if is_kept {
            Disk::Keeps
        } else {
            Disk::Refuses(now + RETRY)
        };
        Some(arriving)
    }

    /// Items are being deleted.
    pub(crate) fn delete(&mut self, order: u64, items: Vec<(u64, Item)>) {
        self.leaving.insert(order, items);
    }

    /// The disk is through with an order; the items that were to be deleted by it.
    pub(crate) fn on_deleted(&mut self, order: u64) -> Vec<(u64, Item)> {
        self.leaving.remove(&order).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time that stays in the past would have the node woken without an end.
    #[test]
    fn a_disk_that_refuses_is_not_tried_without_a_pause_where_there_is_nothing_to_try_it_with() {
        let (refused, now) = (Instant::from_millis(1_000), Instant::from_millis(5_000));
        let mut keeping = Keeping {
            disk: Disk::Refuses(refused),
            ..Keeping::default()
        };
        assert!(keeping.may_write(now));
        keeping.put_off(now);
        assert_eq!(keeping.next_try(), Some(now + RETRY));
        assert!(!keeping.may_write(now));
        let mut keeps = Keeping::default();
        keeps.put_off(now);
        assert!(keeps.may_write(now), "one that keeps is not put off");
    }
}
