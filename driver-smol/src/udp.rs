//! UDP sockets, one per address family, with many datagrams per system call both ways (GSO, GRO, recvmmsg).
//!
//! Decides which socket carries a datagram and what a failure means: a full socket keeps the batch until it is
//! writable, anything else loses the datagram, as the network may at any time; it never stops or spins the loop.

use std::array;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};

use async_io::Async;
use futures_lite::future;
use p2p_core::api::{Arrival, LinkId, Transmit};
use p2p_core::limits;
use p2p_host::{NodeError, bind_udp, is_passing, without_timestamps};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};

/// Socket buffers asked for, bytes: 20 ms at 1.6 Gbit/s. The system may grant less.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// One receive buffer, bytes: the largest run of datagrams that the system joins.
const RECEIVE_BYTES: usize = 1 << 16;

struct Port {
    io: Async<UdpSocket>,
    state: UdpSocketState,
    bound: SocketAddr,
}

impl Port {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        without_timestamps(&socket)?;
        Ok(Self {
            state,
            bound: socket.local_addr()?,
            io: Async::new(socket)?,
        })
    }
}

/// A batch that a full socket did not take.
struct Kept {
    port: usize,
    transmit: Transmit,
    sent_bytes: usize,
}

/// What a receive call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// As many datagrams were handed over as one call takes; there may be more.
    Full,
    /// Datagrams were handed over, all that waited.
    Some,
    /// Nothing is waiting.
    Nothing,
    /// The system failed in an unusual way; wait a moment before trying again.
    Failed,
}

/// The node's sockets.
pub struct Sockets {
    ports: Vec<Port>,
    receive_buffer: Vec<u8>,
    send_buffer: Vec<u8>,
    kept: Option<Kept>,
    refused: Option<Transmit>,
}

impl Sockets {
    /// Binds. `None` means all addresses of both families with UDP port 6660; an unspecified address means all of both
    /// families with its port, and port 0 any free one.
    ///
    /// # Errors
    /// [`NodeError::Bind`] where the address is taken or foreign.
    pub fn bind(listen: Option<SocketAddr>) -> Result<Self, NodeError> {
        Ok(Self::new(bind_udp(listen, SOCKET_BUFFER_BYTES)?)?)
    }

    /// Takes bound sockets over; they are links, numbered in their order.
    pub(crate) fn new(sockets: Vec<UdpSocket>) -> io::Result<Self> {
        let ports: io::Result<_> = sockets.into_iter().map(Port::new).collect();
        Ok(Self {
            ports: ports?,
            receive_buffer: vec![0; RECEIVE_BYTES * BATCH_SIZE],
            send_buffer: vec![0; limits::BATCH_BYTES],
            kept: None,
            refused: None,
        })
    }

    /// Addresses as bound, with real ports.
    #[must_use]
    pub fn bound(&self) -> Vec<SocketAddr> {
        self.ports.iter().map(|p| p.bound).collect()
    }

