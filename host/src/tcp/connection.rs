//! One TCP connection that never blocks.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use mio::net::TcpStream;
use p2p_http_api::{SocketId, SocketNews};
use socket2::SockRef;

/// Reads and writes before other connections have their turn.
const TURNS: usize = 4;

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It waits for the system or for an order.
    Waits,
    /// It could do more at once.
    HasMore,
    /// Both halves have ended, or it broke and that was told.
    Over,
}

enum Stage {
    /// Until when it may take to connect.
    Connecting(Instant),
    Open,
}

/// A connection and what is to be done with it.
pub(super) struct Connection {
    id: SocketId,
    pub(super) stream: TcpStream,
    stage: Stage,
    /// Where to connect if this address does not answer.
    rest: Vec<SocketAddr>,
    timeout: Duration,
    to_write: VecDeque<Bytes>,
    wants_finish: bool,
    has_finished: bool,
    credit_bytes: usize,
    is_readable: bool,
    is_writable: bool,
    has_ended: bool,
}

impl Connection {
    /// Begins to connect to the first address that the system takes; the rest is for later.
    pub(super) fn connect(
        id: SocketId,
        addresses: Vec<SocketAddr>,
        timeout: Duration,
    ) -> Option<Self> {
        let (stream, rest) = first(addresses)?;
        let connecting = Stage::Connecting(Instant::now() + timeout);
        Some(Self::new(id, stream, connecting, (rest, timeout)))
    }

    /// One that a program began.
    pub(super) fn accepted(id: SocketId, stream: TcpStream) -> Self {
        let _ = stream.set_nodelay(true);
        Self::new(id, stream, Stage::Open, (Vec::new(), Duration::ZERO))
    }

    fn new(
        id: SocketId,
        stream: TcpStream,
        stage: Stage,
        (rest, timeout): (Vec<SocketAddr>, Duration),
    ) -> Self {
        Self {
            id,
            stream,
            stage,
            rest,
            timeout,
            to_write: VecDeque::new(),
            wants_finish: false,
            has_finished: false,
            credit_bytes: 0,
            is_readable: false,
            is_writable: false,
            has_ended: false,
        }
    }

    /// When it is given up unless it is connected.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Connecting(until) => Some(until),
            Stage::Open => None,
        }
    }

    /// Bytes to write after all before.
    pub(super) fn write(&mut self, bytes: Bytes) {
        self.to_write.push_back(bytes);
    }

    /// The sending half ends after all before.
    pub(super) const fn finish(&mut self) {
        self.wants_finish = true;
    }

    /// So many bytes may be read.
    pub(super) const fn allow(&mut self, bytes: usize) {
        self.credit_bytes += bytes;
    }

    /// Closing it resets it.
    pub(super) fn reset(&self) {
        if let Err(error) = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)) {
            log::debug!("a connection cannot be reset: {error}");
        }
    }

    /// The system says that something can be done.
    pub(super) const fn on_ready(&mut self, readable: bool, writable: bool) {
        self.is_readable |= readable;
        self.is_writable |= writable;
    }

    /// Whether the attempt to connect has come to its end; the next address is tried where it failed. A new stream has
    /// to be registered anew.
    pub(super) fn settle(&mut self, is_late: bool) -> Settled {
        if !matches!(self.stage, Stage::Connecting(_)) {
            return Settled::Connected;
        }
        let error = self.stream.take_error();
        let has_failed = is_late || !matches!(error, Ok(None));
        if !has_failed {
            match (self.stream.peer_addr(), self.stream.local_addr()) {
                // A port that nobody listens on may be given to the one who asks for it.
                (Ok(peer), Ok(own)) if peer == own => {}
                (Ok(_), _) => {
                    let _ = self.stream.set_nodelay(true);
                    self.stage = Stage::Open;
                    return Settled::Connected;
                }
                (Err(_), _) => return Settled::NotYet,
            }
        }
        match first(core::mem::take(&mut self.rest)) {
            Some((stream, rest)) => {
                self.rest = rest;
                self.stage = Stage::Connecting(Instant::now() + self.timeout);
                (self.is_readable, self.is_writable) = (false, false);
                Settled::TriesNext(core::mem::replace(&mut self.stream, stream))
            }
            None => Settled::Refused,
        }
    }

    /// Moves what can be moved; `buffer` is for reading.
    pub(super) fn turn(&mut self, buffer: &mut [u8], tell: &mut dyn FnMut(SocketNews)) -> Fate {
        let moved = self
            .write_on(tell)
            .and_then(|()| self.read_on(buffer, tell));
        if let Err(error) = moved {
            log::debug!("a TCP connection broke: {error}");
            tell(SocketNews::Broken(self.id));
            return Fate::Over;
        }
        if self.has_ended && self.has_finished {
            return Fate::Over;
        }
        let reads_on = self.is_readable && self.credit_bytes > 0 && !self.has_ended;
        if reads_on || self.is_writable && !self.to_write.is_empty() {
            Fate::HasMore
        } else {
            Fate::Waits
        }
    }

    /// The system says that the connection broke, even where nothing is to be read or written.
    pub(super) fn has_broken(&self) -> bool {
        !matches!(self.stream.take_error(), Ok(None))
    }

    fn write_on(&mut self, tell: &mut dyn FnMut(SocketNews)) -> io::Result<()> {
        let mut written = 0;
        let mut result = Ok(());
        for _ in 0..TURNS {
            let Some(front) = self.to_write.front_mut().filter(|_| self.is_writable) else {
                break;
            };
            match self.stream.write(front) {
                Ok(bytes) => {
                    written += bytes;
                    front.advance(bytes);
                    if front.is_empty() {
                        self.to_write.pop_front();
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.is_writable = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        if written > 0 {
            tell(SocketNews::Written(self.id, written));
        }
        if result.is_ok() && self.to_write.is_empty() && self.wants_finish && !self.has_finished {
            self.has_finished = true;
            // An error says that the other side was quicker.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        result
    }

    fn read_on(&mut self, buffer: &mut [u8], tell: &mut dyn FnMut(SocketNews)) -> io::Result<()> {
        for _ in 0..TURNS {
            let most = self.credit_bytes.min(buffer.len());
            if !self.is_readable || self.has_ended || most == 0 {
                break;
            }
            match self.stream.read(buffer.get_mut(..most).unwrap_or_default()) {
                Ok(0) => {
                    self.has_ended = true;
                    tell(SocketNews::Ended(self.id));
                }
                Ok(bytes) => {
                    self.credit_bytes -= bytes;
                    let read = buffer.get(..bytes).unwrap_or_default();
                    tell(SocketNews::Read(self.id, Bytes::copy_from_slice(read)));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => self.is_readable = false,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// How an attempt to connect stands.
pub(super) enum Settled {
    /// It is still under way.
    NotYet,
    /// It is connected.
    Connected,
    /// It failed, and another address is tried; this was its stream.
    TriesNext(TcpStream),
    /// It failed.
    Refused,
}

/// Begins to connect to the first address that the system takes.
fn first(addresses: Vec<SocketAddr>) -> Option<(TcpStream, Vec<SocketAddr>)> {
    let mut addresses = addresses.into_iter();
    let stream = addresses.find_map(|address| match TcpStream::connect(address) {
        Ok(stream) => Some(stream),
        Err(error) => {
            log::debug!("cannot connect to {address}: {error}");
            None
        }
    })?;
    Some((stream, addresses.collect()))
}
