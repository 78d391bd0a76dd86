//! Writes one response: tiny_http's own writing would hold chunks back until its buffer is full.

use std::io::{self, Write};

use bytes::Bytes;

/// What stands where the length of a chunk should.
const BROKEN_OFF: &[u8] = b"!broken off\r\n";

/// Status line and fields.
fn start(status: u16, headers: &[(String, String)]) -> String {
    let reason = tiny_http::StatusCode(status);
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason.default_reason_phrase());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// A response on its way to a client.
pub(crate) struct Writer {
    /// A head that leaves with its whole body: two writes would wait for each other's acknowledgement.
    head: Vec<u8>,
    out: Box<dyn Write + Send>,
    /// HTTP/1.0 knows no chunks; there the end of the connection is the end of the body.
    chunked: bool,
}

impl Writer {
    pub(crate) fn new(out: Box<dyn Write + Send>, chunked: bool) -> Self {
        let head = Vec::new();
        Self { head, out, chunked }
    }

    /// Writes the head; `length` is the body's, `None` for a body in chunks. With a length it leaves with `full`.
    pub(crate) fn head(
        &mut self,
        status: u16,
        headers: &[(String, String)],
        length: Option<usize>,
    ) -> io::Result<()> {
        let mut head = start(status, headers);
        match length {
            // RFC 9110 §8.6: no length with 204 and 304.
            Some(_) if status == 204 || status == 304 => {}
            Some(length) => head.push_str(&format!("content-length: {length}\r\n")),
            None if self.chunked => head.push_str("transfer-encoding: chunked\r\n"),
            None => head.push_str("connection: close\r\n"),
        }
        head.push_str("\r\n");
        if length.is_some() {
            self.head = head.into_bytes();
            return Ok(());
        }
        self.out.write_all(head.as_bytes())?;
        self.out.flush()
    }

    /// Writes a head that no body follows; `length` is what a body would have.
    pub(crate) fn bare(
        &mut self,
        status: u16,
        headers: &[(String, String)],
        length: Option<u64>,
    ) -> io::Result<()> {
        let mut head = start(status, headers);
        if let Some(length) = length.filter(|_| status != 204) {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        head.push_str("\r\n");
        self.out.write_all(head.as_bytes())?;
        self.out.flush()
    }

    /// Writes an interim response (RFC 9110 §15.2), which every client must accept at any time before the response.
    pub(crate) fn interim(&mut self) -> io::Result<()> {
        self.out.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        self.out.flush()
    }

    /// Writes a whole body.
    pub(crate) fn full(&mut self, body: &[u8]) -> io::Result<()> {
        let mut answer = core::mem::take(&mut self.head);
        answer.extend_from_slice(body);
        self.out.write_all(&answer)?;
        self.out.flush()
    }

    /// Writes a chunk and sends it off.
    pub(crate) fn chunk(&mut self, chunk: &Bytes) -> io::Result<()> {
        if self.chunked {
            write!(self.out, "{:x}\r\n", chunk.len())?;
        }
        self.out.write_all(chunk)?;
        if self.chunked {
            self.out.write_all(b"\r\n")?;
        }
        self.out.flush()
    }

    /// Ends a body in chunks.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        if self.chunked {
            self.out.write_all(b"0\r\n\r\n")?;
        }
        self.out.flush()
    }

    /// Breaks a body in chunks off: tiny_http closes no connection on request, but a chunk whose length is no number
    /// makes every client give up. Its first byte is no hexadecimal digit: curl takes all digits before anything else.
    pub(crate) fn abort(&mut self) -> io::Result<()> {
        if self.chunked {
            self.out.write_all(BROKEN_OFF)?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_a_body_off_begins_with_no_digit_of_a_length() {
        let first = BROKEN_OFF.first().copied().map(char::from);
        assert!(first.is_some_and(|c| !c.is_ascii_hexdigit() && !c.is_whitespace()));
    }
}
