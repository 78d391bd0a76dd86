//! Packets that came in: opened, checked whole, then each frame told to the part that it concerns (protocol §4, §5).
//! One arm for each frame, one call in each arm.

use bytes::Bytes;

use super::outcome::{Farewell, PeerOutcome};
use super::unclaimed::Epoch;
use super::{Asker, Peer};
use crate::api::{
    Answer, CandidateKind, DisconnectReason, Event, Label, RequestId, RequestOutcome,
};
use crate::ecn::EcnCodepoint;
use crate::error::PeerMisbehaved;
use crate::level::names::Names;
use crate::level::{Received, Violation};
use crate::path::{Received as PathPacket, ResponseOutcome, Route};
use crate::recovery;
use crate::schedule::Reply;
use crate::session::OpenError;
use crate::tag::Tag;
use crate::time::{Duration, Instant};
use crate::wire::control::{Candidate, CandidateKind as Named, ControlMessage, ParsedControl};
use crate::wire::frame::{self, AckFrame, Frame, LatestFrame, RequestFrame};

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

/// Why the rest of a packet is not applied.
enum Halt {
    /// The packet must not be acknowledged: its content comes again.
    NotNow,
    /// The peer broke a rule.
    Misbehaved(PeerMisbehaved),
}

impl From<Violation> for Halt {
    fn from(violation: Violation) -> Self {
        Self::Misbehaved(match violation {
            Violation::FlowControl => PeerMisbehaved::FlowControl,
            Violation::StreamLimit => PeerMisbehaved::StreamLimit,
            Violation::StreamState => PeerMisbehaved::StreamState,
            Violation::FinalSize => PeerMisbehaved::FinalSize,
            Violation::MessageLimit => PeerMisbehaved::MessageLimit,
            Violation::ServiceName => PeerMisbehaved::ServiceName,
            Violation::InconsistentData => PeerMisbehaved::MalformedFrame,
        })
    }
}

