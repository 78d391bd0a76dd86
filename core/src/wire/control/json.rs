//! Strict JSON for control messages (protocol §6): bounded depth, no attribute twice, no floats
//! where a number counts.
//!
//! Takes text of at most [`crate::limits::CONTROL_BYTES`]; returns a small tree whose size is
//! bounded by the text.

use core::fmt;
use std::collections::BTreeMap;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::limits;

const TOO_DEEP: &str = "nests too deeply";
const DUPLICATE: &str = "attribute named twice";

/// A JSON value, as far as control messages care.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Bool(bool),
    List(Vec<Value>),
    Object(Object),
    /// Null, negative and fractional numbers: legal in attributes that are ignored, nowhere else.
    Other,
}

/// An object's attributes.
pub(super) type Object = BTreeMap<String, Value>;

/// Reads one object and nothing after it.
pub(super) fn parse(bytes: &[u8]) -> Result<Object, DecodeError> {
    let error = |kind| DecodeError::new("control", kind);
    if bytes.len() > limits::CONTROL_BYTES {
        return Err(error(DecodeErrorKind::TooLong));
    }
    let text = core::str::from_utf8(bytes).map_err(|_| error(DecodeErrorKind::NotUtf8))?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Depth(limits::CONTROL_DEPTH)
        .deserialize(&mut deserializer)
        .map_err(|e| error(kind_of(&e)))?;
    deserializer
        .end()
        .map_err(|_| error(DecodeErrorKind::TrailingBytes))?;
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(error(DecodeErrorKind::WrongType)),
    }
}

fn kind_of(error: &serde_json::Error) -> DecodeErrorKind {
    // Errors of visitors keep nothing but their text.
    let text = error.to_string();
    if text.starts_with(TOO_DEEP) {
        DecodeErrorKind::TooDeep
    } else if text.starts_with(DUPLICATE) {
        DecodeErrorKind::DuplicateKey
    } else {
        DecodeErrorKind::BadJson
    }
}

/// How many more levels of nesting are allowed.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        self.0
            .checked_sub(1)
            .map(Self)
            .ok_or_else(|| E::custom(TOO_DEEP))
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        while let Some(value) = seq.next_element_seed(depth)? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let depth = self.deeper()?;
        let mut object = Object::new();
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(depth)?;
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Result<(), DecodeErrorKind> {
        parse(text.as_bytes()).map(|_| ()).map_err(|e| e.kind)
    }

    #[test]
    fn strictness_is_what_the_protocol_says() {
        assert_eq!(
            kind(r#" {"a": [1, -1, 1.5, null, true, {"a": "b"}]} "#),
            Ok(())
        );
        assert_eq!(kind(r#"{"a":1,"a":2}"#), Err(DecodeErrorKind::DuplicateKey));
        assert_eq!(
            kind(r#"{"a":1,"\u0061":2}"#),
            Err(DecodeErrorKind::DuplicateKey)
        );
        assert_eq!(
            kind(r#"{"o":[{"a":1,"a":2}]}"#),
            Err(DecodeErrorKind::DuplicateKey)
        );
        assert_eq!(
            kind(r#"{"a":1}{"b":2}"#),
            Err(DecodeErrorKind::TrailingBytes)
        );
        assert_eq!(kind("[]"), Err(DecodeErrorKind::WrongType));
        for bad in [
            "",
            "{",
            r#"{"a":}"#,
            r#"{"a":"\ud800"}"#,
            "{a:1}",
            r#"{"a":1e999}"#,
        ] {
            assert_eq!(kind(bad), Err(DecodeErrorKind::BadJson), "{bad}");
        }
        let not_utf8 = parse(b"{\"a\":\"\xFF\"}").map_err(|e| e.kind);
        assert_eq!(not_utf8, Err(DecodeErrorKind::NotUtf8));
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| {
            let lists = depth - 1;
            format!("{{\"a\":{}{}}}", "[".repeat(lists), "]".repeat(lists))
        };
        assert_eq!(kind(&nested(limits::CONTROL_DEPTH)), Ok(()));
        assert_eq!(
            kind(&nested(limits::CONTROL_DEPTH + 1)),
            Err(DecodeErrorKind::TooDeep)
        );
        assert_eq!(kind(&nested(500)), Err(DecodeErrorKind::TooDeep));
        let spaces = format!("{}{{}}", " ".repeat(limits::CONTROL_BYTES));
        assert_eq!(kind(&spaces), Err(DecodeErrorKind::TooLong));
    }
}
