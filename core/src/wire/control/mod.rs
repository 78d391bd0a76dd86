//! Control messages: what peers and introducers say in JSON (protocol §6).
//!
//! One typed variant for each meaning; the same command letter can be a request or an answer, told
//! apart by its attributes. [`ControlMessage::to_json`] has one spelling with a fixed order of
//! attributes; [`ControlMessage::parse`] is lenient about order, white space and unknown
//! attributes, and strict about everything else. Signatures are not looked at here: records are
//! bytes of a plausible length.

mod attributes;
mod builder;
mod candidates;
mod introduction;
mod json;
mod names;
mod refusal;
mod registration;
mod search;

#[cfg(test)]
mod tests;

pub(crate) use candidates::{Candidate, CandidateKind};
pub(crate) use refusal::{RefusalCode, RefusedCommand};
pub(crate) use search::search_page_len;

use core::net::SocketAddr;

use self::attributes::Attributes;
use self::builder::Builder;
use self::names::{command, seed};
use crate::error::DecodeError;
use crate::id::NodeId;

/// Bytes of a key record (protocol §2.2).
pub(crate) const KEY_RECORD_BYTES: usize = 137;
/// Bytes of a name record less its name (protocol §2.3).
pub(crate) const NAME_RECORD_BYTES_FIXED: usize = 109;
/// Bit of a relay channel's number: set where the relay chose it, clear where a requester did (protocol §10.2).
pub(crate) const RELAY_CHOSEN: u32 = 1 << 31;

/// Whom a connect order is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A registered name.
    Name(String),
    /// An identity.
    Id(NodeId),
}

/// One control message. References are 64-bit random numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ControlMessage {
    /// `ka`: keeps a path open.
    KeepAlive,
    /// `rg` request: hold my registration.
    Register {
        /// Comes back in the answer.
        reference: u64,
        /// Key record, 137 bytes.
        key_record: Vec<u8>,
        /// Name record, 110 to 173 bytes.
        name_record: Option<Vec<u8>>,
        /// Whether searches may show it.
        listed: bool,
    },
    /// `rg` answer.
    Registered {
        /// Reference of the request.
        reply_to: u64,
        /// The sender's address as seen.
        observed: SocketAddr,
        /// Life of the registration, seconds.
        life_s: u32,
    },
    /// `qrq`: which names begin so?
    Search {
        /// Comes back in the answer.
        reference: u64,
        /// Non-empty, at most 64 bytes, of characters that names may have.
        prefix: String,
        /// Where the page before ended.
        cursor: Option<String>,
    },
    /// `qrs`: a page of names. See [`search_page_len`] for how many fit.
    SearchResult {
        /// Reference of the request.
        reply_to: u64,
        /// Names and whose they are, at most [`crate::limits::SEARCH_PAGE`].
        entries: Vec<(String, NodeId)>,
        /// Where the next page begins; at most [`crate::limits::CURSOR_BYTES`] bytes,
        /// no control characters.
        cursor: Option<String>,
    },
    /// `cr1`: introduce me.
    ConnectRequest {
        /// Comes back in the answer.
        reference: u64,
        /// To whom.
        target: Target,
        /// My end of the relay channel.
        channel: u32,
    },
    /// `cr2` answer to the requester.
    ConnectAnswer {
        /// Reference of the request.
        reply_to: u64,
        /// The target's key record, 137 bytes.
        key_record: Vec<u8>,
        /// The target's name.
        name: Option<String>,
        /// The requester's address as seen.
        observed: SocketAddr,
    },
    /// `cr2` request to the target: this node wants you.
    Introduce {
        /// Comes back in the answer.
        reference: u64,
        /// The requester's key record, 137 bytes.
        key_record: Vec<u8>,
        /// Your end of the relay channel.
        channel: u32,
        /// The requester's name.
        name: Option<String>,
        /// The target's address as seen.
        observed: SocketAddr,
        /// The requester is seen at the same outside address as the target.
        is_neighbour: bool,
    },
    /// `cr2` answer of the target.
    IntroduceAccepted {
        /// Reference of the request.
        reply_to: u64,
    },
    /// Any answer with `e`.
    Refused {
        /// What was asked for.
        command: RefusedCommand,
        /// Reference of the request.
        reply_to: u64,
        /// Why.
        code: RefusalCode,
        /// When to try again, seconds from now.
        retry_after_s: Option<u32>,
    },
    /// `cr3`: my candidates, at most [`crate::limits::CANDIDATES`].
    Candidates(Vec<Candidate>),
    /// `cx`: to a relay, that its channel is not wanted; from it, that the other side does not want it.
    ChannelClosed {
        /// Number of the end of whoever is not the relay.
        channel: u32,
        /// Why.
        code: RefusalCode,
    },
}

