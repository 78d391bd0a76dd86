//! A node's place on the machine, opened from its options: everything that a driver needs before its loop can run.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;

use p2p_core::api::{KnownPeer, NodeConfig};
use p2p_core::id::NodeId;
use p2p_http_api::{Surface, SurfaceConfig, Token};
use p2p_storage::transfers::DiskVolume;
use p2p_storage::{Book, Database, PeerRecord, SecretText, StateDirectory, TOKEN_FILE};

use crate::clock::Clock;
use crate::error::NodeError;
use crate::interfaces::LocalAddresses;
use crate::options::NodeOptions;
use crate::peers::PeerKeeper;
use crate::settings;
use crate::sockets::{bind_http, bind_udp};

/// Folder of the state directory for what is kept for transfers.
const TRANSFERS_FOLDER: &str = "transfers";

/// A node that runs, as it is told to the user.
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

/// What was opened for a node.
pub struct Place {
    /// The state directory; no other process uses it while this is kept.
    pub state: StateDirectory,
    /// The secret of the HTTP surface.
    pub token: SecretText,
    /// UDP sockets, one for each address family.
    pub udp: Vec<UdpSocket>,
    /// Listeners of the HTTP surface.
    pub http: Vec<TcpListener>,
    /// Has started.
    pub clock: Clock,
    /// What the engine is told.
    pub config: NodeConfig,
    /// The HTTP surface.
    pub surface: Surface,
    /// Known peers.
    pub peers: PeerKeeper,
    /// Contacts, names and messages; the surface has them as they were kept.
    pub records: Database,
    /// The disk for files that are sent and received.
    pub volume: DiskVolume,
    /// Where the sockets can be reached.
    pub local_addresses: LocalAddresses,
    /// The facts but for the page's address, which is empty.
    pub facts: Ready,
}

impl Place {
    /// Opens state directory and sockets. `driver` is what the surface calls the driver; `buffer_bytes` the kernel's
    /// buffer of a UDP socket.
    ///
    /// # Errors
    /// Where something is in use, damaged, or not this machine's.
    pub fn open(
        options: &NodeOptions,
        driver: &'static str,
        buffer_bytes: usize,
    ) -> Result<Self, NodeError> {
        let state = StateDirectory::open(options.state_dir.clone())?;
        let token = state.token()?;
        let sockets = bind_udp(options.listen, buffer_bytes)?;
        let listeners = bind_http(options.http)?;
        let clock = Clock::start();
        let udp: Vec<_> = all(sockets.iter().map(UdpSocket::local_addr))?;
        let http: Vec<_> = all(listeners.iter().map(TcpListener::local_addr))?;
        let local_addresses = LocalAddresses::of(udp.clone());
        let (records, book) = state.records()?;
        let (table, transfers) = state.transfers(&records)?;
        let mut config = configuration(options, &state)?;
        on_contacts(&mut config, &book);
        on_introducers(&mut config, &book);
        let running_ms = clock.now().as_nanos() / 1_000_000;
        config.epoch_unix_ms = Clock::wall_clock_unix_ms().saturating_sub(running_ms);
        config.local_addresses = local_addresses.host_addresses();
        config.links = local_addresses.links();
        if let Some(address) = http.first() {
            state.leave_http_address(*address)?;
        }
        let facts = Ready {
            id: state.keys()?.node_id()?,
            udp,
            local_addresses: local_addresses.reachable().to_vec(),
            http,
            token_path: state.path().join(TOKEN_FILE),
            page_url: String::new(),
        };
        let mut surface = surface(options, driver, &token, book, (&facts.http, clock))?;
        surface.restore_transfers(clock.now(), transfers);
        Ok(Self {
            surface,
            records,
            volume: DiskVolume::new(state.path().join(TRANSFERS_FOLDER), table),
            peers: PeerKeeper::start(state.peers())?,
            token,
            udp: sockets,
            http: listeners,
            clock,
            config,
            local_addresses,
            facts,
            state,
        })
    }
}

fn all(addresses: impl Iterator<Item = io::Result<SocketAddr>>) -> io::Result<Vec<SocketAddr>> {
    addresses.collect()
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
    config.strangers = options.strangers;
    config.direct_paths = options.direct_paths;
    config.congestion = options.congestion;
    config.receive_budget_bytes = options.receive_budget_bytes;
    config.send_budget_bytes = options.send_budget_bytes;
    config.operator = options.operator;
    let known = |peer: &PeerRecord| KnownPeer {
        record: peer.record.clone(),
        name: peer.name.clone(),
    };
    config.known_peers = state.peers().iter().map(known).collect();
    Ok(config)
}

/// Introducers that were added while the node ran, behind those of its settings.
fn on_introducers(config: &mut NodeConfig, book: &Book) {
    for kept in book.introducers() {
        let address = &kept.address;
        if config
            .introducers
            .iter()
            .all(|known| known.id != address.id)
        {
            config.introducers.push(address.clone());
        }
    }
}

/// Contacts are no strangers, and whom the owner blocked stays out.
fn on_contacts(config: &mut NodeConfig, book: &Book) {
    for contact in book.contacts() {
        if contact.is_blocked {
            config.blocked.push(contact.id);
        } else {
            config.accepted.push(contact.id);
        }
    }
}

fn surface(
    options: &NodeOptions,
    driver: &'static str,
    token: &SecretText,
    book: Book,
    (http, clock): (&[SocketAddr], Clock),
) -> Result<Surface, NodeError> {
    let port = http.first().map_or(0, SocketAddr::port);
    let token =
        Token::parse(token.reveal()).map_err(|error| NodeError::System(io::Error::other(error)))?;
    let config = SurfaceConfig {
        token,
        allowed_hosts: SurfaceConfig::loopback_hosts(port),
        version: options.version.clone(),
        driver,
        settings: settings::shown(options),
        local_forwards: options.local_forwards,
        book,
        inbox: options.inbox.unwrap_or_default(),
        rng_seed: random_seed()?,
    };
    let now = clock.now();
    Ok(Surface::new(config, now, Clock::wall_clock_unix_ms()))
}
