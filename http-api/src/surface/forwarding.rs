//! Connections of programs to ports that lead to peers: taken one by one, joined with a stream once the peer is
//! connected, which is seen to here.

use core::time::Duration;
use std::io;

use p2p_core::api::{ApiMisuse, Engine, EngineExt as _, Label, OperationId, ServiceName};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_storage::{Change, Kept};
use serde_json::json;

use super::Surface;
use super::tunnels::Owner;
use crate::problem::{Code, Problem};
use crate::proxy::{TCP_KIND, code};
use crate::reply::{Full, Wait, WaitFor};
use crate::resources::forwards;
use crate::sockets::{SocketId, SocketNews, SocketOrder};
use crate::state::KEEP_TIMEOUT;
use crate::view;

/// Most connections at once to one peer, those that wait for it included: of the streams that a peer allows, some are
/// left for other things.
const CONNECTIONS_PER_PEER: usize = 192;
/// How long a connection waits for the peer.
const DIAL_TIME: Duration = Duration::from_secs(15);

impl Surface {
    /// Something happened to a port, or to a connection that has no stream yet.
    pub(super) fn on_forward_socket(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        news: &SocketNews,
    ) {
        match news {
            SocketNews::Listening(id, address) => {
                let state = &mut self.state;
                let sockets = &mut state.sockets;
                let Some(forward) = state.forwards.on_listening(*id, *address, sockets) else {
                    return;
                };
                let shown = Full::json(200, &view::ForwardView::new(forward, state.clock));
                let kept = forwards::kept(&forward.name, &forward.to, forward.listen);
                self.keep_forward(now, *id, kept, shown);
                self.end_unwanted_tunnels(now, node);
                self.want_connections();
            }
            SocketNews::NotListening(id, kind) => {
                if let Some(name) = self.state.forwards.on_not_listening(*id) {
                    log::warn!("the forward {name:?} cannot listen: {kind:?}");
                }
                self.resolve(&WaitFor::Listening(*id), &not_listening(*kind).into());
            }
            SocketNews::Accepted(id) => self.on_accepted(now, node, *id),
            SocketNews::Broken(id) => {
                for forward in self.state.forwards.iter_mut() {
                    forward.waiting.retain(|waiting| waiting != id);
                }
                self.want_connections();
            }
            _ => {}
        }
    }

    /// A port is there; its owner hears so once it is kept. One that was there before the node ended is kept already.
    fn keep_forward(&mut self, now: Instant, listener: SocketId, kept: Kept, full: Full) {
        let (kind, name) = (kept.kind, kept.name.clone());
        let is_known = self.state.contacts.book().kept(kind, &name) == Some(&kept);
        let order = if is_known {
            None
        } else {
            self.state.change_contacts(vec![Change::Keep(kept)])
        };
        match order {
            Some(order) => {
                self.state.setting_up.insert(order, (kind, name));
                self.state.answers.insert(order, full);
                let kept = Wait {
                    what: WaitFor::Kept(order),
                    until: now + KEEP_TIMEOUT,
                };
                self.wait_instead(&WaitFor::Listening(listener), &kept);
            }
            None => self.resolve(&WaitFor::Listening(listener), &full),
        }
    }

    /// Has the host take one more connection for each port, where there is room.
    pub(super) fn want_connections(&mut self) {
        let forwards = self.state.forwards.iter();
        let waiting: Vec<(NodeId, usize)> = forwards
            .map(|f| (f.to.peer, f.waiting.len() + usize::from(f.wanted.is_some())))
            .collect();
        let state = &mut self.state;
        for forward in state.forwards.iter_mut() {
            let peer = forward.to.peer;
            let of_peer = waiting.iter().filter(|(p, _)| *p == peer).map(|(_, n)| n);
            let taken = self.tunnels.forwarded_to(peer) + of_peer.sum::<usize>();
            if forward.wanted.is_none() && taken < CONNECTIONS_PER_PEER {
                let id = state.sockets.number();
                forward.wanted = Some(id);
                let listener = forward.listener;
                state.sockets.push(SocketOrder::Accept { listener, id });
            }
        }
    }

    fn on_accepted(&mut self, now: Instant, node: &mut dyn Engine, id: SocketId) {
        let Some(number) = self.state.forwards.on_accepted(id) else {
            // Its port was closed meanwhile.
            return self.state.sockets.push(SocketOrder::Reset(id));
        };
        self.begin_forwarded(now, node, number, id);
        self.want_connections();
    }

