//! One participant: all peers, the door for strangers, the roles (docs/architecture.md §3, §4).
//!
//! The node finds out whom a datagram concerns ([`input`], [`handshakes`]), hands it to that peer and acts on what the
//! peer says concerns others ([`outcomes`]): registrations and searches ([`serving`]), its own introducers
//! ([`introducing`]), connections asked for ([`connecting`]), what it relays. It holds tables and passes facts on; the
//! rules are in the parts.

mod agenda;
mod commands;
mod connecting;
mod engine;
mod errands;
mod handshakes;
mod input;
mod introducing;
mod outcomes;
mod output;
mod searching;
mod serving;
mod settings;
mod status;
mod table;
#[cfg(test)]
mod tests;

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;

use self::agenda::Agenda;
use self::errands::Errands;
use self::introducing::Introducer;
use self::searching::Searches;
use self::settings::Settings;
use self::table::Table;
use crate::addresses::OwnAddresses;
use crate::api::{
    Accepted, ApiMisuse, Arrival, Command, Counters, Effect, EffectResult, Event, MessageId,
    NodeConfig, NodeStatus, OperationId, PeerStatus, StreamId, StreamRead, Transmit, Why,
};
use crate::directory::attempts::ConnectAttempts;
use crate::door::Door;
use crate::id::{NodeId, PeerKey};
use crate::identity::Identity;
use crate::introducer::IntroducerRole;
use crate::limiter::TokenBucket;
use crate::limits;
use crate::path::{Pair, Route};
use crate::peer::Via;
use crate::relay::client::RelayRoutes;
use crate::rng::Rng;
use crate::time::{Deadline, Instant, TimerKind};

/// One participant: the whole engine behind a handful of methods.
///
/// Feed it datagrams, time and commands with `handle_*`, as often as you like; then call each `poll_*` until it gives
/// `None`, last `poll_timeout`. Time must not go backwards. The same calls with the same configuration give the same
/// output, bit for bit.
pub struct Node {
    settings: Settings,
    started: Instant,
    rng: Rng,
    table: Table,
    agenda: Agenda,
    door: Door,
    /// What this node does for others as their introducer and relay.
    serving: IntroducerRole,
    relay_routes: RelayRoutes,
    introducers: Vec<Introducer>,
    addresses: OwnAddresses,
    attempts: ConnectAttempts,
    searches: Searches,
    /// Operations of the engine's own, whose end the application does not hear of.
    quiet: BTreeSet<OperationId>,
    operations: u64,
    probe_budget: TokenBucket,
    /// Datagrams that came through relays and wait for their turn.
    relayed: VecDeque<(Route, Vec<u8>)>,
    /// Datagrams that belong to no session: answers to handshakes, cookies, resets, STUN.
    outbox: VecDeque<(Route, Vec<u8>)>,
    /// The peer whose datagrams left last, and over which route: whom an error of the socket concerns.
    last_sent_to: Option<(PeerKey, Route)>,
    events: VecDeque<Event>,
    errands: Errands,
    counters: Counters,
    /// Something happened that introducers or attempts may wait for.
    stirred: bool,
    is_shut_down: bool,
}

impl Node {
    /// Makes a node; it starts to look for its introducers at once (poll it).
    ///
    /// # Errors
    /// `ApiMisuse::InvalidArgument` for seeds that make no key, and for a name or network label that is too long or has
    /// characters that may not be in one.
    pub fn new(config: NodeConfig, now: Instant) -> Result<Self, ApiMisuse> {
        let settings = Settings::of(&config)?;
        let sequence = config.record_sequence;
        let identity = Identity::from_seeds(&config.identity_seed, &config.static_seed, sequence)
            .map_err(|_| ApiMisuse::InvalidArgument {
            what: "the identity seed",
            must: "must make a key",
        })?;
        let rng = Rng::from_seed(config.rng_seed);
        let id = identity.node_id();
        let per_minute = u64::from(limits::PROBES_PER_MINUTE);
        let common = settings::common(&config);
        let mut node = Self {
            table: Table::new(id, config.shard, common, rng.fork("table")),
            attempts: ConnectAttempts::new(rng.fork("attempts")),
            serving: IntroducerRole::new(
                config.roles,
                settings::directory(&config.operator),
                settings::relay(&config.operator),
                rng.fork("relay"),
            ),
            rng: rng.fork("node"),
            door: Door::new(
                now,
                identity,
                config.network.clone(),
                settings.policy(),
                rng.fork("door"),
            ),
            settings,
            started: now,
            agenda: Agenda::default(),
            relay_routes: RelayRoutes::default(),
            introducers: Vec::new(),
            addresses: OwnAddresses::new(config.local_addresses),
            searches: Searches::default(),
            quiet: BTreeSet::new(),
            operations: 0,
            probe_budget: TokenBucket::new(per_minute.div_ceil(60), per_minute, now),
            relayed: VecDeque::new(),
            outbox: VecDeque::new(),
            last_sent_to: None,
            events: VecDeque::new(),
            errands: Errands::default(),
            counters: Counters::default(),
            stirred: true,
            is_shut_down: false,
        };
        for address in config.introducers {
            node.add_introducer(address);
        }
        for known in config
            .known_peers
            .into_iter()
            .take(limits::PEERS_REMEMBERED)
        {
            node.remember(now, &known.record, known.name);
        }
        node.settle(now);
        Ok(node)
    }

