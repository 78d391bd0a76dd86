//! The sender of messages (protocol §8.2). Decides which fragment goes next, when a message may begin, and when
//! it is delivered or given up. Messages under way take turns, a few at a time; the rest waits in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::{MessageEvent, MessagePiece, WINDOW_BYTES};
use crate::api::{ApiMisuse, LimitReached, MessageFailure, MessageId};
use crate::level::budget::{Budget, Share};
use crate::level::send_buffer::SendBuffer;
use crate::level::{Violation, content_room, tag_len, varint_len};
use crate::limits;
use crate::tag::{Tag, Topic};
use crate::time::Instant;

/// Messages that take turns at once: enough for small ones to pass a large one, few enough for each to progress.
const CONCURRENT: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for credit or its turn.
    Queued,
    /// Fragments flow.
    Sending,
    /// The receiver's node has all of it; its application has not taken it yet.
    Arrived,
    /// Given up, but the receiver may not know that it began.
    Declaring,
    /// Given up; the abandon is on its way.
    Abandoning,
}

#[derive(Debug)]
struct QueuedMessage {
    tag: Tag,
    total: u64,
    buffer: SendBuffer,
    deadline: Option<Instant>,
    state: State,
    /// An empty fragment is to be sent.
    empty_needed: bool,
    /// The receiver has seen some of it.
    seen: bool,
    /// In the turn queue.
    queued: bool,
}

/// Milliseconds from `now` to a deadline, rounded up: a message never dies at the receiver before it does here.
fn life_ms(deadline: Instant, now: Instant) -> u64 {
    let nanos = deadline.saturating_since(now).as_nanos();
    u64::try_from(nanos.div_ceil(1_000_000)).unwrap_or(u64::MAX >> 2)
}

impl QueuedMessage {
    fn is_sendable(&self) -> bool {
        self.empty_needed
            || (self.state == State::Sending && self.buffer.next_offset(u64::MAX).is_some())
    }

    /// Whether all of it has left once, as far as it is still wanted.
    fn is_all_out(&self) -> bool {
        self.state != State::Sending || self.buffer.fresh_offset() >= self.total
    }

    fn has_arrived(&self) -> bool {
        self.state == State::Sending && self.seen && self.buffer.is_all_acked()
    }
}

#[derive(Debug)]
pub(super) struct Outgoing {
    entries: BTreeMap<u64, QueuedMessage>,
    /// Those of them that have arrived.
    arrived: usize,
    next_id: u64,
    /// Bytes of messages that have not arrived, of the node's budget.
    held: Share,
    /// Bytes of messages begun and arrived or given up since.
    settled_bytes: u64,
    waiting: VecDeque<u64>,
    turns: VecDeque<u64>,
    deadlines: BTreeSet<(Instant, u64)>,
    abandons: BTreeSet<u64>,
    events: VecDeque<MessageEvent>,
    begun_bytes: u64,
    begun_messages: u64,
    credit_bytes: u64,
    credit_messages: u64,
}

