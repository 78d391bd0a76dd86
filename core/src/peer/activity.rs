//! What was said and heard: counters for the status, and since when it is nothing but signs of life.

use crate::limits;
use crate::recovery::PathStats;
use crate::time::{Duration, Instant, Offset};

/// Counts what passes, and remembers when something passed.
#[derive(Clone, Copy)]
pub(super) struct Activity {
    sent_bytes: u64,
    received_bytes: u64,
    /// Of paths that recovery has forgotten in a rest.
    forgotten: PathStats,
    last_received: Option<Instant>,
    /// When something was last said or heard that is more than a sign of life.
    busy_at: Instant,
}

/// The same, in little room.
#[derive(Clone, Copy)]
pub(super) struct ActivityAtRest {
    sent_bytes: u64,
    received_bytes: u64,
    sent_packets: u32,
    lost_packets: u32,
    busy_at: Offset,
    last_received: Offset,
}

impl Activity {
    /// Nothing passed yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            sent_bytes: 0,
            received_bytes: 0,
            forgotten: PathStats::default(),
            last_received: None,
            busy_at: now,
        }
    }

    /// Datagrams left.
    pub(super) fn on_sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// An authentic datagram came.
    pub(super) fn on_received(&mut self, now: Instant, bytes: usize) {
        self.received_bytes += bytes as u64;
        self.last_received = Some(now);
    }

    /// Something was said or heard that elicits an acknowledgement, or a session came up.
    pub(super) fn on_busy(&mut self, now: Instant) {
        self.busy_at = now;
    }

    /// Bytes sent and received.
    pub(super) const fn bytes(&self) -> (u64, u64) {
        (self.sent_bytes, self.received_bytes)
    }

    /// Packets on paths that recovery has forgotten.
    pub(super) const fn forgotten(&self) -> &PathStats {
        &self.forgotten
    }

    /// Time since an authentic packet arrived.
    pub(super) fn quiet_for(&self, now: Instant) -> Option<Duration> {
        self.last_received.map(|at| now.saturating_since(at))
    }

    /// From when on nothing but signs of life will have passed for long enough; sooner where the session carried
    /// nothing but control.
    pub(super) fn quiet_at(&self, carried_data: bool) -> Instant {
        let pause = if carried_data {
            limits::REST_AFTER
        } else {
            limits::CONTROL_REST_AFTER
        };
        self.busy_at + pause
    }

    /// To be kept in a rest, by times from `base`; `recovery` is what it will forget. `None` where it does not fit.
    pub(super) fn rest(&self, base: Instant, recovery: &PathStats) -> Option<ActivityAtRest> {
        let sent = self.forgotten.sent_packets + recovery.sent_packets;
        let lost = self.forgotten.lost_packets + recovery.lost_packets;
        Some(ActivityAtRest {
            sent_bytes: self.sent_bytes,
            received_bytes: self.received_bytes,
            sent_packets: u32::try_from(sent).ok()?,
            lost_packets: u32::try_from(lost).ok()?,
            busy_at: Offset::of(base, Some(self.busy_at)),
            last_received: Offset::of(base, self.last_received),
        })
    }
}

impl ActivityAtRest {
    /// The same as before the rest.
    pub(super) fn wake(&self, base: Instant) -> Activity {
        Activity {
            sent_bytes: self.sent_bytes,
            received_bytes: self.received_bytes,
            forgotten: PathStats {
                sent_packets: u64::from(self.sent_packets),
                lost_packets: u64::from(self.lost_packets),
                ..PathStats::default()
            },
            last_received: self.last_received.get(base),
            busy_at: self.busy_at.some(base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn signs_of_life_count_and_keep_nobody_awake() {
        let mut activity = Activity::new(at(0));
        activity.on_busy(at(1_000));
        let quiet_at = activity.quiet_at(true);
        activity.on_received(at(3_000), 40);
        activity.on_sent(50);
        assert_eq!(activity.quiet_at(true), quiet_at);
        assert_eq!(activity.bytes(), (50, 40));
        assert_eq!(
            activity.quiet_for(at(3_500)),
            Some(Duration::from_millis(500))
        );
        assert!(activity.quiet_at(false) < quiet_at, "control rests sooner");
    }

    #[test]
    fn a_rest_adds_up_what_recovery_forgets_and_keeps_the_times() {
        let mut activity = Activity::new(at(0));
        activity.on_received(at(2_000), 40);
        activity.on_busy(at(2_000));
        let stats = PathStats {
            sent_packets: 3,
            lost_packets: 1,
            ..PathStats::default()
        };
        for _ in 0..2 {
            let at_rest = activity.rest(at(1_000), &stats).expect("it is small");
            let before = activity.quiet_at(true);
            activity = at_rest.wake(at(1_000));
            assert_eq!(activity.quiet_at(true), before);
        }
        let forgotten = activity.forgotten();
        assert_eq!((forgotten.sent_packets, forgotten.lost_packets), (6, 2));
        assert_eq!(activity.quiet_for(at(2_000)), Some(Duration::ZERO));
        let flood = PathStats {
            sent_packets: u64::MAX >> 1,
            ..PathStats::default()
        };
        assert!(activity.rest(at(0), &flood).is_none(), "it would not fit");
    }
}
