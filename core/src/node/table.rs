//! The table of peers: by key, by identity, by receiver index and by reset token. Keys are used again only after
//! everything that named them is gone. A peer that owes nothing is put to rest here, and awake again whenever it is
//! asked for to be changed.

use core::ops::{Deref, RangeInclusive};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use slab::Slab;

use super::acquaintance::Acquaintance;
use crate::id::{NodeId, PeerKey};
use crate::peer::{Common, Peer, Resident};
use crate::rng::Rng;
use crate::time::Instant;

/// Bit above all serial numbers of idle peers: set for those whom the owner chose.
const CHOSEN: u64 = 1 << 63;

/// Whose receiver index it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A session of this peer.
    Peer(PeerKey),
    /// A handshake of ours with this peer.
    Handshaking(PeerKey),
    /// A half-open handshake that we answered.
    HalfOpen,
}

/// An owner in four bytes: there are as many as peers and more.
#[derive(Clone, Copy)]
struct PackedOwner(u32);

impl PackedOwner {
    /// Peers are numbered from zero, and nobody has room for as many as this.
    const HALF_OPEN: u32 = u32::MAX;
    const CALLING: u32 = 1 << 31;

    const fn of(owner: Owner) -> Self {
        Self(match owner {
            Owner::Peer(key) => key.0,
            Owner::Handshaking(key) => key.0 | Self::CALLING,
            Owner::HalfOpen => Self::HALF_OPEN,
        })
    }

    const fn owner(self) -> Owner {
        match self.0 {
            Self::HALF_OPEN => Owner::HalfOpen,
            key if key & Self::CALLING != 0 => Owner::Handshaking(PeerKey(key & !Self::CALLING)),
            key => Owner::Peer(PeerKey(key)),
        }
    }
}

/// The part of an id by which a peer is found.
fn id_index(id: &NodeId) -> u64 {
    id.as_bytes()
        .first_chunk()
        .map_or(0, |first| u64::from_be_bytes(*first))
}

/// The part of a reset token by which its peer is found.
fn token_index(token: &[u8; 16]) -> u32 {
    token
        .first_chunk()
        .map_or(0, |first| u32::from_be_bytes(*first))
}

/// A peer, and what the node remembers about it.
pub(super) struct PeerEntry {
    pub(super) peer: Peer,
    /// Whether the application knows it: it asked for it, or the peer was introduced to us.
    pub(super) is_known: bool,
    /// Whether this node asked for the connection.
    pub(super) asked: bool,
    pub(super) acquaintance: Acquaintance,
    tokens: Vec<[u8; 16]>,
    idle_since: Option<u64>,
}

/// A peer at rest, and what the node remembers about it.
struct EntryAtRest {
    resident: Resident,
    is_known: bool,
    asked: bool,
    acquaintance: Acquaintance,
}

impl PeerEntry {
    /// Whether the owner of this node chose it.
    pub(super) const fn is_accepted(&self) -> bool {
        self.acquaintance.is_accepted
    }
}

impl EntryAtRest {
    /// The entry as it was; nothing is left here.
    fn wake(&mut self, common: &Arc<Common>, rng: Rng) -> PeerEntry {
        let peer = self.resident.wake(common, rng);
        self.entry(peer)
    }

    /// The entry as it was, for its peer as it was or a picture of it.
    fn entry(&self, peer: Peer) -> PeerEntry {
        PeerEntry {
            peer,
            is_known: self.is_known,
            asked: self.asked,
            acquaintance: self.acquaintance,
            tokens: vec![*self.resident.reset_token()],
            idle_since: None,
        }
    }
}

/// A place in the table. Boxed, so that a table that grows moves pointers and leaves no room of whole peers unused.
enum Slot {
    Awake(Box<PeerEntry>),
    AtRest(Box<EntryAtRest>),
}

/// A peer to be looked at; of one at rest a picture, without its levels.
pub(super) enum View<'a> {
    Awake(&'a PeerEntry),
    Picture(Box<PeerEntry>),
}

impl Deref for View<'_> {
    type Target = PeerEntry;

    fn deref(&self) -> &PeerEntry {
        match self {
            Self::Awake(entry) => entry,
            Self::Picture(entry) => entry,
        }
    }
}

/// All peers.
pub(super) struct Table {
    entries: Slab<Slot>,
    /// By the beginning of the id; nobody makes many ids that agree in it. So are tokens.
    by_id: BTreeSet<(u64, PeerKey)>,
    by_index: BTreeMap<u32, PackedOwner>,
    by_token: BTreeSet<(u32, PeerKey)>,
    by_name: BTreeSet<(String, PeerKey)>,
    idle: BTreeSet<(u64, PeerKey)>,
    idle_serial: u64,
    shard: u8,
    common: Arc<Common>,
    rng: Rng,
}

impl Table {
    pub(super) fn new(shard: u8, common: Common, rng: Rng) -> Self {
        Self {
            entries: Slab::new(),
            by_id: BTreeSet::new(),
            by_index: BTreeMap::new(),
            by_token: BTreeSet::new(),
            by_name: BTreeSet::new(),
            idle: BTreeSet::new(),
            idle_serial: 0,
            shard,
            common: Arc::new(common),
            rng,
        }
    }

