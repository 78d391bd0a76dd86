//! Heads as parsed values, and how they are written on a stream (protocol §8.8). What does not hold the rules cannot
//! be written and is not read, so that no byte of a head can mean something else in HTTP/1.1 text.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::Fault;
use super::frame::{HEAD_BYTES, put_varint, take_varint};

/// Most fields of a head.
pub(crate) const FIELDS: usize = 100;
/// Longest method.
const METHOD_BYTES: usize = 32;
/// Longest path with query.
const PATH_BYTES: usize = 8 << 10;
/// Longest authority.
const AUTHORITY_BYTES: usize = 255;
/// Longest name of a field.
const NAME_BYTES: usize = 64;
/// Longest value of a field.
const VALUE_BYTES: usize = 8 << 10;

const BODY_FOLLOWS: u8 = 1;
const LENGTH_TOLD: u8 = 2;
const UPGRADE: u8 = 8;
/// Status of an answer after which the connection speaks another protocol.
pub(crate) const SWITCHING: u16 = 101;

/// Names in lower case, and values.
pub(crate) type Fields = Vec<(String, Vec<u8>)>;

/// What is said of a body before it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// Whether one follows.
    pub follows: bool,
    /// Its length; an answer to HEAD tells it without a body.
    pub length: Option<u64>,
}

/// What a program asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RequestHead {
    pub method: String,
    /// Path with query, from the service's root.
    pub path: String,
    /// What the program asked for as host; to be shown only.
    pub authority: String,
    /// Whether it wants to go on with the WebSocket protocol; what follows as body is that then.
    pub upgrade: bool,
    pub body: Body,
    pub fields: Fields,
}

/// What the application answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    /// 200 to 599, or [`SWITCHING`]: what follows as body is of the other protocol then.
    pub status: u16,
    pub body: Body,
    pub fields: Fields,
}

impl RequestHead {
    /// Writes it.
    pub(crate) fn encode(&self) -> Result<Bytes, Fault> {
        check(self.method.len() <= METHOD_BYTES && self.path.len() <= PATH_BYTES)?;
        let mut out = BytesMut::new();
        out.put_u8(flags(self.body, self.upgrade));
        put_short(&mut out, self.method.as_bytes())?;
        put_varint(&mut out, self.path.len() as u64);
        out.put_slice(self.path.as_bytes());
        put_short(&mut out, self.authority.as_bytes())?;
        put_rest(&mut out, self.body, &self.fields)?;
        // Read back, so that nothing leaves that the other side would refuse.
        let head = out.freeze();
        Self::decode(head.clone()).map(|_| head)
    }

    /// Reads it.
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, Fault> {
        let flags = take_u8(&mut bytes)?;
        let method = text(take_short(&mut bytes)?, METHOD_BYTES, is_token_byte)?;
        let length = take_varint(&mut bytes).ok_or(Fault::Malformed)?;
        let path = text(take(&mut bytes, length)?, PATH_BYTES, |b| {
            b.is_ascii_graphic() && b != b'#'
        })?;
        let authority = text(take_short(&mut bytes)?, AUTHORITY_BYTES, |b| {
            b.is_ascii_graphic()
        })?;
        let (upgrade, body, fields) = take_rest(bytes, flags)?;
        let is_refused = matches!(method.as_str(), "" | "CONNECT" | "TRACE");
        if is_refused || !path.starts_with('/') || upgrade && method != "GET" {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            method,
            path,
            authority,
            upgrade,
            body,
            fields,
        })
    }
}

impl ResponseHead {
    /// Writes it.
    pub(crate) fn encode(&self) -> Result<Bytes, Fault> {
        let mut out = BytesMut::new();
        out.put_u16(self.status);
        out.put_u8(flags(self.body, self.status == SWITCHING));
        put_rest(&mut out, self.body, &self.fields)?;
        let head = out.freeze();
        Self::decode(head.clone()).map(|_| head)
    }

    /// Reads it.
    pub(crate) fn decode(mut bytes: Bytes) -> Result<Self, Fault> {
        if bytes.len() < 2 {
            return Err(Fault::Malformed);
        }
        let status = bytes.get_u16();
        let flags = take_u8(&mut bytes)?;
        let (upgrade, body, fields) = take_rest(bytes, flags)?;
        let has_none = matches!(status, 204 | 304) && body.follows;
        let is_known = (200..=599).contains(&status) || status == SWITCHING;
        if !is_known || has_none || upgrade != (status == SWITCHING) {
            return Err(Fault::Malformed);
        }
        Ok(Self {
            status,
            body,
            fields,
        })
    }
}

