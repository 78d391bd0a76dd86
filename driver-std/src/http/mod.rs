//! The HTTP surface on tiny_http: a thread takes requests from each listener and gives each a worker thread, so many at
//! once; workers speak with the engine's thread over channels.
//!
//! tiny_http itself limits neither heads nor waiting, and cannot read a body while it writes a response
//! (docs/drivers.md tells what follows).

mod worker;
mod writer;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use p2p_http_api::HttpId;
use tiny_http::Server;

use crate::input::Inputs;

/// Requests served at once.
const WORKERS: usize = 64;

/// Listening servers of the HTTP surface.
pub(crate) struct HttpServer {
    servers: Vec<Arc<Server>>,
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
    /// Takes listeners over.
    pub(crate) fn new(listeners: Vec<TcpListener>) -> std::io::Result<Self> {
        let servers = listeners.into_iter().map(serve_on);
        Ok(Self {
            servers: servers.collect::<std::io::Result<_>>()?,
        })
    }

    /// Starts to serve; the result stops it.
    pub(crate) fn start(self, inputs: &Inputs, numbers: &Numbers) -> std::io::Result<Stop> {
        let busy = Arc::new(AtomicUsize::new(0));
        for server in &self.servers {
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
pub(crate) struct Stop(Vec<Arc<Server>>);

impl Drop for Stop {
    fn drop(&mut self) {
        for server in &self.0 {
            server.unblock();
        }
    }
}

fn serve_on(listener: TcpListener) -> std::io::Result<Arc<Server>> {
    let server = Server::from_listener(listener, None).map_err(std::io::Error::other)?;
    Ok(Arc::new(server))
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
