//! Listeners on loopback and the connections they accept, with limits on number, head size and time.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use p2p_http_api::{HttpId, HttpInput};
use smol::Executor;
use smol::lock::Semaphore;
use smol_hyper::rt::{FuturesIo, SmolTimer};

use super::application::HttpClient;
use super::body::Written;
use super::exchange::{HttpHandle, Shared, serve};
use super::hang_up::read_to_end;
use super::newcomers::{NEWCOMERS, Newcomers, Place};

/// Connections at once: those that have shown a token or a log-in, and room for all newcomers.
const CONNECTIONS: usize = 256 + NEWCOMERS;
/// Bytes of a request head.
const HEAD_BYTES: usize = 16 << 10;
/// Time for a request head, and for the next one on an idle connection.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Bytes buffered of a connection, each direction.
const BUFFER_BYTES: usize = 256 << 10;
/// Pause after the system refused to accept, for instance because file descriptors have run out.
const REFUSAL_PAUSE: Duration = Duration::from_millis(100);

/// Listening sockets of the HTTP surface.
pub(crate) struct HttpServer {
    listeners: Vec<Async<TcpListener>>,
}

impl HttpServer {
    /// Takes listeners over.
    ///
    /// # Errors
    /// Where the system does not let them be polled.
    pub(crate) fn new(listeners: Vec<TcpListener>) -> io::Result<Self> {
        let listeners = listeners.into_iter().map(Async::new);
        Ok(Self {
            listeners: listeners.collect::<io::Result<_>>()?,
        })
    }

    /// Serves until the executor is dropped.
    pub(crate) fn start(self, executor: &Arc<Executor<'static>>, server: &Arc<Connections>) {
        for listener in self.listeners {
            let accept = accept(listener, executor.clone(), server.clone());
            executor.spawn(accept).detach();
        }
    }
}

/// What all connections share.
pub(crate) struct Connections {
    handle: HttpHandle,
    next_id: AtomicU64,
    permits: Arc<Semaphore>,
    newcomers: Newcomers,
}

impl Connections {
    pub(crate) fn new(handle: HttpHandle) -> Self {
        Self {
            handle,
            next_id: AtomicU64::new(0),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            newcomers: Newcomers::default(),
        }
    }

    /// Sends something to the surface.
    pub(crate) fn send(&self, input: HttpInput<HttpClient>) {
        self.handle.send(input);
    }

    /// A number that no exchange had before.
    pub(crate) fn next_id(&self) -> HttpId {
        HttpId(self.next_id.fetch_add(1, Ordering::Relaxed))
    }
}

async fn accept(
    listener: Async<TcpListener>,
    executor: Arc<Executor<'static>>,
    server: Arc<Connections>,
) {
    loop {
        let permit = server.permits.acquire_arc().await;
        match listener.accept().await {
            Ok((stream, from)) => {
                let (place, gone) = server.newcomers.enter();
                let connection = connection(stream, from, place, executor.clone(), server.clone());
                let made_room = async move {
                    if gone.recv().await.is_err() {
                        // It is known now.
                        future::pending::<()>().await;
                    }
                };
                let task = async move {
                    future::or(connection, made_room).await;
                    drop(permit);
                };
                executor.spawn(task).detach();
            }
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                log::warn!("cannot accept HTTP connections: {error}");
                Timer::after(REFUSAL_PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted
    )
}

async fn connection(
    stream: Async<TcpStream>,
    from: SocketAddr,
    place: Place,
    executor: Arc<Executor<'static>>,
    server: Arc<Connections>,
) {
    let socket = smol::net::TcpStream::from(stream);
    let shared = Shared {
        executor,
        place,
        socket: socket.clone(),
        written: Written::default(),
        handle: server.handle.clone(),
        peer_is_loopback: from.ip().is_loopback(),
        broken: Arc::new(AtomicBool::new(false)),
        upgraded: Arc::default(),
    };
    let service = service_fn(|request| serve(shared.clone(), server.next_id(), request));
    let served = http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(FuturesIo::new(socket.clone()), service)
        .with_upgrades()
        .await;
    if let Err(error) = &served {
        shared.broken.store(true, Ordering::Release);
        log::debug!("an HTTP connection from {from} ended: {error}");
    }
    let upgraded = shared
        .upgraded
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(upgraded) = upgraded {
        return upgraded.carry(socket, &server.handle).await;
    }
    let written = shared.written.take();
    if written.is_empty() {
        return;
    }
    let has_read = served.is_ok() && read_to_end(socket).await.is_ok();
    for id in written {
        server.send(if has_read {
            HttpInput::Complete(id)
        } else {
            HttpInput::Closed(id)
        });
    }
}
