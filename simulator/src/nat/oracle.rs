//! Which pairs meet by plain, co-ordinated punching: each side knows where an introducer saw the
//! other, both send there at once and again, and each answers a source that it hears. Pure
//! reasoning about the descriptions; it shares no code with the boxes, so that the two can be held
//! against each other.

use super::{Filtering, Mapping, Nat, PortAllocation};

/// What plain punching yields for a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Punching {
    /// One path, both ways.
    Direct,
    /// Packets pass both ways, but each direction between other ports; an engine may or may not
    /// use it.
    Asymmetric,
    /// Nothing passes one way at least: a relay is needed.
    Relay,
}

/// One side as the other sees it: the boxes on its way, merged.
#[derive(Clone, Copy)]
struct Side {
    /// Whether the address that the introducer saw is the one that the peer will see.
    predictable: bool,
    filtering: Filtering,
}

impl Side {
    fn behind(chain: &[Nat]) -> Self {
        let predictable = |nat: &Nat| {
            !nat.translates
                || nat.mapping == Mapping::EndpointIndependent
                || matches!(
                    nat.ports,
                    PortAllocation::Preserving | PortAllocation::PreservingWithFallback
                )
        };
        Self {
            predictable: chain.iter().all(predictable),
            filtering: chain
                .iter()
                .map(|n| n.filtering)
                .max()
                .unwrap_or(Filtering::EndpointIndependent),
        }
    }

    /// Whether a packet from `other` to where this side was seen gets in.
    fn hears(self, other: Self) -> bool {
        match self.filtering {
            Filtering::EndpointIndependent => true,
            // What this side sends to the peer must leave through the very mapping that the peer
            // aims at.
            Filtering::AddressDependent => self.predictable,
            Filtering::AddressAndPortDependent => self.predictable && other.predictable,
        }
    }

    /// What comes of `self` having heard a packet of `speaker` and answering it.
    fn answers(self, speaker: Self) -> Punching {
        if !self.hears(speaker) {
            return Punching::Relay;
        }
        let strict = speaker.filtering == Filtering::AddressAndPortDependent;
        match (self.predictable, strict, speaker.predictable) {
            (true, _, _) | (false, false, true) => Punching::Direct,
            (false, false, false) => Punching::Asymmetric,
            (false, true, _) => Punching::Relay,
        }
    }
}

/// Judges a pair; each side is a chain of boxes, empty for an open host.
#[must_use]
pub fn punching(a: &[Nat], b: &[Nat]) -> Punching {
    let (a, b) = (Side::behind(a), Side::behind(b));
    match (a.answers(b), b.answers(a)) {
        (Punching::Direct, _) | (_, Punching::Direct) => Punching::Direct,
        (Punching::Asymmetric, _) | (_, Punching::Asymmetric) => Punching::Asymmetric,
        (Punching::Relay, Punching::Relay) => Punching::Relay,
    }
}

/// Whether plain punching gives the pair one direct path.
#[must_use]
pub fn direct_path_possible(a: &[Nat], b: &[Nat]) -> bool {
    punching(a, b) == Punching::Direct
}
