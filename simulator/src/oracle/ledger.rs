//! What applications handed in, and whether what comes out elsewhere is covered by it: datagrams
//! at most once, requests executed at most once and answered once, messages once or reported
//! failed, streams a prefix (docs/protocol.md §8). Told: sendings and arrivals by host number.
//! Returns: the violation, if there is one.

use std::collections::BTreeMap;

use bytes::Bytes;
use p2p_core::api::{Label, MessageFailure, MessageId, RequestId, RequestOutcome, StreamId};

use super::Violation;

/// Sender and receiver, by host number.
type Pair = (usize, usize);

struct Request {
    body: Bytes,
    executions: u32,
    done: bool,
}

struct Message {
    id: MessageId,
    label: Label,
    data: Bytes,
    /// Its receiver has it where a crash does not take it.
    received: bool,
    ended: bool,
    /// It ended badly; it may have come all the same.
    failed: bool,
}

/// Of two messages that look alike, the later may come first, and was noted as the earlier one.
fn swap_with_twin(messages: &mut [Message], place: usize) {
    let late = &messages[place];
    let is_twin = |m: &Message| {
        let is_alike = m.label == late.label && m.data == late.data;
        (m.failed || !m.ended) && is_alike && m.received
    };
    if let Some(twin) = messages.iter().position(is_twin) {
        messages[twin].received = false;
        messages[place].received = true;
    }
}

/// All values of one key, and how many of them are older than the next that may come.
#[derive(Default)]
struct Latest {
    values: Vec<Bytes>,
    passed: usize,
}

/// A stream's number on the wire. Each end's engine puts the count of its connections above it, so
/// that a number of an earlier connection is never taken for one of the present.
pub(crate) fn on_wire(id: StreamId) -> StreamId {
    StreamId(id.0 & ((1 << 40) - 1))
}

/// Both ends of a connection as it was when a stream began; a changed one excuses a stream that
/// never ended.
pub(super) type Epoch = [u64; 2];

#[derive(Default)]
struct Written {
    data: Vec<u8>,
    finished: bool,
    read: usize,
    read_end: bool,
    void: bool,
    epoch: Epoch,
}

/// Something promised that has neither come nor been reported failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsettled {
    /// Sender's host number.
    pub from: usize,
    /// Receiver's host number.
    pub to: usize,
    /// What it is, in words.
    pub what: String,
    /// For streams: the connection's epoch when the stream began.
    pub epoch: Option<Epoch>,
}

/// All that was sent in a world and what became of it.
#[derive(Default)]
pub struct Ledger {
    datagrams: BTreeMap<(Pair, Label, Bytes), u64>,
    latest: BTreeMap<(Pair, String), Latest>,
    requests: BTreeMap<(Pair, RequestId), Request>,
    messages: BTreeMap<Pair, Vec<Message>>,
    streams: BTreeMap<(Pair, StreamId), Vec<Written>>,
}

impl Ledger {
    /// A datagram was handed in.
    pub fn datagram_sent(&mut self, pair: Pair, label: impl Into<Label>, data: Bytes) {
        *self
            .datagrams
            .entry((pair, label.into(), data))
            .or_default() += 1;
    }

