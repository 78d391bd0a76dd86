//! Requests of ours waiting for an answer (protocol §8.1, §6.1). Decides when each is sent again and when it is
//! given up. Takes answers, sendings acknowledged or lost, and of the time; returns entries to encode, and each
//! entry once at its end.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::api::LimitReached;
use crate::level::varint_len;
use crate::limits;
use crate::rng::Rng;
use crate::time::Instant;

/// Pause before the first repetition by the clock; doubles each time.
pub(super) const RETRY: Duration = Duration::from_millis(250);
/// Longest pause between repetitions.
const RETRY_MAX: Duration = Duration::from_secs(2);

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RequestPayload {
    /// A REQUEST frame for the other side's application.
    App {
        /// Name of the service, at most [`limits::SERVICE_NAME_BYTES`] bytes.
        service: String,
        /// How many times it may be handed on, at most [`limits::FORWARD_BUDGET`].
        budget: u8,
        /// At most [`limits::REQUEST_BODY_BYTES`] bytes.
        body: Bytes,
    },
    /// A CONTROL frame; the JSON carries the reference itself.
    Control(Bytes),
}

impl RequestPayload {
    /// Bytes of the frame that carries it.
    #[must_use]
    pub(crate) fn frame_bytes(&self) -> usize {
        let sized = |len: usize| varint_len(len as u64) + len;
        match self {
            Self::App { service, body, .. } => 1 + 8 + 1 + sized(service.len()) + sized(body.len()),
            Self::Control(json) => 1 + sized(json.len()),
        }
    }
}

/// One request under way; `T` is whatever its owner wants to know again when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outgoing<T> {
    /// Random; the answer names it.
    pub reference: u64,
    /// What is asked.
    pub payload: RequestPayload,
    /// When it is given up.
    pub deadline: Instant,
    /// Its owner's note.
    pub owner: T,
    /// When it last left; `None` before the first time.
    pub sent_at: Option<Instant>,
    /// How often it has left.
    pub sendings: u32,
    /// Whether a sending was acknowledged since it last left: the other side has it.
    arrived: bool,
    pause: Duration,
    retry_at: Option<Instant>,
}

/// All requests of ours to one peer.
#[derive(Debug)]
pub(crate) struct Requests<T> {
    entries: BTreeMap<u64, Outgoing<T>>,
    /// To be sent now.
    due: VecDeque<u64>,
    /// Later repetitions.
    retries: BTreeSet<(Instant, u64)>,
    deadlines: BTreeSet<(Instant, u64)>,
}

impl<T> Default for Requests<T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            due: VecDeque::new(),
            retries: BTreeSet::new(),
            deadlines: BTreeSet::new(),
        }
    }
}

impl<T> Requests<T> {
    /// A random reference that is not in use and not zero.
    pub(crate) fn unused_reference(&self, rng: &mut Rng) -> u64 {
        loop {
            let reference = rng.next_u64();
            if reference != 0 && !self.entries.contains_key(&reference) {
                return reference;
            }
        }
    }

    /// Starts a request; it leaves with the next poll. Its life is cut to [`limits::REQUEST_DEADLINE_MAX`].
    ///
    /// # Errors
    /// `LimitReached` with [`limits::REQUESTS_PER_PEER`] under way.
    pub(crate) fn start(
        &mut self,
        reference: u64,
        payload: RequestPayload,
        owner: T,
        deadline: Instant,
        now: Instant,
    ) -> Result<(), LimitReached> {
        if self.entries.len() >= limits::REQUESTS_PER_PEER || self.entries.contains_key(&reference)
        {
            return Err(LimitReached {
                limit: "REQUESTS_PER_PEER",
                value: limits::REQUESTS_PER_PEER as u64,
            });
        }
        let deadline = deadline.min(now + limits::REQUEST_DEADLINE_MAX);
        self.deadlines.insert((deadline, reference));
        self.due.push_back(reference);
        let entry = Outgoing {
            reference,
            payload,
            deadline,
            owner,
            sent_at: None,
            sendings: 0,
            arrived: false,
            pause: RETRY,
            retry_at: None,
        };
        self.entries.insert(reference, entry);
        Ok(())
    }

