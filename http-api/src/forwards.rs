//! Forwards: ports of this machine whose connections lead to TCP services of peers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use p2p_core::api::{ConnectTarget, OperationId};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

use crate::problem::Code;
use crate::sockets::{SocketId, SocketOrder, SocketOrders};

/// Most of them.
pub(crate) const FORWARDS: usize = 64;
/// Longest name, bytes.
pub(crate) const NAME_BYTES: usize = 128;

/// Where connections lead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    /// Whose service.
    pub peer: NodeId,
    /// How to connect to it where it is not connected.
    pub target: ConnectTarget,
    /// The introducer to ask; all if absent.
    pub introducer: Option<NodeId>,
    /// Name of the service.
    pub service: String,
}

/// What went over one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Connections that programs began.
    pub connections: u64,
    /// Connections that came to nothing.
    pub failed: u64,
    /// Bytes that programs sent.
    pub sent_bytes: u64,
    /// Bytes that programs were sent.
    pub received_bytes: u64,
}

/// One port.
#[derive(Clone, Debug)]
pub(crate) struct Forward {
    /// Tells it from others of its name, before and after.
    pub number: u64,
    pub name: String,
    pub to: Destination,
    /// As the owner wrote it; the port may be 0.
    pub asked: SocketAddr,
    /// Where it listens.
    pub listen: SocketAddr,
    pub listener: SocketId,
    pub counts: Counts,
    /// Why the newest connection that failed did, and when.
    pub last_error: Option<(Code, Instant)>,
    /// The connection that the host takes next.
    pub wanted: Option<SocketId>,
    /// Connections that wait for the peer.
    pub waiting: Vec<SocketId>,
    /// The attempt to connect to the peer.
    pub dial: Option<OperationId>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Forwards {
    open: BTreeMap<String, Forward>,
    /// Those whose port is not there yet.
    opening: BTreeMap<SocketId, Forward>,
    next: u64,
}

impl Forwards {
    /// Whether a text may name one.
    pub(crate) fn is_name(name: &str) -> bool {
        (1..=NAME_BYTES).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c == '/')
    }

    /// Begins to listen; `None` where there are too many.
    pub(crate) fn begin(
        &mut self,
        name: &str,
        to: Destination,
        asked: SocketAddr,
        sockets: &mut SocketOrders,
    ) -> Option<SocketId> {
        let is_new = !self.open.contains_key(name);
        if self.open.len() + self.opening.len() >= FORWARDS + usize::from(!is_new) {
            return None;
        }
        let listener = sockets.number();
        self.next += 1;
        let forward = Forward {
            number: self.next,
            name: name.to_owned(),
            to,
            asked,
            listen: asked,
            listener,
            counts: Counts::default(),
            last_error: None,
            wanted: None,
            waiting: Vec::new(),
            dial: None,
        };
        self.opening.insert(listener, forward);
        sockets.push(SocketOrder::Listen {
            id: listener,
            address: asked,
        });
        Some(listener)
    }

    /// One listens now; whatever had its name before ends.
    pub(crate) fn on_listening(
        &mut self,
        listener: SocketId,
        address: SocketAddr,
        sockets: &mut SocketOrders,
    ) -> Option<&Forward> {
        let mut forward = self.opening.remove(&listener)?;
        forward.listen = address;
        let name = forward.name.clone();
        if let Some(before) = self.open.insert(name.clone(), forward) {
            close(&before, sockets);
        }
        self.open.get(&name)
    }

    /// One cannot listen; its name.
    pub(crate) fn on_not_listening(&mut self, listener: SocketId) -> Option<String> {
        let forward = self.opening.remove(&listener)?;
        Some(forward.name)
    }

    /// Leads connections elsewhere from now on, on the port that there is.
    pub(crate) fn redirect(&mut self, name: &str, to: Destination, sockets: &mut SocketOrders) {
        self.next += 1;
        let number = self.next;
        if let Some(forward) = self.open.get_mut(name) {
            reset_waiting(forward, sockets);
            forward.waiting.clear();
            (forward.number, forward.to, forward.dial) = (number, to, None);
            (forward.counts, forward.last_error) = (Counts::default(), None);
        }
    }

    /// Ends one; whether it was there.
    pub(crate) fn remove(&mut self, name: &str, sockets: &mut SocketOrders) -> bool {
        let opening = self.opening.iter().filter(|(_, f)| f.name == name);
        for listener in opening.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.opening.remove(&listener);
            sockets.push(SocketOrder::Close(listener));
        }
        let removed = self.open.remove(name);
        if let Some(forward) = &removed {
            close(forward, sockets);
        }
        removed.is_some()
    }

    /// One by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&Forward> {
        self.open.get(name)
    }

    /// All in order of their names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Forward> {
        self.open.values()
    }

    /// All in order of their names.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Forward> {
        self.open.values_mut()
    }

    /// One by its number.
    pub(crate) fn by_number(&mut self, number: u64) -> Option<&mut Forward> {
        self.open.values_mut().find(|f| f.number == number)
    }

    /// Whether a number is one that still stands.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.open.values().any(|f| f.number == number)
    }

    /// Whether one of them listens on a port.
    pub(crate) fn has_port(&self, port: u16) -> bool {
        self.open.values().any(|f| f.listen.port() == port)
    }

    /// Ports on which they listen.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.open.values().map(|f| f.listen.port())
    }

    /// The host took a connection; the number of the forward that wanted it.
    pub(crate) fn on_accepted(&mut self, id: SocketId) -> Option<u64> {
        let forward = self.open.values_mut().find(|f| f.wanted == Some(id))?;
        forward.wanted = None;
        forward.counts.connections += 1;
        Some(forward.number)
    }

    /// The number of the forward that an attempt to connect is for.
    pub(crate) fn dialling(&self, operation: OperationId) -> Option<u64> {
        let dials = self.open.values().find(|f| f.dial == Some(operation));
        dials.map(|f| f.number)
    }

    /// Something is to be counted.
    pub(crate) fn count(&mut self, number: u64, count: impl FnOnce(&mut Counts)) {
        if let Some(forward) = self.by_number(number) {
            count(&mut forward.counts);
        }
    }
}

/// Ends what waits for a peer; connections that are under way are ended by whoever has them.
fn reset_waiting(forward: &Forward, sockets: &mut SocketOrders) {
    for id in &forward.waiting {
        sockets.push(SocketOrder::Reset(*id));
    }
}

fn close(forward: &Forward, sockets: &mut SocketOrders) {
    reset_waiting(forward, sockets);
    sockets.push(SocketOrder::Close(forward.listener));
}
