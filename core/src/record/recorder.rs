//! The wrapper that writes down what an engine is told.

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use std::borrow::Cow;
use std::io::Write;

use bytes::Bytes;

use super::digest::Digest;
use super::line::{FORMAT, Input, Line, Mark};
use crate::api::{
    Accepted, ApiMisuse, Arrival, Command, Effect, Engine, Event, MessageId, NodeConfig,
    NodeStatus, PeerStatus, StreamId, StreamRead, Transmit, Why,
};
use crate::id::NodeId;
use crate::time::{Deadline, Instant};

/// Inputs between two marks.
const CHECK_EVERY: u64 = 1_000;
/// Room kept for the last line, bytes.
const LAST_LINE_BYTES: u64 = 256;

/// An engine whose inputs are written down.
///
/// It behaves as the engine inside. Where the writer fails, or the limit is reached, recording ends and the engine goes
/// on. The last line is written when the recorder is dropped; a recording without it can be replayed up to where the
/// writer's own buffering lost the rest.
pub struct Recorder<E: Engine, W: Write> {
    engine: E,
    tape: Option<Tape<W>>,
    digest: Digest,
    inputs: u64,
}

struct Tape<W> {
    out: W,
    left_bytes: u64,
}

impl<E: Engine, W: Write> Recorder<E, W> {
    /// Makes an engine with `make` and records it to `out`, `limit_bytes` at most.
    ///
    /// # Errors
    /// What `make` refuses.
    pub fn start(
        config: NodeConfig,
        now: Instant,
        make: impl FnOnce(NodeConfig, Instant) -> Result<E, ApiMisuse>,
        out: W,
        limit_bytes: u64,
    ) -> Result<Self, ApiMisuse> {
        let engine = make(config.clone(), now)?;
        let mut recorder = Self {
            engine,
            tape: Some(Tape {
                out,
                left_bytes: limit_bytes,
            }),
            digest: Digest::default(),
            inputs: 0,
        };
        recorder.write(&Line::Start {
            format: FORMAT,
            version: Cow::Borrowed(env!("CARGO_PKG_VERSION")),
            at: now,
            config: Box::new(config),
        });
        Ok(recorder)
    }

    /// Whether inputs are still written down.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.tape.is_some()
    }

    fn mark(&self) -> Mark {
        Mark {
            inputs: self.inputs,
            hash: self.digest.text(),
        }
    }

    /// Writes down an input that the engine is about to get.
    fn input(&mut self, at: Instant, input: Input<'_>) {
        if self.tape.is_none() {
            return;
        }
        if self.inputs > 0 && self.inputs.is_multiple_of(CHECK_EVERY) {
            self.write(&Line::Check(self.mark()));
        }
        self.write(&Line::Input { at, input });
        self.inputs += 1;
    }

    fn write(&mut self, line: &Line<'_>) {
        let mut text = match serde_json::to_vec(line) {
            Ok(text) => text,
            Err(error) => return self.give_up(&error),
        };
        text.push(b'\n');
        let Some(tape) = &mut self.tape else {
            return;
        };
        let bytes = text.len() as u64;
        if bytes + LAST_LINE_BYTES > tape.left_bytes {
            self.finish(Line::Full);
            log::warn!("the recording is full and ends here; the node goes on");
        } else if let Err(error) = tape.out.write_all(&text) {
            self.give_up(&error);
        } else {
            tape.left_bytes -= bytes;
        }
    }

    fn give_up(&mut self, error: &dyn core::fmt::Display) {
        log::warn!("the recording ends here, because it cannot be written: {error}");
        self.tape = None;
    }

    fn finish(&mut self, last: fn(Mark) -> Line<'static>) {
        let last = serde_json::to_vec(&last(self.mark()));
        let Some(mut tape) = self.tape.take() else {
            return;
        };
        let mut text = last.unwrap_or_default();
        text.push(b'\n');
        if let Err(error) = tape.out.write_all(&text).and_then(|()| tape.out.flush()) {
            log::warn!("the end of the recording cannot be written: {error}");
        }
    }

    fn output(&mut self, kind: u8, output: &impl serde::Serialize) {
        if self.tape.is_some() {
            self.digest.add(kind, output);
        }
    }
}

impl<E: Engine, W: Write> Drop for Recorder<E, W> {
    fn drop(&mut self) {
        self.finish(Line::End);
    }
}

impl<E: Engine, W: Write> Engine for Recorder<E, W> {
    fn id(&self) -> NodeId {
        self.engine.id()
    }

    fn handle_arrival(&mut self, now: Instant, arrival: Arrival<'_>) {
        let input = Input::Batch {
            link: arrival.link,
            from: arrival.from,
            to: arrival.to,
            ecn: arrival.ecn,
            segment_size: arrival.segment_size as u64,
            bytes: Cow::Borrowed(&*arrival.bytes),
        };
        self.input(now, input);
        self.engine.handle_arrival(now, arrival);
    }

    fn handle_send_error(&mut self, now: Instant, to: SocketAddr, from: Option<IpAddr>) {
        self.input(now, Input::SendError { to, from });
        self.engine.handle_send_error(now, to, from);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.input(now, Input::Timeout);
        self.engine.handle_timeout(now);
    }

    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        if self.is_recording() {
            self.input(now, Input::Command(Box::new(command.clone())));
        }
        let accepted = self.engine.handle_command(now, command);
        self.output(b'c', &accepted);
        accepted
    }

    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        let input = Input::ReadStream {
            peer,
            stream,
            max_bytes: max_bytes as u64,
        };
        self.input(now, input);
        let read = self.engine.read_stream(now, peer, stream, max_bytes);
        self.output(b'r', &read);
        read
    }

    fn read_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        self.input(now, Input::ReadMessage { peer, message });
        let read = self.engine.read_message(now, peer, message);
        self.output(b'm', &read.as_deref());
        read
    }

    fn take_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        self.input(now, Input::TakeMessage { peer, message });
        let taken = self.engine.take_message(now, peer, message);
        self.output(b'm', &taken.as_deref());
        taken
    }

    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let buffer_bytes = buffer.len() as u64;
        self.input(now, Input::PollTransmit { buffer_bytes });
        let transmit = self.engine.poll_transmit(now, buffer);
        if self.is_recording() {
            self.digest.add_transmit(transmit.as_ref(), buffer);
        }
        transmit
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = self.engine.poll_event()?;
        self.input(Instant::EPOCH, Input::PollEvent);
        self.output(b'e', &event);
        Some(event)
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.engine.poll_effect()?;
        self.input(Instant::EPOCH, Input::PollEffect);
        self.output(b'f', &effect);
        Some(effect)
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.engine.poll_timeout()
    }

    fn status(&self, now: Instant) -> NodeStatus {
        self.engine.status(now)
    }

    fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.engine.peers(now)
    }

    fn peers_between(&self, ids: RangeInclusive<NodeId>, most: usize) -> Vec<NodeId> {
        self.engine.peers_between(ids, most)
    }

    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        self.engine.peer(now, id)
    }

    fn why(&self, now: Instant, id: &NodeId) -> Option<Why> {
        self.engine.why(now, id)
    }
}
