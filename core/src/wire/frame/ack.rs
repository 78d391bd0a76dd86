//! ACK and ACK_ECN (protocol §5, §7; RFC 9000 §19.3): which packets arrived, newest first, and with which marks.
//!
//! Ranges are pairs (smallest, largest), both inclusive, in descending order with at least one
//! packet missing between two. The whole frame is checked when it is decoded (no range below packet
//! 0, at most [`limits::ACK_RANGES`]), so that [`AckFrame::ranges`] cannot fail and holds no
//! memory.

use crate::ecn::EcnCounts;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of ACK.
pub(crate) const TYPE: u8 = 0x02;
/// Type byte of ACK_ECN, an ACK that counts of marks follow.
pub(crate) const TYPE_ECN: u8 = 0x1E;

/// An inclusive range of packet numbers: (smallest, largest).
pub(crate) type Range = (u64, u64);

/// A decoded acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AckFrame<'a> {
    /// Newest packet number acknowledged.
    pub largest: u64,
    /// How long the receiver held it back, µs.
    pub delay_us: u64,
    /// Packets received with each mark so far; none where there was no mark.
    pub ecn: Option<EcnCounts>,
    first_range: u64,
    more_ranges: u64,
    /// (gap, range) pairs, checked.
    pairs: &'a [u8],
}

impl<'a> AckFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.largest)
            + varint_len(self.delay_us)
            + varint_len(self.more_ranges)
            + varint_len(self.first_range)
            + self.pairs.len()
            + counts_len(self.ecn.as_ref())
    }

    /// Writes the whole frame or nothing, as it was decoded; to make one, see [`encode_ranges`].
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(frame_type(self.ecn.as_ref()))?;
        w.put_varint(self.largest)?;
        w.put_varint(self.delay_us)?;
        w.put_varint(self.more_ranges)?;
        w.put_varint(self.first_range)?;
        w.put_bytes(self.pairs)?;
        put_counts(w, self.ecn.as_ref())
    }

    /// Reads what follows the type byte of ACK_ECN.
    ///
    /// # Errors
    /// As [`Self::decode`].
    pub(crate) fn decode_ecn(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let ack = Self::decode(r)?;
        let ecn = EcnCounts {
            ect0: r.varint("ACK ECT(0)")?,
            ect1: r.varint("ACK ECT(1)")?,
            ce: r.varint("ACK CE")?,
        };
        Ok(Self {
            ecn: Some(ecn),
            ..ack
        })
    }

    /// Reads what follows the type byte of ACK.
    ///
    /// # Errors
    /// The first field that does not decode; `OutOfRange` for a range that would begin below packet
    /// 0; `TooLong` for too many ranges.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let largest = r.varint("ACK largest")?;
        let delay_us = r.varint("ACK delay")?;
        let more_ranges = r.varint("ACK range count")?;
        if more_ranges >= limits::ACK_RANGES as u64 {
            return Err(DecodeError::new(
                "ACK range count",
                DecodeErrorKind::TooLong,
            ));
        }
        let first_range = r.varint("ACK first range")?;
        let mut smallest = largest.checked_sub(first_range).ok_or(below_zero())?;
        let start = r.rest();
        for _ in 0..more_ranges {
            (smallest, _) = next_range(r, smallest)?;
        }
        let pairs = start.get(..start.len() - r.remaining()).unwrap_or_default();
        Ok(Self {
            largest,
            delay_us,
            ecn: None,
            first_range,
            more_ranges,
            pairs,
        })
    }

    /// The ranges, newest first.
    #[must_use]
    pub(crate) const fn ranges(&self) -> Ranges<'a> {
        Ranges {
            first: Some((self.largest - self.first_range, self.largest)),
            smallest: self.largest - self.first_range,
            pairs: Reader::new(self.pairs),
        }
    }
}

/// Reads a (gap, range) pair below `smallest`.
fn next_range(r: &mut Reader<'_>, smallest: u64) -> Result<Range, DecodeError> {
    let gap = r.varint("ACK gap")?;
    let range = r.varint("ACK range")?;
    let largest = smallest.checked_sub(gap + 2).ok_or(below_zero())?;
    let smallest = largest.checked_sub(range).ok_or(below_zero())?;
    Ok((smallest, largest))
}

const fn below_zero() -> DecodeError {
    DecodeError::new("ACK range", DecodeErrorKind::OutOfRange)
}

/// The ranges of an [`AckFrame`], newest first.
#[derive(Clone, Debug)]
pub(crate) struct Ranges<'a> {
    first: Option<Range>,
    smallest: u64,
    pairs: Reader<'a>,
}

impl Iterator for Ranges<'_> {
    type Item = Range;

    fn next(&mut self) -> Option<Range> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let range = next_range(&mut self.pairs, self.smallest).ok()?;
        self.smallest = range.0;
        Some(range)
    }
}

const fn frame_type(ecn: Option<&EcnCounts>) -> u8 {
    if ecn.is_some() { TYPE_ECN } else { TYPE }
}

const fn counts_len(ecn: Option<&EcnCounts>) -> usize {
    match ecn {
        Some(counts) => varint_len(counts.ect0) + varint_len(counts.ect1) + varint_len(counts.ce),
        None => 0,
    }
}

