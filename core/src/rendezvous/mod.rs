//! How this node is found and finds others: its introducers, searches, connections asked for (protocol §6, §9, §10.1).
//!
//! Takes: what the application wants, sessions with introducers that stand or end, their answers, addresses that were
//! looked up. Decides: whom to ask what and when, and how each operation ends. Returns: a [`Move`] at a time. It knows
//! peers by identity only, sees no session, and needs no node to be tested; records reach it verified.

mod answers;
mod introducer;
mod moves;
mod searches;
#[cfg(test)]
mod tests;
mod wanted;

pub(crate) use introducer::Introducer;
pub(crate) use moves::Move;

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use self::answers::Held;
use self::searches::Searches;
use self::wanted::Wanted;
use crate::api::{
    ApiMisuse, ConnectFailure, ConnectTarget, Event, IntroducerAddress, IntroducerState,
    OperationId,
};
use crate::directory::attempts::{Ask, Candidate, ConnectAttempts, ConnectOutcome};
use crate::directory::client::LinkAction;
use crate::id::{AttemptId, NodeId};
use crate::limits;
use crate::name::validate_name;
use crate::purpose::{Purpose, Question};
use crate::rng::Rng;
use crate::time::{Deadline, Duration, Instant};
use crate::wire::control::Target;

/// Who this node is to its introducers, as it was configured.
pub(crate) struct Credentials {
    /// This node's identity.
    pub(crate) id: NodeId,
    /// Its key record.
    pub(crate) key_record: Vec<u8>,
    /// Its name, signed; none where it has none.
    pub(crate) name_record: Option<Vec<u8>>,
    /// Whether searches may show the name.
    pub(crate) is_listed: bool,
    /// Whether peers may be called at their addresses.
    pub(crate) direct_paths: bool,
}

impl Credentials {
    fn registration(&self) -> Question {
        Question::Register {
            key_record: self.key_record.clone(),
            name_record: self.name_record.clone(),
            listed: self.is_listed,
        }
    }
}

/// How much earlier the side with the larger id calls where both lost each other.
const HEAD_START: Duration = Duration::from_millis(250);

/// Introducers, searches and attempts of a node.
pub(crate) struct Rendezvous {
    credentials: Credentials,
    introducers: Vec<Introducer>,
    attempts: ConnectAttempts,
    searches: Searches,
    /// Operations of the engine's own, whose end the application does not hear of.
    internal: BTreeSet<OperationId>,
    /// Peers to meet, once all introducers have said whose the name is.
    held: BTreeMap<AttemptId, Vec<Held>>,
    wanted: Wanted,
    operations: u64,
    moves: VecDeque<Move>,
    /// Something happened that links or attempts may wait for.
    is_dirty: bool,
    rng: Rng,
}

impl Rendezvous {
    /// Without introducers and operations.
    pub(crate) fn new(credentials: Credentials, rng: &Rng) -> Self {
        Self {
            credentials,
            introducers: Vec::new(),
            attempts: ConnectAttempts::new(rng.fork("attempts")),
            searches: Searches::default(),
            internal: BTreeSet::new(),
            held: BTreeMap::new(),
            wanted: Wanted::default(),
            operations: 0,
            moves: VecDeque::new(),
            is_dirty: true,
            rng: rng.fork("introducers"),
        }
    }

    /// Adds an introducer, unless it is there already.
    ///
    /// # Errors
    /// `OwnId`.
    pub(crate) fn add_introducer(&mut self, address: IntroducerAddress) -> Result<(), ApiMisuse> {
        if address.id == self.credentials.id {
            return Err(ApiMisuse::OwnId);
        }
        if !self.is_introducer(&address.id) {
            let link = self.rng.fork_next();
            self.introducers.push(Introducer::new(address, link));
            self.is_dirty = true;
        }
        Ok(())
    }

    /// Leaves an introducer.
    ///
    /// # Errors
    /// `UnknownIntroducer`.
    pub(crate) fn remove_introducer(
        &mut self,
        now: Instant,
        introducer: NodeId,
    ) -> Result<(), ApiMisuse> {
        let place = self.place_of(&introducer);
        self.introducers
            .remove(place.ok_or(ApiMisuse::UnknownIntroducer)?);
        self.attempts.on_introducer_lost(now, introducer);
        self.moves.push_back(Move::Leave { introducer });
        self.is_dirty = true;
        Ok(())
    }

    /// Leaves all introducers without a word: the node shuts down.
    pub(crate) fn shut_down(&mut self) {
        self.introducers.clear();
    }

    /// This node's introducers.
    pub(crate) fn introducers(&self) -> &[Introducer] {
        &self.introducers
    }

