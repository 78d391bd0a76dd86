//! A disk in virtual time, as slow and as faulty as a test wants it; and a node that is killed and comes back with
//! what is on it.

use core::time::Duration;
use std::collections::VecDeque;

use p2p_core::Node;
use p2p_core::api::NodeConfig;
use p2p_core::time::Instant;
use p2p_http_api::InboxPlace;
use p2p_storage::{Book, Change, KeptMessage, MemoryRecords, Records};

use super::{World, surface};

/// What a node is to have kept.
#[derive(Default)]
pub(crate) struct Disk {
    records: MemoryRecords,
    /// How long each order takes.
    pub takes: Duration,
    /// Whether it refuses everything now.
    pub is_full: bool,
    /// Orders carried out or refused.
    pub orders: usize,
    orders_due: VecDeque<(Instant, u64, Vec<Change>)>,
}

impl Disk {
    pub(crate) fn order(&mut self, now: Instant, order: u64, changes: Vec<Change>) {
        self.orders_due
            .push_back((now + self.takes, order, changes));
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.orders_due.front().map(|(at, ..)| *at)
    }

    /// The next order that it is through with, and whether it is kept.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<(u64, bool)> {
        if self.next_timeout()? > now {
            return None;
        }
        let (_, order, changes) = self.orders_due.pop_front()?;
        self.orders += 1;
        let is_kept = !self.is_full && self.records.write(&changes).is_ok();
        Some((order, is_kept))
    }

    /// Messages are on it that were not.
    pub(crate) fn put(&mut self, messages: Vec<KeptMessage>) {
        let changes: Vec<Change> = messages.into_iter().map(Change::Message).collect();
        self.records.write(&changes).expect("room in memory");
    }

    /// What is on it.
    pub(crate) fn book(&self) -> &Book {
        self.records.book()
    }

    /// The texts of the messages on it.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |data: &[u8]| String::from_utf8_lossy(data).into_owned();
        self.book().messages().map(|m| text(&m.data)).collect()
    }
}

impl World {
    /// Gives a node a disk that takes so long for each order.
    pub(crate) fn with_disk(&mut self, n: u8, takes: Duration) {
        let party = self.party(n);
        party.surface.set_kept();
        party.disk = Some(Disk {
            takes,
            ..Disk::default()
        });
    }

    /// Gives a node a fast disk and another surface, which keeps messages there or does not.
    pub(crate) fn with_inbox(&mut self, n: u8, place: InboxPlace) {
        let now = self.now;
        self.party(n).surface = surface(now, n, (Book::default(), place));
        self.with_disk(n, Duration::ZERO);
    }

    pub(crate) fn disk(&mut self, n: u8) -> &mut Disk {
        self.party(n).disk.as_mut().expect("a disk")
    }

    /// Kills a node; what its disk was not through with is lost. Another process goes on with the disk, without a
    /// network.
    pub(crate) fn kill_and_restart(&mut self, n: u8, place: InboxPlace) {
        let now = self.now;
        let party = self.party(n);
        let disk = party.disk.as_mut().expect("a disk");
        disk.orders_due.clear();
        let book = disk.book().clone();
        let config = NodeConfig::new([n; 32], [n + 100; 32], [n + 60; 32]);
        party.node = Node::new(config, now).expect("a valid configuration");
        party.surface = surface(now, n + 50, (book, place));
        party.surface.set_kept();
        party.settle(now);
    }
}
