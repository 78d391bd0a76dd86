//! An introducer and two nodes with surfaces on a perfect network in virtual time, and an HTTP client without HTTP.
#![allow(dead_code, reason = "each test file uses its part")]

mod client;
mod disk;

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use p2p_core::Node;
use p2p_core::api::{Engine, NodeConfig, Roles};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_http_api::{
    BodyKind, HttpId, InboxPlace, ResponsePart, SettingValue, SocketId, SocketNews, SocketOrder,
    Surface, SurfaceConfig, Token,
};
use p2p_storage::Book;
use p2p_storage::transfers::{FileWorker, MemoryVolume};

#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use client::{Ask, Response, ask, bare};
pub(crate) use disk::Disk;

pub(crate) const HOST: &str = "localhost:8080";
pub(crate) const TOKEN: [u8; 32] = [7; 32];

pub(crate) fn bearer() -> String {
    format!("Bearer {}", p2p_core::id::encode_z_base_32(&TOKEN))
}

struct Upload {
    rest: Bytes,
    ends: bool,
}

/// A node with its surface.
pub(crate) struct Party {
    pub node: Node,
    pub surface: Surface,
    pub responses: BTreeMap<HttpId, Response>,
    uploads: BTreeMap<HttpId, Upload>,
    pub reads: bool,
    unread: BTreeMap<HttpId, usize>,
    /// Connections to applications, as the host would carry them out; the test is the application.
    pub sockets: BTreeMap<SocketId, Socket>,
    /// The disk for files that are sent and received.
    pub volume: MemoryVolume,
    files: FileWorker,
    /// Whether applications listen.
    pub listens: bool,
    /// Whether applications and programs take what is written to them.
    pub writes: bool,
    /// Ports for programs, as the host would have them, and the connections that are wanted there.
    pub ports: BTreeMap<SocketId, (SocketAddr, VecDeque<SocketId>)>,
    /// Where changes are kept, for those that have one.
    pub disk: Option<Disk>,
}

/// One connection to an application.
#[derive(Clone, Debug, Default)]
pub(crate) struct Socket {
    pub addresses: Vec<SocketAddr>,
    /// What the application was sent.
    pub sent: Vec<u8>,
    /// What it may still send.
    pub credit: usize,
    pub is_finished: bool,
    pub is_closed: bool,
    pub is_reset: bool,
}

/// Three nodes on one network; datagrams take one millisecond.
pub(crate) struct World {
    pub now: Instant,
    pub parties: BTreeMap<SocketAddr, Party>,
    wire: VecDeque<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    buffer: Vec<u8>,
    next_id: u64,
    pub cut: bool,
    restarts: u64,
}

/// The introducer's place.
pub(crate) const INTRODUCER: u8 = 1;
/// The node that asks.
pub(crate) const ADA: u8 = 2;
/// The node that is asked.
pub(crate) const BEN: u8 = 3;

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 6660))
}

pub(crate) fn config(n: u8) -> NodeConfig {
    let mut config = NodeConfig::new([n; 32], [n + 100; 32], [n + 50; 32]);
    config.local_addresses = vec![address(n)].into();
    config
}

pub(crate) fn surface(now: Instant, n: u8, kept: (Book, InboxPlace)) -> Surface {
    Surface::new(surface_config(n, kept), now, 1_770_000_000_000)
}

pub(crate) fn surface_config(n: u8, (book, inbox): (Book, InboxPlace)) -> SurfaceConfig {
    SurfaceConfig {
        token: Token::from_bytes(TOKEN),
        allowed_hosts: SurfaceConfig::loopback_hosts(8_080),
        version: "1.2.3".to_owned(),
        settings: std::collections::BTreeMap::from([(
            "network",
            SettingValue::Text("p2p".to_owned()),
        )]),
        driver: "sim",
        local_forwards: true,
        book,
        inbox,
        rng_seed: [n; 32],
    }
}

impl World {
    /// No node yet.
    pub(crate) fn empty() -> Self {
        Self {
            now: Instant::from_millis(1_000),
            parties: BTreeMap::new(),
            wire: VecDeque::new(),
            buffer: vec![0; 65_536],
            next_id: 0,
            cut: false,
            restarts: 0,
        }
    }

    /// One node alone, without introducer.
    pub(crate) fn alone() -> Self {
        let mut world = Self::empty();
        world.add(ADA, config(ADA));
        world
    }

    /// An introducer and two registered nodes.
    pub(crate) fn three() -> Self {
        let mut world = Self::empty();
        let mut introducer = config(INTRODUCER);
        introducer.roles = Roles::ALL;
        let id = world.add(INTRODUCER, introducer);
        for (n, name) in [(ADA, "ada"), (BEN, "ben")] {
            let mut config = config(n);
            config.name = Some(name.to_owned());
            let place = format!("p2p://{id}@10.0.0.1:6660");
            config.introducers = vec![place.parse().expect("an address")];
            world.add(n, config);
        }
        world.run(Duration::from_secs(2));
        world
    }