    /// Whether this is one of our introducers.
    pub(crate) fn is_introducer(&self, id: &NodeId) -> bool {
        self.place_of(id).is_some()
    }

    fn place_of(&self, id: &NodeId) -> Option<usize> {
        self.introducers.iter().position(|i| i.address.id == *id)
    }

    fn introducer_mut(&mut self, id: &NodeId) -> Option<&mut Introducer> {
        self.introducers.iter_mut().find(|i| i.address.id == *id)
    }

    fn new_operation(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }

    /// Asks introducers for names: `only` one, or all that this node is registered with.
    ///
    /// # Errors
    /// `InvalidArgument` for a query that is too short or cannot be in a name, `NoIntroducer`, `UnknownIntroducer`.
    pub(crate) fn search(
        &mut self,
        query: &str,
        only: Option<NodeId>,
        cursor: Option<String>,
    ) -> Result<OperationId, ApiMisuse> {
        let is_long_enough = query.chars().count() >= limits::SEARCH_CHARACTERS_MIN;
        if !is_long_enough || !crate::wire::name::is_valid(query) {
            return Err(ApiMisuse::InvalidArgument {
                what: "the query",
                must: "must have 3 characters or more that names may have",
            });
        }
        let candidates = self.candidates(only)?;
        let operation = self.new_operation();
        let registered = candidates.iter().filter(|c| c.registered);
        let asked: Vec<_> = registered.map(|c| c.introducer).collect();
        for introducer in &asked {
            self.moves.push_back(Move::Ask {
                introducer: *introducer,
                purpose: Purpose::Search(operation),
                question: Question::Search {
                    prefix: query.to_owned(),
                    cursor: cursor.clone(),
                },
            });
        }
        let ended = self.searches.start(operation, asked.len());
        self.moves.extend(ended.map(Move::Tell));
        Ok(operation)
    }

    /// Starts to connect to a peer. `is_reached` says whether a session with it stands that has a path.
    ///
    /// # Errors
    /// `OwnId`; `InvalidArgument` for a name or an address that can be nobody's; `NoIntroducer`, `UnknownIntroducer`.
    pub(crate) fn connect(
        &mut self,
        now: Instant,
        target: ConnectTarget,
        only: Option<NodeId>,
        timeout: Duration,
        is_reached: impl FnOnce(&NodeId) -> bool,
    ) -> Result<OperationId, ApiMisuse> {
        let id = self.check_target(&target)?;
        if let Some(peer) = id.filter(is_reached) {
            let operation = self.new_operation();
            self.announce_connected(peer, Some(operation));
            return Ok(operation);
        }
        if let ConnectTarget::Address { id: peer, address } = target {
            let operation = self.new_operation();
            self.attempts.start_direct(now, operation, peer, timeout);
            let address = crate::path::canonical(address);
            self.moves.push_back(Move::HandshakeAt { peer, address });
            self.is_dirty = true;
            return Ok(operation);
        }
        let candidates = self.candidates(only)?;
        let operation = self.new_operation();
        self.attempts
            .start(now, operation, target, &candidates, timeout);
        self.is_dirty = true;
        Ok(operation)
    }

    /// Whose identity a target names, if it does.
    fn check_target(&self, target: &ConnectTarget) -> Result<Option<NodeId>, ApiMisuse> {
        let wrong = |what, must| Err(ApiMisuse::InvalidArgument { what, must });
        match target {
            ConnectTarget::Id(id)
            | ConnectTarget::Address { id, .. }
            | ConnectTarget::BoundName { id, .. }
                if *id == self.credentials.id =>
            {
                Err(ApiMisuse::OwnId)
            }
            ConnectTarget::Address { address, .. } if !self.may_handshake_at(*address) => wrong(
                "the address",
                "must be of a host, where direct paths are on",
            ),
            ConnectTarget::Id(id) | ConnectTarget::Address { id, .. } => Ok(Some(*id)),
            ConnectTarget::Name(name) => match validate_name(name) {
                Ok(()) => Ok(None),
                Err(invalid) => wrong("the name", invalid.must()),
            },
            ConnectTarget::BoundName { id, .. } => Ok(Some(*id)),
        }
    }

    /// Whether a peer may be called at this address: a host's, and addresses may be shown at all.
    fn may_handshake_at(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        let is_broadcast = ip == core::net::IpAddr::from([255; 4]);
        let is_host = !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast;
        self.credentials.direct_paths && is_host && address.port() != 0
    }

