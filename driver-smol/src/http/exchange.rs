//! One request and its response between hyper and the surface: the head goes in, then the body piece by piece as the
//! surface has room, while the response comes out; both directions may flow at once.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_channel::Receiver;
use async_io::Timer;
use bytes::{Bytes, BytesMut};
use futures_lite::future;
use hyper::body::{Body, Incoming};
use hyper::{Response, http};
use p2p_http_api::{
    BodyKind, GivenBody, HttpId, HttpInput, Request, ResponsePart, takes_upgrade, takes_whole_body,
};
use smol::Executor;
use smol::net::TcpStream;

use super::application::HttpClient;
use super::body::{ReplyBody, Watch, Written};
use super::hang_up::hang_up;
use super::newcomers::Place;
use super::upgraded::Upgraded;
use crate::engine::Handle;

pub(crate) type HttpHandle = Handle<HttpInput<HttpClient>>;

/// Longest silence of a client in the middle of a body that is read whole.
const BODY_TIME: Duration = Duration::from_secs(10);

/// What the exchanges of one connection share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) executor: Arc<Executor<'static>>,
    pub(crate) handle: HttpHandle,
    pub(crate) peer_is_loopback: bool,
    /// Whether the connection broke. Hyper ends a request body then as if it were complete.
    pub(crate) broken: Arc<AtomicBool>,
    pub(crate) written: Written,
    /// Its place among newcomers.
    pub(crate) place: Place,
    pub(crate) socket: TcpStream,
    /// What goes on with the connection once hyper has let go of it.
    pub(crate) upgraded: Arc<Mutex<Option<Upgraded>>>,
}

/// Serves one request.
pub(crate) async fn serve(
    shared: Shared,
    id: HttpId,
    mut request: http::Request<Incoming>,
) -> io::Result<Response<ReplyBody>> {
    let change = hyper::upgrade::on(&mut request);
    let handle = &shared.handle;
    // Whoever asks again has read what was answered before.
    for id in shared.written.take() {
        handle.send(HttpInput::Complete(id));
    }
    let (client, parts, room) = HttpClient::new();
    let (head, mut body) = request.into_parts();
    let request = head_of(&head, shared.peer_is_loopback);
    let target = request.target.clone();
    let shows = ["authorization", "cookie", "p2p-token"]
        .iter()
        .any(|name| request.has_header(name));
    let may_change = takes_upgrade(&request);
    let given = if may_change {
        GivenBody::Follows
    } else if body.is_end_stream() {
        GivenBody::None
    } else if takes_whole_body(&request) {
        GivenBody::Whole(collect(&mut body, &shared.broken).await?)
    } else {
        GivenBody::Follows
    };
    let follows = matches!(given, GivenBody::Follows) && !may_change;
    let place = shared.place.clone();
    handle.send(HttpInput::Request {
        id,
        request,
        client,
        body: given,
    });
    let mut watch = Watch {
        id,
        handle: handle.clone(),
        complete: false,
        written: shared.written.clone(),
    };
    let mut room = Some(room);
    if follows && let Some(room) = room.take() {
        let executor = shared.executor.clone();
        let pump = pump(shared.clone(), id, body, room);
        executor.spawn(pump).detach();
    }
    match parts.recv().await {
        Ok(ResponsePart::Head {
            status,
            headers,
            body,
        }) => {
            let has_changed = body == BodyKind::Upgraded;
            if may_change && !has_changed {
                handle.send(HttpInput::BodyEnd(id));
            }
            // What is refused for want of a good one shows nothing.
            if shows && !matches!(status, 401 | 403 | 429) && needs_owner(&target) {
                place.is_known();
            }
            if has_changed && let Some(room) = room {
                watch.complete = true;
                let upgraded = Upgraded {
                    id,
                    change,
                    parts,
                    room,
                };
                *shared
                    .upgraded
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(upgraded);
                return bare(status, &headers);
            }
            reply(status, &headers, body, parts, watch)
        }
        _ => Err(io::Error::other("the surface gave the exchange up")),
    }
}

