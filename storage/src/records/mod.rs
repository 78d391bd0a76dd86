//! What a node keeps of people: contacts with their owner's names for them, whose a name was at which introducer, and
//! invitations; and the messages in the inbox.
//!
//! [`Book`] is the content as plain values; a [`Change`] is what is written. [`Records`] keeps them: on disk
//! ([`Database`]), or in memory ([`MemoryRecords`]) with faults that a test injects.

mod database;
mod inbox_table;
mod kept;
mod kept_tables;
mod meeting;
mod meeting_tables;
mod memory;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use p2p_core::api::Label;
use p2p_core::id::NodeId;
use p2p_core::name::fold_name;

pub use database::Database;
pub use kept::{Kept, KeptKind};
pub use meeting::{INVITE_ID_BYTES, Invite, InviteId, Join, KeptIntroducer};
pub use memory::MemoryRecords;

/// How much the owner has reason to believe that an id is the person meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// An id and nothing else; a name that came along is a claim.
    #[default]
    Stranger,
    /// The owner looked the name up at an introducer and got this id.
    Found,
    /// The owner has reason outside the network: words compared, a code, a link.
    Verified,
    /// A realm that the owner trusts vouches for it.
    Attested,
}

impl Trust {
    /// All of them, from none to most.
    pub const ALL: [Self; 4] = [Self::Stranger, Self::Found, Self::Verified, Self::Attested];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stranger => "stranger",
            Self::Found => "found",
            Self::Verified => "verified",
            Self::Attested => "attested",
        }
    }

    /// What a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trust| trust.word() == word)
    }
}

/// A person, or whatever has an id, that the owner of the node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Who it is.
    pub id: NodeId,
    /// What the owner calls it; no two contacts look alike in this.
    pub petname: Option<String>,
    /// How much the owner believes.
    pub trust: Trust,
    /// How it was learnt: `lookup`, `connected`, `written`, `words` …
    pub how: String,
    /// Since when, ms since 1970.
    pub since_unix_ms: u64,
    /// The owner wants nothing of it.
    pub is_blocked: bool,
    /// The owner's own words about it.
    pub note: Option<String>,
}

impl Contact {
    /// Whether the owner never said or found anything of it.
    #[must_use]
    pub const fn is_bare(&self) -> bool {
        matches!(self.trust, Trust::Stranger) && self.petname.is_none() && self.note.is_none()
    }
}

/// Whose a name is at an introducer, as the owner's own look-up found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The introducer.
    pub introducer: NodeId,
    /// The name, as it was asked for first.
    pub name: String,
    /// Whose it is.
    pub id: NodeId,
    /// Since when, ms since 1970.
    pub since_unix_ms: u64,
    /// Whom the introducer named later, and was refused; and when, ms since 1970.
    pub refused: Option<(NodeId, u64)>,
}

/// A message in the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMessage {
    /// Counts up in order of arrival; no two that are kept have the same.
    pub number: u64,
    /// From whom.
    pub peer: NodeId,
    /// Whether the owner had not chosen the peer when it came.
    pub is_stranger: bool,
    /// What the peer said it is called.
    pub claimed_name: Option<String>,
    /// What it is for.
    pub label: Label,
    /// When it came, ms since 1970.
    pub received_unix_ms: u64,
    /// Content.
    pub data: Bytes,
}

/// One thing to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A contact, new or changed.
    Contact(Contact),
    /// No contact any more; its names are forgotten with it.
    Forget(NodeId),
    /// A name, new or changed.
    Binding(Binding),
    /// An invitation of this node, new or taken up once more.
    Invite(Invite),
    /// An invitation of this node holds no more.
    Revoke(InviteId),
    /// Somebody else's invitation is taken up.
    Join(Join),
    /// It is answered, or holds no more.
    Joined(NodeId),
    /// An introducer that the node is to use from now on.
    Introducer(KeptIntroducer),
    /// One that it is to use no more.
    Leave(NodeId),
    /// A message came.
    Message(KeptMessage),
    /// The message of this number is done with.
    MessageDone(u64),
    /// Something is set up, new or changed.
    Keep(Kept),
    /// It is set up no more.
    Drop(KeptKind, String),
}

