//! Frames that came in: which stream they mean, whether they keep to the credit, what they change.

use super::half::Arrival;
use super::{Pending, Stream, StreamEvent, Streams};
use crate::api::StreamId;
use crate::level::{Received, Violation};
use crate::tag::Tag;

/// Highest offset that a varint can name.
const MAX_OFFSET: u64 = (1 << 62) - 1;

impl Streams {
    /// A STREAM frame came in; `open` carries the tag where the frame has OPEN.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_stream(
        &mut self,
        id: StreamId,
        offset: u64,
        open: Option<Tag>,
        data: &[u8],
        fin: bool,
    ) -> Result<Received, Violation> {
        let id = id.0;
        let is_remote = self.is_remote(id);
        if open.is_some() && (!is_remote || offset != 0) {
            return Err(Violation::StreamState);
        }
        let end = offset.checked_add(data.len() as u64);
        let end = end.filter(|end| *end <= MAX_OFFSET);
        let end = end.ok_or(Violation::FlowControl)?;
        if !self.find(id)? {
            return Ok(Received::Accepted);
        }
        self.on_open(id, open)?;
        let within = self.credit_advertised - self.received_bytes;
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(Received::Accepted);
        };
        let receiving = &mut stream.receiving;
        let growth = receiving.growth_to(end, fin)?;
        if growth > within {
            return Err(Violation::FlowControl);
        }
        if !self.receiving.has_room(growth) {
            return Ok(Received::Refused);
        }
        let arrival = receiving.on_data(offset, data, fin);
        if arrival.is_refused {
            return Ok(Received::Refused);
        }
        if stream.tag.is_some() && receiving.take_readable() {
            self.events.push_back(StreamEvent::Readable(StreamId(id)));
        }
        self.book(id, arrival);
        Ok(Received::Accepted)
    }

    fn on_open(&mut self, id: u64, open: Option<Tag>) -> Result<(), Violation> {
        let (Some(tag), Some(stream)) = (open, self.streams.get_mut(&id)) else {
            return Ok(());
        };
        match stream.tag {
            Some(known) if known != tag => return Err(Violation::InconsistentData),
            Some(_) => return Ok(()),
            None => stream.tag = Some(tag),
        }
        let id = StreamId(id);
        self.events.push_back(StreamEvent::Opened { id, tag });
        // What overtook OPEN is told now.
        if let Some(code) = stream.receiving.reset {
            self.events.push_back(StreamEvent::Reset { id, code });
        }
        if stream.receiving.take_readable() {
            self.events.push_back(StreamEvent::Readable(id));
        }
        if let Some(code) = stream.sending.take_early_stop() {
            self.events.push_back(StreamEvent::Stopped { id, code });
        }
        Ok(())
    }

    fn book(&mut self, id: u64, arrival: Arrival) {
        self.received_bytes += arrival.received_bytes;
        self.receiving.charge(arrival.received_bytes);
        self.consume(arrival.thrown_away_bytes);
        self.remove_if_ended(id);
    }

    /// A STREAM_RESET frame came in.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_reset(
        &mut self,
        id: StreamId,
        code: u64,
        final_size_bytes: u64,
    ) -> Result<(), Violation> {
        let is_known = self.find(id.0)?;
        let within = self.credit_advertised - self.received_bytes;
        let Some(stream) = self.streams.get_mut(&id.0).filter(|_| is_known) else {
            return Ok(());
        };
        let receiving = &mut stream.receiving;
        if receiving.growth_to(final_size_bytes, true)? > within {
            return Err(Violation::FlowControl);
        }
        // Everything arrived before, or a copy of the reset: nothing changes (RFC 9000 §3.2).
        let is_complete = receiving.stopped.is_none() && receiving.is_complete();
        if receiving.reset.is_some() || receiving.has_ended || is_complete {
            return Ok(());
        }
        let was_stopped = receiving.stopped.is_some();
        let arrival = receiving.on_reset(code, final_size_bytes);
        if stream.tag.is_some() && !was_stopped {
            self.events.push_back(StreamEvent::Reset { id, code });
        }
        self.control.remove(&Pending::Stop(id.0));
        self.control.remove(&Pending::StreamCredit(id.0));
        self.book(id.0, arrival);
        Ok(())
    }

    /// A STREAM_STOP frame came in: the sending half is reset with the same code.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_stop(&mut self, id: StreamId, code: u64) -> Result<(), Violation> {
        if !self.find(id.0)? {
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&id.0) else {
            return Ok(());
        };
        let held = stream.sending.buffer.buffered_bytes();
        if stream.sending.reset(code) {
            self.sending.release(held);
            self.control.insert(Pending::Reset(id.0));
            if stream.tag.is_some() {
                self.events.push_back(StreamEvent::Stopped { id, code });
            } else {
                stream.sending.stop_early(code);
            }
            self.schedule(id.0);
        }
        Ok(())
    }

    /// A STREAM_TAKEN frame came in: the sending half has ended well.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_taken(&mut self, id: StreamId) -> Result<(), Violation> {
        if !self.find(id.0)? {
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&id.0) else {
            return Ok(());
        };
        let held = stream.sending.buffer.buffered_bytes();
        if stream.sending.on_taken()? {
            self.sending.release(held);
            self.events.push_back(StreamEvent::Finished(id));
            self.remove_if_ended(id.0);
        }
        Ok(())
    }

    /// A STREAM_CREDIT frame came in; an older one than known changes nothing.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_stream_credit(
        &mut self,
        id: StreamId,
        total_bytes: u64,
    ) -> Result<(), Violation> {
        if self.find(id.0)?
            && let Some(stream) = self.streams.get_mut(&id.0)
            && stream.sending.credit_bytes < total_bytes
        {
            stream.sending.credit_bytes = total_bytes;
            self.schedule(id.0);
        }
        Ok(())
    }

    /// A STREAMS_CREDIT frame came in; an older one than known changes nothing.
    pub(crate) fn on_streams_credit(&mut self, total_bytes: u64) {
        if self.credit_bytes < total_bytes {
            self.credit_bytes = total_bytes;
            self.ready.append(&mut self.blocked);
        }
    }

    /// A STREAMS_LIMIT frame came in; an older one than known changes nothing.
    pub(crate) fn on_streams_limit(&mut self, streams: u64) {
        self.local_limit = self.local_limit.max(streams.min(MAX_OFFSET >> 1));
    }

    fn is_remote(&self, id: u64) -> bool {
        id & 1 != self.local_bit
    }

    /// Whether the stream is alive; a new one of the peer's is made. False: it has ended, the frame is late.
    fn find(&mut self, id: u64) -> Result<bool, Violation> {
        let index = id >> 1;
        if !self.is_remote(id) {
            if index >= self.local_opened {
                return Err(Violation::StreamState);
            }
            return Ok(self.streams.contains_key(&id));
        }
        if index >= self.remote_limit_advertised {
            return Err(Violation::StreamLimit);
        }
        let is_new = if index >= self.remote_opened {
            // Bounded by the limit: what is unseen counts as open.
            self.remote_unseen.extend(self.remote_opened..index);
            self.remote_opened = index + 1;
            true
        } else {
            self.remote_unseen.remove(&index)
        };
        if is_new {
            self.streams.insert(id, Box::new(Stream::remote()));
        }
        Ok(is_new || self.streams.contains_key(&id))
    }
}
