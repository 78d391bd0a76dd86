//! The four levels of one peer. Made when data first flows: a peer that only keeps a registration holds none.

use std::collections::VecDeque;

use super::outcome::{Asker, Reply};
use crate::level::budget::Budgets;
use crate::level::datagram::Datagrams;
use crate::level::message::Messages;
use crate::level::request::{ReplyCache, Requests};
use crate::level::stream::Streams;
use crate::time::{Deadline, Instant, TimerKind};

/// All levels, both directions.
pub(super) struct Levels {
    pub(super) datagrams: Datagrams,
    pub(super) requests: Requests<Asker>,
    pub(super) replies: ReplyCache<Reply>,
    /// Replies to send, or to send again.
    pub(super) reply_queue: VecDeque<(u64, Reply)>,
    pub(super) messages: Messages,
    pub(super) streams: Streams,
    /// Whose turn it is next: streams or messages.
    pub(super) streams_first: bool,
}

impl Levels {
    pub(super) fn new(is_smaller: bool, budgets: &Budgets) -> Self {
        Self {
            datagrams: Datagrams::default(),
            requests: Requests::default(),
            replies: ReplyCache::default(),
            reply_queue: VecDeque::new(),
            messages: Messages::new(budgets),
            streams: Streams::new(is_smaller, budgets),
            streams_first: false,
        }
    }

    /// Whether any level wants to send.
    pub(super) fn has_data_to_send(&self) -> bool {
        self.datagrams.has_data_to_send()
            || self.requests.has_data_to_send()
            || !self.reply_queue.is_empty()
            || self.messages.has_control_to_send()
            || self.messages.has_data_to_send()
            || self.streams.has_control_to_send()
            || self.streams.has_data_to_send()
    }

    /// When a level wants to be told the time.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let at = |at: Option<Instant>, kind| at.map(|at| Deadline::new(at, kind));
        let requests = at(self.requests.next_timeout(), TimerKind::Request);
        let replies = at(self.replies.next_timeout(), TimerKind::Request);
        let messages = at(self.messages.next_timeout(), TimerKind::Message);
        Deadline::earlier(Deadline::earlier(requests, replies), messages)
    }
}

/// Replies waiting to be sent at once; a repeated request replaces nothing and a flood of them is dropped.
const REPLIES_QUEUED: usize = 256;

impl Levels {
    /// Sends a reply with the next packet, unless it waits already.
    pub(super) fn queue_reply(&mut self, reference: u64, reply: Reply) {
        let waits = self
            .reply_queue
            .iter()
            .any(|(queued, _)| *queued == reference);
        if !waits && self.reply_queue.len() < REPLIES_QUEUED {
            self.reply_queue.push_back((reference, reply));
        }
    }

    /// A sending of a reply is lost.
    pub(super) fn on_reply_lost(&mut self, reference: u64, sending: u32) {
        if let Some(reply) = self.replies.on_reply_lost(reference, sending) {
            let reply = reply.clone();
            self.queue_reply(reference, reply);
        }
    }

    /// A probe timeout fired while a reply was the oldest thing under way.
    pub(super) fn on_reply_probed(&mut self, reference: u64) {
        if let Some(reply) = self.replies.on_probe(reference) {
            let reply = reply.clone();
            self.queue_reply(reference, reply);
        }
    }
}