/// Whether a byte may stand in a method or a name (RFC 9110 §5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

/// Whether a byte may stand in a value.
pub(super) const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

const fn check(fits: bool) -> Result<(), Fault> {
    if fits { Ok(()) } else { Err(Fault::TooLarge) }
}

const fn flags(body: Body, upgrade: bool) -> u8 {
    (if body.follows { BODY_FOLLOWS } else { 0 })
        | (if upgrade { UPGRADE } else { 0 })
        | (if body.length.is_some() {
            LENGTH_TOLD
        } else {
            0
        })
}

fn put_short(out: &mut BytesMut, bytes: &[u8]) -> Result<(), Fault> {
    let length = u8::try_from(bytes.len()).map_err(|_| Fault::TooLarge)?;
    out.put_u8(length);
    out.put_slice(bytes);
    Ok(())
}

fn put_rest(out: &mut BytesMut, body: Body, fields: &Fields) -> Result<(), Fault> {
    if let Some(length) = body.length {
        check(length < 1 << 62)?;
        put_varint(out, length);
    }
    check(fields.len() <= FIELDS)?;
    put_varint(out, fields.len() as u64);
    for (name, value) in fields {
        check(name.len() <= NAME_BYTES && value.len() <= VALUE_BYTES)?;
        put_short(out, name.as_bytes())?;
        put_varint(out, value.len() as u64);
        out.put_slice(value);
    }
    check(out.len() <= HEAD_BYTES)
}

fn take_rest(mut bytes: Bytes, flags: u8) -> Result<(bool, Body, Fields), Fault> {
    let number = |bytes: &mut Bytes| take_varint(bytes).ok_or(Fault::Malformed);
    let upgrade = flags & UPGRADE != 0;
    // Another protocol has bytes, and no length.
    let is_odd = upgrade && flags & (BODY_FOLLOWS | LENGTH_TOLD) != BODY_FOLLOWS;
    if flags & !(BODY_FOLLOWS | LENGTH_TOLD | UPGRADE) != 0 || is_odd {
        return Err(Fault::Malformed);
    }
    let length = match flags & LENGTH_TOLD {
        0 => None,
        _ => Some(number(&mut bytes)?),
    };
    let count = number(&mut bytes)?;
    if count > FIELDS as u64 {
        return Err(Fault::TooLarge);
    }
    let mut fields = Fields::new();
    for _ in 0..count {
        let is_name_byte = |b: u8| is_token_byte(b) && !b.is_ascii_uppercase();
        let name = text(take_short(&mut bytes)?, NAME_BYTES, is_name_byte)?;
        let length = number(&mut bytes)?;
        let value = take(&mut bytes, length)?;
        let is_fine = value.len() <= VALUE_BYTES && value.iter().all(|b| is_value_byte(*b));
        if name.is_empty() || !is_fine {
            return Err(Fault::Malformed);
        }
        fields.push((name, value.to_vec()));
    }
    if !bytes.is_empty() {
        return Err(Fault::Malformed);
    }
    let body = Body {
        follows: flags & BODY_FOLLOWS != 0,
        length,
    };
    Ok((upgrade, body, fields))
}

fn take_u8(bytes: &mut Bytes) -> Result<u8, Fault> {
    bytes.try_get_u8().map_err(|_| Fault::Malformed)
}

fn take(bytes: &mut Bytes, length: u64) -> Result<Bytes, Fault> {
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() => Ok(bytes.split_to(length)),
        _ => Err(Fault::Malformed),
    }
}

fn take_short(bytes: &mut Bytes) -> Result<Bytes, Fault> {
    let length = take_u8(bytes)?;
    take(bytes, u64::from(length))
}

