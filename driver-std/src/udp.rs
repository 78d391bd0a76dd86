//! UDP sockets, one per address family; a thread for each hands datagrams to the engine's thread.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::engine::{Input, Inputs};
use crate::error::StartError;

/// Port unless told otherwise.
const DEFAULT_PORT: u16 = 6660;
/// Largest UDP payload, bytes.
const DATAGRAM_BYTES: usize = 65_535;
/// Socket buffers asked for, bytes; the system may grant less.
const SOCKET_BUFFER_BYTES: usize = 1 << 20;
/// Longest wait for a datagram before looking whether the node has ended.
const LOOK_UP: Duration = Duration::from_millis(500);
/// Pause after the system failed to receive.
const FAILURE_PAUSE: Duration = Duration::from_millis(20);
/// Ports tried for both families when any will do.
const PORT_TRIES: u32 = 16;

/// The node's sockets.
pub(crate) struct Sockets {
    sockets: Vec<(SocketAddr, UdpSocket)>,
}

impl Sockets {
    /// Binds. `None` means all addresses of both families with UDP port 6660; an unspecified address means all of both
    /// families with its port, and port 0 any free one.
    pub(crate) fn bind(listen: Option<SocketAddr>) -> Result<Self, StartError> {
        let all = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), DEFAULT_PORT);
        let listen = listen.unwrap_or(all);
        let sockets = if listen.ip().is_unspecified() {
            bind_both(listen.port())?
        } else {
            vec![open(listen).map_err(|e| StartError::bind("listen", listen, &e))?]
        };
        Ok(Self { sockets })
    }

    /// Addresses as bound, with real ports.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|(bound, _)| *bound).collect()
    }

    /// Starts a receiving thread for each socket; they end soon after `stop` is set.
    pub(crate) fn receive(&self, inputs: &Inputs, stop: &Arc<AtomicBool>) -> io::Result<()> {
        for (bound, socket) in &self.sockets {
            let (socket, bound) = (socket.try_clone()?, *bound);
            let (inputs, stop) = (inputs.clone(), stop.clone());
            thread::Builder::new()
                .name("p2p-udp".to_owned())
                .spawn(move || receive(&socket, bound, &inputs, &stop))?;
        }
        Ok(())
    }

    /// Sends datagrams of `segment_size` bytes each, the last may be shorter. A failure loses the datagram, as the
    /// network may.
    pub(crate) fn send(&self, to: SocketAddr, bytes: &[u8], segment_size: usize) {
        let same_family = |(bound, _): &&(SocketAddr, UdpSocket)| bound.is_ipv4() == to.is_ipv4();
        let Some((_, socket)) = self.sockets.iter().find(same_family) else {
            log::debug!("no socket for the address family of {to}");
            return;
        };
        for datagram in bytes.chunks(segment_size.max(1)) {
            if let Err(error) = socket.send_to(datagram, to) {
                log::debug!("cannot send to {to}: {error}");
            }
        }
    }
}

fn receive(socket: &UdpSocket, bound: SocketAddr, inputs: &Inputs, stop: &AtomicBool) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    while !stop.load(Ordering::Relaxed) {
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => {
                let datagram = buffer.get(..len).unwrap_or_default().to_vec();
                // A full queue makes this thread wait, and the system drops what comes meanwhile.
                if inputs.send(Input::Datagram(from, datagram)).is_err() {
                    return;
                }
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                log::warn!("cannot receive on {bound}: {error}");
                thread::sleep(FAILURE_PAUSE);
            }
        }
    }
}

/// Errors that say nothing about the socket itself: nothing there, or word of an earlier datagram that was refused.
fn is_passing(error: &io::Error) -> bool {
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

fn open(address: SocketAddr) -> io::Result<(SocketAddr, UdpSocket)> {
    let domain = Domain::for_address(address);
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The system may grant less, or refuse; either is only slower.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from(socket);
    socket.set_read_timeout(Some(LOOK_UP))?;
    Ok((socket.local_addr()?, socket))
}

/// Binds the same port in both families; IPv6 may be missing on this machine.
fn bind_both(wanted: u16) -> Result<Vec<(SocketAddr, UdpSocket)>, StartError> {
    let v4 = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), wanted);
    let mut tries = PORT_TRIES;
    loop {
        let first = open(v4).map_err(|e| StartError::bind("listen", v4, &e))?;
        let v6 = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), first.0.port());
        match open(v6) {
            Ok(second) => return Ok(vec![first, second]),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                log::info!("no IPv6 on this machine: {error}");
                return Ok(vec![first]);
            }
            Err(error) if wanted != 0 || tries == 0 => {
                return Err(StartError::bind("listen", v6, &error));
            }
            Err(_) => tries -= 1,
        }
    }
}
