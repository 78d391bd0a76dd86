//! Nodes wired back to back in virtual time, on a network that a test may look into and meddle with. Random loss,
//! NATs and long campaigns are the simulator's business; here each datagram can be named.

mod bounds;
mod crossing;
mod cycles;
mod direct;
mod edge;
mod effects;
mod forged;
mod guests;
mod handshake;
mod hostile;
mod initiations;
mod introducers;
mod latest;
mod operator;
mod order;
mod privacy;
mod relaying;
mod repeating;
mod replay;
mod rest;
mod rush;
mod services;
mod sharing;
mod strangers;
mod time;
mod timers;
mod wiring;

use core::net::SocketAddr;
use std::collections::BTreeMap;

use super::forge::forge;
use crate::Node;
use crate::api::{
    Accepted, Command, ConnectTarget, Effect, Engine, Event, NodeConfig, PeerState, Roles,
};
use crate::id::{NodeId, PeerKey};
use crate::identity::KeyRecord;
use crate::path::Route;
use crate::time::{Duration, Instant};

/// Steps at one moment that are taken for an endless loop.
const STEPS_AT_ONCE: u32 = 50_000;

/// A datagram on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Datagram {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
}

/// What the network does with a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Pass,
    Drop,
    /// Takes so much longer.
    Late(Duration),
}

type Tap = Box<dyn FnMut(usize, &mut Datagram) -> Fate>;

/// A handful of nodes, each at one address; datagrams take one millisecond.
struct Net {
    now: Instant,
    nodes: BTreeMap<SocketAddr, Node>,
    /// What was asked of the outside and not answered.
    effects: BTreeMap<NodeId, Vec<Effect>>,
    events: BTreeMap<NodeId, Vec<Event>>,
    wire: BTreeMap<(Instant, u64), Datagram>,
    serial: u64,
    /// Decides about each datagram; told its place since the tap was set.
    tap: Option<Tap>,
    tapped: usize,
    /// Everything that was sent, where recording is on.
    trace: Option<Vec<Datagram>>,
    buffer: Vec<u8>,
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 6660))
}

/// An address on the public Internet that is nobody's.
fn stranger() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 99], 4_000))
}

fn config(n: u8) -> NodeConfig {
    let mut config = NodeConfig::new([n; 32], [n + 100; 32], [n + 50; 32]);
    config.local_addresses = vec![address(n)].into();
    config
}

impl Net {
    fn new() -> Self {
        Self {
            now: Instant::from_millis(1_000),
            nodes: BTreeMap::new(),
            effects: BTreeMap::new(),
            events: BTreeMap::new(),
            wire: BTreeMap::new(),
            serial: 0,
            tap: None,
            tapped: 0,
            trace: None,
            buffer: vec![0; 65_536],
        }
    }

    fn add(&mut self, n: u8, config: NodeConfig) -> NodeId {
        let node = Node::new(config, self.now).expect("a valid configuration");
        let id = node.id();
        self.nodes.insert(address(n), node);
        id
    }

    fn node(&mut self, n: u8) -> &mut Node {
        self.nodes
            .get_mut(&address(n))
            .expect("a node at this address")
    }

    fn order(&mut self, n: u8, command: Command) -> Accepted {
        let now = self.now;
        self.node(n)
            .handle_command(now, command)
            .expect("an order that is obeyed")
    }

    fn connect(&mut self, n: u8, peer: NodeId) -> Accepted {
        let (target, timeout) = (ConnectTarget::Id(peer), Duration::from_secs(10));
        let introducer = None;
        self.order(
            n,
            Command::Connect {
                target,
                introducer,
                timeout,
            },
        )
    }

    fn set_tap(&mut self, tap: impl FnMut(usize, &mut Datagram) -> Fate + 'static) {
        self.tap = Some(Box::new(tap));
        self.tapped = 0;
    }

