//! One stream: its sending and its receiving half, without credit over all streams (protocol §8.3,
//! RFC 9000 §3). Decides when a half has ended and what a read gives.

use bytes::Bytes;

use crate::api::StreamRead;
use crate::level::Violation;
use crate::level::assembler::{Assembler, Inserted};
use crate::level::send_buffer::SendBuffer;
use crate::level::window::{Pace, Window};
use crate::limits;
use crate::tag::Tag;

/// Both halves of a stream.
#[derive(Debug)]
pub(super) struct Stream {
    /// `None` until OPEN arrives.
    pub(super) tag: Option<Tag>,
    pub(super) sending: Sending,
    pub(super) receiving: Receiving,
    /// Whether it stands in one of the queues.
    pub(super) queued: bool,
}

impl Stream {
    pub(super) fn local(tag: Tag) -> Self {
        Self {
            tag: Some(tag),
            sending: Sending::new(true),
            receiving: Receiving::new(),
            queued: false,
        }
    }

    pub(super) fn remote() -> Self {
        Self {
            tag: None,
            sending: Sending::new(false),
            receiving: Receiving::new(),
            queued: false,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        let opened = self.tag.is_some() && !self.sending.is_open_unacked();
        opened && self.sending.has_ended() && self.receiving.has_ended
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SendState {
    Open,
    Finishing,
    Reset { code: u64 },
    Ended,
}

/// What a stream could send now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sendable {
    Yes,
    /// Only fresh bytes, and the connection's credit is used up.
    Blocked,
    No,
}

/// The sending half.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) buffer: SendBuffer,
    pub(super) credit_bytes: u64,
    pub(super) wants_writable: bool,
    state: SendState,
    is_opener: bool,
    /// An OPEN frame must leave (again).
    pub(super) open_needed: bool,
    open_acked: bool,
    /// The end must be told (again).
    pub(super) fin_needed: bool,
    fin_acked: bool,
    /// The peer's stop came before its OPEN.
    early_stop: Option<u64>,
}

impl Sending {
    fn new(is_opener: bool) -> Self {
        Self {
            buffer: SendBuffer::default(),
            credit_bytes: limits::STREAM_WINDOW_BYTES,
            wants_writable: false,
            state: SendState::Open,
            is_opener,
            open_needed: is_opener,
            open_acked: false,
            fin_needed: false,
            fin_acked: false,
            early_stop: None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == SendState::Open
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state == SendState::Ended
    }

    pub(super) fn is_opener(&self) -> bool {
        self.is_opener
    }

    fn is_open_unacked(&self) -> bool {
        self.is_opener && !self.open_acked
    }

    /// Bytes that the buffer may hold where the node's budget has so many left: twice what is under way, so that a
    /// sender that doubles its rate never waits for the writer.
    fn most_bytes(&self, available_bytes: u64) -> u64 {
        let wanted = (2 * self.buffer.under_way_bytes()).clamp(
            limits::STREAM_SEND_BUFFER_BYTES,
            limits::STREAM_SEND_BUFFER_MAX_BYTES,
        );
        let affordable = self.buffer.buffered_bytes().saturating_add(available_bytes);
        wanted
            .min(affordable)
            .max(limits::STREAM_SEND_BUFFER_LEAST_BYTES)
    }

    /// Bytes that a write may add where the node's budget has so many left.
    pub(super) fn place_bytes(&self, available_bytes: u64) -> usize {
        let most = self.most_bytes(available_bytes);
        let place = most.saturating_sub(self.buffer.buffered_bytes());
        usize::try_from(place).unwrap_or(usize::MAX)
    }

    /// Enough place for a writer to be woken.
    pub(super) fn has_place(&self, available_bytes: u64) -> bool {
        let most = self.most_bytes(available_bytes);
        most.saturating_sub(self.buffer.buffered_bytes()) >= most / 4
    }

    /// Keeps a stop to be told once the channel is known.
    pub(super) fn stop_early(&mut self, code: u64) {
        self.early_stop = Some(code);
    }

    /// The stop that came before OPEN, once.
    pub(super) fn take_early_stop(&mut self) -> Option<u64> {
        self.early_stop.take()
    }

    pub(super) fn finish(&mut self) {
        self.state = SendState::Finishing;
        self.fin_needed = true;
    }

    /// Abandons what is left; false where the half has ended.
    pub(super) fn reset(&mut self, code: u64) -> bool {
        if !matches!(self.state, SendState::Open | SendState::Finishing) {
            return false;
        }
        self.state = SendState::Reset { code };
        self.fin_needed = false;
        self.wants_writable = false;
        self.buffer.clear();
        true
    }

    /// Code and final size, while a reset is to be told.
    pub(super) fn reset_frame(&self) -> Option<(u64, u64)> {
        match self.state {
            SendState::Reset { code } => Some((code, self.buffer.fresh_offset())),
            _ => None,
        }
    }

    pub(super) fn on_reset_delivered(&mut self) {
        if matches!(self.state, SendState::Reset { .. }) {
            self.state = SendState::Ended;
        }
    }

    pub(super) fn sendable(&self, connection_credit_bytes: u64) -> Sendable {
        let buffer = &self.buffer;
        let all_sent = buffer.fresh_offset() == buffer.end_offset();
        if self.open_needed || buffer.has_lost() || (self.fin_needed && all_sent) {
            Sendable::Yes
        } else if buffer.next_offset(self.credit_bytes).is_none() {
            Sendable::No
        } else if connection_credit_bytes == 0 {
            Sendable::Blocked
        } else {
            Sendable::Yes
        }
    }

    /// The frame left; keeps what it told.
    pub(super) fn on_sent(&mut self, open: bool, fin: bool) {
        self.open_needed &= !open;
        self.fin_needed &= !fin;
    }

    /// Whether bytes that end at `end` are the last ones.
    pub(super) fn ends_at(&self, end: u64) -> bool {
        self.state == SendState::Finishing && end == self.buffer.end_offset()
    }

    /// Takes note of an acknowledgement; the half has ended only with [`Self::on_taken`].
    pub(super) fn on_delivered(&mut self, start: u64, end: u64, fin: bool, open: bool) {
        self.open_acked |= open;
        self.open_needed &= !self.open_acked;
        if matches!(self.state, SendState::Open | SendState::Finishing) {
            self.buffer.on_acked(start, end);
            self.fin_acked |= fin;
            self.fin_needed &= !self.fin_acked;
        }
    }

    /// The peer's application has read all and the end, so all has arrived. Returns whether that ends the half.
    pub(super) fn on_taken(&mut self) -> Result<bool, Violation> {
        match self.state {
            // There was no end to take.
            SendState::Open => Err(Violation::StreamState),
            SendState::Finishing => {
                self.state = SendState::Ended;
                self.open_acked = true;
                (self.open_needed, self.fin_needed) = (false, false);
                self.buffer.clear();
                Ok(true)
            }
            // It crossed our reset.
            SendState::Reset { .. } | SendState::Ended => Ok(false),
        }
    }

    pub(super) fn on_lost(&mut self, start: u64, end: u64, fin: bool, open: bool) {
        self.open_needed |= open && !self.open_acked;
        if matches!(self.state, SendState::Open | SendState::Finishing) {
            self.buffer.on_lost(start, end);
            self.fin_needed |= fin && !self.fin_acked;
        }
    }
}

/// What a frame changed in the receiving half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrival {
    /// Bytes by which the highest offset grew.
    pub(super) received_bytes: u64,
    /// Bytes that nobody will read.
    pub(super) thrown_away_bytes: u64,
    /// The reassembly has no place; nothing else of the frame counts.
    pub(super) is_refused: bool,
}

/// The receiving half.
#[derive(Debug)]
pub(super) struct Receiving {
    assembler: Assembler,
    /// Highest offset seen.
    highest: u64,
    pub(super) final_size: Option<u64>,
    pub(super) reset: Option<u64>,
    pub(super) stopped: Option<u64>,
    window: Window,
    credit_advertised: u64,
    /// Announced as readable, and no read has come up short since.
    is_readable_announced: bool,
    /// Nothing more will be read.
    pub(super) has_ended: bool,
}

impl Receiving {
    fn new() -> Self {
        Self {
            assembler: Assembler::chunked(),
            highest: 0,
            final_size: None,
            reset: None,
            stopped: None,
            window: Window::new(limits::STREAM_WINDOW_BYTES, limits::STREAM_WINDOW_MAX_BYTES),
            credit_advertised: limits::STREAM_WINDOW_BYTES,
            is_readable_announced: false,
            has_ended: false,
        }
    }

