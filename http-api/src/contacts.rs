//! People: what the owner calls them, whose a name was found to be, and what of it is on its way to the disk.
//!
//! Nothing here comes from what a peer says of itself. A change counts at once; whoever ordered it is answered when it
//! is kept, and it is taken back where it cannot be.

use std::collections::BTreeMap;

use p2p_core::id::{NodeId, ids_with_prefix};
use p2p_core::name::{ID_PREFIX_CHARACTERS_MIN, fold_name, skeleton};
use p2p_storage::{
    Binding, Book, Change, Contact, Invite, InviteId, Join, Kept, KeptIntroducer, KeptKind, Trust,
};

use crate::orders::Orders;

/// Most contacts.
pub(crate) const CONTACTS: usize = 10_000;
/// Most names that look-ups have found.
pub(crate) const BINDINGS: usize = 20_000;

/// Longest petname, bytes.
const PETNAME_BYTES: usize = 64;

/// Why a petname may not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidPetname {
    /// What it must be.
    Must(&'static str),
    /// Who is called so, or looks so.
    Taken(NodeId),
}

/// What a name is to the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameKind {
    /// The owner's own word.
    Petname,
    /// The owner looked it up.
    Found,
    /// The peer says so.
    Claimed,
}

impl NameKind {
    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Petname => "petname",
            Self::Found => "found",
            Self::Claimed => "claimed",
        }
    }
}

/// The book and what is being written of it.
#[derive(Default)]
pub(crate) struct Contacts {
    book: Book,
    /// Writes under way, and how it was before.
    writing: BTreeMap<u64, Vec<Change>>,
}

impl Contacts {
    /// Starts with what was kept before.
    pub(crate) fn new(book: Book) -> Self {
        Self {
            book,
            ..Self::default()
        }
    }

    /// The book.
    pub(crate) const fn book(&self) -> &Book {
        &self.book
    }

    /// Changes the book. Gives the number under which it is written; none where nothing is kept.
    pub(crate) fn change(&mut self, orders: &mut Orders, changes: Vec<Change>) -> Option<u64> {
        let undo = changes.iter().flat_map(|c| self.before(c)).collect();
        for change in changes.iter().cloned() {
            self.book.apply(change);
        }
        let order = orders.place(changes)?;
        self.writing.insert(order, undo);
        Some(order)
    }

    /// What restores what a change replaces. A contact that was not there is forgotten again; a name stays, since it
    /// was found.
    fn before(&self, change: &Change) -> Vec<Change> {
        match change {
            Change::Contact(contact) => {
                let old = self.book.contact(&contact.id).cloned();
                vec![old.map_or(Change::Forget(contact.id), Change::Contact)]
            }
            Change::Forget(id) => {
                let contact = self.book.contact(id).cloned().map(Change::Contact);
                let names = self.book.bindings().filter(|b| b.id == *id).cloned();
                contact
                    .into_iter()
                    .chain(names.map(Change::Binding))
                    .collect()
            }
            Change::Binding(_) | Change::Message(_) | Change::MessageDone(_) => Vec::new(),
            Change::Invite(Invite { id, .. }) | Change::Revoke(id) => {
                let old = self.book.invite(id).cloned();
                vec![old.map_or(Change::Revoke(*id), Change::Invite)]
            }
            Change::Join(Join { peer, .. }) | Change::Joined(peer) => {
                let old = self.book.join(peer).cloned();
                vec![old.map_or(Change::Joined(*peer), Change::Join)]
            }
            Change::Introducer(KeptIntroducer { address, .. }) => {
                self.before_introducer(address.id)
            }
            Change::Leave(id) => self.before_introducer(*id),
            Change::Keep(Kept { kind, name, .. }) | Change::Drop(kind, name) => {
                let old = self.book.kept(*kind, name).cloned();
                vec![old.map_or(Change::Drop(*kind, name.clone()), Change::Keep)]
            }
        }
    }

    fn before_introducer(&self, id: NodeId) -> Vec<Change> {
        let old = self.book.introducer(&id).cloned();
        vec![old.map_or(Change::Leave(id), Change::Introducer)]
    }

