//! A stand-in for the engine: greets its contacts each second and passes datagrams on, without any
//! protection.

use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use p2p_core::api::{
    Accepted, ApiMisuse, Arrival, Command, Effect, EffectId, EffectKind, EffectResult, Event,
    MessageId, NodeConfig, NodeStatus, PathKind, PathStatus, PeerStatus, StreamId, StreamRead,
    Transmit, Why,
};
use p2p_core::id::NodeId;
use p2p_core::time::{Deadline, Duration, Instant, TimerKind};

use crate::engine::Engine;

pub(super) struct Parrot {
    id: NodeId,
    peers: BTreeMap<NodeId, SocketAddr>,
    out: VecDeque<(SocketAddr, Vec<u8>)>,
    events: VecDeque<Event>,
    effects: VecDeque<Effect>,
    tick: Instant,
    /// Answers three times as many bytes as came, and one more, when set.
    pub generous: bool,
    /// Its timer is due for ever, when set.
    pub restless: bool,
}

pub(super) fn make(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    let resolve = |i: p2p_core::api::IntroducerAddress| Effect {
        id: EffectId(1),
        kind: EffectKind::Resolve {
            introducer: i.id,
            host: i.host,
            port: i.port,
        },
    };
    Ok(Box::new(Parrot {
        id: NodeId::from_bytes(config.identity_seed),
        peers: BTreeMap::new(),
        out: VecDeque::new(),
        events: VecDeque::new(),
        effects: config.introducers.into_iter().map(resolve).collect(),
        tick: now + Duration::from_secs(1),
        generous: config.network == "generous",
        restless: config.network == "restless",
    }))
}

impl Parrot {
    fn say(&mut self, to: SocketAddr, kind: u8, data: &[u8]) {
        let bytes = [&[kind][..], self.id.as_bytes(), data].concat();
        self.out.push_back((to, bytes));
    }
}

impl Engine for Parrot {
    fn id(&self) -> NodeId {
        self.id
    }

    fn handle_send_error(&mut self, _now: Instant, _to: SocketAddr, _from: Option<IpAddr>) {}

    fn handle_arrival(&mut self, _now: Instant, arrival: Arrival<'_>) {
        let (from, bytes) = (arrival.from, arrival.bytes);
        let Some((kind, rest)) = bytes.split_first() else {
            return;
        };
        let Some((id, data)) = rest.split_first_chunk::<32>() else {
            if self.generous {
                self.out.push_back((from, vec![0; bytes.len() * 3 + 1]));
            }
            return;
        };
        let peer = NodeId::from_bytes(*id);
        if self.peers.insert(peer, from).is_none() {
            let path = PathStatus {
                kind: PathKind::Direct,
                remote: from,
                validated: true,
                rtt: None,
                mtu_bytes: 1_200,
            };
            self.events.push_back(Event::Connected {
                operation: None,
                peer,
                name: None,
                path,
            });
            self.say(from, b'h', b"");
        }
        if *kind == b'd' {
            let data = Bytes::copy_from_slice(data);
            self.events.push_back(Event::DatagramReceived {
                peer,
                label: crate::world::label_for(&data),
                data,
            });
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if now >= self.tick && !self.restless {
            self.tick = now + Duration::from_secs(1);
            let peers: Vec<_> = self.peers.values().copied().collect();
            for to in peers {
                self.say(to, b'h', b"");
            }
        }
    }

    fn handle_command(&mut self, _now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        match command {
            Command::Answered {
                result: EffectResult::Resolved(addresses),
                ..
            } => {
                for to in addresses {
                    self.say(to, b'h', b"");
                }
            }
            Command::SendDatagram { peer, data, .. } => {
                let to = *self.peers.get(&peer).ok_or(ApiMisuse::NotConnected)?;
                self.say(to, b'd', &data);
            }
            _ => return Err(ApiMisuse::ShutDown),
        }
        Ok(Accepted::Done)
    }

    fn read_stream(
        &mut self,
        _now: Instant,
        _peer: NodeId,
        _stream: StreamId,
        _max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        Err(ApiMisuse::UnknownStream)
    }

    fn read_message(
        &mut self,
        _now: Instant,
        _peer: NodeId,
        _message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        Err(ApiMisuse::UnknownMessage)
    }

    fn take_message(
        &mut self,
        _now: Instant,
        _peer: NodeId,
        _message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        Err(ApiMisuse::UnknownMessage)
    }

    fn poll_transmit(&mut self, _now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        let (to, bytes) = self.out.pop_front()?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Some(Transmit {
            link: p2p_core::api::LinkId::default(),
            to,
            from: None,
            ecn: None,
            len: bytes.len(),
            segment_size: bytes.len(),
        })
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Deadline> {
        Some(Deadline::new(self.tick, TimerKind::KeepAlive))
    }

    fn status(&self, _now: Instant) -> NodeStatus {
        panic!("a parrot has no status")
    }

    fn peers(&self, _now: Instant) -> Vec<PeerStatus> {
        Vec::new()
    }

    fn peers_between(&self, _: core::ops::RangeInclusive<NodeId>, _: usize) -> Vec<NodeId> {
        Vec::new()
    }

    fn peer(&self, _now: Instant, _id: &NodeId) -> Option<PeerStatus> {
        None
    }

    fn why(&self, _now: Instant, _id: &NodeId) -> Option<Why> {
        None
    }
}
