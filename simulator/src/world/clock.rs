//! A host's own clock: another epoch than the world's, and perhaps a little fast or slow.

use core::time::Duration;

use p2p_core::time::Instant;

/// Turns the world's time into a host's and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Clock {
    /// What the host's clock shows when the world begins.
    pub offset: Duration,
    /// How much too fast it runs, in parts per million; negative for slow.
    pub drift_ppm: i32,
}

const MILLION: i128 = 1_000_000;

impl Clock {
    fn rate(self) -> i128 {
        MILLION + i128::from(self.drift_ppm)
    }

    /// What the clock shows.
    pub(crate) fn local(self, world: Instant) -> Instant {
        let nanos = i128::from(world.as_nanos()) * self.rate() / MILLION;
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)) + self.offset
    }

    /// The first moment at which the clock shows `local` or more.
    pub(crate) fn world(self, local: Instant) -> Instant {
        if local.as_nanos() == u64::MAX {
            return local;
        }
        let shown = i128::from((local - self.offset).as_nanos());
        let nanos = (shown * MILLION + self.rate() - 1) / self.rate();
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_never_fires_before_the_clock_shows_its_time() {
        for drift_ppm in [-500, -3, 0, 7, 500] {
            let clock = Clock {
                offset: Duration::from_secs(77),
                drift_ppm,
            };
            for nanos in [0, 1, 999_999, 1_000_003, 86_400_000_000_001] {
                let local = clock.local(Instant::from_nanos(nanos));
                let fires = clock.world(local);
                assert!(clock.local(fires) >= local);
                assert!(fires.as_nanos().abs_diff(nanos) <= 1, "{drift_ppm} {nanos}");
            }
        }
    }

    #[test]
    fn a_fast_clock_gains() {
        let clock = Clock {
            offset: Duration::ZERO,
            drift_ppm: 500,
        };
        let hour = Instant::from_millis(3_600_000);
        assert_eq!(clock.local(hour), Instant::from_millis(3_601_800));
    }
}
