//! Moves of the rendezvous and commands of the application, carried out at the peers that they concern.

use core::net::SocketAddr;

use super::acquaintance::{accept, block, chosen_by, welcome};
use super::errands::Errand;
use super::{Node, commands};
use crate::api::{
    Accepted, ApiMisuse, Command, DisconnectReason, EffectResult, Event, OperationId,
};
use crate::id::{NodeId, PeerKey};
use crate::identity::KeyRecord;
use crate::limits;
use crate::path::Route;
use crate::purpose::{Purpose, Question};
use crate::rendezvous::Move;
use crate::time::Instant;

impl Node {
    /// Carries out what the rendezvous wants now; says whether that was anything.
    pub(super) fn carry_out_moves(&mut self, now: Instant) -> bool {
        let mut any = false;
        while let Some(next) = self.rendezvous.poll_move(now) {
            any = true;
            self.carry_out_move(now, next);
        }
        any
    }

    fn carry_out_move(&mut self, now: Instant, next: Move) {
        match next {
            Move::Resolve {
                introducer,
                host,
                port,
            } => self.errands.resolve(now, introducer, host, port),
            Move::HandshakeWithIntroducer {
                introducer,
                address,
            } => {
                let key = self.peers.table.ensure(now, introducer);
                if let Some(entry) = self.peers.change(key) {
                    entry.peer.end_association(DisconnectReason::Local);
                }
                self.endpoint
                    .initiate(now, &mut self.peers, key, Route::to(address));
            }
            Move::Leave { introducer } => {
                self.errands.forget(introducer);
                self.addresses.on_introducer_removed(&introducer);
                if let Some(key) = self.peers.table.key_of(&introducer) {
                    self.peers.leave(key);
                }
            }
            Move::Ask {
                introducer,
                purpose,
                question,
            } => self.ask(now, introducer, purpose, question),
            Move::Registered {
                introducer,
                observed,
            } => self.on_registered(now, introducer, observed),
            Move::Observed {
                introducer,
                address,
            } => self.on_observed(introducer, address),
            Move::Meet {
                record,
                name,
                introducer,
                channel,
                calls,
            } => self.meet(now, *record, name, (introducer, channel), calls),
            Move::HandshakeAt { peer, address } => self.handshake_at(now, peer, address),
            Move::HandshakeThrough {
                peer,
                introducer,
                channel,
            } => {
                let table = &self.peers.table;
                let keys = (table.key_of(&peer), table.key_of(&introducer));
                if let (Some(key), Some(PeerKey(relay))) = keys {
                    self.endpoint.initiate(
                        now,
                        &mut self.peers,
                        key,
                        Route::Relay { relay, channel },
                    );
                }
            }
            Move::TellConnected { peer, operation } => self.announce_connected(peer, operation),
            Move::Tell(event) => self.news.push(event),
        }
    }

    fn announce_connected(&mut self, peer: NodeId, operation: Option<OperationId>) {
        let Some(key) = self.peers.table.key_of(&peer) else {
            return;
        };
        let entry = self.peers.table.get(key);
        let name = entry.and_then(|entry| entry.peer.profile.name.clone());
        if let Some(path) = self.peers.pictures().active_path(key) {
            self.news.push(Event::Connected {
                operation,
                peer,
                name,
                path,
            });
        }
    }

    fn ask(&mut self, now: Instant, introducer: NodeId, purpose: Purpose, question: Question) {
        let asked = self.peers.change_by_id(&introducer).map(|entry| {
            let message = |reference| question.into_message(reference);
            entry
                .peer
                .sources
                .levels
                .ask(now, purpose, limits::CONTROL_LIFE, message)
        });
        if !matches!(asked, Some(Ok(()))) {
            self.rendezvous.on_unasked(now, introducer, purpose);
        }
    }

    fn on_registered(&mut self, now: Instant, introducer: NodeId, observed: SocketAddr) {
        self.addresses.on_observed(introducer, observed);
        self.peers.announce(&self.addresses);
        let Some(relay) = self.peers.table.key_of(&introducer) else {
            return;
        };
        for peer in self.peers.without_route_through(relay) {
            self.rendezvous.reach_through(now, introducer, peer);
        }
    }

    /// An introducer of ours says under which address it sees us; connected peers hear of a new one.
    pub(super) fn on_observed(&mut self, introducer: NodeId, observed: SocketAddr) {
        if self.addresses.on_observed(introducer, observed) {
            self.peers.announce(&self.addresses);
        }
    }

