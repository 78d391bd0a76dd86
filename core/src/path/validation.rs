//! Proves that an address is the peer's and can be reached: when to send challenges, and which
//! echo belongs to which. A schedule is a fixed list of offsets, so that a round of probes has an
//! end by construction.
//!
//! Takes: the time and the echoed bytes. Returns: when the next probe is due, and when a challenge
//! was sent (docs/protocol.md §9.2, RFC 9000 §8.2).

use std::collections::VecDeque;

use super::suspicion::{QUESTIONS, SLOW_PACE};
use crate::time::{Duration, Instant};

/// Offsets of the probes of a round, ms.
const ROUND_MS: &[u64] = &[0, 50, 150, 350, 750, 1_500, 3_000];
/// Offsets of the challenges that ask a quiet path for consent, ms.
const CONSENT_MS: &[u64] = &[0, 1_000, 3_000, 6_000, 9_000, 12_000];
/// Least pause between two probes to one address when the schedule was held up.
const LEAST_GAP: Duration = Duration::from_millis(20);
/// Challenges remembered for each path; an older one can no longer be answered.
const REMEMBERED: usize = 32;
/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Why a path is being probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To find out whether it works; ends with an answer.
    Round,
    /// Because it was quiet; ends with any authentic packet.
    Consent,
    /// Because the path in use may be dead; so often at first, then slowly. Ends with an answer.
    Suspicion(Duration),
}

/// The probes still to be sent to one address.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Schedule {
    running: Option<(Purpose, Instant)>,
    next: usize,
    due: Option<Instant>,
}

impl Schedule {
    /// Begins a list of probes; the first is due at once.
    pub(super) fn start(&mut self, purpose: Purpose, now: Instant) {
        *self = Self {
            running: Some((purpose, now)),
            next: 0,
            due: Some(now),
        };
    }

    pub(super) fn stop(&mut self) {
        *self = Self::default();
    }

    pub(super) fn stop_if(&mut self, purpose: Purpose) {
        if self.purpose() == Some(purpose) {
            self.stop();
        }
    }

    pub(super) fn stop_if_suspicion(&mut self) {
        if matches!(self.purpose(), Some(Purpose::Suspicion(_))) {
            self.stop();
        }
    }

    pub(super) fn purpose(&self) -> Option<Purpose> {
        self.running.map(|(purpose, _)| purpose)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// One probe was sent, or passed over: goes on to the next.
    pub(super) fn advance(&mut self, now: Instant) {
        let Some((purpose, began)) = self.running else {
            return;
        };
        self.next += 1;
        let offsets = match purpose {
            Purpose::Round => ROUND_MS,
            Purpose::Consent => CONSENT_MS,
            Purpose::Suspicion(pace) => {
                let is_first = self.next < QUESTIONS as usize;
                self.due = Some(now + if is_first { pace } else { pace.max(SLOW_PACE) });
                return;
            }
        };
        match offsets.get(self.next) {
            Some(ms) => {
                let planned = began + Duration::from_millis(*ms);
                self.due = Some(planned.max(now + LEAST_GAP));
            }
            None => self.stop(),
        }
    }

    /// Puts the next probe off without giving it up.
    pub(super) fn defer(&mut self, until: Instant) {
        self.due = self.due.map(|due| due.max(until));
    }
}

/// Challenges that may still be answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenges {
    sent: VecDeque<([u8; 8], Instant)>,
}

impl Challenges {
    pub(super) fn on_sent(&mut self, now: Instant, bytes: [u8; 8]) {
        if self.sent.len() >= REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back((bytes, now));
    }

    /// Whether an answer to one of them would still count.
    pub(super) fn is_waiting(&self, now: Instant) -> bool {
        let newest = self.sent.back();
        newest.is_some_and(|(_, at)| now.saturating_since(*at) <= ANSWER_WITHIN)
    }

