//! Packets that came in: opened, checked whole, then each frame told to the part that it concerns (protocol §4, §5).
//! One arm for each frame, one call in each arm.

use super::Peer;
use super::levels::Halt;
use super::outcome::{Farewell, PeerOutcome};
use crate::api::{CandidateKind, DisconnectReason};
use crate::ecn::EcnCodepoint;
use crate::error::PeerMisbehaved;
use crate::path::{Received as PathPacket, ResponseOutcome, Route};
use crate::recovery;
use crate::session::OpenError;
use crate::time::{Duration, Instant};
use crate::wire::control::{Candidate, CandidateKind as Named, ControlMessage, ParsedControl};
use crate::wire::frame::{self, AckFrame, Frame};

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
                self.on_misbehaved(PeerMisbehaved::ReservedBits);
                return PacketFate::Malformed;
            }
            Err(OpenError::Exhausted) => {
                self.on_exhausted(index);
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
        let route = via.route;
        self.sessions.on_opened(now, index);
        let is_newest = self.received.largest().is_none_or(|largest| pn > largest);
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
            let is_probing = summary.is_probing;
            let packet = PathPacket {
                bytes: datagram_bytes,
                is_newest,
                is_probing,
            };
            self.paths.on_packet_received(now, route, packet);
        }
        match self.apply_all(now, route, pn, payload) {
            // A packet that ended the association leaves nothing for the next one.
            Ok(()) if self.sessions.is_up() => {
                let elicits = summary.is_eliciting;
                self.received.on_packet(pn, elicits, via.ecn, now);
                if summary.is_urgent {
                    self.received.hasten_ack();
                }
            }
            Ok(()) | Err(Halt::NotNow) => {}
            Err(Halt::Misbehaved(fault)) => self.on_misbehaved(fault),
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
        match frame {
            Frame::Padding(_) | Frame::Ping | Frame::KeepAlive => {}
            Frame::Ack(ack) => self.on_ack(now, pn, &ack)?,
            Frame::Control(control) => self.on_control(now, pn, control.json),
            Frame::PathChallenge(f) => self.paths.on_challenge_received(now, route, f.data),
            Frame::PathResponse(f) => {
                let outcome = self.paths.on_response_received(now, route, f.data);
                if let ResponseOutcome::Validated { path, rtt, .. } = outcome {
                    // Measured without the delay of an acknowledgement: the better first sample.
                    self.recovery.seed_rtt(recovery::PathKey(path.0), rtt, now);
                }
            }
            Frame::Close(close) => self.on_close(close.code),
            Frame::Relay(f) => {
                let datagram = f.datagram.to_vec();
                let relayed = PeerOutcome::Relayed {
                    channel: f.channel,
                    datagram,
                };
                self.outcomes.push_back(relayed);
            }
            other => {
                self.levels.on_frame(now, pn, other)?;
                self.collect_news();
            }
        }
        Ok(())
    }

    fn on_ack(&mut self, now: Instant, pn: u64, ack: &AckFrame<'_>) -> Result<(), Halt> {
        let delay = Duration::from_micros(ack.delay_us.min(1_000_000));
        let mut acks = core::mem::take(&mut self.acks);
        let newest = self.recovery.largest_acked();
        let result = self.recovery.on_ack(ack.ranges(), delay, now, &mut acks);
        // Acknowledgements may overtake each other: older counts say nothing (RFC 9000 §13.4.2.1).
        if result.is_ok() && Some(ack.largest) > newest {
            let counts = ack.ecn.unwrap_or_default();
            self.recovery.on_ecn_counts(counts, &acks.acked, now);
        }
        self.apply_acks(now, pn, &mut acks);
        self.acks = acks;
        result.map_err(|_| Halt::Misbehaved(PeerMisbehaved::AckOfUnsentPacket))
    }

    fn on_close(&mut self, code: u64) {
        let reason = match code {
            0 => DisconnectReason::Remote,
            _ => DisconnectReason::Accused(code),
        };
        self.end_association(reason);
    }

    /// Ends the connection with a peer that broke a rule, and tells it which.
    pub(super) fn on_misbehaved(&mut self, fault: PeerMisbehaved) {
        log::debug!("a peer broke a rule: {}", fault.rule());
        self.close(Farewell::Fault(fault));
    }

    fn on_control(&mut self, now: Instant, pn: u64, json: &[u8]) {
        if !self.controls.admits(now) {
            return;
        }
        let message = match ControlMessage::parse(json) {
            Ok(ParsedControl::Known(message)) => message,
            Ok(ParsedControl::Unknown) => {
                self.outcomes.push_back(PeerOutcome::UnknownCommand);
                return;
            }
            Err(_) => {
                self.outcomes.push_back(PeerOutcome::Malformed);
                return;
            }
        };
        if let ControlMessage::Candidates(candidates) = &message {
            self.on_candidates(now, candidates);
        } else {
            self.levels.on_control(now, pn, message);
            self.collect_news();
        }
    }

    fn on_candidates(&mut self, now: Instant, candidates: &[Candidate]) {
        let kind = |named| match named {
            Named::Host => CandidateKind::Host,
            Named::Reflexive => CandidateKind::ServerReflexive,
        };
        let named: Vec<_> = candidates
            .iter()
            .map(|c| (c.address, kind(c.kind)))
            .collect();
        self.paths.on_remote_candidates(now, &named);
    }
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