fn text(bytes: Bytes, most: usize, fits: impl Fn(u8) -> bool) -> Result<String, Fault> {
    if bytes.len() > most || !bytes.iter().all(|b| fits(*b)) {
        return Err(Fault::Malformed);
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> RequestHead {
        RequestHead {
            upgrade: false,
            method: "PUT".to_owned(),
            path: "/a%20b?c=d".to_owned(),
            authority: "localhost:8080".to_owned(),
            body: Body {
                follows: true,
                length: Some(70_000),
            },
            fields: vec![
                ("accept".to_owned(), b"*/*".to_vec()),
                ("x-name".to_owned(), b"\xE9\t~".to_vec()),
                ("accept".to_owned(), b"".to_vec()),
            ],
        }
    }

    /// Protocol §8.8.
    #[test]
    fn heads_come_back_as_they_went() {
        let head = request();
        let bytes = head.encode().expect("fits");
        assert_eq!(RequestHead::decode(bytes.clone()), Ok(head));
        for cut in 0..bytes.len() {
            assert!(RequestHead::decode(bytes.slice(..cut)).is_err(), "{cut}");
        }
        let head = ResponseHead {
            status: 206,
            body: Body::default(),
            fields: Vec::new(),
        };
        let bytes = head.encode().expect("fits");
        assert_eq!(bytes.len(), 4);
        assert_eq!(ResponseHead::decode(bytes), Ok(head));
    }

    #[test]
    fn sec_35_no_byte_of_a_head_can_end_a_line() {
        let refused = |change: &dyn Fn(&mut RequestHead)| {
            let mut head = request();
            change(&mut head);
            head.encode().is_err()
        };
        for text in ["a\r\nb", "a\nb", "a\0b", "a b", "", "CONNECT", "TRACE"] {
            assert!(refused(&|h| h.method = text.to_owned()), "method {text:?}");
        }
        for text in [
            "/a\r\nb",
            "/a b",
            "a",
            "",
            "/a#b",
            "/\u{7f}",
            "/é",
            "http://x/",
        ] {
            assert!(refused(&|h| h.path = text.to_owned()), "path {text:?}");
        }
        for name in ["", "a b", "a:", "a\r\n", "A", "é", &"x".repeat(65)] {
            assert!(
                refused(&|h| h.fields.push((name.to_owned(), Vec::new()))),
                "name {name:?}"
            );
        }
        for value in [&b"a\r\nb: c"[..], b"\n", b"\r", b"\0", b"\x7f"] {
            assert!(
                refused(&|h| h.fields.push(("a".to_owned(), value.to_vec()))),
                "value {value:?}"
            );
        }
        assert!(refused(&|h| h.authority = "a\r\nb".to_owned()));
    }

    #[test]
    fn heads_are_bounded() {
        let mut head = request();
        head.fields = vec![("a".to_owned(), vec![b'b'; 8 << 10]); 2];
        assert_eq!(head.encode(), Err(Fault::TooLarge), "16 KiB and a little");
        head.fields = vec![("a".to_owned(), Vec::new()); FIELDS + 1];
        assert_eq!(head.encode(), Err(Fault::TooLarge));
        head.fields.pop();
        assert!(head.encode().is_ok());
        head.path = format!("/{}", "x".repeat(PATH_BYTES));
        assert_eq!(head.encode(), Err(Fault::TooLarge));
    }

    /// Protocol §8.8: another protocol has bytes and no length, and only its own status.
    #[test]
    fn upgrades_are_of_one_shape() {
        let mut head = request();
        (head.method, head.upgrade) = ("GET".to_owned(), true);
        let any = Body {
            follows: true,
            length: None,
        };
        for (body, is_fine) in [
            (any, true),
            (Body::default(), false),
            (
                Body {
                    length: Some(4),
                    ..any
                },
                false,
            ),
        ] {
            head.body = body;
            assert_eq!(head.encode().is_ok(), is_fine, "{body:?}");
            let answer = ResponseHead {
                status: SWITCHING,
                body,
                fields: Vec::new(),
            };
            assert_eq!(answer.encode().is_ok(), is_fine, "{body:?}");
        }
        head.body = any;
        let encoded = head.encode().expect("written");
        assert_eq!(RequestHead::decode(encoded), Ok(head.clone()));
        head.method = "POST".to_owned();
        assert!(head.encode().is_err());
        for (status, flags) in [(200, 9), (101, 1), (102, 9)] {
            let bytes = [0, status, flags, 0];
            let read = ResponseHead::decode(Bytes::copy_from_slice(&bytes));
            assert_eq!(read, Err(Fault::Malformed), "{status} {flags}");
        }
    }

    #[test]
    fn statuses_and_flags_of_later_times_are_refused() {
        let answer = |status, follows| ResponseHead {
            status,
            body: Body {
                follows,
                length: None,
            },
            fields: Vec::new(),
        };
        for (status, follows) in [
            (100, false),
            (101, false),
            (199, false),
            (600, false),
            (204, true),
            (304, true),
        ] {
            assert!(answer(status, follows).encode().is_err(), "{status}");
        }
        assert!(answer(599, true).encode().is_ok());
        let unknown_flag = Bytes::from_static(&[0, 200, 4, 0]);
        assert_eq!(ResponseHead::decode(unknown_flag), Err(Fault::Malformed));
    }
}
