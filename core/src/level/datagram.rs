//! Level 0 (protocol §8.4): datagrams waiting to be sent. Decides which go and which are dropped: the oldest when
//! one too many comes, and those whose time has passed. Takes what the application sends; returns what fits.
//! Receiving has no state: the packet level already drops duplicates.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{tag_len, varint_len};
use crate::api::ApiMisuse;
use crate::limits;
use crate::tag::{Tag, Topic};
use crate::time::Instant;

/// One datagram to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    /// What it is for.
    pub tag: Tag,
    /// Body.
    pub data: Bytes,
    /// When it is no longer worth sending.
    pub expiry: Option<Instant>,
}

impl Queued {
    /// Bytes of the DATAGRAM frame.
    #[must_use]
    pub(crate) fn frame_bytes(&self) -> usize {
        let len = self.data.len();
        1 + tag_len(self.tag) + varint_len(len as u64) + len
    }
}

/// Datagrams waiting to be sent, oldest first; bounded by count and bytes.
#[derive(Debug, Default)]
pub(crate) struct Datagrams {
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    dropped: u64,
}

impl Datagrams {
    /// Queues one datagram; the oldest are dropped where there is no place.
    ///
    /// # Errors
    /// `TooLarge` above [`limits::DATAGRAM_BODY_BYTES`].
    pub(crate) fn push(&mut self, datagram: Queued) -> Result<(), ApiMisuse> {
        let limit_bytes = limits::DATAGRAM_BODY_BYTES;
        if datagram.data.len() > limit_bytes {
            return Err(ApiMisuse::TooLarge { limit_bytes });
        }
        self.queued_bytes += datagram.data.len();
        self.queue.push_back(datagram);
        while self.queue.len() > limits::DATAGRAM_QUEUE
            || self.queued_bytes > limits::DATAGRAM_QUEUE_BYTES
        {
            self.drop_oldest();
        }
        Ok(())
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.queue.pop_front() {
            self.queued_bytes -= oldest.data.len();
            self.dropped += 1;
        }
    }

    /// The oldest datagram still in time, where its frame fits into `room_bytes` with what has to go before it
    /// (`ahead_bytes`).
    pub(crate) fn poll(
        &mut self,
        room_bytes: usize,
        ahead_bytes: impl Fn(Topic) -> usize,
        now: Instant,
    ) -> Option<Queued> {
        while let Some(oldest) = self.queue.front() {
            if oldest.expiry.is_some_and(|at| at <= now) {
                self.drop_oldest();
                continue;
            }
            if oldest.frame_bytes() + ahead_bytes(oldest.tag.topic) > room_bytes {
                return None;
            }
            let datagram = self.queue.pop_front()?;
            self.queued_bytes -= datagram.data.len();
            return Some(datagram);
        }
        None
    }

    /// What the oldest is for.
    pub(crate) fn next_topic(&self) -> Option<Topic> {
        self.queue.front().map(|oldest| oldest.tag.topic)
    }

    /// Whether anything waits (it may turn out to be stale).
    #[must_use]
    pub(crate) fn has_data_to_send(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Datagrams dropped so far for age or want of place.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(n: u32, len: usize, expiry: Option<Instant>) -> Queued {
        Queued {
            tag: n.into(),
            data: Bytes::from(vec![0; len]),
            expiry,
        }
    }

    /// Protocol §8.4.
    #[test]
    fn the_oldest_goes_first_when_one_too_many_comes() {
        let mut queue = Datagrams::default();
        for n in 0..limits::DATAGRAM_QUEUE as u32 + 3 {
            queue.push(datagram(n, 1, None)).unwrap();
        }
        assert_eq!(queue.dropped(), 3);
        assert_eq!(
            queue.poll(1_200, |_| 0, Instant::EPOCH).unwrap().tag,
            3.into()
        );
    }

    #[test]
    fn bytes_are_bounded_too() {
        let mut queue = Datagrams::default();
        for n in 0..1_000 {
            queue.push(datagram(n, 1_080, None)).unwrap();
        }
        for n in 0..1_000 {
            queue.push(datagram(n, 1_080, None)).unwrap();
            assert!(queue.queued_bytes <= limits::DATAGRAM_QUEUE_BYTES);
        }
        assert!(queue.dropped() > 0);
    }

    #[test]
    fn stale_ones_are_skipped_and_large_ones_wait_for_room() {
        let mut queue = Datagrams::default();
        queue
            .push(datagram(1, 10, Some(Instant::from_millis(5))))
            .unwrap();
        queue.push(datagram(2, 100, None)).unwrap();
        let now = Instant::from_millis(5);
        assert_eq!(queue.poll(104, |_| 0, now), None);
        assert_eq!(queue.poll(105, |_| 0, now).unwrap().tag, 2.into());
        assert!(!queue.has_data_to_send());
    }

    #[test]
    fn too_large_is_refused() {
        let mut queue = Datagrams::default();
        let body = limits::DATAGRAM_BODY_BYTES;
        assert!(queue.push(datagram(1, body, None)).is_ok());
        assert!(queue.push(datagram(1, body + 1, None)).is_err());
    }
}
