//! A flow that comes in and stops in the middle. Its sender may have nothing to say for a while; or what it says goes
//! to an address that a box on our side has forgotten, and nothing comes until we say something ourselves. Who only
//! receives tells the two apart by asking (docs/protocol.md §9.4).
//!
//! Takes: when data came, and the round-trip time. Decides: when to ask, once for each flow.

use crate::time::{Duration, Instant};

/// Packets in a row that make a flow; what is less is a conversation, and its end says nothing.
const FLOW: u32 = 16;
/// Round trips without a packet after which a flow has stopped.
const TRIPS: u32 = 3;
/// Bounds of that time.
const WAIT: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// The flow that comes in now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lull {
    packets: u32,
    /// When the row of packets is over unless another comes.
    over_at: Option<Instant>,
}

impl Lull {
    /// A packet came whose sender waits for an acknowledgement.
    pub(super) fn on_data(&mut self, now: Instant, rtt: Duration) {
        let goes_on = self.over_at.is_some_and(|at| now < at);
        self.packets = if goes_on {
            self.packets.saturating_add(1)
        } else {
            1
        };
        let (least, most) = WAIT;
        self.over_at = Some(now + (rtt * TRIPS).clamp(least, most));
    }

    /// When it counts as stopped.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.over_at.filter(|_| self.packets >= FLOW)
    }

    /// Whether a flow has stopped that was not asked for yet.
    pub(super) fn take_stop(&mut self, now: Instant) -> bool {
        let has_stopped = self.next_timeout().is_some_and(|at| at <= now);
        if has_stopped {
            *self = Self::default();
        }
        has_stopped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn flow(packets: u64, gap_ms: u64, rtt_ms: u64) -> Lull {
        let mut lull = Lull::default();
        for n in 0..packets {
            lull.on_data(ms(n * gap_ms), Duration::from_millis(rtt_ms));
        }
        lull
    }

    #[test]
    fn a_flow_that_stops_is_asked_for_once_after_three_round_trips() {
        let mut lull = flow(16, 10, 100);
        assert_eq!(lull.next_timeout(), Some(ms(450)));
        assert!(!lull.take_stop(ms(449)));
        assert!(lull.take_stop(ms(450)) && !lull.take_stop(ms(450)));
        assert_eq!(lull.next_timeout(), None);
        // Never sooner than a fifth of a second, never later than a second.
        assert_eq!(flow(16, 10, 1).next_timeout(), Some(ms(350)));
        assert_eq!(flow(16, 10, 2_000).next_timeout(), Some(ms(1_150)));
    }

    #[test]
    fn a_conversation_is_no_flow() {
        assert_eq!(flow(15, 10, 20).next_timeout(), None);
        assert_eq!(flow(1_000, 200, 20).next_timeout(), None);
    }
}
