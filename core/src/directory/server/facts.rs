//! Facts that change the directory: registrations, authentic packets, ends of sessions. First key wins a name
//! while its registration lives and for the grace time after it (protocol §2.3); nothing but this file gives or
//! takes ownership of one.

use core::cmp::Ordering;
use core::net::SocketAddr;

use std::sync::Arc;

use smol_str::SmolStr;

use super::entry::{Hold, KeyHolder, id_index};
use super::{Directory, NameClaim, Refusal, Registered, Registration};
use crate::id::{NodeId, PeerKey};
use crate::limiter::SourceKey;
use crate::name::{fold_name, validate_name};
use crate::time::{Duration, Instant};

/// No entry is registered in a session.
const NO_SLOT: u32 = u32::MAX;

impl Directory {
    /// Registers an identity, or renews and replaces its registration: the newest session of an id counts.
    ///
    /// # Errors
    /// [`Refusal`] with nothing changed; `Conflict` is evidence of misbehaviour.
    pub(crate) fn on_register(
        &mut self,
        now: Instant,
        session: PeerKey,
        source: SocketAddr,
        registration: Registration,
    ) -> Result<Registered, Refusal> {
        self.on_timeout(now);
        let slot = self.slot_of(&registration.record.id);
        let source = SourceKey::of(source.ip());
        let folded = match self.check(slot, source, &registration) {
            Ok(folded) => folded,
            Err(refusal) => {
                self.counters.refused += 1;
                self.counters.conflicts += u64::from(refusal == Refusal::Conflict);
                return Err(refusal);
            }
        };
        let life = self.life_of(registration.name.as_ref());
        let slot = self.store(now, slot, session, source, &registration, life);
        self.move_to_name(now, slot, folded, registration.name, registration.listed);
        self.counters.registered += 1;
        Ok(Registered { life })
    }

    fn life_of(&self, claim: Option<&NameClaim>) -> Duration {
        let most = self.config.registration_life;
        claim.map_or(most, |c| most.min(Duration::from_secs(c.life_s.into())))
    }

    /// Everything that may refuse, before anything changes. Returns the folded name.
    fn check(
        &self,
        slot: Option<u32>,
        source: SourceKey,
        registration: &Registration,
    ) -> Result<Option<SmolStr>, Refusal> {
        let entry = slot.and_then(|slot| self.entry(slot));
        if entry.is_none() && self.entries.len() >= self.config.registrations {
            return Err(Refusal::Full);
        }
        let moves = entry.is_none_or(|e| e.source != source);
        let behind_source = self.sources.get(&source).copied().unwrap_or(0) as usize;
        if moves && behind_source >= self.config.keys_per_source {
            return Err(Refusal::Full);
        }
        if let Some(entry) = entry {
            let same = entry.record == registration.record;
            let (known, offered) = (entry.record.sequence, registration.record.sequence);
            check_sequence(known, offered, same)?;
        }
        let Some(claim) = &registration.name else {
            return Ok(None);
        };
        if validate_name(&claim.name).is_err() || claim.life_s == 0 || claim.sequence == 0 {
            return Err(Refusal::Malformed);
        }
        let folded = SmolStr::from(fold_name(&claim.name));
        let hold = self.hold(&folded);
        if hold.is_some_and(|hold| Some(hold.owner) != slot) {
            return Err(Refusal::Taken);
        }
        if let Some(entry) = entry {
            let same =
                entry.claimed.as_deref() == Some(&*claim.name) && entry.name_life_s == claim.life_s;
            check_sequence(entry.name_sequence, claim.sequence, same)?;
            if hold.is_none() && usize::from(entry.names) >= self.config.names_per_key {
                return Err(Refusal::Full);
            }
        }
        Ok(Some(folded))
    }