    /// Puts a datagram on the wire as if it had just been sent.
    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let mut datagram = Datagram { from, to, bytes };
        if let Some(trace) = &mut self.trace {
            trace.push(datagram.clone());
        }
        let mut arrives = self.now + Duration::from_millis(1);
        if let Some(tap) = &mut self.tap {
            let place = self.tapped;
            self.tapped += 1;
            match tap(place, &mut datagram) {
                Fate::Pass => {}
                Fate::Drop => return,
                Fate::Late(more) => arrives += more,
            }
        }
        self.serial += 1;
        self.wire.insert((arrives, self.serial), datagram);
    }

    /// Gives a datagram to a node at once, and what it sends in answer is put on the wire.
    fn deliver(&mut self, n: u8, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        self.node(n).handle_datagram(now, from, &mut bytes.to_vec());
        self.drain();
    }

    fn drain(&mut self) {
        let mut out = Vec::new();
        for (from, node) in &mut self.nodes {
            let mut batches = 0;
            while let Some(t) = node.poll_transmit(self.now, &mut self.buffer) {
                batches += 1;
                assert!(batches < STEPS_AT_ONCE, "endless output at {:?}", self.now);
                for datagram in self.buffer[..t.len].chunks(t.segment_size) {
                    out.push((*from, t.to, datagram.to_vec()));
                }
            }
            while let Some(event) = node.poll_event() {
                self.events.entry(node.id()).or_default().push(event);
            }
            while let Some(effect) = node.poll_effect() {
                self.effects.entry(node.id()).or_default().push(effect);
            }
        }
        for (from, to, bytes) in out {
            self.send(from, to, bytes);
        }
    }

    /// Runs for a while of virtual time.
    fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let (mut steps, mut at) = (0, self.now);
        loop {
            self.drain();
            let arrival = self.wire.keys().next().map(|(at, _)| *at);
            let timers = self.nodes.values().filter_map(Engine::poll_timeout);
            let next = timers.map(|d| d.at).chain(arrival).min();
            let Some(next) = next.filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            steps = if self.now == at { steps + 1 } else { 0 };
            at = self.now;
            assert!(steps < STEPS_AT_ONCE, "an endless loop at {at:?}");
            if arrival.is_some_and(|at| at <= self.now) {
                let (_, mut datagram) = self.wire.pop_first().expect("looked at");
                if let Some(node) = self.nodes.get_mut(&datagram.to) {
                    node.handle_datagram(self.now, datagram.from, &mut datagram.bytes);
                }
            } else {
                for node in self.nodes.values_mut() {
                    if node.poll_timeout().is_some_and(|d| d.at <= self.now) {
                        node.handle_timeout(self.now);
                    }
                }
            }
        }
        self.now = end;
    }

    fn events_of(&mut self, id: NodeId) -> Vec<Event> {
        self.events.remove(&id).unwrap_or_default()
    }

    fn is_connected(&mut self, n: u8, peer: &NodeId) -> bool {
        let now = self.now;
        let status = self.node(n).peer(now, peer);
        status.is_some_and(|s| s.state == PeerState::Connected)
    }

    /// A sealed packet with these frames, as `n` would send it to `peer` now, and where to.
    fn forge(&mut self, n: u8, peer: NodeId, frames: &[u8]) -> (SocketAddr, Vec<u8>) {
        let now = self.now;
        let sealed = forge(self.node(n), now, &peer, frames);
        match sealed.expect("a session") {
            (Route::Direct(to), bytes) => (to.remote, bytes),
            (route, _) => panic!("not direct: {route:?}"),
        }
    }
}

/// Whether the application was told of a connection.
fn is_connected_event(event: &Event) -> bool {
    matches!(event, Event::Connected { .. })
}

fn is_disconnected_event(event: &Event) -> bool {
    matches!(event, Event::Disconnected { .. })
}

fn count(events: &[Event], is_it: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| is_it(event)).count()
}

/// The configuration of ada (2), ben (3) or another node that knows the introducer (1).
fn client(n: u8, name: &str, introducer: NodeId) -> NodeConfig {
    let mut config = config(n);
    config.name = Some(name.to_owned());
    let introducer = format!("p2p://{introducer}@10.0.0.1:6660");
    config.introducers = vec![introducer.parse().expect("an address")];
    config
}

fn introducer_config() -> NodeConfig {
    let mut introducer = config(1);
    introducer.roles = Roles::ALL;
    introducer
}

/// An introducer (1) and two registered nodes, ada (2) and ben (3), on a public network.
fn three() -> (Net, NodeId, NodeId) {
    let mut net = Net::new();
    let introducer = net.add(1, introducer_config());
    let ada = net.add(2, client(2, "ada", introducer));
    let ben = net.add(3, client(3, "ben", introducer));
    net.run(Duration::from_secs(2));
    (net, ada, ben)
}

/// Ada (2) and ben (3) alone, who know each other's addresses.
fn pair() -> (Net, NodeId, NodeId) {
    let mut net = Net::new();
    let ada = net.add(2, config(2));
    let ben = net.add(3, config(3));
    (net, ada, ben)
}

/// The peer of a record, known to the application of `node`.
fn prepare(node: &mut Node, now: Instant, record: KeyRecord) -> PeerKey {
    node.peers.prepare(now, record, None)
}

/// Lets `n` call `m` where `m` lives.
fn call(net: &mut Net, n: u8, m: u8) {
    let now = net.now;
    let record = net.node(m).endpoint.door.identity().record().clone();
    let node = net.node(n);
    let key = prepare(node, now, record);
    let (endpoint, peers) = (&mut node.endpoint, &mut node.peers);
    endpoint.initiate(now, peers, key, Route::to(address(m)));
    net.drain();
}

fn connected() -> (Net, NodeId, NodeId) {
    let (mut net, ada, ben) = three();
    net.connect(2, ben);
    net.run(Duration::from_secs(2));
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    (net, ada, ben)
}
