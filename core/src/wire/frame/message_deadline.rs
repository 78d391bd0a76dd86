//! MESSAGE_DEADLINE (protocol §5, §8.2): how long the message of the MESSAGE frame behind it in the packet is still of
//! use.
//!
//! A span, not a time: both sides have clocks of their own.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of MESSAGE_DEADLINE.
pub(crate) const TYPE: u8 = 0x0F;

/// What is left of a message's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageDeadlineFrame {
    /// The message.
    pub id: u64,
    /// Milliseconds from the sending of the packet.
    pub life_ms: u64,
}

impl MessageDeadlineFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.id) + varint_len(self.life_ms)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.id)?;
        w.put_varint(self.life_ms)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: r.varint("MESSAGE_DEADLINE id")?,
            life_ms: r.varint("MESSAGE_DEADLINE life")?,
        })
    }
}
