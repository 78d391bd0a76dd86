//! A stream behind an HTTP exchange: body chunks wait here for room in the engine, bytes of the peer are fetched while
//! the client reads. The state only; the surface asks the engine and reports back.

use std::collections::VecDeque;

use bytes::Bytes;
use p2p_core::api::StreamId;
use p2p_core::id::NodeId;

use crate::reply::{Close, Sides};

/// Upload bytes held for the engine.
pub(super) const UPLOAD_BYTES: usize = 256 << 10;
/// Download bytes handed to the driver and not yet written.
pub(super) const DOWNLOAD_BYTES: usize = 256 << 10;
/// Most bytes of one chunk down.
const CHUNK_BYTES: usize = 64 << 10;
/// Fewest bytes worth fetching.
const SIP_BYTES: usize = 8 << 10;

/// One exchange on a stream.
#[derive(Clone, Debug)]
pub(crate) struct StreamExchange {
    /// The peer.
    pub peer: NodeId,
    /// The stream.
    pub stream: StreamId,
    /// Which sides it uses.
    pub sides: Sides,
    upload: VecDeque<Bytes>,
    upload_bytes: usize,
    upload_ended: bool,
    /// The sending half takes more, or its end.
    pub write_open: bool,
    /// The receiving half may give more.
    pub read_open: bool,
    outstanding_bytes: usize,
    written_bytes: u64,
    /// Nothing that went up is still open: the peer's application has taken it, or it was given up.
    pub write_settled: bool,
    /// The client was given all that the peer sent, and the end.
    pub end_told: bool,
    close: Close,
}

impl StreamExchange {
    /// Starts with nothing moved.
    pub(crate) fn new(peer: NodeId, stream: StreamId, sides: Sides, close: Close) -> Self {
        Self {
            peer,
            stream,
            sides,
            upload: VecDeque::new(),
            upload_bytes: 0,
            upload_ended: false,
            write_open: sides != Sides::Read,
            read_open: sides != Sides::Write,
            outstanding_bytes: 0,
            written_bytes: 0,
            write_settled: sides == Sides::Read,
            end_told: false,
            close,
        }
    }

    /// The client sent bytes.
    pub(crate) fn on_upload(&mut self, chunk: Bytes) {
        if self.write_open && !chunk.is_empty() {
            self.upload_bytes += chunk.len();
            self.upload.push_back(chunk);
        }
    }

    /// The client sent the end.
    pub(crate) const fn on_upload_end(&mut self) {
        self.upload_ended = true;
    }

    /// The next bytes for the engine.
    pub(crate) fn upload_front(&self) -> Option<Bytes> {
        self.upload.front().filter(|_| self.write_open).cloned()
    }

    /// The engine took so many bytes of the front chunk; whether it took all.
    pub(crate) fn on_written(&mut self, bytes: usize) -> bool {
        let Some(front) = self.upload.front_mut() else {
            return true;
        };
        let taken = bytes.min(front.len());
        let _ = front.split_to(taken);
        self.upload_bytes -= taken;
        self.written_bytes += taken as u64;
        let all = front.is_empty();
        if all {
            self.upload.pop_front();
        }
        all
    }

    /// Whether all was handed to the engine and the end is to follow.
    pub(crate) fn wants_finish(&self) -> bool {
        self.write_open && self.upload_ended && self.upload.is_empty()
    }

    /// All was handed over, and the end.
    pub(crate) fn on_finished(&mut self) {
        self.close_write();
        // Where nothing was sent there is nothing to take.
        self.write_settled = self.written_bytes == 0 && self.sides == Sides::Both;
    }

    /// Whether the response is to end now: all of the peer's is told, and ours is taken.
    pub(crate) fn wants_end(&self) -> bool {
        let ours = self.write_settled || self.close.with_peer;
        self.sides != Sides::Write && !self.read_open && !self.end_told && ours
    }

    /// Whether our half goes on or is given up for itself, without the other one.
    pub(crate) fn is_write_apart(&self) -> bool {
        self.sides == Sides::Both && self.close.with_peer
    }

