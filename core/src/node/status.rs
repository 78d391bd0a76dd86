//! Read-only pictures for the surfaces: relays get their names here.

use core::net::{Ipv4Addr, SocketAddr};

use super::Node;
use crate::api::{
    IntroducerStatus, NodeStatus, PathKind, PathStatus, PeerState, PeerStatus, Verdict, Why,
};
use crate::id::PeerKey;
use crate::path::{Route, RouteStatus};
use crate::time::Instant;

impl Node {
    pub(super) fn node_status(&self, now: Instant) -> NodeStatus {
        let introducers = self.introducers.iter().map(|introducer| {
            let address = &introducer.address;
            let key = self.table.key_of(&address.id);
            IntroducerStatus {
                id: address.id,
                host: address.host.clone(),
                port: address.port,
                state: introducer.link.state(),
                rtt: key.and_then(|key| self.table.get(key)?.peer.rtt()),
                observed: introducer.link.observed(),
            }
        });
        let mut counters = self.counters;
        counters.handshakes_computed = self.door.computed();
        self.serving.count_into(&mut counters);
        NodeStatus {
            id: self.id(),
            name: self.settings.name.clone(),
            roles: self.settings.roles,
            uptime: now.saturating_since(self.started),
            local_addresses: self.addresses.interfaces().to_vec(),
            introducers: introducers.collect(),
            directory_entries: self.serving.registrations(),
            relay_channels: self.serving.channels(),
            counters,
        }
    }

    /// A route with the relay's name and address.
    fn path_status(&self, status: &RouteStatus) -> PathStatus {
        let (kind, remote) = match status.route {
            Route::Direct(pair) => (PathKind::Direct, pair.remote),
            Route::Relay { relay, .. } => {
                let entry = self.table.get(PeerKey(relay));
                let via = entry.as_ref().map_or(self.id(), |entry| entry.peer.id());
                let address = entry.and_then(|entry| entry.peer.active_route()?.address());
                let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                (PathKind::Relay { via }, address.unwrap_or(unknown))
            }
        };
        let (proven, rtt, mtu_bytes) = (status.proven, status.rtt, status.mtu_bytes);
        PathStatus {
            kind,
            remote,
            proven,
            rtt,
            mtu_bytes,
        }
    }

    fn paths(&self, key: PeerKey) -> Vec<(bool, PathStatus)> {
        let routes = self
            .table
            .get(key)
            .map(|entry| entry.peer.routes())
            .unwrap_or_default();
        routes
            .iter()
            .map(|route| (route.active, self.path_status(route)))
            .collect()
    }

    /// The path that carries a peer's data now.
    pub(super) fn active_path(&self, key: PeerKey) -> Option<PathStatus> {
        self.paths(key)
            .into_iter()
            .find_map(|(active, path)| active.then_some(path))
    }

    pub(super) fn peer_statuses(&self, now: Instant) -> Vec<PeerStatus> {
        let known = self.table.iter().filter(|(_, entry)| entry.is_known);
        known
            .filter_map(|(key, _)| self.peer_status(now, key))
            .collect()
    }

    pub(super) fn peer_status(&self, now: Instant, key: PeerKey) -> Option<PeerStatus> {
        let peer = &self.table.get(key)?.peer;
        let state = match (peer.is_connected(), peer.is_calling()) {
            (true, _) => PeerState::Connected,
            (false, true) => PeerState::Connecting,
            (false, false) => PeerState::Disconnected,
        };
        let paths = self.paths(key);
        let counts = peer.counts();
        Some(PeerStatus {
            id: peer.id(),
            name: peer.name.clone(),
            state,
            capabilities: peer.capabilities(),
            path: paths
                .iter()
                .find(|(active, _)| *active)
                .map(|(_, path)| path.clone()),
            alternatives: paths
                .into_iter()
                .filter(|(a, _)| !a)
                .map(|(_, path)| path)
                .collect(),
            sent_bytes: counts.sent_bytes,
            received_bytes: counts.received_bytes,
            sent_packets: counts.sent_packets,
            lost_packets: counts.lost_packets,
            quiet_for: peer.quiet_for(now),
            congestion_window_bytes: counts.window_bytes,
        })
    }

    pub(super) fn explain(&self, key: PeerKey) -> Option<Why> {
        let peer = &self.table.get(key)?.peer;
        let verdict = if peer.is_connected() {
            peer.paths.verdict()
        } else {
            Verdict::NotConnected
        };
        Some(Why {
            peer: peer.id(),
            verdict,
            path: self.active_path(key).filter(|_| peer.is_connected()),
            local_observed: self.addresses.reflexive(),
            attempts: peer.paths.attempts(),
        })
    }
}
