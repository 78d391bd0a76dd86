//! Level 3 (protocol §8.3): ordered bytes both ways under credit, after RFC 9000 §2 to §4.
//!
//! A stream is a sending and a receiving half that end for themselves. What differs from QUIC: a channel comes
//! with OPEN on every frame at offset 0, so a frame that overtakes it creates the stream without a channel, and
//! `Opened` is told when OPEN arrives. An opener repeats OPEN (in an empty frame, if it must) until it is
//! acknowledged, even after a reset, so that both sides always book the same streams.
//!
//! Credit is cumulative, for each stream and for all; a fresh connection starts with the values in `limits`, both
//! ways, and windows grow with bandwidth and delay ([`super::window`]). What comes beyond the node's receive budget
//! is refused as if it were lost, but for a little that every peer may have waiting; a hole below what has come is
//! always filled, because its bytes are booked already. A stream is removed when both halves have ended, and then the
//! peer may open one more. Frames for removed streams are late copies and ignored.
//!
//! Streams that can send take turns, piece by piece. Those that only lack the connection's credit wait apart, so
//! that [`Streams::has_data_to_send`] needs no search.
//!
//! A sending half has ended when the peer's application has read all of it (STREAM_TAKEN), not when all is
//! acknowledged: until then the peer's STREAM_STOP can still tell that it will not. So a stopped half waits for the
//! reset that answers.

mod control;
mod half;
mod input;
mod output;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use self::half::{Sending, Stream};
use super::budget::{Budgets, Share};
use super::window::Window;
use crate::api::{ApiMisuse, LimitReached, StreamId, StreamRead};
use crate::limits;
use crate::tag::Tag;

/// One STREAM frame to encode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamPiece {
    /// Which stream.
    pub id: StreamId,
    /// Where the bytes belong.
    pub offset: u64,
    /// The bytes; may be empty with `open` or `fin`.
    pub data: Bytes,
    /// The sending half ends behind these bytes.
    pub fin: bool,
    /// What the stream is for, where the frame carries OPEN.
    pub open: Option<Tag>,
}

impl StreamPiece {
    /// What the packet's record keeps of it.
    #[must_use]
    pub(crate) fn sent(&self) -> StreamSent {
        StreamSent::Data {
            id: self.id,
            offset: self.offset,
            len_bytes: self.data.len() as u32,
            fin: self.fin,
            open: self.open.is_some(),
        }
    }
}

/// One small frame to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamControl {
    /// STREAM_RESET: the sending half is abandoned.
    Reset {
        /// Which stream.
        id: StreamId,
        /// The application's reason.
        code: u64,
        /// Bytes sent in all.
        final_size_bytes: u64,
    },
    /// STREAM_STOP: please stop sending.
    Stop {
        /// Which stream.
        id: StreamId,
        /// The application's reason.
        code: u64,
    },
    /// STREAM_TAKEN: the application has read all, and the end.
    Taken {
        /// Which stream.
        id: StreamId,
    },
    /// STREAM_CREDIT: cumulative.
    StreamCredit {
        /// Which stream.
        id: StreamId,
        /// Bytes that may be sent in all.
        total_bytes: u64,
    },
    /// STREAMS_CREDIT: cumulative, over all streams.
    StreamsCredit {
        /// Bytes that may be sent in all.
        total_bytes: u64,
    },
    /// STREAMS_LIMIT: cumulative.
    StreamsLimit {
        /// Streams that the peer may have opened so far.
        streams: u64,
    },
}

/// What a packet carried of this level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamSent {
    /// A STREAM frame.
    Data {
        /// Which stream.
        id: StreamId,
        /// Where its bytes belong.
        offset: u64,
        /// How many.
        len_bytes: u32,
        /// Whether it ended the half.
        fin: bool,
        /// Whether it carried OPEN.
        open: bool,
    },
    /// A control frame.
    Control(StreamControl),
}

/// Something the application wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamEvent {
    /// The peer opened a stream.
    Opened {
        /// Which.
        id: StreamId,
        /// What it is for.
        tag: Tag,
    },
    /// There are bytes, or the end, to read; told again only after a read gave `Pending`.
    Readable(StreamId),
    /// A stream that took fewer bytes than offered takes some again.
    Writable(StreamId),
    /// The application at the other side has read everything written, and the end.
    Finished(StreamId),
    /// The peer abandoned its sending half; unread bytes are gone.
    Reset {
        /// Which.
        id: StreamId,
        /// The peer's reason.
        code: u64,
    },
    /// The peer wants no more bytes; the sending half here is reset with the same code.
    Stopped {
        /// Which.
        id: StreamId,
        /// The peer's reason.
        code: u64,
    },
}

/// Control frames that wait, newest values taken when they leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pending {
    StreamsCredit,
    StreamsLimit,
    StreamCredit(u64),
    Reset(u64),
    Stop(u64),
    Taken(u64),
}

