//! Read-only pictures of the engine for the surfaces: node, introducers, peers, paths, and why a path is what it is.

use core::net::SocketAddr;
use core::time::Duration;

use super::{CandidateRefusal, RegistrationRefusal, Roles};
use crate::id::NodeId;

/// State of the link to an introducer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum IntroducerState {
    /// The driver is looking its name up.
    Resolving,
    /// The handshake is under way.
    Connecting,
    /// The session stands; the registration is under way.
    Registering,
    /// Registered.
    Registered,
    /// Could not be reached, or stopped answering; tried again by itself.
    Unreachable,
    /// Its name has no address now, or nobody looked it up in time; tried again by itself.
    Unresolved,
    /// It refused the registration.
    Refused(RegistrationRefusal),
}

/// One introducer as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct IntroducerStatus {
    /// Its identity.
    pub id: NodeId,
    /// Host as configured.
    pub host: String,
    /// UDP port as configured.
    pub port: u16,
    /// State of the link.
    pub state: IntroducerState,
    /// Smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Our address as the introducer sees it (server-reflexive, RFC 8445).
    pub observed: Option<SocketAddr>,
}

/// How datagrams reach a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum PathKind {
    /// Straight to its address.
    Direct,
    /// Through a relay, sealed end to end.
    Relay {
        /// The relaying node.
        via: NodeId,
    },
}

/// One path to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PathStatus {
    /// Direct or relayed.
    pub kind: PathKind,
    /// The peer's address (direct), or the relay's.
    pub remote: SocketAddr,
    /// Whether an answer proved both directions.
    pub validated: bool,
    /// Smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Largest datagram known to pass, bytes of UDP payload.
    pub mtu_bytes: usize,
}

/// Where a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum PeerState {
    /// An introduction or a handshake is under way.
    Connecting,
    /// Data flows.
    Connected,
    /// Known, but not connected.
    Disconnected,
}

/// One peer as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PeerStatus {
    /// Its identity.
    pub id: NodeId,
    /// Name under which it was found, where there is one.
    pub name: Option<String>,
    /// Where it stands.
    pub state: PeerState,
    /// Whether the owner of this node chose it: connected to it, wrote to it, let it in. Any other is a stranger.
    pub is_accepted: bool,
    /// What the peer said that it offers, bit by bit (protocol §3.8); 0 before the first session. Bits that nobody here
    /// knows are in it and mean nothing.
    pub capabilities: u32,
    /// The path that carries data now.
    pub path: Option<PathStatus>,
    /// Other validated paths.
    pub alternatives: Vec<PathStatus>,
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// Bytes of UDP payload received and authenticated.
    pub received_bytes: u64,
    /// Packets sent that count for loss.
    pub sent_packets: u64,
    /// Of those, packets declared lost.
    pub lost_packets: u64,
    /// Time since an authenticated packet last arrived.
    pub quiet_for: Option<Duration>,
    /// Congestion window in bytes.
    pub congestion_window_bytes: u64,
}

/// What kind of address a candidate is (RFC 8445 §5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum CandidateKind {
    /// An address of one of its interfaces.
    Host,
    /// As an introducer sees it.
    ServerReflexive,
    /// Learnt from an authenticated probe.
    PeerReflexive,
}

/// What came of one remote candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct CandidateAttempt {
    /// The address.
    pub remote: SocketAddr,
    /// Where it comes from.
    pub kind: CandidateKind,
    /// Probes sent to it.
    pub probes_sent: u32,
    /// Probes that came from it.
    pub probes_received: u32,
    /// Whether an answer proved both directions.
    pub validated: bool,
    /// Why it was not even tried, where that is so.
    pub skipped: Option<CandidateRefusal>,
}

/// Stable code for why a path is what it is; the documentation uses the same words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub enum Verdict {
    /// The path is direct.
    Direct,
    /// Probing has not ended yet.
    Probing,
    /// The peer offered no address that may be tried.
    NoCandidates,
    /// Probes left, none came in: the peer's NAT or firewall drops them, or ours changes ports (symmetric).
    NoProbeArrived,
    /// The peer's probes arrive, our answers do not.
    OneWay,
    /// Direct paths are switched off here.
    RelayOnly,
    /// A direct path existed and stopped answering.
    PathLost,
    /// The peer is not connected.
    NotConnected,
}

/// Why the connection to a peer is the way it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Why {
    /// Of whom.
    pub peer: NodeId,
    /// The verdict.
    pub verdict: Verdict,
    /// Path in use.
    pub path: Option<PathStatus>,
    /// Our own addresses as introducers see them.
    pub local_observed: Vec<SocketAddr>,
    /// What was tried.
    pub attempts: Vec<CandidateAttempt>,
}

/// The node in short.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct NodeStatus {
    /// Identity.
    pub id: NodeId,
    /// Registered name.
    pub name: Option<String>,
    /// What it does for others.
    pub roles: Roles,
    /// Time since the engine was made.
    pub uptime: Duration,
    /// Interface addresses with the UDP port.
    pub local_addresses: Vec<SocketAddr>,
    /// Introducers.
    pub introducers: Vec<IntroducerStatus>,
    /// Entries in this node's own directory (introducer role).
    pub directory_entries: usize,
    /// Open relay channels (relay role).
    pub relay_channels: usize,
    /// Counters since start.
    pub counters: Counters,
}

/// Counters since start; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Counters {
    /// Registrations accepted as an introducer, renewals included.
    pub registrations_accepted: u64,
    /// Registrations refused.
    pub registrations_refused: u64,
    /// Records that contradicted another one with the same sequence number: evidence of misbehaviour.
    pub record_conflicts: u64,
    /// Searches of others answered.
    pub searches_answered: u64,
    /// Peers introduced to each other.
    pub introductions: u64,
    /// Searches and connect requests refused by a budget.
    pub requests_throttled: u64,
    /// Relay channels opened.
    pub relay_channels_opened: u64,
    /// Relay channels refused for a bound.
    pub relay_channels_refused: u64,
    /// Datagrams to relay that named no open channel, dropped.
    pub relay_dropped_unknown: u64,
    /// Datagrams to relay that were beyond the quota of their channel, dropped.
    pub relay_dropped_quota: u64,
    /// Datagrams handed in.
    pub datagrams_received: u64,
    /// Datagrams handed out.
    pub datagrams_sent: u64,
    /// Bytes handed in.
    pub bytes_received: u64,
    /// Bytes handed out.
    pub bytes_sent: u64,
    /// Datagrams dropped because no rule matched their first bytes.
    pub dropped_unknown: u64,
    /// Datagrams in the first generation's clear-text dialect, dropped.
    pub dropped_legacy: u64,
    /// Handshake datagrams with a wrong mac1.
    pub dropped_mac1: u64,
    /// Handshake datagrams refused by a budget or answered with a cookie.
    pub dropped_throttled: u64,
    /// Data packets that did not open.
    pub dropped_unauthentic: u64,
    /// Data packets seen before or too old.
    pub dropped_replayed: u64,
    /// Packets whose content broke the protocol.
    pub dropped_malformed: u64,
    /// Diffie-Hellman computations done for strangers.
    pub handshakes_computed: u64,
    /// Sessions that came up.
    pub sessions_established: u64,
    /// Control messages with an unknown command, ignored.
    pub unknown_commands: u64,
    /// Key records of peers that the driver did not keep, or did not say that it kept.
    pub records_not_kept: u64,
    /// Datagrams forwarded by the relay role.
    pub relayed_datagrams: u64,
    /// Bytes forwarded by the relay role.
    pub relayed_bytes: u64,
    /// STUN requests answered.
    pub stun_answers: u64,
}
