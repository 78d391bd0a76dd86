//! Finds the largest datagram that a path carries (DPLPMTUD, RFC 8899). Starts from what every
//! path must carry, tries the maximum first because most paths have it, then halves the rest until
//! 20 bytes are left; again every ten minutes. Relayed paths have one fixed size.
//!
//! Takes: which probes and which ordinary datagrams arrived or were lost. Returns: the size of the
//! next probe and the size to use. A run of lost large datagrams is a black hole (RFC 8899 §4.3):
//! back to the base size.

use crate::limits;
use crate::time::{Duration, Instant, Offset};

/// Datagram through a relay, bytes: the base datagram less the outer packet and RELAY frame.
const RELAYED_BYTES: usize = 1_140;
/// The search ends when no more than this is left to gain, bytes.
const CLOSE_ENOUGH_BYTES: usize = 20;
/// Losses of one size before it counts as too large (RFC 8899 §5.1.2, MAX_PROBES).
const MAX_PROBES: u8 = 3;
/// Pause between searches (RFC 8899 §5.1.1, PMTU_RAISE_TIMER).
const SEARCH_AGAIN: Duration = Duration::from_secs(600);
/// Pause after a black hole, so that a lossy moment does not cost a quick probe storm.
const AFTER_BLACK_HOLE: Duration = Duration::from_secs(60);
/// A probe without news for this long counts as lost.
const PROBE_TIMER: Duration = Duration::from_secs(5);
/// Large datagrams lost in a row, with none arriving, that make a black hole.
const BLACK_HOLE_LOSSES: u8 = 6;
/// Probe timeouts in a row that make one.
const BLACK_HOLE_TIMEOUTS: u32 = 5;

/// The search on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MtuDiscovery {
    current_bytes: usize,
    /// Largest size not yet known to be too large.
    ceiling_bytes: usize,
    /// When the next probe may leave; `None` until the path is validated.
    next_at: Option<Instant>,
    in_flight: Option<usize>,
    losses: u8,
    large_losses: u8,
    fixed: bool,
}

