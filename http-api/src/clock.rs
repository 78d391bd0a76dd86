//! Time of day for JSON: RFC 3339 in UTC, from the wall clock at the start plus the engine's own time. The surface
//! never reads a clock; a wall clock that is set later does not show.

use p2p_core::time::Instant;

/// Turns the engine's time into time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    start: Instant,
    start_unix_ms: u64,
}

impl WallClock {
    /// `unix_ms` is the time of day at `now`, in milliseconds since 1970-01-01T00:00:00Z.
    pub(crate) const fn new(now: Instant, unix_ms: u64) -> Self {
        Self {
            start: now,
            start_unix_ms: unix_ms,
        }
    }

    /// Time of day at `at`, for example `2026-02-03T04:05:06.789Z`.
    pub(crate) fn rfc3339(&self, at: Instant) -> String {
        format_unix_ms(self.unix_ms(at))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z at `at`.
    pub(crate) fn unix_ms(&self, at: Instant) -> u64 {
        let later = at.saturating_since(self.start).as_millis();
        let earlier = self.start.saturating_since(at).as_millis();
        let ms = u128::from(self.start_unix_ms)
            .saturating_add(later)
            .saturating_sub(earlier);
        u64::try_from(ms).unwrap_or(u64::MAX)
    }
}

/// A time that was kept, for example `2026-02-03T04:05:06.789Z`.
pub(crate) fn rfc3339_of_unix_ms(ms: u64) -> String {
    format_unix_ms(ms)
}

fn format_unix_ms(ms: u64) -> String {
    let (seconds, millis) = (ms / 1_000, ms % 1_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_from_days(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Days since 1970-01-01 to a date of the Gregorian calendar; years begin in March, so that the leap day is last.
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_102_444_800_001, "2100-01-01T00:00:00.001Z"),
        ] {
            assert_eq!(format_unix_ms(ms), text);
        }
    }

    #[test]
    fn counts_from_the_start() {
        let clock = WallClock::new(Instant::from_millis(5_000), 951_782_400_000);
        assert_eq!(
            clock.rfc3339(Instant::from_millis(6_500)),
            "2000-02-29T00:00:01.500Z"
        );
        assert_eq!(
            clock.rfc3339(Instant::from_millis(4_000)),
            "2000-02-28T23:59:59.000Z"
        );
    }
}
