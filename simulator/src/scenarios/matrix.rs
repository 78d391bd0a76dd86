//! Every pair of sides from the taxonomy of address translators: do they connect, and is the path
//! direct exactly where plain punching can make it so (RFC 4787 behaviours, RFC 8445 §1)?

use core::fmt::Write as _;
use core::time::Duration;

use p2p_core::api::RequestOutcome;

use super::trio;
use crate::nat::{Filtering, Mapping, Nat, PortAllocation, Punching, punching};
use crate::units::{ms, secs};
use crate::world::World;

/// One kind of place to be.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Short name in tables.
    pub name: &'static str,
    /// Boxes in front, inner first.
    pub chain: &'static [Nat],
}

const RANDOM: PortAllocation = PortAllocation::Random;
const ADM: Mapping = Mapping::AddressDependent;
const APDM: Mapping = Mapping::AddressAndPortDependent;
const ADF: Filtering = Filtering::AddressDependent;
const APDF: Filtering = Filtering::AddressAndPortDependent;

/// All sides: open, firewalled, endpoint-independent mapping with three filters, address-dependent
/// mapping with two, address-and-port-dependent mapping of five kinds, and a home behind a
/// carrier's translator.
pub const SIDES: &[Side] = &[
    Side {
        name: "O",
        chain: &[],
    },
    Side {
        name: "F",
        chain: &[Nat::stateful_firewall()],
    },
    Side {
        name: "E1",
        chain: &[Nat::full_cone()],
    },
    Side {
        name: "E2",
        chain: &[Nat::address_restricted()],
    },
    Side {
        name: "E3",
        chain: &[Nat::port_restricted()],
    },
    Side {
        name: "A2",
        chain: &[Nat::new(ADM, ADF, RANDOM)],
    },
    Side {
        name: "A3",
        chain: &[Nat::new(ADM, APDF, RANDOM)],
    },
    Side {
        name: "P1",
        chain: &[Nat::new(APDM, Filtering::EndpointIndependent, RANDOM)],
    },
    Side {
        name: "P2",
        chain: &[Nat::new(APDM, ADF, RANDOM)],
    },
    Side {
        name: "PP",
        chain: &[Nat::linux_masquerade()],
    },
    Side {
        name: "PS",
        chain: &[Nat::symmetric_sequential()],
    },
    Side {
        name: "PR",
        chain: &[Nat::symmetric()],
    },
    Side {
        name: "CG",
        chain: &[Nat::port_restricted(), Nat::port_restricted()],
    },
];

/// What came of one pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Time until both sides were connected; none where they were not within ten seconds.
    pub connected_after: Option<Duration>,
    /// Time from then until both paths were direct; none where they never were.
    pub direct_after: Option<Duration>,
    /// Whether a request was answered right after connecting, and once more at the end.
    pub answered: [bool; 2],
    /// What plain punching should yield.
    pub expected: Punching,
}

impl Cell {
    /// Whether the pair talks, and over the kind of path that the oracle says.
    #[must_use]
    pub fn is_as_expected(&self) -> bool {
        let talks = self.connected_after.is_some() && self.answered == [true; 2];
        let direct = self.direct_after.is_some();
        talks
            && match self.expected {
                Punching::Direct => direct,
                Punching::Relay => !direct,
                Punching::Asymmetric => true,
            }
    }
}

/// How long a pair may take to become direct: the first round of probes and a second one.
const PATIENCE: Duration = Duration::from_secs(9);

/// Lets one pair meet.
#[must_use]
pub fn cell(seed: u64, a: &[Nat], b: &[Nat]) -> Cell {
    let world = World::seeded(seed).latency(ms(40));
    let (mut world, [_, alice, bob]) = trio(world, a, b);
    world.connect(alice, bob);
    let mut cell = Cell {
        connected_after: None,
        direct_after: None,
        answered: [false; 2],
        expected: punching(a, b),
    };
    let both = |w: &World| w.is_connected(alice, bob) && w.is_connected(bob, alice);
    cell.connected_after = world.run_until(both).or_after(secs(10));
    if cell.connected_after.is_none() {
        return cell;
    }
    let ask = |world: &mut World| {
        world
            .send_request(alice, bob, "are you there?", secs(5))
            .ok()
    };
    let first = ask(&mut world);
    let direct = |w: &World| w.is_direct(alice, bob) && w.is_direct(bob, alice);
    cell.direct_after = world.run_until(direct).or_after(PATIENCE);
    let last = ask(&mut world);
    world.run_for(secs(6));
    let answered = |request: Option<_>| {
        let outcome = world.app(alice).requests.get(&request?);
        matches!(outcome, Some(RequestOutcome::Answered(_))).then_some(())
    };
    cell.answered = [first, last].map(|r| answered(r).is_some());
    // What was direct once must still be.
    if cell.direct_after.is_some() && !direct(&world) {
        cell.direct_after = None;
    }
    cell
}

/// All pairs as a table, and how many were not as expected: D direct, R relayed, lower case where
/// the oracle expected otherwise, ! where they could not talk at all, * where only asymmetric
/// paths exist.
#[must_use]
pub fn matrix_table(seed: u64) -> (String, usize) {
    let mut text = String::from("     ");
    let mut unexpected = 0;
    for side in SIDES {
        let _ = write!(text, "{:>4}", side.name);
    }
    for (row, a) in SIDES.iter().enumerate() {
        let _ = write!(text, "\n{:>4} ", a.name);
        for b in &SIDES[..=row] {
            let cell = cell(seed, a.chain, b.chain);
            let letter = match (cell.answered, cell.direct_after) {
                ([true, true], Some(_)) => 'D',
                ([true, true], None) => 'R',
                _ => '!',
            };
            let good = cell.is_as_expected();
            unexpected += usize::from(!good);
            let letter = if good {
                letter
            } else {
                letter.to_ascii_lowercase()
            };
            let mark = if cell.expected == Punching::Asymmetric {
                "*"
            } else {
                " "
            };
            let _ = write!(text, "  {letter}{mark}");
        }
    }
    text.push('\n');
    (text, unexpected)
}

/// One judged pair of the exhaustive matrix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JudgedPair {
    /// Boxes before the one side.
    pub a: Vec<Nat>,
    /// Boxes before the other.
    pub b: Vec<Nat>,
    /// What came of it.
    pub cell: Cell,
}

/// Every mapping with every filtering and port allocation, an open host, a firewall, and three
/// homes behind carriers.
#[must_use]
pub fn all_chains() -> Vec<Vec<Nat>> {
    let mut chains = vec![
        vec![],
        vec![Nat::stateful_firewall()],
        vec![Nat::port_restricted(), Nat::port_restricted()],
        vec![Nat::full_cone(), Nat::symmetric()],
        vec![Nat::linux_masquerade(), Nat::address_restricted()],
    ];
    for mapping in [Mapping::EndpointIndependent, ADM, APDM] {
        for filtering in [Filtering::EndpointIndependent, ADF, APDF] {
            for ports in [
                PortAllocation::PreservingWithFallback,
                PortAllocation::Sequential(1),
                RANDOM,
            ] {
                chains.push(vec![Nat::new(mapping, filtering, ports)]);
            }
        }
    }
    chains
}

/// Plays every unordered pair of [`all_chains`], telling each to `judged`.
pub fn every_pair(seed: u64, mut judged: impl FnMut(JudgedPair)) {
    let chains = all_chains();
    for (row, a) in chains.iter().enumerate() {
        for b in &chains[..=row] {
            judged(JudgedPair {
                a: a.clone(),
                b: b.clone(),
                cell: cell(seed, a, b),
            });
        }
    }
}
