//! One HTTP exchange as the driver and the surface speak of it: a request head, body chunks, response parts.
//! The driver owns the socket and the HTTP framing; nothing here parses HTTP.

use bytes::Bytes;

/// One HTTP request; the driver chooses the number and never uses it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpId(pub u64);

/// A request head as the driver parsed it.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method, as received.
    pub method: String,
    /// Request target in origin form, as received: `/v1/peers?limit=2`.
    pub target: String,
    /// Header fields in order, repeated ones included; names in any case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether the connection comes from a loopback address.
    pub peer_is_loopback: bool,
    /// Whether the driver can go on with the connection after a change of protocol ([`BodyKind::Upgraded`]).
    pub can_upgrade: bool,
}

impl Request {
    /// The only value of a header field, trimmed; `None` where it is absent, repeated or not ASCII text.
    #[must_use]
    pub fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.header_values(name);
        match (values.next(), values.next()) {
            (Some(value), None) => core::str::from_utf8(value)
                .ok()
                .filter(|v| v.bytes().all(|b| b == b'\t' || (b' '..=b'~').contains(&b)))
                .map(str::trim),
            _ => None,
        }
    }

    /// All values of a header field.
    pub fn header_values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_slice())
    }

    /// Whether the client wants to go on with the WebSocket protocol on this connection (RFC 6455 §4.1). Other
    /// protocols that it offers are passed over, as RFC 9110 §7.8 allows.
    #[must_use]
    pub fn wants_websocket(&self) -> bool {
        let lists = |name, word: &str| {
            let mut words = self
                .header_values(name)
                .flat_map(|v| v.split(|b| *b == b','));
            words.any(|w| w.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        };
        self.method == "GET" && lists("connection", "upgrade") && lists("upgrade", "websocket")
    }

    /// Whether a header field is there at all.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.header_values(name).next().is_some()
    }
}

/// How the body of a response comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// All of it is here; no `Chunk` or `End` follows. The driver sets `Content-Length`.
    Full(Bytes),
    /// In `Chunk`s until `End` or `Abort`. The driver uses chunked coding and flushes each chunk.
    Streaming,
    /// The same, and so many bytes in all, which the driver tells where it can.
    Sized(u64),
    /// The connection speaks another protocol from now on, where `can_upgrade` said so: what the client sends comes as
    /// its body, what it is sent as `Chunk`s until `End`, which ends that half, or `Abort`.
    Upgraded,
    /// There is none, and nothing follows; the length is told where it is known (answers to HEAD).
    Absent(Option<u64>),
}

/// The next part of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponsePart {
    /// Status and header fields; once per request.
    Head {
        /// Status code.
        status: u16,
        /// Header fields, names in lower case. Framing fields are the driver's.
        headers: Vec<(String, String)>,
        /// How the body comes.
        body: BodyKind,
    },
    /// Body bytes, never empty; the driver reports them as consumed once they are written.
    Chunk(Bytes),
    /// The body is complete.
    End,
    /// The body cannot be completed: close the connection, so that the client notices.
    Abort,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(method: &str, headers: &[(&str, &str)]) -> bool {
        let headers = headers.iter();
        Request {
            method: method.to_owned(),
            target: "/".to_owned(),
            headers: headers
                .map(|(n, v)| ((*n).to_owned(), (*v).into()))
                .collect(),
            peer_is_loopback: true,
            can_upgrade: true,
        }
        .wants_websocket()
    }

    #[test]
    fn a_websocket_is_wanted_in_two_fields() {
        let (connection, upgrade) = (
            ("Connection", "keep-alive, Upgrade"),
            ("Upgrade", "WebSocket"),
        );
        assert!(wants("GET", &[connection, upgrade]));
        assert!(wants("GET", &[connection, ("upgrade", "h2c, websocket")]));
        assert!(!wants("POST", &[connection, upgrade]));
        assert!(!wants("GET", &[upgrade]), "it is of one connection");
        assert!(!wants("GET", &[connection, ("upgrade", "h2c")]));
        assert!(!wants("GET", &[connection, ("upgrade", "websockets")]));
    }
}