/// What a control message turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParsedControl {
    /// A known command, well formed.
    Known(ControlMessage),
    /// Well-formed JSON with a command of a later version: counted and ignored.
    Unknown,
}

impl ControlMessage {
    /// Reads a control message of at most [`crate::limits::CONTROL_BYTES`]. A command that is both request and answer
    /// is an answer where it carries `r`, a refusal where also `e`.
    ///
    /// # Errors
    /// The first attribute that is missing or wrong.
    pub(crate) fn parse(bytes: &[u8]) -> Result<ParsedControl, DecodeError> {
        let object = json::parse(bytes)?;
        let a = Attributes(&object);
        let message = match a.text(seed::COMMAND)? {
            command::KEEP_ALIVE => Self::KeepAlive,
            command::REGISTER => registration::parse(&a)?,
            command::SEARCH => search::parse_request(&a)?,
            command::SEARCH_RESULT => search::parse_page(&a)?,
            command::CONNECT => introduction::parse_order(&a)?,
            command::INTRODUCE => introduction::parse(&a)?,
            command::CANDIDATES => candidates::parse(&a)?,
            command::CHANNEL_CLOSED => refusal::parse_channel_closed(&a)?,
            _ => return Ok(ParsedControl::Unknown),
        };
        Ok(ParsedControl::Known(message))
    }

    /// The message as JSON. It fits [`crate::limits::CONTROL_BYTES`] where its fields keep the bounds
    /// stated there.
    #[must_use]
    pub(crate) fn to_json(&self) -> Vec<u8> {
        self.builder().finish().into_bytes()
    }

    fn builder(&self) -> Builder {
        match self {
            Self::KeepAlive => Builder::command(command::KEEP_ALIVE),
            Self::Register {
                reference,
                key_record,
                name_record,
                listed,
            } => registration::request(*reference, key_record, name_record.as_ref(), *listed),
            Self::Registered {
                reply_to,
                observed,
                life_s,
            } => registration::answer(*reply_to, *observed, *life_s),
            Self::Search {
                reference,
                prefix,
                cursor,
            } => search::request(*reference, prefix, cursor.as_ref()),
            Self::SearchResult {
                reply_to,
                entries,
                cursor,
            } => search::page(*reply_to, entries, cursor.as_ref()),
            Self::ConnectRequest {
                reference,
                target,
                channel,
            } => introduction::order(*reference, target, *channel),
            Self::ConnectAnswer {
                reply_to,
                key_record,
                name,
                observed,
            } => introduction::answer(*reply_to, key_record, name.as_ref(), *observed),
            Self::Introduce {
                reference,
                key_record,
                channel,
                name,
                observed,
                is_neighbour,
            } => {
                let requester = (key_record.as_slice(), name.as_ref());
                introduction::request(*reference, requester, *channel, *observed, *is_neighbour)
            }
            Self::IntroduceAccepted { reply_to } => introduction::accepted(*reply_to),
            Self::Refused {
                command,
                reply_to,
                code,
                retry_after_s,
            } => refusal::build(*command, *reply_to, *code, *retry_after_s),
            Self::Candidates(candidates) => candidates::build(candidates),
            Self::ChannelClosed { channel, code } => refusal::build_channel_closed(*channel, *code),
        }
    }

    /// The reference under which this request waits for an answer; `None` for everything but
    /// requests.
    #[must_use]
    pub(crate) const fn reference(&self) -> Option<u64> {
        match self {
            Self::Register { reference, .. }
            | Self::Search { reference, .. }
            | Self::ConnectRequest { reference, .. }
            | Self::Introduce { reference, .. } => Some(*reference),
            _ => None,
        }
    }

    /// The reference of the request that this answers; `None` for everything but answers.
    #[must_use]
    pub(crate) const fn reply_to(&self) -> Option<u64> {
        match self {
            Self::Registered { reply_to, .. }
            | Self::SearchResult { reply_to, .. }
            | Self::ConnectAnswer { reply_to, .. }
            | Self::IntroduceAccepted { reply_to }
            | Self::Refused { reply_to, .. } => Some(*reply_to),
            _ => None,
        }
    }
}