    fn candidates(&self, only: Option<NodeId>) -> Result<Vec<Candidate>, ApiMisuse> {
        if self.introducers.is_empty() {
            return Err(ApiMisuse::NoIntroducer);
        }
        let is_wanted = |i: &&Introducer| only.is_none_or(|id| id == i.address.id);
        let wanted = self.introducers.iter().filter(is_wanted);
        let candidates: Vec<_> = wanted
            .map(|i| Candidate {
                introducer: i.address.id,
                registered: i.link.state() == IntroducerState::Registered,
            })
            .collect();
        if candidates.is_empty() {
            Err(ApiMisuse::UnknownIntroducer)
        } else {
            Ok(candidates)
        }
    }

    /// The application gave up reaching this peer. Says whether it was being reached for.
    pub(crate) fn cancel(&mut self, now: Instant, peer: NodeId) -> bool {
        let is_cancelled = self.attempts.cancel(now, peer);
        self.is_dirty |= is_cancelled;
        self.wanted.forget(&peer) || is_cancelled
    }

    /// A peer that the application asked for is gone without a word: it is called until it is there again.
    pub(crate) fn on_peer_lost(&mut self, now: Instant, peer: NodeId) {
        // Both may have lost the other, and want it; two calls that cross end one of the sessions.
        let is_second = self.credentials.id < peer;
        let head_start = if is_second {
            HEAD_START
        } else {
            Duration::ZERO
        };
        self.wanted.on_lost(now, peer, head_start);
        self.call_wanted(now);
    }

    /// A connected peer answers nothing on any path. Whoever introduces us anew knows where it is now, and if it has
    /// lost the session, says so over the new channel.
    pub(crate) fn on_peer_silent(&mut self, now: Instant, peer: NodeId) {
        for introducer in self.registered() {
            self.reach_through(now, introducer, peer);
        }
    }

    /// A peer that the application asked for is connected: a second relay is to stand ready where there is one.
    pub(crate) fn stand_by(
        &mut self,
        now: Instant,
        peer: NodeId,
        has_route_through: impl Fn(&NodeId) -> bool,
    ) {
        let spare = self
            .registered()
            .into_iter()
            .find(|i| !has_route_through(i));
        if let Some(introducer) = spare {
            self.reach_through(now, introducer, peer);
        }
    }

    fn registered(&self) -> Vec<NodeId> {
        let is_there = |i: &&Introducer| i.link.state() == IntroducerState::Registered;
        let there = self.introducers.iter().filter(is_there);
        there.map(|i| i.address.id).collect()
    }

    fn call_wanted(&mut self, now: Instant) {
        while let Some(peer) = self.wanted.take_due(now) {
            let candidates = self.candidates(None).unwrap_or_default();
            let operation = self.new_operation();
            self.internal.insert(operation);
            let target = ConnectTarget::Id(peer);
            let life = limits::CONTROL_LIFE;
            self.attempts
                .start(now, operation, target, &candidates, life);
            self.is_dirty = true;
        }
    }

    /// Asks an introducer that is back for a relayed path to a connected peer; the application does not hear of it.
    pub(crate) fn reach_through(&mut self, now: Instant, introducer: NodeId, peer: NodeId) {
        let operation = self.new_operation();
        self.internal.insert(operation);
        let candidates = [Candidate {
            introducer,
            registered: true,
        }];
        let target = ConnectTarget::Id(peer);
        self.attempts
            .start(now, operation, target, &candidates, limits::CONTROL_LIFE);
        self.is_dirty = true;
    }

    /// An introducer's host was looked up; none where it has no address now.
    pub(crate) fn on_resolved(&mut self, now: Instant, introducer: NodeId, found: &[SocketAddr]) {
        if let Some(introducer) = self.introducer_mut(&introducer) {
            introducer.link.on_resolved(now, found);
            self.is_dirty = true;
        }
    }

    /// A session stands; says whether it is with an introducer of ours.
    pub(crate) fn on_session_up(&mut self, id: &NodeId) -> bool {
        self.is_dirty = true;
        let introducer = self.introducer_mut(id);
        introducer.map(|i| i.link.on_session_up()).is_some()
    }

    /// A session ended, and perhaps a handshake for the next is under way; says whether it was with an introducer of
    /// ours.
    pub(crate) fn on_session_lost(
        &mut self,
        now: Instant,
        id: NodeId,
        is_handshaking: bool,
    ) -> bool {
        self.is_dirty = true;
        let Some(introducer) = self.introducer_mut(&id) else {
            return false;
        };
        if !is_handshaking {
            introducer.link.on_session_lost(now);
        }
        self.attempts.on_introducer_lost(now, id);
        true
    }

    /// Nobody answered our handshake: the next address of an introducer, or another relay to a peer, takes its place.
    pub(crate) fn on_handshake_failed(&mut self, now: Instant, id: NodeId) {
        self.is_dirty = true;
        if let Some(introducer) = self.introducer_mut(&id) {
            return introducer.link.on_session_lost(now);
        }
        let next = self
            .attempts
            .on_handshake_failed(now, id, ConnectFailure::TimedOut);
        self.moves
            .extend(next.map(|(introducer, channel)| Move::HandshakeThrough {
                peer: id,
                introducer,
                channel,
            }));
    }

