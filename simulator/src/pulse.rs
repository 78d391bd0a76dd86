//! A sign of life that another thread can look at: an engine that never comes back from one call
//! stops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what happens in worlds. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// Something happened.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many things have happened.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