impl MtuDiscovery {
    /// For a direct path: starts at the base size, searches once the path is validated.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self {
            current_bytes: limits::BASE_DATAGRAM_BYTES,
            ceiling_bytes: limits::MAX_DATAGRAM_BYTES,
            next_at: None,
            in_flight: None,
            losses: 0,
            large_losses: 0,
            fixed: false,
        }
    }

    /// For a relayed path: one size for ever.
    #[must_use]
    pub(crate) const fn relayed() -> Self {
        let mut fixed = Self::new();
        fixed.current_bytes = RELAYED_BYTES;
        fixed.fixed = true;
        fixed
    }

    /// Largest datagram known to pass, bytes of UDP payload.
    #[must_use]
    pub(crate) const fn current(&self) -> usize {
        self.current_bytes
    }

    /// Begins a search: the path was validated, or its network changed.
    pub(crate) fn on_validated(&mut self, now: Instant) {
        if !self.fixed {
            self.begin(now);
        }
    }

    /// The route below may be another one: starts again from the base size.
    pub(crate) fn on_network_change(&mut self, now: Instant) {
        if !self.fixed {
            self.current_bytes = limits::BASE_DATAGRAM_BYTES;
            self.begin(now);
        }
    }

    /// Size of the probe to send now, bytes of UDP payload; the caller sends a padded PING of that
    /// size.
    pub(crate) fn poll_probe_size(&mut self, now: Instant) -> Option<usize> {
        if self.next_at? > now {
            return None;
        }
        if let Some(size) = self.in_flight {
            self.on_probe_lost(now, size);
        }
        let left = self.ceiling_bytes.saturating_sub(self.current_bytes);
        let is_narrowed = self.ceiling_bytes < limits::MAX_DATAGRAM_BYTES;
        if left == 0 || (is_narrowed && left <= CLOSE_ENOUGH_BYTES) {
            self.begin(now + SEARCH_AGAIN);
            return None;
        }
        let size = if !is_narrowed {
            self.ceiling_bytes
        } else {
            self.current_bytes + left.div_ceil(2)
        };
        self.in_flight = Some(size);
        self.next_at = Some(now + PROBE_TIMER);
        Some(size)
    }

    /// A probe of this size was acknowledged.
    pub(crate) fn on_probe_acked(&mut self, now: Instant, size_bytes: usize) {
        if self.in_flight != Some(size_bytes) {
            return;
        }
        self.in_flight = None;
        self.losses = 0;
        self.large_losses = 0;
        self.current_bytes = self.current_bytes.max(size_bytes);
        self.next_at = Some(now);
    }

    /// A probe of this size was lost; this says nothing about congestion (RFC 8899 §3, point 7).
    pub(crate) fn on_probe_lost(&mut self, now: Instant, size_bytes: usize) {
        if self.in_flight != Some(size_bytes) {
            return;
        }
        self.in_flight = None;
        self.losses += 1;
        if self.losses >= MAX_PROBES {
            self.losses = 0;
            self.ceiling_bytes = size_bytes.saturating_sub(1);
        }
        self.next_at = Some(now);
    }

    /// An ordinary datagram of this size was acknowledged.
    pub(crate) fn on_datagram_acked(&mut self, size_bytes: usize) {
        if size_bytes > limits::BASE_DATAGRAM_BYTES {
            self.large_losses = 0;
        }
    }

    /// An ordinary datagram of this size was lost; true where that makes a black hole and the size
    /// fell.
    pub(crate) fn on_datagram_lost(&mut self, now: Instant, size_bytes: usize) -> bool {
        let base = limits::BASE_DATAGRAM_BYTES;
        if self.fixed || self.current_bytes <= base || size_bytes <= base {
            return false;
        }
        self.large_losses += 1;
        if self.large_losses < BLACK_HOLE_LOSSES {
            return false;
        }
        self.current_bytes = base;
        self.begin(now + AFTER_BLACK_HOLE);
        true
    }

    /// So many probe timeouts passed in a row: nothing at all is acknowledged, which a size that no longer fits looks
    /// like where every datagram is large. Smaller ones are tried before the path is blamed.
    pub(crate) fn on_probe_timeouts(&mut self, now: Instant, count: u32) {
        let base = limits::BASE_DATAGRAM_BYTES;
        if count >= BLACK_HOLE_TIMEOUTS && !self.fixed && self.current_bytes > base {
            self.current_bytes = base;
            self.begin(now + AFTER_BLACK_HOLE);
        }
    }

    /// When [`Self::poll_probe_size`] may next have something.
    #[must_use]
    pub(crate) const fn next_timeout(&self) -> Option<Instant> {
        self.next_at
    }

    fn begin(&mut self, at: Instant) {
        self.ceiling_bytes = limits::MAX_DATAGRAM_BYTES;
        self.in_flight = None;
        self.losses = 0;
        self.large_losses = 0;
        // A path that already carries the maximum has nothing to search for.
        let done = self.current_bytes >= limits::MAX_DATAGRAM_BYTES;
        self.next_at = if done { None } else { Some(at) };
    }
}

/// A search at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MtuAtRest {
    next_at: Offset,
    current_bytes: u16,
    ceiling_bytes: u16,
    losses: u8,
    large_losses: u8,
    fixed: bool,
}

impl MtuDiscovery {
    /// The search at rest; `None` while a probe is under way.
    pub(super) fn rest(&self, base: Instant) -> Option<MtuAtRest> {
        if self.in_flight.is_some() {
            return None;
        }
        Some(MtuAtRest {
            next_at: Offset::of(base, self.next_at),
            current_bytes: u16::try_from(self.current_bytes).ok()?,
            ceiling_bytes: u16::try_from(self.ceiling_bytes).ok()?,
            losses: self.losses,
            large_losses: self.large_losses,
            fixed: self.fixed,
        })
    }

    /// The search as it was.
    pub(super) fn wake(at_rest: MtuAtRest, base: Instant) -> Self {
        Self {
            current_bytes: usize::from(at_rest.current_bytes),
            ceiling_bytes: usize::from(at_rest.ceiling_bytes),
            next_at: at_rest.next_at.get(base),
            in_flight: None,
            losses: at_rest.losses,
            large_losses: at_rest.large_losses,
            fixed: at_rest.fixed,
        }
    }
}

