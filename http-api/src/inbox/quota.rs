//! How much of a level's place in the inbox each peer may hold, and the books of who holds how much.

use std::collections::{BTreeMap, BTreeSet};

use p2p_core::api::Channel;
use p2p_core::id::NodeId;

use super::{Full, Item, ItemKind};

/// Most messages kept: enough for a second of a busy application.
pub(crate) const INBOX_ITEMS: usize = 1_024;
/// Most bytes of messages kept: two of the largest size.
pub(crate) const INBOX_BYTES: usize = 32 << 20;

/// An amount of items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// How many.
    pub items: usize,
    /// Their content.
    pub bytes: usize,
}

/// Most that may be held.
pub(super) type Size = Load;

const fn size(items: usize, bytes: usize) -> Size {
    Size { items, bytes }
}

impl Load {
    const fn plus(self, bytes: usize) -> Self {
        size(self.items + 1, self.bytes + bytes)
    }

    const fn is_within(self, most: Size) -> bool {
        self.items <= most.items && self.bytes <= most.bytes
    }

    fn add(&mut self, bytes: usize) {
        *self = self.plus(bytes);
    }

    const fn subtract(&mut self, bytes: usize) {
        self.items -= 1;
        self.bytes -= bytes;
    }

    const fn is_three_quarters_of(self, most: Size) -> bool {
        4 * self.items >= 3 * most.items || 4 * self.bytes >= 3 * most.bytes
    }
}

/// The quotas of one level.
struct Quotas {
    /// All peers together.
    total: Size,
    /// All strangers together. What is above that is for peers that this user chose.
    strangers: Size,
    /// One peer that this user chose, and one channel of it: two programs on two channels do not starve each other.
    chosen: [Size; 2],
    /// One stranger, and one channel of it.
    stranger: [Size; 2],
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Datagrams push out each other, so that one peer needs no bound of its own.
const DATAGRAMS: Quotas = Quotas {
    total: size(512, MIB),
    strangers: size(256, MIB / 2),
    chosen: [size(512, MIB); 2],
    stranger: [size(256, MIB / 2); 2],
};
const REQUESTS: Quotas = Quotas {
    total: size(512, MIB),
    strangers: size(128, 256 * KIB),
    chosen: [size(128, 256 * KIB); 2],
    stranger: [size(32, 64 * KIB); 2],
};
const MESSAGES: Quotas = Quotas {
    total: size(INBOX_ITEMS, INBOX_BYTES),
    strangers: size(INBOX_ITEMS / 2, INBOX_BYTES / 2),
    chosen: [size(512, INBOX_BYTES / 2), size(384, INBOX_BYTES / 2)],
    stranger: [size(128, 4 * MIB); 2],
};
const STREAMS: Quotas = Quotas {
    total: size(512, 0),
    strangers: size(128, 0),
    chosen: [size(128, 0); 2],
    stranger: [size(32, 0); 2],
};

const fn quotas(kind: ItemKind) -> &'static Quotas {
    match kind {
        ItemKind::Datagram => &DATAGRAMS,
        ItemKind::Request => &REQUESTS,
        ItemKind::Message => &MESSAGES,
        ItemKind::Stream => &STREAMS,
    }
}

/// What is held of one level, and by whom.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    numbers: BTreeSet<u64>,
    of_strangers: BTreeSet<u64>,
    total: Load,
    strangers: Load,
    peers: BTreeMap<NodeId, Load>,
    channels: BTreeMap<(NodeId, Channel), Load>,
}

impl Shelf {
    /// Whether an item finds room. A peer that holds nothing may leave one item of any size, as far as all may.
    pub(super) fn has_room(
        &self,
        kind: ItemKind,
        (peer, stranger): (NodeId, bool),
        channel: &Channel,
        len: usize,
    ) -> Result<(), Full> {
        let quotas = quotas(kind);
        let [most, most_of_channel] = if stranger {
            quotas.stranger
        } else {
            quotas.chosen
        };
        let held = self.peers.get(&peer).copied().unwrap_or_default();
        let fits_all = self.total.plus(len).is_within(quotas.total)
            && (!stranger || self.strangers.plus(len).is_within(quotas.strangers));
        if !fits_all || held.items > 0 && !held.plus(len).is_within(most) {
            return Err(Full::Peer);
        }
        let key = (peer, channel.clone());
        let of_channel = self.channels.get(&key).copied().unwrap_or_default();
        if of_channel.items > 0 && !of_channel.plus(len).is_within(most_of_channel) {
            return Err(Full::Channel);
        }
        Ok(())
    }

    /// An item is there.
    pub(super) fn list(&mut self, number: u64, item: &Item) {
        self.numbers.insert(number);
        if item.stranger {
            self.of_strangers.insert(number);
        }
    }

    /// An item is there no more.
    pub(super) fn unlist(&mut self, number: u64) {
        self.numbers.remove(&number);
        self.of_strangers.remove(&number);
    }

    /// An item uses its place up.
    pub(super) fn hold(&mut self, item: &Item) {
        let len = item.data.len();
        self.total.add(len);
        if item.stranger {
            self.strangers.add(len);
        }
        self.peers.entry(item.peer).or_default().add(len);
        let key = (item.peer, item.label.channel.clone());
        self.channels.entry(key).or_default().add(len);
    }

    /// An item's place is free.
    pub(super) fn release(&mut self, item: &Item) {
        let len = item.data.len();
        self.total.subtract(len);
        if item.stranger {
            self.strangers.subtract(len);
        }
        give_back(&mut self.peers, &item.peer, len);
        let key = (item.peer, item.label.channel.clone());
        give_back(&mut self.channels, &key, len);
    }

    pub(super) const fn total(&self) -> Load {
        self.total
    }

    pub(super) fn oldest(&self) -> Option<u64> {
        self.numbers.first().copied()
    }

    pub(super) fn oldest_of_strangers(&self) -> Option<u64> {
        self.of_strangers.first().copied()
    }

    /// Whether three quarters of what all, or one chosen peer's channel, may hold are used up. What strangers use up
    /// is theirs: they alone never make it so.
    pub(super) fn is_filling(&self) -> bool {
        let most = quotas(ItemKind::Message);
        let [_, of_channel] = most.chosen;
        self.total.is_three_quarters_of(most.total)
            || self
                .channels
                .values()
                .any(|load| load.is_three_quarters_of(of_channel))
    }

    /// The channel of a peer that holds most items.
    pub(super) fn fullest(&self) -> Option<(NodeId, Channel, Load)> {
        let most = self.channels.iter().max_by_key(|(_, load)| load.items)?;
        let ((peer, channel), load) = most;
        Some((*peer, channel.clone(), *load))
    }
}

fn give_back<K: Ord>(loads: &mut BTreeMap<K, Load>, key: &K, len: usize) {
    if let Some(load) = loads.get_mut(key) {
        load.subtract(len);
        if load.items == 0 {
            loads.remove(key);
        }
    }
}
