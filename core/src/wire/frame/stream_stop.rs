//! STREAM_STOP (protocol §5, §8.3; RFC 9000 §19.5): the receiver wants no more of a stream.
//!
//! The sender answers with STREAM_RESET unless it has finished.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of STREAM_STOP.
pub(crate) const TYPE: u8 = 0x12;

/// A receiving half wants no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamStopFrame {
    /// The stream.
    pub id: u64,
    /// The application's reason.
    pub code: u64,
}

impl StreamStopFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.id) + varint_len(self.code)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.id)?;
        w.put_varint(self.code)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: r.varint("STREAM_STOP id")?,
            code: r.varint("STREAM_STOP code")?,
        })
    }
}
