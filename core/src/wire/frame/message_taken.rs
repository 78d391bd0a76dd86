//! MESSAGE_TAKEN (protocol §5, §8.2): the application at the receiving side has taken messages, and keeps them where it
//! keeps any.
//!
//! A range, because an application that writes to a disk takes what came meanwhile in one step.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of MESSAGE_TAKEN.
pub(crate) const TYPE: u8 = 0x1B;

/// Messages with numbers in a row were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageTakenFrame {
    /// The first of them.
    pub first: u64,
    /// How many follow it.
    pub more: u64,
}

impl MessageTakenFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.first) + varint_len(self.more)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.first)?;
        w.put_varint(self.more)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            first: r.varint("MESSAGE_TAKEN first")?,
            more: r.varint("MESSAGE_TAKEN more")?,
        })
    }
}
