//! Handshakes at the table: the door says what they lead to (protocol §3); here receiver indices get owners and
//! sessions get peers.

use std::sync::Arc;

use super::{Endpoint, Handled, handled, handshake_of};
use crate::door::{Confirmed, Dropped, Facts, First, Knock, Third};
use crate::id::{NodeId, PeerKey};
use crate::limits;
use crate::node::peers::Peers;
use crate::node::table::Owner;
use crate::path::Route;
use crate::peer::Via;
use crate::session::receiver_index;
use crate::time::Instant;

impl Endpoint {
    /// Starts a handshake with a peer over a route. Where a session stands, the association goes on.
    pub(in crate::node) fn initiate(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        key: PeerKey,
        route: Route,
    ) {
        let index = peers.table.new_index();
        let Some(entry) = peers.change(key) else {
            return;
        };
        let peer = &mut entry.peer;
        let whom = (peer.id(), peer.profile.record().map(Arc::as_ref));
        let association = peer.sessions().association();
        let Some(initiator) = self.door.initiate(now, index, whom, association) else {
            log::debug!("a handshake could not be started: the peer's key is no key");
            return;
        };
        peer.initiate(now, initiator, route, limits::HANDSHAKE_LIFE);
        peers.table.set_owner(index, Owner::Handshaking(key));
    }

    /// Starts a handshake with a peer over a route, or lets the one under way try this route too.
    pub(in crate::node) fn initiate_also(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        key: PeerKey,
        route: Route,
    ) {
        match peers.table.get_mut(key) {
            Some(entry) if entry.peer.handshakes.is_under_way() => {
                if let Some(call) = entry.peer.handshakes.also_over(route) {
                    self.outbox.push(route, call);
                }
            }
            _ => self.initiate(now, peers, key, route),
        }
    }

    pub(super) fn handle_ik_initiation(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        route: Route,
        datagram: &[u8],
    ) -> Handled {
        let mut knock = self.door.on_ik_initiation(now, route, datagram);
        if let Knock::Caller(request) = knock {
            let facts = facts_of(now, peers, &request.remote.id);
            let new_index = || peers.table.new_index();
            let from = (route, datagram);
            knock = self.door.answer(now, from, *request, &facts, new_index);
        }
        self.act_on_knock(peers, route, knock)
    }

    pub(super) fn handle_xx_first(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        route: Route,
        datagram: &[u8],
    ) -> Handled {
        let new_index = || peers.table.new_index();
        let knock = self.door.on_xx_first(now, route, datagram, new_index);
        self.act_on_knock(peers, route, knock)
    }

    fn act_on_knock(&mut self, peers: &mut Peers, route: Route, knock: Knock) -> Handled {
        match knock {
            Knock::Dropped(why) => return Handled::Dropped(why),
            Knock::Cookie(reply) => return self.send_cookie(route, reply),
            Knock::Repeated(answer) => self.outbox.push(route, answer),
            Knock::OursFirst(id) => {
                let key = peers.table.key_of(&id);
                let entry = key.and_then(|key| peers.table.get_mut(key));
                if let Some(call) = entry.and_then(|entry| entry.peer.handshakes.also_over(route)) {
                    self.outbox.push(route, call);
                }
            }
            Knock::Answered {
                index,
                answer,
                retired,
            } => {
                for index in retired {
                    peers.table.retire_index(index);
                }
                peers.table.set_owner(index, Owner::HalfOpen);
                self.outbox.push(route, answer);
            }
            // Only `IK` asks, and it was answered.
            Knock::Caller(_) => {}
        }
        Handled::Taken
    }

    fn send_cookie(&mut self, route: Route, reply: Vec<u8>) -> Handled {
        self.outbox.push(route, reply);
        Handled::Dropped(Dropped::Throttled)
    }

    pub(super) fn handle_xx_third(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        route: Route,
        datagram: &[u8],
    ) -> Handled {
        let index = receiver_index(datagram);
        let is_half_open = |index: &u32| peers.table.owner(*index) == Some(Owner::HalfOpen);
        let Some(index) = index.filter(is_half_open) else {
            return Handled::Taken;
        };
        let confirmed = match self.door.on_xx_third(now, route, index, datagram) {
            Third::Dropped(why) => return Handled::Dropped(why),
            Third::Cookie(reply) => return self.send_cookie(route, reply),
            Third::Identified(confirmed) => confirmed,
        };
        let facts = facts_of(now, peers, &confirmed.remote.id);
        if let Err(why) = self.door.admits_identified(&confirmed.remote, &facts) {
            peers.table.retire_index(index);
            return Handled::Dropped(why);
        }
        match self.install(now, peers, index, *confirmed) {
            Ok(_) => Handled::Taken,
            Err(why) => Handled::Dropped(why),
        }
    }

