//! How a node is set up. Everything has a default; limits live in [`crate::limits`].

use core::fmt;
use core::net::SocketAddr;
use core::str::FromStr;

use super::{AddressFamilies, Link, LinkId, OperatorLimits};
use crate::id::NodeId;
use crate::limits;

/// What a node does for others besides talking for its own application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Roles {
    /// Keeps a directory, answers searches and introduces peers; answers first contact by id alone.
    pub introducer: bool,
    /// Forwards sealed datagrams between two peers that it introduced.
    pub relay: bool,
    /// Answers STUN binding requests (RFC 8489).
    pub stun: bool,
}

impl Roles {
    /// All roles on, as `p2p introducer` runs.
    pub const ALL: Self = Self {
        introducer: true,
        relay: true,
        stun: true,
    };
}

/// Where an introducer is found: `p2p://<node id>@<host>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IntroducerAddress {
    /// The introducer's identity; the handshake proves it.
    pub id: NodeId,
    /// An IP address (IPv6 without brackets) or a name that the driver resolves.
    pub host: String,
    /// UDP port.
    pub port: u16,
}

/// Why a text is no introducer address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidIntroducerAddress {
    /// What is wrong, as a clause.
    pub why: &'static str,
}

impl fmt::Display for InvalidIntroducerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; expected p2p://<node id>@<host>:<port>", self.why)
    }
}

impl core::error::Error for InvalidIntroducerAddress {}

impl FromStr for IntroducerAddress {
    type Err = InvalidIntroducerAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |why| InvalidIntroducerAddress { why };
        let rest = text
            .strip_prefix("p2p://")
            .ok_or(wrong("the scheme p2p:// is missing"))?;
        let (id, place) = rest
            .split_once('@')
            .ok_or(wrong("there is no @ after the node id"))?;
        let id = id
            .parse()
            .map_err(|_| wrong("the node id is not 52 z-base-32 characters"))?;
        let (host, port) = place.rsplit_once(':').ok_or(wrong("the port is missing"))?;
        let port = port
            .parse()
            .ok()
            .filter(|p| *p != 0)
            .ok_or(wrong("the port is not 1 to 65535"))?;
        let host = host
            .strip_prefix('[')
            .and_then(|h| h.strip_suffix(']'))
            .unwrap_or(host);
        let fine = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        if host.is_empty() || host.len() > 253 || !host.chars().all(fine) {
            return Err(wrong("the host is neither an address nor a name"));
        }
        Ok(Self {
            id,
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for IntroducerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, host, port } = self;
        if host.contains(':') {
            write!(f, "p2p://{id}@[{host}]:{port}")
        } else {
            write!(f, "p2p://{id}@{host}:{port}")
        }
    }
}

/// A peer of an earlier run, as [`super::EffectKind::PersistRecord`] told it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KnownPeer {
    /// Its signed key record; one that does not verify is left out.
    #[cfg_attr(feature = "serde", serde(with = "crate::id::as_text"))]
    pub record: Vec<u8>,
    /// Name under which it was found.
    pub name: Option<String>,
}

/// What becomes of peers that the owner of a node never connected or wrote to, and what they learn of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Strangers {
    /// They may connect, and learn the address that their introducer sees.
    #[default]
    Public,
    /// They may connect through the relay, and learn no address.
    Relayed,
    /// They may knock: the owner is asked, and they learn nothing before.
    Ask,
    /// They are refused.
    Refuse,
}

impl Strangers {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Public, Self::Relayed, Self::Ask, Self::Refuse];

    /// Its word in settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Relayed => "relayed",
            Self::Ask => "ask",
            Self::Refuse => "refuse",
        }
    }

    /// Whether they may connect without a word of the owner.
    #[must_use]
    pub const fn are_admitted(self) -> bool {
        matches!(self, Self::Public | Self::Relayed)
    }
}

