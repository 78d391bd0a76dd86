//! Doors for fuzzers, behind the feature `fuzzing`: what bytes from strangers meet, one function each. All of them
//! panic where a promise is broken (CONTRIBUTING.md), and only there. `fuzz/` drives them; the tests run its corpus.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is what a fuzzer looks for"
)]

use core::net::SocketAddr;

use crate::Node;
use crate::api::{Command, ConnectTarget, Engine, Event, NodeConfig, StreamRead};
use crate::id::NodeId;
use crate::node::forge::forge;
use crate::session::{MacKey, initiation_body, receiver_index};
use crate::time::{Duration, Instant};
use crate::wire::control::{ControlMessage, ParsedControl};
use crate::wire::packet::DatagramKind;
use crate::wire::{Writer, frame, stun};

/// Virtual steps after which a moment that does not pass is an endless loop.
const STEPS_AT_ONCE: u32 = 20_000;

/// The frames of an opened packet: what decodes is written again, and read again as the same.
pub fn frames(bytes: &[u8]) {
    for decoded in frame::iter(bytes) {
        let Ok(decoded) = decoded else { return };
        let mut room = vec![0; bytes.len() + 64];
        let mut writer = Writer::new(&mut room);
        assert!(decoded.encode(&mut writer).is_ok(), "no room: {decoded:?}");
        let len = writer.len();
        let again = frame::iter(&room[..len]).next();
        assert_eq!(again, Some(Ok(decoded)), "written otherwise than read");
    }
}

/// A control message: what is known is written again, and read again as the same.
pub fn control(bytes: &[u8]) {
    if let Ok(ParsedControl::Known(message)) = ControlMessage::parse(bytes) {
        let again = ControlMessage::parse(&message.to_json());
        assert_eq!(again, Ok(ParsedControl::Known(message)));
    }
}

/// What a datagram is asked before it costs anything.
pub fn outside(bytes: &[u8]) {
    let _ = DatagramKind::classify(bytes);
    let _ = crate::wire::packet::receiver_index(bytes);
    let _ = receiver_index(bytes);
    let _ = initiation_body(bytes);
    let _ = stun::parse_binding_request(bytes);
    let _ = MacKey::of(&NodeId::from_bytes([7; 32])).check_mac1(bytes);
}

/// Two nodes that are connected, in virtual time, of which each can be made to say anything to the other.
pub struct Pair {
    now: Instant,
    nodes: [Node; 2],
    buffer: Vec<u8>,
    /// What happens to the datagrams to come, three bytes for each.
    plan: Vec<u8>,
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}

impl Pair {
    /// Two nodes that have shaken hands.
    ///
    /// # Panics
    /// Where they do not connect.
    #[must_use]
    pub fn new() -> Self {
        let mut pair = Self::apart();
        pair.connect();
        pair.advance(Duration::from_millis(50));
        assert!(pair.is_connected(0), "they connect");
        pair
    }

    /// Two nodes that have never met.
    #[must_use]
    pub fn apart() -> Self {
        let now = Instant::from_millis(1_000);
        Self {
            now,
            nodes: [0, 1].map(|n| node(n, now)),
            buffer: vec![0; 65_536],
            plan: Vec::new(),
        }
    }

    /// Node 0 asks for a connection with node 1.
    pub fn connect(&mut self) {
        let (id, address) = (self.nodes[1].id(), address(1));
        let target = ConnectTarget::Address { id, address };
        let (introducer, timeout) = (None, Duration::from_secs(5));
        self.order(
            0,
            Command::Connect {
                target,
                introducer,
                timeout,
            },
        );
    }

    /// Says what happens to the next datagrams, three bytes for each: it is changed at a place, dropped, comes twice,
    /// or passes.
    pub fn meddle(&mut self, plan: &[u8]) {
        self.plan = plan.to_vec();
    }

    /// Whether what was planned has happened.
    #[must_use]
    pub const fn is_left_alone(&self) -> bool {
        self.plan.len() < 3
    }

    /// Whether node `n` (0 or 1) still has a session with the other.
    pub fn is_connected(&mut self, n: usize) -> bool {
        let other = self.nodes[1 - n].id();
        forge(&mut self.nodes[n], self.now, &other, &[0]).is_some()
    }

