//! ANSWER (protocol §5, §8.1): level 1, what a service says to a REQUEST.
//!
//! Status 0 is success, 1 no such service, 2 refused; others belong to the service.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer, varint_len};

/// Type byte of ANSWER.
pub(crate) const TYPE: u8 = 0x0A;

/// One answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AnswerFrame<'a> {
    /// That of the request.
    pub reference: u64,
    /// How it went.
    pub status: u16,
    /// At most [`limits::REQUEST_BODY_BYTES`] bytes.
    pub body: &'a [u8],
}

impl<'a> AnswerFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        9 + varint_len(self.status as u64) + sized_len(self.body.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_u64(self.reference)?;
        w.put_varint(u64::from(self.status))?;
        w.put_sized(self.body)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            reference: r.u64("ANSWER reference")?,
            status: u16::try_from(r.varint("ANSWER status")?)
                .map_err(|_| DecodeError::new("ANSWER status", DecodeErrorKind::OutOfRange))?,
            body: r.bytes(limits::REQUEST_BODY_BYTES, "ANSWER body")?,
        })
    }
}
