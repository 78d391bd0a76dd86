//! Handshakes of both directions: answers to strangers' calls, and our own calls (protocol §3). The guard decides what
//! may be computed; the session layer computes; here is decided who calls whom, and with which association.

use super::Node;
use super::guard::Admission;
use super::provisional::{HalfOpen, HalfOpenIk};
use super::table::Owner;
use crate::id::PeerKey;
use crate::identity::KeyRecord;
use crate::limits;
use crate::path::Route;
use crate::session::{
    IkRequest, Initiator, LocalOffer, RESUME, answer_xx, initiation_body, read_ik, receiver_index,
};
use crate::time::Instant;

impl Node {
    /// Calls a peer over a route: `IK` where its key record is known, `XX` otherwise. Where a session stands, the
    /// association goes on.
    pub(super) fn call(&mut self, now: Instant, key: PeerKey, route: Route) {
        let index = self.table.new_index();
        let reset_token = self.guard.reset_token(index);
        let fresh = self.rng.next_u64().max(1);
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let peer = &mut entry.peer;
        let current = peer.association();
        let (association, capabilities) = if current == 0 {
            (fresh, self.settings.capabilities)
        } else {
            (current, self.settings.capabilities | RESUME)
        };
        let offer = LocalOffer {
            index,
            association,
            reset_token,
            capabilities,
        };
        let (identity, network) = (&self.identity, &self.settings.network);
        let initiator = match &peer.record {
            Some(record) => Initiator::new_ik(identity, network, record, offer, &mut self.rng),
            None => Initiator::new_xx(identity, network, peer.id(), offer, &mut self.rng),
        };
        let Ok(initiator) = initiator else {
            log::debug!("a call could not be begun: the peer's key is no key");
            return;
        };
        peer.call(now, initiator, route, limits::CALL_LIFE);
        self.table.set_owner(index, Owner::Calling(key));
        self.agenda.on_touched(key);
    }

    /// Whether the guard lets a handshake datagram in; a cookie reply leaves from here.
    fn admitted(&mut self, now: Instant, route: Route, datagram: &[u8]) -> bool {
        match self.guard.admit(now, route, datagram) {
            Admission::Compute => return true,
            Admission::Cookie(reply) => {
                self.counters.dropped_throttled += 1;
                self.outbox.push_back((route, reply));
            }
            Admission::WrongMac => self.counters.dropped_mac1 += 1,
            Admission::Throttled => self.counters.dropped_throttled += 1,
        }
        false
    }

    /// Repeats the answer to an initiation that was answered before.
    fn repeat_answer(&mut self, route: Route, datagram: &[u8]) -> bool {
        let answer = initiation_body(datagram).and_then(|body| self.provisional.answer_to(body));
        let answer = answer.map(<[u8]>::to_vec);
        let is_repeated = answer.is_some();
        self.outbox.extend(answer.map(|answer| (route, answer)));
        is_repeated
    }

    pub(super) fn handle_ik_initiation(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        if !self.admitted(now, route, datagram) || self.repeat_answer(route, datagram) {
            return;
        }
        self.counters.handshakes_computed += 1;
        let records = &mut self.guard.records;
        let (identity, network) = (&self.identity, &self.settings.network);
        let request = read_ik(identity, network, datagram, records, &mut self.rng);
        let Ok(request) = request else {
            self.counters.dropped_unauthentic += 1;
            return;
        };
        if !self.may_answer(now, route, &request.remote) {
            return;
        }
        self.answer_ik(now, route, request, datagram);
    }

    /// Whether this caller is answered: not where our own call has precedence, nor a stranger where none is wanted.
    fn may_answer(&mut self, now: Instant, route: Route, remote: &KeyRecord) -> bool {
        let local_static = *self.identity.static_public();
        let Some(key) = self.table.key_of(&remote.id) else {
            return self.settings.accept_strangers || self.settings.roles.introducer;
        };
        let Some(entry) = self.table.get_mut(key) else {
            return false;
        };
        let newest = entry
            .peer
            .record
            .as_ref()
            .map_or(0, |record| record.sequence);
        if remote.sequence < newest {
            return false;
        }
        if local_static >= remote.static_key {
            return true;
        }
        if entry.peer.is_calling() {
            // Ours has precedence; theirs shows a route by which they can be reached.
            let call = entry.peer.call_also_over(route);
            self.outbox.extend(call.map(|call| (route, call)));
            return false;
        }
        // Ours was answered a moment ago: theirs left before.
        if entry.peer.is_unheard_call(now) {
            return false;
        }
        true
    }

