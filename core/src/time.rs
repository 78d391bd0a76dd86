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
    /// The driver has not answered an effect in time.
    Effect,
    /// A quiet peer may be put to rest.
    Rest,
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

/// A time as milliseconds from another one, rounded down, in four bytes; it may be missing. For what is at rest: no
/// deadline that is reckoned from it comes later than it would have. 24 days each way; beyond, the end of that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offset(i32);

impl Offset {
    const NONE: Self = Self(i32::MIN);
    const NANOS: i128 = 1_000_000;

    /// Packs a time.
    pub(crate) fn of(base: Instant, at: Option<Instant>) -> Self {
        let Some(at) = at else { return Self::NONE };
        let nanos = i128::from(at.0) - i128::from(base.0);
        let millis = nanos.div_euclid(Self::NANOS);
        let millis = millis.clamp(i128::from(i32::MIN + 1), i128::from(i32::MAX));
        Self(i32::try_from(millis).unwrap_or(i32::MAX))
    }

    /// The time.
    pub(crate) fn get(self, base: Instant) -> Option<Instant> {
        if self == Self::NONE {
            return None;
        }
        let nanos = i128::from(base.0) + i128::from(self.0) * Self::NANOS;
        Some(Instant(u64::try_from(nanos).unwrap_or(0)))
    }

    /// A time that is never missing.
    pub(crate) fn some(self, base: Instant) -> Instant {
        self.get(base).unwrap_or(base)
    }
}

/// A number as the distance to a larger one, in four bytes; it may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind(u32);

impl Behind {
    const NONE: Self = Self(u32::MAX);

    /// Packs a number; `None` where it is larger than `front` or lies too far behind it.
    pub(crate) fn of(front: u64, number: Option<u64>) -> Option<Self> {
        let Some(number) = number else {
            return Some(Self::NONE);
        };
        let distance = u32::try_from(front.checked_sub(number)?).ok()?;
        (distance != u32::MAX).then_some(Self(distance))
    }

    /// The number.
    pub(crate) fn get(self, front: u64) -> Option<u64> {
        (self != Self::NONE).then(|| front.saturating_sub(u64::from(self.0)))
    }
}
