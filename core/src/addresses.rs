//! Our own addresses (protocol §9.2; RFC 8445 §5.1.1): what the host says of its interfaces, and what introducers see.
//!
//! Takes: the interfaces' addresses, and each address under which an introducer saw us, with every answer that names
//! one. Answers: the candidates to tell a peer. An introducer speaks for itself only: its newest word replaces its
//! last, and is forgotten with it.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use crate::id::NodeId;
use crate::limits;
use crate::path::canonical;
use crate::wire::control::{Candidate, CandidateKind};

/// Everything that is known about where this node can be reached.
#[derive(Default)]
pub(crate) struct OwnAddresses {
    interfaces: Vec<SocketAddr>,
    observed: BTreeMap<NodeId, SocketAddr>,
}

impl OwnAddresses {
    /// Starts with the addresses of the interfaces, port included.
    pub(crate) fn new(interfaces: Vec<SocketAddr>) -> Self {
        Self {
            interfaces,
            observed: BTreeMap::new(),
        }
    }

    /// The host's interfaces have these addresses now. Says whether that is news.
    pub(crate) fn on_interfaces(&mut self, addresses: Vec<SocketAddr>) -> bool {
        let is_news = self.interfaces != addresses;
        self.interfaces = addresses;
        is_news
    }

    /// An introducer saw our packets come from this address. Says whether peers should hear of it.
    pub(crate) fn on_observed(&mut self, introducer: NodeId, address: SocketAddr) -> bool {
        let address = canonical(address);
        let is_known = self.observed.values().any(|known| *known == address);
        let before = self.observed.insert(introducer, address);
        let is_gone = before.is_some_and(|before| !self.observed.values().any(|a| *a == before));
        !is_known || is_gone
    }

    /// This introducer was left: what it saw counts no longer.
    pub(crate) fn on_introducer_removed(&mut self, introducer: &NodeId) {
        self.observed.remove(introducer);
    }

    /// Addresses of the interfaces.
    pub(crate) fn interfaces(&self) -> &[SocketAddr] {
        &self.interfaces
    }

    /// Addresses that introducers see, each once, in order.
    pub(crate) fn reflexive(&self) -> Vec<SocketAddr> {
        let mut seen: Vec<_> = self.observed.values().copied().collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// What a peer is told, reflexive addresses first, as many as one list may have.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let named = |kind| move |address| Candidate { address, kind };
        let seen = self.reflexive().into_iter();
        let own = self.interfaces.iter().copied();
        seen.map(named(CandidateKind::Reflexive))
            .chain(own.map(named(CandidateKind::Host)))
            .take(limits::CANDIDATES)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: NodeId = NodeId::from_bytes([1; 32]);
    const TWO: NodeId = NodeId::from_bytes([2; 32]);

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([203, 0, 113, 9], port))
    }

    fn host(n: u8) -> SocketAddr {
        SocketAddr::from(([192, 168, 1, n], 6660))
    }

    #[test]
    fn an_address_is_news_once_and_again_when_it_changes() {
        let mut own = OwnAddresses::new(Vec::new());
        assert!(own.on_observed(ONE, at(1)));
        assert!(!own.on_observed(ONE, at(1)), "said before");
        assert!(!own.on_observed(TWO, at(1)), "another saw the same");
        assert!(own.on_observed(TWO, at(2)), "a mapping of its own");
        assert_eq!(own.reflexive(), [at(1), at(2)]);
        assert!(own.on_observed(TWO, at(1)), "the second mapping is gone");
        assert_eq!(own.reflexive(), [at(1)]);
        let mapped: SocketAddr = "[::ffff:203.0.113.9]:1".parse().expect("an address");
        assert!(!own.on_observed(ONE, mapped), "the same, spelled otherwise");
    }

    #[test]
    fn what_an_introducer_saw_is_forgotten_with_it() {
        let mut own = OwnAddresses::new(Vec::new());
        own.on_observed(ONE, at(1));
        own.on_observed(TWO, at(2));
        own.on_introducer_removed(&ONE);
        assert_eq!(own.reflexive(), [at(2)]);
    }

    #[test]
    fn candidates_are_bounded_and_what_introducers_see_comes_first() {
        let mut own = OwnAddresses::new(vec![host(1)]);
        assert!(!own.on_interfaces(vec![host(1)]), "as before");
        let many: Vec<_> = (0..40).map(host).collect();
        assert!(own.on_interfaces(many.clone()));
        own.on_observed(ONE, at(1));
        let told = own.candidates();
        assert_eq!(told.len(), limits::CANDIDATES);
        let first = Candidate {
            address: at(1),
            kind: CandidateKind::Reflexive,
        };
        assert_eq!(told.first(), Some(&first));
        let own_first = told.get(1).map(|c| (c.address, c.kind));
        assert_eq!(own_first, Some((many[0], CandidateKind::Host)));
    }
}
