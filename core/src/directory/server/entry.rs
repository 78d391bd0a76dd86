//! What the directory stores: compact, because there may be a million of it. Given nothing, decides nothing.
//! protocol §10.1.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::id::{NodeId, PeerKey};
use crate::identity::KeyRecord;
use crate::limiter::SourceKey;
use crate::name::fold_name;
use crate::time::Instant;

/// One identity: registered, or owner of names in their grace time.
#[derive(Debug)]
pub(super) struct KeyHolder {
    /// Who it is; the peer of its session holds the same one.
    pub(super) record: Arc<KeyRecord>,
    /// Sequence number of the newest name record; zero where there was none.
    pub(super) name_sequence: u64,
    /// Spelling of the name in that record.
    pub(super) claimed: Option<SmolStr>,
    /// End of the registration unless renewed.
    pub(super) expires: Instant,
    pub(super) source: SourceKey,
    /// The session, while registered.
    pub(super) session: Option<PeerKey>,
    /// Life that the newest name record allows, seconds.
    pub(super) name_life_s: u32,
    /// Names owned, the one of the registration and those in their grace time.
    pub(super) names: u16,
    /// Whether the registration carries the claimed name.
    pub(super) is_named: bool,
}

impl KeyHolder {
    /// Folded form of the name that the registration carries.
    pub(super) fn carried_name(&self) -> Option<SmolStr> {
        let claimed = self.claimed.as_deref().filter(|_| self.is_named)?;
        Some(fold_name(claimed).into())
    }

    /// Spelling of the name that the registration carries.
    pub(super) fn display_name(&self) -> Option<&str> {
        self.claimed.as_deref().filter(|_| self.is_named)
    }
}

/// Ownership of a name that is not shown; its folded form is the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    /// Slot of the owner.
    pub(super) owner: u32,
    /// End of the grace time; `None` while the registration with this name stands.
    pub(super) grace_ends: Option<Instant>,
}

/// The part of an id by which it is indexed.
pub(super) fn id_index(id: &NodeId) -> u32 {
    id.as_bytes()
        .first_chunk()
        .map_or(0, |first| u32::from_be_bytes(*first))
}
