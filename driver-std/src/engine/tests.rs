//! What the system says of a way to send reaches the engine.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::mpsc;

use bytes::Bytes;
use p2p_core::api::{
    Accepted, ApiMisuse, Engine as Contract, Event, LinkId, MessageId, NodeStatus, PeerStatus,
    StreamId, StreamRead, Transmit, Why,
};
use p2p_core::id::NodeId;
use p2p_core::time::Deadline;
use p2p_host::{NodeOptions, Place};

use super::*;
use crate::input;
use crate::udp::SOCKET_BUFFER_BYTES;

/// An engine that wants given datagrams sent first, and tells which ways it heard to be refused.
struct Sender {
    inner: Box<dyn Contract + Send>,
    waiting: Vec<Transmit>,
    refused: mpsc::Sender<(SocketAddr, Option<IpAddr>)>,
}

impl Contract for Sender {
    fn id(&self) -> NodeId {
        self.inner.id()
    }

    fn handle_arrival(&mut self, now: Instant, arrival: Arrival<'_>) {
        self.inner.handle_arrival(now, arrival);
    }

    fn handle_send_error(&mut self, now: Instant, to: SocketAddr, from: Option<IpAddr>) {
        self.refused.send((to, from)).expect("the test listens");
        self.inner.handle_send_error(now, to, from);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.inner.handle_timeout(now);
    }

    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        self.inner.handle_command(now, command)
    }

    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        self.inner.read_stream(now, peer, stream, max_bytes)
    }

    fn read_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        self.inner.read_message(now, peer, message)
    }

    fn take_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        self.inner.take_message(now, peer, message)
    }

    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let first = self.waiting.pop();
        first.or_else(|| self.inner.poll_transmit(now, buffer))
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.inner.poll_event()
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.inner.poll_effect()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        self.inner.poll_timeout()
    }

    fn status(&self, now: Instant) -> NodeStatus {
        self.inner.status(now)
    }

    fn peers(&self, now: Instant) -> Vec<PeerStatus> {
        self.inner.peers(now)
    }

    fn peers_between(&self, ids: RangeInclusive<NodeId>, most: usize) -> Vec<NodeId> {
        self.inner.peers_between(ids, most)
    }

    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        self.inner.peer(now, id)
    }

    fn why(&self, now: Instant, id: &NodeId) -> Option<Why> {
        self.inner.why(now, id)
    }
}

#[test]
fn a_refused_way_is_told_to_the_engine_and_the_next_datagram_leaves() {
    let folder = std::env::temp_dir().join(format!("p2p-std-engine-{}", std::process::id()));
    let here: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let options = NodeOptions {
        state_dir: Some(folder.clone()),
        listen: Some(here),
        http: Some(here),
        ..NodeOptions::default()
    };
    let place = Place::open(&options, "threads", SOCKET_BUFFER_BYTES).expect("a place");
    let node = p2p_host::engine(place.config, place.clock.now(), None).expect("an engine");
    let there = std::net::UdpSocket::bind(here).expect("binds");
    let to = there.local_addr().expect("bound");
    let batch = |from: Option<IpAddr>| Transmit {
        link: LinkId(0),
        to,
        from,
        ecn: None,
        len: 4,
        segment_size: 4,
    };
    let foreign = Some([192, 0, 2, 1].into());
    let (refused, heard) = mpsc::channel();
    let (inputs, _receiver) = input::channel();
    let mut engine = Engine {
        node: Box::new(Sender {
            inner: node,
            // The last is sent first.
            waiting: vec![batch(None), batch(foreign)],
            refused,
        }),
        exchanges: Exchanges::new(place.surface),
        sockets: Sockets::new(place.udp).expect("sockets"),
        clock: place.clock,
        inputs,
        local_addresses: place.local_addresses,
        peers: place.peers,
    };
    engine.send(&mut vec![0; limits::BATCH_BYTES], 2);
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), [(to, foreign)]);
    let wait = Some(Duration::from_secs(5));
    there.set_read_timeout(wait).expect("an option");
    let (len, _) = there.recv_from(&mut [0; 8]).expect("the other datagram");
    assert_eq!(len, 4);
    let _ = std::fs::remove_dir_all(folder);
}
