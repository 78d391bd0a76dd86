//! Paths, and why a path is what it is, in words.

use p2p_core::api::{CandidateAttempt, CandidateKind, PathKind, PathStatus, Verdict, Why};
use serde::Serialize;
use utoipa::ToSchema;

use super::ms;

/// One path to a peer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Path)]
pub(crate) struct PathView {
    /// `direct` or `relay`.
    pub kind: &'static str,
    /// The relaying node's id.
    pub via: Option<String>,
    /// The peer's address, or the relay's.
    pub remote: String,
    /// Whether an answer proved both directions.
    pub validated: bool,
    /// Smoothed round-trip time.
    pub rtt_ms: Option<f64>,
    /// Largest datagram known to pass, bytes of UDP payload.
    pub mtu_bytes: usize,
}

impl From<&PathStatus> for PathView {
    fn from(path: &PathStatus) -> Self {
        let (kind, via) = match path.kind {
            PathKind::Direct => ("direct", None),
            PathKind::Relay { via } => ("relay", Some(via.to_string())),
        };
        Self {
            kind,
            via,
            remote: path.remote.to_string(),
            validated: path.validated,
            rtt_ms: path.rtt.map(ms),
            mtu_bytes: path.mtu_bytes,
        }
    }
}

/// What came of one address of the peer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Attempt {
    /// The address.
    pub remote: String,
    /// `host`, `server_reflexive` or `peer_reflexive` (RFC 8445).
    pub kind: &'static str,
    /// Probes sent to it.
    pub probes_sent: u32,
    /// Probes that came from it.
    pub probes_received: u32,
    /// Whether an answer proved both directions.
    pub validated: bool,
    /// Why it was not tried.
    pub skipped: Option<&'static str>,
}

impl From<&CandidateAttempt> for Attempt {
    fn from(attempt: &CandidateAttempt) -> Self {
        Self {
            remote: attempt.remote.to_string(),
            kind: match attempt.kind {
                CandidateKind::Host => "host",
                CandidateKind::ServerReflexive => "server_reflexive",
                CandidateKind::PeerReflexive => "peer_reflexive",
            },
            probes_sent: attempt.probes_sent,
            probes_received: attempt.probes_received,
            validated: attempt.validated,
            skipped: attempt.skipped.map(p2p_core::api::CandidateRefusal::text),
        }
    }
}

/// Why the connection to a peer is the way it is.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Why)]
pub(crate) struct WhyView {
    /// The peer.
    pub peer: String,
    /// Stable code: `direct`, `probing`, `no_candidates`, `no_probe_arrived`, `one_way`, `relay_only`,
    /// `path_lost`, `not_connected`.
    pub verdict: &'static str,
    /// The verdict in a sentence.
    pub text: &'static str,
    /// What to do about it, where something can be done.
    pub action: Option<&'static str>,
    /// Path in use.
    pub path: Option<PathView>,
    /// Our own addresses as introducers see them.
    pub local_observed: Vec<String>,
    /// What was tried.
    pub attempts: Vec<Attempt>,
}

impl From<&Why> for WhyView {
    fn from(why: &Why) -> Self {
        let (verdict, text, action) = verdict_text(why.verdict);
        Self {
            peer: why.peer.to_string(),
            verdict,
            text,
            action,
            path: why.path.as_ref().map(PathView::from),
            local_observed: why.local_observed.iter().map(ToString::to_string).collect(),
            attempts: why.attempts.iter().map(Attempt::from).collect(),
        }
    }
}

/// A verdict as code, sentence and advice.
pub(super) const fn verdict_text(
    verdict: Verdict,
) -> (&'static str, &'static str, Option<&'static str>) {
    match verdict {
        Verdict::Direct => (
            "direct",
            "Data goes straight to the peer's address; nobody is in between.",
            None,
        ),
        Verdict::Probing => (
            "probing",
            "Direct paths are being tried; data takes the relay until one answers.",
            Some("Wait a few seconds."),
        ),
        Verdict::NoCandidates => (
            "no_candidates",
            "The peer named no address that may be tried, so data stays on the relay.",
            Some("Check that the peer has a network and that its introducer answers."),
        ),
        Verdict::NoProbeArrived => (
            "no_probe_arrived",
            "Probes left in both directions, none came in: a firewall drops them, or a NAT on the way \
             uses another port for each destination (symmetric NAT).",
            Some(
                "Allow UDP in the firewall or forward the node's UDP port on one of the two sides.",
            ),
        ),
        Verdict::OneWay => (
            "one_way",
            "The peer's probes arrive here, our answers do not arrive there.",
            Some("Allow incoming UDP in the peer's firewall."),
        ),
        Verdict::RelayOnly => (
            "relay_only",
            "Direct paths are switched off on this node; all data goes through the relay, sealed.",
            Some("Switch direct paths on in the settings if the peer may learn your address."),
        ),
        Verdict::PathLost => (
            "path_lost",
            "A direct path existed and stopped answering; it is tried again from time to time.",
            Some(
                "Nothing to do unless it stays so: then check whether a network or address changed.",
            ),
        ),
        Verdict::NotConnected => (
            "not_connected",
            "There is no connection with this peer now.",
            Some("Connect; if that fails, check that the peer is online."),
        ),
        _ => (
            "unknown",
            "This version has no words for the verdict.",
            None,
        ),
    }
}