    /// Opens a stream for a connection, or connects to the peer first.
    fn begin_forwarded(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        number: u64,
        socket: SocketId,
    ) {
        let Some(forward) = self.state.forwards.by_number(number) else {
            return self.state.sockets.push(SocketOrder::Reset(socket));
        };
        let (peer, service) = (forward.to.peer, &forward.to.service);
        let label = ServiceName::new(&format!("{TCP_KIND}/{service}")).map(Label::from);
        match label.and_then(|label| node.open_stream(now, peer, label)) {
            Ok(stream) => {
                let owner = Owner::Forward(number);
                self.begin_tunnel(now, node, (peer, stream.0), owner, socket);
            }
            Err(ApiMisuse::NotConnected | ApiMisuse::UnknownPeer) => {
                forward.waiting.push(socket);
                if let Err(problem) = self.dial(now, node, number) {
                    self.fail_waiting(now, number, problem.code);
                }
            }
            Err(misuse) => {
                self.state.sockets.push(SocketOrder::Reset(socket));
                self.on_forward_failed(now, number, Problem::from(misuse).code);
            }
        }
    }

    /// Connects to the peer of a forward, unless that is under way.
    fn dial(&mut self, now: Instant, node: &mut dyn Engine, number: u64) -> Result<(), Problem> {
        let state = &mut self.state;
        let Some(forward) = state.forwards.by_number(number) else {
            return Ok(());
        };
        if state.contacts.is_blocked(&forward.to.peer) {
            let detail = "The owner of this node has blocked this peer.";
            return Err(Problem::new(Code::PeerBlocked, detail));
        }
        if forward.dial.is_none() {
            let (target, introducer) = (forward.to.target.clone(), forward.to.introducer);
            forward.dial = Some(node.connect(now, target, introducer, DIAL_TIME)?);
        }
        Ok(())
    }

    /// A peer is connected: whatever waits for it goes on.
    pub(super) fn on_peer_there(&mut self, now: Instant, node: &mut dyn Engine, peer: NodeId) {
        let mut ready = Vec::new();
        let forwards = self.state.forwards.iter_mut();
        for forward in forwards.filter(|f| f.to.peer == peer) {
            forward.dial = None;
            for socket in core::mem::take(&mut forward.waiting) {
                ready.push((forward.number, socket));
            }
        }
        for (number, socket) in ready {
            self.begin_forwarded(now, node, number, socket);
        }
    }

    /// An attempt to connect came to nothing.
    pub(super) fn on_dial_failed(&mut self, now: Instant, operation: OperationId, code: Code) {
        if let Some(number) = self.state.forwards.dialling(operation) {
            self.fail_waiting(now, number, code);
            self.want_connections();
        }
    }

    fn fail_waiting(&mut self, now: Instant, number: u64, code: Code) {
        let Some(forward) = self.state.forwards.by_number(number) else {
            return;
        };
        forward.dial = None;
        for socket in core::mem::take(&mut forward.waiting) {
            self.state.sockets.push(SocketOrder::Reset(socket));
            self.on_forward_failed(now, number, code);
        }
    }

    /// The peer abandoned a stream; with these codes it never led anywhere.
    pub(super) fn on_forward_refused(&mut self, now: Instant, number: u64, code: u64) {
        if let Some(code) = refused(code) {
            self.on_forward_failed(now, number, code);
        }
    }

    fn on_forward_failed(&mut self, now: Instant, number: u64, code: Code) {
        let Some(forward) = self.state.forwards.by_number(number) else {
            return;
        };
        forward.counts.failed += 1;
        forward.last_error = Some((code, now));
        let (name, service) = (forward.name.clone(), forward.to.service.clone());
        let (peer, reason) = (forward.to.peer.to_string(), code.row().text);
        self.tell(
            now,
            "forward_failed",
            None,
            move || json!({"forward": name, "peer": peer, "service": service, "reason": reason}),
        );
    }
}

/// What it means that the peer abandoned a stream; `None` where it led somewhere.
const fn refused(code: u64) -> Option<Code> {
    match code {
        code::NO_SERVICE => Some(Code::NoSuchService),
        code::REJECTED => Some(Code::ServiceBusy),
        code::REFUSED => Some(Code::ServiceUnavailable),
        code::WRONG_KIND => Some(Code::ServiceWrongKind),
        _ => None,
    }
}

/// Why a port cannot be had.
fn not_listening(kind: io::ErrorKind) -> Problem {
    match kind {
        io::ErrorKind::AddrInUse => Problem::new(
            Code::ListenInUse,
            "Another program, or another forward, listens there.",
        ),
        io::ErrorKind::PermissionDenied => Problem::new(
            Code::ListenRefused,
            "The system reserves that port for others.",
        ),
        io::ErrorKind::AddrNotAvailable => Problem::new(
            Code::ListenRefused,
            "This machine does not have that address.",
        ),
        _ => Problem::new(
            Code::ListenRefused,
            "The system does not let the node listen there.",
        ),
    }
}
