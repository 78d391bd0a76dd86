//! One attempt: which introducers were asked, what they said, who waits for it. Fed and asked by the parent;
//! decides whether there is hope left and which failure tells the most. protocol §6.3.

use crate::api::{ConnectFailure, ConnectTarget, OperationId};
use crate::directory::name::fold_name;
use crate::id::NodeId;
use crate::time::Instant;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TargetKey {
    Id(NodeId),
    Name(String),
}

impl TargetKey {
    pub(super) fn of(target: &ConnectTarget) -> Self {
        match target {
            ConnectTarget::Id(id) | ConnectTarget::Address { id, .. } => Self::Id(*id),
            ConnectTarget::Name(name) => Self::Name(fold_name(name)),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Not asked: this node is not registered there yet.
    Waiting,
    /// Not asked: its turn has not come.
    Ready,
    /// `cr1` is on its way.
    Silent,
    /// It answered; the handshake runs, or may run, through it.
    Answered,
    /// No use any more, and why.
    Failed(ConnectFailure),
}

#[derive(Debug)]
pub(super) struct Introducer {
    pub(super) id: NodeId,
    pub(super) channel: u32,
    pub(super) asked: Asked,
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) target: ConnectTarget,
    /// The peer, once it is known.
    pub(super) peer: Option<NodeId>,
    pub(super) operations: Vec<(OperationId, Instant)>,
    pub(super) introducers: Vec<Introducer>,
    /// The introducer through which the handshake runs.
    pub(super) chosen: Option<NodeId>,
    pub(super) next_ask: Option<Instant>,
    pub(super) timer: Option<Instant>,
}

impl Attempt {
    pub(super) fn introducer(&mut self, id: NodeId) -> Option<&mut Introducer> {
        self.introducers.iter_mut().find(|i| i.id == id)
    }

    pub(super) fn has(&self, asked: Asked) -> bool {
        self.introducers.iter().any(|i| i.asked == asked)
    }

    /// The most telling of what the introducers said.
    pub(super) fn failure(&self) -> Option<ConnectFailure> {
        let weight = |failure: &ConnectFailure| match failure {
            ConnectFailure::KeyMismatch => 6,
            ConnectFailure::Refused => 5,
            ConnectFailure::Throttled => 4,
            ConnectFailure::TimedOut => 3,
            ConnectFailure::UnknownPeer => 2,
            _ => 1,
        };
        let failures = self.introducers.iter().filter_map(|i| match i.asked {
            Asked::Failed(failure) => Some(failure),
            _ => None,
        });
        failures.max_by_key(weight)
    }

    /// Why it failed when its time is over.
    pub(super) fn failure_at_deadline(&self) -> ConnectFailure {
        let silent = self.has(Asked::Silent) || self.has(Asked::Answered);
        match self.failure() {
            Some(failure) => failure,
            None if silent => ConnectFailure::TimedOut,
            None => ConnectFailure::IntroducerUnreachable,
        }
    }

    /// Whether no introducer can bring it any further, although some were asked.
    pub(super) fn is_exhausted(&self) -> bool {
        let hope = [Asked::Ready, Asked::Silent, Asked::Answered];
        let waits_only = self.has(Asked::Waiting) && self.failure().is_none();
        !waits_only && !hope.into_iter().any(|asked| self.has(asked))
    }
}
