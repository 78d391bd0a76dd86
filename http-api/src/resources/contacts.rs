//! Contacts: whom the owner of this node knows, what the owner calls them, and of whom the owner wants nothing.

use p2p_core::api::Command;
use p2p_core::id::NodeId;
use p2p_storage::{Binding, Change, Contact, Trust};

use super::peers::page_size;
use super::resolve;
use crate::call::{Call, decode_json};
use crate::contacts::{CONTACTS, InvalidPetname};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply};
use crate::state::Turn;
use crate::view::{ContactBody, ContactList, ContactView, RebindBody};

/// Most bytes of a note.
const NOTE_BYTES: usize = 1_024;

/// `GET /v1/contacts`
pub(crate) fn list(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let limit = page_size(call);
    let after = call.query.text("cursor").unwrap_or_default();
    let contacts = turn.state.contacts.book().contacts();
    let mut contacts: Vec<(String, &Contact)> = contacts
        .map(|contact| (contact.id.to_string(), contact))
        .filter(|(id, _)| id.as_str() > after)
        .collect();
    contacts.sort_by(|(a, _), (b, _)| a.cmp(b));
    let more = contacts.len() > limit;
    contacts.truncate(limit);
    let next = contacts.last().filter(|_| more).map(|(id, _)| id.clone());
    let items = contacts.iter().map(|(_, contact)| view(turn, contact));
    let items = items.collect();
    Ok(Full::json(200, &ContactList { items, next }).into())
}

/// `GET /v1/contacts/{peer}`
pub(crate) fn show(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let id = contact(turn, call)?;
    let known = turn.state.contacts.book().contact(&id);
    let contact = known.ok_or_else(missing)?;
    Ok(Full::json(200, &view(turn, contact)).into())
}

/// `PUT /v1/contacts/{peer}`
pub(crate) fn put(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: ContactBody = decode_json(call)?;
    let id = meant(turn, call.param(0))?;
    let (is_new, mut contact) = take(turn, id)?;
    if let Some(petname) = body.petname {
        contact.petname = petname_of(turn, id, &petname)?;
    }
    if let Some(trust) = body.trust.as_deref() {
        contact.trust = match Trust::from_word(trust) {
            Some(trust @ (Trust::Stranger | Trust::Verified)) => trust,
            // It stays what it is.
            Some(trust) if trust == contact.trust => trust,
            _ => return Err(wrong("/trust", "must be stranger or verified")),
        };
        "words".clone_into(&mut contact.how);
    }
    if let Some(note) = body.note {
        if note.len() > NOTE_BYTES {
            return Err(wrong("/note", "must have 1024 bytes at most"));
        }
        contact.note = Some(note).filter(|note| !note.is_empty());
    }
    if !contact.is_blocked {
        turn.command(Command::Accept(id))?;
    }
    let full = Full::json(if is_new { 201 } else { 200 }, &view(turn, &contact));
    Ok(keep(turn, vec![Change::Contact(contact)], full))
}

/// `DELETE /v1/contacts/{peer}`
pub(crate) fn forget(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let id = contact(turn, call)?;
    if turn.state.contacts.is_blocked(&id) {
        turn.command(Command::Unblock(id))?;
    }
    turn.state.meetings.joins.end(&id);
    turn.state.transfers.end_of_peer(turn.now, id);
    let changes = vec![Change::Forget(id), Change::Joined(id)];
    Ok(keep(turn, changes, Full::empty(204)))
}

/// `POST /v1/contacts/{peer}/block`
pub(crate) fn block(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let id = meant(turn, call.param(0))?;
    let (_, mut contact) = take(turn, id)?;
    turn.command(Command::Block(id))?;
    turn.state.knocks.remove(&id);
    turn.state.meetings.joins.end(&id);
    turn.state.transfers.end_of_peer(turn.now, id);
    contact.is_blocked = true;
    let full = Full::json(200, &view(turn, &contact));
    let reply = keep(
        turn,
        vec![Change::Contact(contact), Change::Joined(id)],
        full,
    );
    // What is deleted later than the block is written is found again and deleted at the next start.
    let items = turn.state.inbox.take_of(&id);
    let _ = turn.state.discard(items);
    Ok(reply)
}

/// `POST /v1/contacts/{peer}/unblock`
pub(crate) fn unblock(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let id = contact(turn, call)?;
    let (_, mut contact) = take(turn, id)?;
    turn.command(Command::Unblock(id))?;
    contact.is_blocked = false;
    let full = Full::json(200, &view(turn, &contact));
    // Whoever was known for the block alone is a stranger again; a contact is none.
    if contact.is_bare() {
        return Ok(keep(turn, vec![Change::Forget(id)], full));
    }
    turn.command(Command::Accept(id))?;
    Ok(keep(turn, vec![Change::Contact(contact)], full))
}

