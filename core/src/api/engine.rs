//! The engine's contract as a trait: drivers, surfaces, the recorder and the simulator work with anything that keeps
//! it, be it [`crate::Node`], a wrapper, or a scripted stand-in.

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use bytes::Bytes;

use super::{
    Accepted, Answer, ApiMisuse, Arrival, Command, ConnectTarget, Effect, Event, Label, LinkId,
    MessageId, NodeStatus, OperationId, PeerStatus, RequestId, StreamId, StreamRead, Transmit, Why,
};
use crate::id::NodeId;
use crate::time::{Deadline, Instant};

/// One participant as its driver sees it (docs/architecture.md §3).
///
/// Feed it datagrams, time and commands with `handle_*`, as often as you like; then call each `poll_*` until it gives
/// `None`, last `poll_timeout`. Time must not go backwards. What may change the engine are the methods that take
/// `&mut self`; the others only look. Typed forms of the commands are in [`EngineExt`].
pub trait Engine {
    /// This node's identity.
    fn id(&self) -> NodeId;

    /// Takes datagrams from one source.
    fn handle_arrival(&mut self, now: Instant, arrival: Arrival<'_>);

    /// Takes the news that the socket refused to send to `to` from `from` (as in the [`Transmit`]) for a reason other
    /// than a full buffer, so that another path is taken at once.
    fn handle_send_error(&mut self, now: Instant, to: SocketAddr, from: Option<IpAddr>);

    /// Takes a batch of datagrams whose destination is not known: `segment_size` bytes each, the last may be shorter.
    fn handle_batch(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &mut [u8],
        segment_size: usize,
    ) {
        let arrival = Arrival {
            link: LinkId::default(),
            from,
            to: None,
            ecn: None,
            segment_size,
            bytes,
        };
        self.handle_arrival(now, arrival);
    }

    /// Takes one datagram.
    fn handle_datagram(&mut self, now: Instant, from: SocketAddr, bytes: &mut [u8]) {
        self.handle_batch(now, from, bytes, usize::MAX);
    }

    /// Does everything that is due.
    fn handle_timeout(&mut self, now: Instant);

    /// Carries out one command.
    ///
    /// # Errors
    /// [`ApiMisuse`] with nothing changed.
    fn handle_command(&mut self, now: Instant, command: Command) -> Result<Accepted, ApiMisuse>;

    /// Reads up to `max_bytes` from a stream and gives its sender as much new credit. Where it gives
    /// [`StreamRead::Finished`], the sender is told that all was taken ([`Event::StreamFinished`] there). With
    /// `max_bytes` 0 nothing is taken: empty data says that there are bytes, `Finished` that only the end is left.
    ///
    /// # Errors
    /// `UnknownPeer`, `NotConnected` or `UnknownStream`.
    fn read_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        max_bytes: usize,
    ) -> Result<StreamRead, ApiMisuse>;

    /// Gives the bytes of a message that [`Event::MessageReady`] announced. It stays where it is, so that an
    /// application can keep them before it takes the message.
    ///
    /// # Errors
    /// `UnknownPeer` or `UnknownMessage`; the sender may have given it up meanwhile.
    fn read_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse>;