    /// By how much the highest offset grows with a frame that ends at `end`.
    pub(super) fn growth_to(&self, end: u64, is_final: bool) -> Result<u64, Violation> {
        if end > self.credit_advertised {
            return Err(Violation::FlowControl);
        }
        let beyond = self.final_size.is_some_and(|size| end > size);
        let moved = is_final && self.final_size.is_some_and(|size| end != size);
        if beyond || moved || (is_final && end < self.highest) {
            return Err(Violation::FinalSize);
        }
        Ok(end.saturating_sub(self.highest))
    }

    /// Takes bytes in that [`Self::growth_to`] allowed.
    pub(super) fn on_data(&mut self, offset: u64, data: &[u8], fin: bool) -> Arrival {
        let end = offset + data.len() as u64;
        let received_bytes = end.saturating_sub(self.highest);
        let mut arrival = Arrival {
            received_bytes,
            ..Arrival::default()
        };
        let discards = self.stopped.is_some() || self.reset.is_some();
        if discards {
            arrival.thrown_away_bytes = received_bytes;
        } else if self.assembler.insert(offset, data) == Inserted::Refused {
            return Arrival {
                is_refused: true,
                ..Arrival::default()
            };
        }
        self.highest = self.highest.max(end);
        if fin {
            self.final_size = Some(end);
        }
        arrival
    }

