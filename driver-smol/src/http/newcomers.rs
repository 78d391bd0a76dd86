//! Connections that have shown neither token nor log-in yet: few, and the one that came first makes room for the next,
//! so that nobody who shows nothing keeps the owner out.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_channel::{Receiver, Sender};

/// Most of them at once.
pub(crate) const NEWCOMERS: usize = 128;

/// All of them, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Newcomers {
    inside: Arc<Mutex<BTreeMap<u64, Sender<()>>>>,
    next: Arc<AtomicU64>,
}

/// The place of one connection among them; given back when dropped.
#[derive(Clone)]
pub(crate) struct Place(Arc<Held>);

struct Held {
    number: u64,
    among: Newcomers,
}

impl Newcomers {
    /// A connection comes; the oldest newcomer goes where there are too many.
    pub(crate) fn enter(&self) -> (Place, Receiver<()>) {
        let (go, gone) = async_channel::bounded(1);
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        while inside.len() >= NEWCOMERS {
            if let Some((_, oldest)) = inside.pop_first() {
                let _ = oldest.try_send(());
            }
        }
        inside.insert(number, go);
        let among = self.clone();
        (Place(Arc::new(Held { number, among })), gone)
    }
}

impl Place {
    /// It has shown its token or log-in: it is no newcomer any more.
    pub(crate) fn is_known(&self) {
        self.0.leave();
    }
}

impl Held {
    fn leave(&self) {
        let mut inside = self
            .among
            .inside
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        inside.remove(&self.number);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_newcomer_makes_room_and_who_is_known_stays() {
        let newcomers = Newcomers::default();
        let (known, of_known) = newcomers.enter();
        known.is_known();
        let first = newcomers.enter();
        let others: Vec<_> = (1..NEWCOMERS).map(|_| newcomers.enter()).collect();
        assert!(first.1.try_recv().is_err());
        let _next = newcomers.enter();
        assert!(first.1.try_recv().is_ok(), "it came first");
        assert!(others[0].1.try_recv().is_err());
        assert!(of_known.try_recv().is_err());
        drop(others);
        let inside = newcomers.inside.lock().unwrap();
        assert_eq!(inside.len(), 1, "places are given back");
    }
}
