//! This machine's addresses, as peers on the same network could use them, and the news that they changed.

mod watch;

use std::net::{IpAddr, SocketAddr};

pub use watch::{InterfaceWatch, watch};

/// The addresses under which a node's sockets can be reached.
#[derive(Clone, Debug)]
pub struct LocalAddresses {
    bound: Vec<SocketAddr>,
    reachable: Vec<SocketAddr>,
}

impl LocalAddresses {
    /// Asks the system, for sockets that are bound so; blocks for a moment.
    #[must_use]
    pub fn of(bound: Vec<SocketAddr>) -> Self {
        let reachable = reachable(&bound, &list());
        Self { bound, reachable }
    }

    /// The addresses, as last known.
    #[must_use]
    pub fn reachable(&self) -> &[SocketAddr] {
        &self.reachable
    }

    /// The interfaces have these addresses now; gives what the sockets can be reached under where that is something
    /// else than before.
    pub fn update(&mut self, interfaces: &[IpAddr]) -> Option<Vec<SocketAddr>> {
        let found = reachable(&self.bound, interfaces);
        if found == self.reachable {
            return None;
        }
        log::info!("this machine's addresses are now {found:?}");
        self.reachable.clone_from(&found);
        Some(found)
    }
}

/// The addresses under which the sockets can be reached: what they are bound to, or every interface where they are
/// bound to all; loopback only where there is nothing else.
fn reachable(bound: &[SocketAddr], interfaces: &[IpAddr]) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for socket in bound {
        if !socket.ip().is_unspecified() {
            found.push(*socket);
            continue;
        }
        let same_family = interfaces
            .iter()
            .filter(|ip| ip.is_ipv4() == socket.is_ipv4());
        let mut usable: Vec<_> = same_family.filter(|ip| !is_link_local(ip)).collect();
        if usable.iter().any(|ip| !ip.is_loopback()) {
            usable.retain(|ip| !ip.is_loopback());
        }
        found.extend(
            usable
                .into_iter()
                .map(|ip| SocketAddr::new(*ip, socket.port())),
        );
    }
    if found.iter().any(|a| !a.ip().is_loopback()) {
        found.retain(|a| !a.ip().is_loopback() || bound.contains(a));
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn is_link_local(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        // Without its zone such an address leads nowhere.
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Asks the system for all interface addresses; blocks for a moment.
pub(super) fn list() -> Vec<IpAddr> {
    match if_addrs::get_if_addrs() {
        Ok(found) => found.iter().map(if_addrs::Interface::ip).collect(),
        Err(error) => {
            log::warn!("cannot list this machine's addresses: {error}");
            Vec::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts
            .iter()
            .map(|t| t.parse().expect("an address"))
            .collect()
    }

    fn sockets(texts: &[&str]) -> Vec<SocketAddr> {
        texts
            .iter()
            .map(|t| t.parse().expect("an address"))
            .collect()
    }

    #[test]
    fn a_socket_bound_to_all_stands_for_every_useful_interface() {
        let interfaces = ips(&["127.0.0.1", "192.0.2.7", "169.254.1.1", "::1", "fe80::1"]);
        let bound = sockets(&["0.0.0.0:6660", "[::]:6660"]);
        assert_eq!(reachable(&bound, &interfaces), sockets(&["192.0.2.7:6660"]));
    }

    #[test]
    fn loopback_counts_where_there_is_nothing_else() {
        let bound = sockets(&["0.0.0.0:1"]);
        let alone = reachable(&bound, &ips(&["127.0.0.1", "::1"]));
        assert_eq!(alone, sockets(&["127.0.0.1:1"]));
    }

    #[test]
    fn a_socket_bound_to_one_address_stands_for_itself() {
        let bound = sockets(&["127.0.0.1:5"]);
        assert_eq!(reachable(&bound, &ips(&["192.0.2.7"])), bound);
    }

    #[test]
    fn only_a_change_is_told() {
        let mut addresses = LocalAddresses {
            bound: sockets(&["0.0.0.0:7"]),
            reachable: sockets(&["192.0.2.7:7"]),
        };
        assert_eq!(addresses.update(&ips(&["192.0.2.7", "127.0.0.1"])), None);
        let moved = addresses.update(&ips(&["192.0.2.8"]));
        assert_eq!(moved, Some(sockets(&["192.0.2.8:7"])));
        assert_eq!(addresses.reachable(), sockets(&["192.0.2.8:7"]));
    }
}
