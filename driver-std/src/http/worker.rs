//! The thread behind one request: hands the head and the body to the engine's thread, writes what comes back.
//!
//! The body is read to its end before a response in chunks is written; what comes earlier waits here, up to a bound.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver};

use bytes::Bytes;
use p2p_http_api::{BodyKind, HttpId, HttpInput, Request, ResponsePart};
use tiny_http::HTTPVersion;

use super::writer::Writer;
use super::{ThreadClient, Word};
use crate::engine::{Input, Inputs};

/// Bytes of body handed over at once.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes of a response that may wait for the end of the request body.
const EARLY_BYTES: usize = 1 << 20;
/// Bytes of body read for nothing so that the connection can go on; more ends it.
const DISCARD_BYTES: usize = 1 << 20;
/// Body lengths that no client means. tiny_http reserves what is unread when it drops a request.
const ABSURD_BYTES: usize = 1 << 40;

type Head = (u16, Vec<(String, String)>, BodyKind);

/// Answers that all workers are busy.
pub(crate) fn refuse(request: tiny_http::Request) {
    if is_absurd(&request) {
        return;
    }
    let answer = tiny_http::Response::empty(503);
    if let Err(error) = request.respond(answer) {
        log::debug!("cannot refuse a request: {error}");
    }
}

/// Whether the announced length would take all memory; such a request is leaked with its connection.
fn is_absurd(request: &tiny_http::Request) -> bool {
    request.body_length().is_some_and(|n| n > ABSURD_BYTES)
}

/// Serves one request.
pub(crate) fn serve(mut request: tiny_http::Request, id: HttpId, inputs: &Inputs) {
    if is_absurd(&request) {
        log::warn!("a request announces a body of absurd length; its connection is given up");
        std::mem::forget(request);
        return;
    }
    let chunked_body = request
        .headers()
        .iter()
        .any(|h| h.field.equiv("transfer-encoding"));
    let has_body = chunked_body || request.body_length().is_some_and(|n| n > 0);
    let (sender, words) = mpsc::channel();
    let opened = HttpInput::Request {
        id,
        request: head_of(&request),
        client: ThreadClient::new(sender),
        has_body,
    };
    if inputs.send(Input::Http(opened)).is_err() {
        return;
    }
    let mut worker = Worker {
        id,
        inputs,
        words: &words,
        early: VecDeque::new(),
        early_bytes: 0,
        body_ended: !has_body,
    };
    let head = worker.exchange_body(&mut request);
    if !worker.body_ended {
        discard(&mut request);
    }
    let chunked = *request.http_version() >= HTTPVersion(1, 1);
    let no_body = *request.method() == tiny_http::Method::Head;
    let writer = Writer::new(request.into_writer(), chunked);
    let written = worker.respond(writer, head, no_body);
    if let Err(error) = written {
        log::debug!("an HTTP client went away: {error}");
        worker.tell(HttpInput::Closed(id));
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
    }
}

/// Reads on so that the next request on the connection is found.
fn discard(request: &mut tiny_http::Request) {
    let limit = DISCARD_BYTES as u64;
    let read = io::copy(&mut request.as_reader().take(limit), &mut io::sink());
    log::debug!("threw away the rest of a request body: {read:?}");
}

struct Worker<'a> {
    id: HttpId,
    inputs: &'a Inputs,
    words: &'a Receiver<Word>,
    /// Parts that came before the end of the body.
    early: VecDeque<ResponsePart>,
    early_bytes: usize,
    body_ended: bool,
}

impl Worker<'_> {
    fn tell(&self, input: HttpInput<ThreadClient>) -> bool {
        self.inputs.send(Input::Http(input)).is_ok()
    }

    /// Hands the body over as there is room, until it has ended or the whole answer is there; gives the response's head.
    fn exchange_body(&mut self, request: &mut tiny_http::Request) -> Option<Head> {
        let mut head = None;
        loop {
            let whole = matches!(head, Some((_, _, BodyKind::Full(_))));
            if head.is_some() && (whole || self.body_ended) {
                return head;
            }
            match self.words.recv() {
                Ok(Word::Room) => self.read_piece(request),
                Ok(Word::Part(ResponsePart::Head {
                    status,
                    headers,
                    body,
                })) => head = Some((status, headers, body)),
                Ok(Word::Part(ResponsePart::Abort)) | Err(_) => {
                    self.early.push_back(ResponsePart::Abort);
                    return head;
                }
                Ok(Word::Part(part)) => self.keep(part),
            }
        }
    }

    fn read_piece(&mut self, request: &mut tiny_http::Request) {
        let mut piece = vec![0; PIECE_BYTES];
        let input = match request.as_reader().read(&mut piece) {
            Ok(0) => HttpInput::BodyEnd(self.id),
            Ok(length) => {
                piece.truncate(length);
                HttpInput::Body(self.id, Bytes::from(piece))
            }
            Err(error) => {
                log::debug!("a request body broke off: {error}");
                HttpInput::Closed(self.id)
            }
        };
        self.body_ended = !matches!(input, HttpInput::Body(..));
        self.tell(input);
    }

    /// Keeps a part for later. It counts as consumed as far as there is place, so that both directions go on.
    fn keep(&mut self, part: ResponsePart) {
        if let ResponsePart::Chunk(chunk) = &part
            && self.early_bytes + chunk.len() <= EARLY_BYTES
        {
            self.early_bytes += chunk.len();
            self.tell(HttpInput::Consumed(self.id, chunk.len()));
        }
        self.early.push_back(part);
    }

    fn respond(&mut self, mut writer: Writer, head: Option<Head>, no_body: bool) -> io::Result<()> {
        let Some((status, headers, body)) = head else {
            writer.head(503, &[], Some(0))?;
            return writer.full(&[]);
        };
        match body {
            BodyKind::Full(body) => {
                writer.head(status, &headers, Some(body.len()))?;
                writer.full(if no_body { &[] } else { &body })
            }
            BodyKind::Streaming => {
                writer.head(status, &headers, None)?;
                self.stream(&mut writer)
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
                        self.tell(HttpInput::Consumed(self.id, chunk.len() - known));
                    }
                }
                ResponsePart::End => return writer.end(),
                ResponsePart::Abort | ResponsePart::Head { .. } => return writer.abort(),
            }
        }
    }
}