/// Ended receiving halves whose reset code a late read may still ask for.
const REMEMBERED_RESETS: usize = 64;

/// All streams with one peer.
#[derive(Debug)]
pub(crate) struct Streams {
    /// Bit 0 of the identifiers that this side opens.
    local_bit: u64,
    streams: BTreeMap<u64, Box<Stream>>,
    /// Streams opened here so far, and how many the peer allows.
    local_opened: u64,
    local_limit: u64,
    /// Streams the peer has opened so far: one more than the highest index seen.
    remote_opened: u64,
    /// Indices below `remote_opened` of which nothing was seen yet.
    remote_unseen: BTreeSet<u64>,
    remote_removed: u64,
    remote_limit_advertised: u64,
    /// Fresh bytes sent on all streams, and the peer's credit for them.
    sent_bytes: u64,
    credit_bytes: u64,
    /// Highest offsets received, summed; bytes read or thrown away; and the credit advertised.
    received_bytes: u64,
    consumed_bytes: u64,
    credit_advertised: u64,
    window: Window,
    /// Bytes received and not consumed, of the node's budget.
    receiving: Share,
    /// Bytes written and not acknowledged, of the node's budget.
    sending: Share,
    /// Streams that can send now, in turn.
    ready: VecDeque<u64>,
    /// Streams that lack only the connection's credit.
    blocked: VecDeque<u64>,
    control: BTreeSet<Pending>,
    events: VecDeque<StreamEvent>,
    resets: VecDeque<(u64, u64)>,
}

impl Streams {
    /// No stream yet; allocates nothing. `is_smaller_id`: whether this node's id is the smaller of the two.
    #[must_use]
    pub(crate) fn new(is_smaller_id: bool, budgets: &Budgets) -> Self {
        Self {
            local_bit: u64::from(!is_smaller_id),
            streams: BTreeMap::new(),
            local_opened: 0,
            local_limit: limits::STREAMS_PER_PEER,
            remote_opened: 0,
            remote_unseen: BTreeSet::new(),
            remote_removed: 0,
            remote_limit_advertised: limits::STREAMS_PER_PEER,
            sent_bytes: 0,
            credit_bytes: limits::STREAMS_WINDOW_BYTES,
            received_bytes: 0,
            consumed_bytes: 0,
            credit_advertised: limits::STREAMS_WINDOW_BYTES,
            window: Window::new(
                limits::STREAMS_WINDOW_BYTES,
                limits::STREAMS_WINDOW_MAX_BYTES,
            ),
            receiving: budgets.receive.share(),
            sending: budgets.send.share(),
            ready: VecDeque::new(),
            blocked: VecDeque::new(),
            control: BTreeSet::new(),
            events: VecDeque::new(),
            resets: VecDeque::new(),
        }
    }

    /// Opens a stream; the peer is told with the next frame.
    ///
    /// # Errors
    /// `Limit` where the peer allows no more now.
    pub(crate) fn open(&mut self, tag: Tag) -> Result<StreamId, ApiMisuse> {
        if self.local_opened >= self.local_limit {
            return Err(ApiMisuse::Limit(LimitReached {
                limit: "STREAMS_PER_PEER",
                value: limits::STREAMS_PER_PEER,
            }));
        }
        let id = self.local_opened << 1 | self.local_bit;
        self.local_opened += 1;
        self.streams.insert(id, Box::new(Stream::local(tag)));
        self.schedule(id);
        Ok(StreamId(id))
    }

    /// Appends bytes and says how many were taken; fewer than given means to wait for `Writable`.
    ///
    /// # Errors
    /// `UnknownStream`, or `StreamFinished` after finish, reset or the peer's stop.
    pub(crate) fn write(&mut self, id: StreamId, mut data: Bytes) -> Result<usize, ApiMisuse> {
        let available = self.sending.available_bytes();
        let sending = self.sending_mut(id)?;
        if !sending.is_open() {
            return Err(ApiMisuse::StreamFinished);
        }
        let taken = data.len().min(sending.place_bytes(available));
        sending.wants_writable |= taken < data.len();
        sending.buffer.push(data.split_to(taken));
        self.sending.charge(taken as u64);
        self.schedule(id.0);
        Ok(taken)
    }

    /// Bytes that a write would take now.
    #[cfg(test)]
    pub(crate) fn writable_bytes(&mut self, id: StreamId) -> Result<usize, ApiMisuse> {
        let available = self.sending.available_bytes();
        let sending = self.sending_mut(id)?;
        Ok(if sending.is_open() {
            sending.place_bytes(available)
        } else {
            0
        })
    }

    /// Ends the sending half behind everything written.
    ///
    /// # Errors
    /// `UnknownStream`, or `StreamFinished` where it has ended before.
    pub(crate) fn finish(&mut self, id: StreamId) -> Result<(), ApiMisuse> {
        let sending = self.sending_mut(id)?;
        if !sending.is_open() {
            return Err(ApiMisuse::StreamFinished);
        }
        sending.finish();
        self.schedule(id.0);
        Ok(())
    }

