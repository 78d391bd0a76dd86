//! PING (protocol §5; RFC 9000 §19.2): asks for an acknowledgement, nothing else.
//!
//! It measures a round trip, confirms the keys of a new session, and probes for lost tails.

use crate::wire::{NoRoom, Writer};

/// Type byte of PING.
pub(crate) const TYPE: u8 = 0x01;

/// Bytes of the whole frame.
#[cfg(test)]
pub(crate) const ENCODED_LEN: usize = 1;

/// Writes the frame.
///
/// # Errors
/// [`NoRoom`].
pub(crate) fn encode(w: &mut Writer<'_>) -> Result<(), NoRoom> {
    w.put_u8(TYPE)
}
