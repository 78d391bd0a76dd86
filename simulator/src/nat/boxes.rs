//! A box with its state: told packets that leave and packets that come in, it says how they go on,
//! if at all. Mappings are found by internal endpoint and destination (as far as the behaviour
//! distinguishes destinations), and by external port. RFC 4787 §4 to §6.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use p2p_core::rng::Rng;
use p2p_core::time::Instant;

use super::{Early, Filtering, Hairpin, Mapping, Nat, PortAllocation, Refresh};

/// What distinguishes mappings: the internal endpoint and, depending on the behaviour, the
/// destination.
type Key = (SocketAddr, Option<IpAddr>, Option<u16>);

/// How long a box that blocks does so.
const BLOCKED_FOR: Duration = Duration::from_secs(10);

struct Entry {
    external_port: u16,
    /// Destinations sent to, and when that permission was last renewed.
    permits: BTreeMap<SocketAddr, Permit>,
}

#[derive(Clone, Copy)]
struct Permit {
    renewed: Instant,
    replied: bool,
}

/// What a box makes of a packet from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// Goes on to this internal endpoint.
    To(SocketAddr),
    /// Nobody asked for it.
    Dropped,
}

/// One box with its mappings.
pub struct NatBox {
    /// Its behaviour; may be changed at any time.
    pub nat: Nat,
    /// Its external address.
    pub external: IpAddr,
    rng: Rng,
    entries: BTreeMap<Key, Entry>,
    by_port: BTreeMap<u16, Vec<Key>>,
    last_port: u16,
    /// External port and remote end of packets that came early, and when.
    unasked: BTreeMap<(u16, SocketAddr), Instant>,
    blocked: BTreeMap<IpAddr, Instant>,
}

impl NatBox {
    /// An empty box.
    #[must_use]
    pub fn new(nat: Nat, external: IpAddr, mut rng: Rng) -> Self {
        let last_port = 20_000 + rng.below(20_000) as u16;
        Self {
            nat,
            external,
            rng,
            entries: BTreeMap::new(),
            by_port: BTreeMap::new(),
            last_port,
            unasked: BTreeMap::new(),
            blocked: BTreeMap::new(),
        }
    }

    /// Mappings held now, expired ones included until they are looked at.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no mapping.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Loses all state, as a reboot does.
    pub fn reboot(&mut self) {
        self.entries.clear();
        self.by_port.clear();
        self.unasked.clear();
        self.blocked.clear();
        self.last_port = 20_000 + self.rng.below(20_000) as u16;
    }

    /// Takes a packet from inside; gives the source with which it leaves.
    pub fn outbound(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) -> SocketAddr {
        let key = self.key(from, to);
        self.expire(now, key);
        if !self.entries.contains_key(&key) {
            self.make_room();
            let external_port = self.allocate(now, from, to);
            let permits = BTreeMap::new();
            self.entries.insert(
                key,
                Entry {
                    external_port,
                    permits,
                },
            );
            self.by_port.entry(external_port).or_default().push(key);
        }
        let external = self.external;
        let entry = self.entries.get_mut(&key).expect("made above");
        let permit = entry.permits.entry(to).or_insert(Permit {
            renewed: now,
            replied: false,
        });
        permit.renewed = now;
        if self.nat.translates {
            SocketAddr::new(external, entry.external_port)
        } else {
            from
        }
    }

    /// Takes a packet from outside.
    pub fn inbound(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) -> Inbound {
        let since = self.blocked.get(&from.ip());
        if since.is_some_and(|t| now.saturating_since(*t) < BLOCKED_FOR) {
            return Inbound::Dropped;
        }
        let target = self.admit(now, from, to);
        if target == Inbound::Dropped {
            self.on_unasked(now, from, to);
        }
        target
    }

    fn on_unasked(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) {
        match self.nat.early {
            Early::Drop => {}
            Early::Poison => {
                self.unasked.insert((to.port(), from), now);
            }
            Early::Block => {
                self.blocked.insert(from.ip(), now);
            }
        }
    }

    fn admit(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) -> Inbound {
        for key in self.keys_at(to) {
            self.expire(now, key);
            let filtering = self.nat.filtering;
            let refresh = self.nat.refresh;
            let Some(entry) = self.entries.get_mut(&key) else {
                continue;
            };
            let accepted = match filtering {
                Filtering::EndpointIndependent => true,
                Filtering::AddressDependent => entry.permits.keys().any(|p| p.ip() == from.ip()),
                Filtering::AddressAndPortDependent => entry.permits.contains_key(&from),
            };
            if !accepted {
                continue;
            }
            for (remote, permit) in &mut entry.permits {
                let concerned = match filtering {
                    Filtering::EndpointIndependent => true,
                    Filtering::AddressDependent => remote.ip() == from.ip(),
                    Filtering::AddressAndPortDependent => *remote == from,
                };
                if concerned {
                    permit.replied = true;
                    if refresh == Refresh::Both {
                        permit.renewed = now;
                    }
                }
            }
            return Inbound::To(key.0);
        }
        Inbound::Dropped
    }

