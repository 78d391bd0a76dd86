//! What leaves for a peer, in the order of [`PacketSchedule`](crate::schedule::PacketSchedule): handshake datagrams,
//! answers and probes on any path, a goodbye, what is relayed to the peer, and batches of packets filled with frames on
//! the active path (protocol §7, §9).

use super::handshake::Due;
use super::line::{Allowance, Change, PacketKind};
use super::sources::{Fill, Used};
use super::{Peer, PeerOutcome, PeerTransmit};
use crate::api::DisconnectReason;
use crate::ecn::EcnCodepoint;
use crate::limits;
use crate::schedule::{PacketName, Waiting};
use crate::time::Instant;
use crate::wire::frame::Frame;

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
        self.apply_changes(now);
        let waiting = Waiting {
            relayed: self.sources.relayed.waits(),
            frames: self.sources.has_output(now),
        };
        let mut packets = self.packets;
        let transmit = packets.poll(waiting, |name| {
            let transmit = self.poll_packets(name, now, buffer, may_probe, probed)?;
            Some((transmit, transmit.len))
        });
        self.packets = packets;
        if transmit.is_none() && !waiting.frames {
            self.line.on_app_limited();
        }
        let transmit = transmit?;
        self.line
            .paths
            .on_packet_sent(now, transmit.route, transmit.len);
        self.activity.on_sent(transmit.len);
        Some(transmit)
    }

    fn poll_packets(
        &mut self,
        name: PacketName,
        now: Instant,
        buffer: &mut [u8],
        may_probe: bool,
        probed: &mut u32,
    ) -> Option<PeerTransmit> {
        if name == PacketName::Handshake {
            return self.poll_handshake(now, buffer);
        }
        if !self.sessions.is_up() {
            return None;
        }
        let (line, sessions) = (&mut self.line, &mut self.sessions);
        match name {
            PacketName::Handshake => None,
            PacketName::PathResponses => line.poll_response(sessions, now, buffer),
            PacketName::PathProbes => line.poll_probe(sessions, now, buffer, may_probe, probed),
            PacketName::KeepAlives => line.poll_keep_alive(sessions, now, buffer),
            PacketName::Farewell => self.poll_farewell(now, buffer),
            PacketName::MtuProbes => line.poll_mtu_probe(sessions, now, buffer),
            PacketName::Relayed => self.poll_relayed(now, buffer),
            PacketName::Frames => self.poll_batch(now, buffer),
        }
    }

    fn poll_handshake(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        let route = match self.handshakes.poll(now, buffer)? {
            Due::Datagram(route, len) => return Some(PeerTransmit::single(route, len)),
            Due::Ping(route) => route,
        };
        self.line.paths.key_of(route)?;
        let (sessions, at) = (&mut self.sessions, (now, route));
        self.line
            .seal_lone(sessions, at, buffer, PacketKind::PLAIN, &Frame::Ping)
    }

    fn poll_farewell(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        let farewell = self.farewell.take()?;
        let frame = Frame::Close(farewell.frame());
        let (line, sessions) = (&mut self.line, &mut self.sessions);
        let transmit = line.active_route().and_then(|route| {
            line.seal_lone(sessions, (now, route), buffer, PacketKind::SILENT, &frame)
        });
        self.end_association(farewell.reason());
        transmit
    }

    /// Forwards what came for this peer through a relay channel, as many equal packets as there are.
    fn poll_relayed(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        let (path, route) = self.line.paths.active()?;
        let relayed = &mut self.sources.relayed;
        if let Some(left_over) = relayed.poll_sealed(buffer) {
            return Some(left_over.into());
        }
        if !route.is_direct() {
            // A relay that is itself reached through a relay could lead back here.
            relayed.clear();
            return None;
        }
        let (line, sessions) = (&mut self.line, &mut self.sessions);
        let packets = relayed.poll(route, buffer, |room, frame| {
            line.seal(sessions, (now, path), room, PacketKind::SILENT, |w, _| {
                frame.encode(w).is_ok()
            })
        });
        packets.map(PeerTransmit::from)
    }

    fn poll_batch(&mut self, now: Instant, buffer: &mut [u8]) -> Option<PeerTransmit> {
        let mut left = self.line.allowance(now)?;
        // What elicits nothing tries no path.
        let is_marked = self.sources.has_eliciting() && self.line.marks(left.path, left.route);
        let (mut len, mut segment_size) = (0, 0);
        for _ in 0..limits::BATCH_SEGMENTS {
            let Some(room) = buffer.get_mut(len..len + left.room_bytes) else {
                break;
            };
            let Some(packet_len) = self.build_packet(now, left, room, is_marked) else {
                break;
            };
            left.bytes = left.bytes.saturating_sub(packet_len as u64);
            len += packet_len;
            if segment_size == 0 {
                segment_size = packet_len;
                left.room_bytes = packet_len;
            }
            if packet_len < segment_size {
                break;
            }
        }
        (len > 0).then_some(PeerTransmit {
            route: left.route,
            len,
            segment_size,
            ecn: is_marked.then_some(EcnCodepoint::Ect0),
        })
    }

    /// Builds one packet of the active path in `room`. `None` where nothing is to be said.
    fn build_packet(
        &mut self,
        now: Instant,
        left: Allowance,
        room: &mut [u8],
        is_marked: bool,
    ) -> Option<usize> {
        let echoes = self.sources.wants_echo(self.line.is_idle());
        let may_elicit = self.sources.pings.is_probing() || left.bytes >= room.len() as u64;
        let elicits = may_elicit && (self.sources.has_eliciting() || echoes);
        if !elicits && !self.sources.received.ack_due(now) {
            return None;
        }
        let pace = self.line.pace(now, left.path);
        let fill = Fill {
            pace,
            elicits,
            echoes,
        };
        let (mut used, sources) = (Used::default(), &mut self.sources);
        let kind = PacketKind { elicits, is_marked };
        let at = (now, left.path);
        let len = self
            .line
            .seal(&mut self.sessions, at, room, kind, |w, content| {
                used = sources.fill(fill, w, content);
                !w.is_empty()
            })?;
        self.sources.on_packet_sent(fill);
        if used.is_busy {
            self.activity.on_busy(now);
        }
        if used.is_data {
            self.sessions.on_application_data();
        }
        Some(len)
    }

    /// Acts on what became of the paths.
    pub(super) fn apply_changes(&mut self, now: Instant) {
        while let Some(change) = self.line.poll_change(now, &mut self.sources) {
            self.sources.take_news(&mut self.outcomes);
            match change {
                Change::Moved(reason) => {
                    self.outcomes.push_back(PeerOutcome::PathChanged { reason });
                }
                Change::Silent => self.outcomes.push_back(PeerOutcome::Silent),
                Change::Lost => self.end_association(DisconnectReason::TimedOut),
            }
        }
        self.sources.take_news(&mut self.outcomes);
    }
}
