//! What a handler answers: all at once, later, or bit by bit. Every response gets the same protective header fields.

use bytes::Bytes;
use p2p_core::api::{Label, OperationId, RequestId, StreamId};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use serde::Serialize;

use crate::inbox::Filter;
use crate::journal::{Interest, Position};
use crate::problem::Problem;
use crate::proxy::Calling;
use crate::sockets::SocketId;

/// The policy of every response: nothing inline, nothing from elsewhere, no frame, no form that leaves.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; \
     img-src 'self' data:; connect-src 'self'; object-src 'none'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'none'";

/// Header fields of every response.
pub(crate) const PROTECTION: &[(&str, &str)] = &[
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    ),
];

/// A complete response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// Status.
    pub status: u16,
    /// Header fields besides the protective ones.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Bytes,
}

impl Full {
    /// A JSON document.
    pub(crate) fn json(status: u16, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.into(),
        }
    }

    /// Bytes of a content type.
    pub(crate) fn bytes(status: u16, content_type: &str, body: Bytes) -> Self {
        Self {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body,
        }
    }

    /// No content.
    pub(crate) const fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// Adds a header field.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl From<Problem> for Full {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_vec(&problem.body()).unwrap_or_default();
        let mut headers = problem.all_headers();
        headers.push(("content-type", "application/problem+json".to_owned()));
        // Answers of peers' services cannot carry it: so their own errors and the node's are told apart.
        headers.push(("x-p2p-problem", problem.code.row().text.to_owned()));
        Self {
            status: problem.status(),
            headers,
            body: body.into(),
        }
    }
}

/// What a parked request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum WaitFor {
    /// The end of a connection attempt.
    Connect(OperationId),
    /// The end of a search.
    Search(OperationId),
    /// The next pong of a peer.
    Pong(NodeId),
    /// The peer's answer.
    Answer(NodeId, RequestId),
    /// The end of a message, by its number here.
    Message(u64),
    /// What was ordered is on disk, by the number of the order.
    Kept(u64),
    /// A port that the system is to give.
    Listening(SocketId),
    /// The answer of a peer whose invitation is followed.
    Join(NodeId),
    /// An offer of files; whether anybody may make one.
    Offer(bool),
    /// Something in the inbox.
    Inbox {
        /// After this number.
        since: u64,
        /// Of this sort.
        filter: Filter,
        /// At most so many.
        limit: usize,
    },
}

/// A parked request.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// What for.
    pub what: WaitFor,
    /// Until when at most.
    pub until: Instant,
}

/// Which sides of the stream an exchange uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sides {
    /// Both.
    Both,
    /// What the peer sends.
    Read,
    /// What we send.
    Write,
}

/// What ends the response on a stream, and what the end of a reading means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Close {
    /// The response ends with the peer's direction, whatever becomes of ours.
    pub with_peer: bool,
    /// The end counts as taken only when the client says so in a request of its own.
    pub confirmed: bool,
}

/// What a handler answers.
pub(crate) enum Reply {
    /// All at once.
    Full(Full),
    /// Later.
    Wait(Wait),
    /// Server-sent events.
    Follow {
        /// From here on.
        position: Position,
        /// Which of them.
        interest: Interest,
    },
    /// Bytes of a stream.
    Stream {
        /// With whom.
        peer: NodeId,
        /// Which stream.
        stream: StreamId,
        /// Which directions of it.
        sides: Sides,
        /// What ends it.
        close: Close,
    },
    /// A WebSocket whose messages are datagrams.
    Line {
        /// With whom.
        peer: NodeId,
        /// What they are for.
        label: Label,
        /// Value of `Sec-WebSocket-Accept`.
        accept: String,
    },
    /// What a peer's HTTP service answers.
    Call {
        /// With whom.
        peer: NodeId,
        /// Over which stream.
        stream: StreamId,
        /// The exchange.
        calling: Box<Calling>,
        /// What the peer is to see first.
        first: Bytes,
    },
}

impl From<Full> for Reply {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}
