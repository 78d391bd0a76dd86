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
    /// The low halves of the sums; the high ones are mostly zero.
    sent_bytes: u32,
    received_bytes: u32,
    sent_packets: u32,
    lost_packets: u32,
    last_received: Offset,
}

/// The high halves of the bytes sent and received: units of 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LargeSums([u32; 2]);

impl LargeSums {
    /// Whether there is anything to keep.
    pub(super) fn is_some(self) -> bool {
        self != Self::default()
    }
}

/// A sum in halves, the high one first.
const fn halves(sum: u64) -> [u32; 2] {
    #[expect(clippy::cast_possible_truncation, reason = "both halves are kept")]
    let halves = [(sum >> 32) as u32, sum as u32];
    halves
}

fn whole(high: u32, low: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
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
    /// Since when it is quiet is left out: long enough to rest.
    pub(super) fn rest(
        &self,
        base: Instant,
        recovery: &PathStats,
    ) -> Option<(ActivityAtRest, LargeSums)> {
        let sent = self.forgotten.sent_packets + recovery.sent_packets;
        let lost = self.forgotten.lost_packets + recovery.lost_packets;
        let [sent_high, sent_bytes] = halves(self.sent_bytes);
        let [received_high, received_bytes] = halves(self.received_bytes);
        let at_rest = ActivityAtRest {
            sent_bytes,
            received_bytes,
            sent_packets: u32::try_from(sent).ok()?,
            lost_packets: u32::try_from(lost).ok()?,
            last_received: Offset::of(base, self.last_received),
        };
        Some((at_rest, LargeSums([sent_high, received_high])))
    }
}

impl ActivityAtRest {
    /// The same as before the rest.
    pub(super) fn wake(&self, large: LargeSums, base: Instant) -> Activity {
        let LargeSums([sent, received]) = large;
        Activity {
            sent_bytes: whole(sent, self.sent_bytes),
            received_bytes: whole(received, self.received_bytes),
            forgotten: PathStats {
                sent_packets: u64::from(self.sent_packets),
                lost_packets: u64::from(self.lost_packets),
                ..PathStats::default()
            },
            last_received: self.last_received.get(base),
            busy_at: base,
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
        activity.on_sent(5 << 32 | 7);
        activity.on_busy(at(2_000));
        let stats = PathStats {
            sent_packets: 3,
            lost_packets: 1,
            ..PathStats::default()
        };
        for _ in 0..2 {
            let (at_rest, large) = activity.rest(at(1_000), &stats).expect("it is small");
            activity = at_rest.wake(large, at(1_000));
            assert_eq!(activity.quiet_at(true), at(1_000) + limits::REST_AFTER);
        }
        let forgotten = activity.forgotten();
        assert_eq!((forgotten.sent_packets, forgotten.lost_packets), (6, 2));
        assert_eq!(activity.bytes(), (5 << 32 | 7, 40), "large sums too");
        assert_eq!(activity.quiet_for(at(2_000)), Some(Duration::ZERO));
        let flood = PathStats {
            sent_packets: u64::MAX >> 1,
            ..PathStats::default()
        };
        assert!(activity.rest(at(0), &flood).is_none(), "it would not fit");
    }
}
