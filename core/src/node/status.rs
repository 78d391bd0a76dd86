//! Read-only pictures of peers for the surfaces: relays get their names here.

use core::net::{Ipv4Addr, SocketAddr};

use super::peers::Peers;
use crate::addresses::OwnAddresses;
use crate::api::{IntroducerStatus, PathKind, PathStatus, PeerState, PeerStatus, Verdict, Why};
use crate::id::PeerKey;
use crate::path::{Route, RouteStatus};
use crate::rendezvous::Introducer;
use crate::time::Instant;

/// Looks at peers and changes nothing.
pub(super) struct Pictures<'a> {
    pub(super) peers: &'a Peers,
}

impl Pictures<'_> {
    /// An introducer of ours.
    pub(super) fn introducer(&self, introducer: &Introducer) -> IntroducerStatus {
        let (address, table) = (&introducer.address, &self.peers.table);
        let key = table.key_of(&address.id);
        IntroducerStatus {
            id: address.id,
            host: address.host.clone(),
            port: address.port,
            state: introducer.link.state(),
            rtt: key.and_then(|key| table.get(key)?.peer.line.rtt()),
            observed: introducer.link.observed(),
        }
    }

    /// A route with the relay's name and address.
    fn path_status(&self, status: &RouteStatus) -> PathStatus {
        let (kind, remote) = match status.route {
            Route::Direct(pair) => (PathKind::Direct, pair.remote),
            Route::Relay { relay, .. } => {
                let entry = self.peers.table.get(PeerKey(relay));
                let via = entry
                    .as_ref()
                    .map_or(self.peers.table.local_id(), |e| e.peer.id());
                let address = entry.and_then(|entry| entry.peer.active_route()?.address());
                let unknown = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                (PathKind::Relay { via }, address.unwrap_or(unknown))
            }
        };
        let (validated, rtt, mtu_bytes) = (status.validated, status.rtt, status.mtu_bytes);
        PathStatus {
            kind,
            remote,
            validated,
            rtt,
            mtu_bytes,
        }
    }

    fn paths(&self, key: PeerKey) -> Vec<(bool, PathStatus)> {
        let entry = self.peers.table.get(key);
        let routes = entry
            .map(|entry| entry.peer.line.paths.status())
            .unwrap_or_default();
        let routes = routes.iter();
        routes
            .map(|route| (route.active, self.path_status(route)))
            .collect()
    }

    /// The path that carries a peer's data now.
    pub(super) fn active_path(&self, key: PeerKey) -> Option<PathStatus> {
        let mut paths = self.paths(key).into_iter();
        paths.find_map(|(active, path)| active.then_some(path))
    }

    /// Everybody that the application knows, by id.
    pub(super) fn known(&self, now: Instant) -> Vec<PeerStatus> {
        let all = self.peers.table.iter();
        let known = all.filter(|(_, entry)| entry.is_known);
        known.filter_map(|(key, _)| self.peer(now, key)).collect()
    }

    /// One peer.
    pub(super) fn peer(&self, now: Instant, key: PeerKey) -> Option<PeerStatus> {
        let entry = self.peers.table.get(key)?;
        let peer = &entry.peer;
        let state = match (peer.is_connected(), peer.handshakes.is_under_way()) {
            (true, _) => PeerState::Connected,
            (false, true) => PeerState::Connecting,
            (false, false) => PeerState::Disconnected,
        };
        let (active, others): (Vec<_>, Vec<_>) = self.paths(key).into_iter().partition(|p| p.0);
        let counts = peer.counts(now);
        Some(PeerStatus {
            id: peer.id(),
            name: peer.profile.name.clone(),
            state,
            is_accepted: entry.is_accepted(),
            capabilities: peer.profile.capabilities(),
            path: active.into_iter().next().map(|(_, path)| path),
            alternatives: others.into_iter().map(|(_, path)| path).collect(),
            sent_bytes: counts.sent_bytes,
            received_bytes: counts.received_bytes,
            sent_packets: counts.sent_packets,
            lost_packets: counts.lost_packets,
            quiet_for: counts.quiet_for,
            congestion_window_bytes: counts.window_bytes,
        })
    }

    /// Why the path to a peer is what it is.
    pub(super) fn why(&self, key: PeerKey, own: &OwnAddresses) -> Option<Why> {
        let peer = &self.peers.table.get(key)?.peer;
        let verdict = if peer.is_connected() {
            peer.line.paths.verdict()
        } else {
            Verdict::NotConnected
        };
        Some(Why {
            peer: peer.id(),
            verdict,
            path: self.active_path(key).filter(|_| peer.is_connected()),
            local_observed: own.reflexive(),
            attempts: peer.line.paths.attempts(),
        })
    }
}
