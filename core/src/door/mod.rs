//! The door: handshakes of both directions, and everything that an unauthenticated datagram may ask of a node (protocol
//! §3, §4.6).
//!
//! Takes: handshake datagrams and, where a caller has shown who it is, the [`Facts`] that the node holds of it. Returns
//! a [`Knock`]: what leaves in answer, or a session that came up. [`guard`] says what may be computed for whom,
//! [`half_open`] keeps what was answered until the other side confirms it, [`admission`] decides who is let in; none
//! of them knows a peer, and the door needs no node to be tested.

mod admission;
mod guard;
mod guests;
mod half_open;
#[cfg(test)]
mod tests;

pub(crate) use admission::{Facts, Policy};
pub(crate) use guests::{GuestLimits, Guests};

use admission::{Decision, decide, is_rolled_back};
use guard::{Admission, Guard, source_of};
use half_open::{HalfOpen, HalfOpenIk, HalfOpenTable};

use crate::id::{NodeId, PeerKey};
use crate::identity::{Identity, KeyRecord, RecordError};
use crate::path::Route;
use crate::rng::Rng;
use crate::session::{
    IkRequest, Initiator, LocalOffer, OpenError, Opened, RESUME, RecordCache, Session, answer_xx,
    initiation_body, read_ik,
};
use crate::time::Instant;
use crate::wire::stun;

/// Why a datagram came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// It belongs to nothing that is here.
    Unknown,
    /// Its mac1 is wrong: it was not made for this node.
    WrongMac,
    /// A budget is used up.
    Throttled,
    /// It does not open, or shows keys that must not be taken.
    Unauthentic,
    /// It was seen before.
    Replayed,
    /// The caller is not wanted; nothing is counted, as nothing is told.
    Refused,
    /// It is authentic and breaks the protocol.
    Malformed,
    /// It is of the first generation of this protocol.
    Legacy,
}

/// What a handshake datagram leads to.
pub(crate) enum Knock {
    /// Nothing.
    Dropped(Dropped),
    /// A cookie leaves instead of an answer.
    Cookie(Vec<u8>),
    /// The answer to the same initiation, once more.
    Repeated(Vec<u8>),
    /// An initiator showed who it is: [`Door::answer`] goes on, with what is known of it.
    Caller(Box<IkRequest>),
    /// Our own handshake with the caller goes first.
    OursFirst(NodeId),
    /// The answer leaves; the receiver index is the half-open handshake's, those in `retired` are free again.
    Answered {
        index: u32,
        answer: Vec<u8>,
        retired: Vec<u32>,
    },
}

/// A session that its initiator has shown to hold.
pub(crate) struct Confirmed {
    pub(crate) session: Session,
    pub(crate) remote: KeyRecord,
    pub(crate) association: u64,
    /// What the initiator offers (protocol §3.8).
    pub(crate) capabilities: u32,
    /// Where the answer went that the initiator got.
    pub(crate) answered: Route,
}

/// What a third datagram of `XX` leads to.
pub(crate) enum Third {
    /// Nothing.
    Dropped(Dropped),
    /// A cookie leaves.
    Cookie(Vec<u8>),
    /// The initiator showed who it is; [`Door::admits`] says whether it is wanted.
    Identified(Box<Confirmed>),
}

/// What the first data packet of a half-open session leads to.
pub(crate) enum First {
    /// Nothing.
    Dropped(Dropped),
    /// The association that it would go on with has ended; the index is free again.
    Ended(Option<u32>),
    /// The session stands, and the packet is open.
    Confirmed(Box<Confirmed>, Opened),
}

/// Handshakes of a node, and its budgets for strangers.
pub(crate) struct Door {
    identity: Identity,
    network: String,
    policy: Policy,
    guard: Guard,
    half_open: HalfOpenTable,
    /// Sessions that others began.
    pub(crate) guests: Guests,
    computed: u64,
    /// The wall clock when engine time began, and the newest stamp, microseconds.
    epoch_us: u64,
    stamp: u64,
    rng: Rng,
}

impl Door {
    /// A door with full budgets and nothing half-open.
    pub(crate) fn new(
        now: Instant,
        identity: Identity,
        network: String,
        (policy, guests, epoch_unix_ms): (Policy, GuestLimits, u64),
        rng: Rng,
    ) -> Self {
        let id = identity.node_id();
        Self {
            guard: Guard::new(now, id, &identity, rng.fork("guard")),
            identity,
            network,
            policy,
            half_open: HalfOpenTable::default(),
            guests: Guests::new(guests),
            computed: 0,
            epoch_us: epoch_unix_ms.saturating_mul(1_000),
            stamp: 0,
            rng: rng.fork("handshakes"),
        }
    }

