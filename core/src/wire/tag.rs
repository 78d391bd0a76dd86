//! Topic and flags as two varints (protocol §5.1).

use super::{NoRoom, Reader, Writer, varint_len};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::tag::{Tag, Topic};

/// Bytes of a tag.
#[must_use]
pub(crate) const fn tag_len(tag: Tag) -> usize {
    let [topic, flags] = tag.numbers();
    varint_len(topic) + varint_len(flags)
}

/// Writes a tag.
pub(crate) fn put_tag(w: &mut Writer<'_>, tag: Tag) -> Result<(), NoRoom> {
    let [topic, flags] = tag.numbers();
    w.put_varint(topic)?;
    w.put_varint(flags)
}

/// Reads a tag.
///
/// # Errors
/// The field does not decode, or holds more than 32 bits.
pub(crate) fn read_tag(r: &mut Reader<'_>, field: &'static str) -> Result<Tag, DecodeError> {
    let topic = Topic::from_wire(r.varint(field)?);
    Ok(Tag {
        topic: topic.ok_or(DecodeError::new(field, DecodeErrorKind::OutOfRange))?,
        flags: r.varint_u32(field)?,
    })
}
