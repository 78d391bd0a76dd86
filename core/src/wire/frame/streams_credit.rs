//! STREAMS_CREDIT (protocol §5, §8.3; RFC 9000 §19.9): how much all streams together may be
//! written.
//!
//! Cumulative over the association: the largest figure seen counts.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of STREAMS_CREDIT.
pub(crate) const TYPE: u8 = 0x14;

/// Credit for all streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamsCreditFrame {
    /// Sum of the highest offsets of all streams that may not be passed.
    pub total_bytes: u64,
}

impl StreamsCreditFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.total_bytes)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.total_bytes)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            total_bytes: r.varint("STREAMS_CREDIT total_bytes")?,
        })
    }
}