/// A head with nothing after it.
fn bare(status: u16, headers: &[(String, String)]) -> io::Result<Response<ReplyBody>> {
    let response = Response::builder().status(status);
    with_fields(response, headers, ReplyBody::Full(None))
}

fn with_fields(
    response: http::response::Builder,
    headers: &[(String, String)],
    body: ReplyBody,
) -> io::Result<Response<ReplyBody>> {
    headers
        .iter()
        .fold(response, |response, (name, value)| {
            response.header(name, value)
        })
        .body(body)
        .map_err(io::Error::other)
}

fn head_of(head: &http::request::Parts, peer_is_loopback: bool) -> Request {
    let target = head.uri.path_and_query();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_vec())
    };
    Request {
        method: head.method.as_str().to_owned(),
        target: target.map_or_else(|| head.uri.to_string(), |t| t.as_str().to_owned()),
        headers: head.headers.iter().map(header).collect(),
        peer_is_loopback,
        can_upgrade: head.version == http::Version::HTTP_11,
    }
}

fn reply(
    status: u16,
    headers: &[(String, String)],
    body: BodyKind,
    parts: Receiver<ResponsePart>,
    mut watch: Watch,
) -> io::Result<Response<ReplyBody>> {
    let mut response = Response::builder().status(status);
    let left_bytes = match body {
        BodyKind::Sized(length) => Some(length),
        _ => None,
    };
    let body = match body {
        BodyKind::Full(bytes) => {
            watch.complete = true;
            ReplyBody::Full(Some(bytes).filter(|b| !b.is_empty()))
        }
        BodyKind::Absent(length) => {
            watch.complete = true;
            if let Some(length) = length {
                response = response.header("content-length", length);
            }
            ReplyBody::Full(None)
        }
        BodyKind::Upgraded | BodyKind::Streaming | BodyKind::Sized(_) => ReplyBody::Streaming {
            parts: Box::pin(parts),
            watch,
            unreported_bytes: 0,
            left_bytes,
        },
    };
    with_fields(response, headers, body)
}

/// Whether a path is for the owner only, so that an answer shows that the owner asks.
fn needs_owner(target: &str) -> bool {
    target.starts_with("/v1/") && !target.starts_with("/v1/auth/login")
}

/// Reads a small body to its end. A client that sends nothing of it for a while is given up.
async fn collect(body: &mut Incoming, broken: &AtomicBool) -> io::Result<Bytes> {
    let mut collected = BytesMut::new();
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
        let late = async {
            Timer::after(BODY_TIME).await;
            Some(Err(io::ErrorKind::TimedOut.into()))
        };
        let frame = async { frame.await.map(|f| f.map_err(io::Error::other)) };
        let Some(frame) = future::or(frame, late).await else {
            break;
        };
        if let Ok(bytes) = frame?.into_data() {
            collected.extend_from_slice(&bytes);
        }
    }
    // Lets the connection's task say that it ended in trouble.
    future::yield_now().await;
    if broken.load(Ordering::Acquire) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(collected.freeze())
}

/// Hands the request body to the surface, one piece for each permit.
async fn pump(shared: Shared, id: HttpId, mut body: Incoming, room: Receiver<()>) {
    let Shared { handle, broken, .. } = &shared;
    loop {
        // Hyper reads nothing while there is no room, so it does not see that the client has gone.
        let permit = future::or(async { Some(room.recv().await) }, async {
            hang_up(&shared.socket).await;
            None
        });
        match permit.await {
            Some(Ok(())) => {}
            Some(Err(_)) => return,
            None => return handle.send(HttpInput::Closed(id)),
        }
        let piece = loop {
            match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                // Trailers carry nothing for us.
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && !bytes.is_empty()
                    {
                        break HttpInput::Body(id, bytes);
                    }
                }
                Some(Err(_)) => break HttpInput::Closed(id),
                None => {
                    // Lets the connection's task say that it ended in trouble.
                    future::yield_now().await;
                    break if broken.load(Ordering::Acquire) {
                        HttpInput::Closed(id)
                    } else {
                        HttpInput::BodyEnd(id)
                    };
                }
            }
        };
        let more = matches!(piece, HttpInput::Body(..));
        handle.send(piece);
        if !more {
            return;
        }
    }
}
