//! Peers that answer nothing or are gone: who of them is looked for (protocol §6.7).

use super::peers::Peers;
use super::table::View;
use crate::api::DisconnectReason;
use crate::id::PeerKey;
use crate::rendezvous::Rendezvous;
use crate::time::Instant;

/// Whom the owner chose is looked for where it may be now. A stranger is not: to call somebody is to choose them.
pub(super) fn on_silent(now: Instant, peers: &Peers, rendezvous: &mut Rendezvous, key: PeerKey) {
    let Some(entry) = peers.table.get(key).filter(|e| e.is_accepted()) else {
        return;
    };
    let peer = entry.peer.id();
    if !rendezvous.is_introducer(&peer) {
        rendezvous.on_peer_silent(now, peer);
    }
}

/// A peer that the application asked for is called again, unless one of the two ended it by a word.
pub(super) fn on_ended(
    now: Instant,
    peers: &mut Peers,
    rendezvous: &mut Rendezvous,
    key: PeerKey,
    reason: DisconnectReason,
) {
    use DisconnectReason::{PeerRestarted, TimedOut};
    let Some(entry) = peers.table.get_mut(key) else {
        return;
    };
    let is_without_a_word = matches!(reason, TimedOut | PeerRestarted);
    entry.asked &= is_without_a_word;
    if entry.asked && !entry.peer.is_connected() {
        let peer = entry.peer.id();
        rendezvous.on_peer_lost(now, peer);
    }
}

/// This machine slept, and those who called it do not know when it wakes: whom the owner chose is called from here.
pub(super) fn on_nap(peers: &mut Peers) {
    let is_concerned =
        |entry: &View<'_>| entry.is_known && entry.is_accepted() && entry.peer.is_connected();
    let concerned = peers.table.iter().filter(|(_, entry)| is_concerned(entry));
    let concerned: Vec<_> = concerned.map(|(key, _)| key).collect();
    for key in concerned {
        if let Some(entry) = peers.change(key) {
            entry.asked = true;
        }
    }
}
