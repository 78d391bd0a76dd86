//! The receiver of messages (protocol §8.2). Decides what is kept, what is whole and what is given up; books
//! credit. Memory grows with the bytes that arrive, never with the total that a frame declares, and not beyond the
//! node's budget: what would is refused, but for a little and for holes below what has come.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::{MessageEvent, WINDOW_BYTES};
use crate::api::MessageId;
use crate::level::assembler::{Assembler, Inserted};
use crate::level::budget::{Budget, Share};
use crate::level::ranges::RangeSet;
use crate::level::window::{Pace, Window};
use crate::level::{Received, Violation};
use crate::limits;
use crate::tag::Tag;
use crate::time::{Duration, Instant};

/// Most separate ranges of finished identifiers: an honest sender leaves at most one unfinished identifier
/// between two of them, and holds no more than `MESSAGES_IN_FLIGHT` in all.
const FINISHED_RANGES: usize = 2 * limits::MESSAGES_IN_FLIGHT;

/// Longest time that a sender may name; more means the same.
const LIFE_MAX: Duration = Duration::from_secs(30 * 86_400);

#[derive(Debug)]
struct Partial {
    tag: Tag,
    total: u64,
    assembler: Assembler,
    /// End of the bytes that arrived, holes included: what the budget is charged.
    highest: u64,
    progress_at: Instant,
    /// When its sender no longer wants it delivered.
    expires_at: Option<Instant>,
    check_at: Instant,
}

impl Partial {
    /// When it is given up, as things stand.
    fn ends_at(&self) -> Instant {
        let idle_at = self.progress_at + limits::MESSAGE_PARTIAL_LIFE;
        self.expires_at.map_or(idle_at, |at| at.min(idle_at))
    }
}

#[derive(Debug)]
pub(super) struct Incoming {
    partial: BTreeMap<u64, Partial>,
    whole: BTreeMap<u64, Bytes>,
    /// Delivered, or given up by either side.
    finished: RangeSet,
    /// Given up by this side, with their totals; the peer has not acknowledged it yet.
    abandoned: BTreeMap<u64, u64>,
    abandons: BTreeSet<u64>,
    /// Taken, and their sender is to be told.
    taken: RangeSet,
    /// When to look at each partial message; may be earlier than it needs, so that progress costs nothing.
    checks: BTreeSet<(Instant, u64)>,
    /// What MESSAGE_DEADLINE said of the message whose fragment comes next.
    announced: Option<(u64, Instant)>,
    events: VecDeque<MessageEvent>,
    begun_bytes: u64,
    begun_messages: u64,
    released_bytes: u64,
    released_messages: u64,
    advertised_bytes: u64,
    advertised_messages: u64,
    window: Window,
    held: Share,
    credit_needed: bool,
}

