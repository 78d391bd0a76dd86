//! What peers say that concerns others, acted on. After each input everything runs until nothing is left to do.

use super::Node;
use crate::api::{DisconnectReason, Event, PathChangeReason};
use crate::id::PeerKey;
use crate::limits;
use crate::path::Route;
use crate::peer::{PeerOutcome, Purpose, Via};
use crate::relay::server::Forward;
use crate::time::Instant;
use crate::wire::control::ControlMessage;

/// Rounds after one input; more than any chain of consequences needs.
const ROUNDS: usize = 4_096;

impl Node {
    /// Runs until quiet: outcomes of touched peers, what came through relays, introducers, attempts.
    pub(super) fn settle(&mut self, now: Instant) {
        for _ in 0..ROUNDS {
            let mut is_quiet = true;
            for key in self.agenda.take_unheard() {
                is_quiet = false;
                self.hear(now, key);
            }
            if core::mem::take(&mut self.stirred) {
                is_quiet = false;
                self.advance_introducers(now);
                self.advance_attempts(now);
            }
            while let Some((route, mut datagram)) = self.relayed.pop_front() {
                is_quiet = false;
                self.handle_routed(now, Via { route, ecn: None }, &mut datagram);
            }
            if is_quiet {
                break;
            }
        }
    }

    fn hear(&mut self, now: Instant, key: PeerKey) {
        while let Some(outcome) = self
            .table
            .awake_mut(key)
            .and_then(|entry| entry.peer.poll_outcome())
        {
            self.act_on(now, key, outcome);
        }
    }

    fn act_on(&mut self, now: Instant, key: PeerKey, outcome: PeerOutcome) {
        match outcome {
            PeerOutcome::Event(event @ Event::DatagramReceived { .. }) => self.tell_if_room(event),
            PeerOutcome::Event(event @ Event::LatestReceived { .. }) => self.tell_latest(event),
            PeerOutcome::Event(event) => self.events.push_back(event),
            PeerOutcome::Control(message) => self.serve(now, key, message),
            PeerOutcome::ControlAnswered { purpose, answer } => {
                self.on_control_answered(now, key, purpose, answer);
            }
            PeerOutcome::ControlFailed { purpose } => self.on_control_failed(now, key, purpose),
            PeerOutcome::Relayed { channel, datagram } => {
                self.on_relayed(now, key, channel, datagram);
            }
            PeerOutcome::IndexRetired(index) => self.table.retire_index(index),
            PeerOutcome::Established { is_new } => self.on_established(now, key, is_new),
            PeerOutcome::CallFailed => self.on_call_failed(now, key),
            PeerOutcome::PathChanged { reason } => self.on_path_changed(now, key, reason),
            PeerOutcome::Pong { rtt } => {
                let peer = self.table.get(key).map(|entry| entry.peer.id());
                if let (Some(peer), Some(path)) = (peer, self.active_path(key)) {
                    self.tell_if_room(Event::Pong { peer, rtt, path });
                }
            }
            PeerOutcome::Ended(reason) => self.on_ended(now, key, reason),
            PeerOutcome::UnknownCommand => self.counters.unknown_commands += 1,
            PeerOutcome::Malformed => self.counters.dropped_malformed += 1,
        }
    }

    fn on_control_answered(
        &mut self,
        now: Instant,
        key: PeerKey,
        purpose: Purpose,
        answer: ControlMessage,
    ) {
        self.stirred = true;
        match purpose {
            Purpose::Register => self.on_register_answer(now, key, answer),
            Purpose::Search(operation) => self.on_search_answer(key, operation, answer),
            Purpose::Connect { attempt, channel } => {
                self.on_connect_answer(now, key, attempt, channel, answer);
            }
            Purpose::Introduce => {}
        }
    }

    fn on_control_failed(&mut self, now: Instant, key: PeerKey, purpose: Purpose) {
        self.stirred = true;
        match purpose {
            Purpose::Register => self.on_register_failed(now, key),
            Purpose::Search(operation) => self.on_search_failed(operation),
            Purpose::Connect { attempt, .. } => self.on_connect_failed(now, key, attempt),
            Purpose::Introduce => {}
        }
    }

