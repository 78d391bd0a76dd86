//! Counters of a peer for the status. Routes are still the peer's own; the node puts names to relays.

use super::activity::Activity;
use super::line::Line;
use crate::time::{Duration, Instant};

/// What passed between a peer and us.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerCounts {
    pub(crate) sent_bytes: u64,
    pub(crate) received_bytes: u64,
    /// Sums over all paths.
    pub(crate) sent_packets: u64,
    pub(crate) lost_packets: u64,
    /// Congestion window of the path in use.
    pub(crate) window_bytes: u64,
    /// Time since an authentic packet arrived.
    pub(crate) quiet_for: Option<Duration>,
}

impl PeerCounts {
    /// Counts as they stand.
    pub(super) fn of(line: &Line, activity: &Activity, now: Instant) -> Self {
        let (sent_bytes, received_bytes) = activity.bytes();
        let forgotten = activity.forgotten();
        let mut counts = Self {
            sent_bytes,
            received_bytes,
            sent_packets: forgotten.sent_packets,
            lost_packets: forgotten.lost_packets,
            window_bytes: 0,
            quiet_for: activity.quiet_for(now),
        };
        for route in line.paths.status() {
            let stats = line.stats(route.path).unwrap_or_default();
            counts.sent_packets += stats.sent_packets;
            counts.lost_packets += stats.lost_packets;
            if route.active {
                counts.window_bytes = line.window(route.path);
            }
        }
        counts
    }
}
