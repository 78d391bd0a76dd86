//! The asking side of introductions. Takes: what the application wants to connect to, which introducers there
//! are, their answers, and what came of the handshakes. Decides: whom to ask next and when to give up. Returns:
//! `cr1` requests to send and exactly one outcome for each operation. protocol §6, §9.1.
//!
//! Introducers are asked one after the other, 300 ms apart or at once when one has no answer; the first answer
//! wins, later ones are further relays. For a name that was never found before all are asked at once, and their answers
//! are compared before one is followed: they must name one identity. Operations for the same target share one attempt.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

mod attempt;

use attempt::{Asked, Attempt, Introducer, TargetKey};

use crate::api::{ConnectFailure, ConnectTarget, OperationId};
use crate::id::{AttemptId, NodeId};
use crate::rng::Rng;
use crate::time::{Deadline, Duration, Instant, TimerKind};
use crate::wire::control::{RELAY_CHOSEN, RefusalCode};

/// Pause before the next introducer is asked while the one before is silent (RFC 8305 §5 uses 250 ms for the
/// same choice).
const STAGGER: Duration = Duration::from_millis(300);
/// Longest wait for what other introducers say of a name, from the first answer.
const COMPARE: Duration = Duration::from_secs(2);

/// An introducer that may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its identity.
    pub introducer: NodeId,
    /// Whether this node is registered there now; otherwise it is asked once it is.
    pub registered: bool,
}

/// A `cr1` to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// For which attempt; comes back with the answer.
    pub attempt: AttemptId,
    /// Whom to ask.
    pub introducer: NodeId,
    /// Whom to ask for.
    pub target: ConnectTarget,
    /// Our end of the relay channel: random, not zero, top bit clear.
    pub channel: u32,
}

/// What an introducer's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerOutcome {
    /// The first: shake hands with the peer through this channel.
    Proceed {
        /// Our end of the relay channel at the introducer that answered.
        channel: u32,
    },
    /// A further relay to the same peer, for when the first fails.
    Spare {
        /// Our end of the relay channel.
        channel: u32,
    },
    /// It waits until others have answered: [`ConnectAttempts::poll_settled`] tells.
    Held {
        /// Our end of the relay channel.
        channel: u32,
    },
    /// Nobody waits for it any more, or it names another peer than the first did.
    Ignored,
}

/// Answers that were held are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Of which attempt.
    pub attempt: AttemptId,
    /// The introducer to follow; none where the answers are of no use.
    pub chosen: Option<NodeId>,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConnectOutcome {
    /// Connected to this peer.
    Connected(NodeId),
    /// Not connected; the peer's id where it is known.
    Failed(Option<NodeId>, ConnectFailure),
}

/// All connection attempts of a node.
pub(crate) struct ConnectAttempts {
    attempts: BTreeMap<AttemptId, Attempt>,
    by_target: BTreeMap<TargetKey, AttemptId>,
    by_operation: BTreeMap<OperationId, AttemptId>,
    timers: BTreeSet<(Instant, AttemptId)>,
    asks: VecDeque<Ask>,
    outcomes: VecDeque<(OperationId, ConnectOutcome)>,
    settled: VecDeque<Settled>,
    next_id: u64,
    rng: Rng,
}

