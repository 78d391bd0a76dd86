//! What this side did with the requests of one peer (protocol §8.1). Decides whether a reference is executed;
//! told of requests, answers and of answers acknowledged; returns answers to repeat.
//!
//! At most once is kept by never forgetting an entry while its asker may repeat: an answer stays for
//! [`limits::REPLY_LIFE`]. Once it is acknowledged the asker repeats no more, and only copies on their way can
//! still come; then the bare reference is kept, so that a brisk asker does not fill the cache.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits;
use crate::time::Instant;

/// What to do with a request that came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Admission<'a, R> {
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
}

#[derive(Debug)]
enum State<R> {
    InWork,
    Answered(R),
    Settled,
}

#[derive(Debug)]
struct Entry<R> {
    state: State<R>,
    ends_at: Instant,
}

/// Requests of one peer: in work, answered, settled. `R` is an answer ready to be sent.
#[derive(Debug)]
pub struct ReplyCache<R> {
    entries: BTreeMap<u64, Entry<R>>,
    ends: BTreeSet<(Instant, u64)>,
    in_work: usize,
    answered: usize,
}

impl<R> Default for ReplyCache<R> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            ends: BTreeSet::new(),
            in_work: 0,
            answered: 0,
        }
    }
}

impl<R> ReplyCache<R> {
    /// A request came in.
    pub fn on_request(&mut self, reference: u64, now: Instant) -> Admission<'_, R> {
        self.forget_ended(now);
        if !self.entries.contains_key(&reference) {
            return self.admit(reference, now);
        }
        self.extend(reference, now);
        match self.entries.get(&reference).map(|e| &e.state) {
            Some(State::Answered(reply)) => Admission::Repeat(reply),
            Some(State::Settled) => Admission::Settled,
            _ => Admission::InProgress,
        }
    }

    fn admit(&mut self, reference: u64, now: Instant) -> Admission<'_, R> {
        let unsettled = self.in_work + self.answered;
        if self.in_work >= limits::REQUESTS_PER_PEER || unsettled >= limits::REPLY_CACHE {
            return Admission::Busy;
        }
        let settled = self.entries.len() - unsettled;
        if settled >= limits::REQUESTS_SETTLED && !self.forget_oldest_settled(now) {
            return Admission::Busy;
        }
        let ends_at = now + limits::REPLY_LIFE;
        self.in_work += 1;
        self.ends.insert((ends_at, reference));
        let state = State::InWork;
        self.entries.insert(reference, Entry { state, ends_at });
        Admission::Execute
    }

    fn extend(&mut self, reference: u64, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&reference) {
            self.ends.remove(&(entry.ends_at, reference));
            entry.ends_at = now + limits::REPLY_LIFE;
            self.ends.insert((entry.ends_at, reference));
        }
    }

    /// The request was carried out; keeps the answer to repeat it. False where nobody waits for it any more (it
    /// was answered before, or took longer than its asker can wait): do not send it.
    pub fn on_reply(&mut self, reference: u64, reply: R, now: Instant) -> bool {
        self.forget_ended(now);
        let Some(entry) = self.entries.get_mut(&reference) else {
            return false;
        };
        if !matches!(entry.state, State::InWork) {
            return false;
        }
        entry.state = State::Answered(reply);
        self.in_work -= 1;
        self.answered += 1;
        self.extend(reference, now);
        true
    }

    /// A packet with the answer was acknowledged: the asker repeats no more.
    pub fn on_reply_delivered(&mut self, reference: u64, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&reference)
            && matches!(entry.state, State::Answered(_))
        {
            entry.state = State::Settled;
            self.answered -= 1;
            self.extend(reference, now);
        }
    }

    /// Whether the request waits for its answer.
    #[must_use]
    pub fn is_in_work(&self, reference: u64) -> bool {
        let entry = self.entries.get(&reference);
        entry.is_some_and(|e| matches!(e.state, State::InWork))
    }

    fn forget_ended(&mut self, now: Instant) {
        while let Some((at, reference)) = self.ends.first().copied()
            && at <= now
        {
            self.forget(at, reference);
        }
    }

    fn forget(&mut self, at: Instant, reference: u64) {
        self.ends.remove(&(at, reference));
        match self.entries.remove(&reference).map(|e| e.state) {
            Some(State::InWork) => self.in_work -= 1,
            Some(State::Answered(_)) => self.answered -= 1,
            Some(State::Settled) | None => {}
        }
    }

    /// Makes place by forgetting the oldest settled reference, unless copies of it may still be on their way.
    fn forget_oldest_settled(&mut self, now: Instant) -> bool {
        // At most REPLY_CACHE entries are not settled, so the search is short.
        let oldest = self.ends.iter().find(|(_, reference)| {
            let entry = self.entries.get(reference);
            entry.is_some_and(|e| matches!(e.state, State::Settled))
        });
        let Some((at, reference)) = oldest.copied() else {
            return false;
        };
        let age = limits::REPLY_LIFE.saturating_sub(at.saturating_since(now));
        if age < limits::REQUEST_SETTLED_LIFE_MIN {
            return false;
        }
        self.forget(at, reference);
        true
    }

    /// When the oldest entry ends; nothing but memory depends on it.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// Forgets what has ended.
    pub fn on_timeout(&mut self, now: Instant) {
        self.forget_ended(now);
    }

    /// References held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
