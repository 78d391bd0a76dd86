//! What applications do, in the words of a story: register, connect, open, write, read, send, ask.
//! Each method hands one command to an engine and tells the ledger what was promised by it.

use core::net::SocketAddr;
use core::time::Duration;

use bytes::Bytes;
use p2p_core::api::{
    Accepted, Answer, ApiMisuse, Command, ConnectTarget, Label, MessageId, NodeStatus, OperationId,
    PathKind, PathStatus, PeerStatus, RequestId, Why,
};
use p2p_core::id::NodeId;

use super::{Occurrence, Who, World, label_for};
use crate::oracle::Violation;

/// How long connection attempts of stories take at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

impl World {
    /// A host's identity.
    #[must_use]
    pub fn id(&self, who: Who) -> NodeId {
        self.hosts[who.0].id
    }

    /// Whose identity this is.
    #[must_use]
    pub fn who(&self, id: &NodeId) -> Option<Who> {
        self.by_id.get(id).copied().map(Who)
    }

    /// A host's name.
    #[must_use]
    pub fn name(&self, who: Who) -> &str {
        &self.hosts[who.0].name
    }

    /// A host's address in its own network.
    #[must_use]
    pub fn address(&self, who: Who) -> SocketAddr {
        self.hosts[who.0].address
    }

    /// Hands in any command.
    ///
    /// # Errors
    /// What the engine says; `ShutDown` where none runs.
    pub fn command(&mut self, who: Who, command: Command) -> Result<Accepted, ApiMisuse> {
        let accepted = self.hand_in(who, command);
        self.drive(who.0);
        accepted
    }

    /// Hands a command in without draining what comes of it.
    pub(super) fn hand_in(&mut self, who: Who, command: Command) -> Result<Accepted, ApiMisuse> {
        let host = &mut self.hosts[who.0];
        let now = host.clock.local(self.now);
        let engine = host.engine.as_mut().ok_or(ApiMisuse::ShutDown)?;
        engine.handle_command(now, command)
    }

    /// Lets a node register with an introducer, now and after every restart.
    ///
    /// # Panics
    /// Where the engine refuses.
    pub fn register_with(&mut self, who: Who, introducer: Who) {
        let address = self.introducer_address(introducer);
        self.hosts[who.0].config.introducers.push(address.clone());
        let done = self.command(who, Command::AddIntroducer(address));
        done.unwrap_or_else(|e| panic!("{}: {e}", self.name(who)));
    }

    /// Answers a request as the echoing service does; the asker may be gone already.
    pub(super) fn answer(&mut self, host: usize, peer: NodeId, request: RequestId, body: Bytes) {
        if self.hosts[host].paused {
            let incarnation = self.hosts[host].incarnation;
            let later = Occurrence::Answer {
                host,
                incarnation,
                peer,
                request,
                body,
            };
            self.schedule(self.now + Duration::from_secs(1), later);
            return;
        }
        let answer = Answer { status: 0, body };
        let command = Command::Answer {
            peer,
            request,
            answer,
        };
        let _ = self.hand_in(Who(host), command);
        self.drive(host);
    }

    /// Starts a connection attempt.
    ///
    /// # Errors
    /// What the engine says.
    pub fn try_connect(&mut self, from: Who, to: Who) -> Result<OperationId, ApiMisuse> {
        let target = ConnectTarget::Id(self.id(to));
        self.connect_to(from, target)
    }

    /// Starts a connection attempt to an identity or a name.
    ///
    /// # Errors
    /// What the engine says.
    pub fn connect_to(
        &mut self,
        from: Who,
        target: ConnectTarget,
    ) -> Result<OperationId, ApiMisuse> {
        let command = Command::Connect {
            target,
            introducer: None,
            timeout: CONNECT_TIMEOUT,
        };
        let accepted = self.hand_in(from, command);
        if let Ok(Accepted::Operation(operation)) = accepted {
            let app = &mut self.hosts[from.0].app;
            app.connects.insert(operation, None);
            self.drive(from.0);
            return Ok(operation);
        }
        self.drive(from.0);
        Err(accepted.err().unwrap_or(ApiMisuse::ShutDown))
    }

    /// Starts a connection attempt that must be accepted.
    ///
    /// # Panics
    /// Where the engine refuses.
    #[track_caller]
    pub fn connect(&mut self, from: Who, to: Who) -> OperationId {
        match self.try_connect(from, to) {
            Ok(operation) => operation,
            Err(e) => panic!("{} cannot connect: {e}", self.name(from)),
        }
    }

    /// Whether one host's application holds a connection to another.
    #[must_use]
    pub fn is_connected(&self, from: Who, to: Who) -> bool {
        self.app(from).connected.contains_key(&self.id(to))
    }

    /// The path that one host's engine uses to another.
    #[must_use]
    pub fn path(&self, from: Who, to: Who) -> Option<PathStatus> {
        self.peer_status(from, to)?.path
    }

    /// Whether that path is direct.
    #[must_use]
    pub fn is_direct(&self, from: Who, to: Who) -> bool {
        self.path(from, to)
            .is_some_and(|p| p.kind == PathKind::Direct)
    }

    /// What one host's engine says about a peer.
    #[must_use]
    pub fn peer_status(&self, from: Who, to: Who) -> Option<PeerStatus> {
        let host = &self.hosts[from.0];
        let now = host.clock.local(self.now);
        host.engine.as_ref()?.peer(now, &self.id(to))
    }

    /// What a host's engine says about itself.
    #[must_use]
    pub fn status(&self, who: Who) -> Option<NodeStatus> {
        let host = &self.hosts[who.0];
        let now = host.clock.local(self.now);
        Some(host.engine.as_ref()?.status(now))
    }

