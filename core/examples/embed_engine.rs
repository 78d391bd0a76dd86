//! The engine over plain sockets: two nodes of one thread meet without an introducer, and a message is delivered.
#![expect(clippy::disallowed_types, clippy::disallowed_methods)] // this is the driver
use std::net::UdpSocket;
use std::time::{Duration, Instant as MachineTime};

use p2p_core::Node;
use p2p_core::api::{ConnectTarget, Engine, EngineExt, Event, NodeConfig};
use p2p_core::time::Instant;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn node(seed: u8) -> Outcome<(Node, UdpSocket)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(1)))?;
    // Outside of an example the seeds come from the operating system, and the first two are kept.
    let config = NodeConfig::new([seed; 32], [seed + 1; 32], [seed + 2; 32]);
    Ok((Node::new(config, Instant::EPOCH)?, socket))
}

/// One turn of a driver: what has come, what is due, what is to leave. Nothing is looked up or kept for the engine.
fn turn(now: Instant, node: &mut Node, socket: &UdpSocket) -> Outcome<Option<Event>> {
    let mut buffer = [0; p2p_core::limits::BATCH_BYTES];
    if let Ok((len, from)) = socket.recv_from(&mut buffer) {
        node.handle_datagram(now, from, &mut buffer[..len]);
    }
    node.handle_timeout(now);
    while let Some(batch) = node.poll_transmit(now, &mut buffer) {
        for datagram in buffer[..batch.len].chunks(batch.segment_size) {
            socket.send_to(datagram, batch.to)?;
        }
    }
    while node.poll_effect().is_some() {}
    Ok(node.poll_event())
}

fn main() -> Outcome<()> {
    let ((mut ada, ada_socket), (mut ben, ben_socket)) = (node(1)?, node(4)?);
    let (id, address) = (ben.id(), ben_socket.local_addr()?);
    let target = ConnectTarget::Address { id, address };
    ada.connect(Instant::EPOCH, target, None, Duration::from_secs(5))?;
    let started = MachineTime::now();
    while started.elapsed() < Duration::from_secs(10) {
        let now = Instant::EPOCH + started.elapsed();
        match turn(now, &mut ada, &ada_socket)? {
            Some(Event::Connected { peer, .. }) => {
                ada.send_message(now, peer, 0, "hello".into(), None)?;
            }
            Some(Event::MessageDelivered { .. }) => {
                println!("delivered");
                return Ok(());
            }
            _ => {}
        }
        if let Some(Event::MessageReady { peer, message, .. }) = turn(now, &mut ben, &ben_socket)? {
            println!("ben hears {:?}", ben.take_message(now, peer, message)?);
        }
    }
    Err("nothing was delivered in ten seconds".into())
}
