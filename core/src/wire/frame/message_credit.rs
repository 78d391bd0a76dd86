//! MESSAGE_CREDIT (protocol §5, §8.2): what the peer may have begun since the association exists.
//!
//! Both figures are cumulative, so that a lost or reordered frame does no harm: the largest one
//! counts.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of MESSAGE_CREDIT.
pub(crate) const TYPE: u8 = 0x0D;

/// Credit for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageCreditFrame {
    /// Sum of the total lengths of all messages that may be begun.
    pub total_bytes: u64,
    /// Number of messages that may be begun.
    pub total_messages: u64,
}

impl MessageCreditFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.total_bytes) + varint_len(self.total_messages)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.total_bytes)?;
        w.put_varint(self.total_messages)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            total_bytes: r.varint("MESSAGE_CREDIT total_bytes")?,
            total_messages: r.varint("MESSAGE_CREDIT total_messages")?,
        })
    }
}
