//! TCP connections with programs of this machine, each joined with one stream: a program's own (a forward), or one to
//! an application that peers reach (a service). The ends of halves are carried over one by one, a reset resets the
//! other side, and neither side is read faster than the other takes (protocol §8.9).

use core::time::Duration;
use std::collections::BTreeMap;

use p2p_core::api::{Engine, Event, StreamId, StreamRead};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

use super::Surface;
use super::links::{abandon, stop};
use super::outflow::Outflow;
use super::places::{Most, StreamKey};
use crate::proxy::code;
use crate::services::Route;
use crate::sockets::{SocketId, SocketNews, SocketOrder};

/// Most connections at once that peers have to applications; as many as one peer may have streams.
const MOST: Most = Most {
    of_service: 256,
    of_peer: 192,
};
/// Bytes held in each direction.
const HELD_BYTES: usize = 256 << 10;
/// Most bytes read from a stream at once.
const PIECE_BYTES: usize = 64 << 10;
/// Longest time to connect to a port of this machine.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// What a connection is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A peer uses a service of this node.
    Service(String),
    /// A program uses a service of a peer, through the forward of this number.
    Forward(u64),
}

/// A connection and its stream.
struct Tunnel {
    owner: Owner,
    socket: SocketId,
    to_peer: Outflow,
    /// The program's half has ended.
    has_ended: bool,
    /// The peer wants nothing more of the program's half; it is read and thrown away.
    is_unwanted: bool,
    /// The connection is over, and nothing more can be asked of it.
    is_gone: bool,
    /// Whether the peer's half may give more.
    reads_peer: bool,
    unwritten_bytes: usize,
    credit_bytes: usize,
}

/// All of them.
#[derive(Default)]
pub(super) struct Tunnels {
    open: BTreeMap<StreamKey, Tunnel>,
    sockets: BTreeMap<SocketId, StreamKey>,
}

impl Tunnels {
    /// Connections of programs to services of a peer.
    pub(super) fn forwarded_to(&self, peer: NodeId) -> usize {
        let of_peer = self.open.range((peer, 0)..=(peer, u64::MAX));
        let forwarded = of_peer.filter(|(_, t)| matches!(t.owner, Owner::Forward(_)));
        forwarded.count()
    }

    fn remove(&mut self, key: &StreamKey) -> Option<Tunnel> {
        let tunnel = self.open.remove(key)?;
        self.sockets.remove(&tunnel.socket);
        Some(tunnel)
    }
}