    /// This node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.door.identity().node_id()
    }

    /// Takes one datagram. It is opened in place, so its bytes are scrambled afterwards.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &mut [u8]) {
        self.handle_batch(now, from, bytes, usize::MAX);
    }

    /// Takes a batch of datagrams whose destination is not known: `segment_size` bytes each, the last may be shorter.
    pub fn handle_batch(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        segment_size: usize,
    ) {
        let arrival = Arrival {
            from,
            to: None,
            ecn: None,
            segment_size,
            bytes,
        };
        self.handle_arrival(now, arrival);
    }

    /// Takes datagrams from one source.
    pub fn handle_arrival(&mut self, now: Instant, arrival: Arrival<'_>) {
        if self.is_shut_down {
            return;
        }
        let route = Route::Direct(Pair {
            remote: crate::path::canonical(arrival.from),
            local: arrival.to.map(|ip| ip.to_canonical()),
        });
        let ecn = arrival.ecn;
        for datagram in arrival.bytes.chunks_mut(arrival.segment_size.max(1)) {
            self.counters.datagrams_received += 1;
            self.counters.bytes_received += datagram.len() as u64;
            self.handle_routed(now, Via { route, ecn }, datagram);
        }
        self.settle(now);
    }

    /// Takes the news that the socket refused to send to `to` from `from`, so that another path is taken at once. The
    /// error must be told before the next batch is asked for; a handshake that is refused is repeated by its timer.
    pub fn handle_send_error(&mut self, now: Instant, to: SocketAddr, from: Option<IpAddr>) {
        let route = Route::Direct(Pair {
            remote: crate::path::canonical(to),
            local: from.map(|ip| ip.to_canonical()),
        });
        let Some((key, _)) = self.last_sent_to.filter(|(_, sent)| *sent == route) else {
            return;
        };
        if let Some(entry) = self.table.get_mut(key) {
            entry.peer.paths.on_send_error(now, route);
            self.agenda.on_touched(key);
        }
        self.settle(now);
    }

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(key) = self.agenda.pop_due(now) {
            self.wake_peer(now, key);
        }
        let expired = self.door.expire(now);
        self.retire(expired);
        self.serving.on_timeout(now);
        self.drop_ended_registrations();
        self.attempts.on_timeout(now);
        while let Some(errand) = self.errands.expire(now) {
            self.on_errand_ended(now, errand, EffectResult::Failed);
        }
        self.stirred = true;
        self.settle(now);
    }

    /// Carries out one command.
    ///
    /// # Errors
    /// [`ApiMisuse`] with nothing changed.
    pub fn handle_command(
        &mut self,
        now: Instant,
        command: Command,
    ) -> Result<Accepted, ApiMisuse> {
        if self.is_shut_down {
            return Err(ApiMisuse::ShutDown);
        }
        let accepted = self.obey(now, command);
        self.settle(now);
        accepted
    }

    /// Reads up to `max_bytes` from a stream and gives its sender as much new credit.
    ///
    /// # Errors
    /// `UnknownPeer`, `NotConnected` or `UnknownStream`.
    pub fn read_stream(
        &mut self,
        _now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        let key = self.table.key_of(&peer).ok_or(ApiMisuse::UnknownPeer)?;
        let entry = self.table.get_mut(key).ok_or(ApiMisuse::UnknownPeer)?;
        let read = entry.peer.read_stream(stream, max_bytes)?;
        self.agenda.on_touched(key);
        Ok(read)
    }

    /// Takes a message that `Event::MessageReady` announced and gives its sender new credit.
    ///
    /// # Errors
    /// `UnknownPeer` or `UnknownMessage`.
    pub fn take_message(
        &mut self,
        _now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        let key = self.table.key_of(&peer).ok_or(ApiMisuse::UnknownPeer)?;
        let entry = self.table.get_mut(key).ok_or(ApiMisuse::UnknownPeer)?;
        let data = entry.peer.take_message(message)?;
        self.agenda.on_touched(key);
        Ok(data)
    }

    /// Fills `buffer` (at least [`limits::MAX_DATAGRAM_BYTES`], better [`limits::BATCH_BYTES`]) with datagrams for one
    /// destination, equal in size but for the last.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let transmit = self.next_transmit(now, buffer)?;
        let segments = transmit.len.div_ceil(transmit.segment_size.max(1));
        self.counters.datagrams_sent += segments as u64;
        self.counters.bytes_sent += transmit.len as u64;
        Some(transmit)
    }

    /// The next thing to tell the application.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next thing to do for the engine.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.errands.poll()
    }

    /// When to call `handle_timeout`, and why; the present while output is waiting.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        if self.agenda.first_ready().is_some() || !self.outbox.is_empty() {
            return Some(Deadline::new(Instant::EPOCH, TimerKind::OutputWaiting));
        }
        let at = |at: Option<Instant>, kind| at.map(|at| Deadline::new(at, kind));
        let links = self.introducers.iter().map(|i| i.link.next_timeout());
        let links = links.fold(None, Deadline::earlier);
        let others = [
            self.agenda.next_timeout(),
            at(self.door.next_timeout(), TimerKind::Handshake),
            self.attempts.next_timeout(),
            self.serving.next_timeout(),
            self.errands.next_timeout(),
        ];
        others.into_iter().fold(links, Deadline::earlier)
    }

    /// The node in short.
    #[must_use]
    pub fn status(&self, now: Instant) -> NodeStatus {
        self.node_status(now)
    }

    /// All peers known in this run, by id.
    #[must_use]
    pub fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.peer_statuses(now)
    }

    /// One peer.
    #[must_use]
    pub fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        self.peer_status(now, self.table.key_of(id)?)
    }

    /// Why the path to a peer is what it is.
    #[must_use]
    pub fn why(&self, _now: Instant, id: &NodeId) -> Option<Why> {
        self.explain(self.table.key_of(id)?)
    }
}
