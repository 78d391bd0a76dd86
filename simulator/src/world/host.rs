//! One host: its place in the network, its link, its engine and the application beside it.

use core::net::SocketAddr;
use std::collections::{BTreeMap, VecDeque};

use p2p_core::api::{EcnCodepoint, NodeConfig};
use p2p_core::id::NodeId;
use p2p_core::limits;
use p2p_core::time::Instant;

use super::clock::Clock;
use super::topology::LanId;
use crate::app::Application;
use crate::engine::Engine;
use crate::link::Direction;
use crate::oracle::Violation;

/// Datagrams and bytes of UDP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams sent.
    pub datagrams_sent: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Datagrams received.
    pub datagrams_received: u64,
    /// Bytes received.
    pub bytes_received: u64,
}

impl Traffic {
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.datagrams_sent += 1;
        self.bytes_sent += bytes as u64;
    }

    pub(crate) fn on_received(&mut self, bytes: usize) {
        self.datagrams_received += 1;
        self.bytes_received += bytes as u64;
    }
}

/// A datagram that waits in the socket of a paused host.
pub(crate) struct Waiting {
    pub from_stranger: bool,
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub ecn: Option<EcnCodepoint>,
    pub bytes: Vec<u8>,
}

pub(crate) struct Host {
    pub name: String,
    pub lan: LanId,
    pub address: SocketAddr,
    pub up: Direction,
    pub down: Direction,
    pub clock: Clock,
    /// None for a host without an engine, and after a crash.
    pub engine: Option<Box<dyn Engine>>,
    /// Whether the host never has an engine: a stranger that a test sends from.
    pub raw: bool,
    pub id: NodeId,
    pub config: NodeConfig,
    pub incarnation: u64,
    pub timer: Option<(Instant, u64)>,
    /// Wake-ups by its timer at one instant, to notice an engine that never comes to rest. Whatever else it is told
    /// then, a full socket after a pause, is not the engine's doing.
    pub spins: (Instant, u32),
    pub paused: bool,
    /// Its interface is gone: the socket refuses to send, and nothing arrives.
    pub unplugged: bool,
    pub backlog: VecDeque<Waiting>,
    pub app: Application,
    pub traffic: Traffic,
    /// Bytes received from and sent to addresses of strangers.
    pub strangers: BTreeMap<SocketAddr, [u64; 2]>,
}

impl Host {
    /// Checks that a stranger does not get more than it paid for.
    pub(crate) fn on_sent_to(&mut self, to: SocketAddr, bytes: usize) -> Result<(), Violation> {
        let Some([received, sent]) = self.strangers.get_mut(&to) else {
            return Ok(());
        };
        *sent += bytes as u64;
        if *sent > *received * limits::AMPLIFICATION {
            return Err(format!(
                "{} sent {sent} bytes to a stranger for {received}",
                self.name
            ));
        }
        Ok(())
    }

    pub(crate) fn on_received_from_stranger(&mut self, from: SocketAddr, bytes: usize) {
        self.strangers.entry(from).or_default()[0] += bytes as u64;
    }
}
