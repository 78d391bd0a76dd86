//! Sessions that others began and this node's owner did not ask for: how many there may be, from where, and how long
//! a session with an introducer may stand without a registration (protocol §3.10).
//!
//! Takes: sessions that come up and end, with their source. Returns: whether there is room for one more, and those
//! whose time is over. It knows peers by their keys only.

use std::collections::{BTreeMap, VecDeque};

use crate::id::PeerKey;
use crate::limiter::{Shares, SourceKey};
use crate::limits;
use crate::time::Instant;

/// How many guests there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuestLimits {
    /// In all.
    pub(crate) most: usize,
    /// From one IPv4 address or IPv6 /64.
    pub(crate) per_source: usize,
}

/// Guests by source, and those that must register soon.
pub(crate) struct Guests {
    most: usize,
    shares: Shares,
    sources: BTreeMap<PeerKey, SourceKey>,
    /// Who came to an introducer lately, by time.
    arrivals: VecDeque<(Instant, PeerKey)>,
}

impl Guests {
    /// Without guests.
    pub(crate) fn new(limits: GuestLimits) -> Self {
        let per_network = limits::SESSIONS_PER_NETWORK.max(limits.per_source);
        Self {
            most: limits.most,
            shares: Shares::new(limits.per_source, per_network),
            sources: BTreeMap::new(),
            arrivals: VecDeque::new(),
        }
    }

    /// Whether one more may come from this source.
    pub(crate) fn has_room(&self, source: SourceKey) -> bool {
        self.sources.len() < self.most && self.shares.has_room(source)
    }

    /// A guest has come. Where it `must_register`, its time runs.
    pub(crate) fn add(
        &mut self,
        now: Instant,
        key: PeerKey,
        source: SourceKey,
        must_register: bool,
    ) {
        self.remove(key);
        self.sources.insert(key, source);
        self.shares.add(source);
        if must_register {
            self.arrivals.push_back((now, key));
        }
    }

    /// The session with a peer has ended, whether it was a guest or not.
    pub(crate) fn remove(&mut self, key: PeerKey) {
        if let Some(source) = self.sources.remove(&key) {
            self.shares.remove(source);
        }
    }

    /// A guest whose time to register is over; the oldest one's is where there are too many.
    pub(crate) fn poll_overdue(&mut self, now: Instant) -> Option<PeerKey> {
        let (since, key) = self.arrivals.front().copied()?;
        let is_crowded = self.arrivals.len() > limits::UNREGISTERED_SESSIONS;
        if !is_crowded && since + limits::UNREGISTERED_LIFE > now {
            return None;
        }
        self.arrivals.pop_front();
        Some(key)
    }

    /// When to ask for those that are overdue.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let (since, _) = self.arrivals.front()?;
        let is_crowded = self.arrivals.len() > limits::UNREGISTERED_SESSIONS;
        Some(match is_crowded {
            true => *since,
            false => *since + limits::UNREGISTERED_LIFE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(n: u8) -> SourceKey {
        SourceKey::of([192, 0, 2, n].into())
    }

    #[test]
    fn guests_are_bounded_in_all_and_by_source_and_leave_nothing() {
        let limits = GuestLimits {
            most: 3,
            per_source: 2,
        };
        let mut guests = Guests::new(limits);
        for n in 0..2 {
            assert!(guests.has_room(source(1)));
            guests.add(Instant::EPOCH, PeerKey(n), source(1), false);
        }
        assert!(!guests.has_room(source(1)) && guests.has_room(source(2)));
        // Told again, it is one guest still.
        guests.add(Instant::EPOCH, PeerKey(1), source(1), false);
        guests.add(Instant::EPOCH, PeerKey(2), source(2), false);
        assert!(!guests.has_room(source(3)), "three in all");
        for n in 0..3 {
            guests.remove(PeerKey(n));
        }
        assert!(guests.has_room(source(1)) && guests.sources.is_empty());
        assert_eq!(guests.shares.sources(), 0);
    }

    #[test]
    fn the_time_to_register_is_short_and_shorter_in_a_crowd() {
        let mut guests = Guests::new(GuestLimits {
            most: 10_000,
            per_source: 10_000,
        });
        let most = u32::try_from(limits::UNREGISTERED_SESSIONS).unwrap();
        for n in 0..most {
            guests.add(Instant::EPOCH, PeerKey(n), source(1), true);
        }
        assert_eq!(guests.poll_overdue(Instant::EPOCH), None);
        guests.add(Instant::EPOCH, PeerKey(most), source(1), true);
        assert_eq!(guests.poll_overdue(Instant::EPOCH), Some(PeerKey(0)));
        assert_eq!(guests.poll_overdue(Instant::EPOCH), None);
        let end = Instant::EPOCH + limits::UNREGISTERED_LIFE;
        assert_eq!(guests.next_timeout(), Some(end));
        assert_eq!(guests.poll_overdue(end), Some(PeerKey(1)));
    }
}
