//! MESSAGE_ABANDON (protocol §5, §8.2): either side gives a message up.
//!
//! From the sender of the message it means that no more fragments come, from the receiver that it
//! wants no more. Both sides count ids for themselves, so [`MessageAbandonFrame::id`] alone names
//! two messages; the level tells them apart by what it has open.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of MESSAGE_ABANDON.
pub(crate) const TYPE: u8 = 0x0C;

/// One message is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageAbandonFrame {
    /// The message.
    pub id: u64,
}

impl MessageAbandonFrame {
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
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: r.varint("MESSAGE_ABANDON id")?,
        })
    }
}
