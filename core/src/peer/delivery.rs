//! What follows when packets are delivered or lost: each part goes back to the level that it came from, and the
//! levels' news become events for the application.

use super::Peer;
use super::outcome::PeerOutcome;
use crate::path::PathKey;
use crate::recovery::{self, AckOutcome, Lost};
use crate::schedule::{Acked, Content, SentFrame};
use crate::time::{Duration, Instant};

impl Peer {
    /// Applies what an acknowledgement said, which came in the packet with the number `pn`.
    pub(super) fn apply_acks(&mut self, now: Instant, pn: u64, acks: &mut AckOutcome<Content>) {
        for delivered in acks.delivered.drain(..) {
            let path = PathKey(delivered.path.0);
            self.paths.on_datagram_acked(path, delivered.bytes as usize);
            for frame in delivered.frames {
                let rtt = acks.rtt_sample.map(|(_, rtt)| rtt);
                self.on_delivered(now, (pn, path), frame, rtt);
            }
        }
        self.collect_pongs();
        self.apply_losses(now, &mut acks.lost);
        if let Some((path, _)) = acks.rtt_sample {
            let smoothed = self.recovery.rtt(path).map(recovery::Rtt::smoothed);
            if let Some(smoothed) = smoothed {
                self.paths.on_rtt(now, PathKey(path.0), smoothed);
            }
        }
    }

    fn on_delivered(
        &mut self,
        now: Instant,
        (pn, path): (u64, PathKey),
        frame: SentFrame,
        rtt: Option<Duration>,
    ) {
        match frame {
            SentFrame::Ack { largest } => self.received.on_ack_of_ack(largest),
            SentFrame::Ping => self.pings.on_delivered(rtt),
            SentFrame::Control(_) => {}
            SentFrame::Level(sent) => {
                if let Some(levels) = self.levels.open_mut() {
                    levels.on_delivered(&sent, Acked { by_pn: pn, now });
                }
            }
            SentFrame::MtuProbe(bytes) => {
                self.paths.on_mtu_probe_acked(now, path, bytes);
                let mtu = self.paths.max_datagram_bytes(path) as u64;
                self.recovery.set_mtu(recovery::PathKey(path.0), mtu, now);
            }
        }
    }

    /// Applies losses; the list is emptied.
    pub(super) fn apply_losses(&mut self, now: Instant, lost: &mut Vec<Lost<Content>>) {
        for lost in lost.drain(..) {
            let path = PathKey(lost.path.0);
            let is_probe = matches!(lost.frames.first(), Some(SentFrame::MtuProbe(_)));
            if !is_probe && self.paths.on_datagram_lost(now, path, lost.bytes as usize) {
                let mtu = self.paths.max_datagram_bytes(path) as u64;
                self.recovery.set_mtu(recovery::PathKey(path.0), mtu, now);
            }
            for frame in lost.frames {
                self.on_lost(now, path, frame);
            }
        }
        self.collect_pongs();
    }

    fn on_lost(&mut self, now: Instant, path: PathKey, frame: SentFrame) {
        match frame {
            SentFrame::Ack { .. } => {}
            SentFrame::Ping => self.pings.on_lost(),
            SentFrame::Control(json) => self.controls.on_lost(json),
            SentFrame::Level(sent) => {
                if let Some(levels) = self.levels.open_mut() {
                    levels.on_lost(&sent);
                }
            }
            SentFrame::MtuProbe(bytes) => self.paths.on_mtu_probe_lost(now, path, bytes),
        }
    }

    /// Sends again what the oldest packet under way carries: a probe timeout best repeats that.
    pub(super) fn repeat_oldest(&mut self, path: recovery::PathKey) {
        let mut outstanding = self.recovery.outstanding_on(path);
        let oldest = outstanding.find(|content| content.iter().any(SentFrame::is_repeated));
        let Some(content) = oldest.cloned() else {
            return;
        };
        let Some(levels) = self.levels.open_mut() else {
            return;
        };
        for frame in content {
            match frame {
                SentFrame::Level(sent) => levels.on_probe(&sent),
                SentFrame::Control(json) => self.controls.on_lost(json),
                SentFrame::Ack { .. } | SentFrame::Ping | SentFrame::MtuProbe(_) => {}
            }
        }
    }

    /// Tells how measurements ended.
    pub(super) fn collect_pongs(&mut self) {
        while let Some(rtt) = self.pings.poll_pong() {
            self.outcomes.push_back(PeerOutcome::Pong { rtt });
        }
    }
}
