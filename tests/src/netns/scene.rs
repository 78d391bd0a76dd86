//! Two registered nodes in two homes and an introducer between them: how they connect, over which path, and whether
//! what they send arrives as it was.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::internet::{INTRODUCER, Internet, Side};
use super::node::{Node, UDP_PORT};
use super::router::Nat;
use super::tool::{announce, until};

const REGISTERED: Duration = Duration::from_secs(20);
/// Inner port of the probe; not the nodes', so that its mappings are in nobody's way.
pub const PROBE_PORT: u16 = 5_555;
/// Longest wait for something to arrive, seconds; the surface's own bound for a long poll is 60.
const WAIT_S: u64 = 30;

/// The whole play.
pub struct Scene {
    /// Behind router A.
    pub ada: Node,
    /// Behind router B.
    pub ben: Node,
    introducer: Option<Node>,
    /// Last, because the nodes live in it.
    pub internet: Internet,
}

/// How a connection came up.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `direct` or `relay` as the answer to the connect order said.
    pub first_path: String,
    /// From the order to its answer.
    pub connected_after: Duration,
    /// When the order was given.
    pub ordered_at: Instant,
    /// How many orders it took.
    pub orders: u32,
}

impl Scene {
    /// Measures the NATs, starts the introducer and both nodes, and waits until both are registered.
    ///
    /// # Panics
    /// Where the stage cannot be set; that is a fault too.
    #[must_use]
    pub fn open(nat_a: Nat, nat_b: Nat) -> Self {
        Self::open_in(nat_a, nat_b, 0)
    }

    /// As [`Scene::open`], with a share of all packets lost from the start.
    ///
    /// # Panics
    /// As [`Scene::open`].
    #[must_use]
    pub fn open_in(nat_a: Nat, nat_b: Nat, loss_percent: u32) -> Self {
        let internet = Internet::build(nat_a, nat_b).expect("a laboratory");
        measure(&internet, Side::A, nat_a);
        measure(&internet, Side::B, nat_b);
        if loss_percent > 0 {
            internet.lose_percent(loss_percent).expect("bad weather");
        }
        let folder = internet.folder();
        let all = ["--role", "introducer,relay,stun"];
        let introducer = Node::start(internet.introducer(), folder, "introducer", &all);
        let introducer = introducer.expect("an introducer");
        let link = format!("p2p://{}@{INTRODUCER}:{UDP_PORT}", introducer.id);
        let start = |side, name: &str| {
            let arguments = ["--name", name, "--introducer", &link];
            Node::start(internet.peer(side), folder, name, &arguments).expect("a node")
        };
        let (ada, ben) = (start(Side::A, "ada"), start(Side::B, "ben"));
        for node in [&ada, &ben] {
            until(REGISTERED, || node.registered().then_some(())).expect("a registration");
        }
        Self {
            ada,
            ben,
            introducer: Some(introducer),
            internet,
        }
    }

    /// Orders Ada's node to connect to Ben by his name.
    ///
    /// # Panics
    /// Where the order fails.
    #[must_use]
    pub fn connect(&self) -> Connection {
        let connection = self.connect_persistently();
        assert_eq!(connection.orders, 1, "the first order failed");
        connection
    }

    /// As [`Scene::connect`], but repeats an order that ran out of time, as a person on a bad line would.
    ///
    /// # Panics
    /// Where four orders fail, or one fails otherwise.
    #[must_use]
    pub fn connect_persistently(&self) -> Connection {
        let ordered_at = Instant::now();
        for orders in 1..=4 {
            let answer = self.ada.call("POST", "/v1/peers/ben/connect", b"{}");
            let (status, answer) = answer.expect("an answer");
            if status == 504 {
                announce(&format!("  order {orders}: {}", answer["code"]));
                continue;
            }
            assert_eq!(answer["peer"], self.ben.id.as_str(), "{status} {answer}");
            let first_path = answer["path"]["kind"].as_str().expect("a path").to_owned();
            let connected_after = ordered_at.elapsed();
            return Connection {
                first_path,
                connected_after,
                ordered_at,
                orders,
            };
        }
        panic!("four connect orders failed; {}", self.why())
    }

    /// Ends the introducer, as a power cut would.
    pub fn kill_introducer(&mut self) {
        self.introducer = None;
    }

    /// Kind of the path that carries Ada's data now.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        kind(&self.ada, &self.ben)
    }

    /// Waits until both sides send directly; how long after `since` that was.
    #[must_use]
    pub fn until_direct(&self, since: Instant, patience: Duration) -> Option<Duration> {
        until(patience, || {
            let both = [kind(&self.ada, &self.ben)?, kind(&self.ben, &self.ada)?];
            (both == ["direct", "direct"]).then(|| since.elapsed())
        })
    }

    /// What Ada's node says about the path, in its own words.
    #[must_use]
    pub fn why(&self) -> Value {
        self.ada
            .ask("GET", &format!("/v1/peers/{}/why", self.ben.id), b"")
    }

    /// Sends a message each way and compares every byte.
    pub fn talk(&self, body: &[u8]) {
        message(&self.ada, &self.ben, body);
        message(&self.ben, &self.ada, body);
    }
}