    fn on_relayed(&mut self, now: Instant, key: PeerKey, channel: u32, datagram: Vec<u8>) {
        if self.relay_routes.lookup(key, channel).is_some() {
            let route = Route::Relay {
                relay: key.0,
                channel,
            };
            if self.relayed.len() < limits::RELAYED_WAITING {
                self.relayed.push_back((route, datagram));
            }
            return;
        }
        let bytes = datagram.len();
        if let Forward::To { peer, channel } = self.serving.forward(now, key, channel, bytes)
            && let Some(entry) = self.table.get_mut(peer)
            && entry.peer.push_relayed(channel, datagram.into())
        {
            self.counters.relayed_datagrams += 1;
            self.counters.relayed_bytes += bytes as u64;
            self.agenda.on_touched(peer);
        }
    }

    fn on_established(&mut self, now: Instant, key: PeerKey, is_new: bool) {
        self.counters.sessions_established += 1;
        self.table.learn_tokens(key);
        self.stirred = true;
        if self.on_introducer_session(key) || !is_new {
            return;
        }
        let is_client = self.settings.roles.introducer;
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        if !entry.is_known && is_client {
            return;
        }
        entry.is_known = true;
        self.table.set_idle(key, false);
        self.on_peer_connected(now, key);
    }

    fn on_path_changed(&mut self, now: Instant, key: PeerKey, reason: PathChangeReason) {
        if reason == PathChangeReason::Failed && !self.is_introducer(key) {
            for introducer in &mut self.introducers {
                introducer.link.on_path_failed(now);
            }
            self.stirred = true;
        }
        let is_told = reason != PathChangeReason::Established;
        let entry = self
            .table
            .get(key)
            .filter(|entry| entry.is_known && is_told && entry.peer.is_connected());
        let peer = entry.map(|entry| entry.peer.id());
        if let (Some(peer), Some(path)) = (peer, self.active_path(key)) {
            self.tell_if_room(Event::PathChanged { peer, path, reason });
        }
    }

    /// News that may be lost are, where the application does not fetch them.
    fn tell_if_room(&mut self, event: Event) {
        if self.events.len() < limits::EVENTS_WAITING {
            self.events.push_back(event);
        } else {
            self.counters.dropped_throttled += 1;
        }
    }

    /// Where the application does not fetch its news, a value takes the place of the older one of its key: so they
    /// are bounded by the keys, and the newest is never lost.
    pub(super) fn tell_latest(&mut self, event: Event) {
        let is_older = |waiting: &&mut Event| match (&**waiting, &event) {
            (
                Event::LatestReceived {
                    peer: a, key: k, ..
                },
                Event::LatestReceived {
                    peer: b, key: l, ..
                },
            ) => a == b && k == l,
            _ => false,
        };
        let is_full = self.events.len() >= limits::EVENTS_WAITING;
        let older = self
            .events
            .iter_mut()
            .rev()
            .filter(|_| is_full)
            .find(is_older);
        match older {
            Some(older) => *older = event,
            None => self.events.push_back(event),
        }
    }

    fn on_ended(&mut self, now: Instant, key: PeerKey, reason: DisconnectReason) {
        self.stirred = true;
        self.table.forget_tokens(key);
        self.serving.on_session_closed(now, key);
        for (_, remote) in self.relay_routes.remove_relay(key) {
            if let Some(entry) = self.table.get_mut(remote) {
                entry.peer.paths.on_relay_lost(now, key.0);
                self.agenda.on_touched(remote);
            }
        }
        if self.on_introducer_lost(now, key) {
            return;
        }
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let (peer, is_known) = (entry.peer.id(), entry.is_known);
        let is_replaced = entry.peer.is_connected();
        if is_replaced {
            // A new association has taken this one's place; its own news follows.
            self.table.learn_tokens(key);
        }
        if is_known {
            self.events.push_back(Event::Disconnected { peer, reason });
        }
        match (is_known, is_replaced) {
            (_, true) => {}
            (true, false) => {
                self.relay_routes.remove_remote(key);
                self.note_idle(key);
            }
            (false, false) => self.forget(key),
        }
    }

    /// A peer that the application knows is not connected: beyond a bound the longest forgotten ones go.
    pub(super) fn note_idle(&mut self, key: PeerKey) {
        self.table.set_idle(key, true);
        while let Some(oldest) = self.table.idle_beyond(limits::PEERS_REMEMBERED) {
            self.forget(oldest);
        }
    }

    /// Removes a peer and everything that names its key.
    pub(super) fn forget(&mut self, key: PeerKey) {
        if let Some(entry) = self.table.get_mut(key) {
            entry.peer.drop_call();
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
        self.relay_routes.remove_remote(key);
        self.agenda.remove(key);
        self.table.remove(key);
    }
}
