//! One place where programs of this machine may connect.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use p2p_http_api::SocketId;

/// Pause after the system could not give a connection that is there, for want of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(200);

/// What came of looking for a connection.
pub(super) enum Taken {
    /// None is there, or none is wanted.
    Nothing,
    /// This one, under its number.
    One(SocketId, TcpStream),
}

/// A listening socket, and the numbers of the connections that are wanted.
pub(super) struct Listener {
    pub(super) socket: TcpListener,
    wanted: VecDeque<SocketId>,
    is_ready: bool,
    pause: Option<Instant>,
}

impl Listener {
    /// Listens; gives the address with its port.
    pub(super) fn bind(address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let socket = TcpListener::bind(address)?;
        let bound = socket.local_addr()?;
        let listener = Self {
            socket,
            wanted: VecDeque::new(),
            is_ready: false,
            pause: None,
        };
        Ok((listener, bound))
    }

    /// One more connection is wanted.
    pub(super) fn want(&mut self, id: SocketId) {
        self.wanted.push_back(id);
    }

    /// The system says that connections wait.
    pub(super) const fn on_ready(&mut self) {
        self.is_ready = true;
    }

    /// Until when nothing is taken though something may wait.
    pub(super) fn pause(&self) -> Option<Instant> {
        self.pause.filter(|_| !self.wanted.is_empty())
    }

    /// Takes one connection.
    pub(super) fn take(&mut self) -> Taken {
        if self.pause.is_some_and(|until| until > Instant::now()) {
            return Taken::Nothing;
        }
        self.pause = None;
        while self.is_ready
            && let Some(id) = self.wanted.front().copied()
        {
            match self.socket.accept() {
                Ok((stream, _)) => {
                    self.wanted.pop_front();
                    return Taken::One(id, stream);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.is_ready = false,
                    // The program was quicker to leave.
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        log::warn!("a connection of a program cannot be taken: {error}");
                        self.pause = Some(Instant::now() + PAUSE);
                        return Taken::Nothing;
                    }
                },
            }
        }
        Taken::Nothing
    }
}
