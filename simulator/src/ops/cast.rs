//! Who plays in a random plot: one or two introducers on the open internet, then peers behind all
//! kinds of boxes.

use p2p_core::rng::Rng;

use crate::nat::{Filtering, Hairpin, Mapping, Nat, PortAllocation, Refresh};
use crate::units::{ms, secs};
use crate::world::{Who, World};

/// How many of so many nodes are introducers.
pub(super) const fn introducers_among(nodes: usize) -> usize {
    if nodes >= 8 { 2 } else { 1 }
}

/// The players of a plot.
pub(super) struct Cast {
    pub introducers: Vec<Who>,
    pub peers: Vec<Who>,
}

impl Cast {
    /// Sets a world up for a plot: `nodes` in all, three at least.
    pub(super) fn enter(world: &mut World, nodes: usize) -> Self {
        let mut rng = world.rng("cast");
        let nodes = nodes.max(3);
        let count = introducers_among(nodes);
        let introducers: Vec<Who> = (0..count)
            .map(|i| world.public_node(&format!("introducer-{i}")))
            .collect();
        let mut peers: Vec<Who> = Vec::new();
        let mut home = None;
        for i in count..nodes {
            let name = format!("peer-{i}");
            // Now and then two peers share a home, where only private addresses or hairpinning
            // join them.
            let shared = home.filter(|_| rng.below(4) == 0);
            let lan = match (shared, rng.below(8)) {
                (Some(lan), _) => Some(lan),
                (None, 0) => None,
                (None, 1) => {
                    let carrier = world.lan(any_nat(&mut rng));
                    Some(world.lan_within(any_nat(&mut rng), carrier))
                }
                _ => Some(world.lan(any_nat(&mut rng))),
            };
            home = lan.or(home);
            let mut node = world.node(&name);
            if let Some(lan) = lan {
                node = node.on(lan);
            }
            node = node.drift(rng.below(401) as i32 - 200);
            for introducer in &introducers {
                node = node.introducer(*introducer);
            }
            peers.push(node.start());
        }
        world.run_for(ms(100) + secs(1));
        Self { introducers, peers }
    }

    /// A peer by number.
    pub(super) fn peer(&self, n: u8) -> Who {
        self.peers[usize::from(n) % self.peers.len()]
    }

    /// A pair of distinct peers; none where the numbers name one.
    pub(super) fn pair(&self, a: u8, b: u8) -> Option<(Who, Who)> {
        let (a, b) = (self.peer(a), self.peer(b));
        (a != b).then_some((a, b))
    }

    /// Anybody by number, introducers first.
    pub(super) fn anybody(&self, n: u8) -> Who {
        let n = usize::from(n) % (self.introducers.len() + self.peers.len());
        match self.introducers.get(n) {
            Some(who) => *who,
            None => self.peers[n - self.introducers.len()],
        }
    }
}

fn any_nat(rng: &mut Rng) -> Nat {
    let mapping = match rng.below(4) {
        0 => Mapping::AddressDependent,
        1 => Mapping::AddressAndPortDependent,
        _ => Mapping::EndpointIndependent,
    };
    let filtering = match rng.below(4) {
        0 => Filtering::EndpointIndependent,
        1 => Filtering::AddressDependent,
        _ => Filtering::AddressAndPortDependent,
    };
    // Never plain preservation: two hosts that share such a box cannot be told apart.
    let ports = match rng.below(4) {
        0 | 1 => PortAllocation::PreservingWithFallback,
        2 => PortAllocation::Sequential(1 + rng.below(2) as u16),
        _ => PortAllocation::Random,
    };
    let hairpin = match rng.below(3) {
        0 => Hairpin::ExternalSource,
        1 => Hairpin::InternalSource,
        _ => Hairpin::None,
    };
    let refresh = match rng.below(2) {
        0 => Refresh::Outbound,
        _ => Refresh::Both,
    };
    if rng.below(12) == 0 {
        return Nat::stateful_firewall();
    }
    let timeout = secs([30, 60, 120, 300][rng.below(4) as usize]);
    Nat::new(mapping, filtering, ports)
        .timeout(timeout, refresh)
        .hairpin(hairpin)
}
