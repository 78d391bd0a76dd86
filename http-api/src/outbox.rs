//! States of the messages this run has sent: queued, delivered, failed. Kept for the newest only; a message that is
//! still on its way is never forgotten, new ones are refused instead.

use std::collections::BTreeMap;

use p2p_core::api::{Label, MessageFailure, MessageId};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

/// Messages whose state is kept.
pub(crate) const OUTBOX_MESSAGES: usize = 4_096;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// On its way.
    Queued,
    /// It is in the peer's inbox.
    Delivered,
    /// It will not arrive, or nobody can say.
    Failed(MessageFailure),
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// To whom.
    pub peer: NodeId,
    /// What it is for.
    pub label: Label,
    /// Size.
    pub size_bytes: usize,
    /// When it was queued.
    pub created_at: Instant,
    /// When it was delivered or failed.
    pub finished_at: Option<Instant>,
    /// Where it stands.
    pub state: State,
}

/// The newest messages.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    messages: BTreeMap<u64, Sent>,
    open: BTreeMap<(NodeId, MessageId), u64>,
    last: u64,
}

impl Outbox {
    /// Whether one more may be sent; forgets the oldest finished one where that is needed.
    pub(crate) fn make_room(&mut self) -> bool {
        if self.messages.len() < OUTBOX_MESSAGES {
            return true;
        }
        let finished = |(_, sent): &(&u64, &Sent)| sent.state != State::Queued;
        let Some(oldest) = self.messages.iter().find(finished).map(|(n, _)| *n) else {
            return false;
        };
        self.messages.remove(&oldest);
        true
    }

    /// Remembers a message; its number.
    pub(crate) fn push(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
        label: Label,
        size_bytes: usize,
    ) -> u64 {
        // A number used again belongs to a new connection: the message of the old one has ended with it.
        self.finish(
            now,
            peer,
            message,
            State::Failed(MessageFailure::Disconnected),
        );
        self.last += 1;
        self.open.insert((peer, message), self.last);
        let sent = Sent {
            peer,
            label,
            size_bytes,
            created_at: now,
            finished_at: None,
            state: State::Queued,
        };
        self.messages.insert(self.last, sent);
        self.last
    }

    /// A message ended; its number, where it is one of ours.
    pub(crate) fn finish(
        &mut self,
        now: Instant,
        peer: NodeId,
        message: MessageId,
        state: State,
    ) -> Option<u64> {
        let number = self.open.remove(&(peer, message))?;
        let sent = self.messages.get_mut(&number)?;
        sent.state = state;
        sent.finished_at = Some(now);
        Some(number)
    }

    /// One message.
    pub(crate) fn message(&self, number: u64) -> Option<&Sent> {
        self.messages.get(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NodeId = NodeId::from_bytes([1; 32]);

    #[test]
    fn finished_ones_make_room_open_ones_stay() {
        let mut outbox = Outbox::default();
        let now = Instant::EPOCH;
        for i in 0..OUTBOX_MESSAGES as u64 {
            assert!(outbox.make_room());
            outbox.push(now, PEER, MessageId(i), 1.into(), 1);
        }
        assert!(!outbox.make_room(), "all are on their way");
        assert_eq!(
            outbox.finish(now, PEER, MessageId(7), State::Delivered),
            Some(8)
        );
        assert_eq!(
            outbox.finish(now, PEER, MessageId(7), State::Delivered),
            None
        );
        assert_eq!(outbox.message(8).unwrap().state, State::Delivered);
        assert!(outbox.make_room());
        assert!(outbox.message(8).is_none());
        assert!(outbox.message(1).is_some());
    }

    #[test]
    fn a_number_used_again_ends_the_older_message() {
        let mut outbox = Outbox::default();
        let old = outbox.push(Instant::EPOCH, PEER, MessageId(0), 1.into(), 1);
        let new = outbox.push(Instant::from_millis(5), PEER, MessageId(0), 1.into(), 1);
        let failed = State::Failed(MessageFailure::Disconnected);
        assert_eq!(outbox.message(old).unwrap().state, failed);
        assert_eq!(outbox.message(new).unwrap().state, State::Queued);
    }
}
