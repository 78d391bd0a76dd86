//! Messages that the engine holds for want of room in the inbox: a queue for each peer, taken from in turn, so that
//! neither a peer that sends much nor one whose place is used up holds the others back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use p2p_core::api::{Label, MessageId};
use p2p_core::id::NodeId;

use crate::inbox::Full;

/// A message that the engine holds for want of room in the inbox.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    /// From whom.
    pub peer: NodeId,
    /// The engine's number.
    pub message: MessageId,
    /// What it is for.
    pub label: Label,
    /// Size.
    pub len: usize,
    /// Its place among all that came.
    pub place: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct WaitingMessages {
    queues: BTreeMap<NodeId, VecDeque<Waiting>>,
    count: usize,
    /// How many ever came.
    came: u64,
    /// Whose turn was the last.
    last: Option<NodeId>,
}

impl WaitingMessages {
    /// One more.
    pub(crate) fn push(&mut self, waiting: Waiting) {
        self.came += 1;
        let place = self.came;
        self.put_back(Waiting { place, ..waiting });
    }

    /// One that was taken comes in again, where it was.
    pub(crate) fn put_back(&mut self, waiting: Waiting) {
        self.count += 1;
        let queue = self.queues.entry(waiting.peer).or_default();
        let at = queue.partition_point(|other| other.place < waiting.place);
        queue.insert(at, waiting);
    }

    /// How many.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Who waits.
    pub(crate) fn peers(&self) -> impl Iterator<Item = NodeId> {
        self.queues.keys().copied()
    }

    /// Takes the next one that fits, of the peer whose turn it is. Messages of one channel stay in their order.
    pub(crate) fn take(
        &mut self,
        mut fits: impl FnMut(&Waiting) -> Result<(), Full>,
    ) -> Option<Waiting> {
        let behind = |last: &NodeId| {
            let range = (
                core::ops::Bound::Excluded(*last),
                core::ops::Bound::Unbounded,
            );
            self.queues.range(range).map(|(peer, _)| *peer)
        };
        let rest: Vec<NodeId> = self.last.iter().flat_map(behind).collect();
        let turns = rest.into_iter().chain(self.queues.keys().copied());
        for peer in turns.collect::<Vec<_>>() {
            if let Some(taken) = self.take_of(peer, &mut fits) {
                self.last = Some(peer);
                return Some(taken);
            }
        }
        None
    }

    fn take_of(
        &mut self,
        peer: NodeId,
        fits: &mut impl FnMut(&Waiting) -> Result<(), Full>,
    ) -> Option<Waiting> {
        let queue = self.queues.get_mut(&peer)?;
        let mut used_up = BTreeSet::new();
        let mut found = None;
        for (place, waiting) in queue.iter().enumerate() {
            if used_up.contains(&waiting.label.channel) {
                continue;
            }
            match fits(waiting) {
                Ok(()) => {
                    found = Some(place);
                    break;
                }
                Err(Full::Peer) => break,
                Err(Full::Channel) => {
                    used_up.insert(waiting.label.channel.clone());
                }
            }
        }
        let taken = queue.remove(found?)?;
        self.count -= 1;
        if queue.is_empty() {
            self.queues.remove(&peer);
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(peer: u8, channel: u32, number: u64) -> Waiting {
        Waiting {
            peer: NodeId::from_bytes([peer; 32]),
            message: MessageId(number),
            label: channel.into(),
            len: 1,
            place: 0,
        }
    }

    fn numbers(
        all: &mut WaitingMessages,
        mut fits: impl FnMut(&Waiting) -> Result<(), Full>,
    ) -> Vec<u64> {
        core::iter::from_fn(|| all.take(&mut fits).map(|w| w.message.0)).collect()
    }

    #[test]
    fn peers_take_turns() {
        let mut all = WaitingMessages::default();
        for number in 0..3 {
            all.push(waiting(1, 1, number));
        }
        all.push(waiting(2, 1, 10));
        all.push(waiting(3, 1, 20));
        assert_eq!(all.len(), 5);
        assert_eq!(numbers(&mut all, |_| Ok(())), [0, 10, 20, 1, 2]);
        assert_eq!((all.len(), all.peers().count()), (0, 0));
    }

    #[test]
    fn what_could_not_be_kept_goes_first_again() {
        let mut all = WaitingMessages::default();
        for number in 0..4 {
            all.push(waiting(1, 1, number));
        }
        let mut next = || all.take(|_| Ok(())).expect("one more");
        let (first, second) = (next(), next());
        all.put_back(second);
        all.put_back(first);
        assert_eq!(all.len(), 4);
        assert_eq!(numbers(&mut all, |_| Ok(())), [0, 1, 2, 3]);
    }

    #[test]
    fn a_full_channel_and_a_full_peer_hold_up_nobody_else() {
        let mut all = WaitingMessages::default();
        for (peer, channel, number) in [(1, 7, 0), (1, 7, 1), (1, 8, 2), (2, 7, 3)] {
            all.push(waiting(peer, channel, number));
        }
        let seven = |w: &Waiting| match w.label.channel.number() {
            Some(7) if w.peer == NodeId::from_bytes([1; 32]) => Err(Full::Channel),
            _ => Ok(()),
        };
        assert_eq!(numbers(&mut all, seven), [2, 3]);
        assert_eq!(numbers(&mut all, |_| Err(Full::Peer)), [0; 0]);
        assert_eq!(numbers(&mut all, |_| Ok(())), [0, 1], "in their order");
    }
}
