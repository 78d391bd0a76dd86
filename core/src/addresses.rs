//! Our own addresses (protocol §9.2; RFC 8445 §5.1.1): what the host says of its interfaces, and what introducers see.
//!
//! Takes: the interfaces' addresses, and each address under which an introducer saw us, with every answer that names
//! one. Answers: the candidates that a peer may know, by what it is to us. An introducer speaks for itself only: its
//! newest word replaces its last, and is forgotten with it.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use crate::api::HostAddresses;
use crate::id::NodeId;
use crate::limits;
use crate::path::{canonical, shares_network};
use crate::wire::control::{Candidate, CandidateKind};

/// Who is told where this node can be reached (protocol §9.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A peer that the owner of this node chose.
    Accepted,
    /// A stranger that the introducer sees at our own outside address: it is in our network already.
    Neighbour,
    /// Anybody else learns no more than the introducer that brought it.
    Stranger,
    /// Nothing at all: the peer stays behind the relay.
    Nobody,
}

/// Everything that is known about where this node can be reached.
#[derive(Default)]
pub(crate) struct OwnAddresses {
    interfaces: HostAddresses,
    observed: BTreeMap<NodeId, SocketAddr>,
}

impl OwnAddresses {
    /// Starts with the addresses of the interfaces, port included.
    pub(crate) fn new(interfaces: HostAddresses) -> Self {
        Self {
            interfaces,
            observed: BTreeMap::new(),
        }
    }

    /// The host's interfaces have these addresses now. Says whether that is news.
    pub(crate) fn on_interfaces(&mut self, addresses: HostAddresses) -> bool {
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
    pub(crate) const fn interfaces(&self) -> &HostAddresses {
        &self.interfaces
    }

    /// Addresses of the interfaces that a peer may know, which was heard of or from at `remote`. Networks off the main
    /// one (a VPN, an office, bridges of containers) are known to those only that are on them.
    pub(crate) fn known_to(&self, audience: Audience, remote: &[SocketAddr]) -> Vec<SocketAddr> {
        let HostAddresses { main, side } = &self.interfaces;
        let is_there = |own: &&SocketAddr| remote.iter().any(|r| shares_network(own.ip(), r.ip()));
        match audience {
            Audience::Stranger | Audience::Nobody => Vec::new(),
            Audience::Neighbour => main.clone(),
            Audience::Accepted => {
                let side = side.iter().filter(is_there);
                main.iter().chain(side).copied().collect()
            }
        }
    }

    /// Addresses that introducers see, each once, in order.
    pub(crate) fn reflexive(&self) -> Vec<SocketAddr> {
        let mut seen: Vec<_> = self.observed.values().copied().collect();
        seen.sort_unstable();
        seen.dedup();
        seen
    }

    /// What a peer is told, reflexive addresses first, as many as one list may have.
    pub(crate) fn candidates(&self, audience: Audience, remote: &[SocketAddr]) -> Vec<Candidate> {
        if audience == Audience::Nobody {
            return Vec::new();
        }
        let named = |kind| move |address| Candidate { address, kind };
        let seen = self.reflexive().into_iter();
        let own = self.known_to(audience, remote).into_iter();
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
        let mut own = OwnAddresses::default();
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
        let mut own = OwnAddresses::default();
        own.on_observed(ONE, at(1));
        own.on_observed(TWO, at(2));
        own.on_introducer_removed(&ONE);
        assert_eq!(own.reflexive(), [at(2)]);
    }

    #[test]
    fn candidates_are_bounded_and_what_introducers_see_comes_first() {
        let mut own = OwnAddresses::new(vec![host(1)].into());
        assert!(!own.on_interfaces(vec![host(1)].into()), "as before");
        let many: Vec<_> = (0..40).map(host).collect();
        assert!(own.on_interfaces(many.clone().into()));
        own.on_observed(ONE, at(1));
        let told = own.candidates(Audience::Accepted, &[]);
        assert_eq!(told.len(), limits::CANDIDATES);
        let first = Candidate {
            address: at(1),
            kind: CandidateKind::Reflexive,
        };
        assert_eq!(told.first(), Some(&first));
        let own_first = told.get(1).map(|c| (c.address, c.kind));
        assert_eq!(own_first, Some((many[0], CandidateKind::Host)));
    }

    #[test]
    fn who_is_told_what() {
        let (vpn, office): (SocketAddr, SocketAddr) = (
            "100.99.1.7:6660".parse().expect("an address"),
            "172.16.55.9:6660".parse().expect("an address"),
        );
        let mut own = OwnAddresses::new(HostAddresses {
            main: vec![host(1)],
            side: vec![vpn, office],
        });
        own.on_observed(ONE, at(1));
        let told = |audience, remote: &[SocketAddr]| -> Vec<_> {
            let told = own.candidates(audience, remote);
            told.into_iter().map(|c| c.address).collect()
        };
        let colleague: SocketAddr = "172.16.55.200:1".parse().expect("an address");
        assert_eq!(told(Audience::Nobody, &[colleague]), []);
        assert_eq!(told(Audience::Stranger, &[colleague]), [at(1)]);
        assert_eq!(told(Audience::Neighbour, &[colleague]), [at(1), host(1)]);
        assert_eq!(told(Audience::Accepted, &[]), [at(1), host(1)]);
        assert_eq!(
            told(Audience::Accepted, &[colleague]),
            [at(1), host(1), office]
        );
    }
}
