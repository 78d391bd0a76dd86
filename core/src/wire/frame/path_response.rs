//! PATH_RESPONSE (protocol §5, §9.2; RFC 9000 §8.2): echoes the bytes of a challenge.
//!
//! Never acknowledged and never repeated by loss detection; the paths repeat with fresh bytes.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer};

/// Type byte of PATH_RESPONSE.
pub(crate) const TYPE: u8 = 0x06;

/// The 8 bytes that came with the challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathResponseFrame {
    /// As they came.
    pub data: [u8; 8],
}

impl PathResponseFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        9
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_bytes(&self.data)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// `Truncated`.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            data: r.array("PATH_RESPONSE data")?,
        })
    }
}
