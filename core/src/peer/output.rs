//! What leaves for a peer, most urgent first: handshake datagrams, answers and probes on any path, a goodbye, what
//! is relayed to the peer, and batches of data packets on the active path (protocol §7, §9).

use super::handshake::Due;
use super::packets::PacketKind;
use super::{Farewell, Peer, PeerOutcome};
use crate::api::DisconnectReason;
use crate::ecn::EcnCodepoint;
use crate::limits;
use crate::path::{PathKey, Route};
use crate::recovery;
use crate::schedule::{Packets, SentFrame};
use crate::time::Instant;
use crate::wire::frame::{CloseFrame, Frame, PathChallengeFrame, PathResponseFrame, padding};

/// Datagrams of one peer, for one route, one behind the other in the buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerTransmit {
    /// Where they go.
    pub(crate) route: Route,
    /// Bytes in all.
    pub(crate) len: usize,
    /// Bytes of each but the last.
    pub(crate) segment_size: usize,
    /// Mark of each.
    pub(crate) ecn: Option<EcnCodepoint>,
}

impl PeerTransmit {
    fn single(route: Route, len: usize) -> Self {
        Self {
            route,
            len,
            segment_size: len,
            ecn: None,
        }
    }

    fn unmarked(packets: Packets<Route>) -> Self {
        Self {
            route: packets.route,
            len: packets.len,
            segment_size: packets.segment_size,
            ecn: None,
        }
    }
}

