//! JSON to control messages (protocol §6): every attribute that a command uses is checked, others
//! are ignored.
//!
//! A command that is both request and answer is an answer where it carries `r`, a refusal where also
//! `e`.

use core::net::{IpAddr, SocketAddr};

use super::json::{self, Object, Value};
use super::{
    Candidate, CandidateKind, ControlMessage, KEY_RECORD_BYTES, NAME_RECORD_BYTES_FIXED,
    ParsedControl, RefusalCode, RefusedCommand, Target,
};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::id::{NodeId, decode_z_base_32};
use crate::limits;
use crate::wire::name;

type Result<T> = core::result::Result<T, DecodeError>;

impl ControlMessage {
    /// Reads a control message of at most [`limits::CONTROL_BYTES`].
    ///
    /// # Errors
    /// The first attribute that is missing or wrong.
    pub fn parse(bytes: &[u8]) -> Result<ParsedControl> {
        let object = json::parse(bytes)?;
        let a = Attributes(&object);
        let message = match a.text("c")? {
            "ka" => Self::KeepAlive,
            "rg" => register(&a)?,
            "qrq" => Self::Search {
                reference: a.reference("n")?,
                prefix: a.name("su")?,
                cursor: a.cursor()?,
            },
            "qrs" => search_result(&a)?,
            "cr1" => Self::ConnectRequest {
                reference: a.reference("n")?,
                target: a.target()?,
                channel: a.channel()?,
            },
            "cr2" => introduction(&a)?,
            "cr3" => Self::Candidates(a.list("o", limits::CANDIDATES, candidate)?),
            _ => return Ok(ParsedControl::Unknown),
        };
        Ok(ParsedControl::Known(message))
    }
}

fn register(a: &Attributes<'_>) -> Result<ControlMessage> {
    if !a.has("r") {
        return Ok(ControlMessage::Register {
            reference: a.reference("n")?,
            key_record: a.key_record()?,
            name_record: a.optional("nr", Attributes::name_record)?,
            listed: a.flag("l")?,
        });
    }
    if a.has("e") {
        return a.refused(RefusedCommand::Register);
    }
    Ok(ControlMessage::Registered {
        reply_to: a.reference("r")?,
        observed: a.address()?,
        life_s: a.seconds("t")?,
    })
}

fn search_result(a: &Attributes<'_>) -> Result<ControlMessage> {
    if a.has("e") {
        return a.refused(RefusedCommand::Search);
    }
    Ok(ControlMessage::SearchResult {
        reply_to: a.reference("r")?,
        entries: a.list("o", limits::SEARCH_PAGE, |entry| {
            let id = entry.text("u")?.parse::<NodeId>();
            Ok((entry.name("f")?, id.map_err(|_| not_canonical("u"))?))
        })?,
        cursor: a.cursor()?,
    })
}

fn introduction(a: &Attributes<'_>) -> Result<ControlMessage> {
    if !a.has("r") {
        return Ok(ControlMessage::Introduce {
            reference: a.reference("n")?,
            key_record: a.key_record()?,
            channel: a.channel()?,
            name: a.optional("f", Attributes::name)?,
            observed: a.address()?,
        });
    }
    if a.has("e") {
        return a.refused(RefusedCommand::Connect);
    }
    let reply_to = a.reference("r")?;
    if !a.has("k") {
        return Ok(ControlMessage::IntroduceAccepted { reply_to });
    }
    Ok(ControlMessage::ConnectAnswer {
        reply_to,
        key_record: a.key_record()?,
        name: a.optional("f", Attributes::name)?,
        observed: a.address()?,
    })
}

fn candidate(a: &Attributes<'_>) -> Result<Candidate> {
    let kind = match a.number("k")? {
        0 => CandidateKind::Host,
        1 => CandidateKind::Reflexive,
        _ => return Err(out_of_range("k")),
    };
    Ok(Candidate {
        address: a.address()?,
        kind,
    })
}

