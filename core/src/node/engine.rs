//! The engine's contract, kept by the node.

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use bytes::Bytes;

use super::Node;
use super::absence;
use super::endpoint::Polled;
use crate::api::{
    Accepted, ApiMisuse, Arrival, Command, Effect, EffectResult, Engine, Event, MessageId,
    NodeStatus, PeerStatus, StreamId, StreamRead, Transmit, Why,
};
use crate::id::NodeId;
use crate::path::{Pair, Route, canonical};
use crate::peer::Via;
use crate::time::{Deadline, Duration, Instant, TimerKind};

/// What is done so long after it was due is not late because the machine is busy: it slept.
const NAP: Duration = Duration::from_secs(5);

impl Engine for Node {
    fn id(&self) -> NodeId {
        self.endpoint.door.identity().node_id()
    }

    fn handle_arrival(&mut self, now: Instant, arrival: Arrival<'_>) {
        if self.is_shut_down {
            return;
        }
        if now.saturating_since(self.told_at) >= NAP {
            // What waited in the socket while this machine slept is no sign that anybody lives.
            self.handle_timeout(now);
        }
        self.told_at = now;
        let route = Route::Direct(Pair {
            remote: canonical(arrival.from),
            local: arrival.to.map(|ip| ip.to_canonical()),
            link: self.endpoint.usable(arrival.link),
        });
        let ecn = arrival.ecn;
        for datagram in arrival.bytes.chunks_mut(arrival.segment_size.max(1)) {
            self.counters.datagrams_received += 1;
            self.counters.bytes_received += datagram.len() as u64;
            self.handle_routed(now, Via { route, ecn }, datagram);
        }
        self.settle(now);
    }

    fn handle_send_error(&mut self, now: Instant, to: SocketAddr, from: Option<IpAddr>) {
        let ends = (canonical(to), from.map(|ip| ip.to_canonical()));
        self.endpoint.handle_send_error(now, &mut self.peers, ends);
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        let told_at = core::mem::replace(&mut self.told_at, now);
        let is_overdue = |d: Deadline| d.kind != TimerKind::OutputWaiting && d.at + NAP <= now;
        let has_slept = told_at + NAP <= now && self.poll_timeout().is_some_and(is_overdue);
        if has_slept {
            absence::on_nap(&mut self.peers);
        }
        while let Some(key) = self.peers.agenda.pop_due(now) {
            self.endpoint.wake(now, &mut self.peers, key);
        }
        self.endpoint.on_timeout(now, &mut self.peers);
        self.serving.role.on_timeout(now);
        self.serving.drop_ended(&mut self.peers);
        let guests = &mut self.endpoint.door.guests;
        self.serving.end_unregistered(now, &mut self.peers, guests);
        self.rendezvous.on_timeout(now);
        while let Some(errand) = self.errands.expire(now) {
            self.on_errand_ended(now, errand, EffectResult::Failed);
        }
        self.settle(now);
        if has_slept {
            // Who is left may be elsewhere by now. Those who registered here are as they were: they speak first.
            self.peers.on_network_changed(now, |entry| entry.is_known);
            self.rendezvous.on_network_changed();
            self.peers.announce(&self.addresses);
            self.settle(now);
        }
    }

    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        if self.is_shut_down {
            return Err(ApiMisuse::ShutDown);
        }
        if now.saturating_since(self.told_at) >= NAP {
            self.handle_timeout(now);
        }
        self.told_at = now;
        let accepted = self.carry_out_command(now, command);
        self.settle(now);
        accepted
    }

    fn read_stream(
        &mut self,
        _now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        let entry = self.peers.change_by_id(&peer);
        let peer = &mut entry.ok_or(ApiMisuse::UnknownPeer)?.peer;
        peer.sources.levels.read_stream(stream, max_bytes)
    }

    fn read_message(
        &mut self,
        _now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        let entry = self.peers.change_by_id(&peer);
        let peer = &entry.ok_or(ApiMisuse::UnknownPeer)?.peer;
        peer.sources.levels.read_message(message)
    }

    fn take_message(
        &mut self,
        _now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        let entry = self.peers.change_by_id(&peer);
        let peer = &mut entry.ok_or(ApiMisuse::UnknownPeer)?.peer;
        peer.sources.levels.take_message(message)
    }

    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        loop {
            match self.endpoint.poll(now, &mut self.peers, buffer) {
                Polled::Transmit(transmit) => {
                    let segments = transmit.len.div_ceil(transmit.segment_size.max(1));
                    self.counters.datagrams_sent += segments as u64;
                    self.counters.bytes_sent += transmit.len as u64;
                    return Some(transmit);
                }
                Polled::Drained(key) => {
                    self.settle(now);
                    self.peers.table.rest(now, key);
                }
                Polled::Idle => return None,
            }
        }
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.news.poll()
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.errands.poll()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        if self.peers.agenda.first_ready().is_some() || self.endpoint.waiting() > 0 {
            return Some(Deadline::new(Instant::EPOCH, TimerKind::OutputWaiting));
        }
        let handshakes = self.endpoint.door.next_timeout();
        let all = [
            self.peers.agenda.next_timeout(),
            handshakes.map(|at| Deadline::new(at, TimerKind::Handshake)),
            self.rendezvous.next_timeout(),
            self.serving.role.next_timeout(),
            self.errands.next_timeout(),
        ];
        all.into_iter().fold(None, Deadline::earlier)
    }

    fn status(&self, now: Instant) -> NodeStatus {
        let pictures = self.peers.pictures();
        let introducers = self.rendezvous.introducers().iter();
        let mut counters = self.counters;
        counters.handshakes_computed = self.endpoint.door.computed();
        self.serving.role.count_into(&mut counters);
        NodeStatus {
            id: self.id(),
            name: self.settings.name.clone(),
            roles: self.settings.roles,
            uptime: now.saturating_since(self.started),
            local_addresses: self.addresses.interfaces().iter().copied().collect(),
            introducers: introducers.map(|i| pictures.introducer(i)).collect(),
            directory_entries: self.serving.role.registrations(),
            relay_channels: self.serving.role.channels(),
            counters,
        }
    }

    fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.peers.pictures().known(now)
    }

    fn peers_between(&self, ids: RangeInclusive<NodeId>, most: usize) -> Vec<NodeId> {
        let between = self.peers.table.between(ids);
        let known = between.filter(|entry| entry.is_known);
        known.map(|entry| entry.peer.id()).take(most).collect()
    }

    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        self.peers
            .pictures()
            .peer(now, self.peers.table.key_of(id)?)
    }

    fn why(&self, _now: Instant, id: &NodeId) -> Option<Why> {
        let key = self.peers.table.key_of(id)?;
        self.peers.pictures().why(key, &self.addresses)
    }
}