fn kind(from: &Node, to: &Node) -> Option<String> {
    let target = format!("/v1/peers/{}/path", to.id);
    let (_, path) = from.call("GET", &target, b"").ok()?;
    path["kind"].as_str().map(ToOwned::to_owned)
}

/// Fails unless the router does what its name says; the kernel's choice of ports is its own affair.
///
/// # Panics
/// Where it does not.
pub fn measure(internet: &Internet, side: Side, nat: Nat) {
    let _reflectors = internet.reflectors().expect("reflectors");
    // First, while the router knows nothing of the socket.
    let strangers = internet
        .strangers_let_in(side, PROBE_PORT)
        .expect("a measured filter");
    assert!(
        strangers.is_empty(),
        "router {side:?} lets {strangers:?} in"
    );
    let seen = internet.mappings(side, PROBE_PORT).expect("a measured NAT");
    announce(&format!(
        "  router {side:?}, {nat:?}: 0.0.0.0:{PROBE_PORT} is seen as {seen:?}"
    ));
    let mut different = seen.clone();
    different.sort();
    different.dedup();
    let port = seen[0]
        .rsplit(':')
        .next()
        .and_then(|port| port.parse::<u16>().ok());
    match nat {
        Nat::KeepsPort => assert_eq!((different.len(), port), (1, Some(PROBE_PORT))),
        Nat::OnePort(outer) => assert_eq!((different.len(), port), (1, Some(outer))),
        Nat::Random => assert_eq!(different.len(), seen.len(), "not symmetric"),
    }
}

/// Sends one message and fails unless it arrives as it was and its sender is told so.
fn message(from: &Node, to: &Node, body: &[u8]) {
    let sent = from.ask("POST", &format!("/v1/peers/{}/messages", to.id), body);
    assert_eq!(sent["state"], "delivered", "{sent}");
    let item = arrival(to, "message");
    assert_eq!(item["peer"], from.id.as_str());
    let id = item["id"].as_str().expect("an id");
    let (head, content) = to
        .fetch("GET", &format!("/v1/inbox/{id}"), b"")
        .expect("content");
    assert_eq!(head.status, 200);
    assert!(
        content == body,
        "{} of {} bytes, or others",
        content.len(),
        body.len()
    );
    let cursor = format!("{{\"cursor\":\"{id}\",\"type\":\"message\"}}");
    let acknowledged = to.ask("POST", "/v1/inbox/ack", cursor.as_bytes());
    assert_eq!(acknowledged["acknowledged"], 1);
}

/// The oldest item of a kind that is not acknowledged.
fn arrival(node: &Node, kind: &str) -> Value {
    let target = format!("/v1/inbox?type={kind}&wait={WAIT_S}&limit=1");
    let list = node.ask("GET", &target, b"");
    let item = &list["items"][0];
    assert!(item.is_object(), "no {kind} within {WAIT_S} s");
    item.clone()
}

/// Streams `content` from one node to another in 64 KiB reads; `between` is told how many bytes have arrived, and may
/// change the world. Returns how long it took.
///
/// # Panics
/// Where a byte is lost, doubled, or changed.
pub fn stream(from: &Node, to: &Node, content: &[u8], mut between: impl FnMut(usize)) -> Duration {
    let began = Instant::now();
    std::thread::scope(|scope| {
        let target = format!("/v1/peers/{}/streams?channel=9", to.id);
        let sending = scope.spawn(move || from.fetch("POST", &target, content));
        let item = arrival(to, "stream");
        let number = item["stream"].as_str().expect("a stream's number");
        let target = format!("/v1/peers/{}/streams/{number}", from.id);
        let (head, mut body) = to.open("GET", &target, b"").expect("a stream to read");
        assert_eq!(head.status, 200);
        let mut arrived = 0;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = body.read(&mut buffer).expect("more of the stream");
            if length == 0 {
                break;
            }
            let expected = content.get(arrived..arrived + length);
            assert!(
                expected == Some(&buffer[..length]),
                "wrong bytes after {arrived}"
            );
            arrived += length;
            between(arrived);
        }
        assert_eq!(arrived, content.len());
        // A reader that holds its connection has not taken the stream yet.
        drop(body);
        // The other half carries nothing; until it is finished the sender's response has no end.
        let written = to.ask("POST", &target, b"");
        assert_eq!(written["bytes"].as_u64().unwrap_or(0), 0);
        let (head, back) = sending.join().expect("a sender").expect("an answer");
        assert_eq!((head.status, back.len()), (200, 0));
    });
    began.elapsed()
}

/// Bytes that repeat nowhere soon, so that a shifted or repeated piece shows.
#[must_use]
pub fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| draw()).collect()
}
