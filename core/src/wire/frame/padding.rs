//! PADDING (protocol §5): zeros that make a packet longer, with their length, so that a cut shows.
//!
//! One frame has 2 bytes at least, and no frame has exactly 66, 16,387 or 16,388 bytes because of
//! the steps of its length field; [`fill`] uses two frames there.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::writer::{payload_room, sized_len};
use crate::wire::{NoRoom, Reader, Writer};

/// Type byte of PADDING.
pub(crate) const TYPE: u8 = 0x00;

/// Shortest frame, bytes.
pub(crate) const ENCODED_LEN_MIN: usize = 2;

/// Some zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PaddingFrame {
    /// How many zeros follow the length.
    pub zeros: usize,
}

impl PaddingFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + sized_len(self.zeros)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.zeros as u64)?;
        w.reserve(self.zeros)?.fill(0);
        Ok(())
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// `Truncated`, `TooLong`, or `NotCanonical` where a byte is not zero.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let zeros = r.bytes(usize::MAX, "PADDING length")?;
        if zeros.iter().any(|byte| *byte != 0) {
            return Err(DecodeError::new("PADDING", DecodeErrorKind::NotCanonical));
        }
        Ok(Self { zeros: zeros.len() })
    }
}

/// Pads with exactly `total_bytes` of whole frames; 0 writes nothing.
///
/// # Errors
/// [`NoRoom`] where so many are not left, and for a single byte, which no frame fills.
pub(crate) fn fill(w: &mut Writer<'_>, total_bytes: usize) -> Result<(), NoRoom> {
    w.ensure(total_bytes)?;
    let mut left = total_bytes;
    while left > 0 {
        let zeros = left.checked_sub(1).and_then(payload_room).ok_or(NoRoom)?;
        let frame = PaddingFrame { zeros };
        // Never leave a single byte over: give up as much as another frame needs.
        let frame = match left - frame.encoded_len() {
            1 => PaddingFrame {
                zeros: zeros - ENCODED_LEN_MIN,
            },
            _ => frame,
        };
        left -= frame.encoded_len();
        frame.encode(w)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{self, Frame};

    #[test]
    fn any_number_of_bytes_but_one_is_filled() {
        let mut buffer = [0xFF; 17_000];
        for total in (0..1_500).chain(16_300..16_500) {
            let mut w = Writer::new(&mut buffer);
            assert_eq!(fill(&mut w, total).is_ok(), total != 1, "{total}");
            if total != 1 {
                assert_eq!(w.len(), total);
                assert!(frame::iter(w.written()).all(|f| matches!(f, Ok(Frame::Padding(_)))));
            }
        }
    }
}
