//! The words in which a peer's paths are spoken of: routes, keys, what is told and what comes
//! back. Plain data only; the parent translates relay numbers into node ids (docs/protocol.md
//! §9.1).

use core::net::{IpAddr, SocketAddr};

use crate::api::{CandidateRefusal, LinkId, PathChangeReason};
use crate::time::Duration;

/// How a datagram reaches the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Route {
    /// Straight to its address.
    Direct(Pair),
    /// Inside RELAY frames to a relay with which a session exists.
    Relay {
        /// The parent's own number for the relaying peer.
        relay: u32,
        /// Our end of the channel.
        channel: u32,
    },
}

/// Both ends of a direct route (a candidate pair of RFC 8445). A host with several addresses must answer from the one
/// that was asked: a NAT in front of the peer lets in nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pair {
    /// The peer's end (IPv4-mapped IPv6 addresses count as their IPv4 address).
    pub remote: SocketAddr,
    /// Our end; `None` until a datagram shows it, and then the system chooses.
    pub local: Option<IpAddr>,
    /// Our link; `None` until a datagram shows it, and then the node chooses.
    pub link: Option<LinkId>,
}

impl Route {
    /// Straight to this address, from whichever of ours the system chooses.
    #[must_use]
    pub(crate) const fn to(remote: SocketAddr) -> Self {
        Self::Direct(Pair {
            remote,
            local: None,
            link: None,
        })
    }

    /// Whether both may be one route: equal but for an end of ours that one of them does not know.
    pub(super) fn matches(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Direct(a), Self::Direct(b)) => {
                a.remote == b.remote && agree(a.local, b.local) && agree(a.link, b.link)
            }
            _ => self == other,
        }
    }

    /// Takes over our address and link, where `seen` shows one and none was known.
    pub(super) fn learn_local(&mut self, seen: &Self) {
        if let (Self::Direct(pair), Self::Direct(seen)) = (self, seen) {
            pair.local = pair.local.or(seen.local);
            pair.link = pair.link.or(seen.link);
        }
    }

    /// Forgets our end: address or link may be gone, so let others choose.
    pub(super) const fn forget_local(&mut self) {
        if let Self::Direct(pair) = self {
            (pair.local, pair.link) = (None, None);
        }
    }

    /// Whether no relay is in between.
    #[must_use]
    pub(crate) const fn is_direct(&self) -> bool {
        matches!(self, Self::Direct(_))
    }

    /// The address, where the route is direct.
    #[must_use]
    pub(crate) const fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Direct(pair) => Some(pair.remote),
            Self::Relay { .. } => None,
        }
    }

    pub(super) fn canonical(self) -> Self {
        match self {
            Self::Direct(pair) => Self::Direct(Pair {
                remote: super::candidates::canonical(pair.remote),
                local: pair.local.map(|ip| ip.to_canonical()),
                link: pair.link,
            }),
            relay @ Self::Relay { .. } => relay,
        }
    }
}

fn agree<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
    a == b || a.is_none() || b.is_none()
}

/// Names one path for recovery and congestion control; a path that was dropped and comes back has
/// a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PathKey(pub u32);

/// An authentic packet, as far as paths care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    /// Bytes of UDP payload.
    pub bytes: usize,
    /// Whether its packet number is the highest so far.
    pub is_newest: bool,
    /// Whether it carried nothing but challenges, responses and padding (RFC 9000 §9.1).
    pub is_probing: bool,
    /// Whether its sender waits for an acknowledgement.
    pub is_eliciting: bool,
}

/// What an authentic packet means for the paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketOutcome {
    /// It came over a route that was known.
    Known(PathKey),
    /// Its source was unknown and is a candidate now.
    Learnt(PathKey),
    /// Its source was unknown and may not be tried, for this reason.
    Ignored(CandidateRefusal),
}

/// What a PATH_RESPONSE means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseOutcome {
    /// It echoed a challenge of ours.
    Validated {
        /// The path that the challenge was sent on.
        path: PathKey,
        /// Its route.
        route: Route,
        /// Time from the challenge to the response.
        rtt: Duration,
        /// Whether the path was not validated before.
        newly_validated: bool,
        /// Whether the response came back over another route than the challenge left on.
        asymmetric: bool,
    },
    /// No challenge of ours had these bytes, or it is too old.
    Unknown,
}

/// A PATH_CHALLENGE to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probe {
    /// The path under test.
    pub path: PathKey,
    /// Where to send it.
    pub route: Route,
    /// The bytes to be echoed.
    pub challenge: [u8; 8],
    /// Whether the path was validated before; if not, the probe counts against the node's budget.
    pub validated: bool,
}

/// Something the parent must act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathEvent {
    /// Data takes another path from now on.
    ActiveChanged {
        /// The path before, if it still exists.
        from: Option<PathKey>,
        /// The path now.
        to: PathKey,
        /// Its route.
        route: Route,
        /// Why.
        reason: PathChangeReason,
    },
    /// A path is gone; whatever recovery keeps for it may be forgotten.
    PathDropped(PathKey),
    /// The path in use answers nothing that it is asked, and no other one does.
    Silent,
    /// Nothing was heard on any path for `limits::PEER_TIMEOUT`: the connection is over. Told
    /// once.
    AllPathsLost,
}

/// One validated path as the status shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteStatus {
    /// Its key.
    pub path: PathKey,
    /// Its route.
    pub route: Route,
    /// Whether it carries the data now.
    pub active: bool,
    /// Whether an answer proved both directions.
    pub validated: bool,
    /// Smoothed round-trip time, once measured.
    pub rtt: Option<Duration>,
    /// Largest datagram known to pass, bytes of UDP payload.
    pub mtu_bytes: usize,
}
