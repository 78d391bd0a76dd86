//! DATAGRAM (protocol §5, §8.4; RFC 9221): level 0, never fragmented or repeated.
//!
//! Ack-eliciting because congestion control counts it.

use crate::error::DecodeError;
use crate::limits;
use crate::tag::Tag;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer, put_tag, read_tag, tag_len};

/// Type byte of DATAGRAM.
pub(crate) const TYPE: u8 = 0x08;

/// One datagram of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatagramFrame<'a> {
    /// What it is for.
    pub tag: Tag,
    /// At most [`limits::DATAGRAM_BODY_BYTES`] bytes.
    pub data: &'a [u8],
}

impl<'a> DatagramFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + tag_len(self.tag) + sized_len(self.data.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        put_tag(w, self.tag)?;
        w.put_sized(self.data)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            tag: read_tag(r, "DATAGRAM tag")?,
            data: r.bytes(limits::DATAGRAM_BODY_BYTES, "DATAGRAM length")?,
        })
    }
}
