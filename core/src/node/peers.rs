//! All peers of a node: the table, who of them is due, and which relay channels lead to whom. Whoever changes a peer
//! touches it: its outcomes are heard, its output is polled and its deadline read anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::agenda::Agenda;
use super::status::Pictures;
use super::table::{PeerEntry, Table, View};
use crate::addresses::Audience;
use crate::addresses::OwnAddresses;
use crate::api::{Accepted, ApiMisuse, Strangers};
use crate::id::{NodeId, PeerKey};
use crate::identity::KeyRecord;
use crate::limits;
use crate::path::Route;
use crate::peer::{Farewell, Peer, PeerOutcome};
use crate::relay::client::RelayRoutes;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RELAY_CHOSEN, RefusalCode};

/// Everybody that this node knows or talks to.
pub(super) struct Peers {
    pub(super) table: Table,
    pub(super) agenda: Agenda,
    /// Channels of relays, and the peers behind them.
    pub(super) relays: RelayRoutes,
    /// What the owner said of strangers.
    strangers: Strangers,
    /// Whom the owner blocked.
    pub(super) blocked: BTreeSet<NodeId>,
}

impl Peers {
    /// Nobody yet.
    pub(super) fn new(table: Table, strangers: Strangers, blocked: Vec<NodeId>) -> Self {
        Self {
            strangers,
            blocked: blocked.into_iter().take(limits::BLOCKED).collect(),
            table,
            agenda: Agenda::default(),
            relays: RelayRoutes::default(),
        }
    }