    /// Takes a packet from inside to an external address of this box: its new source and where it
    /// goes.
    pub fn hairpin(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
    ) -> Option<(SocketAddr, SocketAddr)> {
        if self.nat.hairpin == Hairpin::None {
            return None;
        }
        let external = self.outbound(now, from, to);
        match self.inbound(now, external, to) {
            Inbound::Dropped => None,
            Inbound::To(target) => match self.nat.hairpin {
                Hairpin::InternalSource => Some((from, target)),
                _ => Some((external, target)),
            },
        }
    }

    fn key(&self, from: SocketAddr, to: SocketAddr) -> Key {
        match self.nat.mapping {
            Mapping::EndpointIndependent => (from, None, None),
            Mapping::AddressDependent => (from, Some(to.ip()), None),
            Mapping::AddressAndPortDependent => (from, Some(to.ip()), Some(to.port())),
        }
    }

    fn keys_at(&self, to: SocketAddr) -> Vec<Key> {
        if !self.nat.translates {
            let own = |k: &&Key| k.0 == to;
            return self.entries.keys().filter(own).copied().collect();
        }
        self.by_port.get(&to.port()).cloned().unwrap_or_default()
    }

    fn life(&self, replied: bool) -> Duration {
        if replied {
            self.nat.timeout
        } else {
            self.nat.unreplied_timeout
        }
    }

    fn expire(&mut self, now: Instant, key: Key) {
        let (long, short) = (self.life(true), self.life(false));
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry
            .permits
            .retain(|_, p| now.saturating_since(p.renewed) < if p.replied { long } else { short });
        if entry.permits.is_empty() {
            self.remove(key);
        }
    }

    fn remove(&mut self, key: Key) {
        if let Some(entry) = self.entries.remove(&key)
            && let Some(keys) = self.by_port.get_mut(&entry.external_port)
        {
            keys.retain(|k| *k != key);
            if keys.is_empty() {
                self.by_port.remove(&entry.external_port);
            }
        }
    }

    fn make_room(&mut self) {
        if self.entries.len() < self.nat.capacity {
            return;
        }
        let newest = |e: &Entry| e.permits.values().map(|p| p.renewed).max();
        let oldest = self.entries.iter().min_by_key(|(_, e)| newest(e));
        if let Some(key) = oldest.map(|(k, _)| *k) {
            self.remove(key);
        }
    }

    fn allocate(&mut self, now: Instant, from: SocketAddr, to: SocketAddr) -> u16 {
        match self.nat.ports {
            PortAllocation::Preserving => from.port(),
            PortAllocation::PreservingWithFallback => {
                for key in self.by_port.get(&from.port()).cloned().unwrap_or_default() {
                    self.expire(now, key);
                }
                let unasked = self.unasked.get(&(from.port(), to));
                let poisoned = unasked.is_some_and(|t| now.saturating_since(*t) < self.life(false));
                if poisoned || self.is_taken(from.port(), from, to) {
                    self.random_port()
                } else {
                    from.port()
                }
            }
            PortAllocation::Sequential(step) => loop {
                let next = self.last_port.checked_add(step.max(1));
                self.last_port = next.unwrap_or(1_024);
                if !self.by_port.contains_key(&self.last_port) {
                    return self.last_port;
                }
            },
            PortAllocation::Random => self.random_port(),
        }
    }

    /// A port is taken where somebody else holds it and answers could not be told apart.
    fn is_taken(&self, port: u16, from: SocketAddr, to: SocketAddr) -> bool {
        let holders = self.by_port.get(&port).map_or(&[][..], Vec::as_slice);
        holders.iter().any(|k| {
            let same_ip = k.1 == Some(to.ip());
            let same_end = same_ip && k.2 == Some(to.port());
            k.0 != from
                && match (self.nat.mapping, self.nat.filtering) {
                    (Mapping::EndpointIndependent, _) | (_, Filtering::EndpointIndependent) => true,
                    (Mapping::AddressDependent, _) | (_, Filtering::AddressDependent) => same_ip,
                    _ => same_end,
                }
        })
    }

    fn random_port(&mut self) -> u16 {
        loop {
            let port = 1_024 + self.rng.below(64_512) as u16;
            if !self.by_port.contains_key(&port) {
                return port;
            }
        }
    }
}
