//! Acknowledgement, loss detection, congestion control and pacing (protocol §7.1): RFC 9002 with one
//! packet-number space for an association and with round-trip time and congestion kept for each
//! path.
//!
//! Two halves that do not know each other. [`ReceivedPackets`] is told which packets arrived and
//! answers when an acknowledgement is due and what it says. [`Recovery`] is told what was sent,
//! what the peer acknowledged and that time went by; it answers what was delivered, what was lost,
//! how much may be sent and when it wants to be called. It is generic over `F`, a note of what a
//! packet carried, which it hands back exactly once: with [`Delivered`] or with [`Lost`].
//!
//! Only packets that elicit an acknowledgement are recorded. The others are never acknowledged on
//! their own, so recording them would let a node that merely receives or relays collect them
//! without end.
//!
//! Every recorded packet has a number on its path beside its packet number. The packet threshold
//! counts in path numbers: what another path carried in between says nothing about a packet, and
//! neither does a skipped number. Where a loss turns out to be spurious the thresholds of that path
//! widen and the congestion window is restored.
//!
//! A peer that never sent anything holds no heap memory here; one that fell silent keeps a
//! [`RecoveryAtRest`] instead.

pub(crate) mod congestion;
mod detection;
mod ecn;
mod ledger;
mod numbers;
mod outcome;
mod pacer;
mod path_recovery;
mod received;
mod rest;
mod rtt;
mod spurious;

pub(crate) use detection::Recovery;
pub(crate) use outcome::{AckOutcome, Lost, PathKey, SentPacket, TimeoutOutcome};
pub(crate) use path_recovery::PathStats;
pub(crate) use received::ReceivedPackets;
pub(crate) use rest::RecoveryAtRest;
pub(crate) use rtt::Rtt;

#[cfg(test)]
mod tests;
