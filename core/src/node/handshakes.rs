//! Handshakes at the table: the door says what they lead to (protocol §3); here receiver indices get owners and
//! sessions get peers.

use super::Node;
use super::table::Owner;
use crate::door::{Confirmed, Dropped, Facts, First, Knock, Third};
use crate::id::{NodeId, PeerKey};
use crate::limits;
use crate::path::Route;
use crate::peer::Via;
use crate::session::receiver_index;
use crate::time::Instant;

impl Node {
    /// Starts a handshake with a peer over a route. Where a session stands, the association goes on.
    pub(super) fn call(&mut self, now: Instant, key: PeerKey, route: Route) {
        let index = self.table.new_index();
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let peer = &mut entry.peer;
        let whom = (peer.id(), peer.record.as_ref());
        let Some(initiator) = self.door.initiate(index, whom, peer.association()) else {
            log::debug!("a handshake could not be started: the peer's key is no key");
            return;
        };
        peer.call(now, initiator, route, limits::CALL_LIFE);
        self.table.set_owner(index, Owner::Calling(key));
        self.agenda.on_touched(key);
    }

    /// What is known of whoever has this id.
    fn facts_of(&self, now: Instant, id: &NodeId) -> Facts {
        let entry = self.table.key_of(id).and_then(|key| self.table.get(key));
        entry.map_or_else(Facts::default, |entry| Facts {
            is_known: true,
            newest_sequence: entry.peer.record.as_ref().map_or(0, |r| r.sequence),
            association: entry.peer.association(),
            is_calling: entry.peer.is_calling(),
            is_unheard_call: entry.peer.is_unheard_call(now),
            called_since: entry.peer.called_since(),
        })
    }

    pub(super) fn handle_ik_initiation(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        let mut knock = self.door.on_ik_initiation(now, route, datagram);
        if let Knock::Caller(request) = knock {
            let facts = self.facts_of(now, &request.remote.id);
            let (door, table) = (&mut self.door, &mut self.table);
            let new_index = || table.new_index();
            knock = door.answer(now, (route, datagram), *request, &facts, new_index);
        }
        self.act_on_knock(route, knock);
    }

    pub(super) fn handle_xx_first(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        let (door, table) = (&mut self.door, &mut self.table);
        let knock = door.on_xx_first(now, route, datagram, || table.new_index());
        self.act_on_knock(route, knock);
    }

    fn act_on_knock(&mut self, route: Route, knock: Knock) {
        match knock {
            Knock::Dropped(why) => self.count_dropped(why),
            Knock::Cookie(reply) => self.send_cookie(route, reply),
            Knock::Repeated(answer) => self.outbox.push_back((route, answer)),
            Knock::OursFirst(id) => {
                let key = self.table.key_of(&id);
                let entry = key.and_then(|key| self.table.get_mut(key));
                let call = entry.and_then(|entry| entry.peer.call_also_over(route));
                self.outbox.extend(call.map(|call| (route, call)));
            }
            Knock::Answered {
                index,
                answer,
                retired,
            } => {
                self.retire(retired);
                self.table.set_owner(index, Owner::HalfOpen);
                self.outbox.push_back((route, answer));
            }
            // Only `IK` asks, and it was answered.
            Knock::Caller(_) => {}
        }
    }

    fn send_cookie(&mut self, route: Route, reply: Vec<u8>) {
        self.counters.dropped_throttled += 1;
        self.outbox.push_back((route, reply));
    }

    pub(super) fn count_dropped(&mut self, why: Dropped) {
        let counter = match why {
            Dropped::Unknown => &mut self.counters.dropped_unknown,
            Dropped::WrongMac => &mut self.counters.dropped_mac1,
            Dropped::Throttled => &mut self.counters.dropped_throttled,
            Dropped::Unauthentic => &mut self.counters.dropped_unauthentic,
            Dropped::Replayed => &mut self.counters.dropped_replayed,
            Dropped::Refused => return,
        };
        *counter += 1;
    }

    /// Frees receiver indices of half-open handshakes.
    pub(super) fn retire(&mut self, indices: impl IntoIterator<Item = u32>) {
        for index in indices {
            self.table.retire_index(index);
        }
    }