    /// The next request to encode, where its frame fits into `room_bytes`; it counts as sent now.
    pub(crate) fn poll_send(&mut self, room_bytes: usize, now: Instant) -> Option<&Outgoing<T>> {
        let reference = *self.due.front()?;
        let entry = self.entries.get_mut(&reference)?;
        if entry.payload.frame_bytes() > room_bytes {
            return None;
        }
        self.due.pop_front();
        let retry_at = now + entry.pause;
        entry.sent_at = Some(now);
        entry.sendings = entry.sendings.saturating_add(1);
        entry.arrived = false;
        entry.retry_at = Some(retry_at);
        self.retries.insert((retry_at, reference));
        Some(entry)
    }

    /// Whether [`Self::poll_send`] has something, given room.
    #[must_use]
    pub(crate) fn has_data_to_send(&self) -> bool {
        !self.due.is_empty()
    }

    /// A packet with the request was acknowledged: the other side has it, and only the clock repeats it now (an
    /// answer may be refused a place there).
    pub(crate) fn on_delivered(&mut self, reference: u64) {
        if let Some(entry) = self.entries.get_mut(&reference) {
            entry.arrived = true;
        }
    }

    /// The packet with that sending of the request is lost. It leaves again at once, unless a later sending is
    /// under way or one has arrived.
    pub(crate) fn on_lost(&mut self, reference: u64, sending: u32) {
        if self
            .entries
            .get(&reference)
            .is_some_and(|entry| entry.sendings == sending)
        {
            self.repeat(reference);
        }
    }

    /// A probe timeout fired while a packet with the request was the oldest under way: it leaves again at once.
    pub(crate) fn on_probe(&mut self, reference: u64) {
        self.repeat(reference);
    }

    fn repeat(&mut self, reference: u64) {
        if let Some(entry) = self.entries.get_mut(&reference)
            && !entry.arrived
            && let Some(at) = entry.retry_at.take()
        {
            self.retries.remove(&(at, reference));
            self.due.push_front(reference);
        }
    }

    /// An answer came; gives the entry back, once. `None`: not asked, or ended before.
    pub(crate) fn on_answer(&mut self, reference: u64) -> Option<Outgoing<T>> {
        self.remove(reference)
    }

    /// Gives a request up.
    pub(crate) fn cancel(&mut self, reference: u64) -> Option<Outgoing<T>> {
        self.remove(reference)
    }

    /// The request, while it is under way.
    #[must_use]
    pub(crate) fn peek(&self, reference: u64) -> Option<&Outgoing<T>> {
        self.entries.get(&reference)
    }

    fn remove(&mut self, reference: u64) -> Option<Outgoing<T>> {
        let entry = self.entries.remove(&reference)?;
        self.deadlines.remove(&(entry.deadline, reference));
        match entry.retry_at {
            Some(at) => {
                self.retries.remove(&(at, reference));
            }
            None => self.due.retain(|r| *r != reference),
        }
        Some(entry)
    }

    /// Marks repetitions that are due and returns the requests that have run out of time.
    #[must_use]
    pub(crate) fn on_timeout(&mut self, now: Instant) -> Vec<Outgoing<T>> {
        let mut expired = Vec::new();
        while let Some((at, reference)) = self.deadlines.first().copied()
            && at <= now
        {
            self.deadlines.pop_first();
            expired.extend(self.remove(reference));
        }
        while let Some((at, reference)) = self.retries.first().copied()
            && at <= now
        {
            self.retries.pop_first();
            if let Some(entry) = self.entries.get_mut(&reference) {
                entry.retry_at = None;
                entry.pause = (entry.pause * 2).min(RETRY_MAX);
                self.due.push_back(reference);
            }
        }
        expired
    }

    /// Ends everything, for example when the peer is gone.
    #[must_use]
    pub(crate) fn take_all(&mut self) -> Vec<Outgoing<T>> {
        let all = core::mem::take(self);
        all.entries.into_values().collect()
    }

    /// When [`Self::on_timeout`] has something to do; what waits for room is not counted.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let retry = self.retries.first().map(|(at, _)| *at);
        let end = self.deadlines.first().map(|(at, _)| *at);
        retry.into_iter().chain(end).min()
    }

    /// Whether none is under way.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
