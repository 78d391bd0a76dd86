//! Packets that came in: opened, checked whole, then each frame told to the part that it concerns (protocol §4, §5).
//! One arm for each frame, one call in each arm.

use core::net::SocketAddr;

use super::levels::Halt;
use super::{Farewell, Peer, PeerOutcome};
use crate::api::{CandidateKind, DisconnectReason};
use crate::ecn::EcnCodepoint;
use crate::error::PeerMisbehaved;
use crate::path::{Received as PathPacket, ResponseOutcome, Route};
use crate::session::OpenError;
use crate::time::Instant;
use crate::wire::control::{Candidate, CandidateKind as Named, ControlMessage, ParsedControl};
use crate::wire::frame::{self, Frame};

/// What became of a data packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketFate {
    /// Opened and applied.
    Applied,
    /// Did not open: forged, or of keys that are gone.
    Unauthentic,
    /// Seen before, or too old to tell.
    Replayed,
    /// Authentic, but its content does not decode.
    Malformed,
}

/// How a datagram came.
#[derive(Clone, Copy)]
pub(crate) struct Via {
    pub(crate) route: Route,
    /// Its mark, on the last direct hop; what a relay carries has none.
    pub(crate) ecn: Option<EcnCodepoint>,
}

impl Peer {
    /// Takes a data packet for a session of this peer; it is opened in place.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        via: Via,
        index: u32,
        datagram: &mut [u8],
    ) -> PacketFate {
        let Some(session) = self.sessions.by_index(index) else {
            return PacketFate::Unauthentic;
        };
        let opened = match session.open(datagram, now) {
            Ok(opened) => opened,
            Err(OpenError::Replayed) => return PacketFate::Replayed,
            Err(OpenError::ReservedBits) => {
                self.close(Farewell::Fault(PeerMisbehaved::ReservedBits));
                return PacketFate::Malformed;
            }
            Err(OpenError::Exhausted) => {
                // So many forgeries that these keys must not open anything any more (protocol §4.5).
                let is_current = self.sessions.is_current(index);
                self.lose_session(is_current, DisconnectReason::TimedOut);
                return PacketFate::Unauthentic;
            }
            Err(_) => return PacketFate::Unauthentic,
        };
        let bytes = datagram.len();
        let Some(payload) = datagram.get(opened.payload.clone()) else {
            return PacketFate::Malformed;
        };
        self.handle_opened(now, via, (index, opened.pn), payload, bytes)
    }

    /// Applies a packet that a session has opened already.
    pub(crate) fn handle_opened(
        &mut self,
        now: Instant,
        via: Via,
        (index, pn): (u32, u64),
        payload: &[u8],
        datagram_bytes: usize,
    ) -> PacketFate {
        let Ok(summary) = summarize(payload) else {
            return PacketFate::Malformed;
        };
        self.sessions.on_opened(now, index);
        if self.sessions.is_current(index) {
            self.handshakes.on_confirmed();
        }
        self.activity.on_received(now, datagram_bytes);
        if summary.is_busy {
            self.activity.on_busy(now);
        }
        if summary.is_data {
            self.sessions.on_application_data();
        }
        if self.sessions.is_up() {
            let largest = self.sources.received.largest();
            let packet = PathPacket {
                bytes: datagram_bytes,
                is_newest: largest.is_none_or(|largest| pn > largest),
                is_probing: summary.is_probing,
                is_eliciting: summary.is_eliciting,
            };
            self.line.paths.on_packet_received(now, via.route, packet);
        }
        match self.apply_all(now, via.route, pn, payload) {
            // A packet that ended the association leaves nothing for the next one.
            Ok(()) if self.sessions.is_up() => {
                let received = &mut self.sources.received;
                received.on_packet(pn, summary.is_eliciting, via.ecn, now);
                if summary.is_urgent {
                    received.hasten_ack();
                }
            }
            Ok(()) | Err(Halt::NotNow) => {}
            Err(Halt::Misbehaved(fault)) => {
                log::debug!("a peer broke a rule: {}", fault.rule());
                self.close(Farewell::Fault(fault));
            }
        }
        PacketFate::Applied
    }

    fn apply_all(
        &mut self,
        now: Instant,
        route: Route,
        pn: u64,
        payload: &[u8],
    ) -> Result<(), Halt> {
        let mut outcome = Ok(());
        for frame in frame::iter(payload).flatten() {
            match self.apply(now, route, pn, frame) {
                Err(Halt::NotNow) => outcome = Err(Halt::NotNow),
                Err(fault) => return Err(fault),
                Ok(()) => {}
            }
            if !self.sessions.is_up() {
                break;
            }
        }
        outcome
    }

    fn apply(&mut self, now: Instant, route: Route, pn: u64, frame: Frame<'_>) -> Result<(), Halt> {
        let (line, sources) = (&mut self.line, &mut self.sources);
        match frame {
            Frame::Padding(_) | Frame::Ping | Frame::KeepAlive => {}
            Frame::Ack(ack) => {
                let result = line.on_ack(now, pn, &ack, sources);
                sources.take_news(&mut self.outcomes);
                result.map_err(Halt::Misbehaved)?;
            }
            Frame::Control(control) => self.on_control(now, pn, control.json),
            Frame::PathChallenge(f) => line.paths.on_challenge_received(now, route, f.data),
            Frame::PathResponse(f) => {
                let outcome = line.paths.on_response_received(now, route, f.data);
                if let ResponseOutcome::Validated { path, rtt, .. } = outcome {
                    // Measured without the delay of an acknowledgement: the better first sample.
                    line.seed_rtt(now, path, rtt);
                }
            }
            Frame::Close(close) => self.end_association(Farewell::reason_of_peer(close.code)),
            Frame::Relay(f) => {
                let (channel, datagram) = (f.channel, f.datagram.to_vec());
                let relayed = PeerOutcome::Relayed { channel, datagram };
                self.outcomes.push_back(relayed);
            }
            other => {
                sources.levels.on_frame(now, pn, other)?;
                sources.take_news(&mut self.outcomes);
            }
        }
        Ok(())
    }

    fn on_control(&mut self, now: Instant, pn: u64, json: &[u8]) {
        if !self.sources.controls.admits(now) {
            return;
        }
        match ControlMessage::parse(json) {
            Ok(ParsedControl::Known(ControlMessage::Candidates(candidates))) => {
                let named: Vec<_> = candidates.iter().map(candidate).collect();
                self.line.paths.on_remote_candidates(now, &named);
            }
            Ok(ParsedControl::Known(message)) => {
                self.sources.levels.on_control(now, pn, message);
                self.sources.take_news(&mut self.outcomes);
            }
            Ok(ParsedControl::Unknown) => self.outcomes.push_back(PeerOutcome::UnknownCommand),
            Err(_) => self.outcomes.push_back(PeerOutcome::Malformed),
        }
    }
}

