//! Two peers behind model NATs (RFC 4787's words) with a relay between them: 20 ms directly, 40 ms
//! through the relay. Plays what both sides want to send, in order of time; no protocol of its
//! own.

use core::net::{Ipv4Addr, SocketAddr};
use std::collections::BTreeMap;

use super::super::*;
use crate::api::CandidateKind;

const RELAY: Route = Route::Relay {
    relay: 1,
    channel: 1,
};
pub(super) const PACKET_BYTES: usize = 43;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mapping {
    EndpointIndependent,
    AddressAndPortDependent,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Filtering {
    EndpointIndependent,
    AddressDependent,
    AddressAndPortDependent,
}

/// A NAT with one host inside.
pub(super) struct Nat {
    public: Ipv4Addr,
    mapping: Mapping,
    filtering: Filtering,
    /// (destination where it matters, public port, destinations spoken to)
    mappings: Vec<(Option<SocketAddr>, u16, Vec<SocketAddr>)>,
    next_port: u16,
}

impl Nat {
    pub(super) fn new(public: [u8; 4], mapping: Mapping, filtering: Filtering) -> Self {
        let public = Ipv4Addr::from(public);
        let mut nat = Self {
            public,
            mapping,
            filtering,
            mappings: Vec::new(),
            next_port: 40_000,
        };
        // The introducer saw this mapping.
        nat.outbound("203.0.113.200:7000".parse().unwrap());
        nat
    }

    pub(super) fn reflexive(&self) -> SocketAddr {
        (self.public, self.mappings[0].1).into()
    }

    /// Forgets all mappings; new ones get other ports.
    pub(super) fn reboot(&mut self) {
        self.mappings.clear();
        self.next_port += 1_000;
    }

    fn outbound(&mut self, to: SocketAddr) -> SocketAddr {
        let wanted = (self.mapping == Mapping::AddressAndPortDependent).then_some(to);
        let place = self.mappings.iter().position(|(d, ..)| *d == wanted);
        let place = place.unwrap_or_else(|| {
            // A step that no guess of neighbouring ports would hit.
            self.next_port = self.next_port.wrapping_mul(29).wrapping_add(7_919) | 0x8000;
            self.mappings.push((wanted, self.next_port, Vec::new()));
            self.mappings.len() - 1
        });
        let (_, port, spoken) = &mut self.mappings[place];
        spoken.push(to);
        (self.public, *port).into()
    }

    fn lets_in(&self, from: SocketAddr, to: SocketAddr) -> bool {
        let mut here = self
            .mappings
            .iter()
            .filter(|(_, port, _)| to.port() == *port);
        to.ip() == self.public
            && here.any(|(_, _, spoken)| match self.filtering {
                Filtering::EndpointIndependent => true,
                Filtering::AddressDependent => spoken.iter().any(|s| s.ip() == from.ip()),
                Filtering::AddressAndPortDependent => spoken.contains(&from),
            })
    }
}

#[derive(Clone, Copy)]
pub(super) enum Content {
    Challenge([u8; 8]),
    Response([u8; 8]),
    Data,
}

struct Packet {
    to_side: usize,
    /// As the receiver sees it.
    route: Route,
    number: u64,
    content: Content,
}

pub(super) struct Side {
    pub paths: Paths,
    pub nat: Nat,
    pub events: Vec<PathEvent>,
    pub probes: Vec<(Instant, SocketAddr)>,
    next_number: u64,
    newest: u64,
}

pub(super) struct World {
    pub now: Instant,
    pub sides: [Side; 2],
    pub direct_is_cut: bool,
    pub relay_is_cut: bool,
    /// Copies packets for side 1 that come from side 0 directly, and sends them from here, 10 ms
    /// earlier.
    pub copier: Option<SocketAddr>,
    in_flight: BTreeMap<(Instant, u64), Packet>,
    count: u64,
}

impl World {
    pub(super) fn new(seed: u8, nats: [Nat; 2]) -> Self {
        let mut root = 0;
        let sides = nats.map(|nat| {
            root += 1;
            let rng = Rng::from_seed([seed.wrapping_add(root); 32]);
            let mut paths = Paths::new(rng, true, Instant::EPOCH);
            paths.on_local_addresses(&[nat.reflexive()], &["192.168.7.1:7000".parse().unwrap()]);
            Side {
                paths,
                nat,
                events: Vec::new(),
                probes: Vec::new(),
                next_number: 0,
                newest: 0,
            }
        });
        Self {
            now: Instant::EPOCH,
            sides,
            direct_is_cut: false,
            relay_is_cut: false,
            copier: None,
            in_flight: BTreeMap::new(),
            count: 0,
        }
    }

    /// Both sides meet through the relay and exchange candidates.
    pub(super) fn introduce(&mut self) {
        let reflexive = [0, 1].map(|i| self.sides[i].nat.reflexive());
        for (side, other) in [(0, 1), (1, 0)] {
            let candidates = [(reflexive[other], CandidateKind::ServerReflexive)];
            let paths = &mut self.sides[side].paths;
            paths.on_relay_route(self.now, RELAY);
            paths.on_remote_candidates(self.now, &candidates);
        }
    }

    pub(super) fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            for side in 0..2 {
                self.sides[side].paths.handle_timeout(self.now);
                self.drain(side);
                let next = self.sides[side].paths.next_timeout();
                assert!(
                    next.is_none_or(|next| next.at > self.now),
                    "stuck at {next:?}"
                );
            }
            let packet = self.in_flight.keys().next().map(|(at, _)| *at);
            let timers = self
                .sides
                .iter()
                .filter_map(|s| s.paths.next_timeout())
                .map(|d| d.at);
            let next = timers.chain(packet).min().unwrap_or(end);
            if next > end {
                self.now = end;
                return;
            }
            self.now = next;
            while let Some(entry) = self.in_flight.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let packet = entry.remove();
                self.deliver(packet);
            }
        }
    }

    /// Sends one packet of data on the active path.
    pub(super) fn send_data(&mut self, side: usize) {
        if let Some((_, route)) = self.sides[side].paths.active() {
            self.send(side, route, Content::Data);
        }
    }

    fn drain(&mut self, side: usize) {
        while let Some((route, bytes)) = self.sides[side].paths.poll_response() {
            self.send(side, route, Content::Response(bytes));
        }
        while let Some(probe) = self.sides[side].paths.poll_probe(self.now, true) {
            if let (false, Some(to)) = (probe.validated, probe.route.address()) {
                self.sides[side].probes.push((self.now, to));
            }
            self.send(side, probe.route, Content::Challenge(probe.challenge));
        }
        while let Some((path, _, bytes)) = self.sides[side].paths.poll_mtu_probe(self.now) {
            self.sides[side]
                .paths
                .on_mtu_probe_acked(self.now, path, bytes);
        }
        while let Some(route) = self.sides[side].paths.poll_keep_alive(self.now) {
            self.send(side, route, Content::Data);
        }
        while let Some(event) = self.sides[side].paths.poll_event() {
            self.sides[side].events.push(event);
        }
    }

    fn send(&mut self, side: usize, route: Route, content: Content) {
        let (now, other) = (self.now, 1 - side);
        self.sides[side]
            .paths
            .on_packet_sent(now, route, PACKET_BYTES);
        self.sides[side].next_number += 1;
        let number = self.sides[side].next_number;
        let Some(to) = route.address() else {
            if !self.relay_is_cut {
                self.fly(
                    40,
                    Packet {
                        to_side: other,
                        route: RELAY,
                        number,
                        content,
                    },
                );
            }
            return;
        };
        // Whatever goes to the copier is passed on to the true address, as from the copier.
        if self.copier == Some(to) {
            let route = Route::to(to);
            return self.fly(
                10,
                Packet {
                    to_side: other,
                    route,
                    number,
                    content,
                },
            );
        }
        let from = self.sides[side].nat.outbound(to);
        if self.direct_is_cut || !self.sides[other].nat.lets_in(from, to) {
            return;
        }
        if let (0, Some(copier)) = (side, self.copier) {
            let route = Route::to(copier);
            self.fly(
                10,
                Packet {
                    to_side: other,
                    route,
                    number,
                    content,
                },
            );
        }
        let route = Route::to(from);
        self.fly(
            20,
            Packet {
                to_side: other,
                route,
                number,
                content,
            },
        );
    }

    fn fly(&mut self, delay_ms: u64, packet: Packet) {
        self.count += 1;
        let at = self.now + Duration::from_millis(delay_ms);
        self.in_flight.insert((at, self.count), packet);
    }

    fn deliver(&mut self, packet: Packet) {
        let (now, side) = (self.now, &mut self.sides[packet.to_side]);
        let is_newest = packet.number > side.newest;
        side.newest = side.newest.max(packet.number);
        let received = Received {
            bytes: PACKET_BYTES,
            is_newest,
            is_probing: !matches!(packet.content, Content::Data),
            is_eliciting: matches!(packet.content, Content::Data),
        };
        side.paths.on_packet_received(now, packet.route, received);
        match packet.content {
            Content::Challenge(bytes) => side.paths.on_challenge_received(now, packet.route, bytes),
            Content::Response(bytes) => {
                let _ = side.paths.on_response_received(now, packet.route, bytes);
            }
            Content::Data => {}
        }
    }

    pub(super) fn is_direct(&self, side: usize) -> bool {
        matches!(self.sides[side].paths.active(), Some((_, Route::Direct(_))))
    }
}
