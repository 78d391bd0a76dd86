//! The application on a simulated host: it collects what its engine tells it, answers requests
//! with their own body, takes messages at once, reads streams as they come, and goes on writing
//! when a stream takes more. Told: events. Returns: what to do next, as data; the world carries it
//! out.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use p2p_core::api::{
    ConnectFailure, DisconnectReason, Event, IntroducerState, Label, MessageFailure, MessageId,
    OperationId, PathStatus, RequestId, RequestOutcome, SearchOutcome, StreamId,
};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

/// Events that an application remembers: a long story must not fill the memory.
pub(crate) const EVENTS_KEPT: usize = 4_096;

/// How a connection attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectOutcome {
    /// Connected, on this path at first.
    Connected(PathStatus),
    /// Failed.
    Failed(ConnectFailure),
}

/// A whole message as it came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// Who sent it.
    pub peer: NodeId,
    /// What it is for.
    pub label: Label,
    /// Its bytes.
    pub data: Bytes,
}

/// The receiving half of a stream.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    pub data: Vec<u8>,
    pub consumed: usize,
    pub ended: bool,
    pub readable: bool,
    /// Reset by the other side, or gone with the connection.
    pub void: bool,
}

/// The sending half of a stream.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub waiting: Bytes,
    pub finish: bool,
}

/// What an application does because of an event.
#[derive(Debug)]
pub(crate) enum Reaction {
    Echo(NodeId, RequestId, Bytes),
    EchoLater(NodeId, RequestId, Bytes, Duration),
    Leave,
    Take(NodeId, MessageId, Label),
    KeepLater(NodeId, MessageId, Label),
    Read(NodeId, StreamId),
    Write(NodeId, StreamId),
}

/// What one host's application knows. A crash of the host empties it.
#[derive(Default)]
pub struct Application {
    /// The last `EVENTS_KEPT` things that its engine told it.
    pub events: VecDeque<(Instant, Event)>,
    /// How many things its engine told it in all.
    pub events_seen: u64,
    /// Peers connected now and the path to each.
    pub connected: BTreeMap<NodeId, PathStatus>,
    /// Why connections ended, in order.
    pub disconnects: Vec<(NodeId, DisconnectReason)>,
    /// Requests that ended.
    pub requests: BTreeMap<RequestId, RequestOutcome>,
    /// Requests that came in.
    pub executed: Vec<(NodeId, Bytes)>,
    /// Messages that came in.
    pub messages: Vec<ReceivedMessage>,
    /// Datagrams that came in.
    pub datagrams: Vec<(NodeId, Label, Bytes)>,
    /// Messages of ours that ended.
    pub sent_messages: BTreeMap<(NodeId, MessageId), Result<(), MessageFailure>>,
    /// Connection attempts under way (none) and ended.
    pub connects: BTreeMap<OperationId, Option<ConnectOutcome>>,
    /// Searches that ended.
    pub searches: BTreeMap<OperationId, SearchOutcome>,
    /// Introducers' last known states.
    pub introducers: BTreeMap<NodeId, IntroducerState>,
    /// Whether streams are left unread and messages untaken.
    pub lazy: bool,
    /// How long its disk takes to keep a message; only then it takes it.
    pub keeps_after: Duration,
    /// Whether its disk keeps nothing now.
    pub disk_full: bool,
    /// How long its service takes for an answer.
    pub answers_after: Duration,
    /// Datagrams that a host without an engine received: when, from where, what.
    pub raw: Vec<(Instant, SocketAddr, Vec<u8>)>,
    /// Announced messages that a lazy application has not taken.
    pub(crate) untaken: Vec<(NodeId, MessageId, Label)>,
    pub(crate) opened: Vec<(NodeId, StreamId)>,
    pub(crate) incoming: BTreeMap<(NodeId, StreamId), Incoming>,
    pub(crate) outgoing: BTreeMap<(NodeId, StreamId), Outgoing>,
    /// Counts the ends of connections with each peer.
    pub(crate) epochs: BTreeMap<NodeId, u64>,
}

impl Application {
    /// Streams opened by `peer` that have come in, oldest first.
    #[must_use]
    pub fn streams_from(&self, peer: NodeId) -> Vec<StreamId> {
        let of_peer = self.opened.iter().filter(|(p, _)| *p == peer);
        of_peer.map(|(_, stream)| *stream).collect()
    }

    /// Bytes that have come in on a stream so far.
    #[must_use]
    pub fn received(&self, peer: NodeId, stream: StreamId) -> &[u8] {
        self.incoming
            .get(&(peer, stream))
            .map_or(&[], |i| i.data.as_slice())
    }

