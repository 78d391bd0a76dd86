//! STREAM frames going out: whose turn it is, how much fits, and what came of earlier ones.

use bytes::Bytes;

use super::half::Sendable;
use super::{StreamEvent, StreamPiece, StreamSent, Streams};
use crate::api::StreamId;
use crate::level::{content_room, tag_len, varint_len};
use crate::tag::Topic;

/// A fragment shorter than this is not worth its header where more is waiting: the next packet takes it.
const PIECE_MIN_BYTES: usize = 64;

impl Streams {
    /// The next STREAM frame of at most `room_bytes` in all. Call again while packets have room: a piece may be
    /// shorter than the room where a write ends. `None`: nothing to send, or too little room.
    pub(crate) fn poll_stream_frame(
        &mut self,
        room_bytes: usize,
        ahead_bytes: impl Fn(Topic) -> usize,
    ) -> Option<StreamPiece> {
        while let Some(id) = self.ready.front().copied() {
            let connection_credit = self.credit_bytes.saturating_sub(self.sent_bytes);
            let state = self
                .streams
                .get(&id)
                .map(|s| s.sending.sendable(connection_credit));
            if state == Some(Sendable::Yes) {
                let piece = self.take_piece(id, room_bytes, &ahead_bytes, connection_credit)?;
                self.ready.pop_front();
                self.unqueue(id);
                self.schedule(id);
                return Some(piece);
            }
            self.ready.pop_front();
            self.unqueue(id);
            self.schedule(id);
        }
        None
    }

    fn take_piece(
        &mut self,
        id: u64,
        room_bytes: usize,
        ahead_bytes: impl Fn(Topic) -> usize,
        credit: u64,
    ) -> Option<StreamPiece> {
        let stream = self.streams.get_mut(&id)?;
        let tag = stream.tag;
        let sending = &mut stream.sending;
        let fresh = sending.buffer.fresh_offset();
        // What is lost goes without credit; what is fresh needs both credits.
        let limit = sending.credit_bytes.min(fresh.saturating_add(credit));
        let next = sending.buffer.next_offset(limit);
        // An OPEN that no data at offset 0 can carry goes alone.
        let goes_alone = sending.open_needed && next != Some(0);
        let offset = match next {
            _ if goes_alone => 0,
            Some(offset) => offset,
            None => sending.buffer.end_offset(),
        };
        let open = tag.filter(|_| sending.is_opener() && offset == 0);
        let open_len = open.map_or(0, |tag| ahead_bytes(tag.topic) + tag_len(tag));
        let fixed = 2 + varint_len(id) + varint_len(offset) + open_len;
        if room_bytes <= fixed {
            return None;
        }
        let room = content_room(room_bytes, fixed);
        let data = if goes_alone || next.is_none() {
            Bytes::new()
        } else if room < PIECE_MIN_BYTES && sending.buffer.buffered_bytes() > room as u64 {
            return None;
        } else {
            sending.buffer.next_range(room, limit)?.1
        };
        let end = offset + data.len() as u64;
        let fin = sending.ends_at(end);
        sending.on_sent(open.is_some(), fin);
        self.sent_bytes += sending.buffer.fresh_offset() - fresh;
        Some(StreamPiece {
            id: StreamId(id),
            offset,
            data,
            fin,
            open,
        })
    }

    fn unqueue(&mut self, id: u64) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.queued = false;
        }
    }

    /// Puts the stream into the queue where it belongs, if it has something to send.
    pub(super) fn schedule(&mut self, id: u64) {
        let credit = self.credit_bytes.saturating_sub(self.sent_bytes);
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        match stream.sending.sendable(credit) {
            Sendable::No => {}
            Sendable::Blocked if stream.queued => {}
            Sendable::Blocked => {
                stream.queued = true;
                self.blocked.push_back(id);
            }
            // A stream among the blocked ones may have something lost to send.
            Sendable::Yes if stream.queued && credit > 0 => {}
            Sendable::Yes => {
                if stream.queued {
                    if self.ready.contains(&id) {
                        return;
                    }
                    self.blocked.retain(|b| *b != id);
                }
                stream.queued = true;
                self.ready.push_back(id);
            }
        }
    }

    /// Whether [`Self::poll_stream_frame`] has something, given room. After an acknowledgement of what was declared
    /// lost it may be true for nothing; the poll then finds out.
    #[must_use]
    pub(crate) fn has_data_to_send(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A packet with this in it was acknowledged.
    pub(crate) fn on_delivered(&mut self, sent: &StreamSent) {
        let (id, offset, len_bytes, fin, open) = match *sent {
            StreamSent::Control(control) => return self.on_control_delivered(control),
            StreamSent::Data {
                id,
                offset,
                len_bytes,
                fin,
                open,
            } => (id, offset, len_bytes, fin, open),
        };
        let Some(stream) = self.streams.get_mut(&id.0) else {
            return;
        };
        let sending = &mut stream.sending;
        let end = offset + u64::from(len_bytes);
        let before = sending.buffer.buffered_bytes();
        sending.on_delivered(offset, end, fin, open);
        self.sending
            .release(before - sending.buffer.buffered_bytes());
        let available = self.sending.available_bytes();
        if sending.wants_writable && sending.is_open() && sending.has_place(available) {
            sending.wants_writable = false;
            self.events.push_back(StreamEvent::Writable(id));
        }
        self.remove_if_ended(id.0);
    }

    /// The packet with this in it is lost.
    pub(crate) fn on_lost(&mut self, sent: &StreamSent) {
        match *sent {
            StreamSent::Control(control) => self.on_control_lost(control),
            StreamSent::Data {
                id,
                offset,
                len_bytes,
                fin,
                open,
            } => {
                if let Some(stream) = self.streams.get_mut(&id.0) {
                    let end = offset + u64::from(len_bytes);
                    stream.sending.on_lost(offset, end, fin, open);
                    self.schedule(id.0);
                }
            }
        }
    }
}
