//! The introducer's directory (protocol §2.3, §10.1). Takes: registrations whose records are verified,
//! authentic packets, ends of sessions. Decides: who owns a name, what a search shows, who may be introduced
//! to whom. Returns: registrations, pages, connect orders, refusals.
//!
//! An *entry* is an identity that is registered or still owns a name in its grace time. Entries lie in a
//! slab; everything else refers to them by slot, so that an id is stored once. Ids are found by their first
//! four bytes: they are public keys, so one that agrees with another in those costs four billion keys.
//! A name is in one of two ordered
//! maps: `listed` (alive and to be shown) or `unlisted` (everything else that is owned), so that a search
//! walks over nothing but what it shows.
//!
//! An authentic packet only writes the new end into its entry. The timer stays where it was and, when it
//! comes up, moves to the end that is written by then; so packets cost one look-up by session.

mod budget;
mod entry;
mod facts;
mod queries;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use std::sync::Arc;

use slab::Slab;
use smol_str::SmolStr;

use budget::Budget;
use entry::{Hold, KeyHolder};

use crate::id::{NodeId, PeerKey};
use crate::identity::KeyRecord;
use crate::limiter::SourceKey;
use crate::limits::{
    CONNECTS_MODEST_PER_MINUTE, CONNECTS_PER_MINUTE, CONNECTS_PER_SOURCE_PER_MINUTE,
    CONNECTS_TO_TARGET_PER_MINUTE, KEYS_PER_SOURCE, NAME_GRACE, NAMES_PER_KEY, REGISTRATION_LIFE,
    REGISTRATIONS, SEARCH_BURST, SEARCHES_PER_MINUTE,
};
use crate::time::{Deadline, Duration, Instant, TimerKind};
use crate::timers::Timers;
use crate::wire::control::RefusalCode;

pub(crate) use queries::{Requester, SearchPage, Target};

/// Bounds of a directory; the defaults are those of [`crate::limits`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct DirectoryConfig {
    /// Identities held, with those that only own names in their grace time.
    pub registrations: usize,
    /// Identities held behind one IPv4 address or IPv6 /64.
    pub keys_per_source: usize,
    /// Searches a minute by one identity or source.
    pub searches_per_minute: u32,
    /// Searches at once by one identity or source.
    pub search_burst: u32,
    /// Connect orders a minute by one requester.
    pub connects_per_minute: u32,
    /// Connect orders a minute towards one target.
    pub connects_to_target_per_minute: u32,
    /// Names owned by one identity.
    pub names_per_key: usize,
    /// Life of a registration unless renewed.
    pub registration_life: Duration,
    /// Time during which a name stays its owner's afterwards.
    pub name_grace: Duration,
}

impl Default for DirectoryConfig {
    fn default() -> Self {
        Self {
            registrations: REGISTRATIONS,
            keys_per_source: KEYS_PER_SOURCE,
            searches_per_minute: SEARCHES_PER_MINUTE,
            search_burst: SEARCH_BURST,
            connects_per_minute: CONNECTS_PER_MINUTE,
            connects_to_target_per_minute: CONNECTS_TO_TARGET_PER_MINUTE,
            names_per_key: NAMES_PER_KEY,
            registration_life: REGISTRATION_LIFE,
            name_grace: NAME_GRACE,
        }
    }
}

/// What a verified name record says (protocol §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameClaim {
    /// The name.
    pub name: Box<str>,
    /// Sequence number of the record; counts over all names of the identity.
    pub sequence: u64,
    /// Longest time that the name may stay without renewal, seconds.
    pub life_s: u32,
}

/// What a node registers; signatures are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Registration {
    /// Key record of the identity that the session proved.
    pub record: Arc<KeyRecord>,
    /// The name that it claims.
    pub name: Option<NameClaim>,
    /// Whether searches may show the name.
    pub listed: bool,
}

/// A registration that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    /// Its life unless renewed by an authentic packet.
    pub life: Duration,
}

/// Why a request was refused; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such peer is registered here.
    Unknown,
    /// The requester is not registered here itself.
    NotRegistered,
    /// The requester asked for itself.
    OwnId,
    /// A bound on entries, on keys of one source or on names of one key is reached.
    Full,
    /// The name belongs to another key.
    Taken,
    /// A budget is used up.
    Throttled {
        /// Time after which the same request would pass.
        retry_after: Duration,
    },
    /// The name is not valid, its life is zero, or the prefix is too short.
    Malformed,
    /// The sequence number of a record is lower than one that was seen.
    Stale,
    /// A record differs from another one with the same sequence number: its owner signed both.
    Conflict,
}

impl Refusal {
    /// The code in a refusal (protocol §6.3).
    #[must_use]
    pub(crate) const fn code(self) -> RefusalCode {
        match self {
            Self::Unknown => RefusalCode::Unknown,
            Self::NotRegistered => RefusalCode::Refused,
            Self::Full => RefusalCode::Full,
            Self::Taken => RefusalCode::Taken,
            Self::Throttled { .. } => RefusalCode::Throttled,
            Self::OwnId | Self::Malformed | Self::Stale | Self::Conflict => RefusalCode::Malformed,
        }
    }