    /// Looks at them and changes nothing.
    pub(super) fn pictures(&self) -> Pictures<'_> {
        Pictures { peers: self }
    }

    /// A peer to change.
    pub(super) fn change(&mut self, key: PeerKey) -> Option<&mut PeerEntry> {
        let entry = self.table.get_mut(key)?;
        self.agenda.on_touched(key);
        Some(entry)
    }

    /// A peer to change, by its identity.
    pub(super) fn change_by_id(&mut self, id: &NodeId) -> Option<&mut PeerEntry> {
        let key = self.table.key_of(id)?;
        self.change(key)
    }

    /// Carries out what the application wants of a peer.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, and what `order` says.
    pub(super) fn order(
        &mut self,
        id: NodeId,
        order: impl FnOnce(&mut Peer) -> Result<Accepted, ApiMisuse>,
    ) -> Result<Accepted, ApiMisuse> {
        if id == self.table.local_id() {
            return Err(ApiMisuse::OwnId);
        }
        let entry = self.change_by_id(&id).ok_or(ApiMisuse::UnknownPeer)?;
        order(&mut entry.peer)
    }

    /// Whose key it is.
    pub(super) fn id_of(&self, key: PeerKey) -> Option<NodeId> {
        self.table.id_of(key)
    }

    /// Whether a session with the peer stands.
    pub(super) fn is_connected(&self, key: PeerKey) -> bool {
        self.table.get(key).is_some_and(|e| e.peer.is_connected())
    }

    /// Whether a session with the peer stands that has a path and is not just being left.
    pub(super) fn is_reached(&self, id: &NodeId) -> bool {
        let is_reached = |e: &View<'_>| {
            let peer = &e.peer;
            peer.is_connected() && !peer.is_closing() && peer.active_route().is_some()
        };
        let entry = self.table.key_of(id).and_then(|key| self.table.get(key));
        entry.is_some_and(|e| is_reached(&e))
    }

    /// The peer of a verified record, known to the application from now on.
    pub(super) fn prepare(
        &mut self,
        now: Instant,
        record: KeyRecord,
        name: Option<String>,
    ) -> PeerKey {
        let key = self.table.ensure(now, record.id);
        if let Some(entry) = self.change(key) {
            entry.is_known = true;
            entry.peer.profile.on_record(Arc::new(record));
        }
        if let Some(name) = name {
            self.table.set_name(key, name);
        }
        self.note_idle_unless_connected(key);
        key
    }

    /// The peer can be reached through this channel of a relay.
    pub(super) fn add_relay_route(
        &mut self,
        now: Instant,
        key: PeerKey,
        relay: PeerKey,
        channel: u32,
    ) {
        let is_there = self.table.get(key).is_some();
        if !is_there || relay == key || self.relays.insert(relay, channel, key).is_err() {
            log::debug!("a relay channel that is taken, or leads to the relay itself, was offered");
            return;
        }
        if let Some(entry) = self.change(key) {
            let relay = relay.0;
            let route = Route::Relay { relay, channel };
            entry.peer.line.paths.on_relay_route(now, route);
        }
        self.drop_stale_relay_routes(key);
    }

    /// Channels that the peer's paths have given up lead nowhere any more.
    fn drop_stale_relay_routes(&mut self, key: PeerKey) {
        let Some(entry) = self.table.get(key) else {
            return;
        };
        let is_stale = |(relay, channel): &(PeerKey, u32)| {
            let (relay, channel) = (relay.0, *channel);
            let route = Route::Relay { relay, channel };
            entry.peer.line.paths.key_of(route).is_none()
        };
        let stale: Vec<_> = self.relays.routes_to(key).filter(is_stale).collect();
        for (relay, channel) in stale {
            self.relays.remove(relay, channel);
        }
    }

    /// The session with a relay is over, and with it every channel through it.
    pub(super) fn on_relay_gone(&mut self, now: Instant, relay: PeerKey) {
        for (_, remote) in self.relays.remove_relay(relay) {
            if let Some(entry) = self.change(remote) {
                entry.peer.line.paths.on_relay_lost(now, relay.0);
            }
        }
    }

    /// A relay says that a channel of ours is closed; whether it was one of ours.
    pub(super) fn on_channel_closed(&mut self, now: Instant, relay: PeerKey, channel: u32) -> bool {
        let remote = self.relays.remove(relay, channel);
        let Some(entry) = remote.and_then(|remote| self.change(remote)) else {
            return false;
        };
        let relay = relay.0;
        let route = Route::Relay { relay, channel };
        entry.peer.line.paths.on_relay_route_lost(now, route);
        if !entry.peer.is_connected() {
            entry.peer.drop_handshake();
        }
        true
    }

    /// Nothing goes to this peer through relays any more. Where the owner left it, the relays hear that the channels
    /// are not wanted which it had asked for.
    pub(super) fn drop_relay_routes(&mut self, remote: PeerKey, is_told: bool) {
        for (relay, channel) in self.relays.remove_remote(remote) {
            let code = RefusalCode::Refused;
            if is_told
                && channel & RELAY_CHOSEN != 0
                && let Some(entry) = self.change(relay)
            {
                let message = ControlMessage::ChannelClosed { channel, code };
                entry.peer.sources.push_control(&message);
            }
        }
    }

    /// Connected peers that want a path through this relay and have none: those that we asked for, and any that has
    /// no path at all, for whoever registers last finds the other there.
    pub(super) fn without_route_through(&self, relay: PeerKey) -> Vec<NodeId> {
        let is_wanted = |e: &PeerEntry| {
            let is_lost = e.is_known && e.peer.active_route().is_none();
            e.peer.is_connected() && (e.asked || is_lost)
        };
        let is_there = |key| self.relays.routes_to(key).any(|(r, _)| r == relay);
        let wanted = self.table.iter().filter(|(_, entry)| is_wanted(entry));
        wanted
            .filter(|(key, _)| !is_there(*key))
            .map(|(_, entry)| entry.peer.id())
            .collect()
    }

    /// Whether a channel of this relay leads to the peer.
    pub(super) fn has_route_through(&self, key: PeerKey, relay: &NodeId) -> bool {
        let relay = self.table.key_of(relay);
        self.relays.routes_to(key).any(|(r, _)| Some(r) == relay)
    }

    /// Tells a peer our addresses, inside the session.
    pub(super) fn send_addresses(&mut self, key: PeerKey, own: &OwnAddresses) {
        let direct_paths = self.table.common().direct_paths;
        let strangers = self.strangers;
        let Some(entry) = self.change(key) else {
            return;
        };
        let audience = entry.acquaintance.audience(strangers);
        let paths = &mut entry.peer.line.paths;
        let remote = paths.remote_addresses();
        paths.allow_direct(direct_paths && audience != Audience::Nobody);
        paths.on_local_addresses(&own.reflexive(), &own.known_to(audience, &remote));
        let candidates = own.candidates(audience, &remote);
        if direct_paths && !candidates.is_empty() {
            let message = ControlMessage::Candidates(candidates);
            entry.peer.sources.push_control(&message);
        }
    }

    /// Our addresses changed: every connected peer of the application hears of it.
    pub(super) fn announce(&mut self, own: &OwnAddresses) {
        let is_advertised_to = |entry: &PeerEntry| entry.is_known && entry.peer.is_connected();
        let told = self
            .table
            .iter()
            .filter(|(_, entry)| is_advertised_to(entry));
        let told: Vec<_> = told.map(|(key, _)| key).collect();
        for key in told {
            self.send_addresses(key, own);
        }
    }

    /// The machine changed networks: every path to those concerned is to be looked at.
    pub(super) fn on_network_changed(
        &mut self,
        now: Instant,
        is_concerned: impl Fn(&View<'_>) -> bool,
    ) {
        for key in self.table.keys() {
            if self
                .table
                .get(key)
                .is_some_and(|entry| is_concerned(&entry))
                && let Some(entry) = self.change(key)
            {
                entry.peer.line.paths.on_network_change(now);
            }
        }
    }

    /// Says goodbye to a peer and gives up a handshake with it.
    pub(super) fn leave(&mut self, key: PeerKey) {
        if let Some(entry) = self.change(key) {
            entry.peer.drop_handshake();
            entry.peer.close(Farewell::Goodbye);
        }
    }

    /// A peer that the application knows is not connected: beyond a bound the longest forgotten ones go.
    pub(super) fn note_idle(&mut self, key: PeerKey) {
        self.table.set_idle(key, true);
        while let Some(oldest) = self.table.idle_beyond(limits::PEERS_REMEMBERED) {
            self.forget(oldest);
        }
    }

    /// As [`Self::note_idle`], where no session stands.
    pub(super) fn note_idle_unless_connected(&mut self, key: PeerKey) {
        if self.table.get(key).is_some_and(|e| !e.peer.is_connected()) {
            self.note_idle(key);
        }
    }

    /// Removes a peer and everything that names its key.
    pub(super) fn forget(&mut self, key: PeerKey) {
        if let Some(entry) = self.table.get_mut(key) {
            entry.peer.drop_handshake();
        }
        while let Some(outcome) = self
            .table
            .get_mut(key)
            .and_then(|entry| entry.peer.poll_outcome())
        {
            if let PeerOutcome::IndexRetired(index) = outcome {
                self.table.retire_index(index);
            }
        }
        self.relays.remove_remote(key);
        self.agenda.remove(key);
        self.table.remove(key);
    }
}
