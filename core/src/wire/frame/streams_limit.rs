//! STREAMS_LIMIT (protocol §5, §8.3; RFC 9000 §19.11): how many streams the receiver of the frame
//! may open.
//!
//! Cumulative over the association: the largest figure seen counts.

use crate::error::DecodeError;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of STREAMS_LIMIT.
pub(crate) const TYPE: u8 = 0x15;

/// Limit on the number of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StreamsLimitFrame {
    /// Streams that the receiver of this frame may have opened so far.
    pub streams: u64,
}

impl StreamsLimitFrame {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        1 + varint_len(self.streams)
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_varint(self.streams)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            streams: r.varint("STREAMS_LIMIT streams")?,
        })
    }
}
