//! Control messages: what peers and introducers say in JSON (protocol §6).
//!
//! One typed variant for each meaning; the same command letter can be a request or an answer, told
//! apart by its attributes. [`ControlMessage::to_json`] has one spelling with a fixed order of
//! attributes; [`ControlMessage::parse`] is lenient about order, white space and unknown
//! attributes, and strict about everything else. Signatures are not looked at here: records are
//! bytes of a plausible length.

mod build;
mod json;
mod names;
mod parse;

#[cfg(test)]
mod tests;

pub(crate) use build::search_page_len;

use core::net::SocketAddr;

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

/// Where a candidate address comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CandidateKind {
    /// An address of an interface.
    Host,
    /// As an introducer sees it.
    Reflexive,
}

/// An address that the sender may be reachable at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate {
    /// The address; not checked against protocol §9.3.
    pub address: SocketAddr,
    /// Where it comes from.
    pub kind: CandidateKind,
}

/// Which kind of request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RefusedCommand {
    /// A registration (`rg`).
    Register,
    /// A search (`qrs`).
    Search,
    /// A connect order or an introduction (`cr2`).
    Connect,
}

/// Why a request is refused (protocol §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RefusalCode {
    /// No such peer here.
    Unknown,
    /// The target does not want it; also what an unassigned code is read as.
    Refused,
    /// No room.
    Full,
    /// The name belongs to another key.
    Taken,
    /// Too often; try again later.
    Throttled,
    /// The request makes no sense.
    Malformed,
    /// This node does not do that.
    Role,
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

impl RefusalCode {
    const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Refused,
        Self::Full,
        Self::Taken,
        Self::Throttled,
        Self::Malformed,
        Self::Role,
    ];

    /// The code as it is written.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Full => "full",
            Self::Taken => "taken",
            Self::Throttled => "throttled",
            Self::Malformed => "malformed",
            Self::Role => "role",
        }
    }

    fn from_str(text: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|code| code.as_str() == text)
            .unwrap_or(Self::Refused)
    }
}

impl RefusedCommand {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Register => names::command::REGISTER,
            Self::Search => names::command::SEARCH_RESULT,
            Self::Connect => names::command::INTRODUCE,
        }
    }
}

impl ControlMessage {
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
