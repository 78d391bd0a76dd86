//! Level 2 (protocol §8.2): messages in fragments, delivered exactly once and whole, or given up.
//!
//! Identifiers count up from 0 in each direction. Three rules keep both ends of one mind:
//!
//! - *Credit counts what was begun.* A sender that gives up a message it has begun first makes sure that the
//!   receiver has seen it (an empty fragment carries the total), and only then sends the abandon, so that both
//!   have booked the same bytes. An abandon for an identifier never seen therefore books nothing.
//! - *"Delivered" needs the receiver's word.* Acknowledgements say that its node has the fragments in memory; only
//!   when its application has taken the message (and keeps it, where it keeps any) the receiver says so. A receiver
//!   that has given a message up refuses (does not acknowledge) its late fragments until its abandon is acknowledged.
//! - *An abandon names its side.* The wire's id is `id << 1 | side`; side 0: the frame's sender gives up its own
//!   message, side 1: it gives up one of the other's.
//!
//! A message with a deadline is dropped on both sides once it has passed: the sender sends nothing of it any more, and
//! the receiver, who is told with each fragment what is left of its time, frees what has arrived and refuses the rest,
//! even where it hears nothing of the sender again. A message that arrived whole in the last moments may not be known
//! to have; "timed out" says only that nobody knows.

mod incoming;
mod outgoing;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use self::incoming::Incoming;
use self::outgoing::Outgoing;
use super::budget::Budgets;
use super::window::Pace;
use super::{Received, Violation};
use crate::api::{ApiMisuse, MessageFailure, MessageId};
use crate::limits;
use crate::tag::{Tag, Topic};
use crate::time::Instant;

/// Credit in bytes that a fresh connection starts with, both ways.
const WINDOW_BYTES: u64 = limits::MESSAGE_WINDOW_BYTES + limits::MESSAGE_WINDOW_SLACK_BYTES;

/// One MESSAGE frame to encode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MessagePiece {
    /// Which message.
    pub id: MessageId,
    /// What it is for.
    pub tag: Tag,
    /// Length of the whole message in bytes.
    pub total: u64,
    /// Where the bytes belong.
    pub offset: u64,
    /// The bytes; may be empty.
    pub data: Bytes,
    /// What is left of its time, where it has a deadline; goes before the fragment as MESSAGE_DEADLINE.
    pub life_ms: Option<u64>,
}

impl MessagePiece {
    /// What the packet's record keeps of it.
    #[must_use]
    pub(crate) fn sent(&self) -> MessageSent {
        MessageSent::Fragment {
            id: self.id,
            offset: self.offset,
            len_bytes: self.data.len() as u32,
        }
    }
}

/// One small frame to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageControl {
    /// MESSAGE_CREDIT: cumulative.
    Credit {
        /// Sum of total lengths that may have been begun.
        total_bytes: u64,
        /// Messages that may have been begun.
        total_messages: u64,
    },
    /// MESSAGE_ABANDON with the id as the wire has it: `id << 1 | side`.
    Abandon {
        /// The wire's id.
        wire_id: u64,
    },
    /// MESSAGE_TAKEN: some with numbers in a row.
    Taken {
        /// The first.
        first: u64,
        /// How many follow it.
        more: u64,
    },
}

/// What a packet carried of this level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageSent {
    /// A MESSAGE frame.
    Fragment {
        /// Which message.
        id: MessageId,
        /// Where its bytes belong.
        offset: u64,
        /// How many.
        len_bytes: u32,
    },
    /// A control frame.
    Control(MessageControl),
}

/// Something the application wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageEvent {
    /// A whole message is there; take it.
    Ready {
        /// The sender's number.
        id: MessageId,
        /// What it is for.
        tag: Tag,
        /// Length in bytes.
        len_bytes: usize,
    },
    /// The peer's application has taken the message.
    Delivered(MessageId),
    /// The message was given up.
    Failed {
        /// Which of ours.
        id: MessageId,
        /// `TimedOut` (it may have arrived) or `Abandoned`.
        reason: MessageFailure,
    },
}

/// All messages to and from one peer.
#[derive(Debug)]
pub(crate) struct Messages {
    outgoing: Outgoing,
    incoming: Incoming,
}

impl Messages {
    /// No message yet.
    pub(crate) fn new(budgets: &Budgets) -> Self {
        Self {
            outgoing: Outgoing::new(&budgets.send),
            incoming: Incoming::new(&budgets.receive),
        }
    }

    /// Queues a message; it begins when credit allows.
    ///
    /// # Errors
    /// `TooLarge` above [`limits::MESSAGE_BYTES`]; `Limit` where as many messages or bytes wait as the peer could
    /// have credit for, or where the node's send budget is used up.
    pub(crate) fn send(
        &mut self,
        tag: Tag,
        data: Bytes,
        deadline: Option<Instant>,
    ) -> Result<MessageId, ApiMisuse> {
        self.outgoing.send(tag, data, deadline)
    }

