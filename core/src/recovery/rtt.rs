//! The round-trip time of one path (RFC 9002 §5). Takes: samples and the peer's reported delay.
//! Answers: smoothed value, variance, minimum and the base of the probe timeout (RFC 9002 §6.2.1).

use core::cmp::{max, min};

use crate::limits;
use crate::time::Duration;

/// Coarsest clock to reckon with (RFC 9002 §6.1.2).
pub(super) const GRANULARITY: Duration = Duration::from_millis(1);

/// Estimator of a path's round-trip time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rtt {
    latest: Duration,
    smoothed: Duration,
    variance: Duration,
    min: Option<Duration>,
}

impl Rtt {
    /// Starts from an assumption: 333 ms, or what a handshake measured.
    #[must_use]
    pub(crate) fn new(initial: Duration) -> Self {
        Self {
            latest: initial,
            smoothed: initial,
            variance: initial / 2,
            min: None,
        }
    }

    /// Goes on from values that were known before.
    pub(super) const fn go_on(
        smoothed: Duration,
        variance: Duration,
        min: Option<Duration>,
    ) -> Self {
        Self {
            latest: smoothed,
            smoothed,
            variance,
            min,
        }
    }

    /// Takes a sample. The peer's delay counts up to the agreed 10 ms and only as far as the result
    /// stays above the minimum (RFC 9002 §5.3).
    pub(crate) fn on_sample(&mut self, latest: Duration, ack_delay: Duration) {
        self.latest = latest;
        let Some(min_before) = self.min else {
            self.min = Some(latest);
            self.smoothed = latest;
            self.variance = latest / 2;
            return;
        };
        let floor = min(min_before, latest);
        self.min = Some(floor);
        let delay = min(ack_delay, limits::MAX_ACK_DELAY);
        let adjusted = if latest >= floor + delay {
            latest.saturating_sub(delay)
        } else {
            latest
        };
        let deviation = self.smoothed.abs_diff(adjusted);
        self.variance = (self.variance * 3 + deviation) / 4;
        self.smoothed = (self.smoothed * 7 + adjusted) / 8;
    }

    /// The last sample, or the assumption.
    #[must_use]
    pub(crate) const fn latest(&self) -> Duration {
        self.latest
    }

    /// The smoothed round-trip time, or the assumption.
    #[must_use]
    pub(crate) const fn smoothed(&self) -> Duration {
        self.smoothed
    }

    /// The mean deviation.
    #[must_use]
    pub(crate) const fn variance(&self) -> Duration {
        self.variance
    }

    /// The smallest sample; `None` before the first.
    #[must_use]
    pub(crate) const fn min(&self) -> Option<Duration> {
        self.min
    }

    /// Whether there was a sample.
    #[must_use]
    pub(crate) const fn is_measured(&self) -> bool {
        self.min.is_some()
    }

    /// The probe timeout before any doubling (RFC 9002 §6.2.1).
    #[must_use]
    pub(crate) fn pto_base(&self) -> Duration {
        self.smoothed + max(self.variance * 4, GRANULARITY) + limits::MAX_ACK_DELAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    #[test]
    fn the_assumption_gives_the_probe_timeout_of_the_rfc() {
        let rtt = Rtt::new(limits::INITIAL_RTT);
        assert_eq!(rtt.pto_base(), ms(999) + limits::MAX_ACK_DELAY);
        assert!(!rtt.is_measured());
    }

    #[test]
    fn the_first_sample_replaces_the_assumption() {
        let mut rtt = Rtt::new(limits::INITIAL_RTT);
        rtt.on_sample(ms(40), ms(5));
        assert_eq!(
            (rtt.smoothed(), rtt.variance(), rtt.min()),
            (ms(40), ms(20), Some(ms(40)))
        );
    }

    #[test]
    fn later_samples_are_smoothed_and_relieved_of_the_peers_delay() {
        let mut rtt = Rtt::new(limits::INITIAL_RTT);
        rtt.on_sample(ms(40), ms(0));
        rtt.on_sample(ms(56), ms(8));
        assert_eq!(rtt.smoothed(), ms(41));
        assert_eq!(rtt.variance(), ms(17));
        assert_eq!(rtt.latest(), ms(56));
    }

    #[test]
    fn a_claimed_delay_is_capped_and_never_goes_below_the_minimum() {
        let mut rtt = Rtt::new(limits::INITIAL_RTT);
        rtt.on_sample(ms(40), ms(0));
        rtt.on_sample(ms(41), ms(8));
        assert!(rtt.smoothed() > ms(40), "8 ms would go below the minimum");
        let mut capped = Rtt::new(limits::INITIAL_RTT);
        capped.on_sample(ms(40), ms(0));
        capped.on_sample(ms(130), ms(90));
        assert_eq!(capped.smoothed(), ms(50), "only 10 ms are believed");
    }

    #[test]
    fn a_smaller_sample_lowers_the_minimum() {
        let mut rtt = Rtt::new(limits::INITIAL_RTT);
        rtt.on_sample(ms(40), ms(0));
        rtt.on_sample(ms(30), ms(0));
        assert_eq!(rtt.min(), Some(ms(30)));
    }
}
