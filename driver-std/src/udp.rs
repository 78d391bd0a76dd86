//! UDP sockets, one per address family; a thread for each hands datagrams to the engine's thread.
//!
//! Which address of ours a datagram was sent to comes with it, and an answer leaves from there (`quinn-udp`: pktinfo).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use p2p_core::api::{EcnCodepoint, LinkId, Transmit};
use p2p_host::{is_passing, without_timestamps};
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};

use crate::input::{Input, Inputs};

/// Largest UDP payload, and largest run of datagrams that the system joins, bytes.
const DATAGRAM_BYTES: usize = 65_535;
/// Socket buffers asked for, bytes; the system may grant less.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 1 << 20;
/// Longest wait for a datagram before looking whether the node has ended.
const LOOK_UP: Duration = Duration::from_millis(500);
/// Pause after the system failed to receive.
const FAILURE_PAUSE: Duration = Duration::from_millis(20);

/// What one receive call yields, on its way to the engine's thread: one datagram, or a run that the system joined.
pub(crate) struct Datagrams {
    /// Link that it came by: the socket.
    pub(crate) link: LinkId,
    pub(crate) from: SocketAddr,
    /// Address of ours that the sender used.
    pub(crate) to: Option<IpAddr>,
    pub(crate) ecn: Option<EcnCodepoint>,
    pub(crate) segment_size: usize,
    pub(crate) bytes: Vec<u8>,
}

/// A socket with the options that tell and choose addresses.
struct Port {
    link: LinkId,
    socket: UdpSocket,
    state: UdpSocketState,
    bound: SocketAddr,
}

impl Port {
    fn new((id, socket): (u8, UdpSocket)) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        without_timestamps(&socket)?;
        // That was for an event loop; here a thread waits in the call.
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(LOOK_UP))?;
        Ok(Self {
            link: LinkId(id),
            bound: socket.local_addr()?,
            socket,
            state,
        })
    }

    fn receive_once(&self, buffer: &mut [u8]) -> io::Result<Option<Datagrams>> {
        let mut metas = [RecvMeta::default()];
        let mut slices = [IoSliceMut::new(buffer)];
        let socket = UdpSockRef::from(&self.socket);
        self.state.recv(socket, &mut slices, &mut metas)?;
        let [meta] = metas;
        let bytes = buffer.get(..meta.len).filter(|bytes| !bytes.is_empty());
        Ok(bytes.map(|bytes| Datagrams {
            link: self.link,
            from: meta.addr,
            to: meta.dst_ip,
            ecn: meta.ecn.map(p2p_host::mark_received),
            segment_size: meta.stride,
            bytes: bytes.to_vec(),
        }))
    }

    /// Hands over what arrives until `stop` is set.
    fn receive(&self, inputs: &Inputs, stop: &AtomicBool) {
        let mut buffer = vec![0; DATAGRAM_BYTES];
        while !stop.load(Ordering::Relaxed) {
            match self.receive_once(&mut buffer) {
                Ok(None) => {}
                Ok(Some(datagrams)) => {
                    // A full queue makes this thread wait, and the system drops what comes meanwhile.
                    if inputs.send(Input::Datagrams(datagrams)).is_err() {
                        return;
                    }
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    log::warn!("cannot receive on {}: {error}", self.bound);
                    thread::sleep(FAILURE_PAUSE);
                }
            }
        }
    }

    fn send_once(&self, batch: &Transmit, contents: &[u8]) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: batch.to,
            ecn: batch.ecn.map(p2p_host::mark_to_send),
            contents,
            segment_size: None,
            src_ip: batch.from,
        };
        loop {
            match self
                .state
                .try_send(UdpSockRef::from(&self.socket), &transmit)
            {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }
}

/// The node's sockets.
pub(crate) struct Sockets {
    ports: Vec<Arc<Port>>,
}

impl Sockets {
    /// Takes bound sockets over; they are links, numbered in their order.
    pub(crate) fn new(sockets: Vec<UdpSocket>) -> io::Result<Self> {
        let port = |numbered| Port::new(numbered).map(Arc::new);
        let ports: io::Result<_> = (0..).zip(sockets).map(port).collect();
        Ok(Self { ports: ports? })
    }

    /// Starts a receiving thread for each socket; they end soon after `stop` is set.
    pub(crate) fn receive(&self, inputs: &Inputs, stop: &Arc<AtomicBool>) -> io::Result<()> {
        for port in &self.ports {
            let (port, inputs, stop) = (port.clone(), inputs.clone(), stop.clone());
            thread::Builder::new()
                .name("p2p-udp".to_owned())
                .spawn(move || port.receive(&inputs, &stop))?;
        }
        Ok(())
    }

