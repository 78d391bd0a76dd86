//! What recovery of a peer at rest keeps: where its packet numbers go on, what was acknowledged, and the round-trip
//! time of its one path. The congestion window begins anew, as it should after a pause (RFC 9002 §7.8, RFC 7661);
//! the numbers that were left out are forgotten, because with nothing under way to acknowledge them gains a cheat
//! nothing.

use core::num::NonZeroU32;

use super::congestion::ControllerKind;
use super::outcome::PathKey;
use super::received::ReceivedPackets;
use super::rtt::Rtt;
use super::{PathStats, Recovery};
use crate::ecn::EcnCounts;
use crate::time::{Behind, Duration, Instant};

/// Both directions of one association's packets at rest.
#[derive(Clone, Copy)]
pub(crate) struct RecoveryAtRest {
    next_pn: u32,
    largest_acked: Behind,
    /// Seen from the largest number that the session opened.
    largest_received: Behind,
    /// How far the next number that is left out lies ahead; zero where that is not drawn yet.
    skip_in: u16,
    /// Gaps are short (`numbers`).
    gap: u16,
    rtt: RttAtRest,
    /// Packets received with ECT(0) and CE: the peer goes on to compare. Nobody rightly sends the third mark.
    marks: [u32; 2],
}

/// A round-trip time, microseconds each; no minimum before the first sample.
#[derive(Clone, Copy)]
struct RttAtRest {
    smoothed: u32,
    variance: u32,
    min: Option<NonZeroU32>,
}

impl<F> Recovery<F> {
    /// The next packet number, unless it is left out.
    pub(crate) fn next_pn(&self) -> u64 {
        self.numbers().position().0
    }

    /// What to keep of packets sent and `received`; `None` while something is under way or to be acknowledged, and
    /// where numbers are too large for it. `opened` is the largest number that the session opened.
    pub(crate) fn rest(
        &self,
        path: PathKey,
        received: &ReceivedPackets,
        opened: u64,
    ) -> Option<RecoveryAtRest> {
        if !self.is_idle() || received.ack_pending() {
            return None;
        }
        let marks = received.marks().unwrap_or_default();
        let marks = [
            u32::try_from(marks.ect0).ok()?,
            u32::try_from(marks.ce).ok()?,
        ];
        let (next_pn, skip_at, gap) = self.numbers().position();
        let skip_in = skip_at.map_or(0, |at| at.saturating_sub(next_pn).max(1));
        Some(RecoveryAtRest {
            next_pn: u32::try_from(next_pn).ok()?,
            largest_acked: Behind::of(next_pn, self.largest_acked())?,
            largest_received: Behind::of(opened, received.largest())?,
            skip_in: u16::try_from(skip_in).unwrap_or(u16::MAX),
            gap: u16::try_from(gap).unwrap_or(u16::MAX),
            rtt: RttAtRest::of(self.rtt(path)),
            marks,
        })
    }

    /// Sums over all paths, for a status that outlives them.
    pub(crate) fn sums(&self) -> PathStats {
        let mut sums = PathStats::default();
        for stats in self.all_stats() {
            sums.sent_packets += stats.sent_packets;
            sums.lost_packets += stats.lost_packets;
        }
        sums
    }
}

impl RecoveryAtRest {
    /// The next packet number, unless it is left out.
    pub(crate) fn next_pn(&self) -> u64 {
        self.next_pn.into()
    }

    /// The largest packet number received.
    pub(crate) fn largest_received(&self, opened: u64) -> Option<u64> {
        self.largest_received.get(opened)
    }

    /// Goes on: `path` is the path in use, and `mtu` the bytes of its largest datagram.
    pub(crate) fn wake<F>(
        &self,
        now: Instant,
        kind: ControllerKind,
        (path, mtu): (PathKey, u64),
        opened: u64,
    ) -> (Recovery<F>, ReceivedPackets) {
        let mut recovery = Recovery::new(kind);
        let skip_at = (self.skip_in > 0).then(|| self.next_pn() + u64::from(self.skip_in));
        let position = (self.next_pn(), skip_at, u64::from(self.gap));
        recovery.go_on(position, self.largest_acked.get(self.next_pn()));
        recovery.open_path(path, self.rtt.rtt(), mtu, now);
        let [ect0, ce] = self.marks.map(u64::from);
        let marks = EcnCounts { ect0, ect1: 0, ce };
        let received = ReceivedPackets::go_on(self.largest_received(opened), marks);
        (recovery, received)
    }
}

impl RttAtRest {
    fn of(rtt: Option<&Rtt>) -> Self {
        let initial = Rtt::new(crate::limits::INITIAL_RTT);
        let rtt = rtt.unwrap_or(&initial);
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        let min = rtt
            .min()
            .map(|min| NonZeroU32::MIN.saturating_add(micros(min).saturating_sub(1)));
        Self {
            smoothed: micros(rtt.smoothed()),
            variance: micros(rtt.variance()),
            min,
        }
    }

    fn rtt(self) -> Rtt {
        let time = |micros: u32| Duration::from_micros(u64::from(micros));
        let min = self.min.map(|min| time(min.get()));
        Rtt::go_on(time(self.smoothed), time(self.variance), min)
    }
}