    fn answer_ik(&mut self, now: Instant, route: Route, request: IkRequest, datagram: &[u8]) {
        let (remote, asked) = (request.remote.clone(), request.association);
        let wants_resume = request.capabilities & RESUME != 0;
        let held = self
            .table
            .key_of(&remote.id)
            .and_then(|key| self.table.get(key));
        let is_held = held.is_some_and(|entry| entry.peer.association() == asked);
        let (association, capabilities) = match (wants_resume, is_held) {
            (true, true) => (asked, RESUME),
            (true, false) => (self.rng.next_u64().max(1), 0),
            (false, _) => (asked, 0),
        };
        let index = self.table.new_index();
        let reset_token = self.guard.reset_token(index);
        let offer = LocalOffer {
            index,
            association,
            reset_token,
            capabilities: capabilities | self.settings.capabilities,
        };
        let offered = request.capabilities;
        let Ok(responded) = request.accept(offer) else {
            return;
        };
        let session = responded.session;
        let half_open = HalfOpen::Ik(Box::new(HalfOpenIk {
            session,
            record: remote,
            association,
            capabilities: offered,
            resumes: capabilities & RESUME != 0,
        }));
        self.keep_half_open(now, route, index, half_open, (datagram, responded.datagram));
    }

    fn keep_half_open(
        &mut self,
        now: Instant,
        route: Route,
        index: u32,
        half_open: HalfOpen,
        (initiation, answer): (&[u8], Vec<u8>),
    ) {
        let Some(body) = initiation_body(initiation) else {
            return;
        };
        let memory = (body.to_vec(), answer.clone());
        let retired = self
            .provisional
            .insert(now, index, half_open, route, memory);
        self.retire(retired);
        self.table.set_owner(index, Owner::Provisional);
        self.outbox.push_back((route, answer));
    }

    /// Frees receiver indices of half-open handshakes.
    pub(super) fn retire(&mut self, indices: Vec<u32>) {
        for index in indices {
            self.table.retire_index(index);
        }
    }

    pub(super) fn handle_xx_first(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        if !self.settings.answers_strangers_by_id() {
            self.counters.dropped_unknown += 1;
            return;
        }
        if !self.admitted(now, route, datagram) || self.repeat_answer(route, datagram) {
            return;
        }
        self.counters.handshakes_computed += 1;
        let index = self.table.new_index();
        let reset_token = self.guard.reset_token(index);
        let association = self.rng.next_u64().max(1);
        let offer = LocalOffer {
            index,
            association,
            reset_token,
            capabilities: self.settings.capabilities,
        };
        let (identity, network) = (&self.identity, &self.settings.network);
        let Ok(responder) = answer_xx(identity, network, datagram, offer, &mut self.rng) else {
            self.counters.dropped_unauthentic += 1;
            return;
        };
        let answer = responder.datagram().to_vec();
        let half_open = HalfOpen::Xx(Box::new(responder));
        self.keep_half_open(now, route, index, half_open, (datagram, answer));
    }

    pub(super) fn handle_xx_third(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        let Some(index) = receiver_index(datagram) else {
            return;
        };
        if self.table.owner(index) != Some(Owner::Provisional) {
            return;
        }
        let is_paid = self.guard.is_for_us(datagram) && self.provisional.take_paid_third(index);
        if !is_paid && !self.admitted(now, route, datagram) {
            return;
        }
        let Some((HalfOpen::Xx(responder), answered)) = self.provisional.get_mut(index) else {
            return;
        };
        self.counters.handshakes_computed += 1;
        let records = &mut self.guard.records;
        let Ok(established) = responder.on_final(&self.identity, datagram, records) else {
            self.counters.dropped_unauthentic += 1;
            return;
        };
        self.provisional.take(index);
        let remote = established.remote;
        let known = self
            .table
            .key_of(&remote.id)
            .and_then(|key| self.table.get(key));
        let is_old = |entry: &super::table::Entry| {
            let newest = entry.peer.record.as_ref();
            newest.is_some_and(|newest| remote.sequence < newest.sequence)
        };
        if known.is_some_and(|entry| is_old(&entry)) {
            self.counters.dropped_unauthentic += 1;
            return self.table.retire_index(index);
        }
        // An introducer is called by many and calls few; between others two calls may cross, as with `IK`.
        if !self.settings.roles.introducer && !self.may_answer(now, route, &remote) {
            return self.table.retire_index(index);
        }
        let key = self.table.ensure(now, remote.id);
        self.table.set_owner(index, Owner::Peer(key));
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        entry.peer.learn(remote, established.capabilities);
        entry
            .peer
            .on_confirmed(now, established.session, established.association, answered);
        self.agenda.on_touched(key);
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
        let records = &mut self.guard.records;
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

    /// Which call of ours an answer belongs to.
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