    /// Whether the client itself says that it has taken all.
    pub(crate) const fn is_confirmed(&self) -> bool {
        self.close.confirmed
    }

    /// The sending half takes nothing more: finished, stopped, or lost.
    pub(crate) fn close_write(&mut self) {
        self.write_open = false;
        self.upload.clear();
        self.upload_bytes = 0;
    }

    /// How many bytes to fetch from the engine now.
    pub(crate) fn download_room(&self) -> usize {
        if !self.read_open {
            return 0;
        }
        // Small sips would make a chunk of every few bytes that the client read.
        let room = DOWNLOAD_BYTES.saturating_sub(self.outstanding_bytes);
        if room < SIP_BYTES {
            return 0;
        }
        CHUNK_BYTES.min(room)
    }

    /// So many bytes went to the driver.
    pub(crate) const fn on_downloaded(&mut self, bytes: usize) {
        self.outstanding_bytes += bytes;
    }

    /// The driver wrote so many bytes.
    pub(crate) const fn on_consumed(&mut self, bytes: usize) {
        self.outstanding_bytes = self.outstanding_bytes.saturating_sub(bytes);
    }

    /// How many bytes the driver may hand over now.
    pub(crate) fn body_window(&self) -> usize {
        if self.write_open && !self.upload_ended {
            UPLOAD_BYTES.saturating_sub(self.upload_bytes)
        } else {
            0
        }
    }

    /// Bytes handed to the engine so far.
    pub(crate) const fn written_bytes(&self) -> u64 {
        self.written_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(sides: Sides) -> StreamExchange {
        let peer = NodeId::from_bytes([1; 32]);
        StreamExchange::new(peer, StreamId(0), sides, Close::default())
    }

    #[test]
    fn uploads_wait_for_room_in_the_engine() {
        let mut exchange = exchange(Sides::Both);
        exchange.on_upload(Bytes::from(vec![0; 100_000]));
        assert_eq!(exchange.body_window(), UPLOAD_BYTES - 100_000);
        assert!(!exchange.on_written(40_000));
        assert_eq!(exchange.upload_front().map(|b| b.len()), Some(60_000));
        exchange.on_upload_end();
        assert!(!exchange.wants_finish());
        assert!(exchange.on_written(60_000));
        assert!(exchange.wants_finish());
        assert_eq!(exchange.written_bytes(), 100_000);
        assert_eq!(exchange.body_window(), 0);
    }

    #[test]
    fn downloads_stop_while_the_client_does_not_read() {
        let mut exchange = exchange(Sides::Read);
        let mut fetched = 0;
        while exchange.download_room() > 0 {
            fetched += exchange.download_room();
            exchange.on_downloaded(exchange.download_room());
        }
        assert_eq!(fetched, DOWNLOAD_BYTES);
        exchange.on_consumed(10);
        assert_eq!(exchange.download_room(), 0, "too little to be worth it");
        exchange.on_consumed(SIP_BYTES);
        assert_eq!(exchange.download_room(), SIP_BYTES + 10);
        assert_eq!(exchange.body_window(), 0, "nothing goes up");
    }

    #[test]
    fn a_response_ends_when_both_directions_are_through() {
        let mut both = exchange(Sides::Both);
        both.on_upload(Bytes::from_static(b"abc"));
        both.on_written(3);
        both.on_upload_end();
        both.on_finished();
        both.read_open = false;
        assert!(!both.wants_end(), "nobody has taken what went up");
        both.write_settled = true;
        assert!(both.wants_end());
        both.end_told = true;
        assert!(!both.wants_end(), "it ends once");
        let mut nothing_sent = exchange(Sides::Both);
        nothing_sent.on_upload_end();
        nothing_sent.on_finished();
        nothing_sent.read_open = false;
        assert!(nothing_sent.wants_end());
    }

    #[test]
    fn a_closed_sending_half_throws_bytes_away() {
        let mut exchange = exchange(Sides::Both);
        exchange.on_upload(Bytes::from_static(b"abc"));
        exchange.close_write();
        exchange.on_upload(Bytes::from_static(b"abc"));
        assert_eq!(exchange.upload_front(), None);
        assert!(!exchange.wants_finish());
    }
}
