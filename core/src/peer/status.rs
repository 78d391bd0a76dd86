//! Read-only pictures of a peer. Routes are still the peer's own; the node puts names to relays.

use super::Peer;
use crate::path::{Route, RouteStatus};
use crate::recovery::{self, PathStats};
use crate::time::{Duration, Instant};

/// Counters of a peer for the status.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PeerCounts {
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    pub(crate) sent_packets: u64,
    pub(crate) lost_packets: u64,
    pub(crate) window_bytes: u64,
}

impl Peer {
    /// Every validated path, the active one first.
    pub(crate) fn routes(&self) -> Vec<RouteStatus> {
        self.paths.status()
    }

    /// Where data goes now.
    pub(crate) fn active_route(&self) -> Option<Route> {
        self.paths.active().map(|(_, route)| route)
    }

    /// Smoothed round-trip time on the active path.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.routes().first().and_then(|route| route.rtt)
    }

    /// Time since an authentic packet arrived.
    pub(crate) fn quiet_for(&self, now: Instant) -> Option<Duration> {
        self.activity.quiet_for(now)
    }

    /// Sums over its paths.
    pub(crate) fn counts(&self) -> PeerCounts {
        let (sent_bytes, received_bytes) = self.activity.bytes();
        let forgotten = self.activity.forgotten();
        let mut counts = PeerCounts {
            sent_bytes,
            received_bytes,
            sent_packets: forgotten.sent_packets,
            lost_packets: forgotten.lost_packets,
            ..PeerCounts::default()
        };
        for route in self.routes() {
            let key = recovery::PathKey(route.path.0);
            let stats: Option<PathStats> = self.recovery.stats(key);
            counts.sent_packets += stats.as_ref().map_or(0, |s| s.sent_packets);
            counts.lost_packets += stats.as_ref().map_or(0, |s| s.lost_packets);
            if route.active {
                counts.window_bytes = self.recovery.window(key);
            }
        }
        counts
    }
}
