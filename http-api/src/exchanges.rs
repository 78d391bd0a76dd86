//! The driver's side of a surface: which client waits for which response, and request bodies that wait for room.
//!
//! Told what clients send, as [`HttpInput`]; hands response parts to each [`Client`] and asks it for the next piece
//! of body only when the surface has room, so that one piece a client is all that waits here. Both drivers use it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use p2p_core::api::{Engine, Event};
use p2p_core::time::Instant;
use p2p_storage::Change;
use p2p_storage::transfers::{FileNews, Order, Reason};

use crate::callback::{Callback, CallbackEnd, CallbackId};
use crate::exchange::{BodyKind, HttpId, Request, ResponsePart};
use crate::sockets::{SocketNews, SocketOrder};
use crate::surface::Surface;

/// The way back to whoever sent a request. Dropped when nothing more is wanted or comes.
pub trait Client {
    /// The next part of the response. A client that has gone ignores it.
    fn on_part(&mut self, part: ResponsePart);
    /// There is room for one more piece of the request body, or for word of its end.
    fn on_room(&mut self);
}

/// The body of a request, as far as it is known when the head is handed over.
pub enum GivenBody {
    /// There is none.
    None,
    /// All of it: see [`crate::takes_whole_body`].
    Whole(Bytes),
    /// It follows as [`HttpInput::Body`], as room is given.
    Follows,
}

/// What a client does.
pub enum HttpInput<C> {
    /// It sent a request head.
    Request {
        /// Number of the exchange, never used twice.
        id: HttpId,
        /// The head.
        request: Request,
        /// The way back.
        client: C,
        /// What comes with it.
        body: GivenBody,
    },
    /// It sent a piece of the body, after room was given.
    Body(HttpId, Bytes),
    /// The body is complete.
    BodyEnd(HttpId),
    /// So many bytes of `ResponsePart::Chunk` were written to it.
    Consumed(HttpId, usize),
    /// It has read the whole response, as far as can be told; after [`ResponsePart::End`].
    Complete(HttpId),
    /// It went away before the exchange was over.
    Closed(HttpId),
    /// An application's answer came, or will not.
    CalledBack(CallbackId, CallbackEnd),
    /// Changes that the surface wanted kept are on disk, or cannot be.
    Kept(u64, bool),
    /// Something was done with the files of a transfer.
    Files(FileNews),
    /// Something happened to a TCP connection of this machine.
    Socket(SocketNews),
}

struct Exchange<C> {
    client: C,
    body: RequestBody,
    answered: bool,
}

enum RequestBody {
    /// The client reads nothing until it is given room.
    Idle,
    /// The client was given room.
    Reading,
    /// A piece waits for the surface.
    Waiting(Bytes),
    Ended,
}

/// A surface and the clients it serves.
pub struct Exchanges<C> {
    surface: Surface,
    clients: BTreeMap<HttpId, Exchange<C>>,
    /// Exchanges that may go on once the surface has room.
    stalled: BTreeSet<HttpId>,
    keeper: Option<Box<dyn Keep>>,
    sockets: Option<Box<dyn Sockets>>,
    files: Option<Box<dyn Files>>,
}

/// Keeps changes on disk, elsewhere; tells the end with [`HttpInput::Kept`].
pub trait Keep: Send {
    /// Keeps all of them or none.
    fn keep(&mut self, order: u64, changes: Vec<Change>);
}

/// Carries out what is to be done with TCP connections, elsewhere; tells with [`HttpInput::Socket`].
pub trait Sockets: Send {
    /// Does it, without waiting.
    fn carry_out(&mut self, order: SocketOrder);
}

/// Does what transfers want done with files, elsewhere; tells with [`HttpInput::Files`].
pub trait Files: Send {
    /// Does it, without waiting; what is ordered for one transfer, in that order. Gives what came of it where nothing
    /// could even begin.
    fn carry_out(&mut self, order: Order) -> Option<FileNews>;
}

impl<C: Client> Exchanges<C> {
    /// Serves clients from `surface`.
    #[must_use]
    pub fn new(surface: Surface) -> Self {
        Self {
            surface,
            clients: BTreeMap::new(),
            stalled: BTreeSet::new(),
            keeper: None,
            sockets: None,
            files: None,
        }
    }

    /// Has contacts, names and the inbox kept; without, they last as long as this.
    pub fn set_keeper(&mut self, keeper: Box<dyn Keep>) {
        self.surface.set_kept();
        self.keeper = Some(keeper);
    }

    /// Has TCP connections carried out; without, no application is reached.
    pub fn set_sockets(&mut self, sockets: Box<dyn Sockets>) {
        self.sockets = Some(sockets);
    }

    /// Has files read and written; without, nothing can be sent or received.
    pub fn set_files(&mut self, files: Box<dyn Files>) {
        self.files = Some(files);
    }

    /// The surface itself.
    pub fn surface_mut(&mut self) -> &mut Surface {
        &mut self.surface
    }

    /// Exchanges that are not over.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether all exchanges are over.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// A client did something.
    pub fn handle_input(&mut self, now: Instant, node: &mut dyn Engine, input: HttpInput<C>) {
        match input {
            HttpInput::Request {
                id,
                request,
                client,
                body,
            } => self.open(now, node, (id, request, client, body)),
            HttpInput::Body(id, piece) => {
                if let Some(exchange) = self.clients.get_mut(&id) {
                    exchange.body = RequestBody::Waiting(piece);
                    self.stalled.insert(id);
                }
            }
            HttpInput::BodyEnd(id) => {
                if let Some(exchange) = self.clients.get_mut(&id) {
                    exchange.body = RequestBody::Ended;
                    self.surface.handle_body_end(now, node, id);
                    self.settle(id);
                }
            }
            HttpInput::Consumed(id, bytes) => self.surface.handle_consumed(now, node, id, bytes),
            HttpInput::Complete(id) => {
                self.surface.handle_complete(now, node, id);
                self.settle(id);
            }
            HttpInput::Kept(order, is_kept) => self.surface.handle_kept(now, node, order, is_kept),
            HttpInput::CalledBack(id, end) => self.surface.handle_callback_end(now, node, id, end),
            HttpInput::Files(news) => self.surface.handle_files(now, node, news),
            HttpInput::Socket(news) => self.surface.handle_socket(now, node, news),
            HttpInput::Closed(id) => {
                self.stalled.remove(&id);
                if self.clients.remove(&id).is_some() {
                    self.surface.handle_abort(now, node, id);
                }
            }
        }
    }

