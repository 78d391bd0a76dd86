//! What the application may ask of the engine.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;

use super::{
    Answer, EffectId, EffectResult, HostAddresses, IntroducerAddress, Label, Link, LinkId,
    MessageId, OperationId, RequestId, StreamId,
};
use crate::id::NodeId;

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ConnectTarget {
    /// A node by its identity.
    Id(NodeId),
    /// A node by its identity at an address, without an introducer. It answers where it is an introducer, takes
    /// strangers, or knows this node (protocol §3.9).
    Address {
        /// Its identity.
        id: NodeId,
        /// Where it is expected; UDP.
        address: SocketAddr,
    },
    /// A node by the name that it registered. Where several introducers are asked, they must give one identity.
    Name(String),
    /// A node by the name that it registered, which was this identity's before: any other is refused.
    BoundName {
        /// The name.
        name: String,
        /// Whose it was.
        id: NodeId,
    },
}

/// One order to the engine. The answer is [`Accepted`], or [`super::ApiMisuse`] with nothing changed.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Command {
    /// Replaces the list of this machine's interface addresses (with the UDP port); probes known peers again
    /// if it differs.
    SetLocalAddresses(HostAddresses),
    /// A link is there, or works again; all paths are probed again if that is news. At most
    /// [`crate::limits::LINKS`] are known.
    LinkUp(Link),
    /// A link sends nothing any more (its interface or address is gone): its paths count as failed at once, and no
    /// datagram leaves by it until it is up.
    LinkDown(LinkId),
    /// Registers with one more introducer.
    AddIntroducer(IntroducerAddress),
    /// Leaves an introducer.
    RemoveIntroducer(NodeId),
    /// Answers an effect, once; a number that is not waited for (any more) is refused.
    Answered {
        /// The effect's number.
        id: EffectId,
        /// What came of it.
        result: EffectResult,
    },
    /// Asks introducers for registered names that start with `query` (3 characters at least).
    /// Yields `Accepted::Operation`; ends with one `Event::SearchDone`.
    Search {
        /// What the names start with.
        query: String,
        /// The only one to ask; otherwise all are.
        introducer: Option<NodeId>,
        /// Where the page before ended, as [`super::SearchOutcome::Found`] told.
        cursor: Option<String>,
    },
    /// Connects; yields `Accepted::Operation`; ends with one `Event::Connected` or `Event::ConnectFailed` that
    /// carries the operation. A peer that is connected already answers at once.
    Connect {
        /// Whom to.
        target: ConnectTarget,
        /// The only one to ask for an introduction; otherwise all are.
        introducer: Option<NodeId>,
        /// When the attempt fails at the latest, from now.
        timeout: Duration,
    },
    /// Ends the connection with a peer; everything unfinished on it fails.
    Disconnect(NodeId),
    /// This peer is no stranger: it may connect, and may know where this node is.
    Accept(NodeId),
    /// The owner wants nothing of this peer any more: its connection ends, and what it calls or asks for is refused as
    /// a stranger is where strangers are refused. At most [`crate::limits::BLOCKED`] are.
    Block(NodeId),
    /// The peer is a stranger like others again.
    Unblock(NodeId),
    /// Level 0: at most once, any order, oldest dropped when the queue is full.
    SendDatagram {
        /// The peer.
        peer: NodeId,
        /// What the application tells its data apart by.
        label: Label,
        /// At most [`crate::limits::DATAGRAM_BODY_BYTES`] bytes.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
        /// How long it may wait to be sent.
        expiry: Option<Duration>,
    },
    /// Level "latest": replaces the value of a key with the peer. A value that is superseded before it arrived is
    /// not sent again; the newest is, until it arrives or the connection ends.
    SetLatest {
        /// The peer.
        peer: NodeId,
        /// What the value belongs to.
        key: String,
        /// The value.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
    },
    /// Level 1: yields `Accepted::Request`; ends with one `Event::RequestDone`.
    SendRequest {
        /// The peer.
        peer: NodeId,
        /// Name of the peer's service.
        service: String,
        /// How many times the peer may hand the request on to a third node, 0 to [`crate::limits::FORWARD_BUDGET`].
        budget: u8,
        /// At most [`crate::limits::REQUEST_BODY_BYTES`] bytes.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        body: Bytes,
        /// How long to wait for the answer.
        deadline: Duration,
    },
    /// Gives up waiting for an answer; `Event::RequestDone` with `Cancelled` follows.
    CancelRequest {
        /// Who was asked.
        peer: NodeId,
        /// The request.
        request: RequestId,
    },
    /// Answers a request that came in with `Event::RequestReceived`; a second answer is refused.
    Answer {
        /// Who asked.
        peer: NodeId,
        /// The request.
        request: RequestId,
        /// What to answer.
        answer: Answer,
    },
    /// Level 2: yields `Accepted::Message`; ends with one `Event::MessageDelivered` or `MessageFailed`.
    SendMessage {
        /// The peer.
        peer: NodeId,
        /// What the application tells its data apart by.
        label: Label,
        /// At most [`crate::limits::MESSAGE_BYTES`] bytes.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
        /// After how long both sides drop it if it has not arrived.
        deadline: Option<Duration>,
    },
    /// Level 3: yields `Accepted::Stream`.
    OpenStream {
        /// The peer.
        peer: NodeId,
        /// What the application tells its data apart by.
        label: Label,
    },
    /// Appends bytes; yields `Accepted::Written` with how many were taken. Fewer than given means: wait for
    /// `Event::StreamWritable`.
    WriteStream {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
        /// The bytes.
        #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
        data: Bytes,
    },
    /// Ends the sending half after everything written.
    FinishStream {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
    },
    /// Abandons the sending half.
    ResetStream {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
        /// The reason, in the applications' own numbers.
        code: u64,
    },
    /// Asks the peer to stop sending; what has arrived is thrown away.
    StopStream {
        /// The peer.
        peer: NodeId,
        /// The stream.
        stream: StreamId,
        /// The reason, in the applications' own numbers.
        code: u64,
    },
    /// Measures one round trip on the current path; ends with one `Event::Pong`.
    Ping(NodeId),
    /// The driver noticed a change of network: probe everything again now.
    NetworkChanged,
    /// Says goodbye to peers and introducers; the node sends nothing afterwards.
    Shutdown,
}

/// What came of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Accepted {
    /// Carried out.
    Done,
    /// A long action runs; an event with this number ends it.
    Operation(OperationId),
    /// A request is on its way.
    Request(RequestId),
    /// A message is on its way.
    Message(MessageId),
    /// A stream is open.
    Stream(StreamId),
    /// So many bytes were taken.
    Written(usize),
}
