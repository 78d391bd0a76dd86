//! Which peers are due, and which may have output. One ordered entry per peer; nothing scans all peers.
//! Takes: that a peer was touched, and the deadline it has after its output was drained.
//! Decides: whom to poll next, whom to wake, and when.

use std::collections::{BTreeSet, VecDeque};

use crate::id::PeerKey;
use crate::time::{Deadline, Instant, TimerKind};
use crate::timers::Timers;

/// Timers and the queue of peers to poll.
#[derive(Default)]
pub(crate) struct Agenda {
    due: Timers,
    /// What each deadline is for.
    kinds: Vec<TimerKind>,
    ready: VecDeque<PeerKey>,
    queued: BTreeSet<PeerKey>,
    unheard: Vec<PeerKey>,
}

impl Agenda {
    /// A peer was touched: its output is to be polled and its deadline read anew.
    pub(crate) fn on_touched(&mut self, peer: PeerKey) {
        if self.queued.insert(peer) {
            self.ready.push_back(peer);
        }
        if self.unheard.last() != Some(&peer) {
            self.unheard.push(peer);
        }
    }

    /// Peers touched since the last call, whose outcomes were not looked at yet; some may be named twice.
    pub(crate) fn take_unheard(&mut self) -> Vec<PeerKey> {
        core::mem::take(&mut self.unheard)
    }

    /// The peer to poll now; stays in front until it is drained, so that one batch follows another.
    pub(crate) fn first_ready(&self) -> Option<PeerKey> {
        self.ready.front().copied()
    }

    /// Lets the next peer have its turn.
    pub(crate) fn rotate(&mut self) {
        self.ready.rotate_left(usize::from(self.ready.len() > 1));
    }

    /// The peer has no more output; its next deadline is this.
    pub(crate) fn on_drained(&mut self, peer: PeerKey, next: Option<Deadline>) {
        if self.queued.remove(&peer) {
            // Mostly it is the one in front.
            if self.ready.front() == Some(&peer) {
                self.ready.pop_front();
            } else {
                self.ready.retain(|p| *p != peer);
            }
        }
        // Output has outcomes as well: a goodbye that left is the end of its association.
        self.unheard.push(peer);
        self.set_deadline(peer, next);
    }

    /// Takes the next peer whose deadline has passed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<PeerKey> {
        let (_, peer) = self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.set(peer, None);
        Some(PeerKey(peer))
    }

    /// The earliest deadline of all peers.
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        let (at, peer) = self.due.first()?;
        let kind = self.kinds.get(peer as usize).copied();
        Some(Deadline::new(at, kind.unwrap_or(TimerKind::Rest)))
    }

    /// Forgets a peer.
    pub(crate) fn remove(&mut self, peer: PeerKey) {
        self.on_drained(peer, None);
    }

    fn set_deadline(&mut self, peer: PeerKey, next: Option<Deadline>) {
        self.due.set(peer.0, next.map(|next| next.at));
        let Some(next) = next else {
            return;
        };
        let index = peer.0 as usize;
        if index >= self.kinds.len() {
            self.kinds.resize(index + 1, next.kind);
        }
        if let Some(kind) = self.kinds.get_mut(index) {
            *kind = next.kind;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::TimerKind;

    fn deadline(millis: u64) -> Option<Deadline> {
        Some(Deadline::new(
            Instant::from_millis(millis),
            TimerKind::KeepAlive,
        ))
    }

    #[test]
    fn the_earliest_deadline_comes_first_and_only_once() {
        let mut agenda = Agenda::default();
        agenda.on_drained(PeerKey(1), deadline(30));
        agenda.on_drained(PeerKey(2), deadline(20));
        agenda.on_drained(PeerKey(1), deadline(10));
        assert_eq!(agenda.next_timeout(), deadline(10));
        assert_eq!(agenda.pop_due(Instant::from_millis(15)), Some(PeerKey(1)));
        assert_eq!(agenda.pop_due(Instant::from_millis(15)), None);
        assert_eq!(agenda.pop_due(Instant::from_millis(20)), Some(PeerKey(2)));
        assert_eq!(agenda.next_timeout(), None);
    }

    #[test]
    fn a_touched_peer_is_queued_once_and_leaves_when_drained() {
        let mut agenda = Agenda::default();
        agenda.on_touched(PeerKey(1));
        agenda.on_touched(PeerKey(2));
        agenda.on_touched(PeerKey(1));
        assert_eq!(agenda.first_ready(), Some(PeerKey(1)));
        agenda.rotate();
        assert_eq!(agenda.first_ready(), Some(PeerKey(2)));
        agenda.on_drained(PeerKey(2), None);
        agenda.on_drained(PeerKey(1), None);
        assert_eq!(agenda.first_ready(), None);
    }

    #[test]
    fn a_removed_peer_leaves_nothing_behind() {
        let mut agenda = Agenda::default();
        agenda.on_drained(PeerKey(1), deadline(10));
        agenda.on_touched(PeerKey(1));
        agenda.remove(PeerKey(1));
        assert_eq!(agenda.first_ready(), None);
        assert_eq!(agenda.next_timeout(), None);
        assert_eq!(agenda.due.first(), None);
    }
}