impl Surface {
    /// A peer opened a stream for a TCP service. Whoever may not use it is told what is told of one that is not there.
    pub(super) fn on_tunnel_call(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, stream): (NodeId, StreamId),
        name: &str,
    ) {
        let service = match self.state.services.tcp(name, &peer) {
            Route::To(service) => service.clone(),
            Route::OtherKind => return abandon(now, node, (peer, stream), code::WRONG_KIND),
            Route::Nowhere => return abandon(now, node, (peer, stream), code::NO_SERVICE),
        };
        // A forward may have taken the port since: it would lead round in circles.
        let mut ports = service.addresses.iter().map(|address| address.port());
        if ports.any(|port| self.state.forwards.has_port(port)) {
            return abandon(now, node, (peer, stream), code::REFUSED);
        }
        let key = (peer, stream.0);
        // Whom the owner named is no stranger there.
        let is_stranger = !service.allow.names(&peer) && self.state.is_stranger(now, node, peer);
        if !self.places.take(key, name, is_stranger, MOST) {
            return abandon(now, node, (peer, stream), code::REJECTED);
        }
        let socket = self.state.sockets.number();
        self.state.sockets.push(SocketOrder::Connect {
            id: socket,
            addresses: service.addresses,
            timeout: CONNECT_TIME,
        });
        self.begin_tunnel(now, node, key, Owner::Service(name.to_owned()), socket);
    }

    /// Joins a connection with a stream.
    pub(super) fn begin_tunnel(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        key: StreamKey,
        owner: Owner,
        socket: SocketId,
    ) {
        let tunnel = Tunnel {
            owner,
            socket,
            to_peer: Outflow::new(),
            has_ended: false,
            is_unwanted: false,
            is_gone: false,
            reads_peer: true,
            unwritten_bytes: 0,
            credit_bytes: 0,
        };
        self.tunnels.sockets.insert(socket, key);
        self.tunnels.open.insert(key, tunnel);
        self.drive_tunnel(now, node, key);
    }

    /// Something happened to a connection; whether it is one of these.
    pub(super) fn on_tunnel_socket(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        news: &SocketNews,
    ) -> bool {
        let Some(key) = self.tunnels.sockets.get(&news.id()).copied() else {
            return false;
        };
        let Some(tunnel) = self.tunnels.open.get_mut(&key) else {
            return false;
        };
        match news {
            SocketNews::Read(_, bytes) => {
                tunnel.credit_bytes = tunnel.credit_bytes.saturating_sub(bytes.len());
                let sent = bytes.len() as u64;
                tunnel.to_peer.push(bytes.clone());
                if let Owner::Forward(number) = tunnel.owner {
                    self.state.forwards.count(number, |c| c.sent_bytes += sent);
                }
            }
            SocketNews::Written(_, bytes) => {
                tunnel.unwritten_bytes = tunnel.unwritten_bytes.saturating_sub(*bytes);
            }
            SocketNews::Ended(_) => {
                tunnel.has_ended = true;
                tunnel.to_peer.end();
            }
            SocketNews::Refused(_) => {
                tunnel.is_gone = true;
                self.cut_tunnel(now, node, key, code::REFUSED);
                return true;
            }
            SocketNews::Broken(_) if tunnel.has_ended => {
                // Its half is whole and still goes to the peer; only what the peer sends has nowhere to go.
                tunnel.is_gone = true;
                tunnel.reads_peer = false;
                tunnel.unwritten_bytes = 0;
                stop(now, node, (key.0, StreamId(key.1)), code::CANCELLED);
            }
            SocketNews::Broken(_) => {
                tunnel.is_gone = true;
                self.cut_tunnel(now, node, key, code::CANCELLED);
                return true;
            }
            // Said before there is a stream.
            SocketNews::Listening(..) | SocketNews::NotListening(..) | SocketNews::Accepted(_) => {}
        }
        self.drive_tunnel(now, node, key);
        true
    }

    /// Moves bytes both ways as far as they go.
    fn drive_tunnel(&mut self, now: Instant, node: &mut dyn Engine, key: StreamKey) {
        let place = (key.0, StreamId(key.1));
        loop {
            let Some(tunnel) = self.tunnels.open.get_mut(&key) else {
                return;
            };
            if tunnel.to_peer.drive(now, node, place).is_err() {
                tunnel.refuse_more();
            }
            if tunnel.is_over() {
                return self.end_tunnel(key);
            }
            if let Some(order) = tunnel.allow_reading() {
                self.state.sockets.push(order);
            }
            let room = HELD_BYTES.saturating_sub(tunnel.unwritten_bytes);
            if !tunnel.reads_peer || room == 0 {
                return;
            }
            match node.read_stream(now, place.0, place.1, room.min(PIECE_BYTES)) {
                Ok(StreamRead::Data(bytes)) => {
                    tunnel.unwritten_bytes += bytes.len();
                    let received = bytes.len() as u64;
                    let write = SocketOrder::Write(tunnel.socket, bytes);
                    self.state.sockets.push(write);
                    if let Owner::Forward(number) = tunnel.owner {
                        let forwards = &mut self.state.forwards;
                        forwards.count(number, |c| c.received_bytes += received);
                    }
                }
                Ok(StreamRead::Pending) => return,
                Ok(StreamRead::Finished) => {
                    tunnel.reads_peer = false;
                    let finish = SocketOrder::Finish(tunnel.socket);
                    self.state.sockets.push(finish);
                }
                Ok(StreamRead::Reset(code)) => return self.on_tunnel_reset(now, node, key, code),
                Err(_) => return self.cut_tunnel(now, node, key, code::CANCELLED),
            }
        }
    }

    /// Both halves have ended, or are wanted no more.
    fn end_tunnel(&mut self, key: StreamKey) {
        if let Some(tunnel) = self.tunnels.remove(&key)
            && !tunnel.has_ended
        {
            // All is written; what the program still sends is told in its own way that nobody listens.
            self.state.sockets.push(SocketOrder::Close(tunnel.socket));
        }
        self.left_tunnel(&key);
    }

    /// Neither side can take what came for a whole: the program sees its connection reset.
    pub(super) fn cut_tunnel(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        key: StreamKey,
        code: u64,
    ) {
        let Some(tunnel) = self.tunnels.remove(&key) else {
            return;
        };
        if !tunnel.is_gone {
            self.state.sockets.push(SocketOrder::Reset(tunnel.socket));
        }
        abandon(now, node, (key.0, StreamId(key.1)), code);
        self.left_tunnel(&key);
    }

    fn left_tunnel(&mut self, key: &StreamKey) {
        self.places.leave(key);
        self.want_connections();
    }

    fn on_tunnel_reset(&mut self, now: Instant, node: &mut dyn Engine, key: StreamKey, code: u64) {
        let owner = self.tunnels.open.get(&key).map(|t| t.owner.clone());
        self.cut_tunnel(now, node, key, code::CANCELLED);
        if let Some(Owner::Forward(number)) = owner {
            self.on_forward_refused(now, number, code);
        }
    }

    /// Something happened to a stream; whether it is joined with a connection.
    pub(super) fn on_tunnel_event(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, stream): (NodeId, StreamId),
        event: &Event,
    ) -> bool {
        let key = (peer, stream.0);
        let Some(tunnel) = self.tunnels.open.get_mut(&key) else {
            return false;
        };
        match event {
            Event::StreamReset { code, .. } => {
                self.on_tunnel_reset(now, node, key, *code);
                return true;
            }
            Event::StreamStopped { .. } => tunnel.refuse_more(),
            _ => {}
        }
        self.drive_tunnel(now, node, key);
        true
    }

    /// Gives up all of a peer that has gone.
    pub(super) fn end_tunnels_of(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId) {
        let open = &self.tunnels.open;
        let keys: Vec<StreamKey> = open
            .range((peer, 0)..=(peer, u64::MAX))
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            self.cut_tunnel(now, node, key, code::CANCELLED);
        }
    }

    /// Gives up those of peers that may not use their service any more, and of forwards that are gone.
    pub(super) fn end_unwanted_tunnels(&mut self, now: Instant, node: &mut dyn Engine) {
        let (services, forwards) = (&self.state.services, &self.state.forwards);
        let is_wanted = |(key, tunnel): &(&StreamKey, &Tunnel)| match &tunnel.owner {
            Owner::Service(name) => matches!(services.tcp(name, &key.0), Route::To(_)),
            Owner::Forward(number) => forwards.is_current(*number),
        };
        let gone = self.tunnels.open.iter().filter(|t| !is_wanted(t));
        for key in gone.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.cut_tunnel(now, node, key, code::CANCELLED);
        }
    }
}

impl Tunnel {
    /// The peer takes no more; the program goes on until it is closed.
    fn refuse_more(&mut self) {
        self.to_peer.close();
        self.is_unwanted = true;
    }

    /// Whether nothing more is to be carried in either direction.
    const fn is_over(&self) -> bool {
        !self.reads_peer && self.unwritten_bytes == 0 && !self.to_peer.is_open()
    }

    /// Lets the connection read as much as there is room for.
    fn allow_reading(&mut self) -> Option<SocketOrder> {
        let taken = self.to_peer.held_bytes() + self.credit_bytes;
        let room = HELD_BYTES.saturating_sub(taken);
        if self.is_gone || self.has_ended || room < HELD_BYTES / 4 {
            return None;
        }
        self.credit_bytes += room;
        Some(SocketOrder::Read(self.socket, room))
    }
}