    fn open(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        opened: (HttpId, Request, C, GivenBody),
    ) {
        let (id, request, client, given) = opened;
        let body = match &given {
            GivenBody::Follows => {
                self.stalled.insert(id);
                RequestBody::Idle
            }
            GivenBody::None | GivenBody::Whole(_) => RequestBody::Ended,
        };
        let exchange = Exchange {
            client,
            body,
            answered: false,
        };
        self.clients.insert(id, exchange);
        self.surface.handle_request(now, node, id, request);
        match given {
            GivenBody::Follows => return,
            // One that is longer than the route allows is refused there.
            GivenBody::Whole(bytes) => self.surface.handle_body(now, node, id, bytes),
            GivenBody::None => {}
        }
        self.surface.handle_body_end(now, node, id);
    }

    /// The next callback to carry out; its end comes back as [`HttpInput::CalledBack`].
    #[must_use]
    pub fn poll_callback(&mut self) -> Option<Callback> {
        self.surface.poll_callback()
    }

    /// The engine tells something.
    pub fn handle_event(&mut self, now: Instant, node: &mut dyn Engine, event: Event) {
        self.surface.handle_event(now, node, event);
    }

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, now: Instant, node: &mut dyn Engine) {
        self.surface.handle_timeout(now, node);
    }

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.surface.next_timeout()
    }

    /// Hands out response parts and lets bodies flow as far as there is room; call it after every other method.
    pub fn drain(&mut self, now: Instant, node: &mut dyn Engine) {
        while let Some(keeper) = &mut self.keeper
            && let Some((order, changes)) = self.surface.poll_order()
        {
            keeper.keep(order, changes);
        }
        loop {
            self.drain_sockets(now, node);
            self.drain_files(now, node);
            self.drain_responses();
            let stalled = core::mem::take(&mut self.stalled);
            let mut moved = false;
            for id in stalled {
                moved |= self.advance_body(now, node, id);
            }
            if !moved {
                return;
            }
        }
    }

    fn drain_sockets(&mut self, now: Instant, node: &mut dyn Engine) {
        while let Some(order) = self.surface.poll_socket() {
            match (&mut self.sockets, order) {
                (Some(sockets), order) => sockets.carry_out(order),
                (None, SocketOrder::Connect { id, .. }) => {
                    self.surface
                        .handle_socket(now, node, SocketNews::Refused(id));
                }
                (None, SocketOrder::Listen { id, .. }) => {
                    let news = SocketNews::NotListening(id, io::ErrorKind::Unsupported);
                    self.surface.handle_socket(now, node, news);
                }
                (None, _) => {}
            }
        }
    }

    fn drain_files(&mut self, now: Instant, node: &mut dyn Engine) {
        while let Some(order) = self.surface.poll_files() {
            let failed = FileNews::Failed(order.id(), Reason::Disk);
            let files = self.files.as_mut();
            if let Some(news) = files.map_or(Some(failed), |files| files.carry_out(order)) {
                self.surface.handle_files(now, node, news);
            }
        }
    }

    fn drain_responses(&mut self) {
        while let Some((id, part)) = self.surface.poll_response() {
            let Some(exchange) = self.clients.get_mut(&id) else {
                continue;
            };
            exchange.answered |= matches!(
                part,
                ResponsePart::End
                    | ResponsePart::Abort
                    | ResponsePart::Head {
                        body: BodyKind::Full(_) | BodyKind::Absent(_),
                        ..
                    }
            );
            exchange.client.on_part(part);
            self.settle(id);
        }
    }

    /// Moves a request body on; says whether the surface got any of it.
    fn advance_body(&mut self, now: Instant, node: &mut dyn Engine, id: HttpId) -> bool {
        let room_bytes = self.surface.body_window(id);
        let Some(exchange) = self.clients.get_mut(&id) else {
            return false;
        };
        match core::mem::replace(&mut exchange.body, RequestBody::Reading) {
            RequestBody::Waiting(mut piece) if room_bytes > 0 => {
                let part = piece.split_to(piece.len().min(room_bytes));
                exchange.body = if piece.is_empty() {
                    RequestBody::Idle
                } else {
                    RequestBody::Waiting(piece)
                };
                self.surface.handle_body(now, node, id, part);
                self.stalled.insert(id);
                self.settle(id);
                true
            }
            RequestBody::Idle if room_bytes > 0 => {
                exchange.client.on_room();
                false
            }
            body @ (RequestBody::Idle | RequestBody::Waiting(_)) => {
                exchange.body = body;
                self.stalled.insert(id);
                self.settle(id);
                false
            }
            body @ (RequestBody::Reading | RequestBody::Ended) => {
                exchange.body = body;
                false
            }
        }
    }

    /// Forgets an exchange that is over.
    fn settle(&mut self, id: HttpId) {
        let answered = self.clients.get(&id).is_some_and(|e| e.answered);
        if answered && !self.surface.is_open(id) {
            self.clients.remove(&id);
            self.stalled.remove(&id);
        }
    }
}
