//! How many things of a kind each source may have at once, and each network of sources.
//!
//! Takes: the source of a thing that comes or goes. Returns: whether there is room for one more. Holds a few bytes for
//! each source that has any; whoever counts bounds the things in all.

use std::collections::BTreeMap;

use super::SourceKey;

/// Counts by source and by network.
pub(crate) struct Shares {
    per_source: usize,
    per_network: usize,
    sources: BTreeMap<SourceKey, u32>,
    /// Networks that are larger than a source.
    networks: BTreeMap<SourceKey, u32>,
}

impl Shares {
    /// Allows each source `per_source` things and each IPv6 /48 `per_network`.
    #[must_use]
    pub(crate) const fn new(per_source: usize, per_network: usize) -> Self {
        Self {
            per_source,
            per_network,
            sources: BTreeMap::new(),
            networks: BTreeMap::new(),
        }
    }

    /// Whether the source may have one more.
    #[must_use]
    pub(crate) fn has_room(&self, source: SourceKey) -> bool {
        let count = |counts: &BTreeMap<_, u32>, key| counts.get(&key).copied().unwrap_or(0);
        (count(&self.sources, source) as usize) < self.per_source
            && (count(&self.networks, source.network()) as usize) < self.per_network
    }

    /// The source has one more.
    pub(crate) fn add(&mut self, source: SourceKey) {
        *self.sources.entry(source).or_default() += 1;
        if source.network() != source {
            *self.networks.entry(source.network()).or_default() += 1;
        }
    }

    /// The source has one less.
    pub(crate) fn remove(&mut self, source: SourceKey) {
        lower(&mut self.sources, source);
        if source.network() != source {
            lower(&mut self.networks, source.network());
        }
    }

    /// Sources that have any.
    #[cfg(test)]
    pub(crate) fn sources(&self) -> usize {
        self.sources.len()
    }
}

fn lower(counts: &mut BTreeMap<SourceKey, u32>, key: SourceKey) {
    if let Some(count) = counts.get_mut(&key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_and_a_network_have_their_shares_and_nothing_stays() {
        let mut shares = Shares::new(2, 3);
        let source = |n: u16| SourceKey::of([0x2001, 0xdb8, 0, n, 0, 0, 0, 1].into());
        for n in [1, 1, 2] {
            assert!(shares.has_room(source(n)));
            shares.add(source(n));
        }
        assert!(!shares.has_room(source(1)) && !shares.has_room(source(3)));
        let other = SourceKey::of([192, 0, 2, 1].into());
        assert!(shares.has_room(other));
        shares.remove(source(2));
        assert!(shares.has_room(source(3)) && !shares.has_room(source(1)));
        shares.remove(source(1));
        shares.remove(source(1));
        assert_eq!((shares.sources(), shares.networks.len()), (0, 0));
    }
}
