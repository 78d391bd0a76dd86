//! Address translators and stateful firewalls in the words of RFC 4787: how a box maps (§4.1),
//! which port it picks (§4.2), when a mapping ends (§4.3), what it lets in (§5), and whether it
//! hairpins (§6). [`Nat`] is the description, [`NatBox`] the box with its state,
//! [`direct_path_possible`] an independent judgement of which pairs plain simultaneous punching
//! joins.

mod boxes;
mod oracle;

use core::time::Duration;

pub use boxes::{Inbound, NatBox};
pub use oracle::{Punching, direct_path_possible, punching};

/// When two packets from one internal endpoint share an external port (RFC 4787 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mapping {
    /// Always.
    EndpointIndependent,
    /// When they go to the same address.
    AddressDependent,
    /// When they go to the same address and port.
    AddressAndPortDependent,
}

/// Whose packets are let in to a mapping (RFC 4787 §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Filtering {
    /// Everybody's.
    EndpointIndependent,
    /// Those of addresses that were sent to.
    AddressDependent,
    /// Those of addresses and ports that were sent to.
    AddressAndPortDependent,
}

/// Which external port a new mapping gets (RFC 4787 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortAllocation {
    /// The internal one, even if another host has it ("port overloading").
    Preserving,
    /// The internal one unless another internal endpoint holds it, then a random one.
    PreservingWithFallback,
    /// The last one plus a step.
    Sequential(u16),
    /// Any free one.
    Random,
}

/// Which packets keep a mapping alive (RFC 4787 §4.3, REQ-6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Only those from inside.
    Outbound,
    /// Those of both directions.
    Both,
}

/// What happens to a packet from inside to an external address of the same box (RFC 4787 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hairpin {
    /// It is dropped.
    None,
    /// It comes back with its internal source.
    InternalSource,
    /// It comes back with its external source, as RFC 4787 REQ-9 asks.
    ExternalSource,
}

/// What a box does about a packet that nobody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Early {
    /// Drops it and forgets it.
    Drop,
    /// Drops it but remembers the pair of ports as taken, as Linux's connection tracking does:
    /// what is sent there later leaves from another port.
    Poison,
    /// Drops it and everything else from that address for ten seconds.
    Block,
}

/// Description of one box.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nat {
    /// Whether addresses are translated; a plain stateful firewall does not.
    pub translates: bool,
    /// Mapping behaviour.
    pub mapping: Mapping,
    /// Filtering behaviour.
    pub filtering: Filtering,
    /// Port allocation.
    pub ports: PortAllocation,
    /// Life of a mapping that nothing came back through yet.
    pub unreplied_timeout: Duration,
    /// Life of a mapping with traffic in both directions.
    pub timeout: Duration,
    /// What keeps a mapping alive.
    pub refresh: Refresh,
    /// Hairpinning.
    pub hairpin: Hairpin,
    /// Reaction to packets that come too early.
    pub early: Early,
    /// Mappings held at once; the oldest goes when one more comes.
    pub capacity: usize,
}

impl Nat {
    /// A box with these behaviours, 120 s timeout, refreshed from both sides, without hairpinning.
    #[must_use]
    pub const fn new(mapping: Mapping, filtering: Filtering, ports: PortAllocation) -> Self {
        Self {
            translates: true,
            mapping,
            filtering,
            ports,
            unreplied_timeout: Duration::from_secs(30),
            timeout: Duration::from_secs(120),
            refresh: Refresh::Both,
            hairpin: Hairpin::None,
            early: Early::Drop,
            capacity: 4_096,
        }
    }

    /// Endpoint-independent in both respects (E1).
    #[must_use]
    pub const fn full_cone() -> Self {
        Self::new(
            Mapping::EndpointIndependent,
            Filtering::EndpointIndependent,
            PortAllocation::Random,
        )
    }

    /// Endpoint-independent mapping, address-dependent filtering (E2).
    #[must_use]
    pub const fn address_restricted() -> Self {
        Self::new(
            Mapping::EndpointIndependent,
            Filtering::AddressDependent,
            PortAllocation::Random,
        )
    }

    /// Endpoint-independent mapping, address-and-port-dependent filtering (E3): most home routers.
    #[must_use]
    pub const fn port_restricted() -> Self {
        Self::new(
            Mapping::EndpointIndependent,
            Filtering::AddressAndPortDependent,
            PortAllocation::Random,
        )
    }

    /// A new random port for each destination, closed to all others (PR).
    #[must_use]
    pub const fn symmetric() -> Self {
        Self::new(
            Mapping::AddressAndPortDependent,
            Filtering::AddressAndPortDependent,
            PortAllocation::Random,
        )
    }

    /// A new port one above the last for each destination (PS).
    #[must_use]
    pub const fn symmetric_sequential() -> Self {
        Self::new(
            Mapping::AddressAndPortDependent,
            Filtering::AddressAndPortDependent,
            PortAllocation::Sequential(1),
        )
    }

    /// Linux's `masquerade`: per destination, but on the same port while nobody else holds it
    /// (PP).
    #[must_use]
    pub const fn linux_masquerade() -> Self {
        Self::new(
            Mapping::AddressAndPortDependent,
            Filtering::AddressAndPortDependent,
            PortAllocation::PreservingWithFallback,
        )
    }

    /// A firewall without translation that lets answers in (F).
    #[must_use]
    pub const fn stateful_firewall() -> Self {
        let mut nat = Self::new(
            Mapping::EndpointIndependent,
            Filtering::AddressAndPortDependent,
            PortAllocation::Preserving,
        );
        nat.translates = false;
        nat
    }

    /// The same box with another timeout for mappings, replied or not.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration, refresh: Refresh) -> Self {
        self.timeout = timeout;
        self.unreplied_timeout = timeout;
        self.refresh = refresh;
        self
    }

    /// The same box with another reaction to early packets.
    #[must_use]
    pub const fn early(mut self, early: Early) -> Self {
        self.early = early;
        self
    }

    /// The same box with another hairpinning.
    #[must_use]
    pub const fn hairpin(mut self, hairpin: Hairpin) -> Self {
        self.hairpin = hairpin;
        self
    }
}

#[cfg(test)]
mod tests;
