//! The thread behind one request: hands the head and the body to the engine's thread, writes what comes back.
//!
//! The body is read to its end before a response in chunks is written; what comes earlier waits here, up to a bound.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use p2p_http_api::{
    BodyKind, GivenBody, HttpId, HttpInput, Request, ResponsePart, takes_whole_body,
};
use tiny_http::HTTPVersion;

use super::writer::Writer;
use crate::client::{ThreadClient, Word};
use crate::input::{Input, Inputs};

/// Bytes of body handed over at once.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes of a response that may wait for the end of the request body.
const EARLY_BYTES: usize = 1 << 20;
/// Bytes of body read for nothing so that the connection can go on; what follows more is answered with 400.
const DISCARD_BYTES: u64 = 1 << 20;
/// Time in which this machine's own system refuses a write to a closed socket.
const REFUSAL_TIME: Duration = Duration::from_millis(2);
/// Longest body that may be announced. Where one breaks off, tiny_http makes a buffer for all that is missing, and no
/// memory ends the program; so longer ones are not touched at all. A body in chunks has no such bound.
const ANNOUNCED_BYTES: usize = 64 << 20;

type Head = (u16, Vec<(String, String)>, BodyKind);

/// Answers that all workers are busy.
pub(crate) fn refuse(request: tiny_http::Request) {
    let Some(request) = refuse_long(request) else {
        return;
    };
    if let Err(error) = request.respond(tiny_http::Response::empty(503)) {
        log::debug!("cannot refuse a request: {error}");
    }
}

/// Refuses a body that is announced too long to be dropped safely; gives every other request back.
fn refuse_long(request: tiny_http::Request) -> Option<tiny_http::Request> {
    if request.body_length().is_none_or(|n| n <= ANNOUNCED_BYTES) {
        return Some(request);
    }
    log::warn!("a body of more than 64 MiB was announced; its connection is given up");
    let refusal = tiny_http::Response::empty(413);
    // The one way to answer that leaves the body's reader alone. Neither may be dropped, so the socket is lost.
    std::mem::forget(request.upgrade("close", refusal));
    None
}

/// Serves one request.
pub(crate) fn serve(request: tiny_http::Request, id: HttpId, inputs: &Inputs) {
    let Some(mut request) = refuse_long(request) else {
        return;
    };
    let mut body = RequestBody::of(&request);
    let (sender, words) = mpsc::channel();
    let head = head_of(&request);
    let given = match body.state {
        BodyState::Open if takes_whole_body(&head) => match body.collect(&mut request) {
            Some(bytes) => GivenBody::Whole(bytes),
            // The client went away in the middle.
            None => return,
        },
        BodyState::Open => GivenBody::Follows,
        _ => GivenBody::None,
    };
    let opened = HttpInput::Request {
        id,
        request: head,
        client: ThreadClient::new(sender),
        body: given,
    };
    let mut worker = Worker {
        id,
        inputs,
        words: &words,
        early: VecDeque::new(),
        early_bytes: 0,
    };
    if !worker.put(opened) {
        return;
    }
    let head = worker.exchange_body(&mut request, &mut body);
    body.prepare_drop(&mut request);
    let chunked = *request.http_version() >= HTTPVersion(1, 1);
    let no_body = *request.method() == tiny_http::Method::Head;
    let mut writer = Writer::new(request.into_writer(), chunked);
    let written = worker
        .confirm_body(&mut writer, &body)
        .and_then(|()| worker.respond(writer, head, no_body));
    if let Err(error) = written {
        log::debug!("an HTTP client went away: {error}");
        worker.put(HttpInput::Closed(id));
    }
}

