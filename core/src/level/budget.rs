//! Bytes that all peers of a node together may hold, one budget for each direction.
//!
//! Takes bytes that a level takes in or gives back; answers how many more it may take. A share may take at most what
//! it leaves to others: with n greedy shares each ends at 1/(n+1) of the budget and as much stays free, so that a
//! newcomer always finds room (the dynamic threshold of Choudhury and Hahne, IEEE/ACM ToN 6(2), 1998). What a
//! level guarantees without asking, it charges all the same: the bound is the budget and these guarantees.

use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::limits;

/// One budget, shared by all who hold a copy. The count is atomic only so that a node may move between threads.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    limit_bytes: u64,
    held_bytes: AtomicU64,
}

impl Budget {
    /// Nothing is held yet.
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Self(Arc::new(Pool {
            limit_bytes,
            held_bytes: AtomicU64::new(0),
        }))
    }

    /// Bytes held by all shares.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.0.held_bytes.load(Ordering::Relaxed)
    }

    /// An empty share.
    pub(crate) fn share(&self) -> Share {
        Share {
            budget: self.clone(),
            held_bytes: 0,
        }
    }
}

/// What one level of one peer holds of a budget; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Budget,
    held_bytes: u64,
}

impl Share {
    /// Bytes held here.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Bytes that this share may take now.
    pub(crate) fn available_bytes(&self) -> u64 {
        let free = self.budget.0.limit_bytes;
        let free = free.saturating_sub(self.budget.held_bytes());
        free.saturating_sub(self.held_bytes)
    }

    /// Whether bytes that come in may be kept: they are available, or within what every peer may have waiting.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        bytes <= self.available_bytes() || self.held_bytes + bytes <= limits::RECEIVE_LEAST_BYTES
    }

    /// Takes bytes, whether or not they were available.
    pub(crate) fn charge(&mut self, bytes: u64) {
        self.held_bytes += bytes;
        self.budget.0.held_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Gives bytes back.
    pub(crate) fn release(&mut self, bytes: u64) {
        let bytes = bytes.min(self.held_bytes);
        self.held_bytes -= bytes;
        self.budget.0.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release(self.held_bytes);
    }
}

/// The two budgets of a node.
#[derive(Clone, Debug)]
pub(crate) struct Budgets {
    /// What came in and was not taken by the application.
    pub(crate) receive: Budget,
    /// What the application wrote and no peer has acknowledged.
    pub(crate) send: Budget,
}

impl Budgets {
    /// Budgets of so many bytes each, at most those of [`limits`].
    pub(crate) fn new(receive_bytes: u64, send_bytes: u64) -> Self {
        Self {
            receive: Budget::new(receive_bytes.min(limits::RECEIVE_BUDGET_BYTES)),
            send: Budget::new(send_bytes.min(limits::SEND_BUDGET_BYTES)),
        }
    }
}

impl Default for Budgets {
    fn default() -> Self {
        Self::new(limits::RECEIVE_BUDGET_BYTES, limits::SEND_BUDGET_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes single units while any are available.
    fn gorge(share: &mut Share) {
        while share.available_bytes() > 0 {
            share.charge(1);
        }
    }

    #[test]
    fn greedy_shares_leave_as_much_to_a_newcomer() {
        let budget = Budget::new(1_200);
        let mut first = budget.share();
        gorge(&mut first);
        assert_eq!(first.held_bytes(), 600);
        let mut second = budget.share();
        gorge(&mut second);
        assert_eq!(second.held_bytes(), 300);
        let third = budget.share();
        assert_eq!(third.available_bytes(), 300);
        assert_eq!(first.available_bytes(), 0);
    }

    #[test]
    fn what_is_released_or_dropped_returns() {
        let budget = Budget::new(100);
        let mut share = budget.share();
        share.charge(150);
        assert_eq!((budget.held_bytes(), share.available_bytes()), (150, 0));
        share.release(140);
        assert_eq!((share.held_bytes(), share.available_bytes()), (10, 80));
        share.release(1_000);
        assert_eq!((share.held_bytes(), budget.held_bytes()), (0, 0));
        share.charge(7);
        drop(share);
        assert_eq!(budget.held_bytes(), 0);
    }
}
