//! Whom a path means: `{peer}` is a full id, at least eight first characters of one, a known name, or
//! `name@introducer`, where the introducer is given by id, first characters, or host.

use p2p_core::api::{ConnectTarget, Engine, IntroducerStatus};
use p2p_core::id::{NODE_ID_TEXT_LEN, NodeId, ids_with_prefix};

use crate::problem::{Code, Problem};
use crate::state::Turn;

/// Fewest characters of an id that may stand for it.
const PREFIX_CHARACTERS_MIN: usize = 8;
/// Most peers named where a text fits several.
const CANDIDATES: usize = 10;

/// The peer that a text means; it must be known.
pub(super) fn peer(turn: &Turn<'_>, text: &str) -> Result<NodeId, Problem> {
    let id = match text.parse::<NodeId>() {
        Ok(id) => Some(id).filter(|id| turn.node.peer(turn.now, id).is_some()),
        Err(_) => lookup(turn, text)?,
    };
    match id {
        Some(id) => Ok(id),
        None if text.parse() == Ok(turn.node.id()) => {
            Err(Problem::new(Code::OwnId, "The id is this node's own."))
        }
        None => {
            let detail = "No peer of this run has that id, first characters, or name.";
            Err(Problem::new(Code::PeerNotFound, detail))
        }
    }
}

/// The same for a connection attempt: an id need not be known, an unknown name is asked for, and `ID@IP:PORT` is called
/// at that address without an introducer.
pub(super) fn connect_target(
    turn: &Turn<'_>,
    text: &str,
    via: Option<NodeId>,
) -> Result<(ConnectTarget, Option<NodeId>), Problem> {
    if let Ok(id) = text.parse() {
        return Ok((ConnectTarget::Id(id), via));
    }
    if let Some((id, address)) = text.split_once('@')
        && let (Ok(id), Ok(address)) = (id.parse(), address.parse())
    {
        return Ok((ConnectTarget::Address { id, address }, None));
    }
    let (name, via) = match text.rsplit_once('@') {
        Some((name, place)) => (name, Some(introducer(turn.node, turn, place)?.id)),
        None => (text, via),
    };
    if let Some(id) = lookup(turn, text)? {
        return Ok((ConnectTarget::Id(id), via));
    }
    if name.is_empty() {
        return Err(Problem::new(Code::PeerNotFound, "The name is empty."));
    }
    Ok((ConnectTarget::Name(name.to_owned()), via))
}

/// An introducer by id, first characters of its id, or host.
pub(super) fn introducer(
    node: &dyn Engine,
    turn: &Turn<'_>,
    text: &str,
) -> Result<IntroducerStatus, Problem> {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    let fits = |i: &IntroducerStatus| {
        let id = i.id.to_string();
        let prefix = text.len() >= PREFIX_CHARACTERS_MIN && id.starts_with(text);
        prefix || i.host == text || i.host == host
    };
    let mut found = node.status(turn.now).introducers.into_iter().filter(fits);
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => {
            let detail = "More than one introducer fits.";
            Err(Problem::new(Code::PeerAmbiguous, detail))
        }
        (None, _) => {
            let detail = "No configured introducer has that id, first characters, or host.";
            Err(Problem::new(Code::IntroducerNotFound, detail))
        }
    }
}

/// A known peer that is not given by its full id.
fn lookup(turn: &Turn<'_>, text: &str) -> Result<Option<NodeId>, Problem> {
    if let Some((name, place)) = text.rsplit_once('@') {
        let introducer = introducer(turn.node, turn, place)?;
        if let Some(id) = turn.state.found(name, introducer.id) {
            return Ok(Some(id));
        }
        return only(turn.node.peers_named(name, CANDIDATES));
    }
    let mut found = turn.node.peers_named(text, CANDIDATES);
    if (PREFIX_CHARACTERS_MIN..NODE_ID_TEXT_LEN).contains(&text.len())
        && let Some(ids) = ids_with_prefix(text)
    {
        found.extend(turn.node.peers_between(ids, CANDIDATES));
        found.sort_unstable();
        found.dedup();
    }
    only(found)
}

fn only(found: Vec<NodeId>) -> Result<Option<NodeId>, Problem> {
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        many => {
            let ids: Vec<String> = many
                .iter()
                .take(CANDIDATES)
                .map(ToString::to_string)
                .collect();
            let detail = "More than one peer has those first characters or that name.";
            Err(Problem::new(Code::PeerAmbiguous, detail).with_member("candidates", ids))
        }
    }
}
