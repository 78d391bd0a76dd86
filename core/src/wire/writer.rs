//! A cursor over a buffer to fill; allocates nothing and never writes past the end.
//!
//! Takes a mutable slice; every `put_*` writes all of its value or nothing and returns [`NoRoom`].
//! This is the path of every packet sent.

use core::fmt;

/// Largest value of a varint: 2^62 - 1.
pub(crate) const VARINT_MAX: u64 = (1 << 62) - 1;

/// The value does not fit what is left of the buffer; nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoom;

impl fmt::Display for NoRoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value does not fit the rest of the buffer")
    }
}

impl core::error::Error for NoRoom {}

/// Bytes of the shortest varint for `value`; 8 also for values that no varint holds.
#[inline]
#[must_use]
pub(crate) const fn varint_len(value: u64) -> usize {
    match value {
        0..=0x3F => 1,
        0x40..=0x3FFF => 2,
        0x4000..=0x3FFF_FFFF => 4,
        _ => 8,
    }
}

/// Most payload bytes that fit `room_bytes` together with their length varint; `None` where not
/// even an empty payload does.
#[inline]
#[must_use]
pub(crate) const fn payload_room(room_bytes: usize) -> Option<usize> {
    // Where the shorter length field could not name all that fits, the room it leaves over is lost.
    match room_bytes {
        0 => None,
        1..=64 => Some(room_bytes - 1),
        65 => Some(63),
        66..=0x4001 => Some(room_bytes - 2),
        0x4002 | 0x4003 => Some(0x3FFF),
        _ if room_bytes - 4 <= 0x3FFF_FFFF => Some(room_bytes - 4),
        _ => Some(0x3FFF_FFFF),
    }
}

/// The room that is left, and what was written before it.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Starts at the first byte of `buffer`.
    #[must_use]
    pub(crate) const fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// Bytes written so far.
    #[inline]
    #[must_use]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that still fit.
    #[inline]
    #[must_use]
    pub(crate) const fn remaining(&self) -> usize {
        self.buffer.len() - self.len
    }

    /// What was written.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Asks for room before a value of several fields is written, so that it is written whole or
    /// not at all.
    ///
    /// # Errors
    /// `NoRoom`.
    #[inline]
    pub(crate) const fn ensure(&self, len: usize) -> Result<(), NoRoom> {
        if len <= self.remaining() {
            Ok(())
        } else {
            Err(NoRoom)
        }
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// `NoRoom`.
    #[inline]
    pub(crate) fn put_bytes(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Appends `len` bytes for the caller to fill in.
    ///
    /// # Errors
    /// `NoRoom`.
    #[inline]
    pub(crate) fn reserve(&mut self, len: usize) -> Result<&mut [u8], NoRoom> {
        let end = self.len.checked_add(len).ok_or(NoRoom)?;
        let room = self.buffer.get_mut(self.len..end).ok_or(NoRoom)?;
        self.len = end;
        Ok(room)
    }

    /// Appends one byte.
    ///
    /// # Errors
    /// `NoRoom`.
    #[inline]
    pub(crate) fn put_u8(&mut self, value: u8) -> Result<(), NoRoom> {
        self.put_bytes(&[value])
    }

    /// Appends two bytes, big endian.
    ///
    /// # Errors
    /// `NoRoom`.
    #[inline]
    pub(crate) fn put_u16(&mut self, value: u16) -> Result<(), NoRoom> {
        self.put_bytes(&value.to_be_bytes())
    }

    /// Appends four bytes, big endian.
    ///
    /// # Errors
    /// `NoRoom`.
    #[inline]
    pub(crate) fn put_u32(&mut self, value: u32) -> Result<(), NoRoom> {
        self.put_bytes(&value.to_be_bytes())
    }

    /// Appends eight bytes, big endian.
    ///
    /// # Errors
    /// `NoRoom`.
    #[inline]
    pub(crate) fn put_u64(&mut self, value: u64) -> Result<(), NoRoom> {
        self.put_bytes(&value.to_be_bytes())
    }

    /// Appends the shortest varint.
    ///
    /// # Errors
    /// `NoRoom`; also for values above [`VARINT_MAX`], which fit no buffer.
    #[inline]
    pub(crate) fn put_varint(&mut self, value: u64) -> Result<(), NoRoom> {
        match value {
            0..=0x3F => self.put_u8(value as u8),
            0x40..=0x3FFF => self.put_u16(value as u16 | 0x4000),
            0x4000..=0x3FFF_FFFF => self.put_u32(value as u32 | 0x8000_0000),
            0x4000_0000..=VARINT_MAX => self.put_u64(value | 0xC000_0000_0000_0000),
            _ => Err(NoRoom),
        }
    }

    /// Appends a length varint and the bytes.
    ///
    /// # Errors
    /// `NoRoom`; the length may then have been written.
    #[inline]
    pub(crate) fn put_sized(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.put_varint(bytes.len() as u64)?;
        self.put_bytes(bytes)
    }
}

/// Bytes of a length varint and a payload of `len` bytes.
#[inline]
#[must_use]
pub(crate) const fn sized_len(len: usize) -> usize {
    varint_len(len as u64) + len
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn a_varint_survives(value: u64, shift: u8) -> bool {
            let value = (value & VARINT_MAX) >> (shift % 62);
            let mut buffer = [0; 8];
            let mut writer = Writer::new(&mut buffer);
            writer.put_varint(value).unwrap();
            let mut reader = Reader::new(writer.written());
            writer.len() == varint_len(value)
                && reader.varint("v") == Ok(value)
                && reader.is_empty()
        }
    }

    #[test]
    fn a_full_buffer_is_left_as_it_was() {
        let mut buffer = [0; 3];
        let mut writer = Writer::new(&mut buffer);
        assert_eq!(writer.put_u16(0xABCD), Ok(()));
        assert_eq!(writer.put_u16(0xEF01), Err(NoRoom));
        assert_eq!(writer.put_varint(VARINT_MAX + 1), Err(NoRoom));
        assert_eq!((writer.len(), writer.remaining()), (2, 1));
        assert_eq!(writer.written(), [0xAB, 0xCD]);
    }

    #[test]
    fn payload_room_is_exact() {
        for room in 0..40_000 {
            let fits = |len: usize| sized_len(len) <= room;
            match payload_room(room) {
                None => assert!(!fits(0), "room {room}"),
                Some(len) => assert!(fits(len) && !fits(len + 1), "room {room}"),
            }
        }
    }
}
