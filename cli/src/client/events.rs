//! Server-sent events (WHATWG HTML §9.2), read bit by bit from an answer's body.

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::exit;
use crate::failure::Failure;

/// Longest event: the largest content that travels inline, in base64, with room to spare.
const EVENT_BYTES: usize = 32 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Where to go on after it.
    pub id: String,
    /// Kind.
    pub kind: String,
    /// Content, JSON.
    pub data: String,
}

/// Splits text into events.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    event: Event,
}

impl Parser {
    /// Takes bytes up to the end of an event; `Ok(None)` where it has not come yet.
    fn take(&mut self, bytes: &mut Bytes) -> Result<Option<Event>, Failure> {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            self.line.extend_from_slice(&bytes.split_to(end));
            bytes.split_to(1).clear();
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            if let Some(event) = self.on_line(line.trim_end_matches('\r')) {
                return Ok(Some(event));
            }
        }
        self.line.extend_from_slice(bytes);
        bytes.clear();
        if self.line.len() + self.event.data.len() > EVENT_BYTES {
            return Err(
                Failure::new(exit::GENERIC, "bad_answer", "An event is too long")
                    .because(format!("It is longer than {EVENT_BYTES} bytes.")),
            );
        }
        Ok(None)
    }

    fn on_line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let whole = !self.event.data.is_empty();
            let event = std::mem::take(&mut self.event);
            return whole.then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.event.id = value.to_owned(),
            "event" => self.event.kind = value.to_owned(),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

/// The events of one answer.
pub(crate) struct EventReader {
    body: Incoming,
    parser: Parser,
    rest: Bytes,
}

impl EventReader {
    /// Reads them from this body.
    pub(crate) fn new(body: Incoming) -> Self {
        Self {
            body,
            parser: Parser::default(),
            rest: Bytes::new(),
        }
    }

    /// The next event; `None` once the node ended the answer.
    ///
    /// # Errors
    /// The connection broke, or an event is too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.parser.take(&mut self.rest)? {
                return Ok(Some(event));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(e)) => {
                    return Err(Failure::new(
                        exit::NOT_RUNNING,
                        "broken_off",
                        "The node went away",
                    )
                    .because(e)
                    .fix("Check that it still runs: p2p status."));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, chunk: usize) -> Vec<Event> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for bytes in text.as_bytes().chunks(chunk) {
            let mut bytes = Bytes::copy_from_slice(bytes);
            while let Some(event) = parser.take(&mut bytes).unwrap() {
                events.push(event);
            }
        }
        events
    }

    #[test]
    fn events_are_found_wherever_chunks_end() {
        let text = ": hello\n\nid: 1-2\nevent: message\ndata: {\"a\":\ndata: 1}\n\n: beat\r\n\r\n\
                    id: 1-3\r\nevent: gap\r\ndata: {}\r\n\r\nid: 1-4\ndata: cut";
        let whole = parse(text, text.len());
        assert_eq!(whole.len(), 2);
        assert_eq!(whole[0].data, "{\"a\":\n1}");
        assert_eq!(
            (whole[1].id.as_str(), whole[1].kind.as_str()),
            ("1-3", "gap")
        );
        for chunk in 1..20 {
            assert_eq!(parse(text, chunk), whole, "chunks of {chunk}");
        }
    }
}
