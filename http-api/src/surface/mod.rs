//! All HTTP exchanges of one node. `dispatch` takes a request through the locks to its handler; `events` takes what
//! the engine tells to the inbox, the journal and those who wait; `drive` moves streams and followers. Each only
//! changes state and queues response parts; the driver polls those and writes them.
//!
//! An exchange is in one of six phases: its body is coming in, it waits for something, it follows events, it is a
//! stream, a line, or on its way to a peer's HTTP service. It is forgotten as soon as its response is queued and
//! nothing more is wanted of the client. `links` are the other side of the last: streams that lead to applications;
//! `tunnels` are streams that lead to applications or come from programs byte by byte, `forwarding` takes the latter.

mod callbacks;
mod calling;
mod dispatch;
mod drive;
mod events;
mod follower;
mod forwarding;
mod inviting;
mod keeping;
mod line;
mod links;
mod outflow;
mod places;
mod restoring;
mod stream;
mod transfers;
mod tunnels;

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use p2p_core::api::{Engine, Event};
use p2p_core::time::Instant;
use p2p_storage::Change;

use self::calling::OpenCall;
use self::follower::Follower;
use self::line::OpenLine;
use self::links::Links;
use self::places::Places;
use self::stream::StreamExchange;
use self::transfers::Lines;
use self::tunnels::Tunnels;
use crate::call::Call;
use crate::config::SurfaceConfig;
use crate::exchange::{BodyKind, HttpId, Request, ResponsePart};
use crate::openapi;
use crate::problem::{Code, Problem};
use crate::reply::{Full, PROTECTION, Wait};
use crate::routes::Route;
use crate::sockets::{SocketNews, SocketOrder};
use crate::state::{State, Turn};

/// Most exchanges at once; drivers allow fewer connections.
const EXCHANGES: usize = 512;
/// Longest silence of a client in the middle of a body.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Bytes of request bodies held at once.
const BODIES_BYTES: usize = 64 << 20;

fn not_kept() -> Problem {
    Problem::new(
        Code::NotKept,
        "It could not be written to disk, and stays as it was.",
    )
}

/// Where an exchange stands.
enum Phase {
    /// Its body is coming in.
    Receiving {
        call: Box<Call>,
        route: &'static Route,
        body: Vec<u8>,
        limit: usize,
        /// When it is given up unless more of it comes.
        until: Instant,
    },
    /// It waits.
    Waiting(Wait),
    /// It follows events.
    Following(Follower),
    /// It is a stream.
    Stream(StreamExchange),
    /// It is on its way to a peer's HTTP service.
    Calling(Box<OpenCall>),
    /// It is a WebSocket whose messages are datagrams.
    Line(Box<OpenLine>),
}

/// One exchange.
struct Exchange {
    /// Whether the client wants no body.
    head_only: bool,
    /// The path to use instead, where the route is kept for old clients only.
    successor: Option<&'static str>,
    phase: Phase,
}

/// All HTTP exchanges of one node.
pub struct Surface {
    state: State,
    exchanges: BTreeMap<HttpId, Exchange>,
    responses: VecDeque<(HttpId, ResponsePart)>,
    bodies_bytes: usize,
    places: Places,
    links: Links,
    tunnels: Tunnels,
    lines: Lines,
}

impl Surface {
    /// Makes a surface. `wall_clock_unix_ms` is the time of day at `now`, for time stamps only.
    #[must_use]
    pub fn new(config: SurfaceConfig, now: Instant, wall_clock_unix_ms: u64) -> Self {
        Self {
            state: State::new(config, now, wall_clock_unix_ms, openapi::document),
            exchanges: BTreeMap::new(),
            responses: VecDeque::new(),
            bodies_bytes: 0,
            places: Places::default(),
            links: Links::default(),
            tunnels: Tunnels::default(),
            lines: Lines::default(),
        }
    }

    /// A request head arrived. Call `handle_body_end` afterwards even where it has no body.
    pub fn handle_request(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: HttpId,
        request: Request,
    ) {
        self.restore(now, node);
        self.dispatch(now, node, id, request);
    }

