//! Transfers of files: what their state machine wants done with peers is done here, what the disk is to do is
//! handed on.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use p2p_core::api::{
    Accepted, Answer, Command, ConnectTarget, Engine, EngineExt as _, Event, Label, RequestId,
    RequestOutcome, ServiceName, StreamId, StreamRead,
};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_storage::transfers::{FileNews, Order, Row, TransferId};

use super::Surface;
use super::links::abandon;
use super::outflow::Outflow;
use crate::reply::WaitFor;
use crate::resources::transfers::{has_offers, offered};
use crate::transfers::{CONTENT, Direction, Move, NOTICES, Welcome};
use crate::view;

/// How long a word to the other side waits for its answer.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// Longest attempt to reach a peer again.
const CONNECT_TIME: Duration = Duration::from_secs(20);
/// Most bytes read from a stream at once.
const PIECE_BYTES: usize = 64 << 10;
/// Code with which streams of transfers are given up: the other side knows why, or will be told.
const OVER: u64 = 0x101;

/// What transfers have under way.
#[derive(Default)]
pub(super) struct Lines {
    orders: VecDeque<Order>,
    asks: BTreeMap<(NodeId, RequestId), TransferId>,
    sending: BTreeMap<(NodeId, u64), Outflow>,
}

impl Surface {
    /// Takes up transfers that an earlier run began, as they were kept.
    pub fn restore_transfers(&mut self, now: Instant, rows: Vec<Row>) {
        self.state.transfers.restore(now, rows);
        // Nobody is connected and nobody follows yet: only the disk has to be told.
        while let Some(next) = self.state.transfers.poll() {
            if let Move::Disk(order) = next {
                self.lines.orders.push_back(order);
            }
        }
    }

    /// The next thing to do with files; tell with `handle_files` what came of it. Orders of one transfer are carried
    /// out one after another.
    #[must_use]
    pub fn poll_files(&mut self) -> Option<Order> {
        self.lines.orders.pop_front()
    }

    /// Something was done with files.
    pub fn handle_files(&mut self, now: Instant, node: &mut dyn Engine, news: FileNews) {
        self.state.transfers.on_news(now, news);
        self.drive_transfers(now, node);
        self.drive_followers(now);
    }

    /// Carries out what transfers want.
    pub(super) fn drive_transfers(&mut self, now: Instant, node: &mut dyn Engine) {
        while let Some(next) = self.state.transfers.poll() {
            match next {
                Move::Disk(order) => self.lines.orders.push_back(order),
                Move::Ask(id, peer, body) => self.ask(now, node, id, peer, body),
                Move::Open(id, peer) => {
                    let label = ServiceName::new(CONTENT).map(Label::from);
                    let stream = label
                        .and_then(|label| node.open_stream(now, peer, label))
                        .ok();
                    if let Some(stream) = stream {
                        self.lines.sending.insert((peer, stream.0), Outflow::new());
                    }
                    self.state.transfers.on_opened(now, id, stream);
                }
                Move::Write(peer, stream, bytes) => {
                    if let Some(outflow) = self.lines.sending.get_mut(&(peer, stream.0)) {
                        outflow.push(bytes);
                        self.drive_line(now, node, peer, stream);
                    }
                }
                Move::Abandon(peer, stream) => {
                    self.lines.sending.remove(&(peer, stream.0));
                    abandon(now, node, (peer, stream), OVER);
                }
                Move::Connect(peer) => {
                    let target = ConnectTarget::Id(peer);
                    // Where it cannot even be tried, it is tried later.
                    let _ = node.connect(now, target, None, CONNECT_TIME);
                }
                Move::Changed(id) => self.on_transfer_changed(now, id),
            }
        }
    }

    fn ask(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: TransferId,
        peer: NodeId,
        body: Bytes,
    ) {
        let command = Command::SendRequest {
            peer,
            service: NOTICES.to_owned(),
            budget: 0,
            body,
            deadline: ANSWER_TIME,
        };
        match node.handle_command(now, command) {
            Ok(Accepted::Request(request)) => {
                self.lines.asks.insert((peer, request), id);
            }
            _ => self.state.transfers.on_answer(now, id, None),
        }
    }

