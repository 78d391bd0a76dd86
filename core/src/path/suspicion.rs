//! Whether the path in use is dead, or only loses packets. A lost packet and a dead path look alike at first; what
//! tells them apart is that a path that loses a fifth still answers most of what it is asked, and that another path
//! answers while it does not (docs/protocol.md §9.4).
//!
//! Takes: that a probe timeout passed, questions asked, answers on this path and on others. Returns: whether the path
//! is to be left. Never for silence alone: where nothing else answers, nothing is gained by leaving.

use super::types::PathKey;
use crate::time::{Duration, Instant};

/// Questions that must stay without an answer. Where a fifth of all packets is lost each way, so many are with a
/// probability of 5 in a million.
pub(super) const QUESTIONS: u32 = 12;
/// Least pause between two of them.
const PACE: Duration = Duration::from_millis(25);
/// The pause beside it, as a part of the round-trip time.
const PACES_PER_RTT: u32 = 8;
/// Time for the answer to the last question beside a round trip: the other side's timers.
const ANSWER_SLACK: Duration = Duration::from_millis(20);
/// Pause after the first piece of news that nothing answers; doubles with each.
const TOLD_AFTER: Duration = Duration::from_secs(2);
/// Longest such pause.
const TOLD_AFTER_MAX: Duration = Duration::from_secs(32);
/// Pause between questions once so many stayed without an answer.
pub(super) const SLOW_PACE: Duration = Duration::from_millis(500);
/// Other paths that are asked as often as the one in use.
pub(super) const LIKELY: usize = 4;
/// Pause between questions on the rest of them.
pub(super) const SELDOM_PACE: Duration = Duration::from_secs(1);

/// The path in use under suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suspicion {
    path: PathKey,
    since: Instant,
    rtt: Duration,
    asked: u32,
    /// When the last needed question counts as unanswered.
    proven_at: Option<Instant>,
    /// That moment has passed, and nothing else answered: only an answer changes anything now.
    is_waiting: bool,
    /// When the silence is told, and the pause after that.
    tells: (Instant, Duration),
}

impl Suspicion {
    pub(super) const fn new(path: PathKey, rtt: Duration, now: Instant) -> Self {
        Self {
            path,
            since: now,
            rtt,
            asked: 0,
            proven_at: None,
            is_waiting: false,
            tells: (Instant::EPOCH, TOLD_AFTER),
        }
    }

    pub(super) const fn path(&self) -> PathKey {
        self.path
    }

    /// Pause between questions.
    pub(super) fn pace(&self) -> Duration {
        (self.rtt / PACES_PER_RTT).max(PACE)
    }

    /// A question left on a path.
    pub(super) fn on_asked(&mut self, path: PathKey, now: Instant) {
        if path != self.path || self.proven_at.is_some() {
            return;
        }
        self.asked += 1;
        if self.asked >= QUESTIONS {
            self.proven_at = Some(now + self.rtt + self.rtt / 2 + ANSWER_SLACK);
        }
    }

    /// Whether an answer to what was asked at `asked_at` says anything: only what was asked under suspicion does.
    pub(super) fn counts(&self, asked_at: Instant) -> bool {
        asked_at >= self.since
    }

    /// Whether a path of this round-trip time could have answered the first questions.
    pub(super) fn had_time(&self, rtt: Duration, now: Instant) -> bool {
        now.saturating_since(self.since) >= 2 * rtt + ANSWER_SLACK
    }

    /// Whether the path has left so much unanswered that it is silent.
    pub(super) fn is_silent(&mut self, now: Instant) -> bool {
        self.is_waiting = self.proven_at.is_some_and(|at| at <= now);
        self.is_waiting
    }

    /// Whether the silence, with nothing else that answers, is to be told now; again and again while it lasts.
    pub(super) fn take_news(&mut self, now: Instant) -> bool {
        let (at, pause) = self.tells;
        let is_due = at <= now;
        if is_due {
            self.tells = (now + pause, (pause * 2).min(TOLD_AFTER_MAX));
        }
        is_due
    }

    /// When it will count as silent, if that is not so yet.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.proven_at.filter(|_| !self.is_waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn a_path_is_silent_when_the_last_question_is_overdue() {
        let path = PathKey(1);
        let mut suspicion = Suspicion::new(path, Duration::from_millis(100), ms(1_000));
        assert_eq!(suspicion.pace(), Duration::from_millis(25));
        for _ in 1..QUESTIONS {
            suspicion.on_asked(path, ms(1_300));
            suspicion.on_asked(PathKey(2), ms(1_300));
        }
        assert_eq!(suspicion.next_timeout(), None);
        suspicion.on_asked(path, ms(1_300));
        assert_eq!(suspicion.next_timeout(), Some(ms(1_470)));
        assert!(!suspicion.is_silent(ms(1_469)) && suspicion.is_silent(ms(1_470)));
        suspicion.on_asked(path, ms(1_400));
        assert!(
            suspicion.is_silent(ms(1_470)),
            "later questions change nothing"
        );
        assert_eq!(suspicion.next_timeout(), None);
        assert!(suspicion.counts(ms(1_000)) && !suspicion.counts(ms(999)));
    }
}
