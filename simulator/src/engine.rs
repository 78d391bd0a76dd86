//! What the world drives: the engine's own interface as a trait, so that a scripted stand-in or a
//! hostile peer can take a node's place. [`p2p_core::Node`] implements it by passing every call
//! on.

use core::net::SocketAddr;

use bytes::Bytes;
use p2p_core::Node;
use p2p_core::api::{
    Accepted, ApiMisuse, Command, Effect, Event, MessageId, NodeConfig, NodeStatus, PeerStatus,
    StreamId, StreamRead, Transmit, Why,
};
use p2p_core::id::NodeId;
use p2p_core::time::{Deadline, Instant};

/// Makes an engine; the world calls it at start and after a crash.
pub type Factory = fn(NodeConfig, Instant) -> Result<Box<dyn Engine>, ApiMisuse>;

/// The engine's contract (docs/architecture.md §3); the methods are those of [`p2p_core::Node`].
pub trait Engine {
    /// This node's identity.
    fn id(&self) -> NodeId;
    /// Takes one datagram.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &mut [u8]);
    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// Carries out one command.
    ///
    /// # Errors
    /// [`ApiMisuse`] with nothing changed.
    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse>;
    /// Reads from a stream.
    ///
    /// # Errors
    /// `NotConnected` or `UnknownStream`.
    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse>;
    /// Takes a whole message.
    ///
    /// # Errors
    /// `NotConnected` or `UnknownMessage`.
    fn take_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse>;
    /// Next datagrams to send.
    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit>;
    /// Next event.
    fn poll_event(&mut self) -> Option<Event>;
    /// Next effect.
    fn poll_effect(&mut self) -> Option<Effect>;
    /// Next deadline.
    fn poll_timeout(&self) -> Option<Deadline>;
    /// The node in short.
    fn status(&self, now: Instant) -> NodeStatus;
    /// One peer.
    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus>;
    /// Why the path to a peer is what it is.
    fn why(&self, now: Instant, id: &NodeId) -> Option<Why>;
}

impl Engine for Node {
    fn id(&self) -> NodeId {
        Self::id(self)
    }
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &mut [u8]) {
        Self::handle_datagram(self, now, from, bytes);
    }
    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }
    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse> {
        Self::handle_command(self, now, command)
    }
    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        Self::read_stream(self, now, peer, stream, max_bytes)
    }
    fn take_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        Self::take_message(self, now, peer, message)
    }
    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        Self::poll_transmit(self, now, buffer)
    }
    fn poll_event(&mut self) -> Option<Event> {
        Self::poll_event(self)
    }
    fn poll_effect(&mut self) -> Option<Effect> {
        Self::poll_effect(self)
    }
    fn poll_timeout(&self) -> Option<Deadline> {
        Self::poll_timeout(self)
    }
    fn status(&self, now: Instant) -> NodeStatus {
        Self::status(self, now)
    }
    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus> {
        Self::peer(self, now, id)
    }
    fn why(&self, now: Instant, id: &NodeId) -> Option<Why> {
        Self::why(self, now, id)
    }
}

/// The factory of the real engine.
pub(crate) fn real(config: NodeConfig, now: Instant) -> Result<Box<dyn Engine>, ApiMisuse> {
    Ok(Box::new(Node::new(config, now)?))
}
