//! Peers and what was found of them.

use p2p_core::api::{PathStatus, PeerState, PeerStatus, SearchEntry};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use serde::Serialize;
use utoipa::ToSchema;

use super::{PathView, ms, whole_ms};
use crate::clock::WallClock;
use crate::contacts::{Contacts, NameKind};
use crate::words::fingerprint;

/// One peer.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Peer)]
pub(crate) struct PeerView {
    /// Its identity.
    pub id: String,
    /// What to call it, where anything is known.
    pub name: Option<String>,
    /// What that name is worth: `petname` (the owner's own word), `found` (by the owner's look-up), or `claimed` (the
    /// peer says so, and nobody is found by it).
    pub name_kind: Option<&'static str>,
    /// `stranger`, `found`, `verified` or `attested`.
    pub trust: &'static str,
    /// Whether the owner wants nothing of it.
    pub blocked: bool,
    /// The identity as eight words, to compare by voice.
    pub fingerprint: Vec<&'static str>,
    /// `connecting`, `connected` or `disconnected`.
    pub state: &'static str,
    /// What the peer offers to what runs above the engine: `lz4`, `call-forward`, `http`, or `bit-N` for what has no
    /// name here. Empty before the first session.
    pub capabilities: Vec<String>,
    /// The path that carries data now.
    pub path: Option<PathView>,
    /// Other validated paths.
    pub alternatives: Vec<PathView>,
    /// Bytes of UDP payload sent.
    pub sent_bytes: u64,
    /// Bytes of UDP payload received and authenticated.
    pub received_bytes: u64,
    /// Packets sent that count for loss.
    pub sent_packets: u64,
    /// Of those, packets declared lost.
    pub lost_packets: u64,
    /// Time since an authenticated packet last arrived.
    pub quiet_ms: Option<u64>,
    /// When an authenticated packet last arrived.
    pub last_heard_at: Option<String>,
    /// Congestion window.
    pub congestion_window_bytes: u64,
}

impl PeerView {
    /// Makes the picture; `now` dates the last packet.
    pub(crate) fn new(
        peer: &PeerStatus,
        now: Instant,
        clock: WallClock,
        contacts: &Contacts,
    ) -> Self {
        let name = contacts.name_of(&peer.id, peer.name.as_deref());
        let trust = contacts.book().contact(&peer.id).map(|c| c.trust);
        // While nothing flows, what the engine remembers of paths is not one that carries data.
        let connected = peer.state == PeerState::Connected;
        Self {
            id: peer.id.to_string(),
            name: name.map(|(name, _)| name.to_owned()),
            name_kind: name.map(|(_, kind)| kind.word()),
            trust: trust.unwrap_or_default().word(),
            blocked: contacts.is_blocked(&peer.id),
            fingerprint: fingerprint(&peer.id),
            state: match peer.state {
                PeerState::Connecting => "connecting",
                PeerState::Connected => "connected",
                PeerState::Disconnected => "disconnected",
            },
            capabilities: capabilities(peer.capabilities),
            path: peer.path.as_ref().filter(|_| connected).map(PathView::from),
            alternatives: peer.alternatives.iter().map(PathView::from).collect(),
            sent_bytes: peer.sent_bytes,
            received_bytes: peer.received_bytes,
            sent_packets: peer.sent_packets,
            lost_packets: peer.lost_packets,
            quiet_ms: peer.quiet_for.map(whole_ms),
            last_heard_at: peer.quiet_for.map(|quiet| clock.rfc3339(now - quiet)),
            congestion_window_bytes: peer.congestion_window_bytes,
        }
    }
}

/// The words of capability bits (docs/protocol.md §3.8).
fn capabilities(bits: u32) -> Vec<String> {
    let offered = (0..u32::BITS).filter(|bit| bits >> bit & 1 == 1);
    let word = |bit| match bit {
        8 => "lz4".to_owned(),
        9 => "call-forward".to_owned(),
        10 => "http".to_owned(),
        other => format!("bit-{other}"),
    };
    offered.map(word).collect()
}

/// A page of peers.
#[derive(Serialize, ToSchema)]
pub(crate) struct PeerList {
    /// Peers in order of their ids.
    pub items: Vec<PeerView>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

/// A peer is connected.
#[derive(Serialize, ToSchema)]
pub(crate) struct Connected {
    /// Its identity.
    pub peer: String,
    /// What to call it, where anything is known.
    pub name: Option<String>,
    /// What that name is worth: `petname`, `found` or `claimed`.
    pub name_kind: Option<&'static str>,
    /// The path that carries data now.
    pub path: PathView,
}

impl Connected {
    /// Makes the picture.
    pub(crate) fn new(peer: &NodeId, name: Option<(&str, NameKind)>, path: &PathStatus) -> Self {
        Self {
            peer: peer.to_string(),
            name: name.map(|(name, _)| name.to_owned()),
            name_kind: name.map(|(_, kind)| kind.word()),
            path: path.into(),
        }
    }
}

/// One measured round trip.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pong {
    /// Of whom.
    pub peer: String,
    /// Round-trip time; null where the ping was lost.
    pub rtt_ms: Option<f64>,
    /// Whether it was lost.
    pub lost: bool,
    /// The path it took.
    pub path: Option<PathView>,
}

impl Pong {
    /// Makes the picture.
    pub(crate) fn new(
        peer: &NodeId,
        rtt: Option<core::time::Duration>,
        path: Option<&PathStatus>,
    ) -> Self {
        Self {
            peer: peer.to_string(),
            rtt_ms: rtt.map(ms),
            lost: rtt.is_none(),
            path: path.map(PathView::from),
        }
    }
}

/// One name found.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchItem {
    /// The registered name.
    pub name: String,
    /// Whose it is.
    pub id: String,
    /// The identity as eight words.
    pub fingerprint: Vec<&'static str>,
    /// The introducer that said so.
    pub introducer: String,
    /// `contact` where the name was found before to be this id's, `differs` where it was another's, null where it was
    /// never looked up.
    pub known: Option<&'static str>,
}

impl SearchItem {
    /// Makes the picture.
    pub(crate) fn new(entry: &SearchEntry, contacts: &Contacts) -> Self {
        let binding = contacts.book().binding(&entry.introducer, &entry.name);
        let known = binding.map(|b| {
            if b.id == entry.id {
                "contact"
            } else {
                "differs"
            }
        });
        Self {
            known,
            name: entry.name.clone(),
            id: entry.id.to_string(),
            fingerprint: fingerprint(&entry.id),
            introducer: entry.introducer.to_string(),
        }
    }
}

/// A page of names found.
#[derive(Serialize, ToSchema)]
pub(crate) struct SearchList {
    /// Names found.
    pub items: Vec<SearchItem>,
    /// Cursor of the next page.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docs/protocol.md §3.8.
    #[test]
    fn capabilities_have_their_words() {
        assert_eq!(capabilities(0), [""; 0]);
        assert_eq!(capabilities(0b111 << 8), ["lz4", "call-forward", "http"]);
        assert_eq!(capabilities(1 << 31 | 2), ["bit-1", "bit-31"]);
    }
}
