//! One attempt: which introducers were asked, what they said, who waits for it. Fed and asked by the parent;
//! decides whether there is hope left and which failure tells the most. protocol §6.3.

use crate::api::{ConnectFailure, ConnectTarget, OperationId};
use crate::id::NodeId;
use crate::name::fold_name;
use crate::time::Instant;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TargetKey {
    Id(NodeId),
    Name(String),
    BoundName(String, NodeId),
}

impl TargetKey {
    pub(super) fn of(target: &ConnectTarget) -> Self {
        match target {
            ConnectTarget::Id(id) | ConnectTarget::Address { id, .. } => Self::Id(*id),
            ConnectTarget::Name(name) => Self::Name(fold_name(name)),
            ConnectTarget::BoundName { name, id } => Self::BoundName(fold_name(name), *id),
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
    /// Whom it named.
    pub(super) named: Option<NodeId>,
}

impl Introducer {
    pub(super) const fn new(id: NodeId, asked: Asked) -> Self {
        Self {
            id,
            channel: 0,
            asked,
            named: None,
        }
    }
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
    /// Until when answers are gathered to be compared; set by the first one, while nobody is chosen.
    pub(super) compares_until: Option<Instant>,
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

    /// Whether answers are compared before one is followed: several introducers are asked for a name that is not bound.
    pub(super) fn is_compared(&self) -> bool {
        matches!(self.target, ConnectTarget::Name(_))
            && self.chosen.is_none()
            && self.introducers.len() > 1
    }

    /// What it means where an introducer names another identity than is wanted.
    pub(super) const fn mismatch(&self) -> ConnectFailure {
        match self.target {
            ConnectTarget::BoundName { .. } => ConnectFailure::NameChanged,
            ConnectTarget::Name(_) => ConnectFailure::Ambiguous,
            ConnectTarget::Id(_) | ConnectTarget::Address { .. } => ConnectFailure::KeyMismatch,
        }
    }

    /// Whether two introducers named two identities.
    pub(super) fn is_ambiguous(&self) -> bool {
        let mut named = self.introducers.iter().filter_map(|i| i.named);
        let first = named.next();
        named.any(|other| Some(other) != first)
    }

    /// The introducer to follow, once all have answered that will, or have had the time.
    pub(super) fn settles(&self, now: Instant) -> Option<NodeId> {
        let is_over = self.compares_until.is_some_and(|until| until <= now);
        if !is_over && (self.has(Asked::Ready) || self.has(Asked::Silent)) {
            return None;
        }
        let answered = |i: &&Introducer| i.asked == Asked::Answered;
        self.introducers.iter().find(answered).map(|i| i.id)
    }

    /// The most telling of what the introducers said.
    pub(super) fn failure(&self) -> Option<ConnectFailure> {
        let weight = |failure: &ConnectFailure| match failure {
            ConnectFailure::NameChanged => 8,
            ConnectFailure::Ambiguous => 7,
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