/// All that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    contacts: BTreeMap<NodeId, Contact>,
    /// By introducer and folded name.
    bindings: BTreeMap<(NodeId, String), Binding>,
    invites: BTreeMap<InviteId, Invite>,
    joins: BTreeMap<NodeId, Join>,
    introducers: BTreeMap<NodeId, KeptIntroducer>,
    /// By number.
    messages: BTreeMap<u64, KeptMessage>,
    kept: BTreeMap<(KeptKind, String), Kept>,
}

impl Book {
    /// Carries a change out.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Contact(contact) => {
                self.contacts.insert(contact.id, contact);
            }
            Change::Forget(id) => {
                self.contacts.remove(&id);
                self.bindings.retain(|_, binding| binding.id != id);
            }
            Change::Binding(binding) => {
                let key = (binding.introducer, fold_name(&binding.name));
                self.bindings.insert(key, binding);
            }
            Change::Invite(invite) => {
                self.invites.insert(invite.id, invite);
            }
            Change::Revoke(id) => {
                self.invites.remove(&id);
            }
            Change::Join(join) => {
                self.joins.insert(join.peer, join);
            }
            Change::Joined(peer) => {
                self.joins.remove(&peer);
            }
            Change::Introducer(kept) => {
                self.introducers.insert(kept.address.id, kept);
            }
            Change::Leave(id) => {
                self.introducers.remove(&id);
            }
            Change::Message(message) => {
                self.messages.insert(message.number, message);
            }
            Change::MessageDone(number) => {
                self.messages.remove(&number);
            }
            Change::Keep(kept) => {
                self.kept.insert((kept.kind, kept.name.clone()), kept);
            }
            Change::Drop(kind, name) => {
                self.kept.remove(&(kind, name));
            }
        }
    }

    /// A contact.
    #[must_use]
    pub fn contact(&self, id: &NodeId) -> Option<&Contact> {
        self.contacts.get(id)
    }

    /// All contacts, by id.
    pub fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values()
    }

    /// Whose a name is at an introducer.
    #[must_use]
    pub fn binding(&self, introducer: &NodeId, name: &str) -> Option<&Binding> {
        self.bindings.get(&(*introducer, fold_name(name)))
    }

    /// All names that were found.
    pub fn bindings(&self) -> impl Iterator<Item = &Binding> {
        self.bindings.values()
    }

    /// An invitation of this node.
    #[must_use]
    pub fn invite(&self, id: &InviteId) -> Option<&Invite> {
        self.invites.get(id)
    }

    /// All of them, by id.
    pub fn invites(&self) -> impl Iterator<Item = &Invite> {
        self.invites.values()
    }

    /// The invitation of a peer that was taken up.
    #[must_use]
    pub fn join(&self, peer: &NodeId) -> Option<&Join> {
        self.joins.get(peer)
    }

    /// All invitations of others that were taken up and not answered.
    pub fn joins(&self) -> impl Iterator<Item = &Join> {
        self.joins.values()
    }

    /// An introducer that was added while the node ran.
    #[must_use]
    pub fn introducer(&self, id: &NodeId) -> Option<&KeptIntroducer> {
        self.introducers.get(id)
    }

    /// Something that the owner has set up.
    #[must_use]
    pub fn kept(&self, kind: KeptKind, name: &str) -> Option<&Kept> {
        self.kept.get(&(kind, name.to_owned()))
    }

    /// All that the owner has set up.
    pub fn all_kept(&self) -> impl Iterator<Item = &Kept> {
        self.kept.values()
    }

    /// All introducers that were added while the node ran.
    pub fn introducers(&self) -> impl Iterator<Item = &KeptIntroducer> {
        self.introducers.values()
    }

    /// All messages, in order of arrival.
    pub fn messages(&self) -> impl Iterator<Item = &KeptMessage> {
        self.messages.values()
    }

    /// Hands the messages over, in order of arrival; the book has none then.
    pub fn take_messages(&mut self) -> impl Iterator<Item = KeptMessage> + use<> {
        core::mem::take(&mut self.messages).into_values()
    }
}

/// Keeps changes.
pub trait Records: Send {
    /// Writes all of them or none; when it returns, they outlive a crash of the program and of the machine.
    ///
    /// # Errors
    /// Where nothing was written.
    fn write(&mut self, changes: &[Change]) -> io::Result<()>;
}
