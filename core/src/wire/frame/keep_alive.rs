//! KEEP_ALIVE (protocol §5, §9.5): the control message `ka`, never acknowledged.
//!
//! It has one spelling, so it is compared and not parsed.

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::writer::sized_len;
use crate::wire::{NoRoom, Reader, Writer};

/// Type byte of KEEP_ALIVE.
pub(crate) const TYPE: u8 = 0x04;

/// What it carries.
pub(crate) const JSON: &[u8] = br#"{"c":"ka"}"#;

/// Bytes of the whole frame.
pub(crate) const ENCODED_LEN: usize = 1 + sized_len(JSON.len());

/// Writes the whole frame or nothing.
///
/// # Errors
/// [`NoRoom`].
pub(crate) fn encode(w: &mut Writer<'_>) -> Result<(), NoRoom> {
    w.ensure(ENCODED_LEN)?;
    w.put_u8(TYPE)?;
    w.put_sized(JSON)
}

/// Reads what follows the type byte.
///
/// # Errors
/// `Truncated`, `TooLong`, or `NotCanonical` for any other text.
pub(crate) fn decode(r: &mut Reader<'_>) -> Result<(), DecodeError> {
    if r.bytes(JSON.len(), "KEEP_ALIVE json")? == JSON {
        Ok(())
    } else {
        Err(DecodeError::new(
            "KEEP_ALIVE json",
            DecodeErrorKind::NotCanonical,
        ))
    }
}