    /// What all peers share.
    pub(super) fn common(&self) -> &Common {
        &self.common
    }

    /// Our own identity.
    pub(super) fn local_id(&self) -> NodeId {
        self.common.local_id
    }

    pub(super) fn key_of(&self, id: &NodeId) -> Option<PeerKey> {
        let index = id_index(id);
        let keys = self
            .by_id
            .range((index, PeerKey(0))..=(index, PeerKey(u32::MAX)));
        keys.map(|(_, key)| *key)
            .find(|key| self.id_of(*key) == Some(*id))
    }

    /// Whose key it is.
    pub(super) fn id_of(&self, key: PeerKey) -> Option<NodeId> {
        Some(match self.entries.get(key.0 as usize)? {
            Slot::Awake(entry) => entry.peer.id(),
            Slot::AtRest(at_rest) => at_rest.resident.id(),
        })
    }

    /// A peer to look at; it may stay at rest.
    pub(super) fn get(&self, key: PeerKey) -> Option<View<'_>> {
        Some(match self.entries.get(key.0 as usize)? {
            Slot::Awake(entry) => View::Awake(entry),
            Slot::AtRest(at_rest) => {
                let peer = at_rest.resident.picture(&self.common);
                View::Picture(Box::new(at_rest.entry(peer)))
            }
        })
    }

    /// A peer to change; it is awake from now on.
    pub(super) fn get_mut(&mut self, key: PeerKey) -> Option<&mut PeerEntry> {
        let slot = self.entries.get_mut(key.0 as usize)?;
        if let Slot::AtRest(at_rest) = slot {
            let rng = self.rng.fork_next();
            *slot = Slot::Awake(Box::new(at_rest.wake(&self.common, rng)));
        }
        match slot {
            Slot::Awake(entry) => Some(entry),
            Slot::AtRest(_) => None,
        }
    }

    /// A peer that is awake: one at rest has nothing to say.
    pub(super) fn awake_mut(&mut self, key: PeerKey) -> Option<&mut PeerEntry> {
        match self.entries.get_mut(key.0 as usize)? {
            Slot::Awake(entry) => Some(entry),
            Slot::AtRest(_) => None,
        }
    }

    /// Puts a peer to rest where it may.
    pub(super) fn rest(&mut self, now: Instant, key: PeerKey) {
        let Some(slot) = self.entries.get_mut(key.0 as usize) else {
            return;
        };
        let Slot::Awake(entry) = slot else {
            return;
        };
        if entry.idle_since.is_some() {
            return;
        }
        if let Some(resident) = entry.peer.rest(now) {
            let (is_known, asked) = (entry.is_known, entry.asked);
            let acquaintance = entry.acquaintance;
            *slot = Slot::AtRest(Box::new(EntryAtRest {
                resident,
                is_known,
                asked,
                acquaintance,
            }));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerKey, View<'_>)> {
        self.by_id
            .iter()
            .filter_map(|(_, key)| Some((*key, self.get(*key)?)))
    }

    /// Keys of all peers, by identity.
    pub(super) fn keys(&self) -> Vec<PeerKey> {
        self.by_id.iter().map(|(_, key)| *key).collect()
    }

    /// The peer with this identity; made where there is none.
    pub(super) fn ensure(&mut self, now: Instant, id: NodeId) -> PeerKey {
        if let Some(key) = self.key_of(&id) {
            return key;
        }
        let rng = self.rng.fork_next();
        let common = Arc::clone(&self.common);
        let peer = Peer::new(now, id, common, rng);
        let entry = Box::new(PeerEntry {
            peer,
            is_known: false,
            asked: false,
            acquaintance: Acquaintance::default(),
            tokens: Vec::new(),
            idle_since: None,
        });
        let place = self.entries.insert(Slot::Awake(entry));
        let key = PeerKey(u32::try_from(place).unwrap_or(u32::MAX));
        self.by_id.insert((id_index(&id), key));
        key
    }

    /// A peer's name was learnt.
    pub(super) fn set_name(&mut self, key: PeerKey, name: String) {
        let Some(entry) = self.get_mut(key) else {
            return;
        };
        let before = entry.peer.profile.name.replace(name.clone());
        if let Some(before) = before {
            self.by_name.remove(&(before, key));
        }
        self.by_name.insert((name, key));
    }

    /// What an introducer says that a caller is called: it is shown, and nobody is found by it. A name under which the
    /// owner of this node found the peer stays.
    pub(super) fn set_claim(&mut self, key: PeerKey, name: String) {
        if !self.is_found_by_name(key)
            && let Some(entry) = self.get_mut(key)
        {
            entry.peer.profile.name = Some(name);
        }
    }

    /// Whether the peer's name is one under which the owner of this node found it, not a claim.
    pub(super) fn is_found_by_name(&self, key: PeerKey) -> bool {
        let name = self.get(key).and_then(|e| e.peer.profile.name.clone());
        name.is_some_and(|name| self.by_name.contains(&(name, key)))
    }

    /// Peers whose ids lie in a range.
    pub(super) fn between(&self, ids: RangeInclusive<NodeId>) -> impl Iterator<Item = View<'_>> {
        let (first, last) = (id_index(ids.start()), id_index(ids.end()));
        let keys = self
            .by_id
            .range((first, PeerKey(0))..=(last, PeerKey(u32::MAX)));
        keys.filter(move |(_, key)| self.id_of(*key).is_some_and(|id| ids.contains(&id)))
            .filter_map(|(_, key)| self.get(*key))
    }

    /// Forgets a peer; its indices are retired by its own outcomes before.
    pub(super) fn remove(&mut self, key: PeerKey) {
        self.forget_tokens(key);
        self.set_idle(key, false);
        let (id, name) = match self.entries.try_remove(key.0 as usize) {
            Some(Slot::Awake(entry)) => (entry.peer.id(), entry.peer.profile.name),
            Some(Slot::AtRest(at_rest)) => {
                let resident = &at_rest.resident;
                (resident.id(), resident.name().map(str::to_owned))
            }
            None => return,
        };
        self.by_id.remove(&(id_index(&id), key));
        if let Some(name) = name {
            self.by_name.remove(&(name, key));
        }
    }

    /// Whether a peer that the application knows is without connection; told again, it is the last to go.
    pub(super) fn set_idle(&mut self, key: PeerKey, is_idle: bool) {
        self.idle_serial += 1;
        let since = is_idle.then_some(self.idle_serial);
        // Whoever is without connection, or was, is awake.
        let Some(entry) = self.awake_mut(key) else {
            return;
        };
        // Strangers are forgotten before anybody whom the owner chose.
        let rank = if entry.is_accepted() { CHOSEN } else { 0 };
        let since = since.map(|serial| serial | rank);
        let before = core::mem::replace(&mut entry.idle_since, since);
        if let Some(before) = before {
            self.idle.remove(&(before, key));
        }
        self.idle.extend(since.map(|since| (since, key)));
    }

    /// The peer that is not connected for longest, strangers first, where there are more than `most` of them.
    pub(super) fn idle_beyond(&self, most: usize) -> Option<PeerKey> {
        let oldest = self.idle.first().filter(|_| self.idle.len() > most);
        oldest.map(|(_, key)| *key)
    }

    /// Whether a peer is at rest.
    #[cfg(test)]
    pub(super) fn is_at_rest(&self, key: PeerKey) -> bool {
        let slot = self.entries.get(key.0 as usize);
        slot.is_some_and(|slot| matches!(slot, Slot::AtRest(_)))
    }

    /// Sizes of all tables: peers, receiver indices, reset tokens, idle peers.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> [usize; 4] {
        let (entries, indices) = (self.entries.len(), self.by_index.len());
        [entries, indices, self.by_token.len(), self.idle.len()]
    }

    /// A receiver index that nobody has: random, with the shard in its four high bits.
    pub(super) fn new_index(&mut self) -> u32 {
        loop {
            let index = self.rng.next_u32() >> 4 | u32::from(self.shard) << 28;
            if !self.by_index.contains_key(&index) {
                return index;
            }
        }
    }

    pub(super) fn owner(&self, index: u32) -> Option<Owner> {
        self.by_index.get(&index).map(|owner| owner.owner())
    }

    pub(super) fn set_owner(&mut self, index: u32, owner: Owner) {
        self.by_index.insert(index, PackedOwner::of(owner));
    }

    pub(super) fn retire_index(&mut self, index: u32) {
        self.by_index.remove(&index);
    }

    /// Reads the tokens of a peer's sessions anew.
    pub(super) fn learn_tokens(&mut self, key: PeerKey) {
        self.forget_tokens(key);
        let Some(entry) = self.get_mut(key) else {
            return;
        };
        entry.tokens = entry.peer.sessions().reset_tokens().copied().collect();
        for token in entry.tokens.clone() {
            self.by_token.insert((token_index(&token), key));
        }
    }

    /// Forgets the tokens of a peer's sessions.
    pub(super) fn forget_tokens(&mut self, key: PeerKey) {
        let Some(entry) = self.get_mut(key) else {
            return;
        };
        for token in core::mem::take(&mut entry.tokens) {
            self.by_token.remove(&(token_index(&token), key));
        }
    }

    /// Whose session a stateless reset with this token ends.
    pub(super) fn by_token(&self, token: &[u8; 16]) -> Option<PeerKey> {
        let index = token_index(token);
        let keys = self
            .by_token
            .range((index, PeerKey(0))..=(index, PeerKey(u32::MAX)));
        let has_it = |key: &PeerKey| match self.entries.get(key.0 as usize) {
            Some(Slot::Awake(entry)) => entry.tokens.contains(token),
            Some(Slot::AtRest(at_rest)) => at_rest.resident.reset_token() == token,
            None => false,
        };
        keys.map(|(_, key)| *key).find(has_it)
    }
}
