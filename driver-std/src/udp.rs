//! UDP sockets, one per address family; a thread for each hands datagrams to the engine's thread.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use p2p_host::is_passing;

use crate::input::{Input, Inputs};

/// Largest UDP payload, bytes.
const DATAGRAM_BYTES: usize = 65_535;
/// Socket buffers asked for, bytes; the system may grant less.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 1 << 20;
/// Longest wait for a datagram before looking whether the node has ended.
const LOOK_UP: Duration = Duration::from_millis(500);
/// Pause after the system failed to receive.
const FAILURE_PAUSE: Duration = Duration::from_millis(20);

/// The node's sockets.
pub(crate) struct Sockets {
    sockets: Vec<(SocketAddr, UdpSocket)>,
}

impl Sockets {
    /// Takes bound sockets over, one of each address family at most.
    pub(crate) fn new(sockets: Vec<UdpSocket>) -> io::Result<Self> {
        let bounded = |socket: UdpSocket| {
            socket.set_read_timeout(Some(LOOK_UP))?;
            Ok((socket.local_addr()?, socket))
        };
        let sockets: io::Result<_> = sockets.into_iter().map(bounded).collect();
        Ok(Self { sockets: sockets? })
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
