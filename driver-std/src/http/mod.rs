//! The HTTP surface on tiny_http: a thread takes requests from each listener and gives each a worker thread, so many at
//! once; workers speak with the engine's thread over channels.
//!
//! tiny_http itself limits neither heads nor waiting, and cannot read a body while it writes a response
//! (docs/drivers.md tells what follows).

mod worker;
mod writer;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread;

use p2p_host::{NodeError, bind_http};
use p2p_http_api::{Client, HttpId, ResponsePart};
use tiny_http::Server;

use crate::engine::Inputs;

/// Requests served at once.
const WORKERS: usize = 64;

/// What the engine's thread tells a worker.
pub(crate) enum Word {
    /// The next part of the response.
    Part(ResponsePart),
    /// There is room for a piece of the body.
    Room,
}

/// The way back to a worker.
pub(crate) struct ThreadClient {
    // Unbounded: the surface stops where chunks are not reported as consumed.
    words: Sender<Word>,
}

impl ThreadClient {
    pub(crate) fn new(words: Sender<Word>) -> Self {
        Self { words }
    }
}

impl Client for ThreadClient {
    fn on_part(&mut self, part: ResponsePart) {
        // A worker that is gone has reported itself as closed.
        let _ = self.words.send(Word::Part(part));
    }

    fn on_room(&mut self) {
        let _ = self.words.send(Word::Room);
    }
}

/// Listening servers of the HTTP surface.
pub(crate) struct HttpServer {
    servers: Vec<(SocketAddr, Arc<Server>)>,
}

/// Gives exchanges their numbers.
#[derive(Clone, Default)]
pub(crate) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    /// A number that no exchange had before.
    pub(crate) fn next(&self) -> HttpId {
        HttpId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl HttpServer {
    /// Binds `address`, which must be loopback; for `127.0.0.1` also `::1` with the same port where that can be had.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, NodeError> {
        let servers = bind_http(Some(address))?.into_iter().map(serve_on);
        Ok(Self {
            servers: servers.collect::<std::io::Result<_>>()?,
        })
    }

    /// Addresses as bound, with real ports.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(|(bound, _)| *bound).collect()
    }

    /// Starts to serve; the result stops it.
    pub(crate) fn start(self, inputs: &Inputs, numbers: &Numbers) -> std::io::Result<Stop> {
        let busy = Arc::new(AtomicUsize::new(0));
        for (_, server) in &self.servers {
            let (server, inputs) = (server.clone(), inputs.clone());
            let (numbers, busy) = (numbers.clone(), busy.clone());
            thread::Builder::new()
                .name("p2p-http".to_owned())
                .spawn(move || take_requests(&server, &inputs, &numbers, &busy))?;
        }
        Ok(Stop(self.servers))
    }
}

/// Stops serving when dropped.
pub(crate) struct Stop(Vec<(SocketAddr, Arc<Server>)>);

impl Drop for Stop {
    fn drop(&mut self) {
        for (_, server) in &self.0 {
            server.unblock();
        }
    }
}

fn serve_on(listener: TcpListener) -> std::io::Result<(SocketAddr, Arc<Server>)> {
    let bound = listener.local_addr()?;
    let server = Server::from_listener(listener, None).map_err(std::io::Error::other)?;
    Ok((bound, Arc::new(server)))
}

fn take_requests(server: &Server, inputs: &Inputs, numbers: &Numbers, busy: &Arc<AtomicUsize>) {
    while let Ok(request) = server.recv() {
        if busy.fetch_add(1, Ordering::Relaxed) >= WORKERS {
            busy.fetch_sub(1, Ordering::Relaxed);
            worker::refuse(request);
            continue;
        }
        let (inputs, id) = (inputs.clone(), numbers.next());
        let done = Done(busy.clone());
        let work = move || {
            let _done = done;
            worker::serve(request, id, &inputs);
        };
        let worker = thread::Builder::new().name("p2p-http-worker".to_owned());
        if let Err(error) = worker.spawn(work) {
            // The request was dropped, which answers it with 500.
            log::warn!("cannot start a thread: {error}");
        }
    }
}

/// Counts a worker as gone when dropped, also where it panicked.
struct Done(Arc<AtomicUsize>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
