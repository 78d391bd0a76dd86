//! What this side did with the requests of one peer (protocol §8.1). Decides whether a reference is executed;
//! takes requests, answers and of answers acknowledged; returns answers to repeat.
//!
//! At most once is kept by never forgetting an entry while its asker may repeat: an answer stays for
//! [`limits::REPLY_LIFE`]. Once it is acknowledged the asker repeats no more, and only copies on their way can
//! still come. The asker sent all of them before the packet that acknowledged the answer, so their packet numbers
//! are lower than that packet's. The bare references are kept up to a bound; where one must go, its packet number
//! becomes the floor, and a request in a packet below the floor is not executed: it is such a copy, or so late that
//! its asker repeats it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limits;
use crate::time::Instant;

/// What to do with a request that came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission<'a, R> {
    /// New: execute it, then call [`ReplyCache::on_reply`].
    Execute,
    /// Being worked on; say nothing.
    InProgress,
    /// Answered before: send this again.
    Repeat(&'a R),
    /// Answered, and the answer acknowledged; say nothing.
    Settled,
    /// No place: neither execute nor answer; the asker tries again.
    Busy,
    /// Sent so long ago that it may be a copy of one that was settled and forgotten; say nothing, the asker tries
    /// again if it still waits.
    Late,
}

#[derive(Debug)]
enum State<R> {
    InWork,
    Answered(R),
    Settled,
}

#[derive(Debug)]
struct CachedReply<R> {
    state: State<R>,
    ends_at: Instant,
    /// How often the answer has left.
    sendings: u32,
}

impl<R> CachedReply<R> {
    /// The answer, while it may have to be repeated.
    fn answer(&self) -> Option<&R> {
        match &self.state {
            State::Answered(reply) => Some(reply),
            State::InWork | State::Settled => None,
        }
    }
}

/// A reference whose answer was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Settled {
    reference: u64,
    /// Every copy of the request left in a packet with a lower number.
    before_pn: u64,
    ends_at: Instant,
}

/// Requests of one peer: in work, answered, settled. `R` is an answer ready to be sent.
#[derive(Debug)]
pub(crate) struct ReplyCache<R> {
    entries: BTreeMap<u64, CachedReply<R>>,
    /// Ends of what is in work or answered.
    ends: BTreeSet<(Instant, u64)>,
    /// Oldest first.
    settled: VecDeque<Settled>,
    settled_max: usize,
    /// New references in packets below this number are not executed.
    floor_pn: u64,
    in_work: usize,
}

impl<R> Default for ReplyCache<R> {
    fn default() -> Self {
        Self::with_settled_max(limits::REQUESTS_SETTLED)
    }
}

