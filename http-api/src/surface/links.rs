//! Streams of peers that lead to applications of this machine: each has a connection of its own, and neither side is
//! read faster than the other takes. A link is forgotten once both have all that is for them.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use p2p_core::api::{Command, Engine, Event, StreamId, StreamRead};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

use super::Surface;
use super::outflow::Outflow;
use super::places::{Most, StreamKey};
use crate::proxy::{Caller, Serving, ServingStep, code};
use crate::services::Route;
use crate::sockets::{SocketId, SocketNews, SocketOrder};

/// Most exchanges at once.
const MOST: Most = Most {
    of_service: 128,
    of_peer: 64,
};
/// Bytes held in each direction of a link.
const HELD_BYTES: usize = 256 << 10;
/// Most bytes read from a stream at once.
const PIECE_BYTES: usize = 64 << 10;
/// Longest time to connect to a port of this machine.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// A stream that leads to an application.
struct Link {
    service: String,
    socket: SocketId,
    addresses: Vec<SocketAddr>,
    serving: Serving,
    head_time: Duration,
    /// When it is given up unless the answer's head, or more of the request, has come.
    until: Instant,
    to_peer: Outflow,
    /// Whether the peer's half may give more.
    reads_peer: bool,
    /// Bytes handed to the socket and not yet written.
    unwritten_bytes: usize,
    /// Bytes that the socket may still read.
    credit_bytes: usize,
    is_connected: bool,
}

/// All of them.
#[derive(Default)]
pub(super) struct Links {
    open: BTreeMap<StreamKey, Link>,
    sockets: BTreeMap<SocketId, StreamKey>,
}

impl Links {
    /// When the first of them is given up.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let waiting = self.open.values().filter(|link| link.serving.awaits_head());
        waiting.map(|link| link.until).min()
    }

    fn remove(&mut self, key: &StreamKey) -> Option<Link> {
        let link = self.open.remove(key)?;
        self.sockets.remove(&link.socket);
        Some(link)
    }
}

impl Surface {
    /// Something happened to a connection; whether it is one of an application.
    pub(super) fn on_link_socket(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        news: &SocketNews,
    ) -> bool {
        let Some(key) = self.links.sockets.get(&news.id()).copied() else {
            return false;
        };
        let Some(link) = self.links.open.get_mut(&key) else {
            return false;
        };
        match news {
            SocketNews::Refused(_) => link.serving.on_target_refused(),
            SocketNews::Read(_, bytes) => {
                link.credit_bytes = link.credit_bytes.saturating_sub(bytes.len());
                link.serving.on_target(bytes.clone());
            }
            SocketNews::Written(_, bytes) => {
                link.unwritten_bytes = link.unwritten_bytes.saturating_sub(*bytes);
            }
            SocketNews::Ended(_) => link.serving.on_target_end(),
            SocketNews::Broken(_) => link.serving.on_target_broken(),
            // Said of connections that programs begin only.
            SocketNews::Listening(..) | SocketNews::NotListening(..) | SocketNews::Accepted(_) => {}
        }
        self.drive_link(now, node, key);
        true
    }

