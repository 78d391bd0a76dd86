//! HTTP/1.1 between the serving node and its application: writes requests, reads answers. Whatever of an answer could
//! be read in two ways is refused (RFC 9112 §11.2), since what is misread here would be another peer's.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::head::{Body, FIELDS, Fields, SWITCHING};

/// Longest head of an application.
const HEAD_BYTES: usize = 16 << 10;
/// Most interim answers.
const INTERIMS: usize = 8;
/// Longest line before a chunk.
const CHUNK_LINE_BYTES: usize = 272;
/// Longest trailers; they are dropped.
const TRAILERS_BYTES: usize = 4 << 10;

/// What matters of a request for how its answer is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// An answer to HEAD has no body.
    pub is_head: bool,
    /// The answer may change to the WebSocket protocol.
    pub upgrade: bool,
}

/// Writes a request head. `fields` are all but framing, `Host` included.
pub(super) fn request(
    method: &str,
    target: &str,
    fields: &Fields,
    body: Body,
    asked: Asked,
) -> Bytes {
    let mut out = BytesMut::with_capacity(1_024);
    out.put_slice(format!("{method} {target} HTTP/1.1\r\n").as_bytes());
    for (name, value) in fields {
        out.put_slice(name.as_bytes());
        out.put_slice(b": ");
        out.put_slice(value);
        out.put_slice(b"\r\n");
    }
    if asked.upgrade {
        out.put_slice(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n");
        return out.freeze();
    }
    out.put_slice(b"connection: close\r\n");
    match (body.follows, body.length) {
        (true, Some(length)) => out.put_slice(format!("content-length: {length}\r\n").as_bytes()),
        (true, None) => out.put_slice(b"transfer-encoding: chunked\r\n"),
        (false, _) if matches!(method, "POST" | "PUT" | "PATCH") => {
            out.put_slice(b"content-length: 0\r\n");
        }
        (false, _) => {}
    }
    out.put_slice(b"\r\n");
    out.freeze()
}

/// Writes one chunk of a body without a length.
pub(super) fn chunk(body: Bytes, put: &mut dyn FnMut(Bytes)) {
    put(format!("{:x}\r\n", body.len()).into());
    put(body);
    put(Bytes::from_static(b"\r\n"));
}

/// The last chunk.
pub(super) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// An answer that cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What comes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// The final head: status, fields as they came, body.
    Head(u16, Fields, Body),
    /// A piece of the body, never empty.
    Body(Bytes),
    /// The answer is complete.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    ChunkLine,
    Chunk(u64),
    ChunkEnd,
    Trailers(usize),
    UntilClose,
    Done,
}

/// Reads one answer.
pub(super) struct Answer {
    asked: Asked,
    interims: usize,
    state: State,
    /// What came of a head or line that is not complete.
    line: Vec<u8>,
    input: Bytes,
}

impl Answer {
    /// An answer to a request.
    pub(super) fn new(asked: Asked) -> Self {
        Self {
            asked,
            interims: 0,
            state: State::Head,
            line: Vec::new(),
            input: Bytes::new(),
        }
    }

