//! What the engine tells the application (events) and asks of the driver (effects).

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::{
    EffectId, IntroducerState, Label, MessageId, OperationId, PathStatus, RequestId, StreamId,
};
use crate::error::PeerMisbehaved;
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
    /// The name is somebody else's now than it was before ([`Event::NameDiffers`]).
    NameChanged,
    /// Introducers give the name to different identities ([`Event::NameFound`], once for each).
    Ambiguous,
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
    /// The peer broke this rule of the protocol.
    Misbehaved(PeerMisbehaved),
    /// The peer says that this node broke the protocol, with a code ([`PeerMisbehaved::code`]).
    Accused(u64),
}

/// Why data now takes another path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum PathChangeReason {
    /// The connection has just come up.
    Established,
    /// A better path was validated both ways.
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
        /// What was found.
        entries: Vec<SearchEntry>,
        /// Asks for the next page; none: this was the last.
        cursor: Option<String>,
    },
    /// The introducers' budget for this node is used up.
    Throttled {
        /// When asking again helps, from now.
        retry_after: Duration,
    },
    /// No introducer answered.
    Unreachable,
}

/// Something the application may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Event {
    /// An introducer's state changed.
    Introducer {
        /// Which introducer.
        id: NodeId,
        /// Its state now.
        state: IntroducerState,
    },
    /// A search ended.
    SearchDone {
        /// The search, as it was answered to the command.
        operation: OperationId,
        /// What came of it.
        outcome: SearchOutcome,
    },
    /// A peer is connected and data flows. `operation` is set where this node asked for it.
    Connected {
        /// The attempt that led to it.
        operation: Option<OperationId>,
        /// The peer.
        peer: NodeId,
        /// Name under which the peer is known.
        name: Option<String>,
        /// The path that data takes.
        path: PathStatus,
    },
    /// An introducer that this node asked for a name says whose it is. Nothing was sent there yet.
    NameFound {
        /// The name, as it was asked for.
        name: String,
        /// The introducer.
        introducer: NodeId,
        /// Whose it is.
        peer: NodeId,
    },
    /// An introducer gives a name to another identity than before: it is refused, nothing was sent there.
    NameDiffers {
        /// The name, as it was asked for.
        name: String,
        /// The introducer.
        introducer: NodeId,
        /// Whose it was.
        known: NodeId,
        /// Whose it is now, as this introducer says.
        offered: NodeId,
    },
    /// A connection attempt failed.
    ConnectFailed {
        /// The attempt.
        operation: OperationId,
        /// The peer, where it was known by then.
        peer: Option<NodeId>,
        /// Why.
        reason: ConnectFailure,
    },
    /// Data takes another path from now on.
    PathChanged {
        /// The peer.
        peer: NodeId,
        /// The path that data takes.
        path: PathStatus,
        /// Why it does.
        reason: PathChangeReason,
    },
    /// A connection ended.
    Disconnected {
        /// The peer.
        peer: NodeId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A datagram arrived.
    DatagramReceived {
        /// The peer.
        peer: NodeId,
        /// What the application tells its data apart by.
        label: Label,
        /// The bytes.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
    },
    /// The peer replaced the value of a key; never an older value after a newer one of the same key.
    LatestReceived {
        /// The peer.
        peer: NodeId,
        /// What the value belongs to.
        key: String,
        /// The value.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
    },
    /// A request arrived; answer with `Command::Answer`.
    RequestReceived {
        /// The peer.
        peer: NodeId,
        /// Number to answer it by.
        request: RequestId,
        /// Name of the service that is asked.
        service: String,
        /// How many times it may be handed on to a third node.
        budget: u8,
        /// What is asked.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        body: Bytes,
    },
    /// A request of ours ended.
    RequestDone {
        /// The peer.
        peer: NodeId,
        /// The request.
        request: RequestId,
        /// How it ended.
        outcome: RequestOutcome,
    },
    /// A whole message is there; fetch it with [`super::Engine::take_message`]. Until then it counts against the
    /// peer's credit, and its sender is told nothing.
    MessageReady {
        /// The peer.
        peer: NodeId,
        /// Number to take it by.
        message: MessageId,
        /// What the application tells its data apart by.
        label: Label,
        /// Its size in bytes.
        len: usize,
    },
    /// The application at the peer has taken the message, and keeps it where it says that it keeps messages.
    MessageDelivered {
        /// The peer.
        peer: NodeId,
        /// The message.
        message: MessageId,
    },
    /// A message of ours will not arrive, or nobody can say whether it did.
    MessageFailed {
        /// The peer.
        peer: NodeId,
        /// The message.
        message: MessageId,
        /// Why.
        reason: MessageFailure,
    },
    /// The peer opened a stream.
    StreamOpened {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
        /// What the application tells its data apart by.
        label: Label,
    },
    /// A stranger wants to connect, and is refused until the owner accepts it ([`super::Strangers::Ask`]).
    Knocked {
        /// Who.
        peer: NodeId,
        /// What the introducer says that it is called.
        name: Option<String>,
        /// The introducer that it asked.
        introducer: NodeId,
    },
    /// A stream has bytes, or its end, to read; not repeated until a read came up short.
    StreamReadable {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
    },
    /// A stream that took fewer bytes than offered takes some again.
    StreamWritable {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
    },
    /// The application at the peer has read everything that was written, and the end.
    /// Until it is told, [`Event::StreamStopped`] or the end of the connection may tell that it did not.
    StreamFinished {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
    },
    /// The peer abandoned its sending half.
    StreamReset {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
        /// The reason, in the applications' own numbers.
        code: u64,
    },
    /// The peer wants no more bytes on this stream.
    StreamStopped {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
        /// The reason, in the applications' own numbers.
        code: u64,
    },
    /// A `Command::Ping` came back; `None` where it was lost.
    Pong {
        /// The peer.
        peer: NodeId,
        /// The round-trip time measured.
        rtt: Option<Duration>,
        /// The path that data takes.
        path: PathStatus,
    },
}

/// Something only the driver can do. It answers each with [`super::Command::Answered`]; where no answer comes in a few
/// seconds, the engine goes on as if it had failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Effect {
    /// Number to answer it by, never used twice by one node.
    pub id: EffectId,
    /// What to do.
    pub kind: EffectKind,
}

/// What the driver is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum EffectKind {
    /// Look the name of an introducer up; [`EffectResult::Resolved`] answers it.
    Resolve {
        /// The introducer.
        introducer: NodeId,
        /// The name.
        host: String,
        /// The port that its addresses get.
        port: u16,
    },
    /// Keep a peer's verified key record, so that a later connect needs no introducer to vouch;
    /// [`EffectResult::Persisted`] answers it.
    PersistRecord {
        /// Whose it is.
        peer: NodeId,
        /// The record as it was signed.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        record: Vec<u8>,
        /// Name under which the peer was found.
        name: Option<String>,
    },
}

/// What came of an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum EffectResult {
    /// What the name stands for, in the order in which to try it; empty where it has no address.
    Resolved(Vec<SocketAddr>),
    /// The record is kept.
    Persisted,
    /// It could not be done; the driver's log says why.
    Failed,
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
