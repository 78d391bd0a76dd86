//! The thread that waits for all connections.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use p2p_http_api::{SocketId, SocketNews, SocketOrder};

use super::connection::{Connection, Fate, Settled};
use super::listener::{Listener, Taken};

/// Marks that an order came.
pub(super) const WAKER: Token = Token(usize::MAX);

/// Events taken at once.
const EVENTS: usize = 256;
/// Most bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// How the thread learns of orders.
pub(super) struct Woken {
    /// Whether it was woken and has not looked yet.
    pub(super) flag: Arc<AtomicBool>,
    /// What wakes it goes with it: a wake-up would be lost otherwise when the other side ends.
    pub(super) _waker: Arc<Waker>,
}

/// Everything that the thread owns.
pub(super) struct Reactor {
    poll: Poll,
    orders: Receiver<SocketOrder>,
    woken: Woken,
    tell: Box<dyn FnMut(SocketNews) + Send>,
    connections: BTreeMap<SocketId, Connection>,
    listeners: BTreeMap<SocketId, Listener>,
    /// Connections that can do more without waiting.
    ready: BTreeSet<SocketId>,
    buffer: Vec<u8>,
}

impl Reactor {
    /// Waits for nothing yet.
    pub(super) fn new(
        poll: Poll,
        orders: Receiver<SocketOrder>,
        woken: Woken,
        tell: Box<dyn FnMut(SocketNews) + Send>,
    ) -> Self {
        Self {
            poll,
            orders,
            woken,
            tell,
            connections: BTreeMap::new(),
            listeners: BTreeMap::new(),
            ready: BTreeSet::new(),
            buffer: vec![0; READ_BYTES],
        }
    }

