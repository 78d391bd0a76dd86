//! Answers of level 1 as a source: what is ready to be sent, and the cache that gives a lost one again.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{Acked, Content, LevelSent, ReplySent, SentFrame, Source, Wrote};
use crate::level::names::Names;
use crate::level::request::{Admission, ReplyCache};
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::{AnswerFrame, ControlFrame};

/// Replies waiting to be sent at once; a repeated request replaces nothing and a flood of them is dropped.
const REPLIES_QUEUED: usize = 256;

/// A reply kept to be repeated.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// An ANSWER frame.
    Application { status: u16, body: Bytes },
    /// A CONTROL frame.
    Control(Bytes),
}

/// What this side answers.
#[derive(Default)]
pub(crate) struct Replies {
    cache: ReplyCache<Reply>,
    /// To send, or to send again.
    queue: VecDeque<(u64, Reply)>,
}

impl Replies {
    /// Replies of an association that executes no request from a packet below this number.
    pub(crate) fn above(floor_pn: u64) -> Self {
        Self {
            cache: ReplyCache::above(floor_pn),
            queue: VecDeque::new(),
        }
    }

    /// Whether nothing is in work and no answer may have to be repeated.
    pub(crate) fn may_rest(&self) -> bool {
        self.queue.is_empty() && self.cache.may_rest()
    }

    /// A request came in, in the packet with the number `pn`; whether to execute it. An answer that is known already
    /// leaves again.
    pub(crate) fn on_request(&mut self, reference: u64, pn: u64, now: Instant) -> bool {
        match self.cache.on_request(reference, pn, now) {
            Admission::Execute => true,
            Admission::Repeat(reply) => {
                let reply = reply.clone();
                self.queue_reply(reference, reply);
                false
            }
            Admission::InProgress | Admission::Settled | Admission::Busy | Admission::Late => false,
        }
    }

    /// Sends the answer to a request; false where nobody waits for it any more.
    pub(crate) fn answer(&mut self, reference: u64, reply: Reply, now: Instant) -> bool {
        let is_awaited = self.cache.on_reply(reference, reply.clone(), now);
        if is_awaited {
            self.queue_reply(reference, reply);
        }
        is_awaited
    }

    /// Forgets what nobody can ask for any more.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        self.cache.on_timeout(now);
    }

    /// How many wait to be sent.
    #[cfg(test)]
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    fn queue_reply(&mut self, reference: u64, reply: Reply) {
        let waits = self.queue.iter().any(|(queued, _)| *queued == reference);
        if !waits && self.queue.len() < REPLIES_QUEUED {
            self.queue.push_back((reference, reply));
        }
    }

    fn repeat(&mut self, reference: u64, reply: Option<Reply>) {
        if let Some(reply) = reply {
            self.queue_reply(reference, reply);
        }
    }
}

impl Source for Replies {
    type Sent = ReplySent;

    fn waits(&self) -> bool {
        !self.queue.is_empty()
    }

    fn poll(
        &mut self,
        _names: &mut Names,
        w: &mut Writer<'_>,
        _now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        let (reference, reply) = self.queue.front()?;
        let reference = *reference;
        let (written, wrote) = match reply {
            Reply::Application { status, body } => {
                let status = *status;
                let frame = AnswerFrame {
                    reference,
                    status,
                    body,
                };
                (frame.encode(w), Wrote::Application)
            }
            Reply::Control(json) => (ControlFrame { json }.encode(w), Wrote::Engine),
        };
        written.ok()?;
        self.queue.pop_front();
        let sending = self.cache.on_reply_sent(reference);
        let sent = ReplySent { reference, sending };
        content.push(SentFrame::Level(LevelSent::Reply(sent)));
        Some(wrote)
    }

    fn on_delivered(&mut self, sent: &ReplySent, acked: Acked) {
        self.cache
            .on_reply_delivered(sent.reference, acked.by_pn, acked.now);
    }

    fn on_lost(&mut self, sent: &ReplySent) {
        let reply = self.cache.on_reply_lost(sent.reference, sent.sending);
        let reply = reply.cloned();
        self.repeat(sent.reference, reply);
    }

    fn on_probe(&mut self, sent: &ReplySent) {
        let reply = self.cache.on_probe(sent.reference).cloned();
        self.repeat(sent.reference, reply);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.cache.next_timeout()
    }
}
