//! Where addresses lead: the open internet and private networks behind boxes, nested as deep as a
//! test likes. Told: a packet and the network it starts in. Returns: the host it reaches and the
//! addresses it then shows.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;

use p2p_core::rng::Rng;
use p2p_core::time::Instant;

use crate::nat::{Inbound, Nat, NatBox};

/// One network in which addresses are unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LanId(pub(crate) usize);

/// The open internet.
pub(crate) const INTERNET: LanId = LanId(0);

/// Boxes that one packet may pass; more is a loop.
const HOPS_MAX: usize = 16;

#[derive(Clone, Copy)]
enum Owner {
    Host(usize),
    Box(usize),
}

struct Network {
    gateway: Option<usize>,
    prefix: [u8; 2],
    owners: BTreeMap<IpAddr, Owner>,
    next: u16,
}

struct Placed {
    nat: NatBox,
    inner: LanId,
    outer: LanId,
}

/// Where a packet ends up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Landing {
    pub host: usize,
    pub from: SocketAddr,
    pub to: SocketAddr,
}

pub(crate) struct Topology {
    networks: Vec<Network>,
    boxes: Vec<Placed>,
}

impl Topology {
    pub(crate) fn new() -> Self {
        let internet = Network {
            gateway: None,
            prefix: [44, 0],
            owners: BTreeMap::new(),
            next: 1,
        };
        Self {
            networks: vec![internet],
            boxes: Vec::new(),
        }
    }

    /// Adds a network behind a box in `outer`. Homes all use the same private range, as homes do.
    pub(crate) fn add_lan(&mut self, nat: Nat, outer: LanId, carrier: bool, rng: &Rng) -> LanId {
        let inner = LanId(self.networks.len());
        let index = self.boxes.len();
        let prefix = match (nat.translates, carrier) {
            (false, _) => [46, inner.0 as u8],
            (true, true) => [100, 64],
            (true, false) => [192, 168],
        };
        self.networks.push(Network {
            gateway: Some(index),
            prefix,
            owners: BTreeMap::new(),
            next: if nat.translates { 266 } else { 1 },
        });
        let external = self.fresh_address(outer, Owner::Box(index));
        let rng = rng.fork(&format!("nat box {index}"));
        self.boxes.push(Placed {
            nat: NatBox::new(nat, external, rng),
            inner,
            outer,
        });
        inner
    }

    /// Gives a host an address in a network.
    pub(crate) fn attach(&mut self, host: usize, lan: LanId) -> IpAddr {
        self.fresh_address(lan, Owner::Host(host))
    }

    /// Takes a host's address away.
    pub(crate) fn detach(&mut self, ip: IpAddr, lan: LanId) {
        self.networks[lan.0].owners.remove(&ip);
        for (_, outer) in self.announced_in(lan) {
            self.networks[outer.0].owners.remove(&ip);
        }
    }

    /// The boxes without translation around a network, and the networks outside of each: there the
    /// inner addresses are known too.
    fn announced_in(&self, lan: LanId) -> Vec<(usize, LanId)> {
        let mut around = Vec::new();
        let mut at = lan;
        while let Some(index) = self.networks[at.0].gateway {
            let placed = &self.boxes[index];
            if placed.nat.nat.translates {
                break;
            }
            at = placed.outer;
            around.push((index, at));
        }
        around
    }

    fn fresh_address(&mut self, lan: LanId, owner: Owner) -> IpAddr {
        let network = &mut self.networks[lan.0];
        let [a, b] = network.prefix;
        let [c, d] = network.next.to_be_bytes();
        // No address ends in 0 or 255: those look like networks and broadcasts.
        network.next += if d == 254 { 3 } else { 1 };
        let ip = IpAddr::V4(Ipv4Addr::new(a, b, c, d));
        network.owners.insert(ip, owner);
        for (index, outer) in self.announced_in(lan) {
            self.networks[outer.0].owners.insert(ip, Owner::Box(index));
        }
        ip
    }

    /// The box that a network sits behind, if any.
    pub(crate) fn gateway(&mut self, lan: LanId) -> Option<&mut NatBox> {
        let index = self.networks[lan.0].gateway?;
        self.boxes.get_mut(index).map(|p| &mut p.nat)
    }

    /// The chain of boxes between a network and the internet, inner first.
    pub(crate) fn chain(&self, lan: LanId) -> Vec<Nat> {
        let boxes = self.boxes_before(lan).into_iter();
        boxes.map(|index| self.boxes[index].nat.nat).collect()
    }

