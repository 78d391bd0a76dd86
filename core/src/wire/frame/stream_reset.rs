//! STREAM_RESET (protocol §5, §8.3; RFC 9000 §19.4): the sender abandons its half of a stream.
//!
//! The final size settles the flow-control account of bytes that will never come.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of STREAM_RESET.
pub(crate) const TYPE: u8 = 0x11;

/// A sending half is abandoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamResetFrame {
    /// The stream.
    pub id: u64,
    /// The application's reason.
    pub code: u64,
    /// How many bytes the half has in the end.
    pub final_size_bytes: u64,
}

impl StreamResetFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.id) + varint_len(self.code) + varint_len(self.final_size_bytes)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.id)?;
        w.put_varint(self.code)?;
        w.put_varint(self.final_size_bytes)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: r.varint("STREAM_RESET id")?,
            code: r.varint("STREAM_RESET code")?,
            final_size_bytes: r.varint("STREAM_RESET final_size_bytes")?,
        })
    }
}