    /// Who this node is.
    pub(crate) const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Handshake datagrams that were worth a computation.
    pub(crate) const fn computed(&self) -> u64 {
        self.computed
    }

    /// Reads a key record, whose signature is checked once.
    ///
    /// # Errors
    /// As [`KeyRecord::parse_verified`].
    pub(crate) fn verify(&mut self, record: &[u8]) -> Result<KeyRecord, RecordError> {
        self.guard.records.verify(record)
    }

    /// Key records that were checked before, for the answers to our own handshakes.
    pub(crate) const fn records(&mut self) -> &mut RecordCache {
        &mut self.guard.records
    }

    /// Our own handshake with a peer: `IK` where its key record is known, `XX` otherwise. Where a session stands,
    /// `association` names it and goes on. `None` where the peer's key is no key.
    pub(crate) fn initiate(
        &mut self,
        now: Instant,
        index: u32,
        (id, record): (NodeId, Option<&KeyRecord>),
        association: u64,
    ) -> Option<Initiator> {
        let fresh = self.rng.next_u64().max(1);
        let (association, bits) = match association {
            0 => (fresh, 0),
            current => (current, RESUME),
        };
        let mut offer = self.offer(index, association, bits);
        offer.stamp = self.next_stamp(now);
        let (identity, network) = (&self.identity, &self.network);
        let initiator = match record {
            Some(record) => Initiator::new_ik(identity, network, record, offer, &mut self.rng),
            None => Initiator::new_xx(identity, network, id, offer, &mut self.rng),
        };
        initiator.ok()
    }

    /// Larger than all before, those of earlier runs too, as far as the wall clock goes forward.
    fn next_stamp(&mut self, now: Instant) -> u64 {
        let time = self.epoch_us.saturating_add(now.as_nanos() / 1_000);
        self.stamp = time.max(self.stamp.saturating_add(1));
        self.stamp
    }

    fn offer(&self, index: u32, association: u64, engine_bits: u32) -> LocalOffer {
        LocalOffer {
            index,
            association,
            reset_token: self.guard.reset_token(index),
            capabilities: engine_bits | self.policy.capabilities,
            stamp: 0,
        }
    }

    /// Lets a datagram that asks for a computation in, or says what happens instead.
    fn admit(&mut self, now: Instant, route: Route, datagram: &[u8]) -> Result<(), Knock> {
        let must_prove = self.half_open.is_crowded(source_of(route));
        match self.guard.admit(now, route, datagram, must_prove) {
            Admission::Compute => Ok(()),
            Admission::Cookie(reply) => Err(Knock::Cookie(reply)),
            Admission::WrongMac => Err(Knock::Dropped(Dropped::WrongMac)),
            Admission::Throttled => Err(Knock::Dropped(Dropped::Throttled)),
        }
    }

    /// Lets an initiation in, unless it was answered before.
    fn admit_new(&mut self, now: Instant, route: Route, datagram: &[u8]) -> Result<(), Knock> {
        self.admit(now, route, datagram)?;
        let answer = initiation_body(datagram).and_then(|body| self.half_open.answer_to(body));
        match answer {
            Some(answer) => Err(Knock::Repeated(answer.to_vec())),
            None => Ok(()),
        }
    }

    /// The first datagram of `IK`.
    pub(crate) fn on_ik_initiation(
        &mut self,
        now: Instant,
        route: Route,
        datagram: &[u8],
    ) -> Knock {
        if let Err(knock) = self.admit_new(now, route, datagram) {
            return knock;
        }
        self.computed += 1;
        let (identity, network) = (&self.identity, &self.network);
        let records = &mut self.guard.records;
        match read_ik(identity, network, datagram, records, &mut self.rng) {
            Ok(request) => Knock::Caller(Box::new(request)),
            Err(_) => Knock::Dropped(Dropped::Unauthentic),
        }
    }

