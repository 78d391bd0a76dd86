//! Congestion control behind one trait. A controller is told what happens to each packet of its path, and once an
//! acknowledgement what it says as a whole; it answers with a window, and if it wants with a pacing rate and a
//! quantum to release at once. Which one a node uses is [`ControllerKind`] in its configuration (protocol §7).
//!
//! The facts are what a controller that models the path needs as well (draft-ietf-ccwg-bbr, delivery-rate samples of
//! draft-cheng-iccrg-delivery-rate-estimation): every packet hands back what had been delivered and lost when it
//! left, when the flight that it belongs to began, how much was in flight, and whether the sender had more to send.
//! Counters are bytes since the path began.
//!
//! Order within one acknowledgement: [`Controller::on_packet_acked`] for each packet, [`Controller::on_packet_lost`]
//! for each loss that it shows, then [`Controller::on_ack`]. Losses found by a timer come without the rest.

mod cubic;
mod hystart;
mod new_reno;

pub(crate) use cubic::Cubic;
pub(crate) use hystart::HyStart;
pub(crate) use new_reno::NewReno;

use core::fmt;

use super::rtt::Rtt;
pub(crate) use crate::api::ControllerKind;
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
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "what a model-based controller is owed; recovery/tests/samples.rs holds it true"
    )
)]
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
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "what a model-based controller is owed; recovery/tests/samples.rs holds it true"
    )
)]
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

/// Makes a controller for a path that carries datagrams of `mtu` bytes.
#[must_use]
pub(crate) fn build(kind: ControllerKind, mtu: u64) -> Box<dyn Controller> {
    match kind {
        ControllerKind::Cubic => Box::new(Cubic::new(mtu)),
        ControllerKind::NewReno => Box::new(NewReno::new(mtu)),
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
fn window_for_mtu(window: u64, old_mtu: u64, mtu: u64, in_slow_start: bool) -> u64 {
    let is_untouched = in_slow_start && window == initial_window(old_mtu);
    let least = if is_untouched {
        initial_window(mtu)
    } else {
        minimum_window(mtu)
    };
    window.max(least)
}
