//! Deadlines of many things that are numbered from zero without large gaps: the earliest is found at once, any can be
//! moved. A heap with four children to a node (as in `std`, only wider) and the place of each number in it: about
//! 16 bytes for each, without the room that an ordered tree leaves unused.
//!
//! Takes: a number and its deadline. Returns: the earliest; of equal ones that of the smallest number.

use crate::time::Instant;

const CHILDREN: usize = 4;
/// No place in the heap.
const NOWHERE: u32 = u32::MAX;

/// A deadline in twelve bytes; ordered by its time, then its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slot {
    at: [u32; 2],
    number: u32,
}

impl Slot {
    const fn new(at: Instant, number: u32) -> Self {
        let nanos = at.as_nanos();
        Self {
            at: [(nanos >> 32) as u32, nanos as u32],
            number,
        }
    }

    fn at(self) -> Instant {
        let [high, low] = self.at.map(u64::from);
        Instant::from_nanos(high << 32 | low)
    }
}

/// Deadlines by number.
#[derive(Default)]
pub(crate) struct Timers {
    heap: Vec<Slot>,
    /// Where in the heap each number is.
    places: Vec<u32>,
}

impl Timers {
    /// Sets, moves or takes away the deadline of `number`.
    pub(crate) fn set(&mut self, number: u32, at: Option<Instant>) {
        match (self.place_of(number), at) {
            (Some(place), Some(at)) => {
                if let Some(entry) = self.heap.get_mut(place) {
                    *entry = Slot::new(at, number);
                }
                self.settle(place);
            }
            (None, Some(at)) => {
                let index = number as usize;
                if index >= self.places.len() {
                    self.places.resize(index + 1, NOWHERE);
                }
                self.heap.push(Slot::new(at, number));
                self.settle(self.heap.len() - 1);
            }
            (Some(place), None) => {
                self.heap.swap_remove(place);
                self.put(number, NOWHERE);
                self.settle(place);
            }
            (None, None) => {}
        }
    }

    /// The earliest deadline, and whose it is.
    pub(crate) fn first(&self) -> Option<(Instant, u32)> {
        self.heap.first().map(|entry| (entry.at(), entry.number))
    }

    /// The deadline of `number`.
    #[cfg(test)]
    pub(crate) fn get(&self, number: u32) -> Option<Instant> {
        self.heap
            .get(self.place_of(number)?)
            .map(|entry| entry.at())
    }

    fn place_of(&self, number: u32) -> Option<usize> {
        let place = *self.places.get(number as usize)?;
        (place != NOWHERE).then_some(place as usize)
    }

    fn put(&mut self, number: u32, place: u32) {
        if let Some(known) = self.places.get_mut(number as usize) {
            *known = place;
        }
    }

    /// Moves the entry at `place` up or down to where it belongs.
    fn settle(&mut self, mut place: usize) {
        let Some(entry) = self.heap.get(place).copied() else {
            return;
        };
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            match self.heap.get(parent).copied() {
                Some(above) if above > entry => self.write(place, above),
                _ => break,
            }
            place = parent;
        }
        loop {
            let first = place * CHILDREN + 1;
            let end = (first + CHILDREN).min(self.heap.len());
            let children = self.heap.get(first..end).unwrap_or_default();
            let least = children.iter().enumerate().min_by_key(|(_, child)| **child);
            match least {
                Some((nth, child)) if *child < entry => {
                    let child = *child;
                    self.write(place, child);
                    place = first + nth;
                }
                _ => break,
            }
        }
        self.write(place, entry);
    }

    fn write(&mut self, place: usize, entry: Slot) {
        if let Some(slot) = self.heap.get_mut(place) {
            *slot = entry;
        }
        self.put(entry.number, u32::try_from(place).unwrap_or(NOWHERE));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn agrees_with_an_ordered_map(steps: Vec<(u8, Option<u8>)>) -> bool {
            let (mut timers, mut map) = (Timers::default(), BTreeMap::new());
            steps.into_iter().all(|(number, at)| {
                let (number, at) = (u32::from(number) % 40, at.map(|at| Instant::from_millis(at.into())));
                timers.set(number, at);
                match at {
                    Some(at) => map.insert(number, at),
                    None => map.remove(&number),
                };
                let first = map.iter().map(|(number, at)| (*at, *number)).min();
                timers.first() == first && timers.get(number) == at && timers.heap.len() == map.len()
            })
        }
    }

    #[test]
    fn comes_out_in_order() {
        let mut timers = Timers::default();
        for number in 0..1_000_u32 {
            timers.set(
                number,
                Some(Instant::from_millis(u64::from(number * 7_919 % 1_009))),
            );
        }
        let mut last = Instant::EPOCH;
        while let Some((at, number)) = timers.first() {
            assert!(at >= last);
            last = at;
            timers.set(number, None);
        }
        assert!(timers.heap.is_empty());
    }
}
