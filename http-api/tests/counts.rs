//! What a request costs, in counts: turns between client and surface, and looks at all peers.

mod world;

use std::cell::Cell;
use std::rc::Rc;

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use bytes::Bytes;
use p2p_core::Node;
use p2p_core::api::{
    Accepted, ApiMisuse, Arrival, Command, Effect, Engine, Event, MessageId, NodeStatus,
    PeerStatus, StreamId, StreamRead, Transmit, Why,
};
use p2p_core::id::NodeId;
use p2p_core::time::{Deadline, Instant};
use p2p_http_api::{
    BodyKind, Client, Exchanges, GivenBody, HttpId, HttpInput, ResponsePart, Surface,
    SurfaceConfig, Token, takes_whole_body,
};

const NOW: Instant = Instant::EPOCH;

/// A node that counts how often all its peers are asked for.
struct Counting(Node, Cell<u32>);

impl Engine for Counting {
    fn id(&self) -> NodeId {
        self.0.id()
    }
    fn handle_arrival(&mut self, _: Instant, _: Arrival<'_>) {}
    fn handle_send_error(&mut self, _: Instant, _: SocketAddr, _: Option<IpAddr>) {}
    fn handle_timeout(&mut self, now: Instant) {
        self.0.handle_timeout(now);
    }
    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        self.0.handle_command(now, command)
    }
    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        self.0.read_stream(now, peer, stream, max_bytes)
    }
    fn read_message(&mut self, now: Instant, p: NodeId, m: MessageId) -> Result<Bytes, ApiMisuse> {
        self.0.read_message(now, p, m)
    }
    fn take_message(&mut self, now: Instant, p: NodeId, m: MessageId) -> Result<Bytes, ApiMisuse> {
        self.0.take_message(now, p, m)
    }
    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        self.0.poll_transmit(now, buffer)
    }
    fn poll_event(&mut self) -> Option<Event> {
        self.0.poll_event()
    }
    fn poll_effect(&mut self) -> Option<Effect> {
        self.0.poll_effect()
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        self.0.poll_timeout()
    }
    fn status(&self, now: Instant) -> NodeStatus {
        self.0.status(now)
    }
    fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.1.set(self.1.get() + 1);
        self.0.peers(now)
    }
    fn peers_between(&self, ids: RangeInclusive<NodeId>, most: usize) -> Vec<NodeId> {
        self.0.peers_between(ids, most)
    }
    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        self.0.peer(now, id)
    }
    fn why(&self, now: Instant, id: &NodeId) -> Option<Why> {
        self.0.why(now, id)
    }
}

/// What one client was told: permits for a piece of body, and statuses.
#[derive(Clone, Default)]
struct Told(Rc<Cell<(u32, Option<u16>)>>);

impl Client for Told {
    fn on_part(&mut self, part: ResponsePart) {
        if let ResponsePart::Head {
            status,
            body: BodyKind::Full(_),
            ..
        } = part
        {
            let (rooms, before) = self.0.get();
            assert_eq!(before, None, "answered twice");
            self.0.set((rooms, Some(status)));
        }
    }
    fn on_room(&mut self) {
        let (rooms, status) = self.0.get();
        self.0.set((rooms + 1, status));
    }
}

fn exchanges() -> Exchanges<Told> {
    let config = SurfaceConfig {
        token: Token::parse(&p2p_core::id::encode_z_base_32(&world::TOKEN)).expect("a token"),
        allowed_hosts: vec![world::HOST.to_owned()],
        version: "test".to_owned(),
        settings: std::collections::BTreeMap::new(),
        driver: "test",
        local_forwards: true,
        book: Default::default(),
        inbox: Default::default(),
        rng_seed: [1; 32],
    };
    Exchanges::new(Surface::new(config, NOW, 0))
}

/// Hands in one request with its whole body and drains once: (permits given, status).
fn once(engine: &mut Counting, ask: world::Ask) -> (u32, Option<u16>) {
    let told = Told::default();
    let mut exchanges = exchanges();
    let body = match ask.body {
        Some(body) => {
            assert!(takes_whole_body(&ask.request), "{}", ask.request.target);
            GivenBody::Whole(body)
        }
        None => GivenBody::None,
    };
    let input = HttpInput::Request {
        id: HttpId(1),
        request: ask.request,
        client: told.clone(),
        body,
    };
    exchanges.handle_input(NOW, engine, input);
    exchanges.drain(NOW, engine);
    assert!(exchanges.is_empty(), "it is over");
    told.0.get()
}

fn engine() -> Counting {
    let node = Node::new(world::config(1), NOW).expect("a configuration");
    Counting(node, Cell::new(0))
}

#[test]
fn a_small_body_costs_one_input_and_one_answer() {
    let mut engine = engine();
    let introducer = NodeId::from_bytes([9; 32]);
    let body = format!("{{\"address\":\"p2p://{introducer}@192.0.2.1:6660\"}}");
    let add = world::ask("POST", "/v1/introducers").json(&body);
    assert_eq!(once(&mut engine, add), (0, Some(201)));
    let send = world::ask("POST", "/v1/peers/nobody/messages").body("x".repeat(1_000));
    assert_eq!(once(&mut engine, send), (0, Some(404)));
    let long = world::ask("POST", "/v1/introducers").json(&" ".repeat(60_000));
    assert_eq!(
        once(&mut engine, long).1,
        Some(413),
        "longer than the route allows"
    );
}

#[test]
fn bodies_that_must_flow_or_wait_are_not_collected() {
    let ask = |method, target| world::ask(method, target).body("x");
    assert!(takes_whole_body(
        &ask("POST", "/v1/peers/ben/messages").request
    ));
    for other in [
        ask("POST", "/v1/peers/ben/streams"),
        ask("POST", "/v1/peers/ben/streams/4"),
        ask("POST", "/v1/nowhere"),
        ask("GET", "/v1/node"),
        ask("POST", "/v1/peers/ben/messages").header("Expect", "100-continue"),
        ask("POST", "/v1/peers/ben/messages").header("Transfer-Encoding", "chunked"),
        world::ask("POST", "/v1/peers/ben/messages").body("x".repeat((64 << 10) + 1)),
        world::ask("POST", "/v1/peers/ben/messages").body(""),
    ] {
        assert!(!takes_whole_body(&other.request), "{:?}", other.request);
    }
}

#[test]
fn a_name_or_the_start_of_an_id_in_a_path_is_found_without_a_look_at_all_peers() {
    let mut engine = engine();
    for target in [
        "/v1/peers/ben",
        "/v1/peers/ybndrfg8ejk",
        "/v1/peers/a@bcdefghi",
    ] {
        let (_, status) = once(&mut engine, world::ask("GET", target));
        assert_eq!(status, Some(404), "{target}");
    }
    assert_eq!(engine.1.get(), 0);
    once(&mut engine, world::ask("GET", "/v1/peers"));
    assert_eq!(engine.1.get(), 1, "the list is what looks at all");
}