    /// A direct path to some peer failed: our own NAT may have forgotten us.
    pub(crate) fn on_path_failed(&mut self, now: Instant) {
        for introducer in &mut self.introducers {
            introducer.link.on_path_failed(now);
        }
        self.is_dirty = true;
    }

    /// The machine changed networks.
    pub(crate) fn on_network_changed(&mut self) {
        for introducer in &mut self.introducers {
            introducer.link.on_network_changed();
        }
        self.wanted.hasten();
        self.is_dirty = true;
    }

    /// A peer of the application is connected, whoever began it: its operations end, and the application hears of it
    /// in any case.
    pub(crate) fn on_peer_connected(&mut self, peer: NodeId) {
        self.wanted.on_back(&peer);
        self.attempts.on_peer_connected(peer);
        if !self.end_operations().contains(&peer) {
            self.announce_connected(peer, None);
        }
    }

    /// A peer that is connected was found once more.
    pub(crate) fn on_peer_found_connected(&mut self, peer: NodeId) {
        self.attempts.on_peer_connected(peer);
        self.is_dirty = true;
    }

    /// Asks introducers whose turn has come and ends operations whose time is over.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        self.attempts.on_timeout(now);
        self.call_wanted(now);
        self.is_dirty = true;
    }

    /// When to call `on_timeout`.
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        let links = self.introducers.iter().map(|i| i.link.next_timeout());
        let operations =
            Deadline::earlier(self.attempts.next_timeout(), self.wanted.next_timeout());
        links.fold(operations, Deadline::earlier)
    }

    /// The next thing to do; call until `None` after every input.
    pub(crate) fn poll_move(&mut self, now: Instant) -> Option<Move> {
        if core::mem::take(&mut self.is_dirty) {
            self.advance_introducers(now);
            self.advance_attempts();
        }
        self.moves.pop_front()
    }

    fn advance_introducers(&mut self, now: Instant) {
        for introducer in &mut self.introducers {
            let id = introducer.address.id;
            while let Some(action) = introducer.link.poll_action(now) {
                match action {
                    LinkAction::Resolve => self.moves.extend(introducer.resolve(now)),
                    LinkAction::Connect(address) => {
                        let address = crate::path::canonical(address);
                        let introducer = id;
                        self.moves.push_back(Move::HandshakeWithIntroducer {
                            introducer,
                            address,
                        });
                    }
                    LinkAction::Register => self.moves.push_back(Move::Ask {
                        introducer: id,
                        purpose: Purpose::Register,
                        question: self.credentials.registration(),
                    }),
                }
            }
            self.moves.extend(introducer.poll_news().map(Move::Tell));
        }
    }

    fn advance_attempts(&mut self) {
        while let Some(ask) = self.attempts.poll_ask() {
            let Ask {
                attempt,
                introducer,
                target,
                channel,
            } = ask;
            let target = match target {
                ConnectTarget::Id(id) | ConnectTarget::Address { id, .. } => Target::Id(id),
                ConnectTarget::Name(name) | ConnectTarget::BoundName { name, .. } => {
                    Target::Name(name)
                }
            };
            self.moves.push_back(Move::Ask {
                introducer,
                purpose: Purpose::Connect { attempt },
                question: Question::Connect { target, channel },
            });
        }
        while let Some(settled) = self.attempts.poll_settled() {
            self.on_settled(settled);
        }
        self.end_operations();
    }

    /// Tells what operations ended in; returns the peers that were reached by any that the application hears of.
    fn end_operations(&mut self) -> Vec<NodeId> {
        let mut reached = Vec::new();
        while let Some((operation, outcome)) = self.attempts.poll_outcome() {
            if self.internal.remove(&operation) {
                continue;
            }
            match outcome {
                ConnectOutcome::Connected(peer) => {
                    self.announce_connected(peer, Some(operation));
                    reached.push(peer);
                }
                ConnectOutcome::Failed(peer, reason) => {
                    self.moves.push_back(Move::Tell(Event::ConnectFailed {
                        operation,
                        peer,
                        reason,
                    }));
                }
            }
        }
        reached
    }

    fn announce_connected(&mut self, peer: NodeId, operation: Option<OperationId>) {
        self.moves
            .push_back(Move::TellConnected { peer, operation });
    }

    /// Attempts, internal operations and searches under way.
    #[cfg(test)]
    pub(crate) fn sizes(&self) -> [usize; 3] {
        let (attempts, internal) = (self.attempts.len(), self.internal.len());
        [attempts, internal, self.searches.len()]
    }
}
