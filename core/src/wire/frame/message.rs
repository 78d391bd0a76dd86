//! MESSAGE (protocol §5, §8.2): level 2, one fragment of a message.
//!
//! Every fragment has the tag and the total length, so that fragments may come in any order.
//! Whether the total is within the credit is decided by the level; here only a fragment beyond its
//! own total is refused.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::tag::Tag;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer, put_tag, read_tag, tag_len, varint_len};

/// Type byte of MESSAGE.
pub(crate) const TYPE: u8 = 0x0B;

/// One fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageFrame<'a> {
    /// The message.
    pub id: u64,
    /// What it is for.
    pub tag: Tag,
    /// Length of the whole message.
    pub total_bytes: u64,
    /// Where in the message the fragment begins.
    pub offset_bytes: u64,
    /// The fragment.
    pub data: &'a [u8],
}

impl<'a> MessageFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        header_len(self.id, self.tag, self.total_bytes, self.offset_bytes)
            + sized_len(self.data.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.id)?;
        put_tag(w, self.tag)?;
        w.put_varint(self.total_bytes)?;
        w.put_varint(self.offset_bytes)?;
        w.put_sized(self.data)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let frame = Self {
            id: r.varint("MESSAGE id")?,
            tag: read_tag(r, "MESSAGE tag")?,
            total_bytes: r.varint("MESSAGE total length")?,
            offset_bytes: r.varint("MESSAGE offset")?,
            data: r.bytes(usize::MAX, "MESSAGE length")?,
        };
        if frame.offset_bytes + frame.data.len() as u64 > frame.total_bytes {
            return Err(DecodeError::new(
                "MESSAGE offset",
                DecodeErrorKind::OutOfRange,
            ));
        }
        Ok(frame)
    }
}

/// Bytes before the length field, the type byte among them.
#[must_use]
pub(crate) const fn header_len(id: u64, tag: Tag, total_bytes: u64, offset_bytes: u64) -> usize {
    1 + varint_len(id) + tag_len(tag) + varint_len(total_bytes) + varint_len(offset_bytes)
}