    /// The same, by number.
    pub(crate) fn boxes_before(&self, lan: LanId) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut at = lan;
        while let Some(index) = self.networks[at.0].gateway {
            chain.push(index);
            at = self.boxes[index].outer;
        }
        chain
    }

    /// Gives the box of a network another external address.
    pub(crate) fn renumber_gateway(&mut self, lan: LanId) {
        let Some(index) = self.networks[lan.0].gateway else {
            return;
        };
        let (old, outer) = (self.boxes[index].nat.external, self.boxes[index].outer);
        self.detach(old, outer);
        let fresh = self.fresh_address(outer, Owner::Box(index));
        self.boxes[index].nat.external = fresh;
    }

    /// Follows a packet from `lan` to the host that gets it.
    pub(crate) fn route(
        &mut self,
        now: Instant,
        lan: LanId,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<Landing> {
        let (mut lan, mut from, mut to) = (lan, from, to);
        for _ in 0..HOPS_MAX {
            let network = &self.networks[lan.0];
            match (network.owners.get(&to.ip()).copied(), network.gateway) {
                (Some(Owner::Host(host)), _) => return Some(Landing { host, from, to }),
                (Some(Owner::Box(index)), _) => {
                    let placed = &mut self.boxes[index];
                    let Inbound::To(target) = placed.nat.inbound(now, from, to) else {
                        return None;
                    };
                    (to, lan) = (target, placed.inner);
                }
                (None, Some(index)) => {
                    let placed = &mut self.boxes[index];
                    if placed.nat.nat.translates && to.ip() == placed.nat.external {
                        (from, to) = placed.nat.hairpin(now, from, to)?;
                    } else {
                        from = placed.nat.outbound(now, from, to);
                        lan = placed.outer;
                    }
                }
                (None, None) => return None,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nat::Hairpin;

    fn with_port(ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, 7_000)
    }

    #[test]
    fn a_packet_passes_two_boxes_and_its_answer_comes_back() {
        let mut t = Topology::new();
        let rng = Rng::from_seed([1; 32]);
        let carrier = t.add_lan(Nat::symmetric(), INTERNET, true, &rng);
        let home = t.add_lan(Nat::port_restricted(), carrier, false, &rng);
        let inside = with_port(t.attach(0, home));
        let outside = with_port(t.attach(1, INTERNET));
        let now = Instant::from_millis(1);
        let there = t.route(now, home, inside, outside).expect("goes out");
        assert_eq!(there.host, 1);
        assert_ne!(there.from.ip(), inside.ip());
        let back = t.route(now, INTERNET, outside, there.from);
        let expected = Landing {
            host: 0,
            from: outside,
            to: inside,
        };
        assert_eq!(back, Some(expected));
        assert_eq!(t.chain(home), [Nat::port_restricted(), Nat::symmetric()]);
    }

    #[test]
    fn neighbours_meet_inside_and_homes_share_their_range() {
        let mut t = Topology::new();
        let rng = Rng::from_seed([1; 32]);
        let now = Instant::from_millis(1);
        let [one, two] = [0, 1].map(|_| t.add_lan(Nat::full_cone(), INTERNET, false, &rng));
        let a = with_port(t.attach(0, one));
        let b = with_port(t.attach(1, one));
        let c = with_port(t.attach(2, two));
        assert_eq!(a, c, "two homes number their hosts alike");
        let landing = t.route(now, one, a, b).expect("same network");
        assert_eq!((landing.host, landing.from), (1, a));
    }

    #[test]
    fn a_box_sends_its_own_address_back_inside_only_where_it_hairpins() {
        let rng = Rng::from_seed([1; 32]);
        let now = Instant::from_millis(1);
        for (hairpin, passes) in [(Hairpin::None, false), (Hairpin::ExternalSource, true)] {
            let mut t = Topology::new();
            let home = t.add_lan(Nat::full_cone().hairpin(hairpin), INTERNET, false, &rng);
            let (a, b) = (with_port(t.attach(0, home)), with_port(t.attach(1, home)));
            let outside = with_port(t.attach(2, INTERNET));
            let mapped = t.route(now, home, b, outside).expect("goes out").from;
            let landing = t.route(now, home, a, mapped);
            assert_eq!(landing.is_some_and(|l| l.host == 1), passes);
        }
    }

    #[test]
    fn a_firewalled_host_keeps_its_address_and_lets_answers_in() {
        let mut t = Topology::new();
        let rng = Rng::from_seed([1; 32]);
        let now = Instant::from_millis(1);
        let lan = t.add_lan(Nat::stateful_firewall(), INTERNET, false, &rng);
        let inside = with_port(t.attach(0, lan));
        let outside = with_port(t.attach(1, INTERNET));
        assert_eq!(t.route(now, INTERNET, outside, inside), None);
        let there = t.route(now, lan, inside, outside).expect("goes out");
        assert_eq!(there.from, inside);
        assert!(t.route(now, INTERNET, outside, inside).is_some());
    }

    #[test]
    fn a_box_behind_a_firewall_is_found_from_outside() {
        let mut t = Topology::new();
        let rng = Rng::from_seed([1; 32]);
        let now = Instant::from_millis(1);
        let firewalled = t.add_lan(Nat::stateful_firewall(), INTERNET, false, &rng);
        let home = t.add_lan(Nat::symmetric(), firewalled, false, &rng);
        let inside = with_port(t.attach(0, home));
        let outside = with_port(t.attach(1, INTERNET));
        let there = t.route(now, home, inside, outside).expect("goes out");
        let back = t.route(now, INTERNET, outside, there.from);
        assert_eq!(back.map(|l| (l.host, l.to)), Some((0, inside)));
    }

    #[test]
    fn a_renumbered_box_is_found_at_its_new_address_only() {
        let mut t = Topology::new();
        let rng = Rng::from_seed([1; 32]);
        let now = Instant::from_millis(1);
        let home = t.add_lan(Nat::full_cone(), INTERNET, false, &rng);
        let inside = with_port(t.attach(0, home));
        let outside = with_port(t.attach(1, INTERNET));
        let old = t.route(now, home, inside, outside).expect("goes out").from;
        t.renumber_gateway(home);
        assert_eq!(t.route(now, INTERNET, outside, old), None);
        let new = t.route(now, home, inside, outside).expect("goes out").from;
        assert_ne!(new.ip(), old.ip());
    }
}
