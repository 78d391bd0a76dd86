//! A whole node: state directory, engine, sockets and HTTP surface, from start to goodbye.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use futures_lite::future;
use p2p_core::api::{IntroducerAddress, KnownPeer, NodeConfig, Roles};
use p2p_core::id::NodeId;
use p2p_host::NodeError;
use p2p_http_api::{BodyKind, HttpInput, Request, ResponsePart, Surface, SurfaceConfig, Token};
use p2p_storage::{PeerRecord, SecretText, StateDirectory, TOKEN_FILE};
use smol::Executor;

use crate::clock::Clock;
use crate::engine::EngineLoop;
use crate::http::{Connections, HttpApplication, HttpClient, HttpServer};
use crate::udp::Sockets;

/// Port of the HTTP surface unless told otherwise.
const DEFAULT_HTTP_PORT: u16 = 8080;

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
    /// Version of the program, as the surface tells it.
    pub version: String,
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
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// A node that runs.
#[derive(Clone, Debug)]
pub struct Ready {
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
}

/// Runs a node until `shutdown` is ready; `ready` is called once it serves.
///
/// # Errors
/// Where it cannot start: state directory, address, or configuration.
pub async fn run_node(
    options: NodeOptions,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&Ready),
) -> Result<(), NodeError> {
    let state = StateDirectory::open(options.state_dir.clone())?;
    let token = state.token()?;
    let sockets = Sockets::bind(options.listen)?;
    let udp = sockets.bound();
    let default_http = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_HTTP_PORT);
    let server = HttpServer::bind(options.http.unwrap_or(default_http))?;
    let http = server.bound();
    let clock = Clock::start();
    let surface = surface(&options, &token, &http, clock)?;
    let config = configuration(&options, &state)?;
    let engine = EngineLoop::new(config, clock, sockets, HttpApplication::new(surface))?
        .with_peers(state.peers());
    let handle = engine.handle();
    let connections = Arc::new(Connections::new(handle.clone()));
    let mut facts = Ready {
        id: engine.id(),
        udp,
        local_addresses: engine.local_addresses().to_vec(),
        http,
        token_path: state.path().join(TOKEN_FILE),
        page_url: String::new(),
    };
    let executor = Arc::new(Executor::new());
    server.start(&executor, &connections);
    let attend = async {
        facts.page_url = page_url(&connections, &facts.http, &token).await;
        ready(&facts);
        shutdown.await;
        handle.shutdown();
        future::pending::<()>().await;
    };
    let run = async {
        engine.run().await;
    };
    executor.run(future::or(run, attend)).await;
    drop(state);
    Ok(())
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

fn surface(
    options: &NodeOptions,
    token: &SecretText,
    http: &[SocketAddr],
    clock: Clock,
) -> Result<Surface, NodeError> {
    let port = http.first().map_or(DEFAULT_HTTP_PORT, SocketAddr::port);
    let token = Token::parse(token.reveal())
        .map_err(|error| NodeError::System(std::io::Error::other(error)))?;
    let config = SurfaceConfig {
        token,
        allowed_hosts: SurfaceConfig::loopback_hosts(port),
        version: options.version.clone(),
        driver: "smol",
        rng_seed: random_seed()?,
    };
    Ok(Surface::new(
        config,
        clock.now(),
        Clock::wall_clock_unix_ms(),
    ))
}

/// Asks the surface for a ticket as any client with the token would, and makes the page's address of it.
async fn page_url(connections: &Connections, http: &[SocketAddr], token: &SecretText) -> String {
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
    let (client, parts, _room) = HttpClient::new();
    connections.send(HttpInput::Request {
        id: connections.next_id(),
        request,
        client,
        has_body: false,
    });
    let ticket = match parts.recv().await {
        Ok(ResponsePart::Head {
            body: BodyKind::Full(bytes),
            ..
        }) => ticket_of(&bytes),
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
