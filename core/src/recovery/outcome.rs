//! The facts that [`super::Recovery`] is told and the outcomes that it returns; plain data. The
//! buffers of outcomes belong to the caller and are used again, so that the steady state allocates
//! nothing.

use core::fmt;

use crate::error::PeerMisbehaved;
use crate::time::{Duration, Instant};

/// The parent's name of a path; round-trip time and congestion belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct PathKey(pub u32);

/// A packet that has just been sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentPacket<F> {
    /// Its number, from [`super::Recovery::next_packet_number`].
    pub pn: u64,
    /// When it was sent.
    pub at: Instant,
    /// Its size in bytes of UDP payload.
    pub bytes: u32,
    /// The path that it took.
    pub path: PathKey,
    /// Whether it carries an ack-eliciting frame (protocol §5); others are counted but not
    /// recorded.
    pub ack_eliciting: bool,
    /// Whether it left with the mark ECT(0).
    pub is_marked: bool,
    /// What it carried, to be handed back once; dropped at once where the packet elicits no
    /// acknowledgement.
    pub frames: F,
}

/// A packet that the peer acknowledged for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered<F> {
    /// Its packet number.
    pub pn: u64,
    /// The path that it took.
    pub path: PathKey,
    /// Its size in bytes.
    pub bytes: u32,
    /// What it carried.
    pub frames: F,
}

/// A packet that counts as lost; what it carried is to be sent again where that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lost<F> {
    /// Its packet number.
    pub pn: u64,
    /// The path that it took.
    pub path: PathKey,
    /// Its size in bytes.
    pub bytes: u32,
    /// What it carried.
    pub frames: F,
}

/// Bytes that one acknowledgement newly acknowledged on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PathAcked {
    /// The path.
    pub path: PathKey,
    /// Newly acknowledged bytes.
    pub bytes: u64,
    /// How many of the packets left with the mark ECT(0).
    pub marked: u64,
}

/// What follows from an acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AckOutcome<F> {
    /// Newly acknowledged packets; ascending within each range of the acknowledgement.
    pub delivered: Vec<Delivered<F>>,
    /// Packets that now count as lost, ascending.
    pub lost: Vec<Lost<F>>,
    /// The round-trip time that this acknowledgement measured, and on which path.
    pub rtt_sample: Option<(PathKey, Duration)>,
    /// Newly acknowledged bytes for each path that had any.
    pub acked: Vec<PathAcked>,
    /// Packets that had counted as lost, and whose frames were handed back, but arrived after all.
    pub spurious_losses: u32,
}

impl<F> AckOutcome<F> {
    /// Makes an empty outcome; it allocates when first filled.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self {
            delivered: Vec::new(),
            lost: Vec::new(),
            rtt_sample: None,
            acked: Vec::new(),
            spurious_losses: 0,
        }
    }

    /// Empties the outcome and keeps its buffers.
    pub(crate) fn clear(&mut self) {
        self.delivered.clear();
        self.lost.clear();
        self.rtt_sample = None;
        self.acked.clear();
        self.spurious_losses = 0;
    }
}

impl<F> Default for AckOutcome<F> {
    fn default() -> Self {
        Self::new()
    }
}

/// What follows from the passing of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TimeoutOutcome<F> {
    /// Packets that now count as lost, ascending.
    pub lost: Vec<Lost<F>>,
    /// Paths whose probe timeout fired: an ack-eliciting packet is to leave on each at once, past
    /// window and pacer.
    pub probes: Vec<PathKey>,
}

impl<F> TimeoutOutcome<F> {
    /// Makes an empty outcome; it allocates when first filled.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self {
            lost: Vec::new(),
            probes: Vec::new(),
        }
    }

    /// Empties the outcome and keeps its buffers.
    pub(crate) fn clear(&mut self) {
        self.lost.clear();
        self.probes.clear();
    }
}

impl<F> Default for TimeoutOutcome<F> {
    fn default() -> Self {
        Self::new()
    }
}

/// How much may leave on a path now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SendBudget {
    /// Bytes that may leave now: 0, or at least one full datagram.
    pub bytes: u64,
    /// Where `bytes` is 0, when to ask again; `None` where the congestion window is full and only
    /// an acknowledgement or a loss makes room.
    pub blocked_until: Option<Instant>,
}

/// The peer acknowledged a packet that was never sent: an optimistic acknowledgement (RFC 9000
/// §21.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckOfUnsent {
    /// The packet number in question.
    pub pn: u64,
}

impl fmt::Display for AckOfUnsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "packet {} was acknowledged but never sent", self.pn)
    }
}

impl core::error::Error for AckOfUnsent {}

impl From<AckOfUnsent> for PeerMisbehaved {
    fn from(_: AckOfUnsent) -> Self {
        Self::AckOfUnsentPacket
    }
}
