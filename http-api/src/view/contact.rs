//! Contacts, as clients see and change them.

use p2p_storage::{Binding, Contact};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::rfc3339_of_unix_ms;
use crate::words::fingerprint;

/// Somebody whom the owner of this node knows.
#[derive(Serialize, ToSchema)]
#[schema(as = Contact)]
pub(crate) struct ContactView {
    /// Its identity.
    pub id: String,
    /// What the owner calls it.
    pub petname: Option<String>,
    /// `stranger`, `found`, `verified` or `attested`.
    pub trust: &'static str,
    /// How it was learnt: `added`, `lookup`, `words` …
    pub how: String,
    /// Since when.
    pub since: String,
    /// Whether the owner wants nothing of it.
    pub blocked: bool,
    /// The owner's own words about it.
    pub note: Option<String>,
    /// What it says that it is called: a claim, by which nobody is found.
    pub claimed_name: Option<String>,
    /// The identity as eight words, to compare by voice.
    pub fingerprint: Vec<&'static str>,
    /// Its names at introducers, as the owner's look-ups found them.
    pub names: Vec<FoundName>,
}

/// A name at an introducer.
#[derive(Serialize, ToSchema)]
pub(crate) struct FoundName {
    /// The name.
    pub name: String,
    /// The introducer.
    pub introducer: String,
    /// Since when it is known.
    pub since: String,
    /// Whom the introducer named later under this name, and was refused.
    pub refused: Option<String>,
}

impl ContactView {
    /// Makes the picture.
    pub(crate) fn new<'a>(
        contact: &Contact,
        claimed_name: Option<&str>,
        names: impl Iterator<Item = &'a Binding>,
    ) -> Self {
        Self {
            id: contact.id.to_string(),
            petname: contact.petname.clone(),
            trust: contact.trust.word(),
            how: contact.how.clone(),
            since: rfc3339_of_unix_ms(contact.since_unix_ms),
            blocked: contact.is_blocked,
            note: contact.note.clone(),
            claimed_name: claimed_name.map(ToOwned::to_owned),
            fingerprint: fingerprint(&contact.id),
            names: names.map(FoundName::from).collect(),
        }
    }
}

impl From<&Binding> for FoundName {
    fn from(binding: &Binding) -> Self {
        Self {
            name: binding.name.clone(),
            introducer: binding.introducer.to_string(),
            since: rfc3339_of_unix_ms(binding.since_unix_ms),
            refused: binding.refused.map(|(id, _)| id.to_string()),
        }
    }
}

/// A page of contacts.
#[derive(Serialize, ToSchema)]
pub(crate) struct ContactList {
    /// Contacts in order of their ids.
    pub items: Vec<ContactView>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

/// What to change of a contact; what is left out stays.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContactBody {
    /// What the owner calls it, 1 to 64 bytes; empty takes it away.
    pub petname: Option<String>,
    /// `stranger` or `verified`: what the owner has reason to believe.
    pub trust: Option<String>,
    /// The owner's own words about it, 1,024 bytes at most; empty takes them away.
    pub note: Option<String>,
}

/// Whose a name is from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RebindBody {
    /// The name.
    pub name: String,
    /// The introducer: id, first characters of it, or host.
    pub introducer: String,
}
