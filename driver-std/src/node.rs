//! A whole node: state directory, engine, sockets and HTTP surface, on threads of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use p2p_core::Node;
use p2p_core::api::{IntroducerAddress, KnownPeer, NodeConfig, Roles};
use p2p_core::id::NodeId;
use p2p_host::NodeError;
use p2p_http_api::{
    BodyKind, Exchanges, HttpInput, Request, ResponsePart, Surface, SurfaceConfig, Token,
};
use p2p_storage::{PeerRecord, SecretText, StateDirectory, TOKEN_FILE};

use crate::engine::{Clock, Engine, Input, Inputs, QUEUE, Writer};
use crate::http::{HttpServer, Numbers, Stop, ThreadClient, Word};
use crate::interfaces;
use crate::udp::Sockets;

/// Port of the HTTP surface unless told otherwise.
const DEFAULT_HTTP_PORT: u16 = 8080;
/// Longest wait for the first ticket.
const TICKET_TIME: Duration = Duration::from_secs(5);

/// How to run a node; everything has a default.
#[derive(Clone, Debug)]
pub struct NodeOptions {
    /// State directory; by default `$XDG_STATE_HOME/p2p`.
    pub state_dir: Option<PathBuf>,
    /// UDP address; by default all addresses of both families, port 6660.
    pub listen: Option<SocketAddr>,
    /// HTTP address, loopback only; by default port 8080. Port 0 takes a free one.
    pub http: Option<SocketAddr>,
    /// Name to register at introducers.
    pub name: Option<String>,
    /// Introducers to register with.
    pub introducers: Vec<IntroducerAddress>,
    /// What the node does for others.
    pub roles: Roles,
    /// Whether searches may list the name.
    pub listed: bool,
    /// Whether peers not connected to before may connect.
    pub accept_strangers: bool,
    /// Keeps networks that must not meet apart; `None` for the common one.
    pub network: Option<String>,
    /// Whether direct paths are tried at all.
    pub direct_paths: bool,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self {
            state_dir: None,
            listen: None,
            http: None,
            name: None,
            introducers: Vec::new(),
            roles: Roles::default(),
            listed: true,
            accept_strangers: true,
            network: None,
            direct_paths: true,
        }
    }
}

/// A node that runs; it ends when told, or when this is dropped.
pub struct Running {
    /// Its identity.
    pub id: NodeId,
    /// UDP addresses as bound.
    pub udp: Vec<SocketAddr>,
    /// Addresses under which peers on the same network reach it.
    pub local_addresses: Vec<SocketAddr>,
    /// HTTP addresses as bound.
    pub http: Vec<SocketAddr>,
    /// File that holds the token for the HTTP surface.
    pub token_path: PathBuf,
    /// Address of the web page, with a ticket that logs in once.
    pub page_url: String,
    inputs: Inputs,
    engine: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    _serving: Stop,
    _state: StateDirectory,
}

impl Running {
    /// Says goodbye to all peers and waits for the end.
    pub fn shutdown(mut self) {
        self.end();
    }

