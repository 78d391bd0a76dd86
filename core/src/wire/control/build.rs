//! Control messages to JSON (protocol §6): attributes in a fixed order, no white space.
//!
//! Also says how much of a page of search results fits one message.

use core::fmt::{Display, Write as _};
use core::net::SocketAddr;

use super::names::{command, ours, seed};
use super::{Candidate, CandidateKind, ControlMessage, Target};
use crate::id::{NODE_ID_TEXT_LEN, NodeId, encode_z_base_32};
use crate::limits;

/// `{"c":"qrs","r":"0123456789abcdef","o":[],"cu":}` with room for a quoted cursor.
const SEARCH_RESULT_BYTES_FIXED: usize = 47;
/// `{"u":,"i":""},` with room for a quoted name and an id.
const ENTRY_BYTES_FIXED: usize = 14 + NODE_ID_TEXT_LEN;

/// How many of `entries`, from the first, fit one `SearchResult` together with a cursor of
/// `cursor_bytes` bytes (before escaping); at most [`limits::SEARCH_PAGE`].
#[must_use]
pub(crate) fn search_page_len(entries: &[(String, NodeId)], cursor_bytes: usize) -> usize {
    // Escaping at most doubles a cursor made of what names may have.
    let fixed = SEARCH_RESULT_BYTES_FIXED + 2 * cursor_bytes + 2;
    let mut room = limits::CONTROL_BYTES.saturating_sub(fixed);
    entries
        .iter()
        .take(limits::SEARCH_PAGE)
        .take_while(|(name, _)| {
            let len = ENTRY_BYTES_FIXED + quoted(name).len();
            let fits = len <= room;
            room = room.saturating_sub(len);
            fits
        })
        .count()
}

/// A JSON string with its quotes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// An object in the making.
struct Builder(String);

impl Builder {
    fn new() -> Self {
        Self(String::from("{"))
    }

    fn command(name: &str) -> Self {
        Self::new().text(seed::COMMAND, name)
    }

    fn raw(mut self, key: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(self.0, "\"{key}\":{value}");
        self
    }

    fn text(self, key: &str, value: &str) -> Self {
        self.raw(key, quoted(value))
    }

    fn optional_text(self, key: &str, value: Option<&String>) -> Self {
        match value {
            Some(value) => self.text(key, value),
            None => self,
        }
    }

    fn reference(self, key: &str, value: u64) -> Self {
        self.raw(key, format_args!("\"{value:016x}\""))
    }

    fn channel(self, value: u32) -> Self {
        self.raw(ours::CHANNEL, format_args!("\"{value:08x}\""))
    }

    fn record(self, key: &str, bytes: &[u8]) -> Self {
        self.raw(key, format_args!("\"{}\"", encode_z_base_32(bytes)))
    }

    fn address(self, address: SocketAddr) -> Self {
        self.raw(seed::HOST, format_args!("\"{}\"", address.ip()))
            .raw(seed::PORT, address.port())
    }

    fn list(self, key: &str, items: impl Iterator<Item = Builder>) -> Self {
        let items: Vec<String> = items.map(Builder::finish).collect();
        self.raw(key, format_args!("[{}]", items.join(",")))
    }

    fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

fn candidate(candidate: &Candidate) -> Builder {
    let kind = match candidate.kind {
        CandidateKind::Host => 0,
        CandidateKind::Reflexive => 1,
    };
    Builder::new()
        .address(candidate.address)
        .raw(ours::CANDIDATE_TYPE, kind)
}

impl ControlMessage {
    /// The message as JSON. It fits [`limits::CONTROL_BYTES`] where its fields keep the bounds
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
            } => {
                let b = Builder::command(command::REGISTER)
                    .reference(seed::REQUEST, *reference)
                    .record(ours::KEY_RECORD, key_record)
                    .raw(ours::LISTED, listed);
                match name_record {
                    Some(record) => b.record(ours::NAME_RECORD, record),
                    None => b,
                }
            }
            Self::Registered {
                reply_to,
                observed,
                life_s,
            } => Builder::command(command::REGISTER)
                .reference(seed::RESPONSE, *reply_to)
                .address(*observed)
                .raw(ours::LIFE, life_s),
            Self::Search {
                reference,
                prefix,
                cursor,
            } => Builder::command(command::SEARCH)
                .reference(seed::REQUEST, *reference)
                .text(seed::SEARCH, prefix)
                .optional_text(ours::CURSOR, cursor.as_ref()),
            Self::SearchResult {
                reply_to,
                entries,
                cursor,
            } => Builder::command(command::SEARCH_RESULT)
                .reference(seed::RESPONSE, *reply_to)
                .list(
                    seed::OBJECT,
                    entries.iter().map(|(name, id)| {
                        Builder::new()
                            .text(seed::PEER, name)
                            .text(ours::ID, &id.to_string())
                    }),
                )
                .optional_text(ours::CURSOR, cursor.as_ref()),
            Self::Candidates(candidates) => Builder::command(command::CANDIDATES)
                .list(ours::CANDIDATES, candidates.iter().map(candidate)),
            Self::ChannelClosed { channel, code } => Builder::command(command::CHANNEL_CLOSED)
                .channel(*channel)
                .text(ours::REFUSAL, code.as_str()),
            _ => self.connect_builder(),
        }
    }

    fn connect_builder(&self) -> Builder {
        match self {
            Self::ConnectRequest {
                reference,
                target,
                channel,
            } => {
                let b = Builder::command(command::CONNECT).reference(seed::REQUEST, *reference);
                match target {
                    Target::Name(name) => b.text(seed::PEER, name),
                    Target::Id(id) => b.text(seed::PEER, &id.to_string()),
                }
                .channel(*channel)
            }
            Self::ConnectAnswer {
                reply_to,
                key_record,
                name,
                observed,
            } => Builder::command(command::INTRODUCE)
                .reference(seed::RESPONSE, *reply_to)
                .record(ours::KEY_RECORD, key_record)
                .optional_text(seed::PEER, name.as_ref())
                .address(*observed),
            Self::Introduce {
                reference,
                key_record,
                channel,
                name,
                observed,
                is_neighbour,
            } => {
                let b = Builder::command(command::INTRODUCE)
                    .reference(seed::REQUEST, *reference)
                    .record(ours::KEY_RECORD, key_record)
                    .channel(*channel)
                    .optional_text(seed::FROM, name.as_ref())
                    .address(*observed);
                if *is_neighbour {
                    b.raw(ours::NEIGHBOUR, true)
                } else {
                    b
                }
            }
            Self::IntroduceAccepted { reply_to } => {
                Builder::command(command::INTRODUCE).reference(seed::RESPONSE, *reply_to)
            }
            Self::Refused {
                command,
                reply_to,
                code,
                retry_after_s,
            } => {
                let b = Builder::command(command.as_str())
                    .reference(seed::RESPONSE, *reply_to)
                    .text(ours::REFUSAL, code.as_str());
                match retry_after_s {
                    Some(seconds) => b.raw(ours::RETRY_AFTER, seconds),
                    None => b,
                }
            }
            // The remaining ones are built by the caller of this function.
            _ => Builder::new(),
        }
    }
}
