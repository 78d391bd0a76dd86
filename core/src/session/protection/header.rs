//! The header of a data packet (protocol §4.1): layout, and truncated packet numbers (RFC 9000
//! §A.2, A.3). Takes numbers and buffers; pure arithmetic, no keys.

/// Fixed bits of a data packet's first byte.
pub(super) const FIRST_BYTE: u8 = 0b1100_0000;
/// The key phase.
pub(super) const PHASE_BIT: u8 = 0b0010_0000;
/// Bits that must be zero.
pub(super) const RESERVED_BITS: u8 = 0b0001_1100;
/// The bits that give the packet number's length less one.
pub(super) const LENGTH_BITS: u8 = 0b0000_0011;
/// Where the packet number begins: after the first byte and the index.
pub(super) const PN_OFFSET: usize = 5;
/// Where the sample for header protection begins; a packet has at least this much before its tag.
pub(super) const HEADER_MIN: usize = PN_OFFSET + 4;

/// Bytes that let a receiver restore `pn` who knows of `largest_acked`.
///
/// RFC 9000 §A.2 asks for room for twice the distance between the two; here it is eight times, so that a packet also
/// survives being overtaken by many (a change of path reorders), at the price of a second byte under load.
pub(super) const fn pn_len(pn: u64, largest_acked: Option<u64>) -> usize {
    let distance = match largest_acked {
        Some(acked) => pn.saturating_sub(acked),
        None => pn.saturating_add(1),
    };
    match distance {
        0..=0x20 => 1,
        0x21..=0x2000 => 2,
        0x2001..=0x20_0000 => 3,
        _ => 4,
    }
}

/// Writes a header; `None` where the buffer is too short.
pub(super) fn write(
    buffer: &mut [u8],
    first_byte: u8,
    index: u32,
    pn: u64,
    pn_len: usize,
) -> Option<usize> {
    let (first, rest) = buffer.split_first_mut()?;
    let (index_field, rest) = rest.split_first_chunk_mut::<4>()?;
    let pn_bytes = pn.to_be_bytes();
    let pn_bytes = pn_bytes.get(8usize.checked_sub(pn_len)?..)?;
    rest.get_mut(..pn_len)?.copy_from_slice(pn_bytes);
    *index_field = index.to_be_bytes();
    *first = first_byte | u8::try_from(pn_len.checked_sub(1)?).ok()? & LENGTH_BITS;
    Some(PN_OFFSET + pn_len)
}

/// Restores the packet number of a whole unprotected header (RFC 9000 §A.3).
pub(super) fn restore(header: &[u8], largest: Option<u64>) -> u64 {
    let field = header.get(PN_OFFSET..).unwrap_or_default();
    let truncated = field
        .iter()
        .fold(0u64, |pn, byte| pn << 8 | u64::from(*byte));
    let window = 1u64 << (8 * field.len().min(4));
    let expected = largest.map_or(0, |largest| largest.saturating_add(1));
    let candidate = expected & !(window - 1) | truncated;
    let half = window / 2;
    if candidate.saturating_add(half) <= expected {
        candidate.saturating_add(window)
    } else if candidate > expected.saturating_add(half) && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    fn restored(pn: u64, length: usize, largest: Option<u64>) -> u64 {
        let mut buffer = [0; 16];
        let written = write(&mut buffer, FIRST_BYTE, 7, pn, length).unwrap();
        restore(&buffer[..written], largest)
    }

    quickcheck! {
        fn a_packet_number_is_restored(acked: u64, ahead: u32, overtaken_by: u32) -> bool {
            // Whatever the receiver has got between the largest acknowledged and as far beyond as twice what was in
            // flight, the packet is recognised.
            let acked = acked >> 3;
            let ahead = u64::from(ahead) % (1 << 29) + 1;
            let pn = acked + ahead;
            let length = pn_len(pn, Some(acked));
            let newest = pn - 1 + u64::from(overtaken_by) % (2 * ahead);
            [acked, pn - 1, newest]
                .into_iter()
                .all(|largest| restored(pn, length, Some(largest)) == pn)
        }

        fn restoring_never_panics(field: Vec<u8>, largest: Option<u64>) -> bool {
            let field: Vec<u8> = field.into_iter().take(4).collect();
            let mut header = vec![0; PN_OFFSET];
            header.extend_from_slice(&field);
            // Packet numbers are varints: below 2^62.
            let pn = restore(&header, largest.map(|largest| largest >> 2));
            field.iter().rev().zip(pn.to_be_bytes().iter().rev()).all(|(sent, read)| sent == read)
        }
    }

    #[test]
    fn the_length_is_for_eight_times_the_distance() {
        assert_eq!(pn_len(0, None), 1);
        for (distance, length) in [
            (0, 1),
            (0x20, 1),
            (0x21, 2),
            (0x2000, 2),
            (0x2001, 3),
            (0x20_0000, 3),
            (0x20_0001, 4),
        ] {
            assert_eq!(pn_len(1_000 + distance, Some(1_000)), length);
        }
        assert_eq!(pn_len(u64::MAX, None), 4);
    }

    #[test]
    fn a_header_has_its_layout() {
        let mut buffer = [0; HEADER_MIN];
        let written = write(&mut buffer, FIRST_BYTE | PHASE_BIT, 0x0102_0304, 0xABCD, 2).unwrap();
        assert_eq!(buffer[..written], [0xE1, 1, 2, 3, 4, 0xAB, 0xCD]);
        assert_eq!(write(&mut buffer, FIRST_BYTE, 0, 0, 0), None);
        assert_eq!(write(&mut buffer, FIRST_BYTE, 0, 0, 9), None);
    }

    #[test]
    fn the_example_of_rfc_9000_a_3_holds() {
        let header = [0, 0, 0, 0, 0, 0x9b, 0x32];
        assert_eq!(restore(&header, Some(0xa82f_30ea)), 0xa82f_9b32);
    }

    #[test]
    fn short_buffers_are_refused() {
        for length in 0..9 {
            let mut buffer = vec![0; length];
            assert_eq!(write(&mut buffer, FIRST_BYTE, 1, 1, 4), None);
        }
        assert_eq!(write(&mut [0; 9], FIRST_BYTE, 1, 1, 4), Some(9));
    }
}
