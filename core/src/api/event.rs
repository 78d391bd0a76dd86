//! What the engine tells the application (events) and asks of the driver (effects).

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::{ChannelId, IntroducerState, MessageId, OperationId, PathStatus, RequestId, StreamId};
use crate::id::NodeId;

/// What a peer answered to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Answer {
    /// One of [`super::answer_status`]: 0 for success, to 15 what the node says itself, from 16 the service's own.
    pub status: u16,
    /// At most [`crate::limits::REQUEST_BODY_BYTES`] bytes.
    #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
    pub body: Bytes,
}

/// How a request ended. Exactly one comes for each request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum RequestOutcome {
    /// The peer answered.
    Answered(Answer),
    /// No answer came before the deadline; the request may or may not have been executed.
    TimedOut,
    /// The application cancelled.
    Cancelled,
    /// The connection ended first.
    Disconnected,
}

/// Why a message was not delivered whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum MessageFailure {
    /// Its deadline passed.
    TimedOut,
    /// The receiver gave it up (it stayed incomplete too long).
    Abandoned,
    /// The connection ended first; it may or may not have arrived.
    Disconnected,
}

/// Why a connection attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum ConnectFailure {
    /// No introducer is reachable now.
    IntroducerUnreachable,
    /// The introducers asked do not know the peer: it is offline or never registered there.
    UnknownPeer,
    /// The peer, or the introducer, refused.
    Refused,
    /// The peer did not answer in time.
    TimedOut,
    /// The key record shown does not belong to the id, or differs from the one that is pinned.
    KeyMismatch,
    /// A limit at the introducer was hit; try again later.
    Throttled,
    /// The application ended the attempt.
    Cancelled,
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum DisconnectReason {
    /// This node's application asked for it.
    Local,
    /// The peer said goodbye.
    Remote,
    /// Nothing was heard on any path for too long.
    TimedOut,
    /// The peer lost its state (it restarted).
    PeerRestarted,
    /// The peer broke the protocol.
    Misbehaved(&'static str),
}

/// Why data now takes another path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum PathChangeReason {
    /// The connection has just come up.
    Established,
    /// A better path was proven both ways.
    Upgraded,
    /// The path used before stopped answering.
    Failed,
    /// The peer's address changed (it roamed, or its NAT forgot).
    Roamed,
}

/// One name found by a search.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SearchEntry {
    /// The registered name.
    pub name: String,
    /// Whose it is.
    pub id: NodeId,
    /// The introducer that said so.
    pub introducer: NodeId,
}

/// How a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum SearchOutcome {
    /// Entries found; `cursor` asks for the next page.
    Found {
        entries: Vec<SearchEntry>,
        cursor: Option<String>,
    },
    /// The introducers' budget for this node is used up.
    Throttled { retry_after: Duration },
    /// No introducer answered.
    Unreachable,
}

/// Something the application may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Event {
    /// An introducer's state changed.
    Introducer { id: NodeId, state: IntroducerState },
    /// A search ended.
    SearchDone {
        operation: OperationId,
        outcome: SearchOutcome,
    },
    /// A peer is connected and data flows. `operation` is set where this node asked for it.
    Connected {
        operation: Option<OperationId>,
        peer: NodeId,
        name: Option<String>,
        path: PathStatus,
    },
    /// A connection attempt failed.
    ConnectFailed {
        operation: OperationId,
        peer: Option<NodeId>,
        reason: ConnectFailure,
    },
    /// Data takes another path from now on.
    PathChanged {
        peer: NodeId,
        path: PathStatus,
        reason: PathChangeReason,
    },
    /// A connection ended.
    Disconnected {
        peer: NodeId,
        reason: DisconnectReason,
    },
    /// A datagram arrived.
    DatagramReceived {
        peer: NodeId,
        channel: ChannelId,
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
    },
    /// The peer replaced the value of a key; never an older value after a newer one of the same key.
    LatestReceived {
        peer: NodeId,
        key: String,
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
    },
    /// A request arrived; answer with `Command::Answer`.
    RequestReceived {
        peer: NodeId,
        request: RequestId,
        service: String,
        /// How many times it may be handed on to a third node.
        budget: u8,
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        body: Bytes,
    },
    /// A request of ours ended.
    RequestDone {
        peer: NodeId,
        request: RequestId,
        outcome: RequestOutcome,
    },
    /// A whole message is there; fetch it with [`crate::Node::take_message`]. Until then it counts against the
    /// peer's credit.
    MessageReady {
        peer: NodeId,
        message: MessageId,
        channel: ChannelId,
        len: usize,
    },
    /// The peer's engine holds the whole message.
    MessageDelivered { peer: NodeId, message: MessageId },
    /// A message of ours will not arrive, or nobody can say whether it did.
    MessageFailed {
        peer: NodeId,
        message: MessageId,
        reason: MessageFailure,
    },
    /// The peer opened a stream.
    StreamOpened {
        peer: NodeId,
        stream: StreamId,
        channel: ChannelId,
    },
    /// A stream has bytes, or its end, to read; not repeated until a read came up short.
    StreamReadable { peer: NodeId, stream: StreamId },
    /// A stream that took fewer bytes than offered takes some again.
    StreamWritable { peer: NodeId, stream: StreamId },
    /// The peer acknowledged everything that was written, and the end.
    StreamFinished { peer: NodeId, stream: StreamId },
    /// The peer abandoned its sending half.
    StreamReset {
        peer: NodeId,
        stream: StreamId,
        code: u64,
    },
    /// The peer wants no more bytes on this stream.
    StreamStopped {
        peer: NodeId,
        stream: StreamId,
        code: u64,
    },
    /// A `Command::Ping` came back; `None` where it was lost.
    Pong {
        peer: NodeId,
        rtt: Option<Duration>,
        path: PathStatus,
    },
}

/// Something only the driver can do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Effect {
    /// Resolve a name and answer with `Command::IntroducerResolved`.
    Resolve { id: NodeId, host: String, port: u16 },
    /// Keep a peer's verified key record, so that a later connect needs no introducer to vouch.
    PersistRecord {
        id: NodeId,
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        record: Vec<u8>,
        name: Option<String>,
        address: Option<SocketAddr>,
    },
}

/// What a read of a stream yields.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum StreamRead {
    /// The next bytes in order, never empty.
    Data(#[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))] Bytes),
    /// Nothing now; `Event::StreamReadable` will follow.
    Pending,
    /// The peer finished; everything has been read.
    Finished,
    /// The peer abandoned its sending half.
    Reset(u64),
}
