//! The attributes of a JSON object (protocol §6), each read as the type that it must have.

use core::net::{IpAddr, SocketAddr};

use super::json::{Object, Value};
use super::names::{ours, seed};
use super::{KEY_RECORD_BYTES, NAME_RECORD_BYTES_FIXED, Target};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::id::decode_z_base_32;
use crate::limits;
use crate::wire::name;

pub(super) type Result<T> = core::result::Result<T, DecodeError>;

pub(super) const fn not_canonical(field: &'static str) -> DecodeError {
    DecodeError::new(field, DecodeErrorKind::NotCanonical)
}

pub(super) const fn out_of_range(field: &'static str) -> DecodeError {
    DecodeError::new(field, DecodeErrorKind::OutOfRange)
}

pub(super) const fn wrong_type(field: &'static str) -> DecodeError {
    DecodeError::new(field, DecodeErrorKind::WrongType)
}

/// The attributes of one object, each read as the type that it must have.
pub(super) struct Attributes<'a>(pub(super) &'a Object);

impl<'a> Attributes<'a> {
    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn value(&self, key: &'static str) -> Result<&'a Value> {
        self.0
            .get(key)
            .ok_or(DecodeError::new(key, DecodeErrorKind::Missing))
    }

    pub(super) fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T>,
    ) -> Result<Option<T>> {
        self.has(key).then(|| read(self, key)).transpose()
    }

    pub(super) fn text(&self, key: &'static str) -> Result<&'a str> {
        match self.value(key)? {
            Value::Text(text) => Ok(text),
            _ => Err(wrong_type(key)),
        }
    }

    pub(super) fn number(&self, key: &'static str) -> Result<u64> {
        match self.value(key)? {
            Value::Number(number) => Ok(*number),
            _ => Err(wrong_type(key)),
        }
    }

    pub(super) fn flag(&self, key: &'static str) -> Result<bool> {
        match self.value(key)? {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(wrong_type(key)),
        }
    }

    pub(super) fn list<T>(
        &self,
        key: &'static str,
        limit: usize,
        read: impl Fn(&Attributes<'a>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Value::List(items) = self.value(key)? else {
            return Err(wrong_type(key));
        };
        if items.len() > limit {
            return Err(DecodeError::new(key, DecodeErrorKind::TooLong));
        }
        items
            .iter()
            .map(|item| match item {
                Value::Object(object) => read(&Attributes(object)),
                _ => Err(wrong_type(key)),
            })
            .collect()
    }

    pub(super) fn seconds(&self, key: &'static str) -> Result<u32> {
        u32::try_from(self.number(key)?).map_err(|_| out_of_range(key))
    }

    /// A number of exactly `digits` lower-case hexadecimal digits.
    fn hexadecimal(&self, key: &'static str, digits: usize) -> Result<u64> {
        let text = self.text(key)?;
        let legal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != digits || !text.bytes().all(legal) {
            return Err(not_canonical(key));
        }
        u64::from_str_radix(text, 16).map_err(|_| not_canonical(key))
    }

    pub(super) fn reference(&self, key: &'static str) -> Result<u64> {
        self.hexadecimal(key, 16)
    }

    pub(super) fn channel(&self) -> Result<u32> {
        u32::try_from(self.hexadecimal(ours::CHANNEL, 8)?).map_err(|_| out_of_range(ours::CHANNEL))
    }

    pub(super) fn name(&self, key: &'static str) -> Result<String> {
        let text = self.text(key)?;
        if name::is_valid(text) {
            Ok(text.to_owned())
        } else {
            Err(out_of_range(key))
        }
    }

    pub(super) fn cursor(&self) -> Result<Option<String>> {
        self.optional(ours::CURSOR, |a, key| {
            let text = a.text(key)?;
            if text.len() > limits::CURSOR_BYTES {
                return Err(DecodeError::new(key, DecodeErrorKind::TooLong));
            }
            // Control characters are six bytes each once they are escaped; see `search_page_len`.
            if text.chars().any(char::is_control) {
                return Err(out_of_range(key));
            }
            Ok(text.to_owned())
        })
    }

    pub(super) fn target(&self) -> Result<Target> {
        match self.text(seed::PEER)?.parse() {
            Ok(id) => Ok(Target::Id(id)),
            Err(_) => self.name(seed::PEER).map(Target::Name),
        }
    }

    pub(super) fn key_record(&self) -> Result<Vec<u8>> {
        let bytes = decode_z_base_32(self.text(ours::KEY_RECORD)?)
            .ok_or(not_canonical(ours::KEY_RECORD))?;
        if bytes.len() == KEY_RECORD_BYTES {
            Ok(bytes)
        } else {
            Err(out_of_range(ours::KEY_RECORD))
        }
    }

    pub(super) fn name_record(&self, key: &'static str) -> Result<Vec<u8>> {
        let bytes = decode_z_base_32(self.text(key)?).ok_or(not_canonical(key))?;
        let name_bytes = bytes.len().saturating_sub(NAME_RECORD_BYTES_FIXED);
        if (1..=limits::NAME_BYTES).contains(&name_bytes) {
            Ok(bytes)
        } else {
            Err(out_of_range(key))
        }
    }

    pub(super) fn address(&self) -> Result<SocketAddr> {
        let ip: IpAddr = self
            .text(seed::HOST)?
            .parse()
            .map_err(|_| not_canonical(seed::HOST))?;
        let port = u16::try_from(self.number(seed::PORT)?).map_err(|_| out_of_range(seed::PORT))?;
        Ok(SocketAddr::new(ip, port))
    }
}