    /// A datagram came out.
    ///
    /// # Errors
    /// Never sent, or more often than sent.
    pub fn datagram_received(
        &mut self,
        pair: Pair,
        label: &Label,
        data: &Bytes,
    ) -> Result<(), Violation> {
        match self.datagrams.get_mut(&(pair, label.clone(), data.clone())) {
            None => Err(format!("{pair:?}: datagram of unknown content")),
            Some(0) => Err(format!("{pair:?}: datagram delivered more often than sent")),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// The value of a key was replaced.
    pub fn latest_set(&mut self, pair: Pair, key: String, data: Bytes) {
        self.latest
            .entry((pair, key))
            .or_default()
            .values
            .push(data);
    }

    /// A value came out.
    ///
    /// # Errors
    /// Never set, or not newer than what came out before.
    pub fn latest_received(
        &mut self,
        pair: Pair,
        key: &str,
        data: &Bytes,
    ) -> Result<(), Violation> {
        let latest = self.latest.entry((pair, key.to_owned())).or_default();
        match latest.values.iter().rposition(|value| value == data) {
            None => Err(format!("{pair:?}: {key} has an unknown value")),
            Some(at) if at < latest.passed => Err(format!("{pair:?}: {key} went back in time")),
            Some(at) => {
                latest.passed = at + 1;
                Ok(())
            }
        }
    }

    /// Of every key that this pair set last in peace the newest value must have come out; keys are told by
    /// [`Self::latest_set`].
    ///
    /// # Errors
    /// A newest value that is missing.
    pub fn latest_arrived(&self, pair: Pair) -> Result<(), Violation> {
        let missing = self
            .latest
            .iter()
            .find(|((of, _), latest)| *of == pair && latest.passed < latest.values.len());
        match missing {
            Some(((_, key), _)) => Err(format!("{pair:?}: the newest value of {key} is missing")),
            None => Ok(()),
        }
    }

    /// A request was handed in.
    pub fn request_sent(&mut self, pair: Pair, id: RequestId, body: Bytes) {
        let request = Request {
            body,
            executions: 0,
            done: false,
        };
        self.requests.insert((pair, id), request);
    }

    /// A request reached an application.
    ///
    /// # Errors
    /// Never sent, altered, or executed before.
    pub fn request_executed(
        &mut self,
        pair: Pair,
        id: RequestId,
        body: &Bytes,
    ) -> Result<(), Violation> {
        let Some(request) = self.requests.get_mut(&(pair, id)) else {
            return Err(format!("{pair:?}: request {id:?} was never sent"));
        };
        request.executions += 1;
        if request.body != body {
            return Err(format!("{pair:?}: request {id:?} was altered"));
        }
        if request.executions > 1 {
            return Err(format!("{pair:?}: request {id:?} was executed twice"));
        }
        Ok(())
    }

    /// A request ended at its sender.
    ///
    /// # Errors
    /// Never sent, ended before, or answered without having been executed, or with another body
    /// (all services of the simulator echo).
    pub fn request_done(
        &mut self,
        pair: Pair,
        id: RequestId,
        outcome: &RequestOutcome,
    ) -> Result<(), Violation> {
        let Some(request) = self.requests.get_mut(&(pair, id)) else {
            return Err(format!("{pair:?}: end of request {id:?} that never was"));
        };
        if core::mem::replace(&mut request.done, true) {
            return Err(format!("{pair:?}: request {id:?} ended twice"));
        }
        if let RequestOutcome::Answered(answer) = outcome {
            if request.executions == 0 {
                return Err(format!("{pair:?}: {id:?} answered but not executed"));
            }
            if answer.status == 0 && answer.body != request.body {
                return Err(format!("{pair:?}: the answer to {id:?} was altered"));
            }
        }
        Ok(())
    }

    /// A message was handed in.
    ///
    /// # Errors
    /// Its id is in use.
    pub fn message_sent(
        &mut self,
        pair: Pair,
        id: MessageId,
        label: impl Into<Label>,
        data: Bytes,
    ) -> Result<(), Violation> {
        let messages = self.messages.entry(pair).or_default();
        if messages.iter().any(|m| m.id == id && !m.ended) {
            return Err(format!("{pair:?}: message id {id:?} given twice"));
        }
        messages.push(Message {
            id,
            label: label.into(),
            data,
            received: false,
            ended: false,
            failed: false,
        });
        Ok(())
    }

    /// A whole message is kept: whatever becomes of its receiver, it is there.
    ///
    /// # Errors
    /// Never sent so, or come out before.
    pub fn message_received(
        &mut self,
        pair: Pair,
        label: &Label,
        data: &Bytes,
    ) -> Result<(), Violation> {
        let messages = self.messages.entry(pair).or_default();
        let fits = |m: &&mut Message| !m.received && m.label == *label && m.data == *data;
        match messages.iter_mut().find(fits) {
            Some(message) => {
                message.received = true;
                Ok(())
            }
            None => Err(format!(
                "{pair:?}: message of {} bytes altered, unknown or delivered twice",
                data.len()
            )),
        }
    }

    /// A whole message that was announced cannot be taken any more.
    ///
    /// # Errors
    /// None was given up by its sender.
    pub fn message_gone(&self, pair: Pair, label: &Label) -> Result<(), Violation> {
        let is_given_up = |m: &Message| m.failed && !m.received && m.label == *label;
        let mut messages = self.messages.get(&pair).into_iter().flatten();
        match messages.any(is_given_up) {
            true => Ok(()),
            false => Err(format!("{pair:?}: an announced message is gone")),
        }
    }

    /// A message ended at its sender.
    ///
    /// # Errors
    /// Unknown, ended before, or reported delivered though its receiver does not keep it.
    pub fn message_ended(
        &mut self,
        pair: Pair,
        id: MessageId,
        outcome: Result<(), MessageFailure>,
    ) -> Result<(), Violation> {
        let messages = self.messages.entry(pair).or_default();
        let Some(place) = messages.iter().position(|m| m.id == id && !m.ended) else {
            return Err(format!("{pair:?}: message {id:?} ended twice or never was"));
        };
        if outcome.is_ok() && !messages[place].received {
            swap_with_twin(messages, place);
        }
        let message = &mut messages[place];
        message.ended = true;
        message.failed = outcome.is_err();
        if outcome.is_ok() && !message.received {
            return Err(format!("{pair:?}: message {id:?} delivered to nobody"));
        }
        Ok(())
    }

    /// A stream was opened; both directions begin anew.
    pub fn stream_opened(&mut self, pair: Pair, id: StreamId, epoch: Epoch) {
        let (from, to) = pair;
        let back = [epoch[1], epoch[0]];
        for (pair, epoch) in [((from, to), epoch), ((to, from), back)] {
            self.streams
                .entry((pair, on_wire(id)))
                .or_default()
                .push(Written {
                    epoch,
                    ..Written::default()
                });
        }
    }

    /// Whether a stream of this number was ever opened by either side.
    #[must_use]
    pub fn knows_stream(&self, pair: Pair, id: StreamId) -> bool {
        self.streams.contains_key(&(pair, on_wire(id)))
    }

    /// Bytes were taken into a stream.
    pub fn stream_written(&mut self, pair: Pair, id: StreamId, data: &[u8]) {
        if let Some(written) = self.newest(pair, id) {
            written.data.extend_from_slice(data);
        }
    }

    /// A writer ended its direction.
    pub fn stream_finished(&mut self, pair: Pair, id: StreamId) {
        if let Some(written) = self.newest(pair, id) {
            written.finished = true;
        }
    }

    /// A direction was given up by either side: its end is owed no longer.
    pub fn stream_voided(&mut self, pair: Pair, id: StreamId) {
        if let Some(written) = self.newest(pair, id) {
            written.void = true;
        }
    }

    /// Bytes came out of a stream, `offset` bytes after its beginning.
    ///
    /// # Errors
    /// No stream of this number ever had these bytes there.
    pub fn stream_read(
        &mut self,
        pair: Pair,
        id: StreamId,
        offset: usize,
        data: &[u8],
    ) -> Result<(), Violation> {
        let end = offset + data.len();
        let generations = self.streams.entry((pair, on_wire(id))).or_default();
        // Numbers start anew with each connection; content tells which one is meant.
        let fits = |w: &&mut Written| w.data.get(offset..end) == Some(data);
        match generations.iter_mut().rev().find(fits) {
            Some(written) => {
                written.read = written.read.max(end);
                Ok(())
            }
            None => Err(format!(
                "{pair:?}: bytes {offset}..{end} of {id:?} are not what was written"
            )),
        }
    }

    /// A reader saw the end after `len` bytes.
    ///
    /// # Errors
    /// No stream of this number was ended there.
    pub fn stream_read_end(
        &mut self,
        pair: Pair,
        id: StreamId,
        len: usize,
    ) -> Result<(), Violation> {
        let generations = self.streams.entry((pair, on_wire(id))).or_default();
        let fits = |w: &&mut Written| w.finished && w.data.len() == len && w.read == len;
        match generations.iter_mut().rev().find(fits) {
            Some(written) => {
                written.read_end = true;
                Ok(())
            }
            None => Err(format!("{pair:?}: {id:?} does not end after {len} bytes")),
        }
    }

    /// A host lost its state: nobody is left who waits for what it sent.
    pub fn crashed(&mut self, host: usize) {
        let requests = self.requests.iter_mut();
        for (_, r) in requests.filter(|((p, _), _)| p.0 == host) {
            r.done = true;
        }
        for (_, messages) in self.messages.iter_mut().filter(|(p, _)| p.0 == host) {
            messages.iter_mut().for_each(|m| m.ended = true);
        }
        let touched = |p: &Pair| p.0 == host || p.1 == host;
        for (_, generations) in self.streams.iter_mut().filter(|((p, _), _)| touched(p)) {
            generations.iter_mut().for_each(|w| w.void = true);
        }
    }

    /// What is still owed.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Unsettled> {
        let mut owed = Vec::new();
        let mut owe = |pair: Pair, what: String, epoch| {
            owed.push(Unsettled {
                from: pair.0,
                to: pair.1,
                what,
                epoch,
            });
        };
        for ((pair, id), _) in self.requests.iter().filter(|(_, r)| !r.done) {
            owe(*pair, format!("request {id:?} has not ended"), None);
        }
        for (pair, messages) in &self.messages {
            for m in messages.iter().filter(|m| !m.ended) {
                let what = format!("message {:?} of {} bytes", m.id, m.data.len());
                owe(*pair, format!("{what} has not ended"), None);
            }
        }
        for ((pair, id), generations) in &self.streams {
            for w in generations {
                let complete = w.read == w.data.len() && (w.read_end || !w.finished);
                if !complete && !w.void {
                    let (read, all) = (w.read, w.data.len());
                    let what = format!("{id:?}: {read} of {all} bytes came");
                    owe(*pair, what, Some(w.epoch));
                }
            }
        }
        owed
    }

    fn newest(&mut self, pair: Pair, id: StreamId) -> Option<&mut Written> {
        self.streams.get_mut(&(pair, on_wire(id)))?.last_mut()
    }
}

#[cfg(test)]
mod tests;
