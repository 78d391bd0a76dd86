//! RELAY (protocol §5, §9.1, §10.2): a datagram on its way through a relay, which does not read it.
//!
//! Not ack-eliciting: what it carries has its own loss detection end to end.

use crate::error::DecodeError;
use crate::limits;
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer};

/// Bytes around a datagram of up to 63 bytes; one more around longer ones.
pub(crate) const OVERHEAD_MIN: usize = 6;

/// Type byte of RELAY.
pub(crate) const TYPE: u8 = 0x16;

/// One datagram of a relay channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RelayFrame<'a> {
    /// The channel's number at this end.
    pub channel: u32,
    /// The datagram.
    pub datagram: &'a [u8],
}

impl<'a> RelayFrame<'a> {
    /// Bytes of the whole frame.
    #[must_use]
    pub(crate) const fn encoded_len(&self) -> usize {
        OVERHEAD_MIN - 1 + sized_len(self.datagram.len())
    }

    /// Writes the whole frame or nothing.
    ///
    /// # Errors
    /// [`NoRoom`].
    pub(crate) fn encode(&self, w: &mut Writer<'_>) -> Result<(), NoRoom> {
        w.ensure(self.encoded_len())?;
        w.put_u8(TYPE)?;
        w.put_u32(self.channel)?;
        w.put_sized(self.datagram)
    }

    /// Reads what follows the type byte.
    ///
    /// # Errors
    /// The first field that does not decode.
    pub(crate) fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            channel: r.u32("RELAY channel")?,
            datagram: r.bytes(limits::MAX_DATAGRAM_BYTES, "RELAY length")?,
        })
    }
}
