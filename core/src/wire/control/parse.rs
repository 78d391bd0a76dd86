//! JSON to control messages (protocol §6): every attribute that a command uses is checked, others
//! are ignored.
//!
//! A command that is both request and answer is an answer where it carries `r`, a refusal where also
//! `e`.

use core::net::{IpAddr, SocketAddr};

use super::json::{self, Object, Value};
use super::names::{command, ours, seed};
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
    pub(crate) fn parse(bytes: &[u8]) -> Result<ParsedControl> {
        let object = json::parse(bytes)?;
        let a = Attributes(&object);
        let message = match a.text(seed::COMMAND)? {
            command::KEEP_ALIVE => Self::KeepAlive,
            command::REGISTER => register(&a)?,
            command::SEARCH => Self::Search {
                reference: a.reference(seed::REQUEST)?,
                prefix: a.name(seed::SEARCH)?,
                cursor: a.cursor()?,
            },
            command::SEARCH_RESULT => search_result(&a)?,
            command::CONNECT => Self::ConnectRequest {
                reference: a.reference(seed::REQUEST)?,
                target: a.target()?,
                channel: a.channel()?,
            },
            command::INTRODUCE => introduction(&a)?,
            command::CANDIDATES => {
                Self::Candidates(a.list(ours::CANDIDATES, limits::CANDIDATES, candidate)?)
            }
            command::CHANNEL_CLOSED => Self::ChannelClosed {
                channel: a.channel()?,
                code: RefusalCode::from_str(a.text(ours::REFUSAL)?),
            },
            _ => return Ok(ParsedControl::Unknown),
        };
        Ok(ParsedControl::Known(message))
    }
}

fn register(a: &Attributes<'_>) -> Result<ControlMessage> {
    if !a.has(seed::RESPONSE) {
        return Ok(ControlMessage::Register {
            reference: a.reference(seed::REQUEST)?,
            key_record: a.key_record()?,
            name_record: a.optional(ours::NAME_RECORD, Attributes::name_record)?,
            listed: a.flag(ours::LISTED)?,
        });
    }
    if a.has(ours::REFUSAL) {
        return a.refused(RefusedCommand::Register);
    }
    Ok(ControlMessage::Registered {
        reply_to: a.reference(seed::RESPONSE)?,
        observed: a.address()?,
        life_s: a.seconds(ours::LIFE)?,
    })
}

fn search_result(a: &Attributes<'_>) -> Result<ControlMessage> {
    if a.has(ours::REFUSAL) {
        return a.refused(RefusedCommand::Search);
    }
    Ok(ControlMessage::SearchResult {
        reply_to: a.reference(seed::RESPONSE)?,
        entries: a.list(seed::OBJECT, limits::SEARCH_PAGE, |entry| {
            let id = entry.text(ours::ID)?.parse::<NodeId>();
            let id = id.map_err(|_| not_canonical(ours::ID))?;
            Ok((entry.name(seed::PEER)?, id))
        })?,
        cursor: a.cursor()?,
    })
}

fn introduction(a: &Attributes<'_>) -> Result<ControlMessage> {
    if !a.has(seed::RESPONSE) {
        return Ok(ControlMessage::Introduce {
            reference: a.reference(seed::REQUEST)?,
            key_record: a.key_record()?,
            channel: a.channel()?,
            name: a.optional(seed::FROM, Attributes::name)?,
            observed: a.address()?,
            is_neighbour: a.has(ours::NEIGHBOUR) && a.flag(ours::NEIGHBOUR)?,
        });
    }
    if a.has(ours::REFUSAL) {
        return a.refused(RefusedCommand::Connect);
    }
    let reply_to = a.reference(seed::RESPONSE)?;
    if !a.has(ours::KEY_RECORD) {
        return Ok(ControlMessage::IntroduceAccepted { reply_to });
    }
    Ok(ControlMessage::ConnectAnswer {
        reply_to,
        key_record: a.key_record()?,
        name: a.optional(seed::PEER, Attributes::name)?,
        observed: a.address()?,
    })
}

fn candidate(a: &Attributes<'_>) -> Result<Candidate> {
    let kind = match a.number(ours::CANDIDATE_TYPE)? {
        0 => CandidateKind::Host,
        1 => CandidateKind::Reflexive,
        _ => return Err(out_of_range(ours::CANDIDATE_TYPE)),
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
        u32::try_from(self.hexadecimal(ours::CHANNEL, 8)?).map_err(|_| out_of_range(ours::CHANNEL))
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

    fn target(&self) -> Result<Target> {
        match self.text(seed::PEER)?.parse() {
            Ok(id) => Ok(Target::Id(id)),
            Err(_) => self.name(seed::PEER).map(Target::Name),
        }
    }

    fn key_record(&self) -> Result<Vec<u8>> {
        let bytes = decode_z_base_32(self.text(ours::KEY_RECORD)?)
            .ok_or(not_canonical(ours::KEY_RECORD))?;
        if bytes.len() == KEY_RECORD_BYTES {
            Ok(bytes)
        } else {
            Err(out_of_range(ours::KEY_RECORD))
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
        let ip: IpAddr = self
            .text(seed::HOST)?
            .parse()
            .map_err(|_| not_canonical(seed::HOST))?;
        let port = u16::try_from(self.number(seed::PORT)?).map_err(|_| out_of_range(seed::PORT))?;
        Ok(SocketAddr::new(ip, port))
    }

    fn refused(&self, command: RefusedCommand) -> Result<ControlMessage> {
        Ok(ControlMessage::Refused {
            command,
            reply_to: self.reference(seed::RESPONSE)?,
            code: RefusalCode::from_str(self.text(ours::REFUSAL)?),
            retry_after_s: self.optional(ours::RETRY_AFTER, Attributes::seconds)?,
        })
    }
}