const fn not_canonical(field: &'static str) -> DecodeError {
    DecodeError::new(field, DecodeErrorKind::NotCanonical)
}

const fn out_of_range(field: &'static str) -> DecodeError {
    DecodeError::new(field, DecodeErrorKind::OutOfRange)
}

const fn wrong_type(field: &'static str) -> DecodeError {
    DecodeError::new(field, DecodeErrorKind::WrongType)
}

/// The attributes of one object, each read as the type that it must have.
struct Attributes<'a>(&'a Object);

impl<'a> Attributes<'a> {
    fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    fn value(&self, key: &'static str) -> Result<&'a Value> {
        self.0
            .get(key)
            .ok_or(DecodeError::new(key, DecodeErrorKind::Missing))
    }

    fn optional<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Self, &'static str) -> Result<T>,
    ) -> Result<Option<T>> {
        self.has(key).then(|| read(self, key)).transpose()
    }

    fn text(&self, key: &'static str) -> Result<&'a str> {
        match self.value(key)? {
            Value::Text(text) => Ok(text),
            _ => Err(wrong_type(key)),
        }
    }

    fn number(&self, key: &'static str) -> Result<u64> {
        match self.value(key)? {
            Value::Number(number) => Ok(*number),
            _ => Err(wrong_type(key)),
        }
    }

    fn flag(&self, key: &'static str) -> Result<bool> {
        match self.value(key)? {
            Value::Bool(flag) => Ok(*flag),
            _ => Err(wrong_type(key)),
        }
    }

    fn list<T>(
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

    fn seconds(&self, key: &'static str) -> Result<u32> {
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

    fn reference(&self, key: &'static str) -> Result<u64> {
        self.hexadecimal(key, 16)
    }

    fn channel(&self) -> Result<u32> {
        u32::try_from(self.hexadecimal("ch", 8)?).map_err(|_| out_of_range("ch"))
    }

    fn name(&self, key: &'static str) -> Result<String> {
        let text = self.text(key)?;
        if name::is_valid(text) {
            Ok(text.to_owned())
        } else {
            Err(out_of_range(key))
        }
    }

    fn cursor(&self) -> Result<Option<String>> {
        self.optional("cu", |a, key| {
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

    fn target(&self) -> Result<Target> {
        match self.text("u")?.parse() {
            Ok(id) => Ok(Target::Id(id)),
            Err(_) => self.name("u").map(Target::Name),
        }
    }

    fn key_record(&self) -> Result<Vec<u8>> {
        let bytes = decode_z_base_32(self.text("k")?).ok_or(not_canonical("k"))?;
        if bytes.len() == KEY_RECORD_BYTES {
            Ok(bytes)
        } else {
            Err(out_of_range("k"))
        }
    }

    fn name_record(&self, key: &'static str) -> Result<Vec<u8>> {
        let bytes = decode_z_base_32(self.text(key)?).ok_or(not_canonical(key))?;
        let name_bytes = bytes.len().saturating_sub(NAME_RECORD_BYTES_FIXED);
        if (1..=limits::NAME_BYTES).contains(&name_bytes) {
            Ok(bytes)
        } else {
            Err(out_of_range(key))
        }
    }

    fn address(&self) -> Result<SocketAddr> {
        let ip: IpAddr = self.text("h")?.parse().map_err(|_| not_canonical("h"))?;
        let port = u16::try_from(self.number("p")?).map_err(|_| out_of_range("p"))?;
        Ok(SocketAddr::new(ip, port))
    }

    fn refused(&self, command: RefusedCommand) -> Result<ControlMessage> {
        Ok(ControlMessage::Refused {
            command,
            reply_to: self.reference("r")?,
            code: RefusalCode::from_str(self.text("e")?),
            retry_after_s: self.optional("t", Attributes::seconds)?,
        })
    }
}
