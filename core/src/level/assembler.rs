//! Reassembly: pieces in any order become ordered bytes. Decides what is kept and what is refused.
//!
//! Takes pieces; returns what became readable. In order, a piece is copied once, to the end of a growing buffer.
//! Out of order, pieces are gathered into compact buffers, so that single-byte pieces cost no more than their
//! bytes; gaps are bounded, and a piece that would open one more is refused, which the peer mends by sending it
//! again. The caller bounds offsets by its flow control.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes, BytesMut};

use crate::limits;

/// First allocation of the ordered buffer; it doubles from there.
const FIRST_CHUNK_BYTES: usize = 2_048;
/// Largest chunk of a stream; also the largest gathered piece.
const CHUNK_BYTES: usize = 64 << 10;
/// Pieces up to this size are copied together with their neighbours rather than kept apart.
const MERGE_BYTES: usize = 4_096;

/// What became of a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Inserted {
    /// Kept, or known already; so many more bytes are now readable in order.
    Accepted {
        /// Bytes added to the ordered prefix.
        readable_bytes: u64,
    },
    /// One gap too many; nothing was kept.
    Refused,
}

/// Orders pieces of one stream or message.
#[derive(Debug)]
pub(crate) struct Assembler {
    /// Ordered chunks to read, then `tail`.
    ready: VecDeque<Bytes>,
    tail: BytesMut,
    /// End of the ordered prefix.
    ordered: u64,
    /// End of what was read.
    read: u64,
    /// Disjoint pieces behind `ordered`; neighbours may touch.
    pieces: BTreeMap<u64, BytesMut>,
    gaps: usize,
    /// Size of the next allocation.
    grow_bytes: usize,
    /// Size at which `tail` is closed; `usize::MAX` keeps everything in one piece.
    chunk_bytes: usize,
}

impl Assembler {
    /// For a stream: read in chunks.
    #[must_use]
    pub(crate) fn chunked() -> Self {
        Self::with_chunk(CHUNK_BYTES)
    }

    /// For a message: read at once, in one piece.
    #[must_use]
    pub(crate) fn whole() -> Self {
        Self::with_chunk(usize::MAX)
    }

    fn with_chunk(chunk_bytes: usize) -> Self {
        Self {
            ready: VecDeque::new(),
            tail: BytesMut::new(),
            ordered: 0,
            read: 0,
            pieces: BTreeMap::new(),
            gaps: 0,
            grow_bytes: FIRST_CHUNK_BYTES,
            chunk_bytes,
        }
    }

    /// Takes a piece in; bytes already known are skipped.
    pub(crate) fn insert(&mut self, offset: u64, data: &[u8]) -> Inserted {
        let before = self.ordered;
        let end = offset.saturating_add(data.len() as u64);
        if end > self.ordered {
            if offset <= self.ordered {
                self.append_in_order(offset, data);
            } else if !self.insert_apart(offset, end, data) {
                return Inserted::Refused;
            }
        }
        Inserted::Accepted {
            readable_bytes: self.ordered - before,
        }
    }

    fn append_in_order(&mut self, offset: u64, data: &[u8]) {
        let known = usize::try_from(self.ordered - offset).unwrap_or(usize::MAX);
        let data = data.get(known..).unwrap_or_default();
        self.append(data);
        while let Some(entry) = self.pieces.first_entry() {
            let start = *entry.key();
            if start > self.ordered {
                break;
            }
            let mut piece = entry.remove();
            // The gap before this piece is closed; pieces that touched it had none before them.
            self.recount_after(start, piece.len());
            let known = usize::try_from(self.ordered - start).unwrap_or(usize::MAX);
            piece.advance(known.min(piece.len()));
            self.append_piece(piece);
        }
        if self.pieces.is_empty() {
            self.gaps = 0;
        }
    }

    /// A piece whose beginning joined the ordered prefix takes the gap before it along, unless the piece before it
    /// touched it (then that one has taken it).
    fn recount_after(&mut self, start: u64, len: usize) {
        let end = start + len as u64;
        let next_touches = self.pieces.contains_key(&end);
        if !next_touches {
            self.gaps = self.gaps.saturating_sub(1);
        }
    }

    fn append_piece(&mut self, piece: BytesMut) {
        if piece.len() <= MERGE_BYTES || self.chunk_bytes == usize::MAX {
            self.append(&piece);
        } else {
            self.close_tail();
            self.ordered += piece.len() as u64;
            self.ready.push_back(piece.freeze());
        }
    }