/// A candidate in the words of paths.
fn candidate(named: &Candidate) -> (SocketAddr, CandidateKind) {
    let kind = match named.kind {
        Named::Host => CandidateKind::Host,
        Named::Reflexive => CandidateKind::ServerReflexive,
    };
    (named.address, kind)
}

/// What a packet is as a whole.
struct Summary {
    is_eliciting: bool,
    is_probing: bool,
    /// A PING: its sender measures or probes, so the answer does not wait.
    is_urgent: bool,
    is_data: bool,
    /// It carries more than signs of life and what answers those.
    is_busy: bool,
}

/// Decodes every frame once without applying any, so that a malformed packet has no effect at all.
fn summarize(payload: &[u8]) -> Result<Summary, crate::error::DecodeError> {
    let mut summary = Summary {
        is_eliciting: false,
        is_probing: true,
        is_urgent: false,
        is_data: false,
        is_busy: false,
    };
    for frame in frame::iter(payload) {
        let frame = frame?;
        summary.is_eliciting |= frame.is_ack_eliciting();
        let is_sign = matches!(
            frame,
            Frame::Padding(_)
                | Frame::Ping
                | Frame::KeepAlive
                | Frame::Ack(_)
                | Frame::PathChallenge(_)
                | Frame::PathResponse(_)
        );
        summary.is_busy |= !is_sign;
        summary.is_urgent |= frame == Frame::Ping;
        summary.is_data |= matches!(
            frame,
            Frame::Datagram(_)
                | Frame::Latest(_)
                | Frame::Request(_)
                | Frame::Answer(_)
                | Frame::Message(_)
                | Frame::Stream(_)
        );
        summary.is_probing &= matches!(
            frame,
            Frame::Padding(_) | Frame::PathChallenge(_) | Frame::PathResponse(_)
        );
    }
    Ok(summary)
}