    /// The round-trip time where `bytes` echo a challenge; forgets it, so that an echo counts
    /// once.
    pub(super) fn on_response(&mut self, now: Instant, bytes: [u8; 8]) -> Option<Duration> {
        let place = self.sent.iter().position(|(sent, _)| *sent == bytes)?;
        let (_, at) = self.sent.remove(place)?;
        let rtt = now.saturating_since(at);
        (rtt <= ANSWER_WITHIN).then_some(rtt)
    }
}

/// When rounds of probes to all candidates begin: at once, after 5, 15, 60 and 300 s, then each
/// 600 s.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rounds {
    began: Option<Instant>,
    next: u32,
}

impl Rounds {
    const OFFSETS_S: [u64; 5] = [0, 5, 15, 60, 300];
    const LATER_S: u64 = 600;

    /// Begins anew; the first round is due at once.
    pub(super) fn restart(&mut self, now: Instant) {
        *self = Self {
            began: Some(now),
            next: 0,
        };
    }

    pub(super) fn stop(&mut self) {
        self.began = None;
    }

    pub(super) fn due(&self) -> Option<Instant> {
        let place = self.next as usize;
        let offset_s = Self::OFFSETS_S.get(place).copied().unwrap_or_else(|| {
            let beyond = place.saturating_sub(Self::OFFSETS_S.len()) as u64 + 1;
            300 + Self::LATER_S.saturating_mul(beyond)
        });
        Some(self.began? + Duration::from_secs(offset_s))
    }

    /// Goes on to the first round that lies after `now`.
    pub(super) fn advance(&mut self, now: Instant) {
        self.next = self.next.saturating_add(1);
        // After a long sleep only one round is made up for.
        if self.due().is_some_and(|due| due <= now) && self.next as usize >= Self::OFFSETS_S.len() {
            self.began = Some(now);
            self.next = 1;
        }
    }

    /// Whether the rounds that usually decide are still to come.
    pub(super) fn is_early(&self) -> bool {
        self.began.is_some() && self.next < 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_round_has_seven_probes_at_fixed_offsets() {
        let mut schedule = Schedule::default();
        schedule.start(Purpose::Round, ms(100));
        let mut times = Vec::new();
        while let Some(due) = schedule.due() {
            times.push(due);
            schedule.advance(due);
        }
        assert_eq!(times, [100, 150, 250, 450, 850, 1_600, 3_100].map(ms));
        assert_eq!(schedule.purpose(), None);
    }

    #[test]
    fn a_late_round_is_not_made_up_for_in_a_burst() {
        let mut schedule = Schedule::default();
        schedule.start(Purpose::Round, ms(0));
        schedule.advance(ms(5_000));
        assert_eq!(schedule.due(), Some(ms(5_020)));
        schedule.defer(ms(6_000));
        assert_eq!(schedule.due(), Some(ms(6_000)));
    }

    #[test]
    fn an_echo_counts_once_and_not_too_late() {
        let mut challenges = Challenges::default();
        challenges.on_sent(ms(0), [1; 8]);
        challenges.on_sent(ms(10), [2; 8]);
        assert_eq!(challenges.on_response(ms(30), [3; 8]), None);
        assert_eq!(
            challenges.on_response(ms(30), [2; 8]),
            Some(Duration::from_millis(20))
        );
        assert_eq!(challenges.on_response(ms(30), [2; 8]), None);
        assert_eq!(challenges.on_response(ms(20_000), [1; 8]), None);
        for i in 0..50 {
            challenges.on_sent(ms(i), [i as u8; 8]);
        }
        assert_eq!(challenges.sent.len(), REMEMBERED);
    }

    #[test]
    fn rounds_thin_out() {
        let mut rounds = Rounds::default();
        assert_eq!(rounds.due(), None);
        rounds.restart(ms(0));
        let mut seconds = Vec::new();
        for _ in 0..7 {
            let due = rounds.due().unwrap();
            seconds.push(due.as_nanos() / 1_000_000_000);
            rounds.advance(due);
        }
        assert_eq!(seconds, [0, 5, 15, 60, 300, 900, 1_500]);
    }
}
