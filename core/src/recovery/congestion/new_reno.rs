//! NewReno as RFC 9002 §7 and appendix B have it: doubling up to a threshold, then one datagram a round trip, half at
//! each congestion event. Takes and answers as [`Controller`] says. An event whose losses were all spurious is taken
//! back.

use super::controller::{
    AckSample, AckedPacket, Controller, LostPacket, SentState, initial_window, minimum_window,
    window_for_mtu,
};
use crate::recovery::rtt::Rtt;
use crate::time::Instant;

/// What is left of the window after losses, tenths (RFC 9002 §B.1: kLossReductionFactor).
const AFTER_LOSS_TENTHS: u64 = 5;
/// What is left of the window after a mark of ECN, tenths (RFC 8511 §3.1).
const AFTER_MARK_TENTHS: u64 = 8;

/// Window and threshold, kept to take an event back.
#[derive(Clone, Copy, Debug)]
struct Shape {
    window_bytes: u64,
    threshold_bytes: u64,
}

/// The controller that RFC 9002 describes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewReno {
    mtu: u64,
    shape: Shape,
    before_event: Option<Shape>,
    recovery_start: Option<Instant>,
}

impl NewReno {
    /// Starts with the initial window for datagrams of `mtu` bytes.
    #[must_use]
    pub(crate) fn new(mtu: u64) -> Self {
        Self {
            mtu,
            shape: Shape {
                window_bytes: initial_window(mtu),
                threshold_bytes: u64::MAX,
            },
            before_event: None,
            recovery_start: None,
        }
    }

    fn is_in_recovery(&self, sent_at: Instant) -> bool {
        self.recovery_start.is_some_and(|start| sent_at <= start)
    }

    fn on_congestion_event(&mut self, now: Instant, sent_at: Instant, tenths: u64) -> bool {
        if self.is_in_recovery(sent_at) {
            return false;
        }
        self.before_event = Some(self.shape);
        self.recovery_start = Some(now);
        let reduced = self.shape.window_bytes / 10 * tenths;
        let window = reduced.max(minimum_window(self.mtu));
        self.shape = Shape {
            window_bytes: window,
            threshold_bytes: window,
        };
        true
    }
}

impl Controller for NewReno {
    fn on_packet_sent(&mut self, _sent: &SentState) {}

    fn on_packet_acked(&mut self, acked: &AckedPacket<'_>) {
        if !acked.is_cwnd_limited || self.is_in_recovery(acked.sent.sent_at) {
            return;
        }
        let bytes = u64::from(acked.sent.bytes);
        self.shape.window_bytes += if self.in_slow_start() {
            bytes
        } else {
            self.mtu * bytes / self.shape.window_bytes
        };
    }

    fn on_packet_lost(&mut self, lost: &LostPacket<'_>) -> bool {
        self.on_congestion_event(lost.now, lost.sent.sent_at, AFTER_LOSS_TENTHS)
    }

    fn on_ecn_ce(&mut self, now: Instant, sent_at: Instant) -> bool {
        let is_new = self.on_congestion_event(now, sent_at, AFTER_MARK_TENTHS);
        if is_new {
            // A mark is never spurious.
            self.before_event = None;
        }
        is_new
    }

    fn on_persistent_congestion(&mut self, now: Instant) {
        self.before_event = None;
        self.recovery_start = Some(now);
        self.shape.window_bytes = minimum_window(self.mtu);
    }

    fn on_ack(&mut self, _sample: &AckSample<'_>, _rtt: &Rtt) {}

    fn on_spurious_congestion_event(&mut self) {
        if let Some(before) = self.before_event.take()
            && self.shape.window_bytes < before.window_bytes
        {
            self.shape = before;
        }
    }

    fn on_mtu(&mut self, mtu: u64) {
        let in_slow_start = self.in_slow_start();
        let window = self.shape.window_bytes;
        self.shape.window_bytes = window_for_mtu(window, self.mtu, mtu, in_slow_start);
        self.mtu = mtu;
    }

    fn window(&self) -> u64 {
        self.shape.window_bytes
    }

    fn in_slow_start(&self) -> bool {
        self.shape.window_bytes < self.shape.threshold_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTU: u64 = 1_200;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn sent(sent_at: Instant) -> SentState {
        SentState {
            pn: 0,
            bytes: 1_200,
            is_app_limited: false,
            sent_at,
            first_sent_at: sent_at,
            delivered_bytes: 0,
            delivered_at: sent_at,
            lost_bytes: 0,
            in_flight_bytes: 1_200,
        }
    }

    fn ack(reno: &mut NewReno, sent_ms: u64, is_cwnd_limited: bool) {
        reno.on_packet_acked(&AckedPacket {
            sent: &sent(at(sent_ms)),
            is_cwnd_limited,
        });
    }

    fn lose(reno: &mut NewReno, sent_ms: u64, now_ms: u64) -> bool {
        reno.on_packet_lost(&LostPacket {
            now: at(now_ms),
            sent: &sent(at(sent_ms)),
            lost_since_bytes: 1_200,
        })
    }

    #[test]
    fn slow_start_doubles_and_avoidance_adds_a_datagram_a_round() {
        let mut reno = NewReno::new(MTU);
        (0..10).for_each(|_| ack(&mut reno, 1, true));
        assert_eq!(reno.window(), 20 * MTU);
        assert!(lose(&mut reno, 2, 10));
        assert_eq!(reno.window(), 10 * MTU);
        assert!(!reno.in_slow_start());
        (0..10).for_each(|_| ack(&mut reno, 11, true));
        let grown = reno.window() - 10 * MTU;
        assert!((MTU * 9 / 10..=MTU).contains(&grown), "{grown}");
    }

    #[test]
    fn a_round_has_one_event_and_does_not_grow() {
        let mut reno = NewReno::new(MTU);
        assert!(lose(&mut reno, 1, 10));
        assert!(!lose(&mut reno, 2, 10) && !lose(&mut reno, 10, 12));
        ack(&mut reno, 10, true);
        assert_eq!(reno.window(), 5 * MTU);
        assert!(lose(&mut reno, 11, 20));
        assert_eq!(reno.window(), 5 * MTU / 2);
    }

    #[test]
    fn a_window_that_is_not_used_does_not_grow() {
        let mut reno = NewReno::new(MTU);
        ack(&mut reno, 1, false);
        assert_eq!(reno.window(), 10 * MTU);
    }

    #[test]
    fn a_mark_takes_a_fifth_and_persistent_congestion_all_but_the_least() {
        let mut reno = NewReno::new(MTU);
        assert!(reno.on_ecn_ce(at(10), at(1)));
        assert!(!reno.on_ecn_ce(at(11), at(9)));
        assert_eq!(reno.window(), 8 * MTU);
        reno.on_spurious_congestion_event();
        assert_eq!(reno.window(), 8 * MTU, "a mark is not taken back");
        reno.on_persistent_congestion(at(500));
        assert_eq!(reno.window(), 2 * MTU);
    }

    #[test]
    fn a_spurious_event_is_taken_back() {
        let mut reno = NewReno::new(MTU);
        lose(&mut reno, 1, 10);
        reno.on_spurious_congestion_event();
        assert_eq!((reno.window(), reno.in_slow_start()), (10 * MTU, true));
    }

    #[test]
    fn larger_datagrams_raise_an_untouched_window() {
        let mut reno = NewReno::new(MTU);
        reno.on_mtu(1_452);
        assert_eq!(reno.window(), initial_window(1_452));
        reno.on_persistent_congestion(at(1));
        reno.on_mtu(1_200);
        assert_eq!(reno.window(), 2 * 1_452);
    }
}
