//! What a peer is to the owner of this node, and what follows: which of our addresses it may know (protocol §9.2), and
//! whether it is remembered on disk.

use super::commands::disconnect;
use super::errands::Errands;
use super::peers::Peers;
use crate::addresses::{Audience, OwnAddresses};
use crate::api::{Accepted, ApiMisuse, Command, LimitReached, Strangers};
use crate::id::NodeId;
use crate::limits;
use crate::time::Instant;

/// What a peer is to the owner of this node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Acquaintance {
    /// The owner connected to it or wrote to it, in this run or an earlier one.
    pub(super) is_accepted: bool,
    /// The introducer that brought it sees it at our own outside address.
    pub(super) is_neighbour: bool,
}

impl Acquaintance {
    /// What it may know of our addresses.
    pub(super) const fn audience(self, strangers: Strangers) -> Audience {
        match (self.is_accepted, strangers) {
            (true, _) => Audience::Accepted,
            (false, Strangers::Relayed) => Audience::Nobody,
            (false, _) if self.is_neighbour => Audience::Neighbour,
            (false, _) => Audience::Stranger,
        }
    }
}

/// The peer that an order of the application chooses: who is written to is no stranger any more.
pub(super) const fn chosen_by(command: &Command) -> Option<NodeId> {
    match command {
        Command::SendDatagram { peer, .. }
        | Command::SetLatest { peer, .. }
        | Command::SendRequest { peer, .. }
        | Command::SendMessage { peer, .. }
        | Command::OpenStream { peer, .. } => Some(*peer),
        _ => None,
    }
}

/// The owner of this node chose this peer: it may know where we are, and is remembered.
pub(super) fn accept(
    now: Instant,
    peers: &mut Peers,
    errands: &mut Errands,
    own: &OwnAddresses,
    id: NodeId,
) {
    let key = peers.table.key_of(&id);
    let Some(key) = key.filter(|key| peers.table.get(*key).is_some_and(|e| !e.is_accepted()))
    else {
        return;
    };
    let Some(entry) = peers.change(key) else {
        return;
    };
    entry.acquaintance.is_accepted = true;
    if entry.peer.is_connected() {
        remember(now, peers, errands, id);
        peers.send_addresses(key, own);
    } else {
        // It is kept longer from now on.
        peers.note_idle(key);
    }
}

/// The owner lets a peer in that may never have been heard of.
///
/// # Errors
/// `OwnId`.
pub(super) fn welcome(
    now: Instant,
    peers: &mut Peers,
    errands: &mut Errands,
    own: &OwnAddresses,
    id: NodeId,
) -> Result<Accepted, ApiMisuse> {
    if id == peers.table.local_id() {
        return Err(ApiMisuse::OwnId);
    }
    let key = peers.table.ensure(now, id);
    if let Some(entry) = peers.change(key) {
        entry.is_known = true;
    }
    peers.note_idle_unless_connected(key);
    accept(now, peers, errands, own, id);
    Ok(Accepted::Done)
}

/// The owner wants nothing of a peer any more.
///
/// # Errors
/// `OwnId`, `Limit`.
pub(super) fn block(peers: &mut Peers, id: NodeId) -> Result<Accepted, ApiMisuse> {
    if id == peers.table.local_id() {
        return Err(ApiMisuse::OwnId);
    }
    let is_new = !peers.blocked.contains(&id);
    if is_new && peers.blocked.len() >= limits::BLOCKED {
        return Err(ApiMisuse::Limit(LimitReached {
            limit: "BLOCKED",
            value: limits::BLOCKED as u64,
        }));
    }
    peers.blocked.insert(id);
    // Whoever is not connected has nothing to be told.
    let _ = peers.order(id, disconnect);
    if let Some(entry) = peers.change_by_id(&id) {
        entry.acquaintance.is_accepted = false;
    }
    Ok(Accepted::Done)
}

/// Has the record of a peer written down, if it is no stranger.
pub(super) fn remember(now: Instant, peers: &Peers, errands: &mut Errands, id: NodeId) {
    let key = peers.table.key_of(&id);
    let entry = key.and_then(|key| peers.table.get(key));
    let Some(entry) = entry.filter(|entry| entry.is_accepted()) else {
        return;
    };
    if let Some(record) = entry.peer.profile.record() {
        let record = record.to_bytes().to_vec();
        let is_found = key.is_some_and(|key| peers.table.is_found_by_name(key));
        let name = entry.peer.profile.name.clone().filter(|_| is_found);
        errands.persist(now, id, record, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_chosen_or_lives_in_our_network_hears_of_it() {
        let of = |is_accepted, is_neighbour| Acquaintance {
            is_accepted,
            is_neighbour,
        };
        let stranger = of(false, false);
        assert_eq!(stranger.audience(Strangers::Public), Audience::Stranger);
        assert_eq!(stranger.audience(Strangers::Ask), Audience::Stranger);
        assert_eq!(stranger.audience(Strangers::Relayed), Audience::Nobody);
        let neighbour = of(false, true);
        assert_eq!(neighbour.audience(Strangers::Public), Audience::Neighbour);
        assert_eq!(neighbour.audience(Strangers::Relayed), Audience::Nobody);
        assert_eq!(
            of(true, false).audience(Strangers::Relayed),
            Audience::Accepted
        );
    }
}