    /// Time after which the request would pass, for the attribute `t`.
    #[must_use]
    pub(crate) const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Throttled { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

/// Counters since start; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct DirectoryCounters {
    /// Registrations accepted, renewals included.
    pub registered: u64,
    /// Registrations refused.
    pub refused: u64,
    /// Records that contradicted another one with the same sequence number: evidence of misbehaviour.
    pub conflicts: u64,
    /// Searches answered.
    pub searches: u64,
    /// Connect orders given.
    pub connects: u64,
    /// Searches and connect requests refused by a budget.
    pub throttled: u64,
    /// Timers that came up; bounds the work that time alone causes.
    pub timers_fired: u64,
    /// Names walked over by searches; bounds the work that searches cause.
    pub names_walked: u64,
}

/// Everything that an introducer knows about who is where.
pub(crate) struct Directory {
    config: DirectoryConfig,
    entries: Slab<KeyHolder>,
    by_id: BTreeSet<(u32, u32)>,
    /// Slots by session, which are numbered without large gaps.
    by_session: Vec<u32>,
    registered: usize,
    /// Owners of the names that stand and are shown.
    listed: BTreeMap<SmolStr, u32>,
    unlisted: BTreeMap<SmolStr, Hold>,
    /// Entries behind each source; absent means none.
    sources: BTreeMap<SourceKey, u32>,
    ends: Timers,
    graces: BTreeSet<(Instant, SmolStr)>,
    searches_by_id: Budget<NodeId>,
    searches_by_source: Budget<SourceKey>,
    connects_by_requester: Budget<NodeId>,
    connects_by_source: Budget<SourceKey>,
    connects_by_target: Budget<NodeId>,
    /// Sources that ask for little of a target.
    modest: Budget<(NodeId, SourceKey)>,
    /// Sessions whose registration ran out while they were open.
    ended: VecDeque<PeerKey>,
    counters: DirectoryCounters,
}

impl Directory {
    /// Makes an empty directory.
    #[must_use]
    pub(crate) fn new(config: DirectoryConfig) -> Self {
        let keys = config.registrations;
        let (searches, search_burst) = (config.searches_per_minute, config.search_burst);
        let (connects, to_target) = (
            config.connects_per_minute,
            config.connects_to_target_per_minute,
        );
        let by_source = connects.max(CONNECTS_PER_SOURCE_PER_MINUTE);
        let modest = CONNECTS_MODEST_PER_MINUTE;
        Self {
            config,
            entries: Slab::new(),
            by_id: BTreeSet::new(),
            by_session: Vec::new(),
            registered: 0,
            listed: BTreeMap::new(),
            unlisted: BTreeMap::new(),
            sources: BTreeMap::new(),
            ends: Timers::default(),
            graces: BTreeSet::new(),
            searches_by_id: Budget::new(searches, search_burst, keys),
            searches_by_source: Budget::new(searches, search_burst, keys),
            connects_by_requester: Budget::new(connects, connects, keys),
            connects_by_source: Budget::new(by_source, by_source, keys),
            connects_by_target: Budget::new(to_target, to_target, keys),
            modest: Budget::new(modest, modest, keys),
            ended: VecDeque::new(),
            counters: DirectoryCounters::default(),
        }
    }

    /// Ends registrations that were not renewed and frees names whose grace time is over.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        while let Some((at, slot)) = self.ends.first()
            && at <= now
        {
            self.counters.timers_fired += 1;
            let entry = self.entry(slot).map(|e| (e.expires, e.session));
            match entry {
                Some((end, session)) if end <= now => {
                    self.ended.extend(session);
                    self.end_registration(end, slot);
                }
                later => self.ends.set(slot, later.map(|(end, _)| end)),
            }
        }
        while let Some((at, _)) = self.graces.first()
            && *at <= now
        {
            self.counters.timers_fired += 1;
            if let Some((_, folded)) = self.graces.pop_first() {
                self.free_name(&folded);
            }
        }
    }

    /// Next session whose registration ran out for want of packets. Its owner believes itself registered:
    /// the parent drops the session, and the reset that follows makes the node register again.
    pub(crate) fn poll_ended(&mut self) -> Option<PeerKey> {
        self.ended.pop_front()
    }

    /// When to call `on_timeout`. Calling it later is harmless: every request first does what is due.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        let end = self.ends.first().map(|t| t.0);
        let grace = self.graces.first().map(|t| t.0);
        let at = end.into_iter().chain(grace).min()?;
        Some(Deadline::new(at, TimerKind::Directory))
    }

    /// Registrations that stand.
    #[must_use]
    pub(crate) fn len(&self) -> usize {
        self.registered
    }

    /// Counters since start.
    #[must_use]
    pub(crate) const fn counters(&self) -> DirectoryCounters {
        self.counters
    }
}

#[cfg(test)]
mod tests;