    /// An introducer knows a peer that we asked for, and opened a channel to it.
    fn meet(
        &mut self,
        now: Instant,
        record: KeyRecord,
        name: Option<String>,
        (introducer, channel): (NodeId, u32),
        calls: bool,
    ) {
        let id = record.id;
        if self.peers.blocked.contains(&id) {
            self.rendezvous.cancel(now, id);
            return;
        }
        let Some(relay) = self.peers.table.key_of(&introducer) else {
            return;
        };
        let key = self.peers.prepare(now, record, name);
        let (peers, errands) = (&mut self.peers, &mut self.errands);
        accept(now, peers, errands, &self.addresses, id);
        if let Some(entry) = self.peers.change(key) {
            entry.asked = true;
        }
        self.peers.add_relay_route(now, key, relay, channel);
        if self.peers.is_connected(key) {
            self.rendezvous.on_peer_found_connected(id);
        } else if calls {
            let relay = relay.0;
            self.endpoint
                .initiate(now, &mut self.peers, key, Route::Relay { relay, channel });
        }
    }

    /// Calls a peer at an address that the application gave (protocol §3.9).
    fn handshake_at(&mut self, now: Instant, peer: NodeId, address: SocketAddr) {
        let key = self.peers.table.ensure(now, peer);
        if let Some(entry) = self.peers.table.get_mut(key) {
            (entry.is_known, entry.asked) = (true, true);
            entry.acquaintance.is_accepted = true;
        }
        let route = Route::to(address);
        self.endpoint
            .initiate_also(now, &mut self.peers, key, route);
        self.peers.note_idle_unless_connected(key);
    }

    /// What was asked of the outside is done, or has failed.
    pub(super) fn on_errand_ended(&mut self, now: Instant, errand: Errand, result: EffectResult) {
        match (errand, result) {
            (Errand::Resolve(introducer), EffectResult::Resolved(found)) => {
                self.rendezvous.on_resolved(now, introducer, &found);
            }
            (Errand::Resolve(introducer), _) => self.rendezvous.on_resolved(now, introducer, &[]),
            (Errand::Persist, EffectResult::Persisted) => {}
            (Errand::Persist, _) => self.counters.records_not_kept += 1,
        }
    }

    /// Carries out a command of the application.
    pub(super) fn carry_out_command(
        &mut self,
        now: Instant,
        command: Command,
    ) -> Result<Accepted, ApiMisuse> {
        match command {
            Command::SetLocalAddresses(addresses) => {
                if self.addresses.on_interfaces(addresses) {
                    self.peers.announce(&self.addresses);
                }
                Ok(Accepted::Done)
            }
            Command::LinkUp(link) => match self.endpoint.on_link_up(link)? {
                true => self.carry_out_command(now, Command::NetworkChanged),
                false => Ok(Accepted::Done),
            },
            Command::LinkDown(link) => {
                let down = self.endpoint.on_link_down(now, &mut self.peers, link);
                down.map(|()| Accepted::Done)
            }
            Command::AddIntroducer(address) => {
                let added = self.rendezvous.add_introducer(address);
                added.map(|()| Accepted::Done)
            }
            Command::RemoveIntroducer(id) => {
                let removed = self.rendezvous.remove_introducer(now, id);
                removed.map(|()| Accepted::Done)
            }
            Command::Block(id) => block(&mut self.peers, id),
            Command::Unblock(id) => {
                self.peers.blocked.remove(&id);
                Ok(Accepted::Done)
            }
            Command::Answered { id, result } => {
                let errand = self.errands.on_answer(id, &result)?;
                self.on_errand_ended(now, errand, result);
                Ok(Accepted::Done)
            }
            Command::Search {
                query,
                introducer,
                cursor,
            } => {
                let search = self.rendezvous.search(&query, introducer, cursor);
                search.map(Accepted::Operation)
            }
            Command::Connect {
                target,
                introducer,
                timeout,
            } => {
                let is_reached = |id: &NodeId| self.peers.is_reached(id);
                let rendezvous = &mut self.rendezvous;
                let begun = rendezvous.connect(now, target, introducer, timeout, is_reached);
                begun.map(Accepted::Operation)
            }
            Command::Accept(id) => {
                let (peers, errands) = (&mut self.peers, &mut self.errands);
                welcome(now, peers, errands, &self.addresses, id)
            }
            Command::NetworkChanged => {
                self.peers.on_network_changed(now, |_| true);
                self.rendezvous.on_network_changed();
                self.peers.announce(&self.addresses);
                Ok(Accepted::Done)
            }
            Command::Disconnect(peer) if self.rendezvous.cancel(now, peer) => {
                let left = commands::carry_out(&mut self.peers, now, Command::Disconnect(peer));
                left.or(Ok(Accepted::Done))
            }
            Command::Shutdown => {
                for key in self.peers.table.keys() {
                    self.peers.leave(key);
                }
                self.rendezvous.shut_down();
                self.errands.stop_waiting();
                self.settle(now);
                self.is_shut_down = true;
                Ok(Accepted::Done)
            }
            other => {
                let chosen = chosen_by(&other);
                let done = commands::carry_out(&mut self.peers, now, other)?;
                if let Some(id) = chosen {
                    let (peers, errands) = (&mut self.peers, &mut self.errands);
                    accept(now, peers, errands, &self.addresses, id);
                }
                Ok(done)
            }
        }
    }
}