    fn append(&mut self, mut data: &[u8]) {
        self.ordered += data.len() as u64;
        while !data.is_empty() {
            if self.tail.len() >= self.chunk_bytes {
                self.close_tail();
            }
            if self.tail.capacity() == self.tail.len() {
                self.tail
                    .reserve(self.grow_bytes.max(data.len().min(CHUNK_BYTES)));
                let most = if self.chunk_bytes == usize::MAX {
                    limits::MESSAGE_BYTES / 2
                } else {
                    CHUNK_BYTES
                };
                self.grow_bytes = self.grow_bytes.saturating_mul(2).min(most);
            }
            let spare = self.tail.capacity() - self.tail.len();
            let now = data.len().min(spare);
            let Some((head, rest)) = data.split_at_checked(now) else {
                return;
            };
            self.tail.extend_from_slice(head);
            data = rest;
        }
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.ready.push_back(self.tail.split().freeze());
        }
    }

    /// Keeps those parts of a piece behind the prefix that are new; false where that needs one gap too many.
    fn insert_apart(&mut self, offset: u64, end: u64, data: &[u8]) -> bool {
        let mut at = offset;
        let before = self.pieces.range(..=offset).next_back();
        if let Some((start, piece)) = before {
            at = at.max(start + piece.len() as u64);
        }
        let mut known = Vec::new();
        for (start, piece) in self.pieces.range(offset..end) {
            known.push((*start, start + piece.len() as u64));
        }
        known.push((end, end));
        for (start, known_end) in known {
            if at < start {
                let (from, to) = ((at - offset) as usize, (start - offset) as usize);
                let part = data.get(from..to).unwrap_or_default();
                if !self.insert_new(at, part) {
                    return false;
                }
            }
            at = at.max(known_end);
        }
        true
    }

    /// Keeps a part that overlaps nothing.
    fn insert_new(&mut self, start: u64, part: &[u8]) -> bool {
        let end = start + part.len() as u64;
        let before = self.pieces.range(..start).next_back();
        let before = before.map(|(s, p)| (*s, s + p.len() as u64));
        let touching = before.filter(|(_, e)| *e == start).map(|(s, _)| s);
        let touches_next = self.pieces.contains_key(&end);
        match (touching.is_some(), touches_next) {
            (false, false) if self.gaps >= limits::REASSEMBLY_GAPS => return false,
            (false, false) => self.gaps += 1,
            (true, true) => self.gaps = self.gaps.saturating_sub(1),
            _ => {}
        }
        let joined = touching.and_then(|s| self.pieces.get_mut(&s).map(|p| (s, p)));
        let at = match joined.filter(|(_, p)| p.len() + part.len() <= CHUNK_BYTES) {
            Some((s, piece)) => {
                piece.extend_from_slice(part);
                s
            }
            None => {
                self.pieces.insert(start, BytesMut::from(part));
                start
            }
        };
        self.merge_next(at, end);
        true
    }

    /// Joins the piece at `at`, which ends at `end`, with a small one that begins there.
    fn merge_next(&mut self, at: u64, end: u64) {
        let small = self
            .pieces
            .get(&end)
            .is_some_and(|p| p.len() <= MERGE_BYTES);
        let fits = self.pieces.get(&at).is_some_and(|p| p.len() < CHUNK_BYTES);
        if small
            && fits
            && let Some(next) = self.pieces.remove(&end)
            && let Some(piece) = self.pieces.get_mut(&at)
        {
            piece.extend_from_slice(&next);
        }
    }

    /// The next ordered bytes, `max_bytes` at most.
    pub(crate) fn read(&mut self, max_bytes: usize) -> Option<Bytes> {
        if max_bytes == 0 {
            return None;
        }
        let data = match self.ready.front_mut() {
            Some(front) if front.len() > max_bytes => front.split_to(max_bytes),
            Some(_) => self.ready.pop_front()?,
            None if self.tail.is_empty() => return None,
            None => self.tail.split_to(max_bytes.min(self.tail.len())).freeze(),
        };
        self.read += data.len() as u64;
        Some(data)
    }

    /// End of the ordered prefix.
    #[must_use]
    pub(crate) fn ordered_offset(&self) -> u64 {
        self.ordered
    }

    /// End of what was read.
    #[must_use]
    pub(crate) fn read_offset(&self) -> u64 {
        self.read
    }

    #[cfg(test)]
    pub(super) fn held_capacity_bytes(&self) -> usize {
        let pieces: usize = self.pieces.values().map(BytesMut::capacity).sum();
        pieces + self.tail.capacity() + self.ready.iter().map(Bytes::len).sum::<usize>()
    }

    /// Whether a read would give bytes.
    #[must_use]
    pub(crate) fn is_readable(&self) -> bool {
        self.read < self.ordered
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use quickcheck::quickcheck;

    fn read_all(assembler: &mut Assembler, max: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(data) = assembler.read(max) {
            assert!(!data.is_empty() && data.len() <= max);
            all.extend_from_slice(&data);
        }
        all
    }

    fn true_gaps(assembler: &Assembler) -> usize {
        let mut at = assembler.ordered;
        let mut gaps = 0;
        for (start, piece) in &assembler.pieces {
            assert!(*start >= at, "pieces overlap");
            gaps += usize::from(*start > at);
            at = start + piece.len() as u64;
        }
        gaps
    }

    quickcheck! {
        fn any_order_gives_the_same_bytes(seed: u64, len: u16, piece: u8, whole: bool) -> bool {
            let (len, piece) = (len % 8_000, piece | 3);
            let mut rng = Rng::from_seed([seed as u8; 32]).fork(&seed.to_string());
            let expected: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            let mut assembler = if whole { Assembler::whole() } else { Assembler::chunked() };
            let mut got = Vec::new();
            while got.len() < expected.len() {
                let start = rng.below(u64::from(len)) as usize;
                let wanted = 1 + rng.below(u64::from(piece) * 8 + 1) as usize;
                let end = (start + wanted).min(expected.len());
                // Random pieces, and now and then the one that is missing next.
                let start = if rng.below(4) == 0 { got.len() } else { start };
                let end = end.max(start + 1).min(expected.len());
                let _ = assembler.insert(start as u64, &expected[start..end]);
                assert_eq!(true_gaps(&assembler), assembler.gaps);
                assert!(assembler.gaps <= limits::REASSEMBLY_GAPS);
                if !whole || assembler.ordered == u64::from(len) {
                    got.extend(read_all(&mut assembler, 700));
                }
                if whole && got.is_empty() {
                    let at = assembler.ordered as usize;
                    let end = (at + 64).min(expected.len());
                    let _ = assembler.insert(at as u64, &expected[at..end]);
                }
            }
            got == expected
        }
    }

    #[test]
    fn one_gap_too_many_is_refused_and_later_mended() {
        let mut assembler = Assembler::chunked();
        for i in 0..limits::REASSEMBLY_GAPS as u64 {
            let kept = assembler.insert(1 + i * 2, b"x");
            assert_eq!(kept, Inserted::Accepted { readable_bytes: 0 });
        }
        assert_eq!(assembler.insert(100_000, b"x"), Inserted::Refused);
        let filled = assembler.insert(0, b"x");
        assert_eq!(filled, Inserted::Accepted { readable_bytes: 2 });
        let kept = assembler.insert(100_000, b"x");
        assert_eq!(kept, Inserted::Accepted { readable_bytes: 0 });
    }

    #[test]
    fn single_bytes_backwards_cost_little_memory() {
        let mut assembler = Assembler::chunked();
        for i in (1..100_000).rev() {
            assert_ne!(assembler.insert(i, &[i as u8]), Inserted::Refused);
        }
        let held: usize = assembler.pieces.values().map(BytesMut::capacity).sum();
        assert!(held < 400_000, "{held} bytes for 100,000");
        assert!(assembler.pieces.len() < 64, "{}", assembler.pieces.len());
        let _ = assembler.insert(0, &[0]);
        let all = read_all(&mut assembler, usize::MAX);
        assert!(all.iter().enumerate().all(|(i, b)| *b == i as u8) && all.len() == 100_000);
    }

    #[test]
    fn a_steady_reader_gets_large_chunks_without_an_allocation_for_each_packet() {
        let mut assembler = Assembler::chunked();
        let packet = [7; 1_400];
        for i in 0..1_000 {
            let _ = assembler.insert(i * 1_400, &packet);
        }
        let mut chunks = Vec::new();
        while let Some(chunk) = assembler.read(usize::MAX) {
            chunks.push(chunk.len());
        }
        assert_eq!(chunks.iter().sum::<usize>(), 1_400_000);
        assert!(chunks.len() < 40, "{chunks:?}");
    }

    #[test]
    fn a_whole_message_is_one_piece() {
        let mut assembler = Assembler::whole();
        for i in (0..100).rev() {
            let _ = assembler.insert(i * 1_000, &[i as u8; 1_000]);
        }
        assert_eq!(assembler.read(usize::MAX).unwrap().len(), 100_000);
    }

    #[test]
    fn offsets_near_the_end_of_numbers_do_no_harm() {
        let mut assembler = Assembler::chunked();
        let kept = assembler.insert((1 << 62) - 1, b"abc");
        assert_eq!(kept, Inserted::Accepted { readable_bytes: 0 });
        assert_eq!(assembler.read(10), None);
    }
}