impl Outgoing {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            entries: BTreeMap::new(),
            arrived: 0,
            next_id: 0,
            held: budget.share(),
            settled_bytes: 0,
            waiting: VecDeque::new(),
            turns: VecDeque::new(),
            deadlines: BTreeSet::new(),
            abandons: BTreeSet::new(),
            events: VecDeque::new(),
            begun_bytes: 0,
            begun_messages: 0,
            credit_bytes: WINDOW_BYTES,
            credit_messages: limits::MESSAGES_IN_FLIGHT as u64,
        }
    }

    /// Bytes that may wait or be under way: as much as the peer ever takes at once.
    fn window_bytes(&self) -> u64 {
        WINDOW_BYTES.max(self.credit_bytes - self.settled_bytes.min(self.credit_bytes))
    }

    pub(super) fn send(
        &mut self,
        tag: Tag,
        data: Bytes,
        deadline: Option<Instant>,
    ) -> Result<MessageId, ApiMisuse> {
        let limit_bytes = limits::MESSAGE_BYTES;
        let total = data.len() as u64;
        if data.len() > limit_bytes {
            return Err(ApiMisuse::TooLarge { limit_bytes });
        }
        let reached = |limit, value| Err(ApiMisuse::Limit(LimitReached { limit, value }));
        // As many again may lie at the receiver, which gives no more credit than that.
        let most = limits::MESSAGES_IN_FLIGHT;
        if self.entries.len() - self.arrived >= most || self.entries.len() >= 2 * most {
            return reached("MESSAGES_IN_FLIGHT", most as u64);
        }
        if self.held.held_bytes() + total > self.window_bytes() {
            return reached("MESSAGE_WINDOW_BYTES", self.window_bytes());
        }
        if !self.held.has_room(total) {
            return reached("SEND_BUDGET_BYTES", limits::SEND_BUDGET_BYTES);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.held.charge(total);
        self.deadlines.extend(deadline.map(|at| (at, id)));
        let mut buffer = SendBuffer::default();
        buffer.push(data);
        let entry = QueuedMessage {
            tag,
            total,
            buffer,
            deadline,
            state: State::Queued,
            empty_needed: false,
            seen: false,
            queued: false,
        };
        self.entries.insert(id, entry);
        self.waiting.push_back(id);
        self.begin_more();
        Ok(MessageId(id))
    }

    /// Lets waiting messages begin while turns and credit last.
    fn begin_more(&mut self) {
        while self.turns.len() < CONCURRENT
            && let Some(id) = self.waiting.front().copied()
        {
            // Given up while waiting: its credit was never used.
            let Some(entry) = self
                .entries
                .get_mut(&id)
                .filter(|e| e.state == State::Queued)
            else {
                self.waiting.pop_front();
                continue;
            };
            let begun_bytes = self.begun_bytes + entry.total;
            if begun_bytes > self.credit_bytes || self.begun_messages >= self.credit_messages {
                return;
            }
            self.begun_bytes = begun_bytes;
            self.begun_messages += 1;
            entry.state = State::Sending;
            entry.empty_needed = entry.total == 0;
            entry.queued = true;
            self.waiting.pop_front();
            self.turns.push_back(id);
        }
    }

    pub(super) fn on_credit(&mut self, total_bytes: u64, total_messages: u64) {
        self.credit_bytes = self.credit_bytes.max(total_bytes);
        self.credit_messages = self.credit_messages.max(total_messages);
        self.begin_more();
    }

    /// Whether something can be sent now.
    pub(super) fn has_data_to_send(&self) -> bool {
        !self.turns.is_empty()
    }

    pub(super) fn poll_fragment(
        &mut self,
        room_bytes: usize,
        ahead_bytes: impl Fn(Topic) -> usize,
        now: Instant,
    ) -> Option<MessagePiece> {
        // Nothing of a message leaves behind its deadline.
        if self.deadlines.first().is_some_and(|(at, _)| *at <= now) {
            self.on_timeout(now);
        }
        while let Some(id) = self.turns.front().copied() {
            let Some(entry) = self.entries.get_mut(&id).filter(|e| e.is_sendable()) else {
                self.leave_turns(id);
                continue;
            };
            let offset = if entry.empty_needed {
                0
            } else {
                entry.buffer.next_offset(u64::MAX)?
            };
            let (tag, total) = (entry.tag, entry.total);
            let life_ms = entry.deadline.map(|at| life_ms(at, now));
            let deadline_len = life_ms.map_or(0, |life| 1 + varint_len(id) + varint_len(life));
            let fixed = ahead_bytes(tag.topic)
                + deadline_len
                + 1
                + varint_len(id)
                + tag_len(tag)
                + varint_len(total)
                + varint_len(offset);
            let room = content_room(room_bytes, fixed);
            let data = if entry.empty_needed {
                if room_bytes <= fixed {
                    return None;
                }
                entry.empty_needed = false;
                Bytes::new()
            } else {
                entry.buffer.next_range(room, u64::MAX)?.1
            };
            let again = entry.is_sendable();
            self.leave_turns(id);
            if again {
                self.take_turn(id);
            }
            self.begin_more();
            return Some(MessagePiece {
                id: MessageId(id),
                tag,
                total,
                offset,
                data,
                life_ms,
            });
        }
        None
    }

    /// Takes the first of the queue out.
    fn leave_turns(&mut self, id: u64) {
        self.turns.pop_front();
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.queued = false;
        }
    }

    fn take_turn(&mut self, id: u64) {
        if let Some(entry) = self.entries.get_mut(&id)
            && !entry.queued
            && entry.is_sendable()
        {
            entry.queued = true;
            self.turns.push_back(id);
        }
    }

    pub(super) fn on_delivered(&mut self, id: u64, offset: u64, len_bytes: u32) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        entry.seen = true;
        match entry.state {
            State::Declaring => {
                entry.state = State::Abandoning;
                entry.empty_needed = false;
                self.abandons.insert(id);
            }
            State::Sending => {
                let end = offset + u64::from(len_bytes);
                entry.buffer.on_acked(offset, end);
                if entry.has_arrived() {
                    entry.state = State::Arrived;
                    entry.buffer = SendBuffer::default();
                    self.arrived += 1;
                    self.held.release(entry.total);
                    self.settled_bytes += entry.total;
                }
            }
            State::Queued | State::Arrived | State::Abandoning => {}
        }
    }

    /// The receiver's application has taken messages of ours.
    pub(super) fn on_taken(&mut self, first: u64, more: u64) -> Result<(), Violation> {
        let last = first.saturating_add(more);
        if last >= self.next_id {
            return Err(Violation::InconsistentData);
        }
        let ids: Vec<u64> = self
            .entries
            .range(first..=last)
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            match self.entries.get(&id) {
                // What it cannot have. An acknowledgement may be later than this, all bytes may not.
                Some(e) if e.state == State::Queued || !e.is_all_out() => {
                    return Err(Violation::InconsistentData);
                }
                Some(e) if matches!(e.state, State::Sending | State::Arrived) => {
                    self.events
                        .push_back(MessageEvent::Delivered(MessageId(id)));
                }
                // Given up here, and told so.
                _ => {}
            }
            self.remove(id);
        }
        self.begin_more();
        Ok(())
    }

    pub(super) fn on_lost(&mut self, id: u64, offset: u64, len_bytes: u32) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        match entry.state {
            State::Declaring => entry.empty_needed = true,
            State::Sending if len_bytes == 0 => entry.empty_needed = !entry.seen,
            State::Sending => entry.buffer.on_lost(offset, offset + u64::from(len_bytes)),
            State::Queued | State::Arrived | State::Abandoning => return,
        }
        self.take_turn(id);
    }

    /// The receiver gave a message of ours up.
    pub(super) fn on_abandon(&mut self, id: u64) -> Result<(), Violation> {
        if id >= self.next_id {
            return Err(Violation::InconsistentData);
        }
        match self.entries.get(&id).map(|e| e.state) {
            // It cannot know a message that has not begun.
            Some(State::Queued) => return Err(Violation::InconsistentData),
            Some(State::Sending | State::Arrived) => self.events.push_back(MessageEvent::Failed {
                id: MessageId(id),
                reason: MessageFailure::Abandoned,
            }),
            Some(State::Declaring | State::Abandoning) => {}
            None => return Ok(()),
        }
        self.remove(id);
        self.begin_more();
        Ok(())
    }

    fn remove(&mut self, id: u64) {
        self.abandons.remove(&id);
        if let Some(entry) = self.entries.remove(&id) {
            if matches!(entry.state, State::Queued | State::Sending) {
                self.held.release(entry.total);
            }
            if entry.state == State::Sending {
                self.settled_bytes += entry.total;
            }
            self.arrived -= usize::from(entry.state == State::Arrived);
            if let Some(at) = entry.deadline {
                self.deadlines.remove(&(at, id));
            }
            if entry.queued {
                self.turns.retain(|t| *t != id);
            }
        }
    }

    fn give_up(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else {
            return;
        };
        let begun = match entry.state {
            State::Queued => false,
            State::Sending | State::Arrived => true,
            State::Declaring | State::Abandoning => return,
        };
        if entry.state == State::Arrived {
            self.arrived -= 1;
        } else {
            self.held.release(entry.total);
            self.settled_bytes += if begun { entry.total } else { 0 };
        }
        entry.buffer = SendBuffer::default();
        entry.deadline = None;
        entry.empty_needed = begun && !entry.seen;
        if entry.empty_needed {
            entry.state = State::Declaring;
            self.take_turn(id);
        } else {
            entry.state = State::Abandoning;
            self.abandons.insert(id);
        }
        self.events.push_back(MessageEvent::Failed {
            id: MessageId(id),
            reason: MessageFailure::TimedOut,
        });
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            self.give_up(id);
        }
        self.begin_more();
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    pub(super) fn poll_abandon(&mut self) -> Option<u64> {
        self.abandons.pop_first()
    }

    pub(super) fn has_abandon(&self) -> bool {
        !self.abandons.is_empty()
    }

    pub(super) fn on_abandon_delivered(&mut self, id: u64) {
        self.remove(id);
    }

    pub(super) fn on_abandon_lost(&mut self, id: u64) {
        if self
            .entries
            .get(&id)
            .is_some_and(|e| e.state == State::Abandoning)
        {
            self.abandons.insert(id);
        }
    }

    pub(super) fn poll_event(&mut self) -> Option<MessageEvent> {
        self.events.pop_front()
    }

    pub(super) fn unfinished(&self) -> Vec<MessageId> {
        let is_open = |state| matches!(state, State::Queued | State::Sending | State::Arrived);
        let open = |e: &QueuedMessage| is_open(e.state);
        let entries = self.entries.iter().filter(|(_, e)| open(e));
        entries.map(|(id, _)| MessageId(*id)).collect()
    }

    #[cfg(test)]
    pub(super) fn is_settled(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(test)]
    pub(super) fn begun(&self) -> (u64, u64) {
        (self.begun_bytes, self.begun_messages)
    }
}
