//! Whom a path means: `{peer}` is a full id, a petname, `name@introducer` (the introducer by id, first characters, or
//! host), a name that was found, or at least eight first characters of an id.

use p2p_core::api::{ConnectTarget, Engine, IntroducerStatus};
use p2p_core::id::{NODE_ID_TEXT_LEN, NodeId, ids_with_prefix};
use p2p_core::name::{ID_PREFIX_CHARACTERS_MIN, validate_name};

use crate::problem::{Code, Problem};
use crate::state::Turn;

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
        return Ok((ConnectTarget::Id(not_blocked(turn, id)?), via));
    }
    if let Some((id, address)) = text.split_once('@')
        && let (Ok(id), Ok(address)) = (id.parse(), address.parse())
    {
        let id = not_blocked(turn, id)?;
        return Ok((ConnectTarget::Address { id, address }, None));
    }
    let (name, via) = match text.rsplit_once('@') {
        Some((name, place)) => (name, Some(introducer(turn.node, turn, place)?.id)),
        None => (text, via),
    };
    if name.is_empty() {
        return Err(Problem::new(Code::PeerNotFound, "The name is empty."));
    }
    let name = name.to_owned();
    let Some(id) = lookup(turn, text)? else {
        return Ok((ConnectTarget::Name(name), via));
    };
    let id = not_blocked(turn, id)?;
    let contacts = &turn.state.contacts;
    let mut bindings = contacts.by_name(&name);
    let is_bound = bindings.any(|b| b.id == id && via.is_none_or(|via| via == b.introducer));
    if is_bound && validate_name(&name).is_ok() {
        // The introducers are asked again for the name, so that it shows where it has changed hands.
        return Ok((ConnectTarget::BoundName { name, id }, via));
    }
    Ok((ConnectTarget::Id(id), via))
}

/// Nothing begins with a peer that the owner blocked.
fn not_blocked(turn: &Turn<'_>, id: NodeId) -> Result<NodeId, Problem> {
    if turn.state.contacts.is_blocked(&id) {
        let detail = "The owner of this node has blocked this peer.";
        return Err(Problem::new(Code::PeerBlocked, detail));
    }
    Ok(id)
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
        let prefix = text.len() >= ID_PREFIX_CHARACTERS_MIN && id.starts_with(text);
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

/// Somebody who is known, not given by a full id. The first class of words that fits decides: the owner's own names,
/// names that the owner's look-ups found, first characters of an id. What a peer calls itself is in none of them.
pub(super) fn somebody(turn: &Turn<'_>, text: &str) -> Result<NodeId, Problem> {
    let found = lookup(turn, text)?;
    found.ok_or_else(|| {
        let detail = "Nobody known here has those first characters or that name.";
        Problem::new(Code::PeerNotFound, detail)
    })
}

fn lookup(turn: &Turn<'_>, text: &str) -> Result<Option<NodeId>, Problem> {
    if let Some((name, place)) = text.rsplit_once('@') {
        let introducer = introducer(turn.node, turn, place)?;
        let binding = turn.state.contacts.book().binding(&introducer.id, name);
        return Ok(binding.map(|binding| binding.id));
    }
    let contacts = &turn.state.contacts;
    if let Some(contact) = contacts.by_petname(text) {
        return Ok(Some(contact.id));
    }
    let mut found: Vec<NodeId> = contacts.by_name(text).map(|b| b.id).collect();
    if (ID_PREFIX_CHARACTERS_MIN..NODE_ID_TEXT_LEN).contains(&text.len())
        && let Some(ids) = ids_with_prefix(text)
    {
        let book = contacts.book().contacts();
        found.extend(book.map(|c| c.id).filter(|id| ids.contains(id)));
        found.extend(turn.node.peers_between(ids, CANDIDATES));
    }
    found.sort_unstable();
    found.dedup();
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
