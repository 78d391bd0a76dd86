//! What datagrams and peers lead to, acted on. After each input everything runs until nothing is left to do.

use super::Node;
use super::absence;
use super::acquaintance::remember;
use super::endpoint::Handled;
use crate::api::{Counters, DisconnectReason, Event, PathChangeReason, Strangers};
use crate::door::Dropped;
use crate::id::{NodeId, PeerKey};
use crate::introducer::Refused;
use crate::limits;
use crate::path::Route;
use crate::peer::{PeerOutcome, Via};
use crate::purpose::Purpose;
use crate::relay::Forward;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RefusalCode, RefusedCommand};

/// Rounds after one input; more than any chain of consequences needs.
const ROUNDS: usize = 4_096;

impl Node {
    /// Takes a datagram that came by any route.
    pub(super) fn handle_routed(&mut self, now: Instant, via: Via, datagram: &mut [u8]) {
        let (endpoint, peers) = (&mut self.endpoint, &mut self.peers);
        match endpoint.handle(now, peers, via, datagram) {
            Handled::Applied(key) => self.serving.role.on_authentic_packet(now, key),
            Handled::Taken => {}
            Handled::StunAnswered => self.counters.stun_answers += 1,
            Handled::Dropped(why) => count_dropped(&mut self.counters, why),
        }
    }

    /// Runs until quiet: outcomes of touched peers, moves of the rendezvous, what came through relays.
    pub(super) fn settle(&mut self, now: Instant) {
        for _ in 0..ROUNDS {
            let mut is_quiet = true;
            for key in self.peers.agenda.take_unheard() {
                is_quiet = false;
                while let Some(entry) = self.peers.table.awake_mut(key)
                    && let Some(outcome) = entry.peer.poll_outcome()
                {
                    self.act_on(now, key, outcome);
                }
            }
            is_quiet &= !self.carry_out_moves(now);
            while let Some((route, mut datagram)) = self.relayed.pop_front() {
                is_quiet = false;
                self.handle_routed(now, Via { route, ecn: None }, &mut datagram);
            }
            if is_quiet {
                break;
            }
        }
    }

    fn act_on(&mut self, now: Instant, key: PeerKey, outcome: PeerOutcome) {
        match outcome {
            PeerOutcome::Event(event @ Event::DatagramReceived { .. }) => self.push_if_room(event),
            PeerOutcome::Event(event @ Event::LatestReceived { .. }) => {
                self.news.push_latest(event);
            }
            PeerOutcome::Event(event) => self.news.push(event),
            PeerOutcome::Control(message) => self.answer_control(now, key, message),
            PeerOutcome::ControlAnswered { purpose, answer } => {
                if let Purpose::Introduce { channel } = purpose
                    && let ControlMessage::Refused { code, .. } = answer
                {
                    let end = (key, channel);
                    self.serving.close_channel(&mut self.peers, end, code);
                }
                if let Some(introducer) = self.peers.id_of(key) {
                    let verify = |record: &[u8]| self.endpoint.door.verify(record).ok();
                    self.rendezvous
                        .on_answer(now, introducer, purpose, answer, verify);
                }
            }
            PeerOutcome::ControlFailed { purpose } => {
                if let Some(introducer) = self.peers.id_of(key) {
                    self.rendezvous.on_no_answer(now, introducer, purpose);
                }
            }
            PeerOutcome::Relayed { channel, datagram } => {
                self.on_relayed(now, key, channel, datagram);
            }
            PeerOutcome::IndexRetired(index) => self.peers.table.retire_index(index),
            PeerOutcome::Established { is_new } => self.on_established(now, key, is_new),
            PeerOutcome::HandshakeFailed => self.on_handshake_failed(now, key),
            PeerOutcome::PathChanged { reason } => self.on_path_changed(now, key, reason),
            PeerOutcome::Silent => {
                absence::on_silent(now, &self.peers, &mut self.rendezvous, key);
            }
            PeerOutcome::Pong { rtt } => {
                let peer = self.peers.id_of(key);
                if let (Some(peer), Some(path)) = (peer, self.peers.pictures().active_path(key)) {
                    self.push_if_room(Event::Pong { peer, rtt, path });
                }
            }
            PeerOutcome::Ended(reason) => self.on_ended(now, key, reason),
            PeerOutcome::UnknownCommand => self.counters.unknown_commands += 1,
            PeerOutcome::Malformed => self.counters.dropped_malformed += 1,
        }
    }

