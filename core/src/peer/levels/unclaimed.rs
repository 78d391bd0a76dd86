//! What had arrived whole when an association ended, kept until the application takes it: of streams it may be all that
//! was sent, and a message's sender knows only that it may have arrived. Identifiers carry the association's epoch, so
//! that those of the next one cannot be mistaken for them.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::api::{MessageId, StreamId, StreamRead};
use crate::level::budget::{Budget, Share};
use crate::level::message::Messages;
use crate::level::stream::Streams;
use crate::limits;

/// Bits of an identifier below the epoch: more than one association can use up.
const EPOCH_SHIFT: u32 = 40;

/// Bytes reckoned for an entry beside its content, so that empty ones are bounded too.
const ENTRY_BYTES: u64 = 1_024;

/// Counts the associations with one peer in this run.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Epoch(u64);

/// An epoch in four bytes.
#[derive(Clone, Copy)]
pub(crate) struct EpochAtRest(u32);

impl Epoch {
    /// The epoch at rest; `None` where it does not fit.
    pub(crate) fn rest(self) -> Option<EpochAtRest> {
        u32::try_from(self.0).ok().map(EpochAtRest)
    }

    /// The epoch that was at rest.
    pub(crate) fn wake(at_rest: EpochAtRest) -> Self {
        Self(u64::from(at_rest.0))
    }

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
struct UnclaimedStream {
    chunks: VecDeque<Bytes>,
    is_whole: bool,
}

/// Messages and stream bytes of associations that ended.
#[derive(Default)]
pub(crate) struct Unclaimed {
    messages: BTreeMap<MessageId, Bytes>,
    streams: BTreeMap<StreamId, UnclaimedStream>,
    /// Their bytes, of the node's budget; none where nothing is kept.
    share: Option<Share>,
}

/// Bytes that one peer may leave behind: the largest message, and what all streams begin with.
const MOST_BYTES: u64 = limits::MESSAGE_BYTES as u64 + limits::STREAMS_WINDOW_BYTES;

fn has_place(share: &Share, bytes: u64) -> bool {
    share.has_room(bytes) && share.held_bytes() + bytes <= MOST_BYTES
}

impl Unclaimed {
    /// Takes over whatever can still be read; beyond [`MOST_BYTES`] and the node's budget nothing is kept.
    pub(crate) fn keep(
        &mut self,
        epoch: Epoch,
        messages: &mut Messages,
        streams: &mut Streams,
        budget: &Budget,
    ) {
        let share = self.share.get_or_insert_with(|| budget.share());
        for id in messages.ready() {
            let Some(data) = messages.take(id) else {
                continue;
            };
            let bytes = data.len() as u64 + ENTRY_BYTES;
            if has_place(share, bytes) {
                share.charge(bytes);
                self.messages.insert(epoch.outer_message(id), data);
            }
        }
        for id in streams.readable() {
            if !has_place(share, ENTRY_BYTES) {
                break;
            }
            let (mut chunks, mut is_whole) = (VecDeque::new(), false);
            loop {
                match streams.read(id, usize::MAX) {
                    Ok(StreamRead::Data(data)) if has_place(share, data.len() as u64) => {
                        share.charge(data.len() as u64);
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
                share.charge(ENTRY_BYTES);
                self.streams
                    .insert(epoch.outer_stream(id), UnclaimedStream { chunks, is_whole });
            }
        }
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.streams.is_empty()
    }

    /// Bytes reckoned for what is kept.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let held = self.share.as_ref().map_or(0, Share::held_bytes);
        usize::try_from(held).unwrap_or(usize::MAX)
    }

    /// Gives bytes back; the share too where nothing is left.
    fn release(&mut self, bytes: u64) {
        if let Some(share) = &mut self.share {
            share.release(bytes);
        }
        if self.messages.is_empty() && self.streams.is_empty() {
            self.share = None;
        }
    }

    /// A kept message; it stays.
    pub(crate) fn read_message(&self, id: MessageId) -> Option<Bytes> {
        self.messages.get(&id).cloned()
    }

    /// Takes a kept message.
    pub(crate) fn take_message(&mut self, id: MessageId) -> Option<Bytes> {
        let data = self.messages.remove(&id)?;
        self.release(data.len() as u64 + ENTRY_BYTES);
        Some(data)
    }

    /// Reads on in a kept stream; `None` where nothing is kept, or the rest never arrived.
    pub(crate) fn read_stream(&mut self, id: StreamId, max_bytes: usize) -> Option<StreamRead> {
        let stream = self.streams.get_mut(&id)?;
        if max_bytes == 0 {
            return match (stream.chunks.is_empty(), stream.is_whole) {
                (false, _) => Some(StreamRead::Data(Bytes::new())),
                (true, true) => Some(StreamRead::Finished),
                (true, false) => None,
            };
        }
        let Some(front) = stream.chunks.front_mut() else {
            let is_whole = stream.is_whole;
            self.streams.remove(&id);
            self.release(ENTRY_BYTES);
            return is_whole.then_some(StreamRead::Finished);
        };
        let data = front.split_to(front.len().min(max_bytes.max(1)));
        if front.is_empty() {
            stream.chunks.pop_front();
        }
        self.release(data.len() as u64);
        Some(StreamRead::Data(data))
    }
}