    /// Bytes came; take all pieces out before the next ones.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.input = bytes;
    }

    /// The next piece.
    pub(super) fn next(&mut self) -> Result<Option<Piece>, Unreadable> {
        loop {
            match self.state {
                State::Head => {
                    if !self.collect(HEAD_BYTES, ends_head)? {
                        return Ok(None);
                    }
                    let head = core::mem::take(&mut self.line);
                    if let Some(piece) = self.begin(&head)? {
                        return Ok(Some(piece));
                    }
                }
                State::Length(0) => {
                    self.state = State::Done;
                    return Ok(Some(Piece::End));
                }
                State::Length(left) | State::Chunk(left) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let piece = self.input.split_to(most.min(self.input.len()));
                    let left = left - piece.len() as u64;
                    let is_chunk = matches!(self.state, State::Chunk(_));
                    self.state = match (is_chunk, left) {
                        (true, 0) => State::ChunkEnd,
                        (true, left) => State::Chunk(left),
                        (false, left) => State::Length(left),
                    };
                    return Ok(Some(piece).filter(|p| !p.is_empty()).map(Piece::Body));
                }
                State::UntilClose => {
                    let piece = core::mem::take(&mut self.input);
                    return Ok(Some(piece).filter(|p| !p.is_empty()).map(Piece::Body));
                }
                State::ChunkLine | State::ChunkEnd | State::Trailers(_) => {
                    if !self.line()? {
                        return Ok(None);
                    }
                    if self.state == State::Done {
                        return Ok(Some(Piece::End));
                    }
                }
                State::Done => {
                    // What follows a complete answer is nobody's: the connection is used once.
                    self.input = Bytes::new();
                    return Ok(None);
                }
            }
        }
    }

    /// The application ended its half; whether that completes the answer.
    pub(super) fn on_end(&mut self) -> Result<Option<Piece>, Unreadable> {
        match self.state {
            State::UntilClose => {
                self.state = State::Done;
                Ok(Some(Piece::End))
            }
            State::Done => Ok(None),
            _ => Err(Unreadable),
        }
    }

    /// Adds input to the line until it ends; false where more must come.
    fn collect(&mut self, most: usize, ends: fn(&[u8]) -> bool) -> Result<bool, Unreadable> {
        while let Some(byte) = self.input.first().copied() {
            let _ = self.input.split_to(1);
            self.line.push(byte);
            if byte == b'\n' && !self.line.ends_with(b"\r\n") {
                return Err(Unreadable);
            }
            if ends(&self.line) {
                return Ok(true);
            }
            if self.line.len() >= most {
                return Err(Unreadable);
            }
        }
        Ok(false)
    }

    /// Reads one line around chunks; false where more must come.
    fn line(&mut self) -> Result<bool, Unreadable> {
        let most = match self.state {
            State::Trailers(left) => left,
            _ => CHUNK_LINE_BYTES,
        };
        if !self.collect(most, |line| line.ends_with(b"\n"))? {
            return Ok(false);
        }
        let line = core::mem::take(&mut self.line);
        let text = line.strip_suffix(b"\r\n").ok_or(Unreadable)?;
        self.state = match self.state {
            State::ChunkEnd if text.is_empty() => State::ChunkLine,
            State::ChunkLine => match chunk_length(text).ok_or(Unreadable)? {
                0 => State::Trailers(TRAILERS_BYTES),
                length => State::Chunk(length),
            },
            State::Trailers(_) if text.is_empty() => State::Done,
            State::Trailers(left) if left > line.len() => State::Trailers(left - line.len()),
            _ => return Err(Unreadable),
        };
        Ok(true)
    }

    /// Reads a head; `None` for one that only precedes the final one.
    fn begin(&mut self, head: &[u8]) -> Result<Option<Piece>, Unreadable> {
        let is_stray = |(i, b): (usize, &u8)| match b {
            b'\r' => head.get(i + 1) != Some(&b'\n'),
            0 => true,
            _ => false,
        };
        if head.iter().enumerate().any(is_stray) {
            return Err(Unreadable);
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        let is_whole = parsed.parse(head).map_err(|_| Unreadable)?.is_complete();
        let (Some(status), Some(version), true) = (parsed.code, parsed.version, is_whole) else {
            return Err(Unreadable);
        };
        let field = |h: &httparse::Header<'_>| (h.name.to_ascii_lowercase(), h.value.to_vec());
        let fields: Fields = parsed.headers.iter().map(field).collect();
        if status == SWITCHING && self.asked.upgrade && version == 1 {
            let mut named = fields.iter().filter(|(name, _)| name == "upgrade");
            let is_wanted = |(_, v): &(String, Vec<u8>)| v.eq_ignore_ascii_case(b"websocket");
            if !named.next().is_some_and(is_wanted) || named.next().is_some() {
                return Err(Unreadable);
            }
            self.state = State::UntilClose;
            let body = Body {
                follows: true,
                length: None,
            };
            return Ok(Some(Piece::Head(status, fields, body)));
        }
        if (100..200).contains(&status) {
            self.interims += 1;
            // Nobody asked for another protocol.
            let is_too_much = status == SWITCHING || self.interims > INTERIMS;
            return if is_too_much {
                Err(Unreadable)
            } else {
                Ok(None)
            };
        }
        let length = framing(version, &fields)?;
        let has_body = !self.asked.is_head && !matches!(status, 204 | 304);
        self.state = match length {
            _ if !has_body => State::Length(0),
            Framing::Chunked => State::ChunkLine,
            Framing::Length(length) => State::Length(length),
            Framing::UntilClose => State::UntilClose,
        };
        let body = Body {
            follows: has_body && length != Framing::Length(0),
            length: match length {
                Framing::Length(length) if status != 204 => Some(length),
                _ => None,
            },
        };
        Ok(Some(Piece::Head(status, fields, body)))
    }
}

