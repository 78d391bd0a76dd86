//! Meters what unauthenticated sources may ask for: one small token bucket for each source, in a table
//! that starts small, doubles where busy sources crowd, and never exceeds
//! [`limits::SOURCE_SLOTS`] however many sources there are.
//!
//! Takes: the time and a source address. Returns: whether its budget allows one more. The place in
//! the table comes from a keyed hash, so that nobody can choose whose budget to share. Where four
//! busy sources meet in one set of a table of full size, the least busy is forgotten: a flood may
//! gain fresh budgets for itself, never take those of others (docs/protocol.md §3.5: beyond the
//! table, cookies and the global budget decide).

use blake2::digest::{Update, VariableOutput};

use super::SourceKey;
use crate::limits;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// Slots that one source may lie in.
const WAYS: usize = 4;

/// Slots of the first table, 1 KiB: enough for a node that a few others call.
const FIRST_SLOTS: usize = 64;

#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u64,
    full_at: Instant,
}

/// A bounded table of token buckets, one for each source; allocated when first asked.
pub(crate) struct SourceMeter {
    key: [u8; 32],
    interval: Duration,
    burst_span: Duration,
    slots: Vec<Slot>,
}

impl SourceMeter {
    /// Makes an empty meter that allows each source `rate_per_s` (at least 1) and `burst` at once.
    #[must_use]
    pub(crate) fn new(rng: &mut Rng, rate_per_s: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / rate_per_s.max(1);
        Self {
            key: rng.array(),
            interval,
            burst_span: interval * burst,
            slots: Vec::new(),
        }
    }

    /// Takes one token of the source's budget; false where it is used up.
    #[must_use]
    pub(crate) fn take(&mut self, now: Instant, source: SourceKey) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(FIRST_SLOTS, Slot::default());
        }
        let (interval, burst_span) = (self.interval, self.burst_span);
        let hash = self.hash(source);
        let Some(slot) = self.slot(now, hash) else {
            return false;
        };
        let full_at = slot.full_at.max(now) + interval;
        if full_at.saturating_since(now) > burst_span {
            return false;
        }
        slot.full_at = full_at;
        true
    }

    /// The slot of a source: its own, a free one, or, in a table of full size only, that of the
    /// least busy source in its set.
    fn slot(&mut self, now: Instant, hash: u64) -> Option<&mut Slot> {
        let place = loop {
            let first = set_of(hash, self.slots.len());
            let set = self.slots.get(first..first + WAYS)?;
            if let Some(known) = set.iter().position(|slot| slot.tag == hash) {
                break first + known;
            }
            let (least, slot) = set.iter().enumerate().min_by_key(|(_, s)| s.full_at)?;
            let free = slot.full_at <= now;
            if free || self.slots.len() >= limits::SOURCE_SLOTS {
                let slot = self.slots.get_mut(first + least)?;
                *slot = Slot {
                    tag: hash,
                    full_at: now,
                };
                break first + least;
            }
            self.double(now);
        };
        self.slots.get_mut(place)
    }

    /// Moves the busy sources into a table of twice the size. A set's sources go to two sets of
    /// the larger table, so that none is lost.
    fn double(&mut self, now: Instant) {
        let len = (self.slots.len() * 2).min(limits::SOURCE_SLOTS);
        let old = core::mem::replace(&mut self.slots, vec![Slot::default(); len]);
        for slot in old.into_iter().filter(|slot| slot.full_at > now) {
            let first = set_of(slot.tag, len);
            let set = self.slots.get_mut(first..first + WAYS);
            if let Some(free) = set.into_iter().flatten().find(|s| s.tag == 0) {
                *free = slot;
            }
        }
    }

    fn hash(&self, source: SourceKey) -> u64 {
        let mut tag = [0; 8];
        #[expect(clippy::expect_used, reason = "8 is a valid BLAKE2s output length")]
        let mut hash = blake2::Blake2sVar::new(8).expect("a valid length");
        hash.update(&self.key);
        hash.update(&source.to_bytes());
        let _ = hash.finalize_variable(&mut tag);
        // Zero marks an empty slot.
        u64::from_be_bytes(tag).max(1)
    }
}

/// Where the set of a hash begins in a table of so many slots.
fn set_of(hash: u64, slots: usize) -> usize {
    let sets = (slots / WAYS).max(1) as u64;
    usize::try_from(hash % sets).unwrap_or(0) * WAYS
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::{IpAddr, Ipv4Addr};

    fn meter() -> SourceMeter {
        SourceMeter::new(&mut Rng::from_seed([3; 32]), 20, 20)
    }

    fn of(ip: impl Into<IpAddr>) -> SourceKey {
        SourceKey::of(ip.into())
    }

    #[test]
    fn each_source_has_its_own_burst_and_rate() {
        let mut meter = meter();
        let now = Instant::from_millis(1_000);
        let (a, b) = (of([192, 0, 2, 1]), of([192, 0, 2, 2]));
        assert_eq!((0..100).filter(|_| meter.take(now, a)).count(), 20);
        assert_eq!((0..100).filter(|_| meter.take(now, b)).count(), 20);
        let later = now + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| meter.take(later, a)).count(), 10);
    }

    #[test]
    fn a_64_is_one_source_and_a_mapped_address_is_its_ipv4() {
        let mut meter = meter();
        let now = Instant::from_millis(1);
        let net = |tail: u16| of([0x2001, 0xdb8, 0, 1, 0, 0, 0, tail]);
        assert_eq!((0..100).filter(|i| meter.take(now, net(*i))).count(), 20);
        let other = of([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]);
        assert!(meter.take(now, other));
        let v4 = Ipv4Addr::new(198, 51, 100, 7);
        assert!((0..20).all(|_| meter.take(now, of(v4))));
        assert!(!meter.take(now, of(v4.to_ipv6_mapped())));
    }

    #[test]
    fn a_flood_of_sources_does_not_grow_the_table() {
        let mut meter = meter();
        assert_eq!(meter.slots.capacity(), 0);
        for i in 0..200_000_u32 {
            let _ = meter.take(Instant::from_millis(1), of(Ipv4Addr::from_bits(i)));
        }
        assert_eq!(meter.slots.len(), limits::SOURCE_SLOTS);
        assert!(size_of::<Slot>() <= 64);
    }

    #[test]
    fn a_few_sources_cost_a_kibibyte_however_often_they_come() {
        let mut meter = meter();
        for round in 0..1_000 {
            let now = Instant::from_millis(1 + 1_000 * round);
            for i in 0..4 {
                let source = Ipv4Addr::from_bits(u32::try_from(round).unwrap() * 4 + i);
                assert!(meter.take(now, of(source)));
            }
        }
        assert!(meter.slots.len() * size_of::<Slot>() <= 2_048);
    }

    #[test]
    fn a_table_that_doubles_forgets_no_busy_source() {
        let mut meter = meter();
        let now = Instant::from_millis(1);
        let early: Vec<_> = (0..20).map(|i| of(Ipv4Addr::from_bits(i))).collect();
        for source in &early {
            assert_eq!((0..100).filter(|_| meter.take(now, *source)).count(), 20);
        }
        let small = meter.slots.len();
        for i in 1_000..2_000_u32 {
            assert!(meter.take(now, of(Ipv4Addr::from_bits(i))));
        }
        assert!(meter.slots.len() > small);
        assert!(early.iter().all(|source| !meter.take(now, *source)));
    }
}