    /// Changes are kept, or cannot be: then it is as it was before. What a later order has changed again stays as that
    /// one made it, and goes back this far where it cannot be kept either.
    pub(crate) fn on_kept(&mut self, order: u64, is_kept: bool) {
        let undo = self.writing.remove(&order).unwrap_or_default();
        for change in undo.into_iter().filter(|_| !is_kept) {
            let later = self.writing.range_mut(order..);
            let mut later = later.flat_map(|(_, undo)| undo.iter_mut());
            match later.find(|later| Thing::from(&**later) == Thing::from(&change)) {
                Some(later) => *later = change,
                None => self.book.apply(change),
            }
        }
    }

    /// A look-up of the owner's found whose a name is.
    pub(crate) fn on_found(
        &mut self,
        orders: &mut Orders,
        now_unix_ms: u64,
        name: &str,
        introducer: NodeId,
        id: NodeId,
    ) {
        let known = self.book.binding(&introducer, name);
        if known.is_some_and(|b| b.id != id) {
            return self.on_differs(orders, now_unix_ms, name, introducer, id);
        }
        let is_known = known.is_some_and(|b| b.id == id && b.refused.is_none());
        if is_known || known.is_none() && self.book.bindings().count() >= BINDINGS {
            return;
        }
        let binding = Binding {
            introducer,
            name: known.map_or(name, |b| &b.name).to_owned(),
            id,
            since_unix_ms: known.map_or(now_unix_ms, |b| b.since_unix_ms),
            refused: None,
        };
        let mut changes = vec![Change::Binding(binding)];
        if let Some(contact) = self.learnt(now_unix_ms, id, Trust::Found, "lookup") {
            changes.push(Change::Contact(contact));
        }
        let _ = self.change(orders, changes);
    }

    /// An introducer gave a name to somebody else.
    pub(crate) fn on_differs(
        &mut self,
        orders: &mut Orders,
        now_unix_ms: u64,
        name: &str,
        introducer: NodeId,
        offered: NodeId,
    ) {
        let Some(binding) = self.book.binding(&introducer, name).cloned() else {
            return;
        };
        if binding.refused.map(|(id, _)| id) != Some(offered) {
            let refused = Some((offered, now_unix_ms));
            let binding = Binding { refused, ..binding };
            let _ = self.change(orders, vec![Change::Binding(binding)]);
        }
    }

    /// Why the owner may not call the peer so.
    pub(crate) fn check_petname(&self, id: &NodeId, petname: &str) -> Result<(), InvalidPetname> {
        let is_plain = |c: char| !c.is_control() && !matches!(c, '@' | '/');
        if petname.is_empty() || petname.len() > PETNAME_BYTES || !petname.chars().all(is_plain) {
            let must = "must have 1 to 64 bytes, without controls, @ and /";
            return Err(InvalidPetname::Must(must));
        }
        let reads_as_id =
            petname.len() >= ID_PREFIX_CHARACTERS_MIN && ids_with_prefix(petname).is_some();
        if reads_as_id && petname.contains(|c: char| c.is_ascii_digit()) {
            let must = "must not read as the beginning of an id";
            return Err(InvalidPetname::Must(must));
        }
        let shape = skeleton(petname);
        let looks_so = |c: &&Contact| c.petname.as_deref().is_some_and(|p| skeleton(p) == shape);
        let mut others = self.book.contacts().filter(|c| c.id != *id);
        others
            .find(looks_so)
            .map_or(Ok(()), |other| Err(InvalidPetname::Taken(other.id)))
    }

