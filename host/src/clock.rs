//! The one place where the engine's time meets the machine's.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use p2p_core::time::Instant as EngineInstant;

/// Counts the engine's time from when it was made; monotonic, so changes of the wall clock do not show. On Linux it
/// goes on while the machine sleeps, so that the engine sees how long that was; elsewhere it may stand still.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: Instant,
    /// The same moment on the clock that goes on; none where there is no such clock.
    booted: Option<Duration>,
    since_boot: fn() -> Option<Duration>,
}

impl Clock {
    /// Starts at the engine's epoch.
    #[must_use]
    pub fn start() -> Self {
        Self::by(since_boot)
    }

    fn by(since_boot: fn() -> Option<Duration>) -> Self {
        Self {
            epoch: Instant::now(),
            booted: since_boot(),
            since_boot,
        }
    }

    fn elapsed(&self) -> Duration {
        let slept = self.booted.zip((self.since_boot)());
        slept.map_or_else(
            || self.epoch.elapsed(),
            |(booted, now)| now.saturating_sub(booted),
        )
    }

    /// The engine's present.
    #[must_use]
    pub fn now(&self) -> EngineInstant {
        let nanos = u64::try_from(self.elapsed().as_nanos()).unwrap_or(u64::MAX);
        EngineInstant::from_nanos(nanos)
    }

    /// The machine's time at the engine's `at`, now where that has passed; sleep from now on comes on top.
    #[must_use]
    pub fn machine_time(&self, at: EngineInstant) -> Instant {
        Instant::now() + at.saturating_since(self.now())
    }

    /// Time of day, milliseconds since 1970; 0 where the machine's clock is before that.
    #[must_use]
    pub fn wall_clock_unix_ms() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Time since the machine started, its sleep included.
#[cfg(target_os = "linux")]
fn since_boot() -> Option<Duration> {
    use nix::time::{ClockId, clock_gettime};
    clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Into::into)
}

#[cfg(not(target_os = "linux"))]
fn since_boot() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static BOOTED: Cell<Duration> = const { Cell::new(Duration::from_secs(1_000)) };
    }

    /// A machine whose other clocks stand still while it sleeps.
    #[test]
    fn a_sleep_shows_and_what_was_planned_is_due_as_long_from_now() {
        let clock = Clock::by(|| Some(BOOTED.get()));
        assert_eq!(clock.now(), EngineInstant::EPOCH);
        let planned = EngineInstant::from_millis(210_000);
        BOOTED.set(Duration::from_secs(1_200));
        assert_eq!(clock.now(), EngineInstant::from_millis(200_000));
        let (before, at, after) = (Instant::now(), clock.machine_time(planned), Instant::now());
        let left = Duration::from_secs(10);
        assert!(before + left <= at && at <= after + left);
        let past = clock.machine_time(EngineInstant::EPOCH);
        assert!(past <= Instant::now());
    }

    #[test]
    fn without_such_a_clock_time_goes_on_all_the_same() {
        let clock = Clock::by(|| None);
        let first = clock.now();
        assert!(first <= clock.now());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_has_a_clock_that_goes_on() {
        assert!(since_boot().is_some_and(|since| since > Duration::ZERO));
    }
}