    /// Takes a message that [`Event::MessageReady`] announced and gives its sender new credit. The sender is told that
    /// it was taken ([`Event::MessageDelivered`] there): where it must outlive a crash, take it only once it is kept.
    ///
    /// # Errors
    /// `UnknownPeer` or `UnknownMessage`; the sender may have given it up meanwhile.
    fn take_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
    ) -> Result<Bytes, ApiMisuse>;

    /// Fills `buffer` (at least [`crate::limits::MAX_DATAGRAM_BYTES`], better [`crate::limits::BATCH_BYTES`]) with
    /// datagrams for one destination, equal in size but for the last.
    #[must_use]
    fn poll_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit>;

    /// The next thing to tell the application.
    #[must_use]
    fn poll_event(&mut self) -> Option<Event>;

    /// The next thing to do for the engine.
    #[must_use]
    fn poll_effect(&mut self) -> Option<Effect>;

    /// When to call `handle_timeout`, and why; the present while output is waiting.
    #[must_use]
    fn poll_timeout(&self) -> Option<Deadline>;

    /// The node in short.
    #[must_use]
    fn status(&self, now: Instant) -> NodeStatus;

    /// All peers known in this run, by id.
    #[must_use]
    fn peers(&self, now: Instant) -> Vec<PeerStatus>;

    /// Known peers whose ids lie in a range, in order, `most` at most; see [`crate::id::ids_with_prefix`].
    #[must_use]
    fn peers_between(&self, ids: RangeInclusive<NodeId>, most: usize) -> Vec<NodeId>;

    /// One peer.
    #[must_use]
    fn peer(&self, now: Instant, id: &NodeId) -> Option<PeerStatus>;

    /// Why the path to a peer is what it is.
    #[must_use]
    fn why(&self, now: Instant, id: &NodeId) -> Option<Why>;
}

/// The commands as methods that give what their command yields. Every [`Engine`] has them.
///
/// Errors are those of [`Engine::handle_command`]; besides, [`ApiMisuse::ForeignAnswer`] where the engine breaks its
/// contract and answers with what another command yields.
pub trait EngineExt: Engine {
    /// Begins to search introducers for registered names that start with `query`; [`Event::SearchDone`] ends it.
    ///
    /// # Errors
    /// `NoIntroducer`, `UnknownIntroducer`, or `InvalidArgument`.
    fn search(
        &mut self,
        now: Instant,
        query: String,
        introducer: Option<NodeId>,
        cursor: Option<String>,
    ) -> Result<OperationId, ApiMisuse> {
        let command = Command::Search {
            query,
            introducer,
            cursor,
        };
        operation(self.handle_command(now, command)?)
    }

    /// Begins to connect; [`Event::Connected`] or [`Event::ConnectFailed`] with the number given ends it.
    ///
    /// # Errors
    /// `OwnId`, `NoIntroducer`, `UnknownIntroducer`, or `InvalidArgument`.
    fn connect(
        &mut self,
        now: Instant,
        target: ConnectTarget,
        introducer: Option<NodeId>,
        timeout: Duration,
    ) -> Result<OperationId, ApiMisuse> {
        let command = Command::Connect {
            target,
            introducer,
            timeout,
        };
        operation(self.handle_command(now, command)?)
    }

    /// Ends the connection with a peer.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, or `NotConnected`.
    fn disconnect(&mut self, now: Instant, peer: NodeId) -> Result<(), ApiMisuse> {
        done(self.handle_command(now, Command::Disconnect(peer))?)
    }

    /// Lets a peer in: it is no stranger any more.
    ///
    /// # Errors
    /// `OwnId`.
    fn accept(&mut self, now: Instant, peer: NodeId) -> Result<(), ApiMisuse> {
        done(self.handle_command(now, Command::Accept(peer))?)
    }

    /// Measures one round trip; [`Event::Pong`] ends it.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, or `NotConnected`.
    fn ping(&mut self, now: Instant, peer: NodeId) -> Result<(), ApiMisuse> {
        done(self.handle_command(now, Command::Ping(peer))?)
    }

    /// Queues a datagram: at most once, any order. It is dropped where it waits longer than `expiry`.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, or `TooLarge`.
    fn send_datagram(
        &mut self,
        now: Instant,
        peer: NodeId,
        label: impl Into<Label>,
        data: Bytes,
        expiry: Option<Duration>,
    ) -> Result<(), ApiMisuse> {
        let label = label.into();
        let command = Command::SendDatagram {
            peer,
            label,
            data,
            expiry,
        };
        done(self.handle_command(now, command)?)
    }

