//! A client that follows the journal: a position and what it has not read yet. Nothing is queued for it beyond a
//! window, so a client that reads slowly costs no memory; it is told of the gap when it catches up.

use core::time::Duration;

use bytes::Bytes;
use p2p_core::time::Instant;

use crate::journal::{Interest, Journal, Position};

/// Silence after which a comment keeps the connection open.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Bytes handed to the driver and not yet written.
const WINDOW_BYTES: usize = 64 << 10;

/// One follower.
#[derive(Clone, Debug)]
pub(crate) struct Follower {
    position: Position,
    interest: Interest,
    outstanding_bytes: usize,
    heartbeat_at: Instant,
}

impl Follower {
    /// Starts at a position.
    pub(crate) fn new(now: Instant, position: Position, interest: Interest) -> Self {
        Self {
            position,
            interest,
            outstanding_bytes: 0,
            heartbeat_at: now + HEARTBEAT,
        }
    }

    /// First bytes: how soon a browser comes back when the connection breaks.
    pub(crate) fn greeting(&mut self) -> Bytes {
        let greeting = Bytes::from_static(b"retry: 2000\n\n");
        self.outstanding_bytes += greeting.len();
        greeting
    }

    /// The next bytes to write, while the window has room.
    pub(crate) fn poll(&mut self, now: Instant, journal: &Journal) -> Option<Bytes> {
        if self.outstanding_bytes >= WINDOW_BYTES {
            return None;
        }
        if let Some((frame, next)) = journal.frame(&self.position, &self.interest) {
            self.position = next;
            self.outstanding_bytes += frame.len();
            self.heartbeat_at = now + HEARTBEAT;
            return Some(frame.into());
        }
        // All up to here was looked at and is not wanted: the ids go on all the same.
        self.position.next = journal.next();
        if now >= self.heartbeat_at {
            self.heartbeat_at = now + HEARTBEAT;
            let comment = Bytes::from_static(b": heartbeat\n\n");
            self.outstanding_bytes += comment.len();
            return Some(comment);
        }
        None
    }

    /// The driver wrote so many bytes.
    pub(crate) const fn on_consumed(&mut self, bytes: usize) {
        self.outstanding_bytes = self.outstanding_bytes.saturating_sub(bytes);
    }

    /// When a heartbeat is due; never while the client does not read.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        (self.outstanding_bytes < WINDOW_BYTES).then_some(self.heartbeat_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::RunMark;
    use serde_json::json;

    #[test]
    fn a_client_that_does_not_read_gets_a_window_and_then_a_gap() {
        let mut journal = Journal::new(RunMark(1));
        let start = journal.position(None);
        let mut follower = Follower::new(Instant::EPOCH, start, Interest::default());
        let long = "x".repeat(1_000);
        let mut sent = 0;
        for _ in 0..5_000 {
            let long = long.clone();
            journal.push("datagram", None, move || json!({ "text": long }));
            while let Some(bytes) = follower.poll(Instant::EPOCH, &journal) {
                sent += bytes.len();
            }
        }
        assert!(sent < WINDOW_BYTES + 2_000, "{sent} bytes");
        assert_eq!(follower.next_timeout(), None);
        follower.on_consumed(sent);
        let frame = follower.poll(Instant::EPOCH, &journal).unwrap();
        assert!(frame.windows(10).any(|w| w == b"event: gap"));
    }

    #[test]
    fn silence_brings_heartbeats() {
        let journal = Journal::new(RunMark(1));
        let start = journal.position(None);
        let mut follower = Follower::new(Instant::EPOCH, start, Interest::default());
        let due = follower.next_timeout().unwrap();
        assert_eq!(due, Instant::EPOCH + HEARTBEAT);
        assert_eq!(follower.poll(due - Duration::from_nanos(1), &journal), None);
        assert_eq!(
            follower.poll(due, &journal).as_deref(),
            Some(&b": heartbeat\n\n"[..])
        );
        assert_eq!(follower.poll(due, &journal), None);
    }
}
