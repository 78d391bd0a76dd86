//! Connections that this node asks for: introductions, calls over the relay, candidates (protocol §3, §6, §9).

use core::net::SocketAddr;

use super::Node;
use crate::api::{Accepted, ApiMisuse, ConnectFailure, ConnectTarget, Event, OperationId};
use crate::directory::attempts::{AnswerOutcome, Ask, Candidate, ConnectOutcome};
use crate::id::{NodeId, PeerKey};
use crate::limits;
use crate::path::Route;
use crate::peer::Purpose;
use crate::time::{Duration, Instant};
use crate::wire::control::{ControlMessage, Target};

impl Node {
    /// A number for a long action.
    pub(super) fn new_operation(&mut self) -> OperationId {
        self.operations += 1;
        OperationId(self.operations)
    }

    /// Starts a connection attempt.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        target: ConnectTarget,
        introducer: Option<NodeId>,
        timeout: Duration,
    ) -> Result<Accepted, ApiMisuse> {
        let id = match &target {
            ConnectTarget::Id(id) | ConnectTarget::Address { id, .. } if *id == self.id() => {
                return Err(ApiMisuse::OwnId);
            }
            ConnectTarget::Address { address, .. } if !self.may_call_at(*address) => {
                let (what, must) = (
                    "the address",
                    "must be of a host, where direct paths are on",
                );
                return Err(ApiMisuse::InvalidArgument { what, must });
            }
            ConnectTarget::Id(id) | ConnectTarget::Address { id, .. } => Some(*id),
            ConnectTarget::Name(name) if crate::directory::name::is_valid_name(name) => None,
            ConnectTarget::Name(_) => {
                let (what, must) = ("the name", "must be 1 to 64 bytes without space, @ or /");
                return Err(ApiMisuse::InvalidArgument { what, must });
            }
        };
        let operation = self.new_operation();
        // A peer whose paths are all lost, or that is just being left, is looked for anew, though its session stands.
        let is_reached = |e: &super::table::Entry| {
            let peer = &e.peer;
            peer.is_connected() && !peer.is_closing() && peer.active_route().is_some()
        };
        if let Some(key) = id.and_then(|id| self.table.key_of(&id))
            && self.table.get(key).is_some_and(|e| is_reached(&e))
        {
            self.tell_connected(key, Some(operation));
            return Ok(Accepted::Operation(operation));
        }
        if let ConnectTarget::Address { id, address } = target {
            self.connect_at(now, operation, (id, address), timeout);
            return Ok(Accepted::Operation(operation));
        }
        let candidates = self.introducer_candidates(introducer)?;
        self.attempts
            .start(now, operation, target, &candidates, timeout);
        self.stirred = true;
        Ok(Accepted::Operation(operation))
    }

    /// Whether a peer may be called at this address: a host's, and addresses may be shown at all.
    fn may_call_at(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        let is_broadcast = ip == core::net::IpAddr::from([255; 4]);
        let is_host = !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast;
        self.settings.direct_paths && is_host && address.port() != 0
    }

    /// Calls a peer at an address that the application gave (protocol §3.9).
    fn connect_at(
        &mut self,
        now: Instant,
        operation: OperationId,
        (id, address): (NodeId, SocketAddr),
        timeout: Duration,
    ) {
        let key = self.table.ensure(now, id);
        let route = Route::to(crate::path::canonical(address));
        self.attempts.start_direct(now, operation, id, timeout);
        if let Some(entry) = self.table.get_mut(key) {
            (entry.is_known, entry.asked) = (true, true);
            if entry.peer.is_calling() {
                let call = entry.peer.call_also_over(route);
                self.outbox.extend(call.map(|call| (route, call)));
            } else {
                self.call(now, key, route);
            }
        }
        if self.table.get(key).is_some_and(|e| !e.peer.is_connected()) {
            self.note_idle(key);
        }
        self.stirred = true;
    }

    fn introducer_candidates(&self, only: Option<NodeId>) -> Result<Vec<Candidate>, ApiMisuse> {
        if self.introducers.is_empty() {
            return Err(ApiMisuse::NoIntroducer);
        }
        let wanted = self
            .introducers
            .iter()
            .filter(|i| only.is_none_or(|id| id == i.address.id));
        let candidates: Vec<_> = wanted
            .map(|i| Candidate {
                introducer: i.address.id,
                registered: i.link.state() == crate::api::IntroducerState::Registered,
            })
            .collect();
        if candidates.is_empty() {
            Err(ApiMisuse::UnknownIntroducer)
        } else {
            Ok(candidates)
        }
    }

    /// Does what the attempts ask for and tells what they ended in.
    pub(super) fn advance_attempts(&mut self, now: Instant) {
        while let Some(ask) = self.attempts.poll_ask() {
            self.ask_introducer(now, ask);
        }
        while let Some((operation, outcome)) = self.attempts.poll_outcome() {
            if self.quiet.remove(&operation) {
                continue;
            }
            match outcome {
                ConnectOutcome::Connected(id) => {
                    if let Some(key) = self.table.key_of(&id) {
                        self.tell_connected(key, Some(operation));
                    }
                }
                ConnectOutcome::Failed(peer, reason) => {
                    self.events.push_back(Event::ConnectFailed {
                        operation,
                        peer,
                        reason,
                    });
                }
            }
        }
    }

    fn ask_introducer(&mut self, now: Instant, ask: Ask) {
        let target = match ask.target {
            ConnectTarget::Id(id) | ConnectTarget::Address { id, .. } => Target::Id(id),
            ConnectTarget::Name(name) => Target::Name(name),
        };
        let (attempt, channel) = (ask.attempt, ask.channel);
        let key = self.table.key_of(&ask.introducer);
        let asked = key.and_then(|key| self.table.get_mut(key)).map(|entry| {
            let purpose = Purpose::Connect { attempt, channel };
            entry
                .peer
                .ask(now, purpose, limits::CONTROL_LIFE, |reference| {
                    ControlMessage::ConnectRequest {
                        reference,
                        target,
                        channel,
                    }
                })
        });
        if let (Some(key), Some(Ok(()))) = (key, asked) {
            self.agenda.on_touched(key);
        } else {
            self.attempts.on_introducer_lost(now, ask.introducer);
            self.stirred = true;
        }
    }

    pub(super) fn on_connect_answer(
        &mut self,
        now: Instant,
        key: PeerKey,
        attempt: crate::id::AttemptId,
        channel: u32,
        answer: ControlMessage,
    ) {
        let Some(introducer) = self.table.get(key).map(|entry| entry.peer.id()) else {
            return;
        };
        let (key_record, name) = match answer {
            ControlMessage::ConnectAnswer {
                key_record,
                name,
                observed,
                ..
            } => {
                self.on_observed(introducer, observed);
                (key_record, name)
            }
            ControlMessage::Refused { code, .. } => {
                self.attempts
                    .on_refused(now, attempt, introducer, code.as_str());
                return;
            }
            _ => return self.attempts.on_request_timed_out(now, attempt, introducer),
        };
        let Ok(record) = self.door.verify(&key_record) else {
            return self.attempts.on_request_timed_out(now, attempt, introducer);
        };
        let id = record.id;
        if id == self.id() {
            return self
                .attempts
                .on_refused(now, attempt, introducer, "refused");
        }
        let outcome = self.attempts.on_answer(now, attempt, introducer, id);
        let channel = match outcome {
            AnswerOutcome::Proceed { channel: given } | AnswerOutcome::Spare { channel: given } => {
                debug_assert_eq!(given, channel, "the attempt asked with this channel");
                given
            }
            AnswerOutcome::Ignored => return,
        };
        let peer = self.prepare_peer(now, record, name);
        if let Some(entry) = self.table.get_mut(peer) {
            entry.asked = true;
        }
        self.add_relay_route(now, peer, key, channel);
        let is_connected = self
            .table
            .get(peer)
            .is_some_and(|entry| entry.peer.is_connected());
        if is_connected {
            self.attempts.on_peer_connected(id);
        } else if matches!(outcome, AnswerOutcome::Proceed { .. }) {
            self.call(
                now,
                peer,
                Route::Relay {
                    relay: key.0,
                    channel,
                },
            );
        }
    }

    pub(super) fn on_connect_failed(
        &mut self,
        now: Instant,
        key: PeerKey,
        attempt: crate::id::AttemptId,
    ) {
        if let Some(introducer) = self.table.get(key).map(|entry| entry.peer.id()) {
            self.attempts.on_request_timed_out(now, attempt, introducer);
        }
    }

    /// Nobody answered our call; another relay may still reach the peer.
    pub(super) fn on_peer_call_failed(&mut self, now: Instant, key: PeerKey) {
        let Some(id) = self.table.get(key).map(|entry| entry.peer.id()) else {
            return;
        };
        let next = self
            .attempts
            .on_handshake_failed(now, id, ConnectFailure::TimedOut);
        if let Some((introducer, channel)) = next
            && let Some(relay) = self.table.key_of(&introducer)
        {
            self.call(
                now,
                key,
                Route::Relay {
                    relay: relay.0,
                    channel,
                },
            );
        }
    }

    /// A peer of the application is connected: candidates are exchanged, everybody is told.
    pub(super) fn on_peer_connected(&mut self, now: Instant, key: PeerKey) {
        let Some(entry) = self.table.get(key) else {
            return;
        };
        let id = entry.peer.id();
        let record = entry
            .peer
            .record
            .as_ref()
            .map(|record| record.to_bytes().to_vec());
        let name = entry.peer.name.clone();
        if let Some(record) = record {
            self.errands.persist(now, id, record, name);
        }
        self.send_candidates(key);
        let events_before = self.events.len();
        self.attempts.on_peer_connected(id);
        self.advance_attempts(now);
        if self.events.len() == events_before {
            self.tell_connected(key, None);
        }
    }

    fn tell_connected(&mut self, key: PeerKey, operation: Option<OperationId>) {
        let entry = self.table.get(key);
        let (Some(entry), Some(path)) = (entry, self.active_path(key)) else {
            return;
        };
        let (peer, name) = (entry.peer.id(), entry.peer.name.clone());
        self.events.push_back(Event::Connected {
            operation,
            peer,
            name,
            path,
        });
    }

    /// Tells a peer our addresses, inside the session.
    fn send_candidates(&mut self, key: PeerKey) {
        let candidates = self.addresses.candidates();
        let reflexive = self.addresses.reflexive();
        let direct_paths = self.table.common().direct_paths;
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let paths = &mut entry.peer.paths;
        paths.on_local_addresses(&reflexive, self.addresses.interfaces());
        if !direct_paths {
            return;
        }
        if !candidates.is_empty() {
            let message = ControlMessage::Candidates(candidates);
            entry.peer.push_control(message.to_json().into());
        }
        self.agenda.on_touched(key);
    }

    /// An introducer of ours says under which address it sees us; connected peers hear of a new one.
    pub(super) fn on_observed(&mut self, introducer: NodeId, observed: SocketAddr) {
        if self.addresses.on_observed(introducer, observed) {
            self.announce_addresses();
        }
    }

    /// Our addresses changed: every connected peer of the application hears of it.
    pub(super) fn announce_addresses(&mut self) {
        for key in self.table.keys() {
            let is_peer = |e: &super::table::Entry| e.is_known && e.peer.is_connected();
            if self.table.get(key).is_some_and(|e| is_peer(&e)) {
                self.send_candidates(key);
            }
        }
    }

    /// An introducer is back: peers that we asked for get a relayed path through it again.
    pub(super) fn restore_relays(&mut self, now: Instant, introducer: PeerKey) {
        let Some(id) = self.table.get(introducer).map(|entry| entry.peer.id()) else {
            return;
        };
        for key in self.table.keys() {
            // Where no path is left either side asks: who registers last finds the other there.
            let is_wanted = |e: &super::table::Entry| {
                let is_lost = e.is_known && e.peer.active_route().is_none();
                e.peer.is_connected() && (e.asked || is_lost)
            };
            let entry = self.table.get(key).filter(|e| is_wanted(e));
            let Some(target) = entry.map(|entry| entry.peer.id()) else {
                continue;
            };
            let is_there = self
                .relay_routes
                .routes_to(key)
                .any(|(relay, _)| relay == introducer);
            if is_there {
                continue;
            }
            let operation = self.new_operation();
            self.quiet.insert(operation);
            let candidates = [Candidate {
                introducer: id,
                registered: true,
            }];
            let target = ConnectTarget::Id(target);
            self.attempts
                .start(now, operation, target, &candidates, limits::CONTROL_LIFE);
            self.stirred = true;
        }
    }
}