    /// News that may be lost are, where the application does not fetch them.
    fn push_if_room(&mut self, event: Event) {
        let is_lost = !self.news.push_if_room(event);
        self.counters.dropped_throttled += u64::from(is_lost);
    }

    /// Executes a control request of a peer; it is new, its repetitions are answered below.
    fn answer_control(&mut self, now: Instant, key: PeerKey, message: ControlMessage) {
        if let ControlMessage::ChannelClosed { channel, code } = message {
            let (peers, rendezvous) = (&mut self.peers, &mut self.rendezvous);
            let end = (key, channel);
            return self
                .serving
                .on_channel_closed(now, peers, rendezvous, end, code);
        }
        let Some(reference) = message.reference() else {
            return;
        };
        let (command, result) = match message {
            introduce @ ControlMessage::Introduce { .. } => (
                RefusedCommand::Connect,
                self.meet_caller(now, key, introduce),
            ),
            other => {
                let (peers, door) = (&mut self.peers, &mut self.endpoint.door);
                let from = (key, reference);
                self.serving.carry_out(now, peers, door, from, other)
            }
        };
        let answer = result.unwrap_or_else(|refused| refused.into_message(command, reference));
        if let Some(entry) = self.peers.change(key) {
            entry
                .peer
                .sources
                .levels
                .answer_control(now, reference, &answer);
        }
        self.serving.drop_ended(&mut self.peers);
    }

    /// An introducer of ours says that somebody wants us.
    fn meet_caller(
        &mut self,
        now: Instant,
        key: PeerKey,
        introduce: ControlMessage,
    ) -> Result<ControlMessage, Refused> {
        let ControlMessage::Introduce {
            reference,
            key_record,
            channel,
            name,
            observed,
            is_neighbour,
        } = introduce
        else {
            return Err(Refused::because(RefusalCode::Malformed));
        };
        let introducer = self.peers.id_of(key);
        let introducer = introducer.filter(|id| self.rendezvous.is_introducer(id));
        let introducer = introducer.ok_or(Refused::because(RefusalCode::Role))?;
        let record = self.endpoint.door.verify(&key_record);
        let record = record.map_err(|_| Refused::because(RefusalCode::Malformed))?;
        let known = self.peers.table.key_of(&record.id);
        let known = known.and_then(|key| self.peers.table.get(key));
        let strangers = self.settings.strangers;
        let is_welcome = strangers.are_admitted() || known.is_some_and(|e| e.is_known);
        if self.peers.blocked.contains(&record.id) {
            return Err(Refused::because(RefusalCode::Refused));
        }
        let is_own = record.id == self.peers.table.local_id();
        if !is_welcome || is_own {
            let peer = record.id;
            if strangers == Strangers::Ask && !is_own && self.knocks.on_knock(now, peer) {
                self.news.push_if_room(Event::Knocked {
                    peer,
                    name,
                    introducer,
                });
            }
            return Err(Refused::because(RefusalCode::Refused));
        }
        let peer = self.peers.prepare(now, record, None);
        if let Some(name) = name {
            self.peers.table.set_claim(peer, name);
        }
        if let Some(entry) = self.peers.change(peer) {
            entry.acquaintance.is_neighbour = is_neighbour;
        }
        self.peers.add_relay_route(now, peer, key, channel);
        self.on_observed(introducer, observed);
        Ok(ControlMessage::IntroduceAccepted {
            reply_to: reference,
        })
    }

    fn on_relayed(&mut self, now: Instant, key: PeerKey, channel: u32, datagram: Vec<u8>) {
        if self.peers.relays.lookup(key, channel).is_some() {
            let relay = key.0;
            let route = Route::Relay { relay, channel };
            if self.relayed.len() < limits::RELAYED_WAITING {
                self.relayed.push_back((route, datagram));
            }
            return;
        }
        let bytes = datagram.len();
        if let Forward::To { peer, channel } = self.serving.role.forward(now, key, channel, bytes)
            && let Some(entry) = self.peers.table.get_mut(peer)
            && entry.peer.sources.push_relayed(channel, datagram.into())
        {
            self.counters.relayed_datagrams += 1;
            self.counters.relayed_bytes += bytes as u64;
            self.peers.agenda.on_touched(peer);
        }
    }