/// Turns what a level said about a piece into whether the packet goes on.
fn accepted(received: Received) -> Result<(), Halt> {
    match received {
        Received::Accepted => Ok(()),
        Received::Refused => Err(Halt::NotNow),
    }
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
            Frame::Datagram(f) => {
                let (peer, data) = (self.id, Bytes::copy_from_slice(f.data));
                let label = self.label(f.tag)?;
                self.event(Event::DatagramReceived { peer, label, data });
            }
            Frame::Latest(f) => self.on_latest(&f),
            Frame::Request(request) => self.on_request(now, pn, &request),
            Frame::Answer(f) => {
                let body = Bytes::copy_from_slice(f.body);
                self.on_answer(
                    f.reference,
                    Answer {
                        status: f.status,
                        body,
                    },
                );
            }
            Frame::Relay(f) => {
                let datagram = f.datagram.to_vec();
                let relayed = PeerOutcome::Relayed {
                    channel: f.channel,
                    datagram,
                };
                self.outcomes.push_back(relayed);
            }
            other => self.apply_level(now, other)?,
        }
        Ok(())
    }

    fn apply_level(&mut self, now: Instant, frame: Frame<'_>) -> Result<(), Halt> {
        use crate::api::{MessageId, StreamId};
        let levels = self.flows();
        match frame {
            Frame::ServiceName(f) => levels.names.on_name(f.number, f.name)?,
            // Senders count from 0; a larger one would pass for a message of a later association.
            Frame::Message(f) if f.id >= Epoch::IDS => {
                return Err(Halt::Misbehaved(PeerMisbehaved::MessageLimit));
            }
            Frame::Message(f) => {
                levels.names.label(f.tag)?;
                let piece = (MessageId(f.id), f.tag);
                let (total, offset) = (f.total_bytes, f.offset_bytes);
                let received = levels
                    .messages
                    .on_fragment(piece, total, offset, f.data, now)?;
                accepted(received)?;
            }
            Frame::MessageDeadline(f) => levels.messages.on_deadline(f.id, f.life_ms, now),
            Frame::MessageAbandon(f) => levels.messages.on_abandon(f.id)?,
            Frame::MessageCredit(f) => levels.messages.on_credit(f.total_bytes, f.total_messages),
            Frame::Stream(f) => {
                if let Some(tag) = f.tag {
                    levels.names.label(tag)?;
                }
                let id = StreamId(f.id);
                let received =
                    levels
                        .streams
                        .on_stream(id, f.offset_bytes, f.tag, f.data, f.fin)?;
                accepted(received)?;
            }
            Frame::StreamReset(f) => {
                levels
                    .streams
                    .on_reset(StreamId(f.id), f.code, f.final_size_bytes)?;
            }
            Frame::StreamStop(f) => levels.streams.on_stop(StreamId(f.id), f.code)?,
            Frame::StreamCredit(f) => {
                levels
                    .streams
                    .on_stream_credit(StreamId(f.id), f.total_bytes)?;
            }
            Frame::StreamsCredit(f) => levels.streams.on_streams_credit(f.total_bytes),
            Frame::StreamsLimit(f) => levels.streams.on_streams_limit(f.streams),
            _ => {}
        }
        Ok(())
    }

    /// What a tag stands for.
    fn label(&self, tag: Tag) -> Result<Label, Violation> {
        match (&self.levels, tag.topic) {
            (Some(levels), _) => levels.names.label(tag),
            (None, _) => Names::default().label(tag),
        }
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

    fn on_latest(&mut self, frame: &LatestFrame<'_>) {
        if self.flows().latest.on_value(frame.key, frame.version) {
            let event = Event::LatestReceived {
                peer: self.id,
                key: frame.key.to_owned(),
                data: Bytes::copy_from_slice(frame.value),
            };
            self.event(event);
        }
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

    fn on_request(&mut self, now: Instant, pn: u64, request: &RequestFrame<'_>) {
        let replies = &mut self.levels().replies;
        if replies.on_request(request.reference, pn, now) {
            let event = Event::RequestReceived {
                peer: self.id,
                request: RequestId(request.reference),
                service: request.service.to_owned(),
                budget: request.budget,
                body: Bytes::copy_from_slice(request.body),
            };
            self.event(event);
        }
    }

    fn on_answer(&mut self, reference: u64, answer: Answer) {
        let levels = self.levels();
        let is_ours = |asker: &Asker| *asker == Asker::Application;
        if levels
            .requests
            .peek(reference)
            .is_some_and(|entry| is_ours(&entry.owner))
        {
            levels.requests.on_answer(reference);
            let (peer, request) = (self.id, RequestId(reference));
            let outcome = RequestOutcome::Answered(answer);
            self.event(Event::RequestDone {
                peer,
                request,
                outcome,
            });
        }
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
        if let Some(reference) = message.reference() {
            self.on_control_request(now, pn, reference, message);
        } else if let Some(reference) = message.reply_to() {
            self.on_control_answer(reference, message);
        } else if let ControlMessage::Candidates(candidates) = &message {
            self.on_candidates(now, candidates);
        }
    }

    fn on_control_request(
        &mut self,
        now: Instant,
        pn: u64,
        reference: u64,
        message: ControlMessage,
    ) {
        if self.levels().replies.on_request(reference, pn, now) {
            self.outcomes.push_back(PeerOutcome::Control(message));
        }
    }

    fn on_control_answer(&mut self, reference: u64, answer: ControlMessage) {
        let levels = self.levels();
        let owner = levels.requests.peek(reference).map(|entry| entry.owner);
        if let Some(Asker::Engine(purpose)) = owner {
            levels.requests.on_answer(reference);
            self.outcomes
                .push_back(PeerOutcome::ControlAnswered { purpose, answer });
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

    /// Answers a control request; the answer is kept to be repeated.
    pub(crate) fn answer_control(
        &mut self,
        now: Instant,
        reference: u64,
        message: &ControlMessage,
    ) {
        let reply = Reply::Control(Bytes::from(message.to_json()));
        self.levels().replies.answer(reference, reply, now);
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
