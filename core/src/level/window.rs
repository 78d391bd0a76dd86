//! How far a sender may be ahead of the reader, tuned to the path (protocol §8.5): told what was read and when credit
//! is told, answers how large the window is.
//!
//! A window doubles while a quarter of it is read within a round trip, so it ends between four and eight products of
//! bandwidth and delay: one round trip for the bytes under way, a quarter for the news of credit, and the rest for
//! holes of lost packets, which take more than a round trip each to fill, and for a sender that doubles its rate. A
//! quarter that takes long, because the reader is slow or nothing comes, halves it again. Credit once
//! advertised stands.

use crate::time::{Duration, Instant};

/// A quarter read more slowly than this, and than [`SLOW_ROUND_TRIPS`], makes the window smaller.
const SLOW: Duration = Duration::from_secs(2);
/// Round trips after which a quarter counts as slow.
const SLOW_ROUND_TRIPS: u32 = 16;

/// When credit is advertised, and over which path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The time.
    pub(crate) now: Instant,
    /// Smoothed round-trip time of the path in use.
    pub(crate) rtt: Duration,
}

/// A receive window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    bytes: u64,
    least_bytes: u64,
    most_bytes: u64,
    /// Bytes read when the pace was last judged, and when that was.
    judged_read: u64,
    judged_at: Option<Instant>,
}

impl Window {
    pub(super) const fn new(least_bytes: u64, most_bytes: u64) -> Self {
        Self {
            bytes: least_bytes,
            least_bytes,
            most_bytes,
            judged_read: 0,
            judged_at: None,
        }
    }

    /// The credit to tell where so many bytes were read.
    pub(super) const fn grantable(&self, read: u64) -> u64 {
        read.saturating_add(self.bytes)
    }

    /// Whether a quarter of the window could be told anew.
    pub(super) const fn wants_update(&self, read: u64, told: u64) -> bool {
        self.grantable(read).saturating_sub(told) >= self.bytes / 4
    }

    /// Judges the pace of the reader, before credit is advertised; a window never grows beyond `available_bytes`.
    pub(super) fn judge(&mut self, read: u64, pace: Pace, available_bytes: u64) {
        let moved = read.saturating_sub(self.judged_read);
        let quarter = self.bytes / 4;
        if moved < quarter {
            return;
        }
        if let Some(at) = self.judged_at {
            let took = pace.now.saturating_since(at);
            let is_fast =
                u128::from(moved) * pace.rtt.as_nanos() >= u128::from(quarter) * took.as_nanos();
            let doubled = self.bytes.saturating_mul(2).min(self.most_bytes);
            if is_fast && doubled <= available_bytes {
                self.bytes = doubled;
            } else if took > SLOW.max(pace.rtt.saturating_mul(SLOW_ROUND_TRIPS)) {
                self.bytes = (self.bytes / 2).max(self.least_bytes);
            }
        }
        self.judged_read = read;
        self.judged_at = Some(pace.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const RTT: Duration = Duration::from_millis(200);

    /// Reads at a constant rate for a while and tells credit whenever it is worth it; the times of growth.
    fn read_at(window: &mut Window, bytes_per_s: u64, seconds: u64, free: u64) -> Vec<(u64, u64)> {
        let (mut read, mut told, mut changes) = (0, window.bytes, Vec::new());
        for ms in 0..seconds * 1_000 {
            read += bytes_per_s / 1_000;
            if window.wants_update(read, told) {
                let before = window.bytes;
                let now = Instant::from_millis(ms);
                window.judge(read, Pace { now, rtt: RTT }, free);
                told = told.max(window.grantable(read));
                if window.bytes != before {
                    changes.push((ms, window.bytes / MIB));
                }
            }
        }
        changes
    }

    #[test]
    fn window_doubles_to_the_bdp() {
        let mut window = Window::new(MIB, 32 * MIB);
        let changes = read_at(&mut window, 12_500_000, 10, u64::MAX);
        let sizes: Vec<u64> = changes.iter().map(|c| c.1).collect();
        // 2.5 MB under way: four times that, in powers of two.
        assert_eq!(sizes, [2, 4, 8, 16]);
        assert!(changes[1].0 <= 150, "{changes:?}");
    }

    #[test]
    fn a_window_stops_at_its_most_and_at_what_is_available() {
        let mut window = Window::new(MIB, 3 * MIB);
        read_at(&mut window, 100_000_000, 5, u64::MAX);
        assert_eq!(window.bytes, 3 * MIB);
        let mut window = Window::new(MIB, 32 * MIB);
        read_at(&mut window, 100_000_000, 5, 5 * MIB);
        assert_eq!(window.bytes, 4 * MIB);
    }

    /// Protocol §8.5.
    #[test]
    fn a_slow_reader_gets_no_more_and_gives_back() {
        let mut window = Window::new(MIB, 32 * MIB);
        assert_eq!(read_at(&mut window, 500_000, 20, u64::MAX), []);
        read_at(&mut window, 50_000_000, 5, u64::MAX);
        assert_eq!(window.bytes, 32 * MIB);
        window.judged_read = 0;
        let changes = read_at(&mut window, 1_000_000, 60, u64::MAX);
        assert!(
            !changes.is_empty() && window.bytes < 32 * MIB,
            "{changes:?}"
        );
        assert!(window.bytes >= MIB);
    }

    #[test]
    fn credit_told_again_does_not_count_as_read() {
        let mut window = Window::new(MIB, 32 * MIB);
        for ms in 0..100 {
            let now = Instant::from_millis(ms);
            window.judge(100, Pace { now, rtt: RTT }, u64::MAX);
        }
        assert_eq!(window.bytes, MIB);
    }
}