fn put_counts(w: &mut Writer<'_>, ecn: Option<&EcnCounts>) -> Result<(), NoRoom> {
    let Some(counts) = ecn else { return Ok(()) };
    w.put_varint(counts.ect0)?;
    w.put_varint(counts.ect1)?;
    w.put_varint(counts.ce)
}

/// Writes an ACK (with counts of marks an ACK_ECN) with as many of `ranges` (newest first, with gaps between them) as
/// fit the room and [`limits::ACK_RANGES`]; returns how many. The delay is in µs. Ranges out of order end the frame
/// early.
///
/// # Errors
/// [`NoRoom`] where not even the first one fits, or there is none; nothing is written then.
pub(crate) fn encode_ranges(
    w: &mut Writer<'_>,
    delay_us: u64,
    ranges: &[Range],
    ecn: Option<&EcnCounts>,
) -> Result<usize, NoRoom> {
    let (first, rest) = ranges.split_first().ok_or(NoRoom)?;
    let (smallest, largest) = *first;
    let first_range = largest.checked_sub(smallest).ok_or(NoRoom)?;
    // The count has one byte because the limit on ranges is below 64 more ones.
    const { assert!(limits::ACK_RANGES <= 64) };
    let fixed = 2 + varint_len(largest) + varint_len(delay_us) + varint_len(first_range);
    let fixed = fixed + counts_len(ecn);
    let mut room = w.remaining().checked_sub(fixed).ok_or(NoRoom)?;
    let more = pairs(smallest, rest)
        .take(limits::ACK_RANGES - 1)
        .take_while(|(gap, range)| {
            let len = varint_len(*gap) + varint_len(*range);
            let fits = len <= room;
            room = room.saturating_sub(len);
            fits
        })
        .count();
    w.put_u8(frame_type(ecn))?;
    w.put_varint(largest)?;
    w.put_varint(delay_us)?;
    w.put_varint(more as u64)?;
    w.put_varint(first_range)?;
    for (gap, range) in pairs(smallest, rest).take(more) {
        w.put_varint(gap)?;
        w.put_varint(range)?;
    }
    put_counts(w, ecn)?;
    Ok(1 + more)
}

/// The (gap, range) pairs for `ranges` below `smallest`; ends where they are not descending.
fn pairs(smallest: u64, ranges: &[Range]) -> impl Iterator<Item = (u64, u64)> {
    ranges.iter().scan(smallest, |below, (smallest, largest)| {
        let gap = below.checked_sub(*largest)?.checked_sub(2)?;
        let range = largest.checked_sub(*smallest)?;
        *below = *smallest;
        Some((gap, range))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Vec<Range>, DecodeError> {
        AckFrame::decode(&mut Reader::new(bytes)).map(|ack| ack.ranges().collect())
    }

    #[test]
    fn ranges_survive_and_the_oldest_give_way() {
        let ranges: Vec<Range> = (0..100u64).rev().map(|i| (i * 10, i * 10 + 3)).collect();
        let mut buffer = [0; 400];
        for room in 0..buffer.len() {
            let mut w = Writer::new(&mut buffer[..room]);
            let Ok(count) = encode_ranges(&mut w, 77, &ranges, None) else {
                assert!(w.is_empty() && room < 7);
                continue;
            };
            assert!(count <= limits::ACK_RANGES);
            assert_eq!(decode(&w.written()[1..]).as_deref(), Ok(&ranges[..count]));
        }
    }

    #[test]
    fn counts_follow_the_ranges_and_take_room_from_them() {
        let counts = EcnCounts {
            ect0: 20_000,
            ect1: 0,
            ce: 70,
        };
        let ranges: Vec<Range> = (0..9u64).rev().map(|i| (i * 10, i * 10 + 3)).collect();
        let mut buffer = [0; 64];
        for room in 0..buffer.len() {
            let mut w = Writer::new(&mut buffer[..room]);
            let Ok(count) = encode_ranges(&mut w, 7, &ranges, Some(&counts)) else {
                assert!(w.is_empty() && room < 13);
                continue;
            };
            let bytes = w.written();
            let ack = AckFrame::decode_ecn(&mut Reader::new(&bytes[1..])).unwrap();
            assert_eq!((bytes[0], ack.ecn), (TYPE_ECN, Some(counts)));
            assert_eq!(ack.encoded_len(), bytes.len());
            assert!(ack.ranges().eq(ranges[..count].iter().copied()));
            assert!(AckFrame::decode_ecn(&mut Reader::new(&bytes[1..bytes.len() - 1])).is_err());
        }
    }

    #[test]
    fn a_range_below_packet_zero_is_refused() {
        assert_eq!(decode(&[5, 0, 0, 5]), Ok(vec![(0, 5)]));
        assert_eq!(decode(&[5, 0, 0, 6]), Err(below_zero()));
        assert_eq!(decode(&[5, 0, 1, 3, 0, 0]), Ok(vec![(2, 5), (0, 0)]));
        assert_eq!(decode(&[5, 0, 1, 3, 1, 0]), Err(below_zero()));
        assert_eq!(decode(&[5, 0, 1, 3, 0, 1]), Err(below_zero()));
    }

    #[test]
    fn a_declared_count_costs_nothing() {
        let error = decode(&[5, 0, 0x40, 64, 0]).map_err(|e| e.kind);
        assert_eq!(error, Err(DecodeErrorKind::TooLong));
    }
}
