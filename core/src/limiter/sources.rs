//! Meters what unauthenticated sources may ask for: one small token bucket for each IPv4 address
//! or IPv6 /64, in a table whose size never depends on how many sources there are.
//!
//! Told: the time and a source address. Returns: whether its budget allows one more. The place in
//! the table comes from a keyed hash, so that nobody can choose whose budget to share. Where four
//! busy sources meet in one set the least busy is forgotten: a flood may gain fresh budgets for
//! itself, never take those of others (docs/protocol.md §3.5: beyond the table, cookies and the
//! global budget decide).

use core::net::{IpAddr, Ipv6Addr};

use blake2::digest::{Update, VariableOutput};

use crate::limits;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// Slots that one source may lie in.
const WAYS: usize = 4;

#[derive(Clone, Copy, Default)]
struct Slot {
    tag: u64,
    full_at: Instant,
}

/// A fixed table of token buckets, one for each source; allocated when first asked.
pub struct SourceMeter {
    key: [u8; 32],
    interval: Duration,
    burst_span: Duration,
    slots: Vec<Slot>,
}

impl SourceMeter {
    /// Makes an empty meter that allows each source `rate_per_s` (at least 1) and `burst` at once.
    #[must_use]
    pub fn new(rng: &mut Rng, rate_per_s: u32, burst: u32) -> Self {
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
    pub fn take(&mut self, now: Instant, source: IpAddr) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(limits::SOURCE_SLOTS, Slot::default());
        }
        let hash = self.hash(source);
        let sets = (self.slots.len() / WAYS).max(1) as u64;
        let first = usize::try_from(hash % sets).unwrap_or(0) * WAYS;
        let Some(set) = self.slots.get_mut(first..first + WAYS) else {
            return false;
        };
        let known = set.iter().position(|slot| slot.tag == hash);
        let slot = match known {
            Some(place) => set.get_mut(place),
            None => set.iter_mut().min_by_key(|slot| slot.full_at),
        };
        let Some(slot) = slot else {
            return false;
        };
        if known.is_none() {
            *slot = Slot {
                tag: hash,
                full_at: now,
            };
        }
        let full_at = slot.full_at.max(now) + self.interval;
        if full_at.saturating_since(now) > self.burst_span {
            return false;
        }
        slot.full_at = full_at;
        true
    }

    fn hash(&self, source: IpAddr) -> u64 {
        let mut tag = [0; 8];
        #[expect(clippy::expect_used, reason = "8 is a valid BLAKE2s output length")]
        let mut hash = blake2::Blake2sVar::new(8).expect("a valid length");
        hash.update(&self.key);
        hash.update(&prefix(source));
        let _ = hash.finalize_variable(&mut tag);
        // Zero marks an empty slot.
        u64::from_be_bytes(tag).max(1)
    }
}

/// What counts as one source: an IPv4 address, or the /64 that one subscriber of IPv6 has at
/// least.
fn prefix(source: IpAddr) -> [u8; 16] {
    match source.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn meter() -> SourceMeter {
        SourceMeter::new(&mut Rng::from_seed([3; 32]), 20, 20)
    }

    #[test]
    fn each_source_has_its_own_burst_and_rate() {
        let mut meter = meter();
        let now = Instant::from_millis(1_000);
        let (a, b) = ([192, 0, 2, 1].into(), [192, 0, 2, 2].into());
        assert_eq!((0..100).filter(|_| meter.take(now, a)).count(), 20);
        assert_eq!((0..100).filter(|_| meter.take(now, b)).count(), 20);
        let later = now + Duration::from_millis(500);
        assert_eq!((0..100).filter(|_| meter.take(later, a)).count(), 10);
    }

    #[test]
    fn a_64_is_one_source_and_a_mapped_address_is_its_ipv4() {
        let mut meter = meter();
        let now = Instant::from_millis(1);
        let net = |tail: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, tail]);
        assert_eq!((0..100).filter(|i| meter.take(now, net(*i))).count(), 20);
        let other = IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1]);
        assert!(meter.take(now, other));
        let v4 = Ipv4Addr::new(198, 51, 100, 7);
        assert!((0..20).all(|_| meter.take(now, v4.into())));
        assert!(!meter.take(now, v4.to_ipv6_mapped().into()));
    }

    #[test]
    fn a_flood_of_sources_does_not_grow_the_table() {
        let mut meter = meter();
        assert_eq!(meter.slots.capacity(), 0);
        for i in 0..200_000_u32 {
            let _ = meter.take(Instant::from_millis(1), Ipv4Addr::from_bits(i).into());
        }
        assert_eq!(meter.slots.len(), limits::SOURCE_SLOTS);
        assert!(size_of::<Slot>() <= 64);
    }
}
