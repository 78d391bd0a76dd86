//! Requests of local programs to peers' HTTP services: body pieces go up as frames, the peer's frames come down as the
//! answer, each no faster than the other side takes them.

use core::time::Duration;

use bytes::Bytes;
use p2p_core::api::{Engine, Event, StreamId, StreamRead};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

use super::links::abandon;
use super::outflow::Outflow;
use super::{Phase, Surface};
use crate::encode::text_of;
use crate::exchange::{BodyKind, HttpId, ResponsePart};
use crate::problem::{Code, Problem};
use crate::proxy::{Calling, CallingStep, Refusal, ResponseHead, SWITCHING, code, status};

/// Body bytes held for the peer, and answer bytes handed to the driver and not yet written.
const HELD_BYTES: usize = 256 << 10;
/// Most bytes read from the stream at once.
const PIECE_BYTES: usize = 64 << 10;
/// Fewest bytes worth reading.
const SIP_BYTES: usize = 8 << 10;
/// Bytes of an upload that nobody wants any more, read so that the program sees the answer and not a reset.
const UNWANTED_BYTES: usize = 1 << 20;
/// How long that goes on after the answer.
const UNWANTED_TIME: Duration = Duration::from_secs(2);
/// What browsers must not do with bytes of peers at the node's own address.
const PROTECTION: &[(&str, &str)] = &[
    ("content-security-policy", "sandbox; default-src 'none'"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// One request on its way.
pub(super) struct OpenCall {
    peer: NodeId,
    stream: StreamId,
    calling: Calling,
    to_peer: Outflow,
    upload_ended: bool,
    /// The connection speaks another protocol: its halves end one by one.
    is_upgraded: bool,
    unwanted_bytes: usize,
    outstanding_bytes: usize,
    reads_peer: bool,
    answer: Answer,
    /// When it is forgotten though the program still sends.
    pub until: Option<Instant>,
}

impl OpenCall {
    /// Begins; `first` is what the peer is to see first.
    pub(super) fn new(peer: NodeId, stream: StreamId, calling: Calling, first: Bytes) -> Self {
        let mut to_peer = Outflow::new();
        to_peer.push(first);
        Self {
            peer,
            stream,
            calling,
            to_peer,
            upload_ended: false,
            is_upgraded: false,
            unwanted_bytes: UNWANTED_BYTES,
            outstanding_bytes: 0,
            reads_peer: true,
            answer: Answer::Awaited,
            until: None,
        }
    }

    /// The stream that it goes over.
    pub(super) const fn place(&self) -> (NodeId, StreamId) {
        (self.peer, self.stream)
    }

    /// The program has gone.
    pub(super) fn abandon(&self, now: Instant, node: &mut dyn Engine) {
        abandon(now, node, self.place(), code::CANCELLED);
    }

    /// A piece of the program's body.
    pub(super) fn on_upload(&mut self, piece: Bytes) {
        if self.to_peer.is_open() {
            let to_peer = &mut self.to_peer;
            self.calling.on_upload(piece, |bytes| to_peer.push(bytes));
        } else {
            self.unwanted_bytes = self.unwanted_bytes.saturating_sub(piece.len());
        }
    }

    /// The end of the program's body.
    pub(super) const fn on_upload_end(&mut self) {
        self.upload_ended = true;
    }

    /// So many bytes of the answer were written.
    pub(super) const fn on_consumed(&mut self, bytes: usize) {
        self.outstanding_bytes = self.outstanding_bytes.saturating_sub(bytes);
    }

    /// How many bytes the driver may hand over now.
    pub(super) const fn body_window(&self) -> usize {
        if self.upload_ended {
            0
        } else if self.to_peer.is_open() {
            HELD_BYTES.saturating_sub(self.to_peer.held_bytes())
        } else {
            self.unwanted_bytes
        }
    }

    fn room(&self) -> usize {
        let room = HELD_BYTES.saturating_sub(self.outstanding_bytes);
        if !self.reads_peer || room < SIP_BYTES {
            return 0;
        }
        room.min(PIECE_BYTES)
    }
}

/// How much of the answer the program was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Awaited,
    /// Its head; a body follows.
    Coming,
    /// All of it.
    Told,
}

const LOST: (Code, &str) = (
    Code::Disconnected,
    "The connection to the peer ended before the answer was complete.",
);

impl Surface {
    fn call_mut(&mut self, id: HttpId) -> Option<&mut OpenCall> {
        match self.exchanges.get_mut(&id).map(|e| &mut e.phase) {
            Some(Phase::Calling(call)) => Some(call),
            _ => None,
        }
    }

    /// Moves a call as far as it goes.
    pub(super) fn drive_call(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        loop {
            let Some(call) = self.call_mut(id) else {
                return;
            };
            if call.upload_ended && !call.calling.is_upload_whole() {
                return self.fail_call(now, node, id, refused(code::LENGTH));
            }
            if call.upload_ended {
                call.to_peer.end();
            }
            let place = call.place();
            if call.to_peer.drive(now, node, place).is_err() {
                // What the peer has said of it is still to be read.
                call.to_peer.close();
            }
            let room = call.room();
            if room == 0 {
                return self.end_call(now, node, id);
            }
            let steps = match node.read_stream(now, place.0, place.1, room) {
                Ok(StreamRead::Data(bytes)) => call.calling.on_stream(bytes),
                Ok(StreamRead::Pending) => return,
                Ok(StreamRead::Finished) => {
                    call.reads_peer = false;
                    let end = call.calling.on_stream_end();
                    end.map(|step| step.into_iter().collect())
                }
                Ok(StreamRead::Reset(code)) => {
                    return self.fail_call(now, node, id, refused(code));
                }
                Err(_) => return self.fail_call(now, node, id, LOST),
            };
            let Ok(steps) = steps else {
                return self.fail_call(now, node, id, refused(code::MALFORMED));
            };
            for step in steps {
                self.on_calling_step(now, node, id, step);
            }
        }
    }

    fn on_calling_step(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: HttpId,
        step: CallingStep,
    ) {
        match step {
            CallingStep::Head(head) => {
                self.begin_answer(id, head);
            }
            CallingStep::Chunk(bytes) => {
                if let Some(call) = self.call_mut(id) {
                    call.outstanding_bytes += bytes.len();
                    self.push(id, ResponsePart::Chunk(bytes));
                }
            }
            CallingStep::End => self.end_answer(now, id),
            CallingStep::Problem(status) => {
                self.fail_call(now, node, id, said(status));
            }
        }
    }

    fn begin_answer(&mut self, id: HttpId, head: ResponseHead) {
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in head.fields {
            headers.push((name, text_of(value)));
        }
        let version = ("x-p2p-version", self.state.version.as_str());
        for (name, value) in PROTECTION.iter().chain(core::iter::once(&version)) {
            headers.push(((*name).to_owned(), (*value).to_owned()));
        }
        let is_upgraded = head.status == SWITCHING;
        if is_upgraded {
            for (name, value) in [("connection", "upgrade"), ("upgrade", "websocket")] {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        let body = match (head.body.follows, head.body.length) {
            _ if is_upgraded => BodyKind::Upgraded,
            (false, length) => BodyKind::Absent(length),
            (true, Some(length)) => BodyKind::Sized(length),
            (true, None) => BodyKind::Streaming,
        };
        if let Some(call) = self.call_mut(id) {
            call.is_upgraded = is_upgraded;
            call.answer = if head.body.follows {
                Answer::Coming
            } else {
                Answer::Told
            };
        }
        let status = head.status;
        let head = ResponsePart::Head {
            status,
            headers,
            body,
        };
        self.push(id, head);
    }

    /// The answer is complete.
    fn end_answer(&mut self, now: Instant, id: HttpId) {
        let Some(call) = self.call_mut(id) else {
            return;
        };
        if !call.is_upgraded {
            call.until = Some(now + UNWANTED_TIME);
        }
        let was = core::mem::replace(&mut call.answer, Answer::Told);
        if was == Answer::Coming {
            self.push(id, ResponsePart::End);
        }
    }

    /// Forgets a call that is through with both directions, or whose program sends on for too long.
    fn end_call(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        let Some(call) = self.call_mut(id) else {
            return;
        };
        let is_cut_short = call.answer == Answer::Told && !call.to_peer.is_open();
        if call.until.is_none() && is_cut_short {
            // Nobody wants the rest of what the program sends over its other protocol.
            call.until = Some(now + UNWANTED_TIME);
        }
        let Some(until) = call.until else {
            return;
        };
        let place = call.place();
        let is_through = call.upload_ended && !call.to_peer.is_open();
        if is_through {
            self.forget(id);
        } else if until <= now || call.unwanted_bytes == 0 {
            self.leave(id);
            abandon(now, node, place, code::CANCELLED);
        }
    }

    /// A call cannot come to its end: a problem in the answer's place, or an answer that breaks.
    fn fail_call(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: HttpId,
        (code, detail): (Code, &'static str),
    ) {
        let Some(call) = self.call_mut(id) else {
            return;
        };
        let place = call.place();
        match call.answer {
            Answer::Awaited => self.respond(id, Problem::new(code, detail).into()),
            Answer::Coming => {
                self.push(id, ResponsePart::Abort);
                self.forget(id);
            }
            Answer::Told => self.leave(id),
        }
        abandon(now, node, place, code::CANCELLED);
    }

    /// Forgets a call that has its answer and whose program still sends. With another protocol the program cannot know
    /// that by itself.
    fn leave(&mut self, id: HttpId) {
        if self.call_mut(id).is_some_and(|call| call.is_upgraded) {
            self.push(id, ResponsePart::Abort);
        }
        self.forget(id);
    }

    /// The connection to a peer has ended, and its streams with it.
    pub(super) fn end_calls_of(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId) {
        let fits = |phase: &Phase| matches!(phase, Phase::Calling(call) if call.peer == peer);
        let exchanges = self.exchanges.iter().filter(|(_, e)| fits(&e.phase));
        for id in exchanges.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.fail_call(now, node, id, LOST);
        }
    }

    /// The peer told something of a stream; whether it is one of a call or leads to an application.
    pub(super) fn on_exchange_event(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        event: &Event,
    ) -> bool {
        let (peer, stream) = match event {
            Event::StreamReadable { peer, stream }
            | Event::StreamWritable { peer, stream }
            | Event::StreamFinished { peer, stream }
            | Event::StreamReset { peer, stream, .. }
            | Event::StreamStopped { peer, stream, .. } => (*peer, *stream),
            _ => return false,
        };
        let reader = self
            .state
            .streams
            .get(&(peer, stream.0))
            .and_then(|ends| ends.reader);
        let Some(id) = reader.filter(|id| self.call_mut(*id).is_some()) else {
            return self.on_link_event(now, node, (peer, stream), event)
                || self.on_tunnel_event(now, node, (peer, stream), event);
        };
        if let Event::StreamStopped { .. } = event
            && let Some(call) = self.call_mut(id)
        {
            call.to_peer.close();
        }
        self.drive_call(now, node, id);
        true
    }

    /// Forgets calls whose programs send on though they have their answer.
    pub(super) fn end_unwanted(&mut self, now: Instant, node: &mut dyn Engine) {
        let late = |phase: &Phase| matches!(phase, Phase::Calling(call) if call.until.is_some_and(|u| u <= now));
        let exchanges = self.exchanges.iter().filter(|(_, e)| late(&e.phase));
        for id in exchanges.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.end_call(now, node, id);
        }
    }
}

/// What the peer's node said in the application's place.
const fn said(status: u16) -> (Code, &'static str) {
    match status {
        status::UNAVAILABLE => (
            Code::ServiceUnavailable,
            "The service's application does not listen; nothing was carried out.",
        ),
        status::TIMED_OUT => (
            Code::ServiceTimedOut,
            "The service's application did not begin to answer in time.",
        ),
        status::LOOP => (
            Code::ProxyLoop,
            "The request came back to a node that had handed it on before.",
        ),
        _ => (
            Code::ServiceBroken,
            "The service's application broke off, or answered with what is no HTTP.",
        ),
    }
}

/// What it means that the peer abandoned the stream before the answer.
const fn refused(code: u64) -> (Code, &'static str) {
    match Refusal::of(code) {
        Refusal::NoService => (
            Code::NoSuchService,
            "The peer offers no HTTP service of that name to this node.",
        ),
        Refusal::Busy => (
            Code::ServiceBusy,
            "The peer has no room for the request now; it was not carried out.",
        ),
        Refusal::WrongKind => (
            Code::ServiceWrongKind,
            "The peer's service of that name speaks no HTTP.",
        ),
        Refusal::Broken => (
            Code::ServiceBroken,
            "The peer's node broke the exchange off.",
        ),
    }
}
