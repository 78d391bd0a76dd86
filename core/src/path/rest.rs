//! The paths of a peer at rest. Mostly it is one validated path that carries nothing, where nothing is tried, awaited
//! or held back: that takes little room. Whoever knows more addresses keeps all of them as they are. Keep-alives,
//! consent, rounds of probes and the search for the largest datagram go on: their times are kept (protocol §9.5).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::state::{PathAtRest, PathState};
use super::types::{Pair, Route};
use super::{PathKey, Paths};
use crate::link::LinkId;
use crate::rng::Rng;
use crate::time::{Instant, Offset};

/// The paths to one peer, which are one, by times from one time.
pub(crate) struct PathsAtRest {
    path: PathAtRest,
    active_since: Offset,
    next_key: u32,
    direct_paths: bool,
    lost_direct: bool,
}

/// A route in little room: both ends of one family, as they always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RouteAtRest {
    V4(Ipv4Addr, Option<Ipv4Addr>, u16, Option<LinkId>),
    V6(Ipv6Addr, Option<Ipv6Addr>, u16, Option<LinkId>),
    /// Relay and channel, bytewise: a larger alignment would cost every path two bytes.
    Relay([u8; 4], [u8; 4]),
}

impl RouteAtRest {
    /// `None` for a remote address with a scope: those are rare, and take more room.
    pub(super) fn of(route: Route) -> Option<Self> {
        let pair = match route {
            Route::Direct(pair) => pair,
            Route::Relay { relay, channel } => {
                return Some(Self::Relay(relay.to_ne_bytes(), channel.to_ne_bytes()));
            }
        };
        let (port, link) = (pair.remote.port(), pair.link);
        let at_rest = match (pair.remote.ip(), pair.local) {
            (IpAddr::V4(to), None) => Self::V4(to, None, port, link),
            (IpAddr::V4(to), Some(IpAddr::V4(ip))) => Self::V4(to, Some(ip), port, link),
            (IpAddr::V6(to), None) => Self::V6(to, None, port, link),
            (IpAddr::V6(to), Some(IpAddr::V6(ip))) => Self::V6(to, Some(ip), port, link),
            _ => return None,
        };
        (at_rest.route() == route).then_some(at_rest)
    }

    /// The route.
    pub(super) fn route(self) -> Route {
        let (ip, local, port, link) = match self {
            Self::V4(ip, local, port, link) => (ip.into(), local.map(IpAddr::V4), port, link),
            Self::V6(ip, local, port, link) => (ip.into(), local.map(IpAddr::V6), port, link),
            Self::Relay(relay, channel) => {
                return Route::Relay {
                    relay: u32::from_ne_bytes(relay),
                    channel: u32::from_ne_bytes(channel),
                };
            }
        };
        let remote = SocketAddr::new(ip, port);
        Route::Direct(Pair {
            remote,
            local,
            link,
        })
    }
}

impl PathsAtRest {
    /// The paths as they were. `rng` is for what they draw from now on.
    pub(crate) fn wake(&self, base: Instant, rng: Rng) -> Paths {
        let mut paths = Paths::new(rng, self.direct_paths, base);
        paths.paths.reserve_exact(1);
        paths.paths.push(PathState::wake(&self.path, base));
        paths.next_key = self.next_key;
        paths.active = Some(self.path.key);
        paths.active_since = self.active_since.some(base);
        paths.was_established = true;
        paths.lost_direct = self.lost_direct;
        paths.last_received = self.path.last_received.some(base);
        paths
    }
}

impl Paths {
    /// The path in use of paths that may rest: nothing is to be sent or told, no probe is to follow soon.
    pub(crate) fn may_rest(&self) -> Option<PathKey> {
        let is_probing = self.paths.iter().any(|path| path.schedule.due().is_some());
        let is_waiting = is_probing || !self.events.is_empty() || !self.responses.is_empty();
        self.active.filter(|_| !is_waiting)
    }

    /// The paths at rest, with times from `base`; `None` where there is more than one path or address, or anything to
    /// wait for: those are kept as they are.
    pub(crate) fn rest(&self, now: Instant, base: Instant) -> Option<PathsAtRest> {
        let Self {
            rng: _,
            direct_paths,
            paths,
            refused,
            next_key,
            active,
            active_since,
            was_established,
            lost_direct,
            remote_reflexive,
            local_reflexive,
            local_host,
            rounds,
            peer_probes,
            names,
            roaming,
            suspicion,
            // There is one path to hear by.
            heard_by: _,
            lull,
            last_received,
            lost_announced,
            responses,
            events,
        } = self;
        let [path] = paths.as_slice() else {
            return None;
        };
        let knows_addresses = !refused.is_empty()
            || !remote_reflexive.is_empty()
            || !local_reflexive.is_empty()
            || !local_host.is_empty();
        let is_waiting = rounds.due().is_some()
            || !peer_probes.is_full(now)
            || !names.is_full(now)
            || !roaming.is_quiet(now)
            || suspicion.is_some()
            || lull.next_timeout().is_some()
            || !responses.is_empty()
            || !events.is_empty();
        let is_in_use = *active == Some(path.key) && *was_established && !lost_announced;
        // What came last came over it, as mostly.
        let is_all = path.last_received == Some(*last_received);
        if knows_addresses || is_waiting || !is_in_use || !is_all {
            return None;
        }
        Some(PathsAtRest {
            path: path.rest(now, base)?,
            active_since: Offset::of(base, Some(*active_since)),
            next_key: *next_key,
            direct_paths: *direct_paths,
            lost_direct: *lost_direct,
        })
    }

    /// The same, to be looked at.
    pub(crate) fn copy(&self, rng: Rng) -> Self {
        Self {
            rng,
            direct_paths: self.direct_paths,
            paths: self.paths.clone(),
            refused: self.refused.clone(),
            next_key: self.next_key,
            active: self.active,
            active_since: self.active_since,
            was_established: self.was_established,
            lost_direct: self.lost_direct,
            remote_reflexive: self.remote_reflexive.clone(),
            local_reflexive: self.local_reflexive.clone(),
            local_host: self.local_host.clone(),
            rounds: self.rounds,
            peer_probes: self.peer_probes,
            names: self.names,
            roaming: self.roaming,
            suspicion: self.suspicion,
            heard_by: self.heard_by,
            lull: self.lull,
            last_received: self.last_received,
            lost_announced: self.lost_announced,
            responses: self.responses.clone(),
            events: self.events.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_comes_back_from_a_rest_as_it_was() {
        let direct = |remote: &str, local: Option<&str>| {
            Route::Direct(Pair {
                remote: remote.parse().unwrap(),
                local: local.map(|ip| ip.parse().unwrap()),
                link: local.map(|_| LinkId(3)),
            })
        };
        let routes = [
            direct("192.0.2.1:6600", None),
            direct("192.0.2.1:6600", Some("198.51.100.7")),
            direct("[2001:db8::1]:6600", None),
            direct("[2001:db8::1]:6600", Some("2001:db8::2")),
            Route::Relay {
                relay: 7,
                channel: u32::MAX,
            },
        ];
        for route in routes {
            assert_eq!(RouteAtRest::of(route).map(RouteAtRest::route), Some(route));
        }
        let scoped = core::net::SocketAddrV6::new(Ipv6Addr::LOCALHOST, 1, 0, 3);
        assert_eq!(RouteAtRest::of(Route::to(scoped.into())), None);
        assert!(size_of::<RouteAtRest>() <= 38);
    }
}