    /// The same, and ada is connected with ben.
    pub(crate) fn connected() -> Self {
        let mut world = Self::three();
        let response = world.get(ADA, ask("POST", "/v1/peers/ben/connect").json("{}"));
        assert_eq!(response.status, 200, "{}", response.text());
        world.run(Duration::from_secs(2));
        world
    }

    pub(crate) fn add(&mut self, n: u8, config: NodeConfig) -> NodeId {
        let node = Node::new(config, self.now).expect("a valid configuration");
        let id = node.id();
        let volume = MemoryVolume::default();
        let party = Party {
            files: FileWorker::new(Box::new(volume.clone())),
            volume,
            node,
            surface: surface(self.now, n, Default::default()),
            responses: BTreeMap::new(),
            uploads: BTreeMap::new(),
            reads: true,
            unread: BTreeMap::new(),
            sockets: BTreeMap::new(),
            listens: true,
            writes: true,
            ports: BTreeMap::new(),
            disk: None,
        };
        self.parties.insert(address(n), party);
        id
    }

    /// A node ends in the middle of everything and starts again; perhaps its disk has only what was synced.
    pub(crate) fn restart(&mut self, n: u8, loses_power: bool) {
        self.restarts += 1;
        let volume = self.party(n).volume.clone();
        if loses_power {
            volume.lose_power();
        }
        let introducer = self.party(INTRODUCER).node.id();
        let mut config = config(n);
        config.rng_seed[..8].copy_from_slice(&self.restarts.to_be_bytes());
        config.name = Some(if n == ADA { "ada" } else { "ben" }.to_owned());
        let place = format!("p2p://{introducer}@10.0.0.1:6660");
        config.introducers = vec![place.parse().expect("an address")];
        config.accepted = self.parties.values().map(|party| party.node.id()).collect();
        self.add(n, config);
        let now = self.now;
        let party = self.party(n);
        party.files = FileWorker::new(Box::new(volume.clone()));
        party.surface.restore_transfers(now, volume.rows());
        party.volume = volume;
    }

    pub(crate) fn party(&mut self, n: u8) -> &mut Party {
        self.parties.get_mut(&address(n)).expect("somebody there")
    }

    pub(crate) fn id(&mut self, n: u8) -> String {
        self.party(n).node.id().to_string()
    }

    /// Sends a request without waiting.
    pub(crate) fn send(&mut self, n: u8, ask: Ask) -> HttpId {
        self.next_id += 1;
        let (id, now) = (HttpId(self.next_id), self.now);
        let party = self.party(n);
        let upload = Upload {
            rest: ask.body.unwrap_or_default(),
            ends: !ask.keeps_open,
        };
        party.uploads.insert(id, upload);
        party
            .surface
            .handle_request(now, &mut party.node, id, ask.request);
        party.settle(now);
        id
    }

    /// Goes on with the body of an open-ended request.
    pub(crate) fn upload(&mut self, n: u8, id: HttpId, bytes: &[u8], ends: bool) {
        let now = self.now;
        let party = self.party(n);
        let upload = Upload {
            rest: Bytes::copy_from_slice(bytes),
            ends,
        };
        party.uploads.insert(id, upload);
        party.settle(now);
    }

    /// Sends a request and waits up to two minutes of virtual time for the whole response.
    pub(crate) fn get(&mut self, n: u8, ask: Ask) -> Response {
        let id = self.send(n, ask);
        for _ in 0..1_200 {
            if self.response(n, id).is_complete {
                break;
            }
            self.run(Duration::from_millis(100));
        }
        let response = self.response(n, id);
        assert!(response.is_complete, "no whole response: {response:?}");
        response
    }

    /// What has come back so far.
    pub(crate) fn response(&mut self, n: u8, id: HttpId) -> Response {
        self.party(n)
            .responses
            .get(&id)
            .cloned()
            .unwrap_or_default()
    }

    /// An application of a node does something, on the newest connection to one.
    pub(crate) fn application(&mut self, n: u8, act: impl FnOnce(SocketId) -> SocketNews) {
        let now = self.now;
        let party = self.party(n);
        let id = *party.sockets.keys().next_back().expect("a connection");
        let news = act(id);
        if let SocketNews::Read(_, bytes) = &news {
            let socket = party.socket(id);
            assert!(socket.credit >= bytes.len(), "more than was allowed");
            socket.credit -= bytes.len();
        }
        party.surface.handle_socket(now, &mut party.node, news);
        party.settle(now);
    }