fn ends_head(head: &[u8]) -> bool {
    head.ends_with(b"\r\n\r\n")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// How a body is delimited (RFC 9112 §6.3).
fn framing(version: u8, fields: &Fields) -> Result<Framing, Unreadable> {
    let all = |name: &str| -> Vec<&[u8]> {
        let fields = fields.iter().filter(|(n, _)| n == name);
        fields.map(|(_, v)| v.trim_ascii()).collect()
    };
    match (
        all("transfer-encoding").as_slice(),
        all("content-length").as_slice(),
    ) {
        ([], []) => Ok(Framing::UntilClose),
        ([coding], []) if version == 1 && coding.eq_ignore_ascii_case(b"chunked") => {
            Ok(Framing::Chunked)
        }
        ([], [length]) => number(length, 10).map(Framing::Length).ok_or(Unreadable),
        _ => Err(Unreadable),
    }
}

fn chunk_length(line: &[u8]) -> Option<u64> {
    let digits = line.split(|b| matches!(b, b';' | b' ' | b'\t')).next()?;
    let rest = line.get(digits.len()..)?.trim_ascii_start();
    (rest.is_empty() || rest.starts_with(b";")).then_some(())?;
    number(digits, 16)
}

fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = core::str::from_utf8(digits).ok()?;
    let is_plain = !text.is_empty() && text.bytes().all(|b| char::from(b).is_digit(radix));
    let number = u64::from_str_radix(text, radix).ok()?;
    (is_plain && number < 1 << 62).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, body, and whether it came to its end.
    type Read = (u16, Vec<u8>, bool);

    fn read(text: &[u8], step: usize, is_to_head: bool) -> Result<Read, Unreadable> {
        let mut answer = Answer::new(Asked {
            is_head: is_to_head,
            upgrade: false,
        });
        let mut read = (0, Vec::new(), false);
        let mut take = |piece| match piece {
            Piece::Head(status, ..) => read.0 = status,
            Piece::Body(bytes) => read.1.extend_from_slice(&bytes),
            Piece::End => read.2 = true,
        };
        for bytes in text.chunks(step) {
            answer.push(Bytes::copy_from_slice(bytes));
            while let Some(piece) = answer.next()? {
                take(piece);
            }
        }
        if let Some(piece) = answer.on_end()? {
            take(piece);
        }
        Ok(read)
    }

    fn text(head: &str, body: &str) -> Vec<u8> {
        format!("{}\r\n\r\n{body}", head.replace('\n', "\r\n")).into_bytes()
    }

    #[test]
    fn answers_are_read_however_they_arrive() {
        let whole = |status, body: &str| (status, body.as_bytes().to_vec(), true);
        for (text, is_to_head, expected) in [
            (
                text("HTTP/1.1 200 OK\nContent-Length: 3", "abc"),
                false,
                whole(200, "abc"),
            ),
            (
                text(
                    "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked",
                    "3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx: y\r\n\r\n",
                ),
                false,
                whole(200, "abcde"),
            ),
            (text("HTTP/1.0 200 OK", "abc"), false, whole(200, "abc")),
            (
                text("HTTP/1.1 200 OK\nContent-Length: 3", ""),
                true,
                whole(200, ""),
            ),
            (
                text("HTTP/1.1 304 Not Modified\nContent-Length: 3", ""),
                false,
                whole(304, ""),
            ),
            (text("HTTP/1.1 204 No Content", ""), false, whole(204, "")),
            (
                text(
                    "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early\nLink: x\n\nHTTP/1.1 404 No\nContent-Length: 0",
                    "",
                ),
                false,
                whole(404, ""),
            ),
            (
                text(
                    "HTTP/1.1 200 OK\nContent-Length: 1",
                    "aHTTP/1.1 200 smuggled",
                ),
                false,
                whole(200, "a"),
            ),
        ] {
            for step in [1, 2, 7, 10_000] {
                let read = read(&text, step, is_to_head);
                assert_eq!(
                    read,
                    Ok(expected.clone()),
                    "{}",
                    String::from_utf8_lossy(&text)
                );
            }
        }
    }

    #[test]
    fn half_answers_never_pass_for_whole_ones() {
        for (head, body) in [
            ("HTTP/1.1 200 OK\nContent-Length: 3", "ab"),
            (
                "HTTP/1.1 200 OK\nTransfer-Encoding: chunked",
                "3\r\nabc\r\n",
            ),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "3\r\nab"),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", "0\r\n"),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked", ""),
            ("HTTP/1.1 100 Continue", ""),
        ] {
            assert_eq!(
                read(&text(head, body), 5, false),
                Err(Unreadable),
                "{head} {body}"
            );
        }
    }

    #[test]
    fn sec_35_answers_that_can_be_read_in_two_ways_are_refused() {
        for head in [
            "HTTP/1.1 200 OK\nContent-Length: 3\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\nContent-Length: 3\nContent-Length: 3",
            "HTTP/1.1 200 OK\nContent-Length: 3, 3",
            "HTTP/1.1 200 OK\nContent-Length: +3",
            "HTTP/1.1 200 OK\nContent-Length: 0x3",
            "HTTP/1.1 200 OK\nContent-Length: 99999999999999999999",
            "HTTP/1.1 200 OK\nContent-Length:",
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked,",
            "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked",
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\nTransfer-Encoding: identity",
            "HTTP/1.0 200 OK\nTransfer-Encoding: chunked",
            "HTTP/1.1 200 OK\nA: b\n c",
            "HTTP/1.1 200 OK\nA : b",
            "HTTP/1.1 200 OK\nA b: c",
            "HTTP/1.1 200 OK\n: c",
            "HTTP/1.1 101 Switching Protocols\nUpgrade: h2c",
            "HTTP/2 200 OK",
            "HTTP/1.1 99 X",
            "ICY 200 OK",
        ] {
            assert!(read(&text(head, "abc"), 10_000, false).is_err(), "{head}");
        }
        for raw in [
            &b"HTTP/1.1 200 OK\nContent-Length: 0\n\n"[..],
            b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nA: b\nContent-Length: 0\r\n\r\n",
            b"\r\r\n\r\n",
        ] {
            assert!(read(raw, 10_000, false).is_err(), "{raw:?}");
        }
        let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked";
        let long = format!("3;{}\r\nabc\r\n0\r\n\r\n", "x".repeat(300));
        for body in [
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "-3\r\nabc\r\n0\r\n\r\n",
            "+3\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "\r\nabc\r\n0\r\n\r\n",
            "ffffffffffffffff\r\nabc",
            "3 x\r\nabc\r\n0\r\n\r\n",
            &long,
        ] {
            assert!(read(&text(chunked, body), 10_000, false).is_err(), "{body}");
        }
    }

    #[test]
    fn an_application_cannot_fill_memory() {
        let endless = format!("HTTP/1.1 200 OK\nA: {}", "x".repeat(HEAD_BYTES));
        assert!(read(&text(&endless, ""), 1_000, false).is_err());
        let many = "HTTP/1.1 100 Continue\n\n".repeat(INTERIMS + 1);
        let many = format!("{many}HTTP/1.1 200 OK\nContent-Length: 0");
        assert!(read(&text(&many, ""), 1_000, false).is_err());
        let fields = format!("HTTP/1.1 200 OK{}", "\nA: b".repeat(FIELDS + 1));
        assert!(read(&text(&fields, ""), 1_000, false).is_err());
        let trailers = "x: y\r\n".repeat(1_000);
        let trailers = text(
            "HTTP/1.1 200 OK\nTransfer-Encoding: chunked",
            &format!("0\r\n{trailers}\r\n"),
        );
        assert!(read(&trailers, 1_000, false).is_err());
    }

    #[test]
    fn requests_have_exactly_one_framing() {
        let text = |method, follows, length| {
            let fields = vec![("host".to_owned(), b"x".to_vec())];
            let body = Body { follows, length };
            String::from_utf8(request(method, "/a", &fields, body, Asked::default()).to_vec())
                .expect("ASCII")
        };
        assert_eq!(
            text("GET", false, None),
            "GET /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        );
        assert!(text("POST", false, None).contains("content-length: 0\r\n"));
        assert!(text("GET", true, Some(5)).contains("content-length: 5\r\n"));
        assert!(text("PUT", true, None).contains("transfer-encoding: chunked\r\n"));
    }
}
