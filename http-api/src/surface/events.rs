//! What the engine tells: into the inbox, the journal, and to the requests that wait for it.

use bytes::Bytes;
use p2p_core::api::{
    Answer, Channel, Command, Engine, Event, Label, MessageId, RequestId, SearchOutcome,
    ServiceName, StreamId, answer_status,
};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use serde_json::{Value, json};

use super::Surface;
use crate::inbox::{Item, ItemKind};
use crate::outbox::State as Delivery;
use crate::problem::{Code, Problem, connect_failed, request_outcome};
use crate::proxy::{HTTP_KIND, TCP_KIND};
use crate::reply::{Full, WaitFor};
use crate::resources::messages;
use crate::services::Delivery as Service;
use crate::transfers::CONTENT;
use crate::view;
use crate::waiting::Waiting;

/// Content up to this size is in the event; longer content is fetched from the inbox.
const INLINE_BYTES: usize = 4 << 10;
/// Code of a stream that nobody has room for.
const NO_ROOM: u64 = 1;

impl Surface {
    pub(super) fn on_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        if let Some(kind) = view::event_kind(&event) {
            let event = event.clone();
            let name = self.name_in(&event);
            self.tell(now, kind, None, move || view::event(&event, name.as_ref()));
        }
        match event {
            Event::DatagramReceived { peer, label, data } => {
                if self.on_line_datagram(peer, &label.channel, &data) {
                    return;
                }
                let item = self.item((now, &*node), ItemKind::Datagram, peer, label, data);
                self.admit_item(now, item);
            }
            Event::MessageReady {
                peer,
                message,
                label,
                len,
            } => {
                self.state.waiting.push(Waiting {
                    peer,
                    message,
                    label,
                    len,
                    place: 0,
                });
                self.take_waiting_messages(now, node);
            }
            Event::RequestReceived {
                peer,
                request,
                service,
                budget,
                body,
            } => self.on_request(now, node, (peer, request), (service, budget), body),
            Event::MessageDelivered { peer, message } => {
                self.on_message_end(now, peer, message, Delivery::Delivered);
            }
            Event::MessageFailed {
                peer,
                message,
                reason,
            } => self.on_message_end(now, peer, message, Delivery::Failed(reason)),
            other => self.on_control_event(now, node, other),
        }
    }

    /// What to call whom an event is about, where it carries a name.
    fn name_in(&self, event: &Event) -> Option<(String, &'static str)> {
        let Event::Connected { peer, name, .. } = event else {
            return None;
        };
        let name = self.state.contacts.name_of(peer, name.as_deref());
        name.map(|(name, kind)| (name.to_owned(), kind.word()))
    }

    fn on_control_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        match event {
            Event::Connected {
                operation,
                peer,
                name,
                path,
            } => {
                if let Some(name) = &name {
                    self.state.on_name(peer, name);
                }
                self.state.meetings.joins.on_connected(now, &peer);
                self.state.transfers.on_connected(now, peer);
                // Who is connected was let in, or was asked for.
                self.state.knocks.remove(&peer);
                self.on_peer_there(now, node, peer);
                if let Some(operation) = operation {
                    let name = self.state.name(&peer);
                    let connected = view::Connected::new(&peer, name, &path);
                    let full = Full::json(200, &connected);
                    self.resolve(&WaitFor::Connect(operation), &full);
                }
            }
            Event::ConnectFailed {
                operation, reason, ..
            } => {
                let problem = connect_failed(reason);
                self.on_dial_failed(now, operation, problem.code);
                self.on_join_call_failed(operation, problem.code);
                self.resolve(&WaitFor::Connect(operation), &problem.into());
            }
            Event::SearchDone { operation, outcome } => {
                let full = self.on_search(outcome);
                self.resolve(&WaitFor::Search(operation), &full);
            }
            Event::Pong { peer, rtt, path } => {
                let full = Full::json(200, &view::Pong::new(&peer, rtt, Some(&path)));
                // One pong answers one ping, the oldest.
                let waiting = self.waiting_for(|w| *w == WaitFor::Pong(peer));
                if let Some(id) = waiting.first() {
                    self.respond(*id, full);
                }
            }
            Event::RequestDone {
                peer,
                request,
                outcome,
            } => {
                if self.on_join_answer(now, (peer, request), &outcome)
                    || self.on_notice_answered(now, (peer, request), &outcome)
                {
                    return;
                }
                let full = match request_outcome(outcome) {
                    Ok(body) => Full::bytes(200, "application/octet-stream", body)
                        .with_header("x-p2p-answer-status", "0"),
                    Err(problem) => problem.into(),
                };
                self.resolve(&WaitFor::Answer(peer, request), &full);
            }
            Event::Disconnected { peer, .. } => self.on_disconnected(now, node, peer),
            Event::Knocked {
                peer,
                name,
                introducer,
            } => self.state.knocks.on_knock(now, peer, name, introducer),
            other => self.on_name_event(now, node, other),
        }
    }

    fn on_name_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        let at = self.state.clock.unix_ms(now);
        let (contacts, orders) = (&mut self.state.contacts, &mut self.state.orders);
        match event {
            Event::NameFound {
                name,
                introducer,
                peer,
            } => contacts.on_found(orders, at, &name, introducer, peer),
            Event::NameDiffers {
                name,
                introducer,
                offered,
                ..
            } => contacts.on_differs(orders, at, &name, introducer, offered),
            other => self.on_stream_event(now, node, other),
        }
    }

    fn on_stream_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        if self.on_line_event(now, node, &event) || self.on_exchange_event(now, node, &event) {
            return;
        }
        match event {
            Event::StreamOpened {
                peer,
                stream,
                label,
            } => self.on_stream_opened(now, node, peer, stream, label),
            Event::StreamReadable { peer, stream } => {
                if let Some(id) = self.ends(peer, stream).reader {
                    self.drive_stream(now, node, id);
                }
            }
            Event::StreamWritable { peer, stream } => {
                if let Some(id) = self.ends(peer, stream).writer {
                    self.drive_stream(now, node, id);
                }
            }
            Event::StreamFinished { peer, stream } => {
                if let Some(id) = self.ends(peer, stream).writer {
                    self.finish_upload(now, node, id);
                }
            }
            Event::StreamReset { peer, stream, .. } => {
                if let Some(id) = self.ends(peer, stream).reader {
                    self.break_stream(now, node, id);
                }
            }
            Event::StreamStopped { peer, stream, .. } => {
                if let Some(id) = self.ends(peer, stream).writer {
                    let detail = "The peer asked to stop sending on this stream.";
                    let problem = Problem::new(Code::StreamStopped, detail);
                    self.fail_upload(now, node, id, problem);
                }
            }
            _ => {}
        }
    }

    fn ends(&self, peer: NodeId, stream: StreamId) -> crate::state::Ends {
        let ends = self.state.streams.get(&(peer, stream.0));
        ends.copied().unwrap_or_default()
    }

    fn on_stream_opened(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        peer: NodeId,
        stream: StreamId,
        label: Label,
    ) {
        if let Channel::Service(name) = &label.channel
            && let Some((kind, name)) = name.as_str().split_once('/')
        {
            match kind {
                HTTP_KIND => return self.on_call(now, node, (peer, stream), name),
                TCP_KIND => return self.on_tunnel_call(now, node, (peer, stream), name),
                _ => {}
            }
        }
        if matches!(&label.channel, Channel::Service(name) if name.as_str() == CONTENT) {
            return self.on_line(now, node, peer, stream);
        }
        let mut item = self.item((now, &*node), ItemKind::Stream, peer, label, Bytes::new());
        item.stream = Some(stream);
        if self.admit_item(now, item).is_some() {
            return;
        }
        let code = NO_ROOM;
        let stop = Command::StopStream { peer, stream, code };
        let reset = Command::ResetStream { peer, stream, code };
        // Refusals are fine here: the peer was quicker to end it.
        let _ = node.handle_command(now, stop);
        let _ = node.handle_command(now, reset);
    }

    fn on_search(&mut self, outcome: SearchOutcome) -> Full {
        match outcome {
            SearchOutcome::Found { entries, cursor } => {
                let contacts = &self.state.contacts;
                let item = |entry| view::SearchItem::new(entry, contacts);
                let items = entries.iter().map(item).collect();
                Full::json(
                    200,
                    &view::SearchList {
                        items,
                        next: cursor,
                    },
                )
            }
            SearchOutcome::Throttled { retry_after } => {
                let detail = "The introducers' budget for searches by this node is used up.";
                Problem::new(Code::Throttled, detail)
                    .with_retry_after(retry_after)
                    .into()
            }
            SearchOutcome::Unreachable => {
                let detail = "No introducer answered the search.";
                Problem::new(Code::IntroducerUnreachable, detail).into()
            }
        }
    }

    fn on_disconnected(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId) {
        self.state.meetings.joins.on_disconnected(&peer);
        for id in self.streams_of(peer) {
            let detail = "The connection ended before the peer had taken everything.";
            self.fail_upload(now, node, id, Problem::new(Code::Disconnected, detail));
            self.break_stream(now, node, id);
        }
        self.end_calls_of(now, node, peer);
        self.end_links_of(now, node, peer);
        self.end_tunnels_of(now, node, peer);
        self.end_lines_of(now, peer);
        self.close_lines_with(peer);
        self.state.unconfirmed.retain(|(of, _), _| *of != peer);
        let lost = Full::json(200, &view::Pong::new(&peer, None, None));
        self.resolve(&WaitFor::Pong(peer), &lost);
    }

    fn on_request(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, request): (NodeId, RequestId),
        (service, budget): (String, u8),
        body: Bytes,
    ) {
        let answer = match self.state.services.delivery(&service, &peer) {
            Service::Echo => Answer {
                status: answer_status::SUCCESS,
                body,
            },
            Service::Hello => self.hello(now, node),
            Service::Transfers => self.on_notice(now, node, peer, body),
            Service::Nowhere => Answer {
                status: answer_status::NO_SUCH_SERVICE,
                body: Bytes::new(),
            },
            Service::Invite => return self.on_redemption(now, node, (peer, request), &body),
            Service::Webhook => match self.begin_callback(now, (peer, request), &service, body) {
                Ok(()) => return,
                Err(answer) => answer,
            },
            Service::Inbox => {
                let room = self.state.services.has_room(now);
                let name = ServiceName::new(&service).ok().filter(|_| room);
                let item = name.map(|name| {
                    let item = self.item((now, &*node), ItemKind::Request, peer, name.into(), body);
                    let forwards = Some(budget);
                    Item { forwards, ..item }
                });
                match item.and_then(|item| self.admit_item(now, item)) {
                    Some(number) => {
                        self.state.services.on_request(now, number, peer, request);
                        return;
                    }
                    None => Answer {
                        status: answer_status::BUSY,
                        body: Bytes::from_static(b"busy"),
                    },
                }
            }
        };
        let command = Command::Answer {
            peer,
            request,
            answer,
        };
        // The peer may have gone; then nobody waits for the answer.
        let _ = node.handle_command(now, command);
    }

    fn hello(&self, now: Instant, node: &dyn Engine) -> Answer {
        let hello = json!({
            "name": node.status(now).name,
            "version": self.state.version,
            "driver": self.state.driver,
            "inbox": self.state.inbox_place().word(),
        });
        Answer {
            status: answer_status::SUCCESS,
            body: hello.to_string().into(),
        }
    }

    fn on_message_end(&mut self, now: Instant, peer: NodeId, message: MessageId, end: Delivery) {
        let outbox = &mut self.state.outbox;
        let Some(number) = outbox.finish(now, peer, message, end) else {
            return;
        };
        let Some(sent) = outbox.message(number) else {
            return;
        };
        let channel = sent.label.channel.clone();
        let sent = view::MessageView::new(number, sent, self.state.run, self.state.clock);
        let encode = move || serde_json::to_value(&sent).unwrap_or_default();
        self.tell(now, "message_state", Some(channel), encode);
        let full = messages::created(&self.state, number);
        self.resolve(&WaitFor::Message(number), &full);
    }

    pub(super) fn item(
        &mut self,
        (now, node): (Instant, &dyn Engine),
        kind: ItemKind,
        peer: NodeId,
        label: Label,
        data: Bytes,
    ) -> Item {
        let stranger = self.state.is_stranger(now, node, peer);
        let name = self.state.name(&peer);
        Item {
            kind,
            peer,
            stranger,
            name: name.map(|(name, kind)| (name.to_owned(), kind)),
            label,
            forwards: None,
            stream: None,
            kept: None,
            received_unix_ms: self.state.clock.unix_ms(now),
            data,
        }
    }

    /// Puts something into the inbox and tells everyone who wants to know.
    pub(super) fn admit_item(&mut self, now: Instant, item: Item) -> Option<u64> {
        let number = self.state.inbox.push(item)?;
        self.announce(now, number);
        Some(number)
    }

    /// Tells everyone who wants to know of something in the inbox.
    pub(super) fn announce(&mut self, now: Instant, number: u64) {
        let run = self.state.run;
        if let Some(item) = self.state.inbox.item(number) {
            let mut item = item.clone();
            let (kind, channel) = (item.kind.text(), item.label.channel.clone());
            let size_bytes = item.data.len();
            if size_bytes > INLINE_BYTES {
                // What is not told must not be kept in memory by the journal.
                item.data = Bytes::new();
            }
            self.tell(now, kind, Some(channel), move || {
                let mut view = view::InboxItem::new(number, &item, run, INLINE_BYTES);
                if size_bytes > INLINE_BYTES {
                    (view.size_bytes, view.text) = (size_bytes, None);
                }
                serde_json::to_value(view).unwrap_or_default()
            });
        }
        self.wake_pollers();
    }

    /// Writes an event into the journal; its JSON is made when somebody follows.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        kind: &'static str,
        channel: Option<Channel>,
        encode: impl Fn() -> Value + Send + 'static,
    ) {
        let clock = self.state.clock;
        self.state.journal.push(kind, channel, move || {
            let mut data = encode();
            if let Some(members) = data.as_object_mut() {
                members.insert("type".to_owned(), kind.into());
                members.insert("at".to_owned(), clock.rfc3339(now).into());
            }
            data
        });
    }
}