    /// Answers an initiator that showed who it is, or not. `new_index` gives a free receiver index.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        (route, datagram): (Route, &[u8]),
        request: IkRequest,
        facts: &Facts,
        new_index: impl FnOnce() -> u32,
    ) -> Knock {
        match self.admits(&request.remote, facts) {
            Decision::Admit => {}
            Decision::Refuse => return Knock::Dropped(Dropped::Refused),
            Decision::OursFirst => return Knock::OursFirst(request.remote.id),
        }
        let newest = self.half_open.stamp_of(&request.remote.id);
        if newest.is_some_and(|newest| request.stamp <= newest) {
            return Knock::Dropped(Dropped::Replayed);
        }
        let wants_resume = request.capabilities & RESUME != 0;
        let is_held = facts.is_known && facts.association == request.association;
        let (association, bits) = match (wants_resume, is_held) {
            (true, true) => (request.association, RESUME),
            (true, false) => (self.rng.next_u64().max(1), 0),
            (false, _) => (request.association, 0),
        };
        let index = new_index();
        let offer = self.offer(index, association, bits);
        let (record, capabilities) = (request.remote.clone(), request.capabilities);
        let stamp = request.stamp;
        let Ok(responded) = request.accept(offer) else {
            return Knock::Dropped(Dropped::Unauthentic);
        };
        let half_open = HalfOpen::Ik(Box::new(HalfOpenIk {
            session: responded.session,
            record,
            association,
            capabilities,
            resumes: bits & RESUME != 0,
            stamp,
        }));
        self.keep(now, route, index, half_open, (datagram, responded.datagram))
    }

    /// Whether this caller is wanted.
    pub(crate) fn admits(&self, caller: &KeyRecord, facts: &Facts) -> Decision {
        decide(&self.policy, self.identity.static_public(), caller, facts)
    }

    fn keep(
        &mut self,
        now: Instant,
        route: Route,
        index: u32,
        half_open: HalfOpen,
        (initiation, answer): (&[u8], Vec<u8>),
    ) -> Knock {
        let Some(body) = initiation_body(initiation) else {
            return Knock::Dropped(Dropped::Unknown);
        };
        let memory = (body.to_vec(), answer.clone());
        let from = (route, source_of(route));
        let retired = self.half_open.insert(now, index, half_open, from, memory);
        Knock::Answered {
            index,
            answer,
            retired,
        }
    }

    /// The first datagram of `XX`: from somebody who knows our id only.
    pub(crate) fn on_xx_first(
        &mut self,
        now: Instant,
        route: Route,
        datagram: &[u8],
        new_index: impl FnOnce() -> u32,
    ) -> Knock {
        if !self.policy.answers_by_id() {
            return Knock::Dropped(Dropped::Unknown);
        }
        if let Err(knock) = self.admit_new(now, route, datagram) {
            return knock;
        }
        self.computed += 1;
        let index = new_index();
        let association = self.rng.next_u64().max(1);
        let offer = self.offer(index, association, 0);
        let (identity, network) = (&self.identity, &self.network);
        let Ok(responder) = answer_xx(identity, network, datagram, offer, &mut self.rng) else {
            return Knock::Dropped(Dropped::Unauthentic);
        };
        let answer = responder.datagram().to_vec();
        let half_open = HalfOpen::Xx(Box::new(responder));
        self.keep(now, route, index, half_open, (datagram, answer))
    }

    /// The third datagram of `XX`, for a half-open handshake of ours. The first whose mac1 is right was paid for with
    /// the first datagram.
    pub(crate) fn on_xx_third(
        &mut self,
        now: Instant,
        route: Route,
        index: u32,
        datagram: &[u8],
    ) -> Third {
        let is_paid = self.guard.is_for_us(datagram) && self.half_open.take_paid_third(index);
        if !is_paid {
            match self.admit(now, route, datagram) {
                Ok(()) => {}
                Err(Knock::Cookie(reply)) => return Third::Cookie(reply),
                Err(Knock::Dropped(why)) => return Third::Dropped(why),
                Err(_) => return Third::Dropped(Dropped::Unknown),
            }
        }
        let Some((HalfOpen::Xx(responder), answered)) = self.half_open.get_mut(index) else {
            return Third::Dropped(Dropped::Refused);
        };
        self.computed += 1;
        let records = &mut self.guard.records;
        let Ok(established) = responder.on_final(&self.identity, datagram, records) else {
            return Third::Dropped(Dropped::Unauthentic);
        };
        self.half_open.take(index);
        Third::Identified(Box::new(Confirmed {
            session: established.session,
            remote: established.remote,
            association: established.association,
            capabilities: established.capabilities,
            answered,
        }))
    }

    /// Whether a caller by `XX` is let in: an introducer is called by many and calls few; between others two calls may
    /// cross, as with `IK`.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn admits_identified(
        &self,
        caller: &KeyRecord,
        facts: &Facts,
    ) -> Result<(), Dropped> {
        if is_rolled_back(caller, facts) {
            return Err(Dropped::Unauthentic);
        }
        match self.admits(caller, facts) {
            _ if self.policy.roles.introducer => Ok(()),
            Decision::Admit => Ok(()),
            Decision::Refuse | Decision::OursFirst => Err(Dropped::Refused),
        }
    }

    /// Who waits for a sign behind this receiver index of an `IK` handshake.
    pub(crate) fn caller_of(&mut self, index: u32) -> Option<NodeId> {
        match self.half_open.get_mut(index)? {
            (HalfOpen::Ik(half_open), _) => Some(half_open.record.id),
            (HalfOpen::Xx(_), _) => None,
        }
    }

    /// The first data packet of a half-open session: it proves that the initiator holds the keys.
    pub(crate) fn on_first_packet(
        &mut self,
        now: Instant,
        index: u32,
        datagram: &mut [u8],
        facts: &Facts,
    ) -> First {
        let since = self.half_open.since(index);
        let Some((HalfOpen::Ik(half_open), answered)) = self.half_open.get_mut(index) else {
            return First::Dropped(Dropped::Unauthentic);
        };
        // A later call of ours was answered: the two crossed, and the other side goes on with ours.
        if facts.initiated_since > since {
            return First::Dropped(Dropped::Unknown);
        }
        if half_open.resumes && facts.association != half_open.association {
            return First::Ended(self.half_open.drop_slot(index));
        }
        let opened = match half_open.session.open(datagram, now) {
            Ok(opened) => opened,
            Err(OpenError::Replayed) => return First::Dropped(Dropped::Replayed),
            Err(_) => return First::Dropped(Dropped::Unauthentic),
        };
        let Some(HalfOpen::Ik(half_open)) = self.half_open.take(index) else {
            return First::Dropped(Dropped::Unauthentic);
        };
        let confirmed = Confirmed {
            session: half_open.session,
            remote: half_open.record,
            association: half_open.association,
            capabilities: half_open.capabilities,
            answered,
        };
        First::Confirmed(Box::new(confirmed), opened)
    }

    /// A stateless reset for a data packet that nobody here can open; `None` where it would be too much.
    pub(crate) fn reset(
        &mut self,
        now: Instant,
        route: Route,
        index: u32,
        trigger_bytes: usize,
    ) -> Option<Vec<u8>> {
        self.guard.reset(now, route, index, trigger_bytes)
    }

    /// The answer to a STUN binding request (RFC 8489), where that is a role of this node.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn on_stun(
        &mut self,
        now: Instant,
        route: Route,
        datagram: &[u8],
    ) -> Result<Vec<u8>, Dropped> {
        let request = stun::parse_binding_request(datagram);
        let (Some(transaction), Some(source)) = (request, route.address()) else {
            return Err(Dropped::Unknown);
        };
        if !self.policy.roles.stun || !self.guard.may_answer_stun(now) {
            return Err(Dropped::Throttled);
        }
        let mut response = vec![0; stun::RESPONSE_BYTES_MAX];
        let len = stun::write_success(&mut response, &transaction, source);
        response.truncate(len.map_err(|_| Dropped::Unknown)?);
        Ok(response)
    }

    /// Drops half-open handshakes that are too old; gives back their receiver indices.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<u32> {
        self.half_open.expire(now)
    }

    /// Whether a session may come up with one that the owner did not ask for, and is then counted; `must_register` says
    /// whether its time to register runs.
    ///
    /// # Errors
    /// `Throttled`.
    pub(crate) fn seat(
        &mut self,
        now: Instant,
        route: Route,
        is_stranger: bool,
        new_key: impl FnOnce() -> (PeerKey, bool),
    ) -> Result<PeerKey, Dropped> {
        let source = source_of(route);
        if is_stranger && !self.guests.has_room(source) {
            return Err(Dropped::Throttled);
        }
        let (key, is_known) = new_key();
        if is_stranger {
            let must_register = self.policy.roles.introducer && !is_known;
            self.guests.add(now, key, source, must_register);
        }
        Ok(key)
    }

    /// When the oldest half-open handshake is too old, or a guest's time to register is over.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let ends = [self.half_open.next_timeout(), self.guests.next_timeout()];
        ends.into_iter().flatten().min()
    }

    /// The network that handshakes name.
    #[cfg(test)]
    pub(crate) fn network(&self) -> &str {
        &self.network
    }

    /// Half-open handshakes kept now.
    #[cfg(test)]
    pub(crate) fn half_open(&self) -> usize {
        self.half_open.len()
    }
}