    /// The end of a request; whether it was about a transfer.
    pub(super) fn on_notice_answered(
        &mut self,
        now: Instant,
        key: (NodeId, RequestId),
        outcome: &RequestOutcome,
    ) -> bool {
        let Some(id) = self.lines.asks.remove(&key) else {
            return false;
        };
        let status = match outcome {
            RequestOutcome::Answered(answer) => Some(answer.status),
            _ => None,
        };
        self.state.transfers.on_answer(now, id, status);
        true
    }

    /// A peer says something about a transfer.
    pub(super) fn on_notice(
        &mut self,
        now: Instant,
        node: &dyn Engine,
        peer: NodeId,
        body: Bytes,
    ) -> Answer {
        let awaits_anybody = !self.waiting_for(|w| *w == WaitFor::Offer(true)).is_empty();
        // Asked anew: the owner may have chosen the peer just now.
        let is_chosen = node.peer(now, &peer).is_some_and(|p| p.is_accepted);
        let welcome = if awaits_anybody || is_chosen {
            Welcome::Welcome
        } else {
            Welcome::Stranger
        };
        Answer {
            status: self.state.transfers.on_request(now, peer, body, welcome),
            body: Bytes::new(),
        }
    }

    /// A peer opened a stream for content.
    pub(super) fn on_line(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        peer: NodeId,
        stream: StreamId,
    ) {
        if self.state.transfers.on_stream(peer, stream) {
            self.lines.sending.insert((peer, stream.0), Outflow::new());
            self.read_line(now, node, peer, stream);
        } else {
            abandon(now, node, (peer, stream), OVER);
        }
    }

    /// Something happened to a stream; whether it is one of a transfer.
    pub(super) fn on_line_event(
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
        if !self.state.transfers.has_stream(peer, stream) {
            return false;
        }
        match event {
            Event::StreamReadable { .. } => self.read_line(now, node, peer, stream),
            Event::StreamWritable { .. } => self.drive_line(now, node, peer, stream),
            _ => self.end_line(now, node, peer, stream),
        }
        true
    }

    fn read_line(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId, stream: StreamId) {
        while self.state.transfers.has_stream(peer, stream) {
            match node.read_stream(now, peer, stream, PIECE_BYTES) {
                Ok(StreamRead::Data(bytes)) => {
                    self.state.transfers.on_bytes(now, (peer, stream), &bytes);
                    self.drive_transfers(now, node);
                }
                Ok(StreamRead::Pending) => return,
                Ok(StreamRead::Finished | StreamRead::Reset(_)) | Err(_) => {
                    return self.end_line(now, node, peer, stream);
                }
            }
        }
    }

    fn drive_line(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId, stream: StreamId) {
        let Some(outflow) = self.lines.sending.get_mut(&(peer, stream.0)) else {
            return;
        };
        if outflow.drive(now, node, (peer, stream)).is_err() {
            return self.end_line(now, node, peer, stream);
        }
        let held_bytes = outflow.held_bytes();
        self.state.transfers.on_held(now, peer, stream, held_bytes);
    }

    fn end_line(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId, stream: StreamId) {
        self.lines.sending.remove(&(peer, stream.0));
        abandon(now, node, (peer, stream), OVER);
        self.state.transfers.on_stream_end(now, peer, stream);
    }

    /// The connection to a peer has ended, and its streams with it.
    pub(super) fn end_lines_of(&mut self, now: Instant, peer: NodeId) {
        self.lines.sending.retain(|(of, _), _| *of != peer);
        self.lines.asks.retain(|(of, _), _| *of != peer);
        self.state.transfers.on_disconnected(now, peer);
    }

    fn on_transfer_changed(&mut self, now: Instant, id: TransferId) {
        let Some(transfer) = self.state.transfers.get(id) else {
            return;
        };
        let is_offered = transfer.direction == Direction::In && !transfer.stage.is_over();
        let view = view::TransferView::new(&self.state, id, transfer);
        let encode = move || serde_json::to_value(&view).unwrap_or_default();
        self.tell(now, "transfer", None, encode);
        if !is_offered {
            return;
        }
        let waiting = self.waiting_for(|w| matches!(w, WaitFor::Offer(_)));
        let full = offered(&self.state);
        if has_offers(&self.state) {
            for exchange in waiting {
                self.respond(exchange, full.clone());
            }
        }
    }
}
