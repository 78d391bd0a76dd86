//! The header of a data packet (protocol §4.1): layout, and truncated packet numbers (RFC 9000
//! §A.2, A.3). Told numbers and buffers; pure arithmetic, no keys.

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

/// Bytes that let a receiver restore `pn` who knows of `largest_acked` (RFC 9000 §A.2).
pub(super) fn pn_len(pn: u64, largest_acked: Option<u64>) -> usize {
    let unacked = largest_acked.map_or(pn.saturating_add(1), |acked| pn.saturating_sub(acked));
    match unacked {
        0..0x80 => 1,
        0x80..0x8000 => 2,
        0x8000..0x80_0000 => 3,
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

    quickcheck! {
        fn a_truncated_number_is_restored(acked: u32, ahead: u32, behind: u8) -> bool {
            let acked = u64::from(acked);
            let pn = acked + 1 + u64::from(ahead % 0x40_0000);
            let length = pn_len(pn, Some(acked));
            let mut buffer = [0; 16];
            let written = write(&mut buffer, FIRST_BYTE, 7, pn, length).unwrap();
            // The receiver has at least what it acknowledged, and at most what was sent.
            let received = pn.saturating_sub(1 + u64::from(behind)).max(acked);
            restore(&buffer[..written], Some(received)) == pn
                && restore(&buffer[..written], Some(acked)) == pn
        }
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
