//! What was written and is not yet acknowledged: decides which bytes to send next, lost ones first.
//!
//! Takes what is written, acknowledged and lost; returns slices by reference count, never copies what came in
//! large. Small writes are gathered, so that a byte written alone does not cost a chunk of its own. Offsets count
//! from the beginning of the stream or message (RFC 9000 §2.2).

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::ranges::RangeSet;

/// Writes shorter than this are gathered into one chunk.
const GATHER_BELOW_BYTES: usize = 1_024;

#[derive(Debug)]
struct Chunk {
    offset: u64,
    data: Bytes,
}

/// Ordered bytes from the first unacknowledged one to the last one written.
#[derive(Debug, Default)]
pub(crate) struct SendBuffer {
    chunks: VecDeque<Chunk>,
    /// Small writes behind the chunks.
    tail: BytesMut,
    /// Everything before is acknowledged.
    base: u64,
    /// Everything from here on was never sent.
    fresh: u64,
    /// End of what was written.
    end: u64,
    lost: RangeSet,
    /// Acknowledged ranges behind `base`.
    acked: RangeSet,
}

impl SendBuffer {
    /// Appends bytes.
    pub(crate) fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        let len = data.len() as u64;
        if data.len() < GATHER_BELOW_BYTES {
            self.tail.extend_from_slice(&data);
        } else {
            self.flush_tail();
            self.chunks.push_back(Chunk {
                offset: self.end,
                data,
            });
        }
        self.end += len;
    }

    fn flush_tail(&mut self) {
        if !self.tail.is_empty() {
            let data = self.tail.split().freeze();
            let offset = self.end - data.len() as u64;
            self.chunks.push_back(Chunk { offset, data });
        }
    }

    /// The next bytes to send, `max_bytes` at most: lost ones, then fresh ones below `limit_offset`. They count as
    /// sent afterwards. A piece may be shorter than asked for where a chunk ends; ask again.
    pub(crate) fn next_range(
        &mut self,
        max_bytes: usize,
        limit_offset: u64,
    ) -> Option<(u64, Bytes)> {
        if max_bytes == 0 {
            return None;
        }
        if let Some((start, end)) = self.lost.first() {
            let data = self.slice(start, end, max_bytes)?;
            self.lost.remove(start, start + data.len() as u64);
            return Some((start, data));
        }
        let start = self.fresh;
        let data = self.slice(start, self.end.min(limit_offset), max_bytes)?;
        self.fresh += data.len() as u64;
        Some((start, data))
    }

    fn slice(&mut self, start: u64, end: u64, max_bytes: usize) -> Option<Bytes> {
        let wanted = end.checked_sub(start).filter(|n| *n > 0)?;
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(max_bytes);
        if start >= self.end - self.tail.len() as u64 {
            self.flush_tail();
        }
        let after = self.chunks.partition_point(|c| c.offset <= start);
        let chunk = self.chunks.get(after.checked_sub(1)?)?;
        let from = usize::try_from(start - chunk.offset).ok()?;
        let to = from.saturating_add(wanted).min(chunk.data.len());
        (from < to).then(|| chunk.data.slice(from..to))
    }

    /// The offset that [`Self::next_range`] would begin at.
    #[must_use]
    pub(crate) fn next_offset(&self, limit_offset: u64) -> Option<u64> {
        let fresh = (self.fresh < self.end.min(limit_offset)).then_some(self.fresh);
        self.lost.first().map(|(start, _)| start).or(fresh)
    }

    /// The peer holds `start..end`; memory before the first gap is given back.
    pub(crate) fn on_acked(&mut self, start: u64, end: u64) {
        let end = end.min(self.fresh);
        if !self.lost.is_empty() {
            self.lost.remove(start, end);
        }
        if start > self.base {
            self.acked.insert(start, end);
            return;
        }
        self.base = self.base.max(end);
        while let Some((s, e)) = self.acked.first().filter(|(s, _)| *s <= self.base) {
            self.acked.remove(s, e);
            self.base = self.base.max(e);
        }
        while let Some(chunk) = self.chunks.front()
            && chunk.offset + chunk.data.len() as u64 <= self.base
        {
            self.chunks.pop_front();
        }
    }

    /// The packet that carried `start..end` is lost; what no other packet brought is sent again.
    pub(crate) fn on_lost(&mut self, start: u64, end: u64) {
        let (start, end) = (start.max(self.base), end.min(self.fresh));
        if self.acked.is_empty() {
            self.lost.insert(start, end);
            return;
        }
        for (s, e) in self.acked.missing_in(start, end) {
            self.lost.insert(s, e);
        }
    }

    /// Throws all bytes away; offsets stay.
    pub(crate) fn clear(&mut self) {
        self.chunks = VecDeque::new();
        self.tail = BytesMut::new();
        self.lost = RangeSet::default();
        self.acked = RangeSet::default();
        self.base = self.fresh;
        self.end = self.fresh;
    }

    /// Bytes written and not acknowledged.
    #[must_use]
    pub(crate) fn buffered_bytes(&self) -> u64 {
        self.end - self.base
    }

    /// Bytes sent, from the first that is not acknowledged.
    #[must_use]
    pub(crate) fn under_way_bytes(&self) -> u64 {
        self.fresh - self.base
    }

    /// Where the bytes never sent begin.
    #[must_use]
    pub(crate) fn fresh_offset(&self) -> u64 {
        self.fresh
    }

    /// Where the next write goes.
    #[must_use]
    pub(crate) fn end_offset(&self) -> u64 {
        self.end
    }

    /// Whether lost bytes wait to be sent again.
    #[must_use]
    pub(crate) fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    /// Whether everything written is acknowledged.
    #[must_use]
    pub(crate) fn is_all_acked(&self) -> bool {
        self.base == self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        /// Whatever is written, lost and acknowledged: a receiver that keeps what arrives gets every byte.
        fn every_byte_leaves(writes: Vec<u16>, fates: Vec<u8>, room: u8) -> bool {
            let mut buffer = SendBuffer::default();
            let mut expected = Vec::new();
            for (i, len) in writes.iter().enumerate() {
                let data = vec![i as u8; usize::from(*len % 3_000)];
                expected.extend_from_slice(&data);
                buffer.push(Bytes::from(data));
            }
            let mut got = vec![None; expected.len()];
            let mut fates = fates.into_iter().chain(core::iter::repeat(1));
            let mut late = Vec::new();
            while let Some((offset, data)) = buffer.next_range(usize::from(room) + 40, u64::MAX) {
                let end = offset + data.len() as u64;
                match fates.next().unwrap_or(1) % 3 {
                    0 => buffer.on_lost(offset, end),
                    1 => {
                        let at = offset as usize;
                        got[at..at + data.len()].copy_from_slice(
                            &data.iter().map(|b| Some(*b)).collect::<Vec<_>>());
                        buffer.on_acked(offset, end);
                        late.push((offset, end));
                    }
                    _ => {
                        // Acknowledged after it was declared lost.
                        buffer.on_lost(offset, end);
                        if let Some((s, e)) = late.pop() {
                            buffer.on_lost(s, e);
                        }
                    }
                }
            }
            buffer.is_all_acked()
                && buffer.chunks.is_empty()
                && got.into_iter().eq(expected.into_iter().map(Some))
        }
    }

    #[test]
    fn fresh_bytes_respect_the_limit_and_lost_ones_do_not_need_it() {
        let mut buffer = SendBuffer::default();
        buffer.push(Bytes::from(vec![1; 2_000]));
        assert_eq!(buffer.next_range(5_000, 1_500).unwrap().1.len(), 1_500);
        assert!(buffer.next_range(5_000, 1_500).is_none());
        buffer.on_lost(100, 200);
        assert_eq!(buffer.next_offset(0), Some(100));
        assert_eq!(buffer.next_range(5_000, 0).unwrap().1.len(), 100);
    }

    #[test]
    fn single_bytes_share_chunks() {
        let mut buffer = SendBuffer::default();
        for _ in 0..100_000 {
            buffer.push(Bytes::from_static(b"x"));
        }
        let (offset, data) = buffer.next_range(1_200, u64::MAX).unwrap();
        assert_eq!((offset, data.len(), buffer.chunks.len()), (0, 1_200, 1));
    }
}