    /// Body bytes arrived; not more than `body_window` allowed.
    pub fn handle_body(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId, chunk: Bytes) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        match &mut exchange.phase {
            Phase::Receiving { until, .. } => {
                *until = now + BODY_TIME;
                self.receive(id, &chunk);
            }
            Phase::Stream(stream) => {
                stream.on_upload(chunk);
                self.drive_stream(now, node, id);
            }
            Phase::Calling(call) => {
                call.on_upload(chunk);
                self.drive_call(now, node, id);
            }
            Phase::Line(_) => self.on_line_upload(now, node, id, chunk),
            Phase::Waiting(_) | Phase::Following(_) => {}
        }
    }

    /// The request body is complete.
    pub fn handle_body_end(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        match &mut exchange.phase {
            Phase::Receiving { .. } => self.received(now, node, id),
            Phase::Stream(stream) => {
                stream.on_upload_end();
                self.drive_stream(now, node, id);
            }
            Phase::Calling(call) => {
                call.on_upload_end();
                self.drive_call(now, node, id);
            }
            Phase::Line(_) => self.on_line_end(id),
            Phase::Waiting(_) | Phase::Following(_) => {}
        }
    }

    /// The client went away, or the driver gave the exchange up. What was begun for it goes on, but for streams.
    pub fn handle_abort(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        self.responses.retain(|(other, _)| *other != id);
        match self.forget(id).map(|exchange| exchange.phase) {
            Some(Phase::Stream(stream)) => self.abandon_stream(now, node, &stream),
            Some(Phase::Calling(call)) => call.abandon(now, node),
            _ => {}
        }
    }

    /// The engine tells something.
    pub fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        self.restore(now, node);
        self.on_event(now, node, event);
        self.drive_transfers(now, node);
        self.drive_followers(now);
    }

    /// The next thing to do with a TCP connection of this machine; tell with `handle_socket` what happens to it.
    #[must_use]
    pub fn poll_socket(&mut self) -> Option<SocketOrder> {
        self.state.sockets.poll()
    }

    /// Something happened to a TCP connection.
    pub fn handle_socket(&mut self, now: Instant, node: &mut dyn Engine, news: SocketNews) {
        let is_joined =
            self.on_link_socket(now, node, &news) || self.on_tunnel_socket(now, node, &news);
        if !is_joined {
            self.on_forward_socket(now, node, &news);
        }
    }

    /// The driver wrote that many bytes of `Chunk`s to the client.
    pub fn handle_consumed(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: HttpId,
        bytes: usize,
    ) {
        let Some(exchange) = self.exchanges.get_mut(&id) else {
            return;
        };
        match &mut exchange.phase {
            Phase::Following(follower) => {
                follower.on_consumed(bytes);
                self.drive_follower(now, id);
            }
            Phase::Stream(stream) => {
                stream.on_consumed(bytes);
                self.drive_stream(now, node, id);
            }
            Phase::Calling(call) => {
                call.on_consumed(bytes);
                self.drive_call(now, node, id);
            }
            Phase::Line(line) => line.on_consumed(bytes),
            Phase::Receiving { .. } | Phase::Waiting(_) => {}
        }
    }

    /// The client has read the whole response, as far as the driver can tell: call it once after each `End`, or
    /// `handle_abort` where the client broke off before.
    pub fn handle_complete(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) {
        self.complete_stream(now, node, id);
    }

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, now: Instant, node: &mut dyn Engine) {
        self.restore(now, node);
        self.drive_joins(now, node);
        self.end_waits(now);
        self.end_silent_bodies(now);
        self.end_unconfirmed(now, node);
        self.end_unwanted(now, node);
        self.end_late_links(now, node);
        self.take_waiting_messages(now, node);
        self.state.transfers.on_time(now);
        self.drive_transfers(now, node);
        self.drive_followers(now);
    }

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let due = |exchange: &Exchange| match &exchange.phase {
            Phase::Waiting(wait) => Some(wait.until),
            Phase::Following(follower) => follower.next_timeout(),
            Phase::Receiving { until, .. } => Some(*until),
            Phase::Calling(call) => call.until,
            Phase::Stream(_) | Phase::Line(_) => None,
        };
        let exchanges = self.exchanges.values().filter_map(due);
        let restore = (!self.state.to_restore.is_empty()).then_some(Instant::EPOCH);
        let unconfirmed = self.state.unconfirmed.values().copied();
        exchanges
            .chain(unconfirmed)
            .chain(restore)
            .chain(self.links.next_timeout())
            .chain(self.state.meetings.joins.next_timeout())
            .chain(self.state.next_try())
            .chain(self.state.transfers.next_timeout())
            .min()
    }

    /// From now on changes to contacts, and messages where the configuration says so, are kept outside: hand what
    /// `poll_order` gives to storage, and say with `handle_kept` what became of it.
    pub fn set_kept(&mut self) {
        self.state.set_kept();
    }

    /// The next changes to keep, with the number for `handle_kept`.
    #[must_use]
    pub fn poll_order(&mut self) -> Option<(u64, Vec<Change>)> {
        self.state.orders.poll()
    }

    /// The next part of a response to write.
    #[must_use]
    pub fn poll_response(&mut self) -> Option<(HttpId, ResponsePart)> {
        self.responses.pop_front()
    }

    /// How many more body bytes the driver may hand over now; ask again after each `handle_*`.
    #[must_use]
    pub fn body_window(&self, id: HttpId) -> usize {
        match self.exchanges.get(&id).map(|e| &e.phase) {
            // One byte more than the limit, so that going beyond it is noticed.
            Some(Phase::Receiving { body, limit, .. }) => (limit + 1).saturating_sub(body.len()),
            Some(Phase::Stream(stream)) => stream.body_window(),
            Some(Phase::Calling(call)) => call.body_window(),
            Some(Phase::Line(line)) => line.body_window(),
            _ => 0,
        }
    }

    /// Whether the surface still wants to hear of this request: more of its body, or that it was aborted. Once it
    /// is false and the response is written, the driver forgets the request; it closes the connection where
    /// body bytes are left unread.
    #[must_use]
    pub fn is_open(&self, id: HttpId) -> bool {
        self.exchanges.contains_key(&id)
    }

    /// Forgets an exchange and what it held.
    fn forget(&mut self, id: HttpId) -> Option<Exchange> {
        let exchange = self.exchanges.remove(&id)?;
        match &exchange.phase {
            Phase::Receiving { body, .. } => self.bodies_bytes -= body.len(),
            Phase::Stream(stream) => self.release_stream(id, stream),
            Phase::Calling(call) => {
                let (peer, stream) = call.place();
                self.state.streams.remove(&(peer, stream.0));
            }
            Phase::Waiting(_) | Phase::Following(_) | Phase::Line(_) => {}
        }
        Some(exchange)
    }

    /// Answers an exchange at once and forgets it.
    fn respond(&mut self, id: HttpId, full: Full) {
        let exchange = self.forget(id);
        let head_only = exchange.as_ref().is_some_and(|e| e.head_only);
        let successor = exchange.and_then(|e| e.successor);
        self.respond_bare(id, full, head_only, successor);
    }

    fn respond_bare(
        &mut self,
        id: HttpId,
        full: Full,
        head_only: bool,
        successor: Option<&'static str>,
    ) {
        let headers = self.headers(full.headers, successor);
        let body = if head_only { Bytes::new() } else { full.body };
        let head = ResponsePart::Head {
            status: full.status,
            headers,
            body: BodyKind::Full(body),
        };
        self.responses.push_back((id, head));
    }

    /// Begins a response that comes bit by bit.
    fn begin_streaming(&mut self, id: HttpId, headers: Vec<(&'static str, String)>) {
        let headers = self.headers(headers, None);
        let head = ResponsePart::Head {
            status: 200,
            headers,
            body: BodyKind::Streaming,
        };
        self.responses.push_back((id, head));
    }

    /// Adds what every response carries.
    fn headers(
        &self,
        own: Vec<(&'static str, String)>,
        successor: Option<&'static str>,
    ) -> Vec<(String, String)> {
        let cached = own.iter().any(|(name, _)| *name == "cache-control");
        let mut headers: Vec<(String, String)> = own
            .into_iter()
            .chain(PROTECTION.iter().map(|(n, v)| (*n, (*v).to_owned())))
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        if !cached {
            add("cache-control", "no-store".to_owned());
        }
        add("x-p2p-version", self.state.version.clone());
        if let Some(successor) = successor {
            // RFC 9745: deprecated since 2026-01-01, which is before the first release.
            add("deprecation", "@1767225600".to_owned());
            add("link", format!("<{successor}>; rel=\"successor-version\""));
        }
        headers
    }

    fn push(&mut self, id: HttpId, part: ResponsePart) {
        self.responses.push_back((id, part));
    }

    fn turn<'a>(&'a mut self, now: Instant, node: &'a mut dyn Engine) -> Turn<'a> {
        Turn {
            now,
            node,
            state: &mut self.state,
        }
    }
}
