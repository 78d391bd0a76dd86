//! Opens the sockets of a node: UDP for peers, TCP on loopback for HTTP. What is done with them is the drivers' affair.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use p2p_core::api::EcnCodepoint;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::error::NodeError;

/// UDP port unless told otherwise.
const DEFAULT_UDP_PORT: u16 = 6660;
/// Port of the HTTP surface unless told otherwise.
const DEFAULT_HTTP_PORT: u16 = 8080;
/// Ports tried for both families when any will do.
const PORT_TRIES: u32 = 16;

/// Opens the node's UDP sockets, one for each address family, each with `buffer_bytes` of kernel buffer both ways as
/// far as the system grants it.
///
/// `None` means all addresses of both families with port 6660; an unspecified address means all of both families with
/// its port, and port 0 any free one.
///
/// # Errors
/// [`NodeError::Bind`] where the address is taken or foreign.
pub fn bind_udp(
    listen: Option<SocketAddr>,
    buffer_bytes: usize,
) -> Result<Vec<UdpSocket>, NodeError> {
    let all = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), DEFAULT_UDP_PORT);
    let listen = listen.unwrap_or(all);
    if listen.ip().is_unspecified() {
        return bind_both(listen.port(), buffer_bytes);
    }
    let one = open(listen, buffer_bytes).map_err(|error| refusal("listen", listen, error))?;
    Ok(vec![one])
}

/// A mark as the socket gives it.
#[must_use]
pub const fn mark_received(mark: quinn_udp::EcnCodepoint) -> EcnCodepoint {
    match mark {
        quinn_udp::EcnCodepoint::Ect0 => EcnCodepoint::Ect0,
        quinn_udp::EcnCodepoint::Ect1 => EcnCodepoint::Ect1,
        quinn_udp::EcnCodepoint::Ce => EcnCodepoint::Ce,
    }
}

/// A mark as the socket takes it.
#[must_use]
pub const fn mark_to_send(mark: EcnCodepoint) -> quinn_udp::EcnCodepoint {
    match mark {
        EcnCodepoint::Ect0 => quinn_udp::EcnCodepoint::Ect0,
        EcnCodepoint::Ect1 => quinn_udp::EcnCodepoint::Ect1,
        EcnCodepoint::Ce => quinn_udp::EcnCodepoint::Ce,
    }
}

/// Opens the listeners of the HTTP surface on `address`, by default port 8080, which must be loopback; for `127.0.0.1`
/// also `::1` with the same port where that can be had. What they accept sends small pieces at once (`TCP_NODELAY`).
///
/// # Errors
/// [`NodeError::NotLoopback`], or [`NodeError::Bind`] where the address is taken.
pub fn bind_http(address: Option<SocketAddr>) -> Result<Vec<TcpListener>, NodeError> {
    let default = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DEFAULT_HTTP_PORT);
    let address = address.unwrap_or(default);
    if !address.ip().is_loopback() {
        return Err(NodeError::NotLoopback(address));
    }
    let first = listen(address).map_err(|error| refusal("http", address, error))?;
    let port = first.local_addr()?.port();
    let mut listeners = vec![first];
    if address.is_ipv4() {
        let second = SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port);
        match listen(second) {
            Ok(listener) => listeners.push(listener),
            Err(error) => log::info!("no HTTP on {second}: {error}"),
        }
    }
    Ok(listeners)
}

/// Leaves room for what the node wants to know of each datagram: `quinn-udp` asks for time stamps too, and then the
/// kernel's word on a joined run is too long for its buffer and loses the mark of ECN. Call it after
/// `quinn_udp::UdpSocketState::new`.
///
/// # Errors
/// What the system says.
#[cfg_attr(not(target_os = "linux"), allow(clippy::unnecessary_wraps))]
pub fn without_timestamps(socket: &UdpSocket) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(
        socket,
        nix::sys::socket::sockopt::ReceiveTimestampns,
        &false,
    )?;
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
    Ok(())
}

/// Errors of receiving that say nothing about the socket itself: nothing there, or word of an earlier datagram that was
/// refused.
#[must_use]
pub fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
        TimedOut, WouldBlock,
    };
    matches!(
        error.kind(),
        WouldBlock
            | TimedOut
            | Interrupted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | NetworkUnreachable
    )
}

fn refusal(setting: &'static str, address: SocketAddr, error: io::Error) -> NodeError {
    NodeError::Bind {
        setting,
        address,
        error,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // Linux and the BSDs hand the option on to what the listener accepts; elsewhere answers in pieces come later.
    let _ = SockRef::from(&listener).set_tcp_nodelay(true);
    Ok(listener)
}

fn open(address: SocketAddr, buffer_bytes: usize) -> io::Result<UdpSocket> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The system may grant less, or refuse; either is only slower.
    let _ = socket.set_recv_buffer_size(buffer_bytes);
    let _ = socket.set_send_buffer_size(buffer_bytes);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Binds the same port in both families; IPv6 may be missing on this machine.
fn bind_both(wanted: u16, buffer_bytes: usize) -> Result<Vec<UdpSocket>, NodeError> {
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), wanted);
    let mut tries = PORT_TRIES;
    loop {
        let first = open(v4, buffer_bytes).map_err(|error| refusal("listen", v4, error))?;
        let port = first.local_addr()?.port();
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        match open(v6, buffer_bytes) {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                log::info!("no IPv6 on this machine: {error}");
                return Ok(vec![first]);
            }
            Err(error) if wanted != 0 || tries == 0 => return Err(refusal("listen", v6, error)),
            Err(_) => tries -= 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn both_families_get_the_same_port() {
        let sockets = bind_udp(Some(address("0.0.0.0:0")), 1 << 16).expect("binds");
        let bound: Vec<_> = sockets
            .iter()
            .map(|s| s.local_addr().expect("bound"))
            .collect();
        assert_ne!(bound[0].port(), 0);
        assert!(
            bound.iter().all(|b| b.port() == bound[0].port()),
            "{bound:?}"
        );
    }

    #[test]
    fn a_taken_port_is_refused_with_its_setting() {
        let taken = bind_udp(Some(address("127.0.0.1:0")), 1 << 16).expect("binds");
        let again = bind_udp(Some(taken[0].local_addr().expect("bound")), 1 << 16);
        let error = again.expect_err("bound twice");
        assert_eq!(error.why(), "another program uses it");
        assert!(error.fix().contains("--listen"), "{}", error.fix());
    }

    #[test]
    fn http_stays_on_this_machine() {
        let error = bind_http(Some(address("0.0.0.0:0"))).expect_err("open to all");
        assert!(matches!(error, NodeError::NotLoopback(_)), "{error}");
    }

    #[test]
    fn accepted_connections_send_small_pieces_at_once() {
        let listeners = bind_http(Some(address("127.0.0.1:0"))).expect("binds");
        for listener in listeners {
            let at = listener.local_addr().expect("bound");
            let mut client = TcpStream::connect(at).expect("connects");
            let (mut accepted, _) = listener.accept().expect("accepts");
            assert!(accepted.nodelay().expect("an option"), "{at}");
            accepted.write_all(b"x").expect("writes");
            let mut byte = [0];
            client.read_exact(&mut byte).expect("reads");
        }
    }
}