/// `POST /v1/contacts/{peer}/names`
pub(crate) fn rebind(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: RebindBody = decode_json(call)?;
    let id = meant(turn, call.param(0))?;
    if let Err(invalid) = p2p_core::name::validate_name(&body.name) {
        return Err(wrong("/name", invalid.must()));
    }
    let introducer = resolve::introducer(turn.node, turn, &body.introducer)?.id;
    let (_, contact) = take(turn, id)?;
    let binding = Binding {
        introducer,
        name: body.name,
        id,
        since_unix_ms: turn.state.clock.unix_ms(turn.now),
        refused: None,
    };
    let full = Full::empty(204);
    let changes = vec![Change::Contact(contact), Change::Binding(binding)];
    Ok(keep(turn, changes, full))
}

/// Answers once it is on disk, or at once where nothing is kept.
pub(super) fn keep(turn: &mut Turn<'_>, changes: Vec<Change>, full: Full) -> Reply {
    let order = turn.state.change_contacts(changes);
    turn.answer_when_kept(order, full)
}

/// The same for what the owner sets up, which is set up as before where it cannot be kept.
pub(super) fn set_up(turn: &mut Turn<'_>, change: Change, full: Full) -> Reply {
    let what = match &change {
        Change::Keep(kept) => Some((kept.kind, kept.name.clone())),
        Change::Drop(kind, name) => Some((*kind, name.clone())),
        _ => None,
    };
    let order = turn.state.change_contacts(vec![change]);
    turn.state.setting_up.extend(order.zip(what));
    turn.answer_when_kept(order, full)
}

fn view(turn: &Turn<'_>, contact: &Contact) -> ContactView {
    let names = turn.state.contacts.book().bindings();
    let names = names.filter(|binding| binding.id == contact.id);
    ContactView::new(contact, turn.state.claimed_name(&contact.id), names)
}

/// The contact to change, and whether it is a new one.
fn take(turn: &Turn<'_>, id: NodeId) -> Result<(bool, Contact), Problem> {
    if id == turn.node.id() {
        return Err(Problem::new(Code::OwnId, "The id is this node's own."));
    }
    let contacts = &turn.state.contacts;
    let is_new = contacts.book().contact(&id).is_none();
    if is_new && !contacts.has_room() {
        let detail = "There are as many contacts as there may be; forget one first.";
        return Err(Problem::new(Code::LimitReached, detail).with_member("value", CONTACTS));
    }
    let now_unix_ms = turn.state.clock.unix_ms(turn.now);
    Ok((is_new, contacts.or_new(now_unix_ms, id)))
}

/// A petname that the owner gives; none where it is empty.
pub(super) fn petname_of(
    turn: &Turn<'_>,
    id: NodeId,
    petname: &str,
) -> Result<Option<String>, Problem> {
    let petname = petname.trim();
    if petname.is_empty() {
        return Ok(None);
    }
    match turn.state.contacts.check_petname(&id, petname) {
        Ok(()) => Ok(Some(petname.to_owned())),
        Err(InvalidPetname::Must(must)) => Err(wrong("/petname", must)),
        Err(InvalidPetname::Taken(other)) => {
            let detail = "Another contact is called so, or looks so.";
            let other = other.to_string();
            Err(Problem::new(Code::PetnameTaken, detail).with_member("contact", other))
        }
    }
}

/// Who is meant: any id, or somebody who is known.
fn meant(turn: &Turn<'_>, text: &str) -> Result<NodeId, Problem> {
    match text.parse() {
        Ok(id) => Ok(id),
        Err(_) => resolve::somebody(turn, text),
    }
}

/// A contact by id, petname, name or first characters.
fn contact(turn: &Turn<'_>, call: &Call) -> Result<NodeId, Problem> {
    let id = meant(turn, call.param(0))?;
    let known = turn.state.contacts.book().contact(&id);
    known.map(|contact| contact.id).ok_or_else(missing)
}

fn missing() -> Problem {
    Problem::new(
        Code::ContactNotFound,
        "Nobody of that id or name is a contact.",
    )
}

pub(super) fn wrong(pointer: &str, must: &str) -> Problem {
    let detail = "A field of the body is wrong.";
    Problem::new(Code::InvalidBody, detail).with_error(pointer, must)
}
