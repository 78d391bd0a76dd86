//! STREAM_CREDIT (protocol §5, §8.3; RFC 9000 §19.10): how far one stream may be written.
//!
//! Cumulative: the largest figure seen counts.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of STREAM_CREDIT.
pub(crate) const TYPE: u8 = 0x13;

/// Credit for one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamCreditFrame {
    /// The stream.
    pub id: u64,
    /// Offset that may not be passed.
    pub total_bytes: u64,
}

impl StreamCreditFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.id) + varint_len(self.total_bytes)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.id)?;
        w.put_varint(self.total_bytes)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: r.varint("STREAM_CREDIT id")?,
            total_bytes: r.varint("STREAM_CREDIT total_bytes")?,
        })
    }
}
