//! What peers sent and no application has acknowledged yet: datagrams, messages, requests, opened streams, in order
//! of arrival. Bounded: a datagram pushes out the oldest datagrams; everything else is let in only while there is
//! room, so that back-pressure reaches the sender and nothing acknowledged to it is lost (docs/http.md).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use p2p_core::api::{Channel, Label, StreamId};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

/// Most items kept: enough for a second of a busy application.
pub(crate) const INBOX_ITEMS: usize = 1_024;
/// Most bytes kept: two messages of the largest size.
pub(crate) const INBOX_BYTES: usize = 32 << 20;

/// Which level an item came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ItemKind {
    /// Level 0.
    Datagram,
    /// Level 1: somebody waits for an answer.
    Request,
    /// Level 2.
    Message,
    /// Level 3: a peer opened a stream.
    Stream,
}

impl ItemKind {
    /// The word clients see.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Datagram => "datagram",
            Self::Request => "request",
            Self::Message => "message",
            Self::Stream => "stream",
        }
    }

    /// Reads the word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Datagram, Self::Request, Self::Message, Self::Stream]
            .into_iter()
            .find(|k| k.text() == text)
    }
}

/// One thing that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Level.
    pub kind: ItemKind,
    /// From whom.
    pub peer: NodeId,
    /// Its name, where known.
    pub name: Option<String>,
    /// What it is for: a channel or service, and flags.
    pub label: Label,
    /// How many times it may be handed on to a third node; requests only.
    pub forwards: Option<u8>,
    /// Stream; opened streams only.
    pub stream: Option<StreamId>,
    /// When it arrived.
    pub received_at: Instant,
    /// Content.
    pub data: Bytes,
}

/// Which items a reader wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only this channel or service.
    pub channel: Option<Channel>,
    /// Only this level.
    pub kind: Option<ItemKind>,
}

impl Filter {
    fn fits(&self, item: &Item) -> bool {
        let other = |wanted: &Channel| *wanted != item.label.channel;
        !self.channel.as_ref().is_some_and(other) && self.kind.is_none_or(|k| item.kind == k)
    }
}

/// The items.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    items: BTreeMap<u64, Item>,
    datagrams: BTreeSet<u64>,
    bytes: usize,
    datagram_bytes: usize,
    last: u64,
    dropped: u64,
}

impl Inbox {
    /// Makes room for an item of `len` bytes by dropping the oldest datagrams, only where that is enough.
    pub(crate) fn make_room(&mut self, len: usize) -> bool {
        let kept_items = self.items.len() - self.datagrams.len();
        let kept_bytes = self.bytes - self.datagram_bytes;
        if kept_items >= INBOX_ITEMS || kept_bytes + len > INBOX_BYTES {
            return false;
        }
        while !self.fits(len) {
            let Some(oldest) = self.datagrams.first().copied() else {
                return false;
            };
            self.remove(oldest);
            self.dropped += 1;
        }
        true
    }

    /// Adds an item; its number, or `None` where there is no room.
    pub(crate) fn push(&mut self, item: Item) -> Option<u64> {
        if !self.make_room(item.data.len()) {
            self.dropped += u64::from(item.kind == ItemKind::Datagram);
            return None;
        }
        self.last += 1;
        self.bytes += item.data.len();
        if item.kind == ItemKind::Datagram {
            self.datagrams.insert(self.last);
            self.datagram_bytes += item.data.len();
        }
        self.items.insert(self.last, item);
        Some(self.last)
    }

    /// Items after `since` that fit, at most `limit` and about `max_bytes` (one item always passes).
    pub(crate) fn after(
        &self,
        since: u64,
        filter: &Filter,
        limit: usize,
        max_bytes: usize,
    ) -> Vec<(u64, &Item)> {
        let mut bytes = 0;
        let fits = self.items.range(since.saturating_add(1)..);
        let mut found: Vec<(u64, &Item)> = Vec::new();
        for (number, item) in fits.filter(|(_, i)| filter.fits(i)).take(limit) {
            bytes += item.data.len();
            if bytes > max_bytes && !found.is_empty() {
                break;
            }
            found.push((*number, item));
        }
        found
    }

    /// One item.
    pub(crate) fn item(&self, number: u64) -> Option<&Item> {
        self.items.get(&number)
    }