    /// Runs until nobody can give orders any more.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let wait = self.wait();
            match self.poll.poll(&mut events, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return log::error!("cannot wait for TCP connections: {error}"),
            }
            for event in &events {
                if event.token() != WAKER {
                    let (readable, writable) = (event.is_readable(), event.is_writable());
                    let id = SocketId(event.token().0 as u64);
                    self.on_ready(id, readable, writable, event.is_error());
                }
            }
            self.end_late();
            self.take_connections_again();
            if !self.take_orders() {
                return;
            }
            for id in core::mem::take(&mut self.ready) {
                self.turn(id);
            }
        }
    }

    fn wait(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadlines = self.connections.values().filter_map(Connection::deadline);
        let pauses = self.listeners.values().filter_map(Listener::pause);
        let next = deadlines.chain(pauses).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// Takes orders in; false where no more can come.
    fn take_orders(&mut self) -> bool {
        // Whoever gives an order after this wakes the thread again.
        self.woken.flag.store(false, Ordering::Release);
        loop {
            match self.orders.try_recv() {
                Ok(order) => self.carry_out(order),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn carry_out(&mut self, order: SocketOrder) {
        match order {
            SocketOrder::Connect {
                id,
                addresses,
                timeout,
            } => match Connection::connect(id, addresses, timeout) {
                Some(connection) => self.add(id, connection),
                None => (self.tell)(SocketNews::Refused(id)),
            },
            SocketOrder::Listen { id, address } => self.listen(id, address),
            SocketOrder::Accept { listener, id } => {
                if let Some(waiting) = self.listeners.get_mut(&listener) {
                    waiting.want(id);
                    self.take_connections(listener);
                }
            }
            SocketOrder::Write(id, bytes) => self.change(id, |c| c.write(bytes)),
            SocketOrder::Finish(id) => self.change(id, Connection::finish),
            SocketOrder::Read(id, bytes) => self.change(id, |c| c.allow(bytes)),
            SocketOrder::Close(id) => self.remove(id),
            SocketOrder::Reset(id) => {
                self.change(id, |c| c.reset());
                self.remove(id);
            }
        }
    }

    fn change(&mut self, id: SocketId, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.connections.get_mut(&id) {
            change(connection);
            self.ready.insert(id);
        }
    }

    fn add(&mut self, id: SocketId, mut connection: Connection) {
        if self.register(id, &mut connection.stream) {
            self.connections.insert(id, connection);
        } else {
            (self.tell)(SocketNews::Refused(id));
        }
    }

    fn listen(&mut self, id: SocketId, address: SocketAddr) {
        let listening = Listener::bind(address).and_then(|(mut listener, bound)| {
            let registry = self.poll.registry();
            registry.register(&mut listener.socket, token(id), Interest::READABLE)?;
            Ok((listener, bound))
        });
        match listening {
            Ok((listener, bound)) => {
                self.listeners.insert(id, listener);
                (self.tell)(SocketNews::Listening(id, bound));
            }
            Err(error) => {
                log::info!("cannot listen on {address}: {error}");
                (self.tell)(SocketNews::NotListening(id, error.kind()));
            }
        }
    }

    /// Takes the connections that are wanted and there.
    fn take_connections(&mut self, id: SocketId) {
        loop {
            let Some(listener) = self.listeners.get_mut(&id) else {
                return;
            };
            match listener.take() {
                Taken::Nothing => return,
                Taken::One(id, mut stream) => {
                    // One that is lost at once is told as lost after it was told.
                    let is_kept = self.register(id, &mut stream);
                    (self.tell)(SocketNews::Accepted(id));
                    if is_kept {
                        self.connections
                            .insert(id, Connection::accepted(id, stream));
                    } else {
                        (self.tell)(SocketNews::Broken(id));
                    }
                }
            }
        }
    }

    /// Goes on where the system could not give connections.
    fn take_connections_again(&mut self) {
        let now = Instant::now();
        let is_due = |l: &Listener| l.pause().is_some_and(|until| until <= now);
        let due = self.listeners.iter().filter(|(_, l)| is_due(l));
        for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.take_connections(id);
        }
    }

    fn register(&self, id: SocketId, stream: &mut TcpStream) -> bool {
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(stream, token(id), both);
        if let Err(error) = &registered {
            log::warn!("cannot wait for a TCP connection: {error}");
        }
        registered.is_ok()
    }

    fn remove(&mut self, id: SocketId) {
        self.ready.remove(&id);
        if let Some(mut connection) = self.connections.remove(&id) {
            let _ = self.poll.registry().deregister(&mut connection.stream);
        }
        if let Some(mut listener) = self.listeners.remove(&id) {
            let _ = self.poll.registry().deregister(&mut listener.socket);
        }
    }

    fn on_ready(&mut self, id: SocketId, readable: bool, writable: bool, is_error: bool) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.on_ready();
            return self.take_connections(id);
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        connection.on_ready(readable, writable);
        let is_open = connection.deadline().is_none();
        if is_error && is_open && connection.has_broken() {
            (self.tell)(SocketNews::Broken(id));
            self.remove(id);
        } else {
            self.ready.insert(id);
        }
    }

    fn turn(&mut self, id: SocketId) {
        if !self.settle(id, false) {
            return;
        }
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match connection.turn(&mut self.buffer, &mut *self.tell) {
            Fate::Waits => {}
            Fate::HasMore => {
                self.ready.insert(id);
            }
            Fate::Over => self.remove(id),
        }
    }

    /// Looks how an attempt to connect stands; whether the connection is open.
    fn settle(&mut self, id: SocketId, is_late: bool) -> bool {
        let Some(connection) = self.connections.get_mut(&id) else {
            return false;
        };
        match connection.settle(is_late) {
            Settled::Connected => return true,
            Settled::NotYet => return false,
            Settled::TriesNext(mut stream) => {
                let _ = self.poll.registry().deregister(&mut stream);
                if let Some(connection) = self.connections.remove(&id) {
                    self.add(id, connection);
                }
            }
            Settled::Refused => {
                self.remove(id);
                (self.tell)(SocketNews::Refused(id));
            }
        }
        false
    }

    /// Gives up what takes too long to connect.
    fn end_late(&mut self) {
        let now = Instant::now();
        let is_late = |c: &Connection| c.deadline().is_some_and(|until| until <= now);
        let late = self.connections.iter().filter(|(_, c)| is_late(c));
        for id in late.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.settle(id, true);
        }
    }
}

fn token(id: SocketId) -> Token {
    Token(usize::try_from(id.0).unwrap_or(usize::MAX - 1))
}
