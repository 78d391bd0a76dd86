//! Casting: who is in a world, where it sits, what its link is like and whom it knows.

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use p2p_core::api::{IntroducerAddress, NodeConfig, Roles};
use p2p_core::id::NodeId;
use p2p_core::time::{Duration, Instant};

use super::clock::Clock;
use super::host::{Host, Traffic};
use super::topology::{INTERNET, LanId};
use super::{Who, World};
use crate::app::Application;
use crate::link::{Direction, Link};
use crate::nat::Nat;

/// UDP port of every node inside its own network.
const PORT: u16 = 7_733;

/// Sets up one node; [`NodeBuilder::start`] puts it into the world.
#[must_use = "call start"]
pub struct NodeBuilder<'w> {
    world: &'w mut World,
    name: String,
    lan: LanId,
    roles: Roles,
    introducers: Vec<Who>,
    up: Link,
    down: Link,
    drift_ppm: i32,
    configure: Option<fn(&mut NodeConfig)>,
}

impl NodeBuilder<'_> {
    /// Puts the node alone behind a box.
    pub fn behind(mut self, nat: Nat) -> Self {
        self.lan = self.world.lan(nat);
        self
    }

    /// Puts the node alone behind several boxes, inner first; none for the open internet.
    pub fn behind_chain(mut self, chain: &[Nat]) -> Self {
        let mut outer = INTERNET;
        for (depth, nat) in chain.iter().enumerate().rev() {
            let rng = self.world.rng.fork("topology");
            outer = self.world.topology.add_lan(*nat, outer, depth > 0, &rng);
        }
        self.lan = outer;
        self
    }

    /// Puts the node into a network beside others.
    pub fn on(mut self, lan: LanId) -> Self {
        self.lan = lan;
        self
    }

    /// What it does for others.
    pub fn roles(mut self, roles: Roles) -> Self {
        self.roles = roles;
        self
    }

    /// Lets it know an introducer from the start.
    pub fn introducer(mut self, introducer: Who) -> Self {
        self.introducers.push(introducer);
        self
    }

    /// Its link, both directions.
    pub fn link(mut self, link: Link) -> Self {
        self.up = link.clone();
        self.down = link;
        self
    }

    /// How much too fast its clock runs, in parts per million.
    pub fn drift(mut self, ppm: i32) -> Self {
        self.drift_ppm = ppm;
        self
    }

    /// Changes anything else of its configuration.
    pub fn configure(mut self, configure: fn(&mut NodeConfig)) -> Self {
        self.configure = Some(configure);
        self
    }

    /// Puts the node into the world.
    ///
    /// # Panics
    /// Where the engine refuses the configuration.
    pub fn start(self) -> Who {
        let Self {
            world,
            name,
            lan,
            roles,
            introducers,
            up,
            down,
            drift_ppm,
            configure,
        } = self;
        let mut rng = world.rng.fork(&format!("keys of {name}"));
        let mut config = NodeConfig::new(rng.array(), rng.array(), rng.array());
        config.name = Some(name.clone());
        config.roles = roles;
        config.introducers = introducers
            .iter()
            .map(|who| world.introducer_address(*who))
            .collect();
        if let Some(configure) = configure {
            configure(&mut config);
        }
        let who = world.place(name, lan, config, [up, down]);
        let host = &mut world.hosts[who.0];
        host.clock.drift_ppm = drift_ppm;
        world.boot(who);
        who
    }
}

impl World {
    /// A node on the open internet with all roles, known to resolvers by its name.
    pub fn public_node(&mut self, name: &str) -> Who {
        self.node(name).roles(Roles::ALL).start()
    }

    /// Begins a node on the open internet.
    pub fn node(&mut self, name: &str) -> NodeBuilder<'_> {
        let link = self.link.clone();
        NodeBuilder {
            name: name.to_owned(),
            lan: INTERNET,
            roles: Roles::default(),
            introducers: Vec::new(),
            up: link.clone(),
            down: link,
            drift_ppm: 0,
            configure: None,
            world: self,
        }
    }

    /// Adds a network behind a box.
    pub fn lan(&mut self, nat: Nat) -> LanId {
        let rng = self.rng.fork("topology");
        self.topology.add_lan(nat, INTERNET, false, &rng)
    }

    /// Adds a network behind a box that itself sits behind another, as with carrier-grade
    /// translation.
    pub fn lan_within(&mut self, nat: Nat, outer: LanId) -> LanId {
        let rng = self.rng.fork("topology");
        self.topology.add_lan(nat, outer, false, &rng)
    }

    /// A host on the open internet without an engine, for a test to send from with
    /// [`World::send_raw`].
    pub fn stranger(&mut self, name: &str) -> Who {
        let link = self.link.clone();
        let config = NodeConfig::new([0; 32], [0; 32], [0; 32]);
        let who = self.place(name.to_owned(), INTERNET, config, [link.clone(), link]);
        self.hosts[who.0].raw = true;
        who
    }

    /// The address of a node as it would be given to others.
    #[must_use]
    pub fn introducer_address(&self, who: Who) -> IntroducerAddress {
        let host = &self.hosts[who.0];
        IntroducerAddress {
            id: host.id,
            host: format!("{}.test", host.name),
            port: host.address.port(),
        }
    }

    fn place(
        &mut self,
        name: String,
        lan: LanId,
        config: NodeConfig,
        [up, down]: [Link; 2],
    ) -> Who {
        let index = self.hosts.len();
        let address = SocketAddr::new(self.topology.attach(index, lan), PORT);
        self.names.insert(format!("{name}.test"), address);
        let rng = self.rng.fork(&format!("host {index}"));
        let offset = Duration::from_nanos(rng.fork("clock").below(3_600_000_000_000));
        self.hosts.push(Host {
            name,
            lan,
            address,
            up: Direction::new(up, rng.fork("up")),
            down: Direction::new(down, rng.fork("down")),
            clock: Clock {
                offset,
                drift_ppm: 0,
            },
            engine: None,
            raw: false,
            id: NodeId::from_bytes([0; 32]),
            config,
            incarnation: 0,
            timer: None,
            spins: (Instant::EPOCH, 0),
            paused: false,
            unplugged: false,
            backlog: VecDeque::new(),
            app: Application::default(),
            traffic: Traffic::default(),
            strangers: BTreeMap::new(),
        });
        Who(index)
    }

    /// Makes a host's engine from its configuration, with fresh randomness for each start.
    pub(super) fn boot(&mut self, who: Who) {
        let make = self.make;
        let host = &mut self.hosts[who.0];
        host.incarnation += 1;
        host.config.local_addresses = vec![host.address].into();
        let mut config = host.config.clone();
        let label = format!("start {} of {}", host.incarnation, who.0);
        config.rng_seed = self.rng.fork(&label).array();
        let engine = make(config, host.clock.local(self.now));
        let engine = engine.unwrap_or_else(|e| panic!("{}: {e}", host.name));
        host.id = engine.id();
        self.by_id.insert(host.id, who.0);
        host.engine = Some(engine);
        self.drive(who.0);
    }
}
