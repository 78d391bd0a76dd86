//! What peers sent and no application has acknowledged yet: datagrams, messages, requests, opened streams, in order
//! of arrival. Bounded for each level by itself, so that messages never leave requests or streams without a place, and
//! within a level by quotas: of each peer, of each peer's channel, of all strangers together. A peer that this user
//! chose finds room whatever strangers sent. A datagram pushes out older datagrams; everything else is let in only
//! while there is room, so that back-pressure reaches the sender and nothing acknowledged to it is lost
//! (docs/http.md).

mod quota;

use std::collections::BTreeMap;

use bytes::Bytes;
use p2p_core::api::{Channel, Label, StreamId};
use p2p_core::id::NodeId;

pub(crate) use self::quota::{INBOX_BYTES, INBOX_ITEMS};
use self::quota::{Load, Shelf};
use crate::contacts::NameKind;

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
    /// Whether this user never chose the peer.
    pub stranger: bool,
    /// Its name, where known.
    pub name: Option<(String, NameKind)>,
    /// What it is for: a channel or service, and flags.
    pub label: Label,
    /// How many times it may be handed on to a third node; requests only.
    pub forwards: Option<u8>,
    /// Stream; opened streams only.
    pub stream: Option<StreamId>,
    /// Its number on disk, where it is kept there.
    pub kept: Option<u64>,
    /// When it arrived, ms since 1970.
    pub received_unix_ms: u64,
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

/// Why an item finds no room now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The peer has used up what it may hold, or all strangers have: nothing of this peer finds room.
    Peer,
    /// The peer's channel has used up what it may hold.
    Channel,
}

/// How full the inbox is for messages, the level that the others' promises do not empty by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fullness {
    /// There is room.
    #[default]
    Ok,
    /// Three quarters of some quota are used up.
    Filling,
    /// Some peer's messages find no room.
    Full,
    /// The disk refuses messages, which wait.
    NotKept,
}

impl Fullness {
    /// The word clients see.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Filling => "filling",
            Self::Full => "full",
            Self::NotKept => "not_kept",
        }
    }
}

/// The items.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    items: BTreeMap<u64, Item>,
    shelves: BTreeMap<ItemKind, Shelf>,
    last: u64,
    dropped: u64,
}

impl Inbox {
    /// Whether an item of `len` bytes finds room, and what is used up where it does not.
    pub(crate) fn has_room(
        &self,
        kind: ItemKind,
        (peer, stranger): (NodeId, bool),
        channel: &Channel,
        len: usize,
    ) -> Result<(), Full> {
        match self.shelves.get(&kind) {
            Some(shelf) => shelf.has_room(kind, (peer, stranger), channel, len),
            None => Ok(()),
        }
    }

    /// Adds an item; its number, or `None` where there is no room.
    pub(crate) fn push(&mut self, item: Item) -> Option<u64> {
        let room = |inbox: &Self| {
            let from = (item.peer, item.stranger);
            inbox.has_room(item.kind, from, &item.label.channel, item.data.len())
        };
        while room(self).is_err() {
            let victim = (item.kind == ItemKind::Datagram)
                .then(|| self.oldest_datagram(&item))
                .flatten();
            self.dropped += u64::from(item.kind == ItemKind::Datagram);
            self.remove(victim?);
        }
        Some(self.insert(item))
    }

    /// Adds an item that was promised its place; its number.
    pub(crate) fn insert(&mut self, item: Item) -> u64 {
        self.last += 1;
        self.put_back(vec![(self.last, item)]);
        self.last
    }

    /// Items that were taken out come in again, where they were.
    pub(crate) fn put_back(&mut self, items: Vec<(u64, Item)>) {
        for (number, item) in items {
            self.hold(&item);
            self.shelves
                .entry(item.kind)
                .or_default()
                .list(number, &item);
            self.items.insert(number, item);
        }
    }

    /// Promises a place to an item that is not there yet.
    pub(crate) fn hold(&mut self, item: &Item) {
        self.shelves.entry(item.kind).or_default().hold(item);
    }

    /// Gives a promised place back.
    pub(crate) fn release(&mut self, item: &Item) {
        if let Some(shelf) = self.shelves.get_mut(&item.kind) {
            shelf.release(item);
        }
    }

    /// The datagram to drop for a newer one: the oldest of a stranger, unless a stranger would push out a chosen
    /// peer's.
    fn oldest_datagram(&self, newer: &Item) -> Option<u64> {
        let shelf = self.shelves.get(&ItemKind::Datagram)?;
        let of_strangers = shelf.oldest_of_strangers();
        if newer.stranger {
            return of_strangers;
        }
        of_strangers.or_else(|| shelf.oldest())
    }

    /// How full it is for messages.
    pub(crate) fn fullness(&self) -> Fullness {
        let shelf = self.shelves.get(&ItemKind::Message);
        if shelf.is_some_and(Shelf::is_filling) {
            Fullness::Filling
        } else {
            Fullness::Ok
        }
    }

    /// Whose channel holds most messages, and how many.
    pub(crate) fn fullest(&self) -> Option<(NodeId, Channel, Load)> {
        self.shelves.get(&ItemKind::Message)?.fullest()
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

    /// Takes out items up to and with `cursor` that fit.
    pub(crate) fn acknowledge(&mut self, cursor: u64, filter: &Filter) -> Vec<(u64, Item)> {
        self.take(|number, item| number <= cursor && filter.fits(item))
    }

    /// Takes out all items of a peer.
    pub(crate) fn take_of(&mut self, peer: &NodeId) -> Vec<(u64, Item)> {
        self.take(|_, item| item.peer == *peer)
    }

    fn take(&mut self, fits: impl Fn(u64, &Item) -> bool) -> Vec<(u64, Item)> {
        let found = self.items.iter().filter(|(n, item)| fits(**n, item));
        let found: Vec<u64> = found.map(|(number, _)| *number).collect();
        let taken = found.into_iter().map(|n| Some((n, self.remove(n)?)));
        taken.flatten().collect()
    }

    /// Items held.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.shelves.values().map(|s| s.total().bytes).sum()
    }

    /// Datagrams dropped for want of room.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    fn remove(&mut self, number: u64) -> Option<Item> {
        let item = self.items.remove(&number)?;
        if let Some(shelf) = self.shelves.get_mut(&item.kind) {
            shelf.unlist(number);
        }
        self.release(&item);
        Some(item)
    }
}

#[cfg(test)]
mod tests;