    /// Replaces the value of a key with the peer: the newest value arrives, those before it may not, and never after
    /// it.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, `TooLarge`, `InvalidArgument`, or `Limit`.
    fn set_latest(
        &mut self,
        now: Instant,
        peer: NodeId,
        key: String,
        data: Bytes,
    ) -> Result<(), ApiMisuse> {
        done(self.handle_command(now, Command::SetLatest { peer, key, data })?)
    }

    /// Asks a peer's service, which may hand the request on as many times as `budget` says; [`Event::RequestDone`] with
    /// the number given ends it, at the `deadline` from now at the latest.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, `TooLarge`, `InvalidArgument`, or `Limit`.
    fn request(
        &mut self,
        now: Instant,
        peer: NodeId,
        (service, budget): (String, u8),
        body: Bytes,
        deadline: Duration,
    ) -> Result<RequestId, ApiMisuse> {
        let command = Command::SendRequest {
            peer,
            service,
            budget,
            body,
            deadline,
        };
        match self.handle_command(now, command)? {
            Accepted::Request(request) => Ok(request),
            _ => Err(ApiMisuse::ForeignAnswer),
        }
    }

    /// Answers a request that came in with [`Event::RequestReceived`].
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, `UnknownRequest`, or `TooLarge`.
    fn answer(
        &mut self,
        now: Instant,
        peer: NodeId,
        request: RequestId,
        answer: Answer,
    ) -> Result<(), ApiMisuse> {
        let command = Command::Answer {
            peer,
            request,
            answer,
        };
        done(self.handle_command(now, command)?)
    }

    /// Queues a message; [`Event::MessageDelivered`] or [`Event::MessageFailed`] with the number given ends it.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, `TooLarge`, or `Limit`.
    fn send_message(
        &mut self,
        now: Instant,
        peer: NodeId,
        label: impl Into<Label>,
        data: Bytes,
        deadline: Option<Duration>,
    ) -> Result<MessageId, ApiMisuse> {
        let label = label.into();
        let command = Command::SendMessage {
            peer,
            label,
            data,
            deadline,
        };
        match self.handle_command(now, command)? {
            Accepted::Message(message) => Ok(message),
            _ => Err(ApiMisuse::ForeignAnswer),
        }
    }

    /// Opens a stream.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, or `Limit`.
    fn open_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        label: impl Into<Label>,
    ) -> Result<StreamId, ApiMisuse> {
        let label = label.into();
        match self.handle_command(now, Command::OpenStream { peer, label })? {
            Accepted::Stream(stream) => Ok(stream),
            _ => Err(ApiMisuse::ForeignAnswer),
        }
    }

    /// Appends bytes to a stream and says how many were taken; fewer than given means: wait for
    /// [`Event::StreamWritable`].
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, `UnknownStream`, or `StreamFinished`.
    fn write_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
        data: Bytes,
    ) -> Result<usize, ApiMisuse> {
        match self.handle_command(now, Command::WriteStream { peer, stream, data })? {
            Accepted::Written(bytes) => Ok(bytes),
            _ => Err(ApiMisuse::ForeignAnswer),
        }
    }

    /// Ends the sending half of a stream after everything written.
    ///
    /// # Errors
    /// `OwnId`, `UnknownPeer`, `NotConnected`, `UnknownStream`, or `StreamFinished`.
    fn finish_stream(
        &mut self,
        now: Instant,
        peer: NodeId,
        stream: StreamId,
    ) -> Result<(), ApiMisuse> {
        done(self.handle_command(now, Command::FinishStream { peer, stream })?)
    }
}

impl<E: Engine + ?Sized> EngineExt for E {}

const fn operation(accepted: Accepted) -> Result<OperationId, ApiMisuse> {
    match accepted {
        Accepted::Operation(operation) => Ok(operation),
        _ => Err(ApiMisuse::ForeignAnswer),
    }
}

const fn done(accepted: Accepted) -> Result<(), ApiMisuse> {
    match accepted {
        Accepted::Done => Ok(()),
        _ => Err(ApiMisuse::ForeignAnswer),
    }
}

#[cfg(test)]
mod tests;