    pub(super) fn handle_xx_third(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        let Some(index) = receiver_index(datagram) else {
            return;
        };
        if self.table.owner(index) != Some(Owner::HalfOpen) {
            return;
        }
        let confirmed = match self.door.on_xx_third(now, route, index, datagram) {
            Third::Dropped(why) => return self.count_dropped(why),
            Third::Cookie(reply) => return self.send_cookie(route, reply),
            Third::Identified(confirmed) => confirmed,
        };
        let facts = self.facts_of(now, &confirmed.remote.id);
        if let Err(why) = self.door.admits_identified(&confirmed.remote, &facts) {
            self.count_dropped(why);
            return self.table.retire_index(index);
        }
        self.install(now, index, *confirmed);
    }

    /// The first data packet of a half-open session.
    pub(super) fn confirm(&mut self, now: Instant, via: Via, index: u32, datagram: &mut [u8]) {
        let caller = self.door.caller_of(index);
        let facts = caller.map_or_else(Facts::default, |id| self.facts_of(now, &id));
        let bytes = datagram.len();
        match self.door.on_first_packet(now, index, datagram, &facts) {
            First::Dropped(why) => self.count_dropped(why),
            First::Ended(retired) => {
                // What it would go on with has ended: the caller hears of it by a stateless reset.
                self.retire(retired);
                self.count_dropped(Dropped::Unauthentic);
            }
            First::Confirmed(confirmed, opened) => {
                let key = self.install(now, index, *confirmed);
                let Some(entry) = self.table.get_mut(key) else {
                    return;
                };
                let payload = datagram.get(opened.payload).unwrap_or_default();
                let at = (index, opened.pn);
                let fate = entry.peer.handle_opened(now, via, at, payload, bytes);
                self.count_fate(fate);
            }
        }
    }

    /// A session that its initiator holds goes to its peer. The answer reached the caller; where the packet seems to
    /// come from that showed it is not proven by it.
    fn install(&mut self, now: Instant, index: u32, confirmed: Confirmed) -> PeerKey {
        let key = self.table.ensure(now, confirmed.remote.id);
        self.table.set_owner(index, Owner::Peer(key));
        if let Some(entry) = self.table.get_mut(key) {
            let peer = &mut entry.peer;
            peer.learn(confirmed.remote, confirmed.capabilities);
            let (session, association) = (confirmed.session, confirmed.association);
            peer.on_confirmed(now, session, association, confirmed.answered);
        }
        self.agenda.on_touched(key);
        key
    }

    pub(super) fn handle_response(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        let Some((index, key)) = self.calling_of(datagram) else {
            return;
        };
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let Some(calling) = entry.peer.calling_mut(index) else {
            return;
        };
        let records = self.door.records();
        let Ok(established) = calling.initiator.on_response(datagram, records) else {
            self.counters.dropped_unauthentic += 1;
            return;
        };
        let final_datagram = established.final_datagram;
        entry
            .peer
            .learn(established.remote, established.capabilities);
        entry.peer.on_answered(
            now,
            established.session,
            established.association,
            final_datagram,
            route,
        );
        self.table.set_owner(index, Owner::Peer(key));
        self.agenda.on_touched(key);
    }

    pub(super) fn handle_cookie(&mut self, now: Instant, datagram: &[u8]) {
        let Some((index, key)) = self.calling_of(datagram) else {
            return;
        };
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let Some(calling) = entry.peer.calling_mut(index) else {
            return;
        };
        if calling.initiator.on_cookie(datagram).is_ok() {
            calling.on_cookie(now);
            self.agenda.on_touched(key);
        } else {
            self.counters.dropped_unauthentic += 1;
        }
    }

    /// Which handshake of ours an answer belongs to.
    fn calling_of(&mut self, datagram: &[u8]) -> Option<(u32, PeerKey)> {
        let index = receiver_index(datagram);
        match index.and_then(|index| Some((index, self.table.owner(index)?))) {
            Some((index, Owner::Calling(key))) => Some((index, key)),
            _ => {
                self.counters.dropped_unknown += 1;
                None
            }
        }
    }
}