    /// Writes the entry, its session, source and timer.
    fn store(
        &mut self,
        now: Instant,
        slot: Option<u32>,
        session: PeerKey,
        source: SourceKey,
        registration: &Registration,
        life: Duration,
    ) -> u32 {
        let other = self.slot_in(session);
        if let Some(other) = other.filter(|other| Some(*other) != slot) {
            self.end_registration(now, other);
        }
        let slot = slot.unwrap_or_else(|| self.insert(now, source, registration));
        let expires = now + life;
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return slot;
        };
        let old = entry.session.replace(session);
        entry.expires = expires;
        entry.record = Arc::clone(&registration.record);
        let old_source = core::mem::replace(&mut entry.source, source);
        if let Some(old) = old {
            self.set_slot_in(old, None);
        }
        self.set_slot_in(session, Some(slot));
        self.ends.set(slot, Some(expires));
        *self.sources.entry(source).or_default() += 1;
        self.leave_source(old_source);
        slot
    }

    fn insert(&mut self, now: Instant, source: SourceKey, registration: &Registration) -> u32 {
        *self.sources.entry(source).or_default() += 1;
        let slot = self.entries.insert(KeyHolder {
            record: Arc::clone(&registration.record),
            name_sequence: 0,
            claimed: None,
            name_life_s: 0,
            expires: now,
            source,
            session: None,
            names: 0,
            is_named: false,
        });
        // The configured bound keeps slots far below 2^32.
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        self.by_id.insert((id_index(&registration.record.id), slot));
        slot
    }

    /// Gives the name to the entry; a name that it carried before goes into its grace time.
    fn move_to_name(
        &mut self,
        now: Instant,
        slot: u32,
        folded: Option<SmolStr>,
        claim: Option<NameClaim>,
        listed: bool,
    ) {
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return;
        };
        let carried = entry.carried_name();
        entry.is_named = claim.is_some();
        if let Some(claim) = claim {
            entry.name_sequence = claim.sequence;
            entry.name_life_s = claim.life_s;
            entry.claimed = Some(SmolStr::from(claim.name));
        }
        if let Some(carried) = carried.filter(|name| Some(name) != folded.as_ref()) {
            self.begin_grace(now, carried);
        }
        let Some(folded) = folded else {
            return;
        };
        let held = self.remove_hold(&folded);
        if let Some(entry) = self.entries.get_mut(slot as usize) {
            entry.names += u16::from(held.is_none());
        }
        if listed {
            self.listed.insert(folded, slot);
        } else {
            let hold = Hold {
                owner: slot,
                grace_ends: None,
            };
            self.unlisted.insert(folded, hold);
        }
    }

    /// Renews the registration of a session; called for every packet that opened, so it only writes.
    pub(crate) fn on_authentic_packet(&mut self, now: Instant, session: PeerKey) {
        let most = self.config.registration_life;
        if let Some(slot) = self.slot_in(session)
            && let Some(entry) = self.entries.get_mut(slot as usize)
            && entry.expires > now
        {
            let life = match entry.is_named {
                true => most.min(Duration::from_secs(entry.name_life_s.into())),
                false => most,
            };
            entry.expires = now + life;
        }
    }

    /// Ends the registration of a session that is over; its name stays its own for the grace time.
    pub(crate) fn on_session_closed(&mut self, now: Instant, session: PeerKey) {
        self.on_timeout(now);
        if let Some(slot) = self.slot_in(session) {
            self.end_registration(now, slot);
        }
    }

    pub(super) fn end_registration(&mut self, end: Instant, slot: u32) {
        let Some(entry) = self.entries.get_mut(slot as usize) else {
            return;
        };
        let carried = entry.carried_name();
        entry.is_named = false;
        let session = entry.session.take();
        self.ends.set(slot, None);
        if let Some(session) = session {
            self.set_slot_in(session, None);
        }
        match carried {
            Some(name) => self.begin_grace(end, name),
            None => self.forget_if_empty(slot),
        }
    }

    fn begin_grace(&mut self, from: Instant, folded: SmolStr) {
        let Some(mut hold) = self.remove_hold(&folded) else {
            return;
        };
        let grace_ends = from + self.config.name_grace;
        hold.grace_ends = Some(grace_ends);
        self.graces.insert((grace_ends, folded.clone()));
        self.unlisted.insert(folded, hold);
    }

    fn remove_hold(&mut self, folded: &str) -> Option<Hold> {
        if let Some(owner) = self.listed.remove(folded) {
            return Some(Hold {
                owner,
                grace_ends: None,
            });
        }
        let (folded, hold) = self.unlisted.remove_entry(folded)?;
        if let Some(grace_ends) = hold.grace_ends {
            self.graces.remove(&(grace_ends, folded));
        }
        Some(hold)
    }

    /// Ends the ownership of a name whose grace time is over.
    pub(super) fn free_name(&mut self, folded: &str) {
        let Some(hold) = self.remove_hold(folded) else {
            return;
        };
        if let Some(entry) = self.entries.get_mut(hold.owner as usize) {
            entry.names = entry.names.saturating_sub(1);
        }
        self.forget_if_empty(hold.owner);
    }

    /// Forgets an identity that is neither registered nor owns a name.
    fn forget_if_empty(&mut self, slot: u32) {
        let empty = |e: &KeyHolder| e.session.is_none() && e.names == 0;
        if !self.entry(slot).is_some_and(empty) {
            return;
        }
        if let Some(entry) = self.entries.try_remove(slot as usize) {
            self.by_id.remove(&(id_index(&entry.record.id), slot));
            self.leave_source(entry.source);
        }
    }

    fn leave_source(&mut self, source: SourceKey) {
        if let Some(count) = self.sources.get_mut(&source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.sources.remove(&source);
            }
        }
    }

    pub(super) fn entry(&self, slot: u32) -> Option<&KeyHolder> {
        self.entries.get(slot as usize)
    }

    pub(super) fn hold(&self, folded: &str) -> Option<Hold> {
        let listed = self.listed.get(folded).map(|owner| Hold {
            owner: *owner,
            grace_ends: None,
        });
        listed.or_else(|| self.unlisted.get(folded).copied())
    }

    pub(super) fn slot_of(&self, id: &NodeId) -> Option<u32> {
        let index = id_index(id);
        self.by_id
            .range((index, 0)..=(index, u32::MAX))
            .map(|(_, slot)| *slot)
            .find(|slot| self.entry(*slot).is_some_and(|e| e.record.id == *id))
    }

    /// The entry that is registered in a session.
    pub(super) fn slot_in(&self, session: PeerKey) -> Option<u32> {
        let slot = *self.by_session.get(session.0 as usize)?;
        (slot != NO_SLOT).then_some(slot)
    }

    fn set_slot_in(&mut self, session: PeerKey, slot: Option<u32>) {
        let place = session.0 as usize;
        if place >= self.by_session.len() {
            self.by_session.resize(place + 1, NO_SLOT);
        }
        if let Some(known) = self.by_session.get_mut(place) {
            let before = core::mem::replace(known, slot.unwrap_or(NO_SLOT));
            self.registered -= usize::from(before != NO_SLOT);
            self.registered += usize::from(*known != NO_SLOT);
        }
    }
}

/// The higher sequence wins; a lower one never replaces a higher one; an equal one must say the same.
fn check_sequence(known: u64, offered: u64, same: bool) -> Result<(), Refusal> {
    match offered.cmp(&known) {
        Ordering::Less => Err(Refusal::Stale),
        Ordering::Equal if !same => Err(Refusal::Conflict),
        Ordering::Equal | Ordering::Greater => Ok(()),
    }
}
