//! The engine's own time: nanoseconds since an epoch that the driver picks, and deadlines that say why.
//! Nothing here reads a clock; drivers and the simulator bring the time in (docs/architecture.md §3).

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
pub use core::time::Duration;

/// A point in time: nanoseconds since an epoch chosen by whoever drives the engine. Never goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(u64);

impl Instant {
    /// The driver's epoch.
    pub const EPOCH: Self = Self(0);

    /// Makes an instant that lies `nanos` nanoseconds after the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Makes an instant that lies `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis * 1_000_000)
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero where `earlier` is later.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, rhs: Duration) -> Self {
        let nanos = u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_sub(nanos))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:06}s",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000 / 1_000
        )
    }
}

/// Why the engine wants to be called at a certain time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimerKind {
    /// Output is waiting: poll at once.
    OutputWaiting,
    /// A lone acknowledgement is due.
    AckDelay,
    /// The pacer releases the next batch.
    Pacing,
    /// A packet counts as lost, or a probe timeout fires (RFC 9002 §6).
    LossDetection,
    /// A handshake datagram is to be sent again or given up.
    Handshake,
    /// A path challenge is to be sent again or given up.
    PathProbe,
    /// A keep-alive or a consent check is due.
    KeepAlive,
    /// A session is to be replaced or thrown away.
    Rekey,
    /// A request is to be sent again or has run out of time.
    Request,
    /// A message has run out of time.
    Message,
    /// A datagram in the queue goes stale.
    Datagram,
    /// A registration is to be renewed or an introducer tried again.
    Registration,
    /// An entry of the introducer's directory or a relay channel ends.
    Directory,
    /// A connection attempt has run out of time.
    Connect,
    /// A quiet peer is to be forgotten.
    Idle,
}

/// When to call `handle_timeout`, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// The time of the call.
    pub at: Instant,
    /// What will be due.
    pub kind: TimerKind,
}

impl Deadline {
    /// Makes a deadline.
    #[must_use]
    pub const fn new(at: Instant, kind: TimerKind) -> Self {
        Self { at, kind }
    }

    /// The earlier of two optional deadlines.
    #[must_use]
    pub fn earlier(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if a.at <= b.at { a } else { b }),
            (a, b) => a.or(b),
        }
    }
}
