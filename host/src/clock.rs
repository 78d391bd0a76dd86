//! The one place where the engine's time meets the machine's.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use p2p_core::time::Instant as EngineInstant;

/// Counts the engine's time from when it was made; monotonic, so changes of the wall clock do not show.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    /// Starts at the engine's epoch.
    #[must_use]
    pub fn start() -> Self {
        Self {
            epoch: Instant::now(),
        }
    }

    /// The engine's present.
    #[must_use]
    pub fn now(&self) -> EngineInstant {
        let nanos = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX);
        EngineInstant::from_nanos(nanos)
    }

    /// The machine's time at the engine's `at`.
    #[must_use]
    pub fn machine_time(&self, at: EngineInstant) -> Instant {
        self.epoch + at.saturating_since(EngineInstant::EPOCH)
    }

    /// Time of day, milliseconds since 1970; 0 where the machine's clock is before that.
    #[must_use]
    pub fn wall_clock_unix_ms() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}