    fn on_established(&mut self, now: Instant, key: PeerKey, is_new: bool) {
        self.counters.sessions_established += 1;
        self.peers.table.learn_tokens(key);
        let Some(id) = self.peers.id_of(key) else {
            return;
        };
        if self.rendezvous.on_session_up(&id) || !is_new {
            return;
        }
        let is_client = self.settings.roles.introducer;
        let Some(entry) = self.peers.table.get_mut(key) else {
            return;
        };
        if !entry.is_known && is_client {
            return;
        }
        entry.is_known = true;
        remember(now, &self.peers, &mut self.errands, id);
        self.peers.table.set_idle(key, false);
        self.peers.send_addresses(key, &self.addresses);
        self.rendezvous.on_peer_connected(id);
        if self.peers.table.get(key).is_some_and(|entry| entry.asked) {
            let peers = &self.peers;
            let has_route = |relay: &NodeId| peers.has_route_through(key, relay);
            self.rendezvous.stand_by(now, id, has_route);
        }
        // The application hears of the connection before it hears what came over it.
        self.carry_out_moves(now);
    }

    /// Nobody answered our handshake.
    fn on_handshake_failed(&mut self, now: Instant, key: PeerKey) {
        let Some(id) = self.peers.id_of(key) else {
            return;
        };
        // Whoever is called anew must not be known by an old key for ever: the next handshake asks for it.
        if self.rendezvous.is_introducer(&id)
            && let Some(entry) = self.peers.table.get_mut(key)
        {
            entry.peer.profile.doubt_record();
        }
        self.rendezvous.on_handshake_failed(now, id);
    }

    fn on_path_changed(&mut self, now: Instant, key: PeerKey, reason: PathChangeReason) {
        let Some(peer) = self.peers.id_of(key) else {
            return;
        };
        if reason == PathChangeReason::Failed && !self.rendezvous.is_introducer(&peer) {
            self.rendezvous.on_path_failed(now);
        }
        let entry = self.peers.table.get(key);
        let is_known = entry.is_some_and(|entry| entry.is_known && entry.peer.is_connected());
        if is_known
            && reason != PathChangeReason::Established
            && let Some(path) = self.peers.pictures().active_path(key)
        {
            self.push_if_room(Event::PathChanged { peer, path, reason });
        }
    }

    fn on_ended(&mut self, now: Instant, key: PeerKey, reason: DisconnectReason) {
        self.peers.table.forget_tokens(key);
        self.serving.role.on_session_closed(now, key);
        self.peers.on_relay_gone(now, key);
        let Some(entry) = self.peers.table.get_mut(key) else {
            return;
        };
        let (peer, is_known) = (entry.peer.id(), entry.is_known);
        let is_replaced = entry.peer.is_connected();
        if !is_replaced {
            self.endpoint.door.guests.remove(key);
        }
        let is_handshaking = entry.peer.handshakes.is_under_way();
        if self.rendezvous.on_session_lost(now, peer, is_handshaking) {
            return;
        }
        if is_replaced {
            // A new association has taken this one's place; its own news follows.
            self.peers.table.learn_tokens(key);
        }
        if is_known {
            self.news.push(Event::Disconnected { peer, reason });
        }
        let (peers, rendezvous) = (&mut self.peers, &mut self.rendezvous);
        absence::on_ended(now, peers, rendezvous, key, reason);
        match (is_known, is_replaced) {
            (_, true) => {}
            (true, false) => {
                self.peers
                    .drop_relay_routes(key, reason == DisconnectReason::Local);
                self.peers.note_idle(key);
            }
            (false, false) => self.peers.forget(key),
        }
    }
}

const fn count_dropped(counters: &mut Counters, why: Dropped) {
    let counter = match why {
        Dropped::Unknown => &mut counters.dropped_unknown,
        Dropped::WrongMac => &mut counters.dropped_mac1,
        Dropped::Throttled => &mut counters.dropped_throttled,
        Dropped::Unauthentic => &mut counters.dropped_unauthentic,
        Dropped::Replayed => &mut counters.dropped_replayed,
        Dropped::Malformed => &mut counters.dropped_malformed,
        Dropped::Legacy => &mut counters.dropped_legacy,
        Dropped::Refused => return,
    };
    *counter += 1;
}