fn head_of(request: &tiny_http::Request) -> Request {
    let header = |h: &tiny_http::Header| {
        let name = h.field.as_str().as_str().to_owned();
        (name, h.value.as_str().as_bytes().to_vec())
    };
    Request {
        method: request.method().as_str().to_owned(),
        target: request.url().to_owned(),
        headers: request.headers().iter().map(header).collect(),
        peer_is_loopback: request.remote_addr().is_some_and(|a| a.ip().is_loopback()),
        // tiny_http gives an upgraded connection as one whole: nobody could write while something reads.
        can_upgrade: false,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BodyState {
    /// There is none.
    Absent,
    /// More may come.
    Open,
    /// tiny_http says that all was read.
    Read,
    /// The client went away in the middle.
    Broken,
}

/// How much of a request body was read.
struct RequestBody {
    state: BodyState,
    /// Bytes to come, where the length was announced; `None` for a body in chunks.
    left_bytes: Option<u64>,
}

impl RequestBody {
    fn of(request: &tiny_http::Request) -> Self {
        let chunked = request
            .headers()
            .iter()
            .any(|h| h.field.equiv("transfer-encoding"));
        let left_bytes = request.body_length().map_or(0, |n| n as u64);
        Self {
            state: if chunked || left_bytes > 0 {
                BodyState::Open
            } else {
                BodyState::Absent
            },
            left_bytes: (!chunked).then_some(left_bytes),
        }
    }

    fn read(&mut self, request: &mut tiny_http::Request, piece: &mut [u8]) -> usize {
        match request.as_reader().read(piece) {
            Ok(length) => {
                self.left_bytes = self
                    .left_bytes
                    .map(|left| left.saturating_sub(length as u64));
                match (length, self.left_bytes) {
                    (0, None | Some(0)) => self.state = BodyState::Read,
                    (0, Some(_)) => self.state = BodyState::Broken,
                    _ => {}
                }
                length
            }
            Err(error) => {
                log::debug!("a request body broke off: {error}");
                self.state = BodyState::Broken;
                0
            }
        }
    }

    /// Reads a small body to its end; `None` where it breaks off. Afterwards nothing of it is left to be told.
    fn collect(&mut self, request: &mut tiny_http::Request) -> Option<Bytes> {
        let mut collected = Vec::new();
        let mut piece = vec![0; PIECE_BYTES];
        while self.state == BodyState::Open {
            let length = self.read(request, &mut piece);
            collected.extend_from_slice(piece.get(..length).unwrap_or_default());
        }
        let is_whole = self.state == BodyState::Read;
        self.state = BodyState::Absent;
        is_whole.then(|| collected.into())
    }

    /// Reads on so that the next request on the connection is found.
    fn prepare_drop(&mut self, request: &mut tiny_http::Request) {
        let mut piece = vec![0; PIECE_BYTES];
        let mut discarded = 0;
        while self.state == BodyState::Open && discarded < DISCARD_BYTES {
            discarded += self.read(request, &mut piece) as u64;
        }
    }
}

struct Worker<'a> {
    id: HttpId,
    inputs: &'a Inputs,
    words: &'a Receiver<Word>,
    /// Parts that came before the end of the body.
    early: VecDeque<ResponsePart>,
    early_bytes: usize,
}

impl Worker<'_> {
    /// Sends to the engine's thread; false where it has ended.
    fn put(&self, input: HttpInput<ThreadClient>) -> bool {
        self.inputs.send(Input::Http(input)).is_ok()
    }

    /// Hands the body over as there is room, until all was read or the answer is complete; gives the response's head.
    fn exchange_body(
        &mut self,
        request: &mut tiny_http::Request,
        body: &mut RequestBody,
    ) -> Option<Head> {
        let mut head = None;
        while body.state == BodyState::Open {
            match self.words.recv() {
                Ok(Word::Room) => {
                    let mut piece = vec![0; PIECE_BYTES];
                    let length = body.read(request, &mut piece);
                    piece.truncate(length);
                    if length > 0 {
                        self.put(HttpInput::Body(self.id, Bytes::from(piece)));
                    }
                }
                Ok(Word::Part(ResponsePart::Head {
                    status,
                    headers,
                    body: kind,
                })) => {
                    let whole = matches!(kind, BodyKind::Full(_) | BodyKind::Absent(_));
                    head = Some((status, headers, kind));
                    if whole {
                        break;
                    }
                }
                Ok(Word::Part(ResponsePart::Abort)) | Err(_) => {
                    self.early.push_back(ResponsePart::Abort);
                    break;
                }
                Ok(Word::Part(ResponsePart::End)) => {
                    // The rest of the body is not wanted.
                    self.early.push_back(ResponsePart::End);
                    break;
                }
                Ok(Word::Part(part)) => self.keep(part),
            }
        }
        head
    }

    /// Tells the surface that the body is complete. tiny_http takes the death of a client in the middle of a chunk for
    /// the end of the body, so the client must first show that it lives by taking interim responses.
    fn confirm_body(&self, writer: &mut Writer, body: &RequestBody) -> io::Result<()> {
        match (body.state, body.left_bytes) {
            (BodyState::Absent | BodyState::Open, _) => return Ok(()),
            (BodyState::Broken, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            (BodyState::Read, Some(_)) => {}
            (BodyState::Read, None) => {
                writer.interim()?;
                // The first one makes a dead client's system refuse the second.
                thread::sleep(REFUSAL_TIME);
                writer.interim()?;
            }
        }
        self.put(HttpInput::BodyEnd(self.id));
        Ok(())
    }

    /// Keeps a part for later. It counts as consumed as far as there is place, so that both directions go on.
    fn keep(&mut self, part: ResponsePart) {
        if let ResponsePart::Chunk(chunk) = &part
            && self.early_bytes + chunk.len() <= EARLY_BYTES
        {
            self.early_bytes += chunk.len();
            self.put(HttpInput::Consumed(self.id, chunk.len()));
        }
        self.early.push_back(part);
    }

    fn respond(&mut self, mut writer: Writer, head: Option<Head>, no_body: bool) -> io::Result<()> {
        let Some((status, headers, body)) = head.or_else(|| self.wait_for_head()) else {
            writer.head(503, &[], Some(0))?;
            return writer.full(&[]);
        };
        match body {
            BodyKind::Full(body) => {
                writer.head(status, &headers, Some(body.len()))?;
                writer.full(if no_body { &[] } else { &body })
            }
            // Never given where it was said that it cannot be.
            BodyKind::Upgraded => writer.abort(),
            BodyKind::Absent(length) => writer.bare(status, &headers, length),
            // In chunks even where the length is known: tiny_http closes no connection, so an answer that breaks off
            // could not be told from one that is slow.
            BodyKind::Streaming | BodyKind::Sized(_) => {
                writer.head(status, &headers, None)?;
                self.stream(&mut writer)
            }
        }
    }

    fn wait_for_head(&self) -> Option<Head> {
        loop {
            match self.words.recv().ok()? {
                Word::Room => {}
                Word::Part(ResponsePart::Head {
                    status,
                    headers,
                    body,
                }) => return Some((status, headers, body)),
                Word::Part(_) => return None,
            }
        }
    }

    fn stream(&mut self, writer: &mut Writer) -> io::Result<()> {
        // What was kept and reported is not reported again.
        let mut reported = self.early_bytes;
        loop {
            let part = match self.early.pop_front() {
                Some(part) => part,
                None => match self.words.recv() {
                    Ok(Word::Part(part)) => part,
                    Ok(Word::Room) => continue,
                    Err(_) => ResponsePart::Abort,
                },
            };
            match part {
                ResponsePart::Chunk(chunk) => {
                    writer.chunk(&chunk)?;
                    let known = reported.min(chunk.len());
                    reported -= known;
                    if chunk.len() > known {
                        self.put(HttpInput::Consumed(self.id, chunk.len() - known));
                    }
                }
                ResponsePart::End => {
                    writer.end()?;
                    self.put(HttpInput::Complete(self.id));
                    return Ok(());
                }
                ResponsePart::Abort | ResponsePart::Head { .. } => return writer.abort(),
            }
        }
    }
}