    /// Hands over what one system call per socket yields.
    pub(crate) fn receive(&mut self, mut take: impl FnMut(Arrival<'_>)) -> Received {
        let mut outcome = Received::Nothing;
        for (id, port) in (0..).zip(&self.ports) {
            let mut chunks = self.receive_buffer.chunks_exact_mut(RECEIVE_BYTES);
            let mut slices: [_; BATCH_SIZE] =
                array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let socket = UdpSockRef::from(&port.io);
            match port.state.recv(socket, &mut slices, &mut metas) {
                Ok(count) => {
                    if count == BATCH_SIZE {
                        outcome = Received::Full;
                    } else if outcome != Received::Full {
                        outcome = Received::Some;
                    }
                    for (meta, slice) in metas.iter().zip(&mut slices).take(count) {
                        if let Some(bytes) = slice.get_mut(..meta.len) {
                            take(Arrival {
                                link: LinkId(id),
                                from: meta.addr,
                                to: meta.dst_ip,
                                ecn: meta.ecn.map(p2p_host::mark_received),
                                segment_size: meta.stride,
                                bytes,
                            });
                        }
                    }
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    log::warn!("cannot receive on {}: {error}", port.bound);
                    outcome = Received::Failed;
                }
            }
        }
        outcome
    }

    /// Whether a batch waits for a full socket.
    pub(crate) fn is_blocked(&self) -> bool {
        self.kept.is_some()
    }

    /// Where the engine lays its next batch; not while one is kept.
    pub(crate) fn send_buffer(&mut self) -> &mut [u8] {
        &mut self.send_buffer
    }

    /// Sends the batch that lies in the send buffer; keeps what a full socket did not take.
    pub(crate) fn send(&mut self, transmit: Transmit) {
        let port = usize::from(transmit.link.0);
        if self.ports.len() <= port {
            log::debug!("no link {:?} to {}", transmit.link, transmit.to);
            self.refused = Some(transmit);
            return;
        }
        self.kept = Some(Kept {
            port,
            transmit,
            sent_bytes: 0,
        });
        self.send_kept();
    }

    /// The batch that the system refused to send, once.
    pub(crate) fn take_refused(&mut self) -> Option<Transmit> {
        self.refused.take()
    }

    /// Tries again to send what was kept.
    pub(crate) fn send_kept(&mut self) {
        while let Some(kept) = &mut self.kept {
            let Some(port) = self.ports.get(kept.port) else {
                self.kept = None;
                return;
            };
            let all = self.send_buffer.get(kept.sent_bytes..kept.transmit.len);
            let contents = all.unwrap_or_default();
            if contents.is_empty() {
                self.kept = None;
                return;
            }
            let segment = kept.transmit.segment_size.max(1);
            let whole = segment * port.state.max_gso_segments().max(1);
            let contents = contents
                .get(..whole.min(contents.len()))
                .unwrap_or(contents);
            match send_once(port, &kept.transmit, contents, segment) {
                Ok(()) => kept.sent_bytes += contents.len(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => {
                    log::debug!("cannot send to {}: {error}", kept.transmit.to);
                    // Without joined segments the next may still pass; a single one is lost.
                    let alone = contents.len() <= segment || port.state.max_gso_segments() > 1;
                    kept.sent_bytes += if alone { contents.len() } else { 0 };
                    // A datagram too large for the path says nothing against the path.
                    if alone && !quinn_udp::is_msg_size_err(&error) {
                        self.refused = Some(kept.transmit);
                    }
                }
            }
        }
    }

    /// Waits until something can be received or, where a batch is kept, sent.
    pub(crate) async fn ready(&self) {
        future::poll_fn(|context| {
            let mut ready = false;
            for (index, port) in self.ports.iter().enumerate() {
                ready |= port.io.poll_readable(context).is_ready();
                let waits = self.kept.as_ref().is_some_and(|k| k.port == index);
                ready |= waits && port.io.poll_writable(context).is_ready();
            }
            if ready {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

fn send_once(port: &Port, batch: &Transmit, contents: &[u8], segment: usize) -> io::Result<()> {
    let transmit = quinn_udp::Transmit {
        destination: batch.to,
        ecn: batch.ecn.map(p2p_host::mark_to_send),
        contents,
        segment_size: (contents.len() > segment).then_some(segment),
        src_ip: batch.from,
    };
    loop {
        match port.state.try_send(UdpSockRef::from(&port.io), &transmit) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p2p_core::api::EcnCodepoint;

    fn loopback() -> Sockets {
        Sockets::bind(Some("127.0.0.1:0".parse().expect("an address"))).expect("binds")
    }

    #[test]
    fn a_batch_arrives_as_the_datagrams_it_was_made_of() {
        smol::block_on(async {
            let (mut a, mut b) = (loopback(), loopback());
            let buffer = a.send_buffer();
            buffer
                .iter_mut()
                .zip(0..2_500u32)
                .for_each(|(byte, i)| *byte = (i / 1_000) as u8);
            a.send(Transmit {
                link: LinkId(0),
                to: b.bound()[0],
                from: None,
                ecn: Some(EcnCodepoint::Ect0),
                len: 2_500,
                segment_size: 1_000,
            });
            assert!(!a.is_blocked());
            let mut got = Vec::new();
            while got.len() < 3 {
                b.ready().await;
                b.receive(|a| {
                    assert_eq!(a.ecn, Some(EcnCodepoint::Ect0));
                    got.extend(a.bytes.chunks(a.segment_size).map(<[u8]>::to_vec));
                });
            }
            let sizes: Vec<_> = got.iter().map(Vec::len).collect();
            assert_eq!(sizes, [1_000, 1_000, 500]);
            assert!(
                got.iter()
                    .zip(0..)
                    .all(|(d, i)| d.iter().all(|byte| *byte == i))
            );
        });
    }

    #[test]
    fn an_answer_leaves_from_the_address_that_was_asked() {
        smol::block_on(async {
            let mut host =
                Sockets::bind(Some("0.0.0.0:0".parse().expect("an address"))).expect("binds");
            let v4 = |a: &&SocketAddr| a.is_ipv4();
            let port = host.bound().iter().find(v4).expect("IPv4").port();
            let client = UdpSocket::bind("127.0.0.1:0").expect("binds");
            let asked = SocketAddr::from(([127, 0, 0, 2], port));
            client.send_to(b"who", asked).expect("sends");
            let mut ends = None;
            while ends.is_none() {
                host.ready().await;
                host.receive(|a| ends = Some((a.from, a.to)));
            }
            let (to, from) = ends.expect("a datagram");
            assert_eq!(from, Some(asked.ip()));
            host.send(Transmit {
                link: LinkId(0),
                to,
                from,
                ecn: None,
                len: 4,
                segment_size: 4,
            });
            let (_, source) = client.recv_from(&mut [0; 8]).expect("an answer");
            assert_eq!(source, asked);
        });
    }

    #[test]
    fn sockets_are_links_in_their_order() {
        smol::block_on(async {
            let mut host =
                Sockets::bind(Some("0.0.0.0:0".parse().expect("an address"))).expect("binds");
            for (id, bound) in (0..).zip(host.bound()) {
                let loopback: &str = if bound.is_ipv4() { "127.0.0.1" } else { "::1" };
                let client = UdpSocket::bind((loopback, 0)).expect("binds");
                client
                    .send_to(b"here", (loopback, bound.port()))
                    .expect("sends");
                let mut link = None;
                while link.is_none() {
                    host.ready().await;
                    host.receive(|a| link = Some(a.link));
                }
                assert_eq!(link, Some(LinkId(id)));
            }
            let nowhere = Transmit {
                link: LinkId(9),
                to: host.bound()[0],
                from: None,
                ecn: None,
                len: 4,
                segment_size: 4,
            };
            host.send(nowhere);
            assert_eq!(host.take_refused(), Some(nowhere));
        });
    }

    #[test]
    fn an_error_of_the_system_is_told_once() {
        let mut socket =
            Sockets::bind(Some("0.0.0.0:0".parse().expect("an address"))).expect("binds");
        let batch = Transmit {
            link: LinkId(0),
            to: "127.0.0.1:9".parse().expect("an address"),
            from: Some([192, 0, 2, 1].into()),
            ecn: None,
            len: 10,
            segment_size: 10,
        };
        socket.send(batch);
        assert_eq!(
            socket.take_refused(),
            Some(batch),
            "no such address of ours"
        );
        assert_eq!(socket.take_refused(), None);
    }

    #[test]
    fn sending_to_where_nobody_listens_is_no_failure() {
        let mut socket = loopback();
        let nobody = loopback().bound()[0];
        for _ in 0..3 {
            socket.send(Transmit {
                link: LinkId(0),
                to: nobody,
                from: None,
                ecn: None,
                len: 100,
                segment_size: 100,
            });
            assert!(!socket.is_blocked());
            assert_eq!(socket.receive(|_| {}), Received::Nothing);
        }
    }

    #[test]
    fn a_datagram_too_large_for_the_path_is_lost_alone() {
        let (mut a, b) = (loopback(), loopback());
        let foreign: SocketAddr = "[2001:db8::1]:1".parse().expect("an address");
        for (to, len) in [(b.bound()[0], 65_536), (foreign, 100)] {
            a.send(Transmit {
                link: LinkId(0),
                to,
                from: None,
                ecn: None,
                len,
                segment_size: len,
            });
            assert!(!a.is_blocked());
        }
    }
}
