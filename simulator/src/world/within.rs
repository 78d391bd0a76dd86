//! Waiting in virtual time for something to become true.

use core::time::Duration;

use super::World;

/// A condition to wait for.
#[must_use = "say how long it may take"]
pub struct Within<'w, F> {
    world: &'w mut World,
    condition: F,
}

impl<'w, F: FnMut(&World) -> bool> Within<'w, F> {
    pub(super) fn new(world: &'w mut World, condition: F) -> Self {
        Self { world, condition }
    }

    /// Waits; the time it took.
    ///
    /// # Panics
    /// When the condition does not hold in time.
    #[track_caller]
    pub fn within(self, limit: Duration) -> Duration {
        let start = self.world.now;
        match self.or_after(limit) {
            Some(took) => took,
            None => panic!("not within {limit:?} from {start:?}"),
        }
    }

    /// Waits; the time it took, none where it did not come to hold.
    pub fn or_after(mut self, limit: Duration) -> Option<Duration> {
        let start = self.world.now;
        let end = start + limit;
        loop {
            if (self.condition)(self.world) {
                return Some(self.world.now.saturating_since(start));
            }
            if !self.world.step_before(end) {
                self.world.now = end;
                let holds = (self.condition)(self.world);
                return holds.then_some(limit);
            }
        }
    }
}