impl Incoming {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            partial: BTreeMap::new(),
            whole: BTreeMap::new(),
            finished: RangeSet::default(),
            abandoned: BTreeMap::new(),
            abandons: BTreeSet::new(),
            taken: RangeSet::default(),
            checks: BTreeSet::new(),
            announced: None,
            events: VecDeque::new(),
            begun_bytes: 0,
            begun_messages: 0,
            released_bytes: 0,
            released_messages: 0,
            advertised_bytes: WINDOW_BYTES,
            advertised_messages: limits::MESSAGES_IN_FLIGHT as u64,
            window: Window::new(WINDOW_BYTES, limits::MESSAGE_WINDOW_MAX_BYTES),
            held: budget.share(),
            credit_needed: false,
        }
    }

    pub(super) fn on_deadline(&mut self, id: u64, life_ms: u64, now: Instant) {
        let life = Duration::from_millis(life_ms).min(LIFE_MAX);
        self.announced = Some((id, now + life));
    }

    pub(super) fn on_fragment(
        &mut self,
        id: u64,
        tag: Tag,
        total: u64,
        offset: u64,
        data: &[u8],
        now: Instant,
    ) -> Result<Received, Violation> {
        if total > limits::MESSAGE_BYTES as u64 {
            return Err(Violation::MessageLimit);
        }
        let end = offset.checked_add(data.len() as u64);
        let end = end.filter(|end| *end <= total);
        let end = end.ok_or(Violation::InconsistentData)?;
        if self.abandoned.contains_key(&id) {
            return Ok(Received::Refused);
        }
        if self.finished.contains(id) {
            return Ok(Received::Accepted);
        }
        if !self.partial.contains_key(&id) {
            self.begin(id, tag, total, now)?;
        }
        self.apply_deadline(id);
        let Some(partial) = self.partial.get_mut(&id) else {
            return Ok(Received::Refused);
        };
        if partial.total != total || partial.tag != tag {
            return Err(Violation::InconsistentData);
        }
        if partial.expires_at.is_some_and(|at| at <= now) {
            self.give_up(id);
            return Ok(Received::Refused);
        }
        let growth = end.saturating_sub(partial.highest);
        if !self.held.has_room(growth) {
            return Ok(Received::Refused);
        }
        let Inserted::Accepted { .. } = partial.assembler.insert(offset, data) else {
            return Ok(Received::Refused);
        };
        partial.highest += growth;
        self.held.charge(growth);
        if !data.is_empty() {
            partial.progress_at = now;
        }
        if partial.assembler.ordered_offset() == total {
            self.complete(id);
        }
        Ok(Received::Accepted)
    }

    fn begin(&mut self, id: u64, tag: Tag, total: u64, now: Instant) -> Result<(), Violation> {
        let (bytes, messages) = (self.begun_bytes + total, self.begun_messages + 1);
        if bytes > self.advertised_bytes || messages > self.advertised_messages {
            return Err(Violation::MessageLimit);
        }
        (self.begun_bytes, self.begun_messages) = (bytes, messages);
        let check_at = now + limits::MESSAGE_PARTIAL_LIFE;
        let partial = Partial {
            tag,
            total,
            assembler: Assembler::whole(),
            highest: 0,
            progress_at: now,
            expires_at: None,
            check_at,
        };
        self.partial.insert(id, partial);
        self.checks.insert((check_at, id));
        Ok(())
    }

    /// Takes over what MESSAGE_DEADLINE said; the earliest holds, because the others spent longer on their way.
    fn apply_deadline(&mut self, id: u64) {
        let announced = self.announced.take().filter(|(of, _)| *of == id);
        let (Some((_, at)), Some(partial)) = (announced, self.partial.get_mut(&id)) else {
            return;
        };
        partial.expires_at = Some(partial.expires_at.map_or(at, |known| known.min(at)));
        if at < partial.check_at {
            self.checks.remove(&(partial.check_at, id));
            partial.check_at = at;
            self.checks.insert((at, id));
        }
    }

    /// Frees what has arrived of a message and refuses the rest of it; its sender is told.
    fn give_up(&mut self, id: u64) {
        if let Some(partial) = self.remove_partial(id) {
            self.held.release(partial.highest);
            self.abandoned.insert(id, partial.total);
            self.finished.insert(id, id.saturating_add(1));
            self.abandons.insert(id);
        }
    }

    fn remove_partial(&mut self, id: u64) -> Option<Partial> {
        let partial = self.partial.remove(&id)?;
        self.checks.remove(&(partial.check_at, id));
        Some(partial)
    }

    fn complete(&mut self, id: u64) {
        if let Some(mut partial) = self.remove_partial(id) {
            let data = partial.assembler.read(usize::MAX).unwrap_or_default();
            self.events.push_back(MessageEvent::Ready {
                id: MessageId(id),
                tag: partial.tag,
                len_bytes: data.len(),
            });
            self.whole.insert(id, data);
            self.finished.insert(id, id.saturating_add(1));
        }
    }

    /// Whole messages that nobody has taken yet.
    pub(super) fn ready(&self) -> Vec<u64> {
        self.whole.keys().copied().collect()
    }

    pub(super) fn read(&self, id: u64) -> Option<Bytes> {
        self.whole.get(&id).cloned()
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Bytes> {
        let data = self.whole.remove(&id)?;
        self.taken.insert(id, id.saturating_add(1));
        self.held.release(data.len() as u64);
        self.release(data.len() as u64);
        Some(data)
    }

    fn release(&mut self, total: u64) {
        self.released_bytes += total;
        self.released_messages += 1;
        let (bytes, messages) = self.grantable();
        let more_bytes = bytes.saturating_sub(self.advertised_bytes);
        let more_messages = messages - self.advertised_messages;
        // Where nothing is held, the slack lets the largest message begin even if this credit is not told.
        let idle = self.released_messages == self.begun_messages;
        self.credit_needed |= self
            .window
            .wants_update(self.released_bytes, self.advertised_bytes)
            || more_messages >= limits::MESSAGES_IN_FLIGHT as u64 / 2
            || (idle && more_bytes >= limits::MESSAGE_WINDOW_SLACK_BYTES);
    }

    fn grantable(&self) -> (u64, u64) {
        let messages = self.released_messages + limits::MESSAGES_IN_FLIGHT as u64;
        (self.window.grantable(self.released_bytes), messages)
    }

    /// The sender gave one of its messages up.
    pub(super) fn on_abandon(&mut self, id: u64) -> Result<(), Violation> {
        if let Some(data) = self.whole.remove(&id) {
            // Nobody took it in time; whoever was told of it finds it gone.
            let is_its =
                |e: &MessageEvent| matches!(e, MessageEvent::Ready { id: of, .. } if of.0 == id);
            self.events.retain(|e| !is_its(e));
            self.held.release(data.len() as u64);
            self.release(data.len() as u64);
        }
        if self.finished.contains(id) {
            return Ok(());
        }
        self.finished.insert(id, id.saturating_add(1));
        if let Some(partial) = self.remove_partial(id) {
            self.held.release(partial.highest);
            self.release(partial.total);
        }
        if self.finished.len() > FINISHED_RANGES {
            return Err(Violation::MessageLimit);
        }
        Ok(())
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.checks.first().copied()
            && at <= now
        {
            self.checks.pop_first();
            let Some(partial) = self.partial.get_mut(&id) else {
                continue;
            };
            let ends_at = partial.ends_at();
            if ends_at > now {
                partial.check_at = ends_at;
                self.checks.insert((ends_at, id));
                continue;
            }
            self.give_up(id);
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.checks.first().map(|(at, _)| *at)
    }

    /// Whether the sender knows of everything that was given up here.
    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.abandoned.is_empty() && self.abandons.is_empty()
    }

    pub(super) fn poll_abandon(&mut self) -> Option<u64> {
        self.abandons.pop_first()
    }

    pub(super) fn poll_taken(&mut self) -> Option<(u64, u64)> {
        let (start, end) = self.taken.first()?;
        self.taken.remove(start, end);
        Some((start, end - start - 1))
    }

    pub(super) fn on_taken_lost(&mut self, first: u64, more: u64) {
        self.taken.insert(first, first + more + 1);
    }

    pub(super) fn on_abandon_delivered(&mut self, id: u64) {
        self.abandons.remove(&id);
        // Only now is the credit free: a peer that never acknowledges cannot make this side remember more.
        if let Some(total) = self.abandoned.remove(&id) {
            self.release(total);
        }
    }

    pub(super) fn on_abandon_lost(&mut self, id: u64) {
        if self.abandoned.contains_key(&id) {
            self.abandons.insert(id);
        }
    }

    pub(super) fn poll_credit(&mut self, pace: Pace) -> Option<(u64, u64)> {
        if !core::mem::take(&mut self.credit_needed) {
            return None;
        }
        let available = self.held.available_bytes();
        self.window.judge(self.released_bytes, pace, available);
        let (bytes, messages) = self.grantable();
        self.advertised_bytes = self.advertised_bytes.max(bytes);
        self.advertised_messages = messages;
        Some((self.advertised_bytes, self.advertised_messages))
    }

    pub(super) fn on_credit_lost(&mut self, total_bytes: u64, total_messages: u64) {
        // A newer one is on its way otherwise.
        let newest =
            total_bytes == self.advertised_bytes && total_messages == self.advertised_messages;
        self.credit_needed |= newest;
    }

    pub(super) fn has_control(&self) -> bool {
        self.credit_needed || !self.abandons.is_empty() || !self.taken.is_empty()
    }

    pub(super) fn poll_event(&mut self) -> Option<MessageEvent> {
        self.events.pop_front()
    }

    #[cfg(test)]
    pub(super) fn begun(&self) -> (u64, u64) {
        (self.begun_bytes, self.begun_messages)
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.partial.len() + self.whole.len() + self.abandoned.len()
    }

    #[cfg(test)]
    pub(super) fn held_capacity_bytes(&self) -> usize {
        let partial = self.partial.values();
        partial.map(|p| p.assembler.held_capacity_bytes()).sum()
    }
}