impl<R> ReplyCache<R> {
    /// A cache that keeps so many settled references.
    pub(super) fn with_settled_max(settled_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            ends: BTreeSet::new(),
            settled: VecDeque::new(),
            settled_max,
            floor_pn: 0,
            in_work: 0,
        }
    }

    /// A request came in, in the packet with the number `pn`.
    pub(crate) fn on_request(&mut self, reference: u64, pn: u64, now: Instant) -> Admission<'_, R> {
        self.forget_ended(now);
        if !self.entries.contains_key(&reference) {
            return self.admit(reference, pn, now);
        }
        self.extend(reference, now);
        match self.entries.get(&reference).map(|e| &e.state) {
            Some(State::Answered(reply)) => Admission::Repeat(reply),
            Some(State::Settled) => Admission::Settled,
            _ => Admission::InProgress,
        }
    }

    fn admit(&mut self, reference: u64, pn: u64, now: Instant) -> Admission<'_, R> {
        if pn < self.floor_pn {
            return Admission::Late;
        }
        if self.in_work >= limits::REQUESTS_PER_PEER || self.ends.len() >= limits::REPLY_CACHE {
            return Admission::Busy;
        }
        let ends_at = now + limits::REPLY_LIFE;
        self.in_work += 1;
        self.ends.insert((ends_at, reference));
        let state = State::InWork;
        let entry = CachedReply {
            state,
            ends_at,
            sendings: 0,
        };
        self.entries.insert(reference, entry);
        Admission::Execute
    }

    /// What is not settled stays while its asker asks.
    fn extend(&mut self, reference: u64, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&reference)
            && self.ends.remove(&(entry.ends_at, reference))
        {
            entry.ends_at = now + limits::REPLY_LIFE;
            self.ends.insert((entry.ends_at, reference));
        }
    }

    /// The request was carried out; keeps the answer to repeat it. False where nobody waits for it any more (it
    /// was answered before, or took longer than its asker can wait): do not send it.
    pub(crate) fn on_reply(&mut self, reference: u64, reply: R, now: Instant) -> bool {
        self.forget_ended(now);
        let Some(entry) = self.entries.get_mut(&reference) else {
            return false;
        };
        if !matches!(entry.state, State::InWork) {
            return false;
        }
        entry.state = State::Answered(reply);
        self.in_work -= 1;
        self.extend(reference, now);
        true
    }

    /// The answer leaves; how often it has now.
    pub(crate) fn on_reply_sent(&mut self, reference: u64) -> u32 {
        self.entries.get_mut(&reference).map_or(0, |entry| {
            entry.sendings = entry.sendings.saturating_add(1);
            entry.sendings
        })
    }

    /// The packet with that sending of the answer is lost: the answer to send again, unless a later sending is under
    /// way or one has arrived.
    #[must_use]
    pub(crate) fn on_reply_lost(&self, reference: u64, sending: u32) -> Option<&R> {
        let entry = self.entries.get(&reference)?;
        (entry.sendings == sending).then_some(())?;
        entry.answer()
    }

    /// A probe timeout fired while a packet with the answer was the oldest under way: the answer to send again,
    /// unless it has arrived.
    #[must_use]
    pub(crate) fn on_probe(&self, reference: u64) -> Option<&R> {
        self.entries.get(&reference)?.answer()
    }

    /// A packet with the answer was acknowledged, by a packet with the number `pn`: the asker repeats no more.
    pub(crate) fn on_reply_delivered(&mut self, reference: u64, pn: u64, now: Instant) {
        let Some(entry) = self.entries.get_mut(&reference) else {
            return;
        };
        if !matches!(entry.state, State::Answered(_)) {
            return;
        }
        entry.state = State::Settled;
        self.ends.remove(&(entry.ends_at, reference));
        self.settled.push_back(Settled {
            reference,
            before_pn: pn,
            ends_at: now + limits::REPLY_LIFE,
        });
        if self.settled.len() > self.settled_max {
            self.forget_oldest_settled();
        }
    }

    fn forget_ended(&mut self, now: Instant) {
        while let Some((at, reference)) = self.ends.first().copied()
            && at <= now
        {
            self.ends.remove(&(at, reference));
            let entry = self.entries.remove(&reference);
            if entry.is_some_and(|e| matches!(e.state, State::InWork)) {
                self.in_work -= 1;
            }
        }
        while self.settled.front().is_some_and(|s| s.ends_at <= now) {
            self.forget_oldest_settled();
        }
    }

    /// Forgets the oldest settled reference; copies of it are known by their packet numbers from now on.
    fn forget_oldest_settled(&mut self) {
        if let Some(oldest) = self.settled.pop_front() {
            self.entries.remove(&oldest.reference);
            self.floor_pn = self.floor_pn.max(oldest.before_pn);
        }
    }

    /// Whether nothing is in work and no answer may have to be repeated. Then all copies of what was settled left in
    /// packets below the newest that was received, and a cache that begins [`Self::above`] it executes nothing twice.
    #[must_use]
    pub(crate) fn may_rest(&self) -> bool {
        self.ends.is_empty()
    }

    /// A cache that executes no request from a packet below this number.
    #[must_use]
    pub(crate) fn above(floor_pn: u64) -> Self {
        Self {
            floor_pn,
            ..Self::default()
        }
    }

    /// When the oldest entry ends; nothing but memory depends on it.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let unsettled = self.ends.first().map(|(at, _)| *at);
        let settled = self.settled.front().map(|s| s.ends_at);
        unsettled.into_iter().chain(settled).min()
    }

    /// Forgets what has ended.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        self.forget_ended(now);
    }

    /// References held.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
