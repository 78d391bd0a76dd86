//! What runs beside the engine in its loop.

use p2p_core::api::{Engine, Event};
use p2p_core::time::Instant;

/// Something to be done on another thread.
pub type Work<I> = Box<dyn FnOnce() -> I + Send>;

/// Something that uses a node: the HTTP surface, a demonstration, a benchmark. All methods are called by the loop that
/// owns the node, one at a time, and must not block.
pub trait Application {
    /// What the rest of the program sends in through a [`crate::Handle`].
    type Input: Send + 'static;

    /// Something came in from the rest of the program.
    fn handle_input(&mut self, now: Instant, node: &mut dyn Engine, input: Self::Input);

    /// The engine tells something.
    fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event);

    /// Does everything that is due.
    fn handle_timeout(&mut self, now: Instant, node: &mut dyn Engine) {
        let _ = (now, node);
    }

    /// When to call `handle_timeout`.
    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// All inputs and events so far were handed over; a good time to write more, or to hand out results.
    fn drained(&mut self, now: Instant, node: &mut dyn Engine) {
        let _ = (now, node);
    }

    /// Work that may block: it is done on another thread, and what it gives comes in as an input.
    fn poll_work(&mut self) -> Option<Work<Self::Input>> {
        None
    }

    /// Whether the loop may end; asked after every turn.
    fn is_done(&self) -> bool {
        false
    }
}