impl ConnectAttempts {
    /// Makes it without attempts.
    #[must_use]
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            attempts: BTreeMap::new(),
            by_target: BTreeMap::new(),
            by_operation: BTreeMap::new(),
            timers: BTreeSet::new(),
            asks: VecDeque::new(),
            outcomes: VecDeque::new(),
            settled: VecDeque::new(),
            next_id: 0,
            rng,
        }
    }

    /// Begins to connect, or joins the attempt for the same target. Without candidates it fails at once.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        operation: OperationId,
        target: ConnectTarget,
        candidates: &[Candidate],
        timeout: Duration,
    ) -> AttemptId {
        let key = TargetKey::of(&target);
        let id = match self.by_target.get(&key) {
            Some(id) => *id,
            None => self.insert(key, target),
        };
        self.by_operation.insert(operation, id);
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.operations.push((operation, now + timeout));
            for candidate in candidates {
                if attempt.introducer(candidate.introducer).is_none() {
                    let asked = match candidate.registered {
                        true => Asked::Ready,
                        false => Asked::Waiting,
                    };
                    let introducer = Introducer::new(candidate.introducer, asked);
                    attempt.introducers.push(introducer);
                }
            }
        }
        self.go_on(now, id);
        id
    }

    /// Begins to connect to a peer that is called at an address of its own, or joins the attempt for it. The peer takes
    /// the place of an introducer that answered.
    pub(crate) fn start_direct(
        &mut self,
        now: Instant,
        operation: OperationId,
        peer: NodeId,
        timeout: Duration,
    ) {
        let target = ConnectTarget::Id(peer);
        let key = TargetKey::of(&target);
        let id = match self.by_target.get(&key) {
            Some(id) => *id,
            None => self.insert(key, target),
        };
        self.by_operation.insert(operation, id);
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.operations.push((operation, now + timeout));
            if attempt.chosen.is_none() && attempt.introducer(peer).is_none() {
                attempt.chosen = Some(peer);
                let introducer = Introducer::new(peer, Asked::Answered);
                attempt.introducers.push(introducer);
            }
        }
        self.go_on(now, id);
    }

    fn insert(&mut self, key: TargetKey, target: ConnectTarget) -> AttemptId {
        let id = AttemptId(self.next_id);
        self.next_id += 1;
        let peer = match &target {
            ConnectTarget::Id(peer)
            | ConnectTarget::Address { id: peer, .. }
            | ConnectTarget::BoundName { id: peer, .. } => Some(*peer),
            ConnectTarget::Name(_) => None,
        };
        self.by_target.insert(key, id);
        self.attempts.insert(
            id,
            Attempt {
                target,
                peer,
                operations: Vec::new(),
                introducers: Vec::new(),
                chosen: None,
                compares_until: None,
                next_ask: None,
                timer: None,
            },
        );
        id
    }

    /// An introducer knows the peer: its key record, verified, is of `peer`.
    pub(crate) fn on_answer(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        introducer: NodeId,
        peer: NodeId,
    ) -> AnswerOutcome {
        let Some(found) = self.attempts.get_mut(&attempt) else {
            return AnswerOutcome::Ignored;
        };
        let known = found.peer;
        let mismatch = found.mismatch();
        let Some(asked) = found.introducer(introducer) else {
            return AnswerOutcome::Ignored;
        };
        if asked.asked != Asked::Silent {
            return AnswerOutcome::Ignored;
        }
        asked.named = Some(peer);
        let channel = asked.channel;
        if known.is_some_and(|known| known != peer) {
            asked.asked = Asked::Failed(mismatch);
            self.go_on(now, attempt);
            return AnswerOutcome::Ignored;
        }
        asked.asked = Asked::Answered;
        if found.is_compared() {
            found.compares_until.get_or_insert(now + COMPARE);
            self.go_on(now, attempt);
            return AnswerOutcome::Held { channel };
        }
        found.peer = Some(peer);
        let outcome = match found.chosen {
            Some(_) => AnswerOutcome::Spare { channel },
            None => AnswerOutcome::Proceed { channel },
        };
        found.chosen.get_or_insert(introducer);
        self.go_on(now, attempt);
        outcome
    }

    /// An introducer refused with `code` (protocol §6.3), or its answer was not valid (`malformed`).
    pub(crate) fn on_refused(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        introducer: NodeId,
        code: RefusalCode,
    ) {
        self.fail(now, attempt, introducer, failure_of(code));
    }

    /// An introducer did not answer `cr1` in time.
    pub(crate) fn on_request_timed_out(
        &mut self,
        now: Instant,
        attempt: AttemptId,
        introducer: NodeId,
    ) {
        self.fail(now, attempt, introducer, ConnectFailure::TimedOut);
    }

    fn fail(&mut self, now: Instant, attempt: AttemptId, introducer: NodeId, why: ConnectFailure) {
        if let Some(found) = self.attempts.get_mut(&attempt)
            && let Some(asked) = found.introducer(introducer)
            && asked.asked == Asked::Silent
        {
            asked.asked = Asked::Failed(why);
            self.go_on(now, attempt);
        }
    }

    /// This node is registered at the introducer now: attempts that waited for it ask.
    pub(crate) fn on_introducer_registered(&mut self, now: Instant, introducer: NodeId) {
        self.for_each_with(now, introducer, |asked| {
            let waits = asked.asked == Asked::Waiting;
            waits.then_some(Asked::Ready)
        });
    }

    /// The session with an introducer is over: what was asked there gets no answer.
    pub(crate) fn on_introducer_lost(&mut self, now: Instant, introducer: NodeId) {
        self.for_each_with(now, introducer, |asked| match asked.asked {
            Asked::Ready => Some(Asked::Waiting),
            Asked::Silent => Some(Asked::Failed(ConnectFailure::IntroducerUnreachable)),
            _ => None,
        });
    }

    fn for_each_with(
        &mut self,
        now: Instant,
        introducer: NodeId,
        next: impl Fn(&Introducer) -> Option<Asked>,
    ) {
        let ids: Vec<_> = self.attempts.keys().copied().collect();
        for id in ids {
            if let Some(attempt) = self.attempts.get_mut(&id)
                && let Some(found) = attempt.introducer(introducer)
                && let Some(asked) = next(found)
            {
                found.asked = asked;
                self.go_on(now, id);
            }
        }
    }

    /// A session with the peer stands, whoever began it: all operations for it succeed.
    pub(crate) fn on_peer_connected(&mut self, peer: NodeId) {
        let matching = |attempt: &Attempt| attempt.peer == Some(peer);
        let ids = self.attempts.iter().filter(|a| matching(a.1));
        let ids: Vec<_> = ids.map(|(id, _)| *id).collect();
        for id in ids {
            self.end(id, |_| ConnectOutcome::Connected(peer));
        }
    }

    /// The handshake with the peer failed. Another introducer that answered takes over: returns it and our end
    /// of its relay channel, through which to shake hands now.
    pub(crate) fn on_handshake_failed(
        &mut self,
        now: Instant,
        peer: NodeId,
        why: ConnectFailure,
    ) -> Option<(NodeId, u32)> {
        let matching = |a: &Attempt| a.peer == Some(peer) && a.chosen.is_some();
        let ids = self.attempts.iter().filter(|a| matching(a.1));
        let ids: Vec<_> = ids.map(|(id, _)| *id).collect();
        let mut next = None;
        for id in ids {
            let Some(attempt) = self.attempts.get_mut(&id) else {
                continue;
            };
            if let Some(chosen) = attempt.chosen.take()
                && let Some(introducer) = attempt.introducer(chosen)
            {
                introducer.asked = Asked::Failed(why);
            }
            let spare = attempt.introducers.iter();
            let spare = spare.filter(|i| i.asked == Asked::Answered);
            let spare = spare.map(|i| (i.id, i.channel)).next();
            attempt.chosen = spare.map(|s| s.0);
            next = next.or(spare);
            self.go_on(now, id);
        }
        next
    }

    /// The channel that an introducer gave is closed. Where the handshake went through it, another introducer that
    /// answered takes over: returns the peer, that introducer and our end of its channel.
    pub(crate) fn on_channel_closed(
        &mut self,
        now: Instant,
        introducer: NodeId,
        channel: u32,
        code: RefusalCode,
    ) -> Option<(NodeId, NodeId, u32)> {
        let why = failure_of(code);
        let given = |a: &Attempt| {
            let mut introducers = a.introducers.iter();
            introducers.any(|i| (i.id, i.channel) == (introducer, channel))
        };
        let id = self.attempts.iter().find(|(_, a)| given(a)).map(|a| *a.0)?;
        let attempt = self.attempts.get_mut(&id)?;
        if attempt.chosen == Some(introducer) {
            let peer = attempt.peer?;
            let next = self.on_handshake_failed(now, peer, why);
            return next.map(|(introducer, channel)| (peer, introducer, channel));
        }
        attempt.introducer(introducer)?.asked = Asked::Failed(why);
        self.go_on(now, id);
        None
    }

    /// The application gave up reaching this peer. Says whether any operation of its was under way.
    pub(crate) fn cancel(&mut self, now: Instant, peer: NodeId) -> bool {
        let attempts = self.attempts.values().filter(|a| a.peer == Some(peer));
        let given_up: Vec<_> = attempts
            .flat_map(|attempt| attempt.operations.iter().map(|o| o.0))
            .collect();
        for operation in &given_up {
            self.end_operation(now, *operation, ConnectFailure::Cancelled);
        }
        !given_up.is_empty()
    }

    /// Asks introducers whose turn has come and ends operations whose time is over.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.timers.first()
            && at <= now
        {
            self.timers.pop_first();
            let Some(attempt) = self.attempts.get_mut(&id) else {
                continue;
            };
            attempt.timer = None;
            let failure = attempt.failure_at_deadline();
            let over = attempt.operations.iter().filter(|o| o.1 <= now);
            let over: Vec<_> = over.map(|o| o.0).collect();
            for operation in over {
                self.end_operation(now, operation, failure);
            }
            self.go_on(now, id);
        }
    }

    fn end_operation(&mut self, now: Instant, operation: OperationId, why: ConnectFailure) {
        let Some(id) = self.by_operation.remove(&operation) else {
            return;
        };
        if let Some(attempt) = self.attempts.get_mut(&id) {
            attempt.operations.retain(|o| o.0 != operation);
            let outcome = ConnectOutcome::Failed(attempt.peer, why);
            self.outcomes.push_back((operation, outcome));
        }
        self.go_on(now, id);
    }

    /// Next request to send; call until `None`.
    pub(crate) fn poll_ask(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    /// Next attempt whose answers are compared; call until `None`.
    pub(crate) fn poll_settled(&mut self) -> Option<Settled> {
        self.settled.pop_front()
    }

    /// The name that an attempt asks for, and whose it was before.
    pub(crate) fn name_of(&self, attempt: AttemptId) -> Option<(&str, Option<NodeId>)> {
        match &self.attempts.get(&attempt)?.target {
            ConnectTarget::Name(name) => Some((name, None)),
            ConnectTarget::BoundName { name, id } => Some((name, Some(*id))),
            ConnectTarget::Id(_) | ConnectTarget::Address { .. } => None,
        }
    }

    /// Next operation that ended; call until `None`.
    pub(crate) fn poll_outcome(&mut self) -> Option<(OperationId, ConnectOutcome)> {
        self.outcomes.pop_front()
    }

    /// When to call `on_timeout`.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        let (at, _) = self.timers.first()?;
        Some(Deadline::new(*at, TimerKind::Connect))
    }

    /// Attempts under way.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Whether no attempt is under way.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// After any change: ends, asks the next introducer, sets the timer.
    fn go_on(&mut self, now: Instant, id: AttemptId) {
        let Some(attempt) = self.attempts.get_mut(&id) else {
            return;
        };
        let is_compared = attempt.is_compared();
        if is_compared && attempt.is_ambiguous() {
            let failure = ConnectFailure::Ambiguous;
            return self.end(id, |_| ConnectOutcome::Failed(None, failure));
        }
        if attempt.operations.is_empty() || attempt.is_exhausted() {
            let none = ConnectFailure::IntroducerUnreachable;
            let failure = attempt.failure().unwrap_or(none);
            return self.end(id, |peer| ConnectOutcome::Failed(peer, failure));
        }
        if is_compared && let Some(chosen) = attempt.settles(now) {
            attempt.peer = attempt.introducer(chosen).and_then(|i| i.named);
            attempt.chosen = Some(chosen);
            attempt.compares_until = None;
            self.settled.push_back(Settled {
                attempt: id,
                chosen: Some(chosen),
            });
        }
        while attempt.chosen.is_none()
            && (is_compared
                || !attempt.has(Asked::Silent)
                || attempt.next_ask.is_some_and(|at| at <= now))
        {
            let target = attempt.target.clone();
            let mut ready = attempt.introducers.iter_mut();
            let Some(next) = ready.find(|i| i.asked == Asked::Ready) else {
                break;
            };
            next.asked = Asked::Silent;
            next.channel = (self.rng.next_u32() & !RELAY_CHOSEN).max(1);
            self.asks.push_back(Ask {
                attempt: id,
                introducer: next.id,
                target,
                channel: next.channel,
            });
            attempt.next_ask = Some(now + STAGGER);
        }
        let ask_later = attempt.chosen.is_none() && attempt.has(Asked::Ready);
        let next_ask = attempt.next_ask.filter(|_| ask_later);
        let deadlines = attempt.operations.iter().map(|o| o.1);
        let timer = deadlines
            .chain(next_ask)
            .chain(attempt.compares_until)
            .min();
        if let Some(old) = core::mem::replace(&mut attempt.timer, timer) {
            self.timers.remove(&(old, id));
        }
        self.timers.extend(timer.map(|at| (at, id)));
    }

    fn end(&mut self, id: AttemptId, outcome: impl Fn(Option<NodeId>) -> ConnectOutcome) {
        let Some(attempt) = self.attempts.remove(&id) else {
            return;
        };
        self.by_target.remove(&TargetKey::of(&attempt.target));
        if let Some(timer) = attempt.timer {
            self.timers.remove(&(timer, id));
        }
        if attempt.compares_until.is_some() {
            self.settled.push_back(Settled {
                attempt: id,
                chosen: None,
            });
        }
        for (operation, _) in attempt.operations {
            self.by_operation.remove(&operation);
            self.outcomes.push_back((operation, outcome(attempt.peer)));
        }
    }
}

/// What a refusal is told as.
const fn failure_of(code: RefusalCode) -> ConnectFailure {
    match code {
        RefusalCode::Unknown => ConnectFailure::UnknownPeer,
        RefusalCode::Throttled | RefusalCode::Full => ConnectFailure::Throttled,
        _ => ConnectFailure::Refused,
    }
}

#[cfg(test)]
mod tests;
