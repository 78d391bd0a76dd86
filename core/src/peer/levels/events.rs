//! News of messages and streams in the words of the application.

use super::unclaimed::Epoch;
use crate::api::{Event, MessageId, StreamId};
use crate::id::NodeId;
use crate::level::Violation;
use crate::level::message::MessageEvent;
use crate::level::names::Names;
use crate::level::stream::StreamEvent;

/// What happened to a stream; its name was looked up when its frame came.
pub(super) fn stream_event(
    peer: NodeId,
    epoch: Epoch,
    names: &Names,
    event: StreamEvent,
) -> Result<Event, Violation> {
    let outer = |id: StreamId| epoch.outer_stream(id);
    Ok(match event {
        StreamEvent::Opened { id, tag } => Event::StreamOpened {
            peer,
            stream: outer(id),
            label: names.label(tag)?,
        },
        StreamEvent::Readable(id) => Event::StreamReadable {
            peer,
            stream: outer(id),
        },
        StreamEvent::Writable(id) => Event::StreamWritable {
            peer,
            stream: outer(id),
        },
        StreamEvent::Finished(id) => Event::StreamFinished {
            peer,
            stream: outer(id),
        },
        StreamEvent::Reset { id, code } => Event::StreamReset {
            peer,
            stream: outer(id),
            code,
        },
        StreamEvent::Stopped { id, code } => Event::StreamStopped {
            peer,
            stream: outer(id),
            code,
        },
    })
}

/// What happened to a message; its name was looked up when its frame came.
pub(super) fn message_event(
    peer: NodeId,
    epoch: Epoch,
    names: &Names,
    event: MessageEvent,
) -> Result<Event, Violation> {
    let outer = |id: MessageId| epoch.outer_message(id);
    Ok(match event {
        MessageEvent::Ready { id, tag, len_bytes } => Event::MessageReady {
            peer,
            message: outer(id),
            label: names.label(tag)?,
            len: len_bytes,
        },
        MessageEvent::Delivered(id) => Event::MessageDelivered {
            peer,
            message: outer(id),
        },
        MessageEvent::Failed { id, reason } => Event::MessageFailed {
            peer,
            message: outer(id),
            reason,
        },
    })
}