    /// Frees items up to and with `cursor` that fit; how many.
    pub(crate) fn acknowledge(&mut self, cursor: u64, filter: &Filter) -> usize {
        let done: Vec<u64> = self
            .items
            .range(..=cursor)
            .filter(|(_, item)| filter.fits(item))
            .map(|(number, _)| *number)
            .collect();
        for number in &done {
            self.remove(*number);
        }
        done.len()
    }

    /// Items held.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Bytes held.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Datagrams dropped for want of room.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn fits(&self, len: usize) -> bool {
        self.items.len() < INBOX_ITEMS && self.bytes + len <= INBOX_BYTES
    }

    fn remove(&mut self, number: u64) {
        if let Some(item) = self.items.remove(&number) {
            self.bytes -= item.data.len();
            if self.datagrams.remove(&number) {
                self.datagram_bytes -= item.data.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: ItemKind, channel: u32, len: usize) -> Item {
        Item {
            kind,
            peer: NodeId::from_bytes([1; 32]),
            name: None,
            label: channel.into(),
            forwards: None,
            stream: None,
            received_at: Instant::EPOCH,
            data: Bytes::from(vec![7; len]),
        }
    }

    fn numbers(inbox: &Inbox, since: u64, filter: &Filter) -> Vec<u64> {
        let found = inbox.after(since, filter, 9_999, usize::MAX);
        found.iter().map(|(n, _)| *n).collect()
    }

    #[test]
    fn datagrams_push_out_the_oldest_datagrams_only() {
        let mut inbox = Inbox::default();
        inbox.push(item(ItemKind::Message, 1, 10)).unwrap();
        for _ in 0..2_000 {
            inbox.push(item(ItemKind::Datagram, 1, 10)).unwrap();
        }
        let kept = numbers(&inbox, 0, &Filter::default());
        assert_eq!(kept.len(), INBOX_ITEMS);
        assert_eq!(kept[0], 1, "the message stays");
        assert_eq!(*kept.last().unwrap(), 2_001);
        assert_eq!(inbox.dropped(), 2_001 - INBOX_ITEMS as u64);
    }

    #[test]
    fn messages_wait_outside_when_it_is_full() {
        let mut inbox = Inbox::default();
        for _ in 0..2 {
            inbox.push(item(ItemKind::Message, 1, 16 << 20)).unwrap();
        }
        assert!(!inbox.make_room(1));
        assert!(inbox.push(item(ItemKind::Datagram, 1, 1)).is_none());
        assert_eq!(inbox.dropped(), 1);
        assert_eq!(inbox.acknowledge(1, &Filter::default()), 1);
        assert!(inbox.make_room(16 << 20));
        assert!(!inbox.make_room((16 << 20) + 1));
    }

    #[test]
    fn a_message_takes_the_place_of_datagrams_but_not_in_vain() {
        let mut inbox = Inbox::default();
        inbox.push(item(ItemKind::Message, 1, 20 << 20)).unwrap();
        for _ in 0..12 {
            inbox.push(item(ItemKind::Datagram, 1, 1 << 20)).unwrap();
        }
        assert!(!inbox.make_room(13 << 20), "would not fit anyway");
        assert_eq!(inbox.len(), 13, "nothing was dropped for it");
        assert!(inbox.make_room(11 << 20));
        assert_eq!(inbox.len(), 2);
    }

    #[test]
    fn readers_of_two_channels_do_not_disturb_each_other() {
        let mut inbox = Inbox::default();
        for channel in [1, 2, 1, 2] {
            inbox.push(item(ItemKind::Message, channel, 1)).unwrap();
        }
        let one = Filter {
            channel: Some(Channel::Number(1)),
            kind: None,
        };
        assert_eq!(numbers(&inbox, 1, &one), [3]);
        assert_eq!(inbox.acknowledge(3, &one), 2);
        assert_eq!(numbers(&inbox, 0, &Filter::default()), [2, 4]);
        assert_eq!(inbox.bytes(), 2);
    }

    #[test]
    fn a_page_is_bounded_but_never_empty() {
        let mut inbox = Inbox::default();
        for _ in 0..4 {
            inbox.push(item(ItemKind::Message, 1, 100)).unwrap();
        }
        assert_eq!(inbox.after(0, &Filter::default(), 9, 250).len(), 2);
        assert_eq!(inbox.after(0, &Filter::default(), 3, 9_999).len(), 3);
        assert_eq!(inbox.after(0, &Filter::default(), 9, 1).len(), 1);
    }
}
