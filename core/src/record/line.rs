//! The lines of a recording.

use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::api::{Command, EcnCodepoint, LinkId, MessageId, NodeConfig, StreamId};
use crate::id::NodeId;
use crate::time::Instant;

/// Version of the format; another one is refused.
pub(super) const FORMAT: u32 = 5;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<'a> {
    /// The first line: how the engine was made, by which version of this crate.
    Start {
        format: u32,
        version: Cow<'a, str>,
        at: Instant,
        config: Box<NodeConfig>,
    },
    /// One call that may change the engine.
    Input { at: Instant, input: Input<'a> },
    /// All output up to here, so that a replay tells where it went astray.
    Check(Mark),
    /// The last line where the limit was reached; the engine went on without being recorded.
    Full(Mark),
    /// The last line where the recorder was dropped.
    End(Mark),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) inputs: u64,
    pub(super) hash: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Input<'a> {
    Batch {
        link: LinkId,
        from: SocketAddr,
        to: Option<IpAddr>,
        ecn: Option<EcnCodepoint>,
        segment_size: u64,
        #[serde(with = "crate::id::as_text")]
        bytes: Cow<'a, [u8]>,
    },
    SendError {
        to: SocketAddr,
        from: Option<IpAddr>,
    },
    Timeout,
    Command(Box<Command>),
    ReadStream {
        peer: NodeId,
        stream: StreamId,
        max_bytes: u64,
    },
    ReadMessage {
        peer: NodeId,
        message: MessageId,
    },
    TakeMessage {
        peer: NodeId,
        message: MessageId,
    },
    /// The buffer's size bounds the batch.
    PollTransmit {
        buffer_bytes: u64,
    },
    /// Polls that gave something; one that gives nothing changes nothing.
    PollEvent,
    PollEffect,
}
