//! What others ask of the directory: searches, look-ups, introductions. Takes: who asks and from where. Decides:
//! whether the budgets allow it. Returns: pages, entries, connect orders; never an address (protocol §6.2).
//!
//! The whole cost is charged before any work. What is unlisted, in its grace time or absent looks the same to a
//! stranger: it takes the same path and gets the same answer.

use core::net::SocketAddr;
use core::ops::Bound;

use super::{Directory, Refusal};
use crate::id::{NodeId, PeerKey};
use crate::identity::KeyRecord;
use crate::limiter::SourceKey;
use crate::limits::{NAME_BYTES, SEARCH_CHARACTERS_MIN, SEARCH_PAGE};
use crate::name::fold_name;
use crate::time::{Duration, Instant};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Requester {
    /// The session in which the request came.
    pub session: PeerKey,
    /// The identity that the session proved.
    pub id: NodeId,
    /// Where its packets come from.
    pub source: SocketAddr,
}

/// Whom somebody wants to be introduced to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target<'a> {
    /// A node by its identity.
    Id(NodeId),
    /// A node by its registered name, in any case.
    Name(&'a str),
}

/// Part of the result of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SearchPage {
    /// Names in their owners' spelling, with the owners, in folded order.
    pub entries: Vec<(Box<str>, NodeId)>,
    /// Name to go on after; `None` at the end. Any name of the page serves where it is sent in part.
    pub cursor: Option<Box<str>>,
}

/// A registration as others may see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DirectoryEntry<'a> {
    /// Its identity.
    pub id: NodeId,
    /// Its session.
    pub session: PeerKey,
    /// Its key record.
    pub record: &'a KeyRecord,
    /// Its name.
    pub name: Option<&'a str>,
}

/// An introduction that may go ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectOrder<'a> {
    /// Who asked.
    pub requester: DirectoryEntry<'a>,
    /// Who was asked for.
    pub target: DirectoryEntry<'a>,
}

impl Directory {
    /// Answers a search by prefix, in any case; `cursor` is the last name of the page before.
    ///
    /// # Errors
    /// `Malformed` for a prefix under three characters; `Throttled`.
    pub(crate) fn on_search(
        &mut self,
        now: Instant,
        requester: &Requester,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<SearchPage, Refusal> {
        let too_long = |text: &str| text.len() > NAME_BYTES;
        if prefix.chars().nth(SEARCH_CHARACTERS_MIN - 1).is_none()
            || too_long(prefix)
            || cursor.is_some_and(too_long)
        {
            return Err(Refusal::Malformed);
        }
        self.on_timeout(now);
        self.searches_by_id.forget_full(now);
        self.searches_by_source.forget_full(now);
        let source = SourceKey::of(requester.source.ip());
        let wait = self.searches_by_id.wait(now, &requester.id);
        let wait = wait.max(self.searches_by_source.wait(now, &source));
        self.throttle(wait)?;
        self.searches_by_id.charge(now, requester.id);
        self.searches_by_source.charge(now, source);
        self.counters.searches += 1;
        Ok(self.page(&fold_name(prefix), cursor.map(fold_name).as_deref()))
    }

    fn throttle(&mut self, wait: Duration) -> Result<(), Refusal> {
        if wait.is_zero() {
            return Ok(());
        }
        self.counters.throttled += 1;
        Err(Refusal::Throttled { retry_after: wait })
    }

    fn page(&mut self, prefix: &str, cursor: Option<&str>) -> SearchPage {
        let from = match cursor {
            Some(cursor) if cursor >= prefix => Bound::Excluded(cursor),
            _ => Bound::Included(prefix),
        };
        let mut page = SearchPage::default();
        for (folded, owner) in self.listed.range::<str, _>((from, Bound::Unbounded)) {
            self.counters.names_walked += 1;
            if !folded.starts_with(prefix) {
                break;
            }
            if page.entries.len() == SEARCH_PAGE {
                page.cursor = page.entries.last().map(|e| e.0.clone());
                break;
            }
            let owner = self.entries.get(*owner as usize);
            if let Some((owner, name)) = owner.and_then(|o| Some((o, o.display_name()?))) {
                page.entries.push((name.into(), owner.record.id));
            }
        }
        page
    }

    /// The registration of a target that stands at `now`.
    #[must_use]
    pub(crate) fn lookup(&self, now: Instant, target: Target<'_>) -> Option<DirectoryEntry<'_>> {
        let slot = match target {
            Target::Id(id) => self.slot_of(&id),
            Target::Name(name) => self.owner_of(name),
        };
        self.registered(now, slot?)
    }

    /// The registration that a session carries.
    #[must_use]
    pub(crate) fn lookup_session(
        &self,
        now: Instant,
        session: PeerKey,
    ) -> Option<DirectoryEntry<'_>> {
        self.registered(now, self.slot_in(session)?)
    }

    fn owner_of(&self, name: &str) -> Option<u32> {
        if name.len() > NAME_BYTES {
            return None;
        }
        let hold = self.hold(&fold_name(name))?;
        hold.grace_ends.is_none().then_some(hold.owner)
    }

    fn registered(&self, now: Instant, slot: u32) -> Option<DirectoryEntry<'_>> {
        let entry = self.entry(slot).filter(|e| e.expires > now)?;
        Some(DirectoryEntry {
            id: entry.record.id,
            session: entry.session?,
            record: &entry.record,
            name: entry.display_name(),
        })
    }

    /// Time until a source may be introduced to this target: beyond a few a minute it gets from the upper half of the
    /// target's budget only, so that nobody who asks for much keeps out whoever asks for little.
    fn wait_for_target(&self, now: Instant, target: NodeId, source: SourceKey) -> Duration {
        let is_modest = self.modest.wait(now, &(target, source)).is_zero();
        let half = self.config.connects_to_target_per_minute / 2;
        let left = if is_modest { 0 } else { half };
        self.connects_by_target.wait_leaving(now, &target, left)
    }

    /// Decides on an introduction.
    ///
    /// # Errors
    /// `NotRegistered`, `Throttled` (by either side's budget), `OwnId`, `Unknown`.
    pub(crate) fn on_connect_request(
        &mut self,
        now: Instant,
        caller: &Requester,
        target: Target<'_>,
    ) -> Result<ConnectOrder<'_>, Refusal> {
        let (requester, source) = (caller.session, SourceKey::of(caller.source.ip()));
        self.on_timeout(now);
        self.connects_by_requester.forget_full(now);
        self.connects_by_source.forget_full(now);
        self.connects_by_target.forget_full(now);
        self.modest.forget_full(now);
        let from = self.lookup_session(now, requester);
        let from = from.ok_or(Refusal::NotRegistered)?.id;
        let wait = self.connects_by_requester.wait(now, &from);
        self.throttle(wait.max(self.connects_by_source.wait(now, &source)))?;
        self.connects_by_requester.charge(now, from);
        self.connects_by_source.charge(now, source);
        let to = self.lookup(now, target).ok_or(Refusal::Unknown)?;
        let (to, to_session) = (to.id, to.session);
        if to == from {
            return Err(Refusal::OwnId);
        }
        self.throttle(self.wait_for_target(now, to, source))?;
        self.connects_by_target.charge(now, to);
        self.modest.charge(now, (to, source));
        self.counters.connects += 1;
        let requester = self.lookup_session(now, requester);
        let target = self.lookup_session(now, to_session);
        requester
            .zip(target)
            .map(|(requester, target)| ConnectOrder { requester, target })
            .ok_or(Refusal::Unknown)
    }
}
