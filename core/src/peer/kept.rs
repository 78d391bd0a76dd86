//! What had arrived whole when an association ended, kept until the application takes it: its sender was told that
//! it arrived. Identifiers carry the association's epoch, so that those of the next one cannot be mistaken for them.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::api::{MessageId, StreamId, StreamRead};
use crate::level::message::Messages;
use crate::level::stream::Streams;
use crate::limits;

/// Bits of an identifier below the epoch: more than one association can use up.
const EPOCH_SHIFT: u32 = 40;

/// Bytes reckoned for an entry beside its content, so that empty ones are bounded too.
const ENTRY_BYTES: usize = 1_024;

/// Counts the associations with one peer in this run.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

impl Epoch {
    /// Identifiers of one association are below this.
    pub(crate) const IDS: u64 = 1 << EPOCH_SHIFT;

    /// The next association begins.
    pub(crate) fn advance(&mut self) {
        self.0 += 1;
    }

    /// A level's identifier as the application sees it.
    pub(crate) fn outer_stream(self, inner: StreamId) -> StreamId {
        StreamId(self.0 << EPOCH_SHIFT | inner.0)
    }

    /// A level's identifier as the application sees it.
    pub(crate) fn outer_message(self, inner: MessageId) -> MessageId {
        MessageId(self.0 << EPOCH_SHIFT | inner.0)
    }

    /// The application's identifier as the level sees it; `None` where it is of another association.
    pub(crate) fn inner_stream(self, outer: StreamId) -> Option<StreamId> {
        self.inner(outer.0).map(StreamId)
    }

    /// The application's identifier as the level sees it; `None` where it is of another association.
    pub(crate) fn inner_message(self, outer: MessageId) -> Option<MessageId> {
        self.inner(outer.0).map(MessageId)
    }

    fn inner(self, outer: u64) -> Option<u64> {
        (outer >> EPOCH_SHIFT == self.0).then_some(outer & ((1 << EPOCH_SHIFT) - 1))
    }
}

/// A stream that can still be read.
struct KeptStream {
    chunks: VecDeque<Bytes>,
    is_whole: bool,
}

/// Messages and stream bytes of associations that ended.
#[derive(Default)]
pub(crate) struct Kept {
    messages: BTreeMap<MessageId, Bytes>,
    streams: BTreeMap<StreamId, KeptStream>,
    bytes: usize,
}

impl Kept {
    /// Takes over whatever can still be read; beyond the credit of one association nothing is kept.
    pub(crate) fn keep(&mut self, epoch: Epoch, messages: &mut Messages, streams: &mut Streams) {
        let most = limits::MESSAGE_BYTES + limits::STREAMS_WINDOW_BYTES as usize;
        for id in messages.ready() {
            let Some(data) = messages.take(id) else {
                continue;
            };
            if self.bytes + data.len() + ENTRY_BYTES <= most {
                self.bytes += data.len() + ENTRY_BYTES;
                self.messages.insert(epoch.outer_message(id), data);
            }
        }
        for id in streams.readable() {
            if self.bytes + ENTRY_BYTES > most {
                break;
            }
            let (mut chunks, mut is_whole) = (VecDeque::new(), false);
            loop {
                match streams.read(id, usize::MAX) {
                    Ok(StreamRead::Data(data)) if self.bytes + data.len() <= most => {
                        self.bytes += data.len();
                        chunks.push_back(data);
                    }
                    Ok(StreamRead::Finished) => {
                        is_whole = true;
                        break;
                    }
                    _ => break,
                }
            }
            if is_whole || !chunks.is_empty() {
                self.bytes += ENTRY_BYTES;
                self.streams
                    .insert(epoch.outer_stream(id), KeptStream { chunks, is_whole });
            }
        }
    }

    /// Bytes reckoned for what is kept.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes a kept message.
    pub(crate) fn take_message(&mut self, id: MessageId) -> Option<Bytes> {
        let data = self.messages.remove(&id)?;
        self.bytes = self.bytes.saturating_sub(data.len() + ENTRY_BYTES);
        Some(data)
    }

    /// Reads on in a kept stream; `None` where nothing is kept, or the rest never arrived.
    pub(crate) fn read_stream(&mut self, id: StreamId, max_bytes: usize) -> Option<StreamRead> {
        let stream = self.streams.get_mut(&id)?;
        let Some(front) = stream.chunks.front_mut() else {
            let is_whole = stream.is_whole;
            self.streams.remove(&id);
            self.bytes = self.bytes.saturating_sub(ENTRY_BYTES);
            return is_whole.then_some(StreamRead::Finished);
        };
        let data = front.split_to(front.len().min(max_bytes.max(1)));
        if front.is_empty() {
            stream.chunks.pop_front();
        }
        self.bytes -= data.len();
        Some(StreamRead::Data(data))
    }
}
