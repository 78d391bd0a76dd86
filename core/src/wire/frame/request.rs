//! REQUEST (protocol §5, §8.1): level 1, a question to a service of the peer.
//!
//! Repeated by its own clock until ANSWER comes with the same reference.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer};

/// Type byte of REQUEST.
pub(crate) const TYPE: u8 = 0x09;

/// One question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestFrame<'a> {
    /// Random; comes back in the answer.
    pub reference: u64,
    /// At most [`limits::SERVICE_NAME_BYTES`] bytes.
    pub service: &'a str,
    /// How many times the receiver may hand the request on, 0 to [`limits::FORWARD_BUDGET`].
    pub budget: u8,
    /// At most [`limits::REQUEST_BODY_BYTES`] bytes.
    pub body: &'a [u8],
}

impl<'a> RequestFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        10 + sized_len(self.service.len()) + sized_len(self.body.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_u64(self.reference)?;
        w.put_sized(self.service.as_bytes())?;
        w.put_u8(self.budget)?;
        w.put_sized(self.body)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            reference: r.u64("REQUEST reference")?,
            service: r.text(limits::SERVICE_NAME_BYTES, "REQUEST service")?,
            budget: budget(r)?,
            body: r.bytes(limits::REQUEST_BODY_BYTES, "REQUEST body")?,
        })
    }
}

fn budget(r: &mut Reader<'_>) -> Result<u8, DecodeError> {
    let budget = r.u8("REQUEST budget")?;
    if budget > limits::FORWARD_BUDGET {
        return Err(DecodeError::new(
            "REQUEST budget",
            DecodeErrorKind::OutOfRange,
        ));
    }
    Ok(budget)
}