impl fmt::Display for Strangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The text is none of the words of [`Strangers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownPolicy;

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected public, relayed, ask or refuse")
    }
}

impl core::error::Error for UnknownPolicy {}

impl FromStr for Strangers {
    type Err = UnknownPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|kind| kind.word() == text);
        named.ok_or(UnknownPolicy)
    }
}

/// Addresses of a machine's interfaces, with the UDP port.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct HostAddresses {
    /// Those on the way to everybody: of the default route, or that the owner chose to listen on.
    pub main: Vec<SocketAddr>,
    /// The others: of a VPN, a second network, bridges of containers. Only peers that are there hear of them.
    pub side: Vec<SocketAddr>,
}

impl HostAddresses {
    /// All of them, main ones first.
    pub fn iter(&self) -> impl Iterator<Item = &SocketAddr> {
        self.main.iter().chain(&self.side)
    }
}

impl From<Vec<SocketAddr>> for HostAddresses {
    fn from(main: Vec<SocketAddr>) -> Self {
        let side = Vec::new();
        Self { main, side }
    }
}

/// Which congestion controller the paths of a node get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ControllerKind {
    /// BBR, version 3 (draft-ietf-ccwg-bbr), for which loss alone is no congestion: `bbr`.
    Bbr,
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406): `cubic`.
    #[default]
    Cubic,
    /// NewReno (RFC 9002 §7): `newreno`.
    NewReno,
}

impl ControllerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Bbr, Self::Cubic, Self::NewReno];

    /// Its name in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bbr => "bbr",
            Self::Cubic => "cubic",
            Self::NewReno => "newreno",
        }
    }
}

impl fmt::Display for ControllerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no congestion controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownController;

impl fmt::Display for UnknownController {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected bbr, cubic or newreno")
    }
}

impl core::error::Error for UnknownController {}

impl FromStr for ControllerKind {
    type Err = UnknownController;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|kind| kind.name() == text);
        named.ok_or(UnknownController)
    }
}

/// Shares of what is sent to one peer where sources compete (protocol §8.6): latest values with datagrams, answers with
/// requests, messages with streams. Only the ratio of the two counts; 0 counts as 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SendWeights {
    /// Level "latest".
    pub latest: u16,
    /// Level 0.
    pub datagrams: u16,
    /// Answers to requests of the peer.
    pub replies: u16,
    /// Requests.
    pub requests: u16,
    /// Level 2.
    pub messages: u16,
    /// Level 3, all streams together.
    pub streams: u16,
}

impl SendWeights {
    /// Equal shares.
    pub const EQUAL: Self = Self {
        latest: 1,
        datagrams: 1,
        replies: 1,
        requests: 1,
        messages: 1,
        streams: 1,
    };
}

impl Default for SendWeights {
    fn default() -> Self {
        Self::EQUAL
    }
}

/// Everything a node is told when it is made.
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NodeConfig {
    /// Secret of the identity (Ed25519 seed). The X25519 static key is derived from `static_seed`.
    pub identity_seed: [u8; 32],
    /// Secret behind the X25519 static key; replaced to rotate it.
    pub static_seed: [u8; 32],
    /// Sequence number of the key record; one more after each rotation.
    pub record_sequence: u64,
    /// Seed of all randomness in the engine.
    pub rng_seed: [u8; 32],
    /// The wall clock at [`crate::time::Instant::EPOCH`], ms since 1970: handshakes are stamped with it, so that those
    /// of a later run of this node are newer than those of an earlier one (protocol §3.6). 0 where it is unknown.
    pub epoch_unix_ms: u64,
    /// Keeps networks that must not meet apart; part of every handshake's prologue.
    pub network: String,
    /// Name to register at introducers; none: reachable by id only.
    pub name: Option<String>,
    /// Whether searches at introducers may list the name.
    pub listed: bool,
    /// What the node does for others.
    pub roles: Roles,
    /// Introducers to register with.
    pub introducers: Vec<IntroducerAddress>,
    /// Addresses of this machine's interfaces with the UDP port; host candidates.
    pub local_addresses: HostAddresses,
    /// The sockets; the first that sends to a destination is preferred. At most [`limits::LINKS`] are taken.
    pub links: Vec<Link>,
    /// Peers that the application chose in earlier runs. They are no strangers, and an older key record of theirs is
    /// refused; at most [`crate::limits::PEERS_REMEMBERED`] are taken.
    pub known_peers: Vec<KnownPeer>,
    /// Peers that are no strangers, whether anything else is known of them or not; at most
    /// [`crate::limits::PEERS_REMEMBERED`] are taken.
    pub accepted: Vec<NodeId>,
    /// Peers that the owner blocked; at most [`limits::BLOCKED`] are taken.
    pub blocked: Vec<NodeId>,
    /// What becomes of peers that the application never connected or wrote to.
    pub strangers: Strangers,
    /// Whether direct paths are tried at all; otherwise everything is relayed.
    pub direct_paths: bool,
    /// What others are granted (roles introducer and relay).
    pub operator: OperatorLimits,
    /// Congestion control of every path.
    pub congestion: ControllerKind,
    /// Shares of what is sent to one peer.
    pub weights: SendWeights,
    /// Bytes received and not taken by the application, over all peers; at most
    /// [`limits::RECEIVE_BUDGET_BYTES`].
    pub receive_budget_bytes: u64,
    /// Bytes written and not acknowledged, over all peers; at most [`limits::SEND_BUDGET_BYTES`].
    pub send_budget_bytes: u64,
    /// What this node offers, bit by bit (protocol §3.8); told to every peer. Bits 0 to 7 are the engine's own and left
    /// out.
    pub capabilities: u32,
    /// Shard number carried in the receiver index (docs/architecture.md §5).
    pub shard: u8,
}

impl NodeConfig {
    /// A plain node without introducers; the three seeds must come from the operating system in production.
    #[must_use]
    pub fn new(identity_seed: [u8; 32], static_seed: [u8; 32], rng_seed: [u8; 32]) -> Self {
        Self {
            identity_seed,
            static_seed,
            record_sequence: 1,
            rng_seed,
            epoch_unix_ms: 0,
            network: "p2p".to_owned(),
            name: None,
            listed: true,
            roles: Roles::default(),
            introducers: Vec::new(),
            local_addresses: HostAddresses::default(),
            links: vec![Link {
                id: LinkId::default(),
                families: AddressFamilies::Both,
            }],
            known_peers: Vec::new(),
            accepted: Vec::new(),
            blocked: Vec::new(),
            strangers: Strangers::default(),
            direct_paths: true,
            operator: OperatorLimits::default(),
            congestion: ControllerKind::default(),
            weights: SendWeights::EQUAL,
            capabilities: 0,
            receive_budget_bytes: limits::RECEIVE_BUDGET_BYTES,
            send_budget_bytes: limits::SEND_BUDGET_BYTES,
            shard: 0,
        }
    }
}