    /// Lets node `n` say exactly these frames to the other, in a packet that is authentic.
    pub fn say(&mut self, n: usize, frames: &[u8]) {
        let (to, now) = (1 - n, self.now);
        let other = self.nodes[to].id();
        if let Some((_, mut packet)) = forge(&mut self.nodes[n], now, &other, frames) {
            self.nodes[to].handle_datagram(now, address(n), &mut packet);
            self.settle();
        }
    }

    /// Gives node `n` a datagram from anywhere.
    pub fn datagram(&mut self, n: usize, from: SocketAddr, bytes: &[u8]) {
        let now = self.now;
        self.nodes[n].handle_datagram(now, from, &mut bytes.to_vec());
        self.settle();
    }

    /// Gives node `n` an order, which it may refuse.
    pub fn order(&mut self, n: usize, command: Command) {
        let now = self.now;
        let _ = self.nodes[n].handle_command(now, command);
        self.settle();
    }

    /// The id of node `n`.
    #[must_use]
    pub fn id(&self, n: usize) -> NodeId {
        self.nodes[n].id()
    }

    /// Lets so much time pass.
    ///
    /// # Panics
    /// Where a timer is due again and again at one moment.
    pub fn advance(&mut self, span: Duration) {
        let end = self.now + span;
        let (mut at, mut steps) = (self.now, 0);
        while let Some(next) = self.next(end) {
            self.now = self.now.max(next);
            steps = if self.now == at { steps + 1 } else { 0 };
            at = self.now;
            assert!(steps < STEPS_AT_ONCE, "an endless loop at {at:?}");
            let now = self.now;
            for node in &mut self.nodes {
                if node.poll_timeout().is_some_and(|due| due.at <= now) {
                    node.handle_timeout(now);
                }
            }
            self.settle();
        }
        self.now = end;
    }

    fn next(&self, end: Instant) -> Option<Instant> {
        let due = self.nodes.iter().filter_map(Engine::poll_timeout);
        due.map(|deadline| deadline.at)
            .min()
            .filter(|at| *at <= end)
    }

    /// Carries what both send, which takes no time, and fetches what arrived.
    fn settle(&mut self) {
        let mut steps = 0;
        loop {
            let mut sent = Vec::new();
            for (n, node) in self.nodes.iter_mut().enumerate() {
                while let Some(t) = node.poll_transmit(self.now, &mut self.buffer) {
                    let batch = self.buffer[..t.len].chunks(t.segment_size);
                    sent.extend(batch.map(|d| (n, t.to, d.to_vec())));
                }
                while let Some(event) = node.poll_event() {
                    fetch(node, self.now, event);
                }
                while node.poll_effect().is_some() {}
            }
            if sent.is_empty() {
                return;
            }
            steps += 1;
            assert!(steps < STEPS_AT_ONCE, "they never fall silent");
            for (n, to, mut bytes) in sent {
                for _ in 0..meddle(&mut self.plan, &mut bytes) {
                    if to == address(1 - n) {
                        let mut copy = bytes.clone();
                        self.nodes[1 - n].handle_datagram(self.now, address(n), &mut copy);
                    }
                }
            }
        }
    }
}

/// Does to a datagram what is planned; says how often it arrives.
fn meddle(plan: &mut Vec<u8>, bytes: &mut [u8]) -> usize {
    if plan.len() < 3 {
        return 1;
    }
    let rest = plan.split_off(3);
    let step = core::mem::replace(plan, rest);
    let [what, place, value] = [step[0], step[1], step[2]];
    let place = usize::from(what >> 2) << 8 | usize::from(place);
    match what & 3 {
        0 => 1,
        1 => {
            let len = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(place % len) {
                *byte ^= value;
            }
            1
        }
        2 => 0,
        _ => 2,
    }
}

/// What an application does that takes all it is given.
fn fetch(node: &mut Node, now: Instant, event: Event) {
    match event {
        Event::MessageReady { peer, message, .. } => {
            let _ = node.take_message(now, peer, message);
        }
        Event::StreamReadable { peer, stream } => {
            while let Ok(StreamRead::Data(_)) = node.read_stream(now, peer, stream, 65_536) {}
        }
        _ => {}
    }
}

fn address(n: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, if n == 0 { 2 } else { 3 }], 6660))
}

fn node(n: usize, now: Instant) -> Node {
    let seed = if n == 0 { 2 } else { 3 };
    let mut config = NodeConfig::new([seed; 32], [seed + 100; 32], [seed + 50; 32]);
    config.local_addresses = vec![address(n)].into();
    Node::new(config, now).expect("a valid configuration")
}