impl Peer {
    /// Fills `buffer` with what is most urgent. `may_probe` says whether the node's budget for probes to unvalidated
    /// addresses has room; `probed` counts those that were used.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        may_probe: bool,
        probed: &mut u32,
    ) -> Option<PeerTransmit> {
        self.apply_path_events(now);
        let transmit = self
            .poll_handshake(now, buffer)
            .or_else(|| self.relayed.poll_sealed(buffer).map(PeerTransmit::unmarked))
            .or_else(|| self.poll_path_packet(now, buffer, may_probe, probed))
            .or_else(|| self.poll_close(now, buffer))
            .or_else(|| self.poll_relayed(now, buffer))
            .or_else(|| self.poll_mtu_probe(now, buffer))
            .or_else(|| self.poll_batch(now, buffer))?;
        self.paths.on_packet_sent(now, transmit.route, transmit.len);
        self.activity.on_sent(transmit.len);
        Some(transmit)
    }

    fn poll_handshake(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        let route = match self.handshakes.poll(now, buffer)? {
            Due::Datagram(route, len) => return Some(PeerTransmit::single(route, len)),
            Due::Ping(route) => route,
        };
        let path = self.paths.key_of(route)?;
        let len = self
            .writer()
            .seal(now, path, buffer, PacketKind::PLAIN, |w, _| {
                Frame::Ping.encode(w).is_ok()
            })?;
        Some(PeerTransmit::single(route, len))
    }

    fn poll_path_packet(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        may_probe: bool,
        probed: &mut u32,
    ) -> Option<PeerTransmit> {
        if !self.sessions.is_up() {
            return None;
        }
        if let Some((route, data)) = self.paths.poll_response() {
            let frame = Frame::PathResponse(PathResponseFrame { data });
            return self.poll_lone(now, buffer, route, frame);
        }
        if let Some(probe) = self.paths.poll_probe(now, may_probe) {
            *probed += u32::from(!probe.validated);
            let frame = Frame::PathChallenge(PathChallengeFrame {
                data: probe.challenge,
            });
            return self.poll_lone(now, buffer, probe.route, frame);
        }
        let route = self.paths.poll_keep_alive(now)?;
        self.poll_lone(now, buffer, route, Frame::KeepAlive)
    }

    /// One packet with one frame that elicits no acknowledgement.
    fn poll_lone(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        route: Route,
        frame: Frame<'_>,
    ) -> Option<PeerTransmit> {
        let path = self.paths.key_of(route).unwrap_or(PathKey(u32::MAX));
        let len = self
            .writer()
            .seal(now, path, buffer, PacketKind::SILENT, |w, _| {
                frame.encode(w).is_ok()
            })?;
        Some(PeerTransmit::single(route, len))
    }

    fn poll_close(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        let (code, reason, why) = match self.closing.take()? {
            Farewell::Goodbye => (0, "goodbye", DisconnectReason::Local),
            Farewell::Fault(fault) => {
                let why = DisconnectReason::Misbehaved(fault);
                (fault.code(), fault.rule(), why)
            }
        };
        let frame = Frame::Close(CloseFrame { code, reason });
        let active = self.paths.active();
        let transmit = active.and_then(|(_, route)| self.poll_lone(now, buffer, route, frame));
        self.end_association(why);
        transmit
    }

    /// Forwards what came for this peer through a relay channel, as many equal packets as there are.
    fn poll_relayed(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        if !self.relayed.waits() {
            return None;
        }
        let (path, route) = self.paths.active()?;
        if !route.is_direct() {
            // A relay that is itself reached through a relay could lead back here.
            self.relayed.clear();
            return None;
        }
        let mut relayed = core::mem::take(&mut self.relayed);
        let mut writer = self.writer();
        let packets = relayed.poll(route, buffer, |room, frame| {
            writer.seal(now, path, room, PacketKind::SILENT, |w, _| {
                frame.encode(w).is_ok()
            })
        });
        self.relayed = relayed;
        packets.map(PeerTransmit::unmarked)
    }

    fn poll_mtu_probe(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        if !self.sessions.is_up() {
            return None;
        }
        let (path, route, size) = self.paths.poll_mtu_probe(now)?;
        let room = buffer.get_mut(..size)?;
        let len = self
            .writer()
            .seal(now, path, room, PacketKind::PLAIN, |w, content| {
                content.push(SentFrame::MtuProbe(size));
                Frame::Ping.encode(w).is_ok() && padding::fill(w, w.remaining()).is_ok()
            })?;
        Some(PeerTransmit::single(route, len))
    }

    fn poll_batch(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        self.paced_until = None;
        if !self.sessions.is_up() {
            return None;
        }
        let (path, route) = self.paths.active()?;
        if !self.has_output(now) {
            // What will leave next shows the rate of the application, not of the path.
            self.recovery.on_app_limited(recovery::PathKey(path.0));
            return None;
        }
        let mut room_bytes = self.paths.max_datagram_bytes(path);
        let budget = self.recovery.may_send(recovery::PathKey(path.0), now);
        let mut budget_bytes = budget.bytes;
        if budget_bytes == 0 {
            self.paced_until = budget.blocked_until;
        }
        // A relay's own hops are not ours to mark. What elicits nothing tries no path.
        let is_marked = route.is_direct()
            && self.has_eliciting()
            && self.recovery.marks(recovery::PathKey(path.0));
        let (mut len, mut segment_size) = (0, 0);
        for _ in 0..limits::BATCH_SEGMENTS {
            let Some(room) = buffer.get_mut(len..len + room_bytes) else {
                break;
            };
            let is_probe = self.pings.is_probing();
            let may_elicit = is_probe || budget_bytes >= room_bytes as u64;
            let Some(packet_len) = self.build_packet(now, path, room, may_elicit, is_marked) else {
                break;
            };
            budget_bytes = budget_bytes.saturating_sub(packet_len as u64);
            len += packet_len;
            if segment_size == 0 {
                segment_size = packet_len;
                room_bytes = packet_len;
            }
            if packet_len < segment_size {
                break;
            }
        }
        (len > 0).then_some(PeerTransmit {
            route,
            len,
            segment_size,
            ecn: is_marked.then_some(EcnCodepoint::Ect0),
        })
    }

    /// Acts on what happened to the paths.
    pub(super) fn apply_path_events(&mut self, now: Instant) {
        use crate::api::PathChangeReason as Reason;
        use crate::path::PathEvent;
        while let Some(event) = self.paths.poll_event() {
            match event {
                PathEvent::ActiveChanged {
                    from, to, reason, ..
                } => {
                    let left = from.filter(|_| matches!(reason, Reason::Failed | Reason::Roamed));
                    self.abandon(now, left);
                    let mtu = self.paths.max_datagram_bytes(to) as u64;
                    self.recovery.set_mtu(recovery::PathKey(to.0), mtu, now);
                    self.outcomes.push_back(PeerOutcome::PathChanged { reason });
                }
                PathEvent::PathDropped(path) => {
                    let mut lost = Vec::new();
                    self.recovery
                        .forget_path(recovery::PathKey(path.0), &mut lost);
                    self.apply_losses(now, &mut lost);
                }
                PathEvent::AllPathsLost => self.end_association(DisconnectReason::TimedOut),
            }
        }
    }

    /// Sends again on the active path whatever is under way on one that is left.
    pub(super) fn abandon(&mut self, now: Instant, path: Option<PathKey>) {
        let Some(path) = path else { return };
        let mut lost = Vec::new();
        self.recovery
            .on_path_abandoned(recovery::PathKey(path.0), &mut lost);
        self.apply_losses(now, &mut lost);
    }
}