    /// The contact that an invitation makes of a peer; `None` where there is no room. It keeps the name that it has;
    /// otherwise it gets the first of `names` that it may have.
    pub(crate) fn invited<'a>(
        &self,
        now_unix_ms: u64,
        id: NodeId,
        (trust, how): (Trust, &str),
        names: impl IntoIterator<Item = &'a str>,
    ) -> Option<Contact> {
        let known = self.book.contact(&id);
        if known.is_none() && !self.has_room() {
            return None;
        }
        let mut contact = self.or_new(now_unix_ms, id);
        if contact.trust < trust {
            (contact.trust, contact.how) = (trust, how.to_owned());
        }
        if contact.petname.is_none() {
            let mut names = names.into_iter();
            let petname = names.find(|name| self.check_petname(&id, name).is_ok());
            contact.petname = petname.map(ToOwned::to_owned);
        }
        Some(contact)
    }

    /// The contact with this much trust at least; `None` where it has it already or there is no room.
    fn learnt(&self, now_unix_ms: u64, id: NodeId, trust: Trust, how: &str) -> Option<Contact> {
        let known = self.book.contact(&id);
        if known.is_some_and(|c| c.trust >= trust) || known.is_none() && !self.has_room() {
            return None;
        }
        let mut contact = known.cloned().unwrap_or_else(|| unknown(id, now_unix_ms));
        (contact.trust, contact.how) = (trust, how.to_owned());
        Some(contact)
    }

    /// The contact as it is, or as one that is nothing yet.
    pub(crate) fn or_new(&self, now_unix_ms: u64, id: NodeId) -> Contact {
        let known = self.book.contact(&id);
        known.cloned().unwrap_or_else(|| unknown(id, now_unix_ms))
    }

    /// Whether one more contact fits.
    pub(crate) fn has_room(&self) -> bool {
        self.book.contacts().count() < CONTACTS
    }

    /// Whether the owner blocked the peer.
    pub(crate) fn is_blocked(&self, id: &NodeId) -> bool {
        self.book.contact(id).is_some_and(|c| c.is_blocked)
    }

    /// Whom the owner calls so.
    pub(crate) fn by_petname(&self, petname: &str) -> Option<&Contact> {
        let exact = |c: &&Contact| c.petname.as_deref() == Some(petname);
        let shape = skeleton(petname);
        let similar = |c: &&Contact| c.petname.as_deref().is_some_and(|p| skeleton(p) == shape);
        let mut contacts = self.book.contacts();
        contacts
            .find(exact)
            .or_else(|| self.book.contacts().find(similar))
    }

    /// Whose a name is, at each introducer that was asked.
    pub(crate) fn by_name<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Binding> + use<'a> {
        let folded = fold_name(name);
        let bindings = self.book.bindings();
        bindings.filter(move |binding| fold_name(&binding.name) == folded)
    }

    /// What to call a peer, and what that name is worth; `claimed` is what it calls itself.
    pub(crate) fn name_of<'a>(
        &'a self,
        id: &NodeId,
        claimed: Option<&'a str>,
    ) -> Option<(&'a str, NameKind)> {
        let petname = self.book.contact(id).and_then(|c| c.petname.as_deref());
        let found = || {
            self.book
                .bindings()
                .find(|b| b.id == *id)
                .map(|b| b.name.as_str())
        };
        petname
            .map(|name| (name, NameKind::Petname))
            .or_else(|| found().map(|name| (name, NameKind::Found)))
            .or_else(|| claimed.map(|name| (name, NameKind::Claimed)))
    }
}

