//! CONTROL (protocol §5, §6): one control message, which is JSON.
//!
//! The frame carries the bytes; [`crate::wire::control`] reads them.

use crate::error::DecodeError;
use crate::limits;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer};

/// Type byte of CONTROL.
pub(crate) const TYPE: u8 = 0x03;

/// One control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ControlFrame<'a> {
    /// JSON of at most [`limits::CONTROL_BYTES`]; not looked at here.
    pub json: &'a [u8],
}

impl<'a> ControlFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + sized_len(self.json.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_sized(self.json)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            json: r.bytes(limits::CONTROL_BYTES, "CONTROL length")?,
        })
    }
}