    /// A program of a node connects to a port; the number of its connection, where one was wanted.
    pub(crate) fn program(&mut self, n: u8, port: u16) -> Option<SocketId> {
        let now = self.now;
        let party = self.party(n);
        let mut ports = party.ports.values_mut();
        let (_, wanted) = ports.find(|(address, _)| address.port() == port)?;
        let id = wanted.pop_front()?;
        party.sockets.insert(id, Socket::default());
        let news = SocketNews::Accepted(id);
        party.surface.handle_socket(now, &mut party.node, news);
        party.settle(now);
        Some(id)
    }

    /// Something happens to a connection.
    pub(crate) fn on_socket(&mut self, n: u8, news: SocketNews) {
        let now = self.now;
        let party = self.party(n);
        if let SocketNews::Read(id, bytes) = &news {
            let socket = party.socket(*id);
            assert!(socket.credit >= bytes.len(), "more than was allowed");
            socket.credit -= bytes.len();
        }
        party.surface.handle_socket(now, &mut party.node, news);
        party.settle(now);
    }

    /// The newest connection to an application of a node.
    pub(crate) fn newest_socket(&mut self, n: u8) -> Socket {
        let sockets = &self.party(n).sockets;
        sockets.values().next_back().expect("a connection").clone()
    }

    /// The client goes away.
    pub(crate) fn hang_up(&mut self, n: u8, id: HttpId) {
        let now = self.now;
        let party = self.party(n);
        party.surface.handle_abort(now, &mut party.node, id);
        party.settle(now);
    }

    /// The disk of a node is through with an order.
    pub(crate) fn handle_kept(&mut self, n: u8, order: u64, is_kept: bool) {
        let now = self.now;
        let party = self.party(n);
        party
            .surface
            .handle_kept(now, &mut party.node, order, is_kept);
        party.settle(now);
    }

    fn drain(&mut self) {
        let arrives = self.now + Duration::from_millis(1);
        for (from, party) in &mut self.parties {
            party.settle(self.now);
            while let Some(t) = party.node.poll_transmit(self.now, &mut self.buffer) {
                for datagram in self.buffer[..t.len].chunks(t.segment_size) {
                    self.wire
                        .push_back((arrives, *from, t.to, datagram.to_vec()));
                }
            }
            party.settle(self.now);
        }
    }

    /// Runs for a while of virtual time.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.drain();
            let arrival = self.wire.front().map(|(at, ..)| *at);
            let timers = self.parties.values().filter_map(Party::next_timeout);
            let Some(next) = timers.chain(arrival).min().filter(|at| *at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let (_, from, to, mut datagram) = self.wire.pop_front().expect("looked at");
                if let Some(party) = self.parties.get_mut(&to).filter(|_| !self.cut) {
                    party.node.handle_datagram(self.now, from, &mut datagram);
                }
                continue;
            }
            for party in self.parties.values_mut() {
                party.handle_timeout(self.now);
            }
        }
        self.now = end;
    }
}

impl Party {
    fn next_timeout(&self) -> Option<Instant> {
        let engine = self.node.poll_timeout().map(|d| d.at);
        let disk = self.disk.as_ref().and_then(Disk::next_timeout);
        let surface = self.surface.next_timeout();
        engine.into_iter().chain(surface).chain(disk).min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.node.poll_timeout().is_some_and(|d| d.at <= now) {
            self.node.handle_timeout(now);
        }
        if self.surface.next_timeout().is_some_and(|at| at <= now) {
            self.surface.handle_timeout(now, &mut self.node);
        }
        while let Some((order, is_kept)) = self.disk.as_mut().and_then(|d| d.poll(now)) {
            self.surface
                .handle_kept(now, &mut self.node, order, is_kept);
        }
    }

    /// Events to the surface, bodies as far as there is room, responses to the client.
    fn settle(&mut self, now: Instant) {
        while self.node.poll_effect().is_some() {}
        loop {
            let mut moved = false;
            while let Some(event) = self.node.poll_event() {
                self.surface.handle_event(now, &mut self.node, event);
                moved = true;
            }
            moved |= self.upload(now);
            while let Some(order) = self.surface.poll_socket() {
                self.carry_out(now, order);
                moved = true;
            }
            while let Some(disk) = &mut self.disk
                && let Some((order, changes)) = self.surface.poll_order()
            {
                disk.order(now, order, changes);
            }
            while let Some(order) = self.surface.poll_files() {
                let mut news = Vec::new();
                self.files.carry_out(order, &mut |n| news.push(n));
                for news in news {
                    self.surface.handle_files(now, &mut self.node, news);
                }
                moved = true;
            }
            while let Some((id, part)) = self.surface.poll_response() {
                self.on_part(now, id, part);
                moved = true;
            }
            if !moved {
                return;
            }
        }
    }

