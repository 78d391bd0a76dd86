//! This machine's addresses, as peers on the same network could use them, and the news that they changed.

mod watch;

use std::net::{IpAddr, SocketAddr, UdpSocket};

use p2p_core::api::{AddressFamilies, Command, HostAddresses, Link, LinkId};

pub use watch::{InterfaceWatch, watch};

/// The addresses under which a node's sockets can be reached, and whether each socket has any.
#[derive(Clone, Debug)]
pub struct LocalAddresses {
    bound: Vec<SocketAddr>,
    /// Which sockets had an address when last looked. One that never had is not told to be down: it may be bound to an
    /// address that the system routes here without an interface that has it.
    served: Vec<bool>,
    reachable: Vec<SocketAddr>,
    /// Addresses from which the system reaches the Internet.
    outgoing: Vec<IpAddr>,
}

impl LocalAddresses {
    /// Asks the system, for sockets that are bound so; blocks for a moment.
    #[must_use]
    pub fn of(bound: Vec<SocketAddr>) -> Self {
        Self::with(bound, &list(), outgoing())
    }

    fn with(bound: Vec<SocketAddr>, interfaces: &[IpAddr], outgoing: Vec<IpAddr>) -> Self {
        Self {
            outgoing,
            served: bound.iter().map(|b| is_served(b, interfaces)).collect(),
            reachable: reachable(&bound, interfaces),
            bound,
        }
    }

    /// The sockets as links, numbered in their order.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        let link = |(id, bound): (u8, &SocketAddr)| Link {
            id: LinkId(id),
            families: AddressFamilies::of(*bound),
        };
        (0..).zip(&self.bound).map(link).collect()
    }

    /// The addresses, as last known.
    #[must_use]
    pub fn reachable(&self) -> &[SocketAddr] {
        &self.reachable
    }

    /// The addresses as the engine wants them: those of the default route and those that a socket is bound to are the
    /// main ones. Without a default route all are.
    #[must_use]
    pub fn host_addresses(&self) -> HostAddresses {
        let is_main = |a: &SocketAddr| self.outgoing.contains(&a.ip()) || self.bound.contains(a);
        let (main, side): (Vec<_>, Vec<_>) = self.reachable.iter().partition(|a| is_main(a));
        if main.is_empty() {
            return side.into();
        }
        HostAddresses { main, side }
    }

    /// The interfaces have these addresses now; gives what the engine must hear of it. No address at all, not even
    /// loopback, is taken for a failed look.
    pub fn update(&mut self, interfaces: &[IpAddr]) -> Vec<Command> {
        let mut news = Vec::new();
        if interfaces.is_empty() {
            return news;
        }
        let now = Self::with(self.bound.clone(), interfaces, outgoing());
        for (at, link) in self.links().into_iter().enumerate() {
            let bound = self.bound.get(at);
            match (self.served.get(at), now.served.get(at)) {
                (Some(true), Some(false)) => {
                    log::info!("the socket on {bound:?} has no address any more");
                    news.push(Command::LinkDown(link.id));
                }
                (Some(false), Some(true)) => {
                    log::info!("the socket on {bound:?} has an address again");
                    news.push(Command::LinkUp(link));
                }
                _ => {}
            }
        }
        if now.host_addresses() != self.host_addresses() {
            log::info!("this machine's addresses are now {:?}", now.reachable);
            news.push(Command::SetLocalAddresses(now.host_addresses()));
            news.push(Command::NetworkChanged);
        }
        *self = now;
        news
    }
}

/// Whether a socket that is bound so has an address to send from.
fn is_served(bound: &SocketAddr, interfaces: &[IpAddr]) -> bool {
    let wanted = bound.ip();
    let serves = |ip: &&IpAddr| {
        let is_any = wanted.is_unspecified() || (wanted.is_loopback() && ip.is_loopback());
        **ip == wanted || (is_any && ip.is_ipv4() == wanted.is_ipv4())
    };
    interfaces.iter().any(|ip| serves(&ip))
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

/// The addresses from which the system would send to the Internet. Connecting a UDP socket asks for the route and
/// sends nothing; the destinations are reserved for documentation (RFC 5737, RFC 3849).
fn outgoing() -> Vec<IpAddr> {
    let routes = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    let source = |(from, to): (&str, &str)| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    routes.into_iter().filter_map(source).collect()
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
        let bound = sockets(&["0.0.0.0:7"]);
        let mut addresses = LocalAddresses::with(bound, &ips(&["192.0.2.7"]), Vec::new());
        let same = addresses.update(&ips(&["192.0.2.7", "127.0.0.1"]));
        assert!(same.is_empty(), "{same:?}");
        assert!(addresses.update(&[]).is_empty(), "a look that failed");
        let moved = addresses.update(&ips(&["192.0.2.8"]));
        let [Command::SetLocalAddresses(told), Command::NetworkChanged] = &*moved else {
            panic!("{moved:?}");
        };
        assert_eq!(*told, sockets(&["192.0.2.8:7"]).into());
        assert_eq!(addresses.reachable(), sockets(&["192.0.2.8:7"]));
    }

    #[test]
    fn a_socket_without_its_address_is_a_link_that_is_down() {
        let bound = sockets(&["192.0.2.7:1", "[::]:1"]);
        let both = ips(&["192.0.2.7", "127.0.0.1", "::1"]);
        let mut addresses = LocalAddresses::with(bound, &both, Vec::new());
        let [v4, v6] = addresses.links()[..] else {
            panic!("{:?}", addresses.links());
        };
        assert_eq!(v4.families, AddressFamilies::Ipv4);
        assert_eq!(v6.families, AddressFamilies::Ipv6);
        let gone = addresses.update(&ips(&["127.0.0.1", "::1"]));
        assert!(
            matches!(&*gone, [Command::LinkDown(id)] if *id == v4.id),
            "{gone:?}"
        );
        let back = addresses.update(&ips(&["192.0.2.7", "127.0.0.1"]));
        assert!(
            matches!(&*back, [Command::LinkUp(up), Command::LinkDown(id)] if *up == v4 && *id == v6.id),
            "{back:?}"
        );
    }

    #[test]
    fn a_socket_that_no_interface_ever_served_is_not_down() {
        let bound = sockets(&["192.0.2.7:1", "127.0.0.2:1"]);
        let loopback = ips(&["127.0.0.1"]);
        let mut addresses = LocalAddresses::with(bound, &loopback, Vec::new());
        let same = addresses.update(&ips(&["127.0.0.1", "198.51.100.1"]));
        assert!(same.is_empty(), "{same:?}");
    }

    #[test]
    fn addresses_off_the_default_route_are_side_ones() {
        let interfaces = ips(&["10.77.0.2", "100.99.1.7", "172.17.0.1"]);
        let bound = sockets(&["0.0.0.0:6660"]);
        let of = |outgoing: &[&str]| {
            let of = LocalAddresses::with(bound.clone(), &interfaces, ips(outgoing));
            of.host_addresses()
        };
        let HostAddresses { main, side } = of(&["10.77.0.2"]);
        assert_eq!(main, sockets(&["10.77.0.2:6660"]));
        assert_eq!(side, sockets(&["100.99.1.7:6660", "172.17.0.1:6660"]));
        assert_eq!(of(&[]).side, [], "nothing tells them apart");
        let chosen = sockets(&["100.99.1.7:6660"]);
        let chosen = LocalAddresses::with(chosen.clone(), &interfaces, ips(&["10.77.0.2"]));
        assert_eq!(chosen.host_addresses().side, [], "the owner chose it");
    }
}
