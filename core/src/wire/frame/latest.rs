//! LATEST (protocol §5, §8.7): one value of a key, of which only the newest counts.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of LATEST.
pub(crate) const TYPE: u8 = 0x0E;

/// One value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LatestFrame<'a> {
    /// Counted up by the sender over all its keys; a larger one is newer.
    pub version: u64,
    /// 1 to [`limits::LATEST_KEY_BYTES`] bytes.
    pub key: &'a str,
    /// At most [`limits::LATEST_VALUE_BYTES`] bytes.
    pub value: &'a [u8],
}

impl<'a> LatestFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.version) + sized_len(self.key.len()) + sized_len(self.value.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.version)?;
        w.put_sized(self.key.as_bytes())?;
        w.put_sized(self.value)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let frame = Self {
            version: r.varint("LATEST version")?,
            key: r.text(limits::LATEST_KEY_BYTES, "LATEST key")?,
            value: r.bytes(limits::LATEST_VALUE_BYTES, "LATEST value")?,
        };
        if frame.key.is_empty() {
            return Err(DecodeError::new("LATEST key", DecodeErrorKind::OutOfRange));
        }
        Ok(frame)
    }
}