    /// A peer opened a stream for an HTTP service. Whoever may not use it is told what is told of one that is not
    /// there.
    pub(super) fn on_call(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, stream): (NodeId, StreamId),
        name: &str,
    ) {
        let service = match self.state.services.http(name, &peer) {
            Route::To(service) => service.clone(),
            Route::OtherKind => return abandon(now, node, (peer, stream), code::WRONG_KIND),
            Route::Nowhere => return abandon(now, node, (peer, stream), code::NO_SERVICE),
        };
        let key = (peer, stream.0);
        // Whom the owner named is no stranger there.
        let is_stranger = !service.allow.names(&peer) && self.state.is_stranger(now, node, peer);
        if !self.places.take(key, name, is_stranger, MOST) {
            return abandon(now, node, (peer, stream), code::REJECTED);
        }
        let socket = self.state.sockets.number();
        let caller = self.caller(now, node, peer, name, socket);
        let link = Link {
            service: name.to_owned(),
            socket,
            serving: Serving::new(caller, &service.target.authority, &service.target.path),
            addresses: service.target.addresses,
            head_time: service.head_time,
            until: now + service.head_time,
            to_peer: Outflow::new(),
            reads_peer: true,
            unwritten_bytes: 0,
            credit_bytes: 0,
            is_connected: false,
        };
        self.links.sockets.insert(socket, key);
        self.links.open.insert(key, link);
        self.drive_link(now, node, key);
    }

    /// What the application is told of who asks: by name only what the owner calls the peer.
    fn caller(
        &self,
        now: Instant,
        node: &dyn Engine,
        peer: NodeId,
        service: &str,
        socket: SocketId,
    ) -> Caller {
        let contact = self.state.contacts.book().contact(&peer);
        let trust = contact.map_or("stranger", |contact| contact.trust.word());
        let exchange = format!("{:08x}{:08x}", self.state.run.0, socket.0);
        let mut fields = vec![
            ("x-p2p-peer-id", peer.to_string()),
            ("x-p2p-peer-trust", trust.to_owned()),
            ("x-p2p-service", service.to_owned()),
            ("x-p2p-exchange-id", exchange),
            ("x-p2p-received-at", self.state.clock.rfc3339(now)),
        ];
        if let Some(name) = contact.and_then(|contact| contact.petname.as_deref()) {
            fields.push(("x-p2p-peer-name", crate::encode::percent_encode(name)));
        }
        let id = node.id().to_string();
        let mark = format!("p2p-{}", id.chars().take(8).collect::<String>());
        Caller { fields, mark }
    }

    /// Moves a link as far as it goes.
    pub(super) fn drive_link(&mut self, now: Instant, node: &mut dyn Engine, key: StreamKey) {
        let place = (key.0, StreamId(key.1));
        loop {
            let Some(link) = self.links.open.get_mut(&key) else {
                return;
            };
            while let Some(step) = link.serving.poll() {
                let order = match step {
                    ServingStep::Connect(bytes) => {
                        link.is_connected = true;
                        self.state.sockets.push(SocketOrder::Connect {
                            id: link.socket,
                            addresses: link.addresses.clone(),
                            timeout: CONNECT_TIME,
                        });
                        link.write(bytes)
                    }
                    ServingStep::ToTarget(bytes) => link.write(bytes),
                    ServingStep::EndTarget => SocketOrder::Finish(link.socket),
                    ServingStep::CloseTarget => SocketOrder::Close(link.socket),
                    ServingStep::ToPeer(bytes) => {
                        link.to_peer.push(bytes);
                        continue;
                    }
                    ServingStep::EndPeer => {
                        link.to_peer.end();
                        continue;
                    }
                    ServingStep::StopPeer(code) => {
                        link.reads_peer = false;
                        stop(now, node, place, code);
                        continue;
                    }
                    ServingStep::Cut(code) => return self.cut_link(now, node, key, code),
                };
                if link.is_connected {
                    self.state.sockets.push(order);
                }
            }
            if link.to_peer.drive(now, node, place).is_err() {
                // The peer has gone, or wants nothing more.
                return self.cut_link(now, node, key, code::CANCELLED);
            }
            if link.serving.is_over() && !link.to_peer.is_open() {
                self.links.remove(&key);
                self.places.leave(&key);
                return;
            }
            if let Some(order) = link.allow_reading() {
                self.state.sockets.push(order);
            }
            if !link.read_peer(now, node, place) {
                return;
            }
        }
    }

    /// Gives a link up: neither side can take what came for a whole.
    pub(super) fn cut_link(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        key: StreamKey,
        code: u64,
    ) {
        let Some(link) = self.links.remove(&key) else {
            return;
        };
        self.places.leave(&key);
        if link.is_connected {
            self.state.sockets.push(SocketOrder::Reset(link.socket));
        }
        abandon(now, node, (key.0, StreamId(key.1)), code);
    }

    /// Something happened to a stream; whether it leads to an application.
    pub(super) fn on_link_event(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, stream): (NodeId, StreamId),
        event: &Event,
    ) -> bool {
        let key = (peer, stream.0);
        if !self.links.open.contains_key(&key) {
            return false;
        }
        match event {
            // Whoever wants no more of the answer has no use for the application either.
            Event::StreamStopped { .. } | Event::StreamReset { .. } => {
                self.cut_link(now, node, key, code::CANCELLED);
            }
            _ => self.drive_link(now, node, key),
        }
        true
    }

    /// Gives up all links of a peer that has gone.
    pub(super) fn end_links_of(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId) {
        let keys = self.links.open.range((peer, 0)..=(peer, u64::MAX));
        for key in keys.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.cut_link(now, node, key, code::CANCELLED);
        }
    }

    /// Gives up links of peers that may not use their service any more.
    pub(super) fn end_unallowed(&mut self, now: Instant, node: &mut dyn Engine) {
        let services = &self.state.services;
        let may_not = |(key, link): &(&StreamKey, &Link)| {
            !matches!(services.http(&link.service, &key.0), Route::To(_))
        };
        let gone = self.links.open.iter().filter(may_not);
        for key in gone.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.cut_link(now, node, key, code::NO_SERVICE);
        }
    }

    /// Answers in the place of applications that take too long.
    pub(super) fn end_late_links(&mut self, now: Instant, node: &mut dyn Engine) {
        let late = |link: &Link| link.serving.awaits_head() && link.until <= now;
        let keys = self.links.open.iter().filter(|(_, link)| late(link));
        for key in keys.map(|(key, _)| *key).collect::<Vec<_>>() {
            if let Some(link) = self.links.open.get_mut(&key) {
                link.serving.on_late();
            }
            self.drive_link(now, node, key);
        }
    }
}

