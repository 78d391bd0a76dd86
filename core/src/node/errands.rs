//! What the outside was asked to do and has not answered. Takes: what to ask, answers, the time. Decides: which
//! answers fit, and when none will come any more. Returns: effects to hand out, and what became of each.

use std::collections::{BTreeMap, VecDeque};

use crate::api::{ApiMisuse, Effect, EffectId, EffectKind, EffectResult};
use crate::id::NodeId;
use crate::time::{Deadline, Duration, Instant, TimerKind};

/// How long an effect may stay unanswered: a resolver that has said nothing by then will not help this attempt.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// The addresses of this introducer.
    Resolve(NodeId),
    /// Word that a record was kept.
    Persist,
}

impl Errand {
    const fn is_answered_by(self, result: &EffectResult) -> bool {
        matches!(
            (self, result),
            (_, EffectResult::Failed)
                | (Self::Resolve(_), EffectResult::Resolved(_))
                | (Self::Persist, EffectResult::Persisted)
        )
    }
}

/// The errands under way. All wait equally long, so that the oldest ends first.
#[derive(Default)]
pub(super) struct Errands {
    last: u64,
    queue: VecDeque<Effect>,
    open: BTreeMap<EffectId, (Errand, Instant)>,
}

impl Errands {
    /// Asks the outside for the addresses of an introducer; an older question for them is of no use any more.
    pub(super) fn resolve(&mut self, now: Instant, introducer: NodeId, host: String, port: u16) {
        self.forget(introducer);
        let kind = EffectKind::Resolve {
            introducer,
            host,
            port,
        };
        self.ask(now, Errand::Resolve(introducer), kind);
    }

    /// Asks the outside to keep a peer's record.
    pub(super) fn persist(
        &mut self,
        now: Instant,
        peer: NodeId,
        record: Vec<u8>,
        name: Option<String>,
    ) {
        let kind = EffectKind::PersistRecord { peer, record, name };
        self.ask(now, Errand::Persist, kind);
    }

    fn ask(&mut self, now: Instant, errand: Errand, kind: EffectKind) {
        self.last += 1;
        let id = EffectId(self.last);
        self.open.insert(id, (errand, now + ANSWER_TIMEOUT));
        self.queue.push_back(Effect { id, kind });
    }

    /// The introducer was left: nobody waits for its addresses.
    pub(super) fn forget(&mut self, introducer: NodeId) {
        let errand = Errand::Resolve(introducer);
        self.open.retain(|_, (open, _)| *open != errand);
        self.queue
            .retain(|effect| self.open.contains_key(&effect.id));
    }

    /// The node is about to end: what was asked is still handed out, and nobody hears how it went.
    pub(super) fn stop_waiting(&mut self) {
        self.open.clear();
    }

    /// The next effect to hand out.
    pub(super) fn poll(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }

    /// Takes an answer and says what it answers.
    ///
    /// # Errors
    /// `UnknownEffect` for a number that is not waited for (any more), `InvalidArgument` for a result of another kind.
    pub(super) fn on_answer(
        &mut self,
        id: EffectId,
        result: &EffectResult,
    ) -> Result<Errand, ApiMisuse> {
        let (errand, _) = *self.open.get(&id).ok_or(ApiMisuse::UnknownEffect)?;
        if !errand.is_answered_by(result) {
            return Err(ApiMisuse::InvalidArgument {
                what: "the result",
                must: "must be of the effect's kind",
            });
        }
        self.open.remove(&id);
        Ok(errand)
    }

    /// Gives up the oldest errand whose time is over.
    pub(super) fn expire(&mut self, now: Instant) -> Option<Errand> {
        let (id, (errand, _)) = self.open.first_key_value().filter(|(_, o)| o.1 <= now)?;
        let (id, errand) = (*id, *errand);
        self.open.remove(&id);
        self.queue.retain(|effect| effect.id != id);
        Some(errand)
    }

    /// When to call [`Self::expire`].
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let (_, at) = self.open.first_key_value()?.1;
        Some(Deadline::new(*at, TimerKind::Effect))
    }
}
