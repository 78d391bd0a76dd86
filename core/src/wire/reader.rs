//! A cursor over received bytes that cannot panic.
//!
//! Takes a byte slice; each call names the field it reads, and the name comes back in the error.
//! Integers are big endian; varints are those of RFC 9000 §16 in their shortest spelling only
//! (protocol, preamble).

use crate::error::{DecodeError, DecodeErrorKind};

use super::writer::varint_len;

/// The bytes not yet read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first of `bytes`.
    #[must_use]
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    #[must_use]
    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether nothing is left.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The bytes not yet read, which stay unread.
    #[must_use]
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Refuses bytes that are left over.
    ///
    /// # Errors
    /// `TrailingBytes`.
    #[cfg(test)]
    pub(crate) const fn finish(self, field: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(DecodeError::new(field, DecodeErrorKind::TrailingBytes))
        }
    }

    /// Takes the next `len` bytes.
    ///
    /// # Errors
    /// `Truncated`.
    #[inline]
    pub(crate) const fn take(
        &mut self,
        len: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeError::new(field, DecodeErrorKind::Truncated)),
        }
    }

    /// Takes the next `N` bytes by value.
    ///
    /// # Errors
    /// `Truncated`.
    #[inline]
    pub(crate) const fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(DecodeError::new(field, DecodeErrorKind::Truncated)),
        }
    }

    /// Reads one byte.
    ///
    /// # Errors
    /// `Truncated`.
    #[inline]
    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array::<1>(field).map(|[byte]| byte)
    }

    /// Reads two bytes, big endian.
    ///
    /// # Errors
    /// `Truncated`.
    #[inline]
    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Reads four bytes, big endian.
    ///
    /// # Errors
    /// `Truncated`.
    #[inline]
    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Reads eight bytes, big endian.
    ///
    /// # Errors
    /// `Truncated`.
    #[inline]
    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// Reads a variable-length integer, smaller than 2^62.
    ///
    /// # Errors
    /// `Truncated`; `NotCanonical` where a shorter spelling exists.
    #[inline]
    pub(crate) fn varint(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let Some(first) = self.rest.first() else {
            return Err(DecodeError::new(field, DecodeErrorKind::Truncated));
        };
        let (value, len) = match first >> 6 {
            0 => (u64::from(self.u8(field)?), 1),
            1 => (u64::from(self.u16(field)? & 0x3FFF), 2),
            2 => (u64::from(self.u32(field)? & 0x3FFF_FFFF), 4),
            _ => (self.u64(field)? & 0x3FFF_FFFF_FFFF_FFFF, 8),
        };
        if varint_len(value) == len {
            Ok(value)
        } else {
            Err(DecodeError::new(field, DecodeErrorKind::NotCanonical))
        }
    }

    /// Reads a varint that fits 32 bits, such as a channel.
    ///
    /// # Errors
    /// As [`Reader::varint`], and `OutOfRange`.
    #[inline]
    pub(crate) fn varint_u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        u32::try_from(self.varint(field)?)
            .map_err(|_| DecodeError::new(field, DecodeErrorKind::OutOfRange))
    }

    /// Reads a length varint of at most `limit_bytes`, then so many bytes.
    ///
    /// # Errors
    /// As [`Reader::varint`], and `TooLong`.
    #[inline]
    pub(crate) fn bytes(
        &mut self,
        limit_bytes: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let len = usize::try_from(self.varint(field)?)
            .ok()
            .filter(|len| *len <= limit_bytes)
            .ok_or(DecodeError::new(field, DecodeErrorKind::TooLong))?;
        self.take(len, field)
    }

    /// Reads a length varint of at most `limit_bytes`, then so many bytes of UTF-8.
    ///
    /// # Errors
    /// As [`Reader::bytes`], and `NotUtf8`.
    pub(crate) fn text(
        &mut self,
        limit_bytes: usize,
        field: &'static str,
    ) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.bytes(limit_bytes, field)?)
            .map_err(|_| DecodeError::new(field, DecodeErrorKind::NotUtf8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_has_only_its_shortest_spelling() {
        let refused: [&[u8]; 3] = [
            &[0x40, 63],
            &[0x80, 0, 0x3F, 0xFF],
            &[0xC0, 0, 0, 0, 0x3F, 0xFF, 0xFF, 0xFF],
        ];
        for bytes in refused {
            assert_eq!(
                Reader::new(bytes).varint("v"),
                Err(DecodeError::new("v", DecodeErrorKind::NotCanonical))
            );
        }
    }

    #[test]
    fn the_examples_of_rfc_9000_a_1_decode() {
        let examples: [(&[u8], u64); 4] = [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
        ];
        for (bytes, value) in examples {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.varint("v"), Ok(value));
            assert_eq!(reader.finish("v"), Ok(()));
        }
    }

    #[test]
    fn leftovers_are_refused() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16("pair"), Ok(0x0102));
        assert_eq!(reader.rest(), [3]);
        let error = reader.finish("all").map_err(|e| e.kind);
        assert_eq!(error, Err(DecodeErrorKind::TrailingBytes));
    }
}