    /// Whether the end of a stream has come in.
    #[must_use]
    pub fn has_ended(&self, peer: NodeId, stream: StreamId) -> bool {
        self.incoming.get(&(peer, stream)).is_some_and(|i| i.ended)
    }

    /// Takes one event in.
    pub(crate) fn on_event(&mut self, now: Instant, event: Event) -> Option<Reaction> {
        let reaction = self.note(&event);
        self.events_seen += 1;
        self.events.push_back((now, event));
        if self.events.len() > EVENTS_KEPT {
            self.events.pop_front();
        }
        reaction
    }

    fn note(&mut self, event: &Event) -> Option<Reaction> {
        match event {
            Event::Introducer { id, state } => {
                self.introducers.insert(*id, *state);
            }
            Event::SearchDone { operation, outcome } => {
                self.searches.insert(*operation, outcome.clone());
            }
            Event::Connected {
                operation,
                peer,
                path,
                ..
            } => {
                self.connected.insert(*peer, path.clone());
                if let Some(operation) = operation {
                    let outcome = ConnectOutcome::Connected(path.clone());
                    self.connects.insert(*operation, Some(outcome));
                }
            }
            Event::ConnectFailed {
                operation, reason, ..
            } => {
                let outcome = ConnectOutcome::Failed(*reason);
                self.connects.insert(*operation, Some(outcome));
            }
            Event::PathChanged { peer, path, .. } => {
                self.connected.insert(*peer, path.clone());
            }
            Event::Disconnected { peer, reason } => self.on_disconnected(*peer, *reason),
            Event::DatagramReceived { peer, label, data } => {
                self.datagrams.push((*peer, label.clone(), data.clone()))
            }
            _ => return self.note_reliable(event),
        }
        None
    }

    fn note_reliable(&mut self, event: &Event) -> Option<Reaction> {
        match event {
            Event::RequestReceived {
                peer,
                request,
                body,
                ..
            } => {
                self.executed.push((*peer, body.clone()));
                let (after, body) = (self.answers_after, body.clone());
                return Some(match after.is_zero() {
                    true => Reaction::Echo(*peer, *request, body),
                    false => Reaction::EchoLater(*peer, *request, body, after),
                });
            }
            Event::RequestDone {
                request, outcome, ..
            } => {
                self.requests.insert(*request, outcome.clone());
            }
            Event::MessageReady {
                peer,
                message,
                label,
                ..
            } => return Some(self.on_message(*peer, *message, label.clone())),
            Event::MessageDelivered { peer, message } => {
                self.sent_messages.insert((*peer, *message), Ok(()));
            }
            Event::MessageFailed {
                peer,
                message,
                reason,
            } => {
                let outcome = Err(*reason);
                self.sent_messages.insert((*peer, *message), outcome);
            }
            Event::StreamOpened { peer, stream, .. } => {
                let key = (*peer, *stream);
                self.opened.push(key);
                self.incoming.insert(key, Incoming::default());
                self.outgoing.insert(key, Outgoing::default());
            }
            Event::StreamReadable { peer, stream } => {
                let incoming = self.incoming.entry((*peer, *stream)).or_default();
                incoming.readable = true;
                return Some(match self.lazy {
                    true => Reaction::Leave,
                    false => Reaction::Read(*peer, *stream),
                });
            }
            Event::StreamReset { peer, stream, .. } => {
                if let Some(incoming) = self.incoming.get_mut(&(*peer, *stream)) {
                    incoming.void = true;
                }
            }
            Event::StreamWritable { peer, stream } => {
                return Some(Reaction::Write(*peer, *stream));
            }
            _ => {}
        }
        None
    }

    fn on_message(&mut self, peer: NodeId, message: MessageId, label: Label) -> Reaction {
        if self.lazy {
            self.untaken.push((peer, message, label));
            return Reaction::Leave;
        }
        match self.keeps_after.is_zero() && !self.disk_full {
            true => Reaction::Take(peer, message, label),
            false => Reaction::KeepLater(peer, message, label),
        }
    }

    fn on_disconnected(&mut self, peer: NodeId, reason: DisconnectReason) {
        self.connected.remove(&peer);
        self.disconnects.push((peer, reason));
        *self.epochs.entry(peer).or_default() += 1;
        self.outgoing.retain(|(p, _), _| *p != peer);
        let of_peer = self.incoming.iter_mut().filter(|((p, _), _)| *p == peer);
        of_peer.for_each(|(_, incoming)| incoming.void = true);
        self.untaken.retain(|(p, ..)| *p != peer);
    }
}
