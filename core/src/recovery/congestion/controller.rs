//! The interface between a path and its congestion controller: what the one is told, and what it answers.

use core::fmt;

use crate::recovery::rtt::Rtt;
use crate::time::{Duration, Instant};

/// What was true of a packet when it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SentState {
    /// Its packet number.
    pub pn: u64,
    /// Its size in bytes.
    pub bytes: u32,
    /// Whether the sender had run out of data, so that what is delivered shows no more than it sent.
    pub is_app_limited: bool,
    /// When it left.
    pub sent_at: Instant,
    /// When the first packet of its flight left: the newest that had been acknowledged, or the first after a pause.
    pub first_sent_at: Instant,
    /// Bytes delivered on the path before it.
    pub delivered_bytes: u64,
    /// When the last of them were, or when sending began after a pause.
    pub delivered_at: Instant,
    /// Bytes lost on the path before it.
    pub lost_bytes: u64,
    /// Bytes in flight with it.
    pub in_flight_bytes: u64,
}

/// A packet that was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckedPacket<'a> {
    /// What was true when it left.
    pub sent: &'a SentState,
    /// Whether the window was what limited the sender lately (RFC 9002 §7.8).
    pub is_cwnd_limited: bool,
}

/// A packet that counts as lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LostPacket<'a> {
    /// When that was found.
    pub now: Instant,
    /// What was true when it left.
    pub sent: &'a SentState,
    /// Bytes lost on the path since it left, itself included.
    pub lost_since_bytes: u64,
}

/// What one acknowledgement says about a path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AckSample<'a> {
    /// When it arrived.
    pub now: Instant,
    /// The newest packet that it newly acknowledges, as it left.
    pub newest: &'a SentState,
    /// Newly acknowledged bytes.
    pub bytes: u64,
    /// Whether the window was what limited the sender lately (RFC 9002 §7.8); other acknowledgements do not make it
    /// grow.
    pub is_cwnd_limited: bool,
    /// Whether it measured the round-trip time.
    pub rtt_sampled: bool,
    /// Bytes delivered on the path since the newest packet left, these included.
    pub delivered_bytes: u64,
    /// The time in which they were: the longer of sending and acknowledging them, so that acknowledgements that were
    /// held up and come together show no rate that the path does not have.
    pub delivered_in: Duration,
    /// Bytes lost on the path since the newest packet left.
    pub lost_bytes: u64,
    /// Bytes in flight after it.
    pub in_flight_bytes: u64,
}

/// A congestion controller of one path.
pub(crate) trait Controller: fmt::Debug + Send {
    /// A packet left.
    fn on_packet_sent(&mut self, sent: &SentState);

    /// A packet was acknowledged.
    fn on_packet_acked(&mut self, _acked: &AckedPacket<'_>) {}

    /// A packet was lost; says whether this begins a new congestion event.
    fn on_packet_lost(&mut self, lost: &LostPacket<'_>) -> bool;

    /// The path marked packets with "congestion experienced" (RFC 9002 §7.1), the newest of them sent at `sent_at`;
    /// says whether this begins a new congestion event.
    fn on_ecn_ce(&mut self, now: Instant, sent_at: Instant) -> bool;

    /// Nothing was delivered for so long that the window starts anew (RFC 9002 §7.6); follows the losses.
    fn on_persistent_congestion(&mut self, now: Instant);

    /// An acknowledgement was applied, losses and all.
    fn on_ack(&mut self, sample: &AckSample<'_>, rtt: &Rtt);

    /// All losses of the last congestion event arrived after all.
    fn on_spurious_congestion_event(&mut self);

    /// The path carries datagrams of another size now.
    fn on_mtu(&mut self, mtu: u64);

    /// Bytes that may be in flight.
    fn window(&self) -> u64;

    /// Whether the window is still being searched by doubling.
    fn in_slow_start(&self) -> bool;

    /// Bytes a second to pace at, where the controller wants other than its window over the
    /// round-trip time.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }

    /// Bytes that may leave at once when paced, where the controller wants other than the pacer's choice.
    fn send_quantum(&self) -> Option<u64> {
        None
    }
}

/// The window that a path starts with, bytes (RFC 9002 §7.2).
#[must_use]
pub(crate) fn initial_window(mtu: u64) -> u64 {
    (10 * mtu).min((2 * mtu).max(14_720))
}

/// The smallest window, bytes (RFC 9002 §7.2).
#[must_use]
pub(crate) const fn minimum_window(mtu: u64) -> u64 {
    2 * mtu
}

/// The window for datagrams of another size: never below the least, and the initial one where it was not touched.
pub(super) fn window_for_mtu(window: u64, old_mtu: u64, mtu: u64, in_slow_start: bool) -> u64 {
    let is_untouched = in_slow_start && window == initial_window(old_mtu);
    let least = if is_untouched {
        initial_window(mtu)
    } else {
        minimum_window(mtu)
    };
    window.max(least)
}
