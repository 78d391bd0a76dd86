//! CLOSE (protocol §5): the connection is over; nothing is answered.
//!
//! Code 0 is a goodbye; the others are those of [`crate::error::PeerMisbehaved`].

use crate::error::DecodeError;
use crate::limits;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of CLOSE.
pub(crate) const TYPE: u8 = 0x07;

/// The connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CloseFrame<'a> {
    /// 0, or which rule was broken.
    pub code: u64,
    /// For a human; at most [`limits::CLOSE_REASON_BYTES`] bytes.
    pub reason: &'a str,
}

impl<'a> CloseFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.code) + sized_len(self.reason.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.code)?;
        w.put_sized(self.reason.as_bytes())
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            code: r.varint("CLOSE code")?,
            reason: r.text(limits::CLOSE_REASON_BYTES, "CLOSE reason")?,
        })
    }
}
