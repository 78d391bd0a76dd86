//! Congestion control behind one trait. A controller is told what was sent, acknowledged and lost
//! on its path and answers with a window, and if it wants with a pacing rate. CUBIC with HyStart++
//! is the default (protocol §7).
//!
//! An acknowledgement is told as one sample, however many packets it settles. The sample carries
//! what a model-based controller needs as well: bytes delivered and over which time (a delivery
//! rate), bytes in flight, and whether the sender used its window.

mod cubic;
mod hystart;

pub use cubic::Cubic;
pub use hystart::HyStart;

use core::fmt;

use super::rtt::Rtt;
use crate::time::{Duration, Instant};

/// What one acknowledgement says about a path.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)] // read by model-based algorithms
pub struct AckSample {
    /// When it arrived.
    pub now: Instant,
    /// When the newest packet that it newly acknowledges was sent.
    pub sent_at: Instant,
    /// That packet's number.
    pub pn: u64,
    /// Newly acknowledged bytes.
    pub bytes: u64,
    /// Bytes in flight before it arrived.
    pub in_flight_before_bytes: u64,
    /// Whether the window was not what limited the sender; such acknowledgements do not make it
    /// grow.
    pub app_limited: bool,
    /// Whether it measured the round-trip time.
    pub rtt_sampled: bool,
    /// Bytes delivered on the path since the newest packet left, these included.
    pub delivered_bytes: u64,
    /// The time in which they were.
    pub delivered_in: Duration,
}

/// A congestion controller of one path.
pub trait Controller: fmt::Debug + Send {
    /// A packet left.
    fn on_sent(&mut self, now: Instant, pn: u64, bytes: u64);

    /// Packets were acknowledged.
    fn on_ack(&mut self, sample: &AckSample, rtt: &Rtt);

    /// Packets were lost, the newest of them sent at `sent_at`; says whether this begins a new
    /// congestion event.
    fn on_congestion_event(
        &mut self,
        now: Instant,
        sent_at: Instant,
        is_persistent: bool,
        lost_bytes: u64,
    ) -> bool;

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
}

/// Which controller new paths get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ControllerKind {
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406).
    #[default]
    Cubic,
}

impl ControllerKind {
    /// Makes a controller for a path that carries datagrams of `mtu` bytes.
    #[must_use]
    pub fn build(self, mtu: u64) -> Box<dyn Controller> {
        match self {
            Self::Cubic => Box::new(Cubic::new(mtu)),
        }
    }
}

/// The window that a path starts with, bytes (RFC 9002 §7.2).
#[must_use]
pub fn initial_window(mtu: u64) -> u64 {
    (10 * mtu).min((2 * mtu).max(14_720))
}

/// The smallest window, bytes (RFC 9002 §7.2).
#[must_use]
pub const fn minimum_window(mtu: u64) -> u64 {
    2 * mtu
}