impl Default for MtuDiscovery {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    /// Plays the search against a path that passes `limit` bytes; gives the number of probes.
    fn search(mtu: &mut MtuDiscovery, limit: usize, now: Instant) -> usize {
        let mut probes = 0;
        while let Some(size) = mtu.poll_probe_size(now) {
            probes += 1;
            assert!(probes < 100);
            if size <= limit {
                mtu.on_probe_acked(now, size);
            } else {
                mtu.on_probe_lost(now, size);
            }
        }
        probes
    }

    #[test]
    fn a_wide_path_needs_one_probe() {
        let mut mtu = MtuDiscovery::new();
        assert_eq!(mtu.poll_probe_size(Instant::EPOCH), None);
        mtu.on_validated(Instant::EPOCH);
        assert_eq!(search(&mut mtu, 1_500, Instant::EPOCH), 1);
        assert_eq!(mtu.current(), limits::MAX_DATAGRAM_BYTES);
    }

    #[test]
    fn a_relayed_path_never_probes() {
        let mut mtu = MtuDiscovery::relayed();
        mtu.on_validated(Instant::EPOCH);
        assert_eq!(mtu.poll_probe_size(Instant::EPOCH), None);
        assert!((0..20).all(|_| !mtu.on_datagram_lost(Instant::EPOCH, 1_400)));
        assert_eq!(mtu.current(), 1_140);
    }

    #[test]
    fn silence_makes_datagrams_small_before_the_path_is_blamed() {
        let now = Instant::from_millis(5_000);
        let mut mtu = MtuDiscovery::new();
        mtu.current_bytes = 1_452;
        mtu.on_probe_timeouts(now, 4);
        assert_eq!(mtu.current_bytes, 1_452);
        mtu.on_probe_timeouts(now, 5);
        assert_eq!(mtu.current_bytes, limits::BASE_DATAGRAM_BYTES);
        assert_eq!(mtu.next_timeout(), Some(now + AFTER_BLACK_HOLE));
    }

    #[test]
    fn a_black_hole_falls_back_and_is_searched_again_later() {
        let mut mtu = MtuDiscovery::new();
        mtu.on_validated(Instant::EPOCH);
        search(&mut mtu, 1_452, Instant::EPOCH);
        let now = Instant::from_millis(9_000);
        assert!((0..5).all(|_| !mtu.on_datagram_lost(now, 1_452)));
        mtu.on_datagram_acked(1_452);
        assert!((0..5).all(|_| !mtu.on_datagram_lost(now, 1_452)));
        assert!(mtu.on_datagram_lost(now, 1_452));
        assert_eq!(mtu.current(), limits::BASE_DATAGRAM_BYTES);
        assert_eq!(mtu.poll_probe_size(now), None);
        search(&mut mtu, 1_300, now + AFTER_BLACK_HOLE);
        assert!((1_280..=1_300).contains(&mtu.current()));
    }

    #[test]
    fn a_probe_without_news_counts_as_lost() {
        let mut mtu = MtuDiscovery::new();
        let mut now = Instant::EPOCH;
        mtu.on_validated(now);
        let mut sizes = Vec::new();
        for _ in 0..4 {
            sizes.extend(mtu.poll_probe_size(now));
            assert_eq!(mtu.poll_probe_size(now), None);
            now += PROBE_TIMER;
        }
        assert_eq!(sizes, [1_452, 1_452, 1_452, 1_326]);
    }

    quickcheck! {
        fn ends_within_20_bytes_and_never_above_the_path(limit: u16) -> bool {
            let limit = 1_200 + usize::from(limit) % 253;
            let mut mtu = MtuDiscovery::new();
            mtu.on_validated(Instant::EPOCH);
            let probes = search(&mut mtu, limit, Instant::EPOCH);
            mtu.current() <= limit && limit - mtu.current() <= CLOSE_ENOUGH_BYTES && probes <= 20
        }
    }
}
