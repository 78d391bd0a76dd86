//! Datagrams of several channels that wait for one line: channels take turns in bytes (deficit round robin), and where
//! all is full, the channel with the most gives up its newest. So whoever floods a channel neither delays nor drops
//! what comes through another.
//!
//! Takes: datagrams with their channel. Returns: them, each channel's in order.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use crate::limits;

/// Bytes of one turn: any datagram fits.
const QUANTUM: usize = limits::MAX_DATAGRAM_BYTES;

#[derive(Default)]
struct Line {
    datagrams: VecDeque<Bytes>,
    bytes: usize,
    /// What is left of its turn.
    credit: usize,
}

/// Datagrams by channel, bounded in bytes.
#[derive(Default)]
pub(super) struct FairQueue {
    lines: BTreeMap<u32, Line>,
    order: VecDeque<u32>,
    bytes: usize,
}

impl FairQueue {
    /// Takes a datagram in; `false` where it is dropped, because all is full and no channel has more than its own.
    pub(super) fn push(&mut self, channel: u32, datagram: Bytes) -> bool {
        let len = datagram.len();
        let own = self.lines.get(&channel).map_or(0, |line| line.bytes) + len;
        while self.bytes + len > limits::RELAY_QUEUE_BYTES {
            let most = self.lines.iter().max_by_key(|(_, line)| line.bytes);
            let Some(most) = most.filter(|(_, line)| line.bytes > own).map(|m| *m.0) else {
                return false;
            };
            self.drop_newest(most);
        }
        let line = self.lines.entry(channel).or_default();
        if line.datagrams.is_empty() {
            line.credit = QUANTUM;
            self.order.push_back(channel);
        }
        line.bytes += len;
        line.datagrams.push_back(datagram);
        self.bytes += len;
        true
    }

    fn drop_newest(&mut self, channel: u32) {
        let Some(line) = self.lines.get_mut(&channel) else {
            return;
        };
        let dropped = line.datagrams.pop_back().map_or(0, |d| d.len());
        line.bytes -= dropped;
        self.bytes -= dropped;
        if line.datagrams.is_empty() {
            self.lines.remove(&channel);
            self.order.retain(|other| *other != channel);
        }
    }

    /// Length of the datagram whose turn it is.
    pub(super) fn next_len(&mut self) -> Option<usize> {
        loop {
            let channel = self.order.front()?;
            let line = self.lines.get_mut(channel)?;
            let len = line.datagrams.front()?.len();
            if line.credit >= len {
                return Some(len);
            }
            // A turn is longer than any datagram, so this ends after one round.
            line.credit += QUANTUM.max(len);
            self.order.rotate_left(1);
        }
    }

    /// The datagram whose turn it is, and its channel.
    pub(super) fn pop(&mut self) -> Option<(u32, Bytes)> {
        let len = self.next_len()?;
        let channel = *self.order.front()?;
        let line = self.lines.get_mut(&channel)?;
        let datagram = line.datagrams.pop_front()?;
        line.credit -= len;
        line.bytes -= len;
        self.bytes -= len;
        if line.datagrams.is_empty() {
            self.lines.remove(&channel);
            self.order.pop_front();
        }
        Some((channel, datagram))
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many datagrams wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lines.values().map(|line| line.datagrams.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(len: usize) -> Bytes {
        Bytes::from(vec![7; len])
    }

    #[test]
    fn channels_take_turns_in_bytes_and_keep_their_order() {
        let mut queue = FairQueue::default();
        for n in 0..100 {
            assert!(queue.push(1, datagram(1_000 + n)));
            assert!(queue.push(2, datagram(100 + n)));
        }
        let (mut bytes, mut last) = ([0_usize; 3], [0_usize; 3]);
        while bytes[2] < 10_000 {
            let (channel, datagram) = queue.pop().expect("plenty");
            let place = channel as usize;
            assert!(datagram.len() > last[place], "in order");
            (bytes[place], last[place]) = (bytes[place] + datagram.len(), datagram.len());
        }
        assert!(bytes[1].abs_diff(bytes[2]) <= 2 * QUANTUM, "{bytes:?}");
        let left = queue.len();
        assert_eq!((0..200).map_while(|_| queue.pop()).count(), left);
        assert!(queue.is_empty() && queue.bytes == 0 && queue.lines.is_empty());
    }

    /// A flood loses its own; a call beside it loses nothing and waits for one turn of each other channel at most.
    #[test]
    fn sec_23_a_flooded_channel_delays_and_drops_no_other() {
        let mut queue = FairQueue::default();
        let mut arrived = 0;
        for round in 0..1_000 {
            for channel in 1..=5 {
                for _ in 0..100 {
                    queue.push(channel, datagram(1_100));
                }
            }
            assert!(queue.push(9, datagram(160)), "{round}");
            assert!(queue.bytes <= limits::RELAY_QUEUE_BYTES);
            // The line takes a little of it.
            let taken: Vec<_> = (0..12).filter_map(|_| queue.pop()).collect();
            arrived += taken.iter().filter(|(channel, _)| *channel == 9).count();
        }
        assert_eq!(arrived, 1_000);
    }

    #[test]
    fn where_all_have_as_much_the_newcomer_is_dropped() {
        let mut queue = FairQueue::default();
        let taken = (0..10_000)
            .filter(|_| queue.push(1, datagram(1_000)))
            .count();
        assert_eq!(taken, limits::RELAY_QUEUE_BYTES / 1_000);
        assert!(!queue.push(1, datagram(1_000)));
        assert!(queue.push(2, datagram(1_000)), "it has none yet");
        assert_eq!(queue.len(), taken);
    }
}