impl Link {
    fn write(&mut self, bytes: Bytes) -> SocketOrder {
        self.unwritten_bytes += bytes.len();
        SocketOrder::Write(self.socket, bytes)
    }

    /// Lets the socket read as much as there is room for.
    fn allow_reading(&mut self) -> Option<SocketOrder> {
        let taken = self.to_peer.held_bytes() + self.credit_bytes;
        let room = HELD_BYTES.saturating_sub(taken);
        if !self.is_connected || self.serving.is_over() || room < HELD_BYTES / 4 {
            return None;
        }
        self.credit_bytes += room;
        Some(SocketOrder::Read(self.socket, room))
    }

    /// Takes more of the stream where the socket has room for it; whether something came.
    fn read_peer(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        (peer, stream): (NodeId, StreamId),
    ) -> bool {
        let room = HELD_BYTES
            .saturating_sub(self.unwritten_bytes)
            .min(PIECE_BYTES);
        if !self.reads_peer || room == 0 {
            return false;
        }
        match node.read_stream(now, peer, stream, room) {
            Ok(StreamRead::Data(bytes)) => {
                self.until = now + self.head_time;
                self.serving.on_stream(bytes);
                true
            }
            Ok(StreamRead::Pending) => false,
            Ok(StreamRead::Finished) => {
                self.reads_peer = false;
                self.serving.on_stream_end();
                true
            }
            Ok(StreamRead::Reset(_)) | Err(_) => {
                self.reads_peer = false;
                self.serving.on_caller_gone();
                true
            }
        }
    }
}

/// Abandons both halves; refused where the peer was quicker.
pub(super) fn abandon(
    now: Instant,
    node: &mut dyn Engine,
    (peer, stream): (NodeId, StreamId),
    code: u64,
) {
    stop(now, node, (peer, stream), code);
    let _ = node.handle_command(now, Command::ResetStream { peer, stream, code });
}

/// Wants nothing more of the peer's half; refused where it has ended.
pub(super) fn stop(
    now: Instant,
    node: &mut dyn Engine,
    (peer, stream): (NodeId, StreamId),
    code: u64,
) {
    let _ = node.handle_command(now, Command::StopStream { peer, stream, code });
}