    /// Abandons the sending half, also after finish while something is unacknowledged.
    ///
    /// # Errors
    /// `UnknownStream`, or `StreamFinished` where it has ended before.
    pub(crate) fn reset(&mut self, id: StreamId, code: u64) -> Result<(), ApiMisuse> {
        let sending = self.sending_mut(id)?;
        let held = sending.buffer.buffered_bytes();
        if !sending.reset(code) {
            return Err(ApiMisuse::StreamFinished);
        }
        self.sending.release(held);
        self.control.insert(Pending::Reset(id.0));
        self.schedule(id.0);
        Ok(())
    }

    /// Asks the peer to stop sending; unread bytes are thrown away, and so is what still comes.
    ///
    /// # Errors
    /// `UnknownStream`.
    pub(crate) fn stop(&mut self, id: StreamId, code: u64) -> Result<(), ApiMisuse> {
        let stream = self.streams.get_mut(&id.0);
        let receiving = &mut stream.ok_or(ApiMisuse::UnknownStream)?.receiving;
        if receiving.stopped.is_some() || receiving.has_ended {
            return Ok(());
        }
        let thrown_away_bytes = receiving.stop(code);
        // Also where all has arrived: the sender must not believe that it was taken. It answers with a reset.
        self.control.insert(Pending::Stop(id.0));
        self.consume(thrown_away_bytes);
        Ok(())
    }

    /// The next bytes in order, `max_bytes` at most; gives the peer as much new credit. The end counts as taken, and
    /// the peer is told. With `max_bytes` 0 it only tells what a read would give, and takes nothing.
    ///
    /// # Errors
    /// `UnknownStream`; also after `Finished` was read and the sending half has ended.
    pub(crate) fn read(&mut self, id: StreamId, max_bytes: usize) -> Result<StreamRead, ApiMisuse> {
        let Some(stream) = self.streams.get_mut(&id.0) else {
            let reset = self.resets.iter().find(|(s, _)| *s == id.0);
            let reset = reset.map(|(_, code)| StreamRead::Reset(*code));
            return reset.ok_or(ApiMisuse::UnknownStream);
        };
        let receiving = &mut stream.receiving;
        if max_bytes == 0 {
            return Ok(receiving.peek());
        }
        let read = receiving.read(max_bytes);
        let is_taken = read == StreamRead::Finished && receiving.has_ended;
        if let StreamRead::Data(data) = &read {
            if receiving.wants_credit() {
                self.control.insert(Pending::StreamCredit(id.0));
            }
            self.consume(data.len() as u64);
        }
        if is_taken {
            self.control.insert(Pending::Taken(id.0));
            self.remove_if_ended(id.0);
        }
        Ok(read)
    }

    /// The next thing for the application.
    pub(crate) fn poll_event(&mut self) -> Option<StreamEvent> {
        self.events.pop_front()
    }

    /// What a stream is for; `None` where it is unknown or its OPEN has not come yet.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn tag(&self, id: StreamId) -> Option<Tag> {
        self.streams.get(&id.0)?.tag
    }

    /// Streams of which something may still be read.
    #[must_use]
    pub(crate) fn readable(&self) -> Vec<StreamId> {
        let open = self
            .streams
            .iter()
            .filter(|(_, stream)| !stream.receiving.has_ended);
        open.map(|(id, _)| StreamId(*id)).collect()
    }

    /// Streams that have not ended.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether there is none.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    fn sending_mut(&mut self, id: StreamId) -> Result<&mut Sending, ApiMisuse> {
        let stream = self.streams.get_mut(&id.0);
        Ok(&mut stream.ok_or(ApiMisuse::UnknownStream)?.sending)
    }

    /// Bytes were read or thrown away: the peer may send as many more.
    fn consume(&mut self, bytes: u64) {
        self.consumed_bytes += bytes;
        self.receiving.release(bytes);
        if self
            .window
            .wants_update(self.consumed_bytes, self.credit_advertised)
        {
            self.control.insert(Pending::StreamsCredit);
        }
    }

    /// Removes the stream where nothing can happen on it any more.
    fn remove_if_ended(&mut self, id: u64) {
        let Some(stream) = self.streams.get(&id).filter(|s| s.has_ended()) else {
            return;
        };
        if let Some(code) = stream.receiving.reset {
            self.resets.truncate(REMEMBERED_RESETS - 1);
            self.resets.push_front((id, code));
        }
        if stream.queued {
            self.ready.retain(|r| *r != id);
            self.blocked.retain(|b| *b != id);
        }
        self.streams.remove(&id);
        for pending in [
            Pending::StreamCredit(id),
            Pending::Reset(id),
            Pending::Stop(id),
        ] {
            self.control.remove(&pending);
        }
        if id & 1 != self.local_bit {
            self.remote_removed += 1;
            self.control.insert(Pending::StreamsLimit);
        }
    }
}
