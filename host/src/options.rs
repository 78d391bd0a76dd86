//! How a node is set up on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use p2p_core::api::{ControllerKind, IntroducerAddress, OperatorLimits, Roles, Strangers};
use p2p_core::limits;
use p2p_http_api::InboxPlace;

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
    /// What becomes of peers that the owner never connected or wrote to.
    pub strangers: Strangers,
    /// Keeps networks that must not meet apart; `None` for the common one.
    pub network: Option<String>,
    /// Whether direct paths are tried at all.
    pub direct_paths: bool,
    /// Whether forwards listen on loopback only.
    pub local_forwards: bool,
    /// Write down everything that the engine is told, secrets included, into this new file (docs/drivers.md §6).
    pub record: Option<PathBuf>,
    /// Where messages are kept until an application acknowledges them; by default the driver's choice.
    pub inbox: Option<InboxPlace>,
    /// Congestion control of every path.
    pub congestion: ControllerKind,
    /// Bytes received and not taken, over all peers.
    pub receive_budget_bytes: u64,
    /// Bytes written and not acknowledged, over all peers.
    pub send_budget_bytes: u64,
    /// What an introducer and relay grants.
    pub operator: OperatorLimits,
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
            strangers: Strangers::default(),
            network: None,
            direct_paths: true,
            local_forwards: true,
            record: None,
            inbox: None,
            congestion: ControllerKind::default(),
            receive_budget_bytes: limits::RECEIVE_BUDGET_BYTES,
            send_budget_bytes: limits::SEND_BUDGET_BYTES,
            operator: OperatorLimits::default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}