    /// The first data packet of a half-open session.
    pub(super) fn confirm(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        via: Via,
        index: u32,
        datagram: &mut [u8],
    ) -> Handled {
        let caller = self.door.caller_of(index);
        let facts = caller.map_or_else(Facts::default, |id| facts_of(now, peers, &id));
        let bytes = datagram.len();
        match self.door.on_first_packet(now, index, datagram, &facts) {
            First::Dropped(why) => Handled::Dropped(why),
            First::Ended(retired) => {
                // What it would go on with has ended: the caller hears of it by a stateless reset.
                if let Some(index) = retired {
                    peers.table.retire_index(index);
                }
                Handled::Dropped(Dropped::Unauthentic)
            }
            First::Confirmed(confirmed, opened) => {
                let key = match self.install(now, peers, index, *confirmed) {
                    Ok(key) => key,
                    Err(why) => return Handled::Dropped(why),
                };
                let Some(entry) = peers.change(key) else {
                    return Handled::Taken;
                };
                let payload = datagram.get(opened.payload).unwrap_or_default();
                let at = (index, opened.pn);
                let fate = entry.peer.handle_opened(now, via, at, payload, bytes);
                handled(fate, Handled::Taken)
            }
        }
    }

    /// A session that its initiator holds goes to its peer, where there is room for one that the owner did not ask for.
    /// The answer reached the caller; where the packet seems to come from that showed it is not validated by it.
    fn install(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        index: u32,
        confirmed: Confirmed,
    ) -> Result<PeerKey, Dropped> {
        let id = confirmed.remote.id;
        let entry = peers.table.key_of(&id).and_then(|key| peers.table.get(key));
        let is_stranger = entry.is_none_or(|e| !e.is_accepted() && !e.peer.is_connected());
        let table = &mut peers.table;
        let seated = self.door.seat(now, confirmed.answered, is_stranger, || {
            let key = table.ensure(now, id);
            (key, table.get(key).is_some_and(|entry| entry.is_known))
        });
        let Ok(key) = seated else {
            peers.table.retire_index(index);
            return seated;
        };
        peers.table.set_owner(index, Owner::Peer(key));
        if let Some(entry) = peers.change(key) {
            let peer = &mut entry.peer;
            peer.profile
                .on_handshake(confirmed.remote, confirmed.capabilities);
            let (session, association) = (confirmed.session, confirmed.association);
            peer.on_confirmed(now, session, association, confirmed.answered);
        }
        Ok(key)
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        route: Route,
        datagram: &[u8],
    ) -> Handled {
        let Some((index, key)) = handshake_of(peers, datagram) else {
            return Handled::Dropped(Dropped::Unknown);
        };
        let Some(entry) = peers.change(key) else {
            return Handled::Taken;
        };
        let Some(handshake) = entry.peer.handshakes.by_index(index) else {
            return Handled::Taken;
        };
        let records = self.door.records();
        let Ok(established) = handshake.initiator.on_response(datagram, records) else {
            return Handled::Dropped(Dropped::Unauthentic);
        };
        let final_datagram = established.final_datagram;
        let peer = &mut entry.peer;
        // Whoever has a stolen key of before a rotation may hold its old record, too (protocol §2.2).
        if established.remote.sequence < peer.profile.newest_sequence() {
            return Handled::Dropped(Dropped::Unauthentic);
        }
        peer.profile
            .on_handshake(established.remote, established.capabilities);
        peer.on_answered(
            now,
            established.session,
            established.association,
            final_datagram,
            route,
        );
        peers.table.set_owner(index, Owner::Peer(key));
        Handled::Taken
    }
}

/// What is known of whoever has this id.
fn facts_of(now: Instant, peers: &Peers, id: &NodeId) -> Facts {
    let entry = peers.table.key_of(id).and_then(|key| peers.table.get(key));
    let is_blocked = peers.blocked.contains(id);
    let stranger = Facts {
        is_blocked,
        ..Facts::default()
    };
    entry.map_or(stranger, |entry| Facts {
        is_known: true,
        is_blocked,
        newest_sequence: entry.peer.profile.newest_sequence(),
        association: entry.peer.sessions().association(),
        is_handshaking: entry.peer.handshakes.is_under_way(),
        is_unconfirmed_handshake: entry.peer.sessions().is_unconfirmed_handshake(now),
        initiated_since: entry.peer.sessions().initiated_since(),
    })
}