/// What a change is about.
#[derive(PartialEq)]
enum Thing<'a> {
    Contact(&'a NodeId),
    Name(&'a NodeId, String),
    Invite(&'a InviteId),
    Join(&'a NodeId),
    Introducer(&'a NodeId),
    Kept(KeptKind, &'a str),
    Message(u64),
}

impl<'a> From<&'a Change> for Thing<'a> {
    fn from(change: &'a Change) -> Self {
        match change {
            Change::Contact(Contact { id, .. }) | Change::Forget(id) => Self::Contact(id),
            Change::Binding(name) => Self::Name(&name.introducer, fold_name(&name.name)),
            Change::Invite(Invite { id, .. }) | Change::Revoke(id) => Self::Invite(id),
            Change::Join(Join { peer, .. }) | Change::Joined(peer) => Self::Join(peer),
            Change::Introducer(KeptIntroducer { address, .. }) => Self::Introducer(&address.id),
            Change::Leave(id) => Self::Introducer(id),
            Change::Keep(Kept { kind, name, .. }) | Change::Drop(kind, name) => {
                Self::Kept(*kind, name)
            }
            Change::Message(message) => Self::Message(message.number),
            Change::MessageDone(number) => Self::Message(*number),
        }
    }
}

fn unknown(id: NodeId, now_unix_ms: u64) -> Contact {
    Contact {
        id,
        petname: None,
        trust: Trust::Stranger,
        how: "added".to_owned(),
        since_unix_ms: now_unix_ms,
        is_blocked: false,
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    #[test]
    fn what_cannot_be_kept_is_taken_back() {
        let (mut contacts, mut orders) = (Contacts::default(), Orders::default());
        orders.set_kept();
        let named = Contact {
            petname: Some("ada".to_owned()),
            ..contacts.or_new(1, id(1))
        };
        let ticket = contacts.change(&mut orders, vec![Change::Contact(named)]);
        let ticket = ticket.expect("it is to be kept");
        assert!(contacts.by_petname("ADA").is_some());
        assert_eq!(orders.poll().map(|(t, _)| t), Some(ticket));
        contacts.on_kept(ticket, false);
        assert!(contacts.by_petname("ada").is_none());
    }

    #[test]
    fn two_orders_about_one_thing_go_back_to_before_both_or_to_the_one_that_is_kept() {
        for (first, second, left) in [
            (false, false, "was"),
            (false, true, "second"),
            (true, false, "first"),
            (true, true, "second"),
        ] {
            let (mut contacts, mut orders) = (Contacts::default(), Orders::default());
            let keep = |document: &str| {
                let (kind, name) = (KeptKind::Service, "web".to_owned());
                let document = document.to_owned();
                vec![Change::Keep(Kept {
                    kind,
                    name,
                    document,
                })]
            };
            let _ = contacts.change(&mut orders, keep("was"));
            orders.set_kept();
            let tickets = ["first", "second"].map(|d| contacts.change(&mut orders, keep(d)));
            for (ticket, is_kept) in tickets.into_iter().zip([first, second]) {
                contacts.on_kept(ticket.expect("it is to be kept"), is_kept);
            }
            let kept = contacts.book().kept(KeptKind::Service, "web");
            assert_eq!(kept.map(|k| k.document.as_str()), Some(left));
        }
    }

    #[test]
    fn a_claim_is_shown_last_and_finds_nobody() {
        let (mut contacts, mut orders) = (Contacts::default(), Orders::default());
        let claimed = contacts.name_of(&id(1), Some("ada"));
        assert_eq!(claimed, Some(("ada", NameKind::Claimed)));
        assert_eq!(contacts.by_name("ada").count(), 0);
        contacts.on_found(&mut orders, 5, "Ada", id(9), id(1));
        assert_eq!(
            contacts.name_of(&id(1), Some("eve")),
            Some(("Ada", NameKind::Found))
        );
        assert_eq!(
            contacts.by_name("aDa").map(|b| b.id).collect::<Vec<_>>(),
            [id(1)]
        );
        let trust = contacts.book().contact(&id(1)).map(|c| c.trust);
        assert_eq!(trust, Some(Trust::Found));
        let named = Contact {
            petname: Some("my sister".to_owned()),
            ..contacts.or_new(6, id(1))
        };
        let _ = contacts.change(&mut orders, vec![Change::Contact(named)]);
        assert_eq!(
            contacts.name_of(&id(1), None),
            Some(("my sister", NameKind::Petname))
        );
    }

    #[test]
    fn a_difference_is_noted_and_changes_nothing() {
        let (mut contacts, mut orders) = (Contacts::default(), Orders::default());
        contacts.on_found(&mut orders, 5, "ada", id(9), id(1));
        contacts.on_differs(&mut orders, 7, "ada", id(9), id(2));
        let binding = contacts.by_name("ada").next().expect("a name");
        assert_eq!((binding.id, binding.refused), (id(1), Some((id(2), 7))));
        // What is found again as it was clears it.
        contacts.on_found(&mut orders, 8, "ada", id(9), id(1));
        let binding = contacts.by_name("ada").next().expect("a name");
        assert_eq!((binding.since_unix_ms, binding.refused), (5, None));
    }
}
