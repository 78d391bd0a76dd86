//! HyStart++ (RFC 9406): leaves slow start when round trips grow longer, before the queue
//! overflows. Takes: packet numbers sent and acknowledged, and round-trip times. Answers: how fast
//! to grow, and when slow start is over. The limit L on growth is infinite, because packets are
//! paced (RFC 9406 §4.2, §4.3).
//!
//! Stricter than the RFC in two things, since its round-long minimum notices a queue a doubling too
//! late for one as long as the path: growth is looked for in every eight samples of a round, not in
//! its minimum only (a passing delay still gives slow start back); and where such samples of a
//! later round are slower by the threshold once more, conservative slow start has served its
//! purpose and ends at once.

use crate::time::Duration;

const MIN_RTT_THRESHOLD: Duration = Duration::from_millis(4);
const MAX_RTT_THRESHOLD: Duration = Duration::from_millis(16);
const MIN_RTT_DIVISOR: u32 = 8;
const SAMPLES: u32 = 8;
const GROWTH_DIVISOR: u64 = 4;
const CONSERVATIVE_ROUNDS: u32 = 5;

/// Conservative slow start, under way.
#[derive(Clone, Copy, Debug)]
struct Conservative {
    baseline: Duration,
    rounds: u32,
}

/// The state of HyStart++ during one slow start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct HyStart {
    largest_sent: u64,
    round_end: u64,
    round_min: Option<Duration>,
    previous_round_min: Option<Duration>,
    /// Of the last few samples, `samples` of them.
    block_min: Option<Duration>,
    samples: u32,
    conservative: Option<Conservative>,
    is_confirmed: bool,
}

impl HyStart {
    /// Notes a packet that left.
    pub(crate) fn on_sent(&mut self, pn: u64) {
        self.largest_sent = self.largest_sent.max(pn);
    }

    /// Notes an acknowledgement whose newest packet is `pn`; says whether slow start is over.
    pub(crate) fn on_ack(&mut self, pn: u64, rtt_sample: Option<Duration>) -> bool {
        if let Some(sample) = rtt_sample {
            self.samples += 1;
            self.block_min = Some(least(self.block_min, sample));
            self.round_min = Some(least(self.round_min, sample));
        }
        if self.samples >= SAMPLES {
            self.samples = 0;
            self.compare();
        }
        let over = pn >= self.round_end && self.begin_round();
        over || self.is_confirmed
    }

    /// Bytes to grow by for acknowledged `bytes`.
    #[must_use]
    pub(crate) const fn growth(&self, bytes: u64) -> u64 {
        match self.conservative {
            Some(_) => bytes / GROWTH_DIVISOR,
            None => bytes,
        }
    }

    fn compare(&mut self) {
        let Some(block) = self.block_min.take() else {
            return;
        };
        if let Some(Conservative { baseline, rounds }) = self.conservative {
            if block < baseline {
                self.conservative = None;
            } else if rounds > 0 && block >= baseline + threshold(baseline) {
                self.is_confirmed = true;
            }
        } else if let Some(previous) = self.previous_round_min
            && block >= previous + threshold(previous)
        {
            self.conservative = Some(Conservative {
                baseline: block,
                rounds: 0,
            });
        }
    }

    fn begin_round(&mut self) -> bool {
        self.round_end = self.largest_sent.saturating_add(1);
        self.previous_round_min = self.round_min.take().or(self.previous_round_min);
        self.samples = 0;
        self.block_min = None;
        let Some(conservative) = &mut self.conservative else {
            return false;
        };
        conservative.rounds += 1;
        conservative.rounds >= CONSERVATIVE_ROUNDS
    }
}

fn least(min: Option<Duration>, sample: Duration) -> Duration {
    min.map_or(sample, |min| min.min(sample))
}

/// Growth of the round-trip time that counts (RFC 9406 §4.2).
fn threshold(rtt: Duration) -> Duration {
    (rtt / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESHOLD, MAX_RTT_THRESHOLD)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(value: u64) -> Duration {
        Duration::from_millis(value)
    }

    /// One round of ten packets with the same round-trip time; says whether slow start ended.
    fn round(hystart: &mut HyStart, first: &mut u64, rtt: Duration) -> bool {
        let start = *first;
        *first += 10;
        (start..*first).for_each(|pn| hystart.on_sent(pn));
        (start..*first).any(|pn| hystart.on_ack(pn, Some(rtt)))
    }

    #[test]
    fn steady_round_trips_never_end_slow_start() {
        let (mut hystart, mut pn) = (HyStart::default(), 0);
        assert!((0..50).all(|_| !round(&mut hystart, &mut pn, ms(50))));
        assert_eq!(hystart.growth(1_000), 1_000);
    }

    #[test]
    fn longer_round_trips_slow_the_growth_and_then_end_it() {
        let (mut hystart, mut pn) = (HyStart::default(), 0);
        for _ in 0..3 {
            assert!(!round(&mut hystart, &mut pn, ms(50)));
        }
        let rounds = (0..20).position(|_| round(&mut hystart, &mut pn, ms(60)));
        assert_eq!(hystart.growth(1_000), 250);
        assert!(matches!(rounds, Some(4..=6)), "{rounds:?}");
    }

    #[test]
    fn a_passing_delay_lets_slow_start_go_on() {
        let (mut hystart, mut pn) = (HyStart::default(), 0);
        for _ in 0..3 {
            round(&mut hystart, &mut pn, ms(50));
        }
        round(&mut hystart, &mut pn, ms(60));
        round(&mut hystart, &mut pn, ms(60));
        assert_eq!(hystart.growth(1_000), 250);
        round(&mut hystart, &mut pn, ms(50));
        round(&mut hystart, &mut pn, ms(50));
        assert_eq!(hystart.growth(1_000), 1_000);
    }
}
