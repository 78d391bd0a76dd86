//! STREAM_TAKEN (protocol §5, §8.3): the application at the receiving side has read all bytes and the end.
//!
//! QUIC has no such frame: there an application says so itself, in bytes of its own.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of STREAM_TAKEN.
pub(crate) const TYPE: u8 = 0x1A;

/// A receiving half was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamTakenFrame {
    /// The stream.
    pub id: u64,
}

impl StreamTakenFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.id)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.id)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = r.varint("STREAM_TAKEN id")?;
        Ok(Self { id })
    }
}