    /// The peer abandons its half; the size was checked with [`Self::growth_to`].
    pub(super) fn on_reset(&mut self, code: u64, final_size: u64) -> Arrival {
        let received_bytes = final_size.saturating_sub(self.highest);
        let unread = if self.stopped.is_some() || self.reset.is_some() {
            received_bytes
        } else {
            final_size - self.assembler.read_offset()
        };
        self.highest = final_size;
        self.final_size = Some(final_size);
        self.reset = Some(code);
        self.has_ended = true;
        self.assembler = Assembler::chunked();
        Arrival {
            received_bytes,
            thrown_away_bytes: unread,
            is_refused: false,
        }
    }

    /// Whether all bytes up to the end have arrived.
    pub(super) fn is_complete(&self) -> bool {
        self.final_size == Some(self.assembler.ordered_offset())
    }

    /// Returns the bytes thrown away.
    pub(super) fn stop(&mut self, code: u64) -> u64 {
        let unread = self.highest - self.assembler.read_offset();
        self.stopped = Some(code);
        self.assembler = Assembler::chunked();
        unread
    }

    /// Whether to tell the application that a read would give something.
    pub(super) fn take_readable(&mut self) -> bool {
        let readable = !self.has_ended
            && self.stopped.is_none()
            && (self.assembler.is_readable() || self.is_complete());
        let tell = readable && !self.is_readable_announced;
        self.is_readable_announced |= tell;
        tell
    }

    /// What a read would give, without taking anything; empty where there are bytes.
    pub(super) fn peek(&mut self) -> StreamRead {
        match (self.reset, self.stopped) {
            (Some(code), _) => StreamRead::Reset(code),
            (None, Some(code)) => StreamRead::Reset(code),
            _ if self.assembler.is_readable() => StreamRead::Data(Bytes::new()),
            _ if self.is_complete() => StreamRead::Finished,
            _ => {
                self.is_readable_announced = false;
                StreamRead::Pending
            }
        }
    }

    pub(super) fn read(&mut self, max_bytes: usize) -> StreamRead {
        if let Some(code) = self.reset {
            return StreamRead::Reset(code);
        }
        if self.stopped.is_some() {
            return StreamRead::Finished;
        }
        if let Some(data) = self.assembler.read(max_bytes) {
            return StreamRead::Data(data);
        }
        if self.is_complete() && !self.assembler.is_readable() {
            self.has_ended = true;
            return StreamRead::Finished;
        }
        self.is_readable_announced = self.assembler.is_readable();
        StreamRead::Pending
    }

    /// Whether enough was read to tell new credit.
    pub(super) fn wants_credit(&self) -> bool {
        let read = self.assembler.read_offset();
        self.can_use_credit() && self.window.wants_update(read, self.credit_advertised)
    }

    #[cfg(test)]
    pub(super) fn held_capacity_bytes(&self) -> usize {
        self.assembler.held_capacity_bytes()
    }

    pub(super) fn can_use_credit(&self) -> bool {
        self.final_size.is_none() && self.stopped.is_none()
    }

    pub(super) fn credit_advertised(&self) -> u64 {
        self.credit_advertised
    }

    /// The newest credit, which counts as advertised.
    pub(super) fn advertise_credit(&mut self, pace: Pace, available_bytes: u64) -> Option<u64> {
        if !self.can_use_credit() {
            return None;
        }
        let read = self.assembler.read_offset();
        self.window.judge(read, pace, available_bytes);
        self.credit_advertised = self.credit_advertised.max(self.window.grantable(read));
        Some(self.credit_advertised)
    }
}