    fn carry_out(&mut self, now: Instant, order: SocketOrder) {
        let mut news = None;
        match order {
            SocketOrder::Connect { id, addresses, .. } if self.listens => {
                let socket = Socket {
                    addresses,
                    ..Socket::default()
                };
                self.sockets.insert(id, socket);
            }
            SocketOrder::Connect { id, .. } => news = Some(SocketNews::Refused(id)),
            SocketOrder::Listen { id, address } => {
                let in_use = |(other, _): &(SocketAddr, VecDeque<SocketId>)| {
                    address.port() != 0 && *other == address
                };
                news = Some(if (1..1_024).contains(&address.port()) {
                    SocketNews::NotListening(id, std::io::ErrorKind::PermissionDenied)
                } else if self.ports.values().any(in_use) {
                    SocketNews::NotListening(id, std::io::ErrorKind::AddrInUse)
                } else {
                    let mut address = address;
                    if address.port() == 0 {
                        address.set_port(40_000 + id.0 as u16);
                    }
                    self.ports.insert(id, (address, VecDeque::new()));
                    SocketNews::Listening(id, address)
                });
            }
            SocketOrder::Accept { listener, id } => {
                if let Some((_, wanted)) = self.ports.get_mut(&listener) {
                    wanted.push_back(id);
                }
            }
            SocketOrder::Write(id, bytes) => {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.sent.extend_from_slice(&bytes);
                    if self.writes {
                        news = Some(SocketNews::Written(id, bytes.len()));
                    }
                }
            }
            SocketOrder::Finish(id) => self.socket(id).is_finished = true,
            SocketOrder::Read(id, bytes) => self.socket(id).credit += bytes,
            SocketOrder::Close(id) => {
                if self.ports.remove(&id).is_none() {
                    self.socket(id).is_closed = true;
                }
            }
            SocketOrder::Reset(id) => self.socket(id).is_reset = true,
        }
        if let Some(news) = news {
            self.surface.handle_socket(now, &mut self.node, news);
        }
    }

    fn socket(&mut self, id: SocketId) -> &mut Socket {
        self.sockets.entry(id).or_default()
    }

    fn upload(&mut self, now: Instant) -> bool {
        let mut moved = false;
        for id in self.uploads.keys().copied().collect::<Vec<_>>() {
            if !self.surface.is_open(id) {
                self.uploads.remove(&id);
                continue;
            }
            let window = self.surface.body_window(id);
            let Some(upload) = self.uploads.get_mut(&id) else {
                continue;
            };
            let chunk = upload
                .rest
                .split_to(window.min(upload.rest.len()).min(10_000));
            let ends = upload.rest.is_empty() && upload.ends;
            if !chunk.is_empty() {
                self.surface.handle_body(now, &mut self.node, id, chunk);
                moved = true;
            }
            if ends {
                self.uploads.remove(&id);
                self.surface.handle_body_end(now, &mut self.node, id);
                moved = true;
            }
        }
        moved
    }

    fn on_part(&mut self, now: Instant, id: HttpId, part: ResponsePart) {
        let response = self.responses.entry(id).or_default();
        match part {
            ResponsePart::Head {
                status,
                headers,
                body,
            } => {
                assert_eq!(response.status, 0, "a second head");
                response.status = status;
                response.headers = headers;
                match body {
                    BodyKind::Full(body) => {
                        response.body = body.to_vec();
                        response.is_complete = true;
                    }
                    BodyKind::Absent(length) => {
                        response.length = length;
                        response.is_complete = true;
                    }
                    BodyKind::Sized(length) => response.length = Some(length),
                    BodyKind::Streaming | BodyKind::Upgraded => {}
                }
            }
            ResponsePart::Chunk(bytes) => {
                assert!(response.status != 0 && !response.is_complete && !bytes.is_empty());
                response.body.extend_from_slice(&bytes);
                if self.reads {
                    self.surface
                        .handle_consumed(now, &mut self.node, id, bytes.len());
                } else {
                    *self.unread.entry(id).or_default() += bytes.len();
                }
            }
            ResponsePart::End => {
                response.is_complete = true;
                if self.reads {
                    self.surface.handle_complete(now, &mut self.node, id);
                } else {
                    self.unread.entry(id).or_default();
                }
            }
            ResponsePart::Abort => response.is_aborted = true,
        }
    }

    /// The client reads what it had not read.
    pub(crate) fn read_on(&mut self, now: Instant) {
        self.reads = true;
        for (id, bytes) in core::mem::take(&mut self.unread) {
            self.surface.handle_consumed(now, &mut self.node, id, bytes);
            if self.responses.get(&id).is_some_and(|r| r.is_complete) {
                self.surface.handle_complete(now, &mut self.node, id);
            }
        }
        self.settle(now);
    }
}
