//! SERVICE_NAME (protocol §5, §5.1): the name that a number stands for in the frames behind it.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of SERVICE_NAME.
pub(crate) const TYPE: u8 = 0x19;

/// A number and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ServiceNameFrame<'a> {
    /// Below [`limits::SERVICE_NAMES`].
    pub number: u32,
    /// 1 to [`limits::SERVICE_NAME_BYTES`] bytes.
    pub name: &'a str,
}

impl<'a> ServiceNameFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.number as u64) + sized_len(self.name.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(u64::from(self.number))?;
        w.put_sized(self.name.as_bytes())
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let frame = Self {
            number: r.varint_u32("SERVICE_NAME number")?,
            name: r.text(limits::SERVICE_NAME_BYTES, "SERVICE_NAME name")?,
        };
        if frame.name.is_empty() {
            let kind = DecodeErrorKind::OutOfRange;
            return Err(DecodeError::new("SERVICE_NAME name", kind));
        }
        Ok(frame)
    }
}
