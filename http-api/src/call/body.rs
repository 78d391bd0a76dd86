//! JSON bodies: no unknown field, no field twice, shallow; every fault names its field.

use serde::Deserialize;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::Call;
use crate::problem::{Code, Problem};

/// Reads the body as `T`; an empty body counts as `{}`.
pub(crate) fn decode_json<T: DeserializeOwned>(call: &Call) -> Result<T, Problem> {
    let bytes: &[u8] = if call.body.is_empty() {
        b"{}"
    } else {
        &call.body
    };
    decode(bytes)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let Fields(fields) = serde_json::from_slice(bytes).map_err(|e| {
        let code = if e.is_data() {
            Code::InvalidBody
        } else {
            Code::MalformedJson
        };
        let place = format!("line {}, column {}", e.line(), e.column());
        let what = if e.is_data() {
            "The body is not an object with each field once"
        } else {
            "The body is not JSON"
        };
        Problem::new(code, format!("{what} ({place})."))
    })?;
    serde_json::from_value(Value::Object(fields.clone()))
        .map_err(|error| blame::<T>(&fields, &error.to_string()))
}

/// Finds the fields at fault: each is tried alone, and complaints other than of absent companions are its own.
fn blame<T: DeserializeOwned>(fields: &Map<String, Value>, message: &str) -> Problem {
    let mut unknown = Problem::new(Code::UnknownField, "A field of the body is not known here.");
    let mut invalid = Problem::new(Code::InvalidBody, "A field of the body is wrong.");
    for (name, value) in fields {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        let Err(error) = serde_json::from_value::<T>(Value::Object(alone)) else {
            continue;
        };
        let error = error.to_string();
        if error.starts_with("unknown field") {
            unknown = unknown.with_error(pointer(name), "is not known here");
        } else if !error.starts_with("missing field") {
            invalid = invalid.with_error(pointer(name), plain(&error));
        }
    }
    if let Some(name) = message.strip_prefix("missing field `") {
        let name = name.split('`').next().unwrap_or_default();
        invalid = invalid.with_error(pointer(name), "is required");
    }
    match (unknown.errors.is_empty(), invalid.errors.is_empty()) {
        (false, _) => unknown,
        (_, false) => invalid,
        _ => invalid.with_error("", plain(message)),
    }
}

/// JSON pointer to a member (RFC 6901), shortened where the name is long.
fn pointer(name: &str) -> String {
    let name: String = name.chars().take(40).collect();
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A parser's complaint without the value that it quotes.
fn plain(message: &str) -> String {
    match message.split_once("expected ") {
        Some((_, expected)) => format!("must be {expected}"),
        None => "has an impossible value".to_owned(),
    }
}

/// An object whose names are all different.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Map::new();
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if fields.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("a field is there twice"));
            }
        }
        Ok(Fields(fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Body {
        address: String,
        timeout_ms: Option<u64>,
    }

    fn fault(text: &str) -> (Code, Vec<String>) {
        let problem = decode::<Body>(text.as_bytes()).unwrap_err();
        let pointers = problem.errors.iter().map(|e| e.pointer.clone()).collect();
        (problem.code, pointers)
    }

    #[test]
    fn good_bodies_are_read() {
        let body: Body = decode(br#"{"address":"a","timeout_ms":5}"#).unwrap();
        assert_eq!(body.timeout_ms, Some(5));
    }

    #[test]
    fn faults_name_their_fields() {
        let named = |code, name: &str| (code, vec![name.to_owned()]);
        assert_eq!(
            fault(r#"{"address":7}"#),
            named(Code::InvalidBody, "/address")
        );
        assert_eq!(fault("{}"), named(Code::InvalidBody, "/address"));
        assert_eq!(
            fault(r#"{"address":"a","time~out/":5}"#),
            named(Code::UnknownField, "/time~0out~1")
        );
        assert_eq!(
            fault(r#"{"address":"a","timeout_ms":-1}"#),
            named(Code::InvalidBody, "/timeout_ms")
        );
        for broken in ["", "{", "{\"a\":}", "{} x", "\u{1}"] {
            assert_eq!(fault(broken).0, Code::MalformedJson, "{broken}");
        }
        for wrong in ["[]", "7", r#"{"address":"a","address":"b"}"#] {
            assert_eq!(fault(wrong).0, Code::InvalidBody, "{wrong}");
        }
        let deep = "[".repeat(200);
        assert_eq!(
            fault(&format!("{{\"address\":{deep}")).0,
            Code::MalformedJson
        );
    }
}
