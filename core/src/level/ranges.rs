//! A set of numbers kept as disjoint half-open ranges; neighbours melt together. Used for lost and acknowledged
//! byte ranges and for the identifiers of finished messages.

use std::collections::BTreeMap;

/// Disjoint, non-adjacent ranges, start to end (exclusive).
#[derive(Debug, Default)]
pub(crate) struct RangeSet(BTreeMap<u64, u64>);

impl RangeSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of ranges.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The lowest range.
    pub(crate) fn first(&self) -> Option<(u64, u64)> {
        self.0.first_key_value().map(|(s, e)| (*s, *e))
    }

    pub(crate) fn contains(&self, value: u64) -> bool {
        let before = self.0.range(..=value).next_back();
        before.is_some_and(|(_, end)| value < *end)
    }

    /// Adds a range; empty ones change nothing.
    pub(crate) fn insert(&mut self, mut start: u64, mut end: u64) {
        if start >= end {
            return;
        }
        if let Some((s, e)) = self.0.range(..=start).next_back().map(|(s, e)| (*s, *e))
            && e >= start
        {
            if e >= end {
                return;
            }
            self.0.remove(&s);
            start = s;
        }
        while let Some((s, e)) = self.0.range(start..=end).next().map(|(s, e)| (*s, *e)) {
            self.0.remove(&s);
            end = end.max(e);
        }
        self.0.insert(start, end);
    }

    /// Takes a range out.
    pub(crate) fn remove(&mut self, start: u64, end: u64) {
        if start >= end {
            return;
        }
        if let Some((s, e)) = self.0.range(..start).next_back().map(|(s, e)| (*s, *e))
            && e > start
        {
            self.0.insert(s, start);
            if e > end {
                self.0.insert(end, e);
                return;
            }
        }
        while let Some((s, e)) = self.0.range(start..end).next().map(|(s, e)| (*s, *e)) {
            self.0.remove(&s);
            if e > end {
                self.0.insert(end, e);
            }
        }
    }

    /// Parts of `start..end` that are not in the set, lowest first.
    pub(crate) fn missing_in(&self, start: u64, end: u64) -> Vec<(u64, u64)> {
        let mut parts = Vec::new();
        let mut at = start;
        if let Some((_, e)) = self.0.range(..=start).next_back() {
            at = at.max(*e);
        }
        for (s, e) in self.0.range(start..end.max(start)) {
            if *s > at {
                parts.push((at, *s));
            }
            at = at.max(*e);
        }
        if at < end {
            parts.push((at, end));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;
    use std::collections::BTreeSet;

    quickcheck! {
        fn behaves_like_a_set_of_numbers(steps: Vec<(bool, u8, u8)>) -> bool {
            let (mut ranges, mut model) = (RangeSet::default(), BTreeSet::new());
            for (add, start, len) in steps {
                let (start, end) = (u64::from(start), u64::from(start) + u64::from(len % 16));
                if add {
                    ranges.insert(start, end);
                    model.extend(start..end);
                } else {
                    ranges.remove(start, end);
                    model.retain(|v| !(start..end).contains(v));
                }
            }
            let missing: BTreeSet<u64> =
                ranges.missing_in(3, 280).into_iter().flat_map(|(s, e)| s..e).collect();
            (0..300).all(|v| ranges.contains(v) == model.contains(&v))
                && (3..280).all(|v| missing.contains(&v) != model.contains(&v))
        }
    }

    #[test]
    fn neighbours_melt_together() {
        let mut ranges = RangeSet::default();
        ranges.insert(0, 4);
        ranges.insert(8, 12);
        assert_eq!(ranges.len(), 2);
        ranges.insert(4, 8);
        assert_eq!((ranges.len(), ranges.first()), (1, Some((0, 12))));
    }
}