    /// A MESSAGE frame came in.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_fragment(
        &mut self,
        piece: (MessageId, Tag),
        total: u64,
        offset: u64,
        data: &[u8],
        now: Instant,
    ) -> Result<Received, Violation> {
        let (id, tag) = piece;
        self.incoming
            .on_fragment(id.0, tag, total, offset, data, now)
    }

    /// A MESSAGE_DEADLINE frame came in; it concerns the MESSAGE frame behind it.
    pub(crate) fn on_deadline(&mut self, id: u64, life_ms: u64, now: Instant) {
        self.incoming.on_deadline(id, life_ms, now);
    }

    /// A MESSAGE_CREDIT frame came in; an older one than known changes nothing.
    pub(crate) fn on_credit(&mut self, total_bytes: u64, total_messages: u64) {
        self.outgoing.on_credit(total_bytes, total_messages);
    }

    /// A MESSAGE_ABANDON frame came in, with the wire's id.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_abandon(&mut self, wire_id: u64) -> Result<(), Violation> {
        if wire_id & 1 == 0 {
            self.incoming.on_abandon(wire_id >> 1)
        } else {
            self.outgoing.on_abandon(wire_id >> 1)
        }
    }

    /// A MESSAGE_TAKEN frame came in.
    ///
    /// # Errors
    /// The rule that the peer broke.
    pub(crate) fn on_taken(&mut self, first: u64, more: u64) -> Result<(), Violation> {
        self.outgoing.on_taken(first, more)
    }

    /// The next MESSAGE frame of at most `room_bytes` in all, its MESSAGE_DEADLINE included.
    pub(crate) fn poll_fragment(
        &mut self,
        room_bytes: usize,
        ahead_bytes: impl Fn(Topic) -> usize,
        now: Instant,
    ) -> Option<MessagePiece> {
        self.outgoing.poll_fragment(room_bytes, ahead_bytes, now)
    }

    /// Whether [`Self::poll_fragment`] has something, given room.
    #[must_use]
    pub(crate) fn has_data_to_send(&self) -> bool {
        self.outgoing.has_data_to_send()
    }

    /// The next control frame, where `room_bytes` hold the largest of them. `pace` says how fast credit is used up.
    pub(crate) fn poll_control(&mut self, room_bytes: usize, pace: Pace) -> Option<MessageControl> {
        if room_bytes < 1 + 8 + 8 {
            return None;
        }
        if let Some(id) = self.outgoing.poll_abandon() {
            return Some(MessageControl::Abandon { wire_id: id << 1 });
        }
        if let Some(id) = self.incoming.poll_abandon() {
            let wire_id = id << 1 | 1;
            return Some(MessageControl::Abandon { wire_id });
        }
        if let Some((first, more)) = self.incoming.poll_taken() {
            return Some(MessageControl::Taken { first, more });
        }
        let (total_bytes, total_messages) = self.incoming.poll_credit(pace)?;
        Some(MessageControl::Credit {
            total_bytes,
            total_messages,
        })
    }

    /// Whether [`Self::poll_control`] has something, given room.
    #[must_use]
    pub(crate) fn has_control_to_send(&self) -> bool {
        self.outgoing.has_abandon() || self.incoming.has_control()
    }

    /// A packet with this in it was acknowledged.
    pub(crate) fn on_delivered(&mut self, sent: &MessageSent) {
        match *sent {
            MessageSent::Fragment {
                id,
                offset,
                len_bytes,
            } => self.outgoing.on_delivered(id.0, offset, len_bytes),
            MessageSent::Control(MessageControl::Abandon { wire_id }) if wire_id & 1 == 0 => {
                self.outgoing.on_abandon_delivered(wire_id >> 1);
            }
            MessageSent::Control(MessageControl::Abandon { wire_id }) => {
                self.incoming.on_abandon_delivered(wire_id >> 1);
            }
            MessageSent::Control(MessageControl::Credit { .. } | MessageControl::Taken { .. }) => {}
        }
    }

    /// The packet with this in it is lost.
    pub(crate) fn on_lost(&mut self, sent: &MessageSent) {
        match *sent {
            MessageSent::Fragment {
                id,
                offset,
                len_bytes,
            } => self.outgoing.on_lost(id.0, offset, len_bytes),
            MessageSent::Control(MessageControl::Abandon { wire_id }) if wire_id & 1 == 0 => {
                self.outgoing.on_abandon_lost(wire_id >> 1);
            }
            MessageSent::Control(MessageControl::Abandon { wire_id }) => {
                self.incoming.on_abandon_lost(wire_id >> 1);
            }
            MessageSent::Control(MessageControl::Taken { first, more }) => {
                self.incoming.on_taken_lost(first, more);
            }
            MessageSent::Control(MessageControl::Credit {
                total_bytes,
                total_messages,
            }) => self.incoming.on_credit_lost(total_bytes, total_messages),
        }
    }

    /// Whole messages that nobody has taken yet.
    #[must_use]
    pub(crate) fn ready(&self) -> Vec<MessageId> {
        self.incoming.ready().into_iter().map(MessageId).collect()
    }

    /// A message that `Ready` announced; it stays where it is.
    pub(crate) fn read(&self, id: MessageId) -> Option<Bytes> {
        self.incoming.read(id.0)
    }

    /// Takes a message that `Ready` announced and makes room for another; its sender is told.
    pub(crate) fn take(&mut self, id: MessageId) -> Option<Bytes> {
        self.incoming.take(id.0)
    }

    /// The next thing for the application.
    pub(crate) fn poll_event(&mut self) -> Option<MessageEvent> {
        let event = self.incoming.poll_event();
        event.or_else(|| self.outgoing.poll_event())
    }

    /// Gives up what has run out of time, or made no progress for [`limits::MESSAGE_PARTIAL_LIFE`].
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        self.outgoing.on_timeout(now);
        self.incoming.on_timeout(now);
    }

    /// When [`Self::on_timeout`] has something to do.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let ours = self.outgoing.next_timeout();
        ours.into_iter().chain(self.incoming.next_timeout()).min()
    }

    /// Messages of ours whose end the application does not know yet, for when the peer is gone.
    #[must_use]
    pub(crate) fn unfinished(&self) -> Vec<MessageId> {
        self.outgoing.unfinished()
    }
}