    /// A way to end the node from another thread, for instance on a signal.
    pub fn stopper(&self) -> impl Fn() + Send + 'static {
        let inputs = self.inputs.clone();
        move || {
            // A node that has ended needs no word.
            let _ = inputs.send(Input::Shutdown);
        }
    }

    /// Waits until something else ends the node.
    pub fn wait(mut self) {
        self.join();
    }

    fn end(&mut self) {
        let _ = self.inputs.send(Input::Shutdown);
        self.join();
    }

    fn join(&mut self) {
        if let Some(engine) = self.engine.take()
            && engine.join().is_err()
        {
            log::error!("the engine's thread panicked");
        }
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// Starts a node.
///
/// # Errors
/// Where it cannot start: state directory, address, or configuration.
pub fn start(options: &NodeOptions) -> Result<Running, NodeError> {
    let state = StateDirectory::open(options.state_dir.clone())?;
    let token = state.token()?;
    let sockets = Sockets::bind(options.listen)?;
    let default_http = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_HTTP_PORT);
    let server = HttpServer::bind(options.http.unwrap_or(default_http))?;
    let (udp, http) = (sockets.bound(), server.bound());
    let clock = Clock::start();
    let local_addresses = interfaces::reachable(&udp, &interfaces::list());
    let mut config = configuration(options, &state)?;
    config.local_addresses.clone_from(&local_addresses);
    let node = Node::new(config, clock.now())?;
    let id = node.id();
    let (inputs, receiver) = mpsc::sync_channel(QUEUE);
    let engine = Engine {
        node,
        exchanges: Exchanges::new(surface(&token, &http, clock)?),
        sockets,
        clock,
        inputs: inputs.clone(),
        local_addresses: local_addresses.clone(),
        peers: Writer::new(state.peers()),
    };
    let stop = Arc::new(AtomicBool::new(false));
    engine.sockets.receive(&inputs, &stop)?;
    let engine = thread::Builder::new()
        .name("p2p-engine".to_owned())
        .spawn(move || engine.run(&receiver))?;
    let numbers = Numbers::default();
    let page_url = page_url(&inputs, &numbers, &http, &token);
    Ok(Running {
        id,
        udp,
        local_addresses,
        http,
        token_path: state.path().join(TOKEN_FILE),
        page_url,
        engine: Some(engine),
        stop,
        _serving: server.start(&inputs, &numbers)?,
        _state: state,
        inputs,
    })
}

fn random_seed() -> Result<[u8; 32], NodeError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(seed)
}

fn configuration(options: &NodeOptions, state: &StateDirectory) -> Result<NodeConfig, NodeError> {
    let keys = state.keys()?;
    let mut config = NodeConfig::new(*keys.identity_seed, *keys.static_seed, random_seed()?);
    config.record_sequence = keys.record_sequence;
    if let Some(network) = &options.network {
        config.network.clone_from(network);
    }
    config.name.clone_from(&options.name);
    config.listed = options.listed;
    config.roles = options.roles;
    config.introducers.clone_from(&options.introducers);
    config.accept_strangers = options.accept_strangers;
    config.direct_paths = options.direct_paths;
    let known = |peer: &PeerRecord| KnownPeer {
        record: peer.record.clone(),
        name: peer.name.clone(),
    };
    config.known_peers = state.peers().iter().map(known).collect();
    Ok(config)
}

fn surface(token: &SecretText, http: &[SocketAddr], clock: Clock) -> Result<Surface, NodeError> {
    let port = http.first().map_or(DEFAULT_HTTP_PORT, SocketAddr::port);
    let token =
        Token::parse(token.reveal()).map_err(|error| NodeError::System(io::Error::other(error)))?;
    let config = SurfaceConfig {
        token,
        allowed_hosts: SurfaceConfig::loopback_hosts(port),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        driver: "threads",
        rng_seed: random_seed()?,
    };
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let unix_ms = since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    Ok(Surface::new(config, clock.now(), unix_ms))
}

/// Asks the surface for a ticket as any client with the token would, and makes the page's address of it.
fn page_url(inputs: &Inputs, numbers: &Numbers, http: &[SocketAddr], token: &SecretText) -> String {
    let host = http.first().map(ToString::to_string).unwrap_or_default();
    let authorization = format!("Bearer {}", token.reveal());
    let request = Request {
        method: "POST".to_owned(),
        target: "/v1/auth/tickets".to_owned(),
        headers: vec![
            ("host".to_owned(), host.clone().into_bytes()),
            ("authorization".to_owned(), authorization.into_bytes()),
        ],
        peer_is_loopback: true,
    };
    let (sender, words) = mpsc::channel();
    let asked = inputs.send(Input::Http(HttpInput::Request {
        id: numbers.next(),
        request,
        client: ThreadClient::new(sender),
        has_body: false,
    }));
    let answer = asked
        .ok()
        .and_then(|()| words.recv_timeout(TICKET_TIME).ok());
    let ticket = match answer {
        Some(Word::Part(ResponsePart::Head {
            body: BodyKind::Full(bytes),
            ..
        })) => ticket_of(&bytes),
        _ => None,
    };
    ticket.map_or_else(
        || format!("http://{host}/"),
        |ticket| format!("http://{host}/#t={ticket}"),
    )
}

fn ticket_of(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body.get("ticket")?.as_str().map(ToOwned::to_owned)
}
