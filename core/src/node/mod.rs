//! One participant. Feed it datagrams, time and commands; it answers with datagrams, events, effects and a
//! deadline. Call any `handle_*` as often as you like, then poll each `poll_*` until `None`.

use core::net::SocketAddr;

use bytes::Bytes;

use crate::api::{
    Accepted, ApiMisuse, Command, Effect, Event, MessageId, NodeConfig, NodeStatus, PeerStatus,
    StreamId, StreamRead, Transmit, Why,
};
use crate::id::NodeId;
use crate::time::{Deadline, Instant};

/// One participant: the whole engine behind a handful of methods. Time must not go backwards.
pub struct Node {}

impl Node {
    /// Makes a node; it starts to look for its introducers at once (poll it).
    ///
    /// # Errors
    /// `ApiMisuse::InvalidArgument` for a name or network label that is too long or has control characters.
    pub fn new(_config: NodeConfig, _now: Instant) -> Result<Self, ApiMisuse> {
        Ok(Self {})
    }

    /// This node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        NodeId::from_bytes([0; 32])
    }

    /// Takes one datagram. It is opened in place, so its bytes are scrambled afterwards.
    pub fn handle_datagram(&mut self, _now: Instant, _from: SocketAddr, _bytes: &mut [u8]) {}

    /// Takes a batch of datagrams from one source: `segment_size` bytes each, the last may be shorter.
    pub fn handle_batch(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        segment_size: usize,
    ) {
        for datagram in bytes.chunks_mut(segment_size.max(1)) {
            self.handle_datagram(now, from, datagram);
        }
    }

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// Carries out one command.
    ///
    /// # Errors
    /// [`ApiMisuse`] with nothing changed.
    pub fn handle_command(
        &mut self,
        _now: Instant,
        _command: Command,
    ) -> Result<Accepted, ApiMisuse> {
        Err(ApiMisuse::ShutDown)
    }

    /// Reads up to `max_bytes` from a stream and gives its sender as much new credit.
    ///
    /// # Errors
    /// `NotConnected` or `UnknownStream`.
    pub fn read_stream(
        &mut self,
        _now: Instant,
        _peer: NodeId,
        _stream: StreamId,
        _max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse> {
        Err(ApiMisuse::UnknownStream)
    }

    /// Takes a message that `Event::MessageReady` announced and gives its sender new credit.
    ///
    /// # Errors
    /// `NotConnected` or `UnknownMessage`.
    pub fn take_message(
        &mut self,
        _now: Instant,
        _peer: NodeId,
        _message: MessageId,
    ) -> Result<Bytes, ApiMisuse> {
        Err(ApiMisuse::UnknownMessage)
    }

    /// Fills `buffer` with datagrams for one destination, equal in size but for the last.
    #[must_use]
    pub fn poll_transmit(&mut self, _now: Instant, _buffer: &mut [u8]) -> Option<Transmit> {
        None
    }

    /// The next thing to tell the application.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// The next thing to do for the engine.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        None
    }

    /// When to call `handle_timeout`, and why; the present while output is waiting.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        None
    }

    /// The node in short.
    #[must_use]
    pub fn status(&self, _now: Instant) -> NodeStatus {
        unreachable!("replaced with the engine")
    }

    /// All peers known in this run, by id.
    #[must_use]
    pub fn peers(&self, _now: Instant) -> Vec<PeerStatus> {
        Vec::new()
    }

    /// One peer.
    #[must_use]
    pub fn peer(&self, _now: Instant, _id: &NodeId) -> Option<PeerStatus> {
        None
    }

    /// Why the path to a peer is what it is.
    #[must_use]
    pub fn why(&self, _now: Instant, _id: &NodeId) -> Option<Why> {
        None
    }
}
