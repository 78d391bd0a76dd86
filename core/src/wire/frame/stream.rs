//! STREAM (protocol §5, §8.3; RFC 9000 §19.8): level 3, bytes of a stream.
//!
//! The tag travels with the bytes at offset 0 of the side that opened the stream (flag OPEN),
//! so that no frame has to come first. FIN marks the last byte, and may come without any.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::tag::Tag;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, VARINT_MAX, Writer, put_tag, read_tag, tag_len, varint_len};

const FLAG_OPEN: u8 = 1;
const FLAG_FIN: u8 = 2;

/// Type byte of STREAM.
pub(crate) const TYPE: u8 = 0x10;

/// Some bytes of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamFrame<'a> {
    /// The stream.
    pub id: u64,
    /// Where in the stream the bytes begin.
    pub offset_bytes: u64,
    /// What it is for: present (flag OPEN) only at offset 0, from the side that opened
    /// the stream.
    pub tag: Option<Tag>,
    /// Whether the stream ends after `data`.
    pub fin: bool,
    /// The bytes.
    pub data: &'a [u8],
}

impl<'a> StreamFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        header_len(self.id, self.offset_bytes, self.tag) + sized_len(self.data.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        let open = if self.tag.is_some() { FLAG_OPEN } else { 0 };
        w.put_u8(open | if self.fin { FLAG_FIN } else { 0 })?;
        w.put_varint(self.id)?;
        w.put_varint(self.offset_bytes)?;
        if let Some(tag) = self.tag {
            put_tag(w, tag)?;
        }
        w.put_sized(self.data)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let out_of_range = |field| DecodeError::new(field, DecodeErrorKind::OutOfRange);
        let flags = r.u8("STREAM flags")?;
        if flags & !(FLAG_OPEN | FLAG_FIN) != 0 {
            return Err(out_of_range("STREAM flags"));
        }
        let id = r.varint("STREAM id")?;
        let offset_bytes = r.varint("STREAM offset")?;
        let tag = if flags & FLAG_OPEN == 0 {
            None
        } else if offset_bytes == 0 {
            Some(read_tag(r, "STREAM tag")?)
        } else {
            return Err(out_of_range("STREAM flags"));
        };
        let data = r.bytes(usize::MAX, "STREAM length")?;
        if offset_bytes + data.len() as u64 > VARINT_MAX {
            return Err(out_of_range("STREAM offset"));
        }
        Ok(Self {
            id,
            offset_bytes,
            tag,
            fin: flags & FLAG_FIN != 0,
            data,
        })
    }
}

/// Bytes before the length field, the type byte among them.
#[must_use]
pub(crate) const fn header_len(id: u64, offset_bytes: u64, tag: Option<Tag>) -> usize {
    let tag_bytes = match tag {
        Some(tag) => tag_len(tag),
        None => 0,
    };
    2 + varint_len(id) + varint_len(offset_bytes) + tag_bytes
}