    /// Why one host's path to another is what it is.
    #[must_use]
    pub fn why(&self, from: Who, to: Who) -> Option<Why> {
        let host = &self.hosts[from.0];
        let now = host.clock.local(self.now);
        host.engine.as_ref()?.why(now, &self.id(to))
    }

    /// Whether a node is registered with all its introducers.
    #[must_use]
    pub fn is_registered(&self, who: Who) -> bool {
        use p2p_core::api::IntroducerState::Registered;
        let wanted = self.hosts[who.0].config.introducers.len();
        let states = self.app(who).introducers.values();
        states.filter(|s| **s == Registered).count() >= wanted
    }

    /// Sends a datagram, with the label that `label_for` gives it.
    ///
    /// # Errors
    /// What the engine says.
    pub fn send_datagram(
        &mut self,
        from: Who,
        to: Who,
        data: impl Into<Bytes>,
    ) -> Result<(), ApiMisuse> {
        let data = data.into();
        let label = label_for(&data);
        let command = Command::SendDatagram {
            peer: self.id(to),
            label: label.clone(),
            data: data.clone(),
            expiry: None,
        };
        self.hand_in(from, command)?;
        self.ledger.datagram_sent((from.0, to.0), label, data);
        self.drive(from.0);
        Ok(())
    }

    /// Replaces the value of a key.
    ///
    /// # Errors
    /// What the engine says.
    pub fn set_latest(
        &mut self,
        from: Who,
        to: Who,
        key: u8,
        data: impl Into<Bytes>,
    ) -> Result<(), ApiMisuse> {
        let (key, data) = (format!("key {key}"), data.into());
        let command = Command::SetLatest {
            peer: self.id(to),
            key: key.clone(),
            data: data.clone(),
        };
        self.hand_in(from, command)?;
        self.ledger.latest_set((from.0, to.0), key, data);
        self.drive(from.0);
        Ok(())
    }

    /// Whether of every key the newest value that was set has arrived.
    ///
    /// # Errors
    /// A key whose newest value is missing.
    pub fn latest_arrived(&self, from: Who, to: Who) -> Result<(), Violation> {
        self.ledger.latest_arrived((from.0, to.0))
    }

    /// Sends a request to the echoing service that every host runs.
    ///
    /// # Errors
    /// What the engine says.
    pub fn send_request(
        &mut self,
        from: Who,
        to: Who,
        body: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<RequestId, ApiMisuse> {
        let body = body.into();
        let command = Command::SendRequest {
            peer: self.id(to),
            service: "echo".to_owned(),
            budget: 0,
            body: body.clone(),
            deadline,
        };
        let Accepted::Request(id) = self.hand_in(from, command)? else {
            return Err(unexpected());
        };
        self.ledger.request_sent((from.0, to.0), id, body);
        self.drive(from.0);
        Ok(id)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// What the engine says.
    pub fn send_message(
        &mut self,
        from: Who,
        to: Who,
        label: impl Into<Label>,
        data: impl Into<Bytes>,
    ) -> Result<MessageId, ApiMisuse> {
        self.hand_message_in(from, to, label.into(), data.into(), None)
    }

    /// Sends a message that is of no use after so long.
    ///
    /// # Errors
    /// What the engine says.
    pub fn send_message_within(
        &mut self,
        from: Who,
        to: Who,
        label: impl Into<Label>,
        data: impl Into<Bytes>,
        life: Duration,
    ) -> Result<MessageId, ApiMisuse> {
        self.hand_message_in(from, to, label.into(), data.into(), Some(life))
    }

    fn hand_message_in(
        &mut self,
        from: Who,
        to: Who,
        label: Label,
        data: Bytes,
        deadline: Option<Duration>,
    ) -> Result<MessageId, ApiMisuse> {
        let command = Command::SendMessage {
            peer: self.id(to),
            label: label.clone(),
            data: data.clone(),
            deadline,
        };
        let Accepted::Message(id) = self.hand_in(from, command)? else {
            return Err(unexpected());
        };
        let sent = self.ledger.message_sent((from.0, to.0), id, label, data);
        self.note(sent);
        self.drive(from.0);
        Ok(id)
    }

    /// Sends any bytes from a host's address, past its engine.
    pub fn send_raw(&mut self, from: Who, to: SocketAddr, bytes: &[u8]) {
        self.send(from.0, to, None, bytes);
    }

    /// Hands bytes straight to a host as if its link had just delivered them from `from`, a
    /// stranger.
    pub fn deliver_raw(&mut self, to: Who, from: SocketAddr, bytes: Vec<u8>) {
        let arrived = Occurrence::Arrived {
            host: to.0,
            from_stranger: true,
            from,
            to: self.address(to),
            ecn: None,
            bytes,
        };
        self.schedule(self.now, arrived);
    }

    /// The epoch of a connection as both ends count it now.
    pub(crate) fn epoch(&self, from: usize, to: usize) -> [u64; 2] {
        let count = |a: usize, b: usize| {
            let (host, peer) = (&self.hosts[a], &self.hosts[b].id);
            let ends = host.app.epochs.get(peer).copied().unwrap_or(0);
            (host.incarnation << 32) + ends
        };
        [count(from, to), count(to, from)]
    }

    pub(super) fn note(&mut self, outcome: Result<(), Violation>) {
        self.violations.extend(outcome.err());
    }
}

/// An engine that accepts a command as something else than it is.
pub(super) fn unexpected() -> ApiMisuse {
    ApiMisuse::InvalidArgument {
        what: "the command",
        must: "be accepted as what it is",
    }
}