    /// Sends the datagrams that lie in `bytes`; false where the system refuses the way (no route, no such address of
    /// ours). One that is too large for the way is lost alone, as the network may lose any.
    #[must_use]
    pub(crate) fn send(&self, transmit: &Transmit, bytes: &[u8]) -> bool {
        let to = transmit.to;
        let Some(port) = self.ports.iter().find(|port| port.link == transmit.link) else {
            log::debug!("no link {:?} to {to}", transmit.link);
            return false;
        };
        for datagram in bytes.chunks(transmit.segment_size.max(1)) {
            if let Err(error) = port.send_once(transmit, datagram) {
                log::debug!("cannot send to {to}: {error}");
                if !quinn_udp::is_msg_size_err(&error) {
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;

    fn to(to: SocketAddr, from: Option<IpAddr>, len: usize) -> Transmit {
        Transmit {
            link: LinkId(0),
            to,
            from,
            ecn: Some(EcnCodepoint::Ect0),
            len,
            segment_size: len,
        }
    }

    fn bind(address: &str) -> (Sockets, SocketAddr) {
        let socket = UdpSocket::bind(address).expect("binds");
        let bound = socket.local_addr().expect("bound");
        (Sockets::new(vec![socket]).expect("options"), bound)
    }

    #[test]
    fn an_answer_leaves_from_the_address_that_was_asked() {
        let (host, bound) = bind("0.0.0.0:0");
        let (inputs, receiver) = input::channel();
        let stop = Arc::new(AtomicBool::new(false));
        host.receive(&inputs, &stop).expect("threads");
        let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let asked = SocketAddr::from(([127, 0, 0, 2], bound.port()));
        client.send_to(b"who", asked).expect("sends");
        let wait = Duration::from_secs(5);
        let Ok(Input::Datagrams(got)) = receiver.recv_timeout(wait) else {
            panic!("a datagram");
        };
        assert_eq!(got.from, client.local_addr().expect("bound"));
        assert_eq!((got.to, got.segment_size), (Some(asked.ip()), 3));
        assert_eq!(got.bytes, b"who");
        assert!(host.send(&to(got.from, got.to, 2), b"me"));
        client.set_read_timeout(Some(wait)).expect("an option");
        let (_, source) = client.recv_from(&mut [0; 8]).expect("an answer");
        assert_eq!(source, asked);
        stop.store(true, Ordering::Relaxed);
    }

    #[test]
    fn sockets_are_links_in_their_order() {
        let sockets = ["127.0.0.1:0", "127.0.0.2:0"].map(|a| UdpSocket::bind(a).expect("binds"));
        let host = Sockets::new(sockets.into()).expect("options");
        let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let back = client.local_addr().expect("bound");
        for (id, port) in (0..).zip(&host.ports) {
            client.send_to(b"here", port.bound).expect("sends");
            let got = port.receive_once(&mut [0; 64]).expect("receives");
            assert_eq!(got.map(|d| d.link), Some(LinkId(id)));
            let answer = Transmit {
                link: LinkId(id),
                ..to(back, None, 4)
            };
            assert!(host.send(&answer, b"back"));
            let (_, source) = client.recv_from(&mut [0; 8]).expect("an answer");
            assert_eq!(source, port.bound, "by the same link");
        }
        let nowhere = Transmit {
            link: LinkId(9),
            ..to(back, None, 4)
        };
        assert!(!host.send(&nowhere, b"back"));
    }

    #[test]
    fn a_mark_arrives() {
        let ((host, _), (other, there)) = (bind("127.0.0.1:0"), bind("127.0.0.1:0"));
        assert!(host.send(&to(there, None, 4), b"mark"));
        let mut buffer = [0; 64];
        let got = other.ports[0].receive_once(&mut buffer).expect("receives");
        assert_eq!(got.and_then(|d| d.ecn), Some(EcnCodepoint::Ect0));
    }

    #[test]
    fn a_way_that_the_system_refuses_is_told_and_a_large_datagram_is_not() {
        let (host, _) = bind("0.0.0.0:0");
        let there = UdpSocket::bind("127.0.0.1:0").expect("binds");
        let there = there.local_addr().expect("bound");
        assert!(host.send(&to(there, None, 9), &[0; 9]));
        let foreign = Some([192, 0, 2, 1].into());
        assert!(
            !host.send(&to(there, foreign, 9), &[0; 9]),
            "no such address of ours"
        );
        let other_family = "[::1]:9".parse().expect("an address");
        assert!(!host.send(&to(other_family, None, 9), &[0; 9]));
        assert!(
            host.send(&to(there, None, 65_536), &[0; 65_536]),
            "too large for UDP"
        );
    }
}
