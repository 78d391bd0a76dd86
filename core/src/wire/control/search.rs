//! `qrq` and `qrs`: a search for names, and a page of them (protocol §6.1).

use super::attributes::{Attributes, Result, not_canonical};
use super::builder::{Builder, quoted};
use super::names::{command, ours, seed};
use super::refusal;
use super::{ControlMessage, RefusedCommand};
use crate::id::{NODE_ID_TEXT_LEN, NodeId};
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

pub(super) fn request(reference: u64, prefix: &str, cursor: Option<&String>) -> Builder {
    Builder::command(command::SEARCH)
        .reference(seed::REQUEST, reference)
        .text(seed::SEARCH, prefix)
        .optional_text(ours::CURSOR, cursor)
}

pub(super) fn page(
    reply_to: u64,
    entries: &[(String, NodeId)],
    cursor: Option<&String>,
) -> Builder {
    let entry = |(name, id): &(String, NodeId)| {
        Builder::new()
            .text(seed::PEER, name)
            .text(ours::ID, &id.to_string())
    };
    Builder::command(command::SEARCH_RESULT)
        .reference(seed::RESPONSE, reply_to)
        .list(seed::OBJECT, entries.iter().map(entry))
        .optional_text(ours::CURSOR, cursor)
}

pub(super) fn parse_request(a: &Attributes<'_>) -> Result<ControlMessage> {
    Ok(ControlMessage::Search {
        reference: a.reference(seed::REQUEST)?,
        prefix: a.name(seed::SEARCH)?,
        cursor: a.cursor()?,
    })
}

pub(super) fn parse_page(a: &Attributes<'_>) -> Result<ControlMessage> {
    if a.has(ours::REFUSAL) {
        return refusal::parse(a, RefusedCommand::Search);
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
