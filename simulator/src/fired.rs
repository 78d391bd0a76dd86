//! Which faults happened, and how often: a plot that asks for a fault proves nothing unless the
//! fault met a datagram or a node.

use core::fmt;
use std::collections::BTreeMap;

use crate::link::LinkCounters;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A datagram was lost on its own.
    Loss,
    /// A datagram was lost in a burst.
    Burst,
    /// A datagram came out twice.
    Duplicate,
    /// A datagram was held back.
    Reorder,
    /// A datagram overtook the one before it.
    Swap,
    /// A full queue dropped a datagram.
    Overflow,
    /// A datagram was too large for a link.
    TooLarge,
    /// A bit of a datagram was flipped.
    Corrupt,
    /// A datagram was cut short.
    Truncate,
    /// A datagram met a link that was down.
    Down,
    /// A datagram took longer than a link usually does.
    Delay,
    /// A datagram met a partition.
    Partition,
    /// A running engine died.
    Crash,
    /// A datagram or a timer waited for a paused host.
    Pause,
    /// A box forgot mappings.
    NatReboot,
    /// A box came back with another address.
    NatRenumber,
    /// A host changed its address.
    Roam,
    /// A socket refused to send.
    SendError,
    /// A driver told that a link went down.
    LinkDown,
    /// A stranger's bytes reached a node.
    Garbage,
    /// A datagram was delivered again by an attacker.
    Replay,
    /// An application left a stream or a message where it was.
    SlowReader,
    /// A service took its time with an answer.
    LateAnswer,
    /// A disk took its time to keep a message.
    SlowDisk,
    /// A disk had no room for a message.
    FullDisk,
}

/// What may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// Nothing.
    None,
    /// Links only.
    Links,
    /// Links, boxes, nodes, and what strangers send.
    Mixed,
}

/// Faults of links and applications: what `Faults::Links` must make happen.
const LINKS: [Fault; 13] = [
    Fault::Loss,
    Fault::Burst,
    Fault::Duplicate,
    Fault::Reorder,
    Fault::Swap,
    Fault::Overflow,
    Fault::TooLarge,
    Fault::Corrupt,
    Fault::Truncate,
    Fault::Down,
    Fault::Delay,
    Fault::SlowReader,
    Fault::LateAnswer,
];

/// What `Faults::Mixed` must make happen besides.
const MIXED: [Fault; 12] = [
    Fault::Partition,
    Fault::Crash,
    Fault::Pause,
    Fault::NatReboot,
    Fault::NatRenumber,
    Fault::Roam,
    Fault::SendError,
    Fault::LinkDown,
    Fault::Garbage,
    Fault::Replay,
    Fault::SlowDisk,
    Fault::FullDisk,
];

/// How often each kind of fault happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fired(BTreeMap<Fault, u64>);

impl Fired {
    /// It happened once more.
    pub fn note(&mut self, fault: Fault) {
        self.note_many(fault, 1);
    }

    fn note_many(&mut self, fault: Fault, times: u64) {
        if times > 0 {
            *self.0.entry(fault).or_default() += times;
        }
    }

    /// Adds what one direction of a link did.
    pub(crate) fn add_link(&mut self, counters: &LinkCounters) {
        let all = [
            (Fault::Loss, counters.lost),
            (Fault::Burst, counters.lost_in_bursts),
            (Fault::Duplicate, counters.duplicated),
            (Fault::Reorder, counters.reordered),
            (Fault::Swap, counters.swapped),
            (Fault::Overflow, counters.overflowed),
            (Fault::TooLarge, counters.too_large),
            (Fault::Corrupt, counters.corrupted),
            (Fault::Truncate, counters.truncated),
            (Fault::Down, counters.down),
            (Fault::Delay, counters.delayed),
        ];
        for (fault, times) in all {
            self.note_many(fault, times);
        }
    }

    /// Adds what happened in another world.
    pub fn add(&mut self, other: &Self) {
        for (fault, times) in &other.0 {
            self.note_many(*fault, *times);
        }
    }

    /// How often a fault happened.
    #[must_use]
    pub fn count(&self, fault: Fault) -> u64 {
        self.0.get(&fault).copied().unwrap_or(0)
    }

    /// Faults that plots of this kind ask for and that never happened.
    #[must_use]
    pub fn missing(&self, faults: Faults) -> Vec<Fault> {
        let (links, mixed): (&[Fault], &[Fault]) = match faults {
            Faults::None => (&[], &[]),
            Faults::Links => (&LINKS, &[]),
            Faults::Mixed => (&LINKS, &MIXED),
        };
        let all = links.iter().chain(mixed).copied();
        all.filter(|fault| self.count(*fault) == 0).collect()
    }
}

impl fmt::Display for Fired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (fault, times)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{fault:?} {times}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_missing_where_it_is_asked_for() {
        let mut fired = Fired::default();
        assert_eq!(fired.missing(Faults::None), []);
        assert_eq!(fired.missing(Faults::Links), LINKS);
        LINKS.iter().for_each(|fault| fired.note(*fault));
        assert_eq!(fired.missing(Faults::Links), []);
        assert_eq!(fired.missing(Faults::Mixed), MIXED);
        let mut sum = Fired::default();
        sum.add(&fired);
        sum.add(&fired);
        assert_eq!(sum.count(Fault::Swap), 2);
        assert!(sum.to_string().starts_with("Loss 2, Burst 2"));
    }
}
