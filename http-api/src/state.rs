//! Everything the surface remembers besides open exchanges, and what a handler gets to work with.

use std::collections::BTreeMap;

use core::time::Duration;

use p2p_core::api::{ApiMisuse, Command, Engine, StreamId};
use p2p_core::id::NodeId;
use p2p_core::rng::Rng;
use p2p_core::time::Instant;
use p2p_storage::{Change, Kept, KeptKind, KeptMessage};
use serde_json::Value;

use crate::callback::Callbacks;
use crate::clock::WallClock;
use crate::config::{InboxPlace, SettingValue, SurfaceConfig};
use crate::contacts::{Contacts, NameKind};
use crate::encode::RunMark;
use crate::exchange::HttpId;
use crate::forwards::Forwards;
use crate::inbox::{Fullness, Inbox, Item, ItemKind};
use crate::invite::Meetings;
use crate::journal::Journal;
use crate::keeping::Keeping;
use crate::knocks::Knocks;
use crate::locks::Locks;
use crate::orders::Orders;
use crate::outbox::Outbox;
use crate::page::Page;
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::services::Services;
use crate::sockets::SocketOrders;
use crate::transfers::Transfers;
use crate::waiting::WaitingMessages;

/// How long a peer counts as a stranger before the engine is asked again.
const STRANGER_LIFE: Duration = Duration::from_secs(1);
/// Longest wait for the disk.
pub(crate) const KEEP_TIMEOUT: Duration = Duration::from_secs(30);
/// Names remembered; the engine knows them all, this saves asking for each datagram.
const NAMES: usize = 4_096;

/// Code with which streams are abandoned when the HTTP client goes away or says so.
pub(crate) const CLIENT_GONE: u64 = 0;

/// Who uses the two directions of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ends {
    /// Who reads what the peer sends.
    pub reader: Option<HttpId>,
    /// Who writes to the peer.
    pub writer: Option<HttpId>,
}

/// What the surface remembers.
pub(crate) struct State {
    pub version: String,
    pub driver: &'static str,
    pub settings: BTreeMap<&'static str, SettingValue>,
    pub clock: WallClock,
    pub run: RunMark,
    pub locks: Locks,
    pub inbox: Inbox,
    pub waiting: WaitingMessages,
    /// How full the inbox was when that was last told.
    pub fullness: Fullness,
    pub journal: Journal,
    pub outbox: Outbox,
    pub knocks: Knocks,
    pub contacts: Contacts,
    pub meetings: Meetings,
    pub orders: Orders,
    pub keeping: Keeping,
    place: InboxPlace,
    /// Messages on disk that nobody wants any more.
    unwanted: Vec<Change>,
    /// What is to be set up again as it was kept.
    pub to_restore: Vec<Kept>,
    /// What is being written of what the owner sets up, by the number of the order.
    pub setting_up: BTreeMap<u64, (KeptKind, String)>,
    /// What clients hear once a change is kept, by the number of its order.
    pub answers: BTreeMap<u64, Full>,
    pub services: Services,
    pub callbacks: Callbacks,
    pub forwards: Forwards,
    /// Whether they listen on loopback only.
    pub local_forwards: bool,
    /// What the host is to do with TCP connections.
    pub sockets: SocketOrders,
    pub transfers: Transfers,
    pub page: Page,
    /// Makes the OpenAPI document of a version. A handler cannot name the table that it stands in itself.
    pub describe: fn(&str) -> Value,
    pub streams: BTreeMap<(NodeId, u64), Ends>,
    /// Streams read to the end by clients that have gone and may still confirm, and until when.
    pub unconfirmed: BTreeMap<(NodeId, u64), Instant>,
    /// Streams that a handler gave up; their exchanges are broken next.
    pub given_up: Vec<(NodeId, StreamId)>,
    /// Whether a peer is a stranger, and when the engine said so.
    strangers: BTreeMap<NodeId, (bool, Instant)>,
    names: BTreeMap<NodeId, String>,
}

impl State {
    /// Starts empty.
    pub(crate) fn new(
        mut config: SurfaceConfig,
        now: Instant,
        wall_clock_unix_ms: u64,
        describe: fn(&str) -> Value,
    ) -> Self {
        let messages: Vec<KeptMessage> = config.book.take_messages().collect();
        let last = messages.last().map_or(0, |message| message.number);
        let rng = Rng::from_seed(config.rng_seed);
        let clock = WallClock::new(now, wall_clock_unix_ms);
        let run = RunMark(rng.fork("run mark").next_u32());
        let mut meetings = Meetings::new(rng.fork("invitations"));
        for join in config.book.joins() {
            // Whoever is connected by then says so.
            meetings
                .joins
                .begin(now, wall_clock_unix_ms, join.clone(), false);
        }
        let mut state = Self {
            version: config.version,
            driver: config.driver,
            settings: config.settings,
            clock,
            run,
            locks: Locks::new(
                config.token,
                config.allowed_hosts,
                clock,
                rng.fork("sessions"),
            ),
            inbox: Inbox::default(),
            waiting: WaitingMessages::default(),
            fullness: Fullness::default(),
            strangers: BTreeMap::new(),
            journal: Journal::new(run),
            outbox: Outbox::default(),
            knocks: Knocks::default(),
            to_restore: config.book.all_kept().cloned().collect(),
            setting_up: BTreeMap::new(),
            contacts: Contacts::new(config.book),
            meetings,
            orders: Orders::default(),
            keeping: Keeping::after(last),
            place: config.inbox,
            unwanted: Vec::new(),
            answers: BTreeMap::new(),
            services: Services::default(),
            callbacks: Callbacks::new(rng.fork("webhook secrets")),
            forwards: Forwards::default(),
            local_forwards: config.local_forwards,
            sockets: SocketOrders::default(),
            transfers: Transfers::new(rng.fork("transfers")),
            page: Page::new(),
            describe,
            streams: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            given_up: Vec::new(),
            names: BTreeMap::new(),
        };
        for message in messages {
            state.restore(message);
        }
        state
    }

    /// A message of an earlier run.
    fn restore(&mut self, message: KeptMessage) {
        if self.contacts.is_blocked(&message.peer) {
            self.unwanted.push(Change::MessageDone(message.number));
            return;
        }
        if let Some(name) = &message.claimed_name {
            self.on_name(message.peer, name);
        }
        let name = self.name(&message.peer);
        let item = Item {
            kind: ItemKind::Message,
            peer: message.peer,
            stranger: message.is_stranger,
            name: name.map(|(name, kind)| (name.to_owned(), kind)),
            label: message.label,
            forwards: None,
            stream: None,
            kept: Some(message.number),
            received_unix_ms: message.received_unix_ms,
            data: message.data,
        };
        self.inbox.insert(item);
    }

    /// From now on changes are kept outside.
    pub(crate) fn set_kept(&mut self) {
        self.orders.set_kept();
        if !self.unwanted.is_empty() {
            let unwanted = core::mem::take(&mut self.unwanted);
            let _ = self.orders.place(unwanted);
        }
    }

    /// Where messages are kept.
    pub(crate) const fn inbox_place(&self) -> InboxPlace {
        if self.orders.are_kept() {
            self.place
        } else {
            InboxPlace::Memory
        }
    }

    /// Whether messages are kept on disk.
    pub(crate) const fn keeps_messages(&self) -> bool {
        matches!(self.inbox_place(), InboxPlace::Disk)
    }

    /// When messages that wait for the disk are to be tried again.
    pub(crate) fn next_try(&self) -> Option<Instant> {
        self.keeping.next_try().filter(|_| self.waiting.len() > 0)
    }

    /// Changes what is kept of people and of what the owner sets up. Gives the number of the order; none where nothing
    /// is kept.
    pub(crate) fn change_contacts(&mut self, changes: Vec<Change>) -> Option<u64> {
        self.contacts.change(&mut self.orders, changes)
    }

    /// Takes items out of the inbox for good, and what else is to be written with it. Gives the number of the order;
    /// none where nothing is to be written.
    pub(crate) fn discard(&mut self, items: Vec<(u64, Item)>) -> Option<u64> {
        let done = |(_, item): &(u64, Item)| item.kept.map(Change::MessageDone);
        let changes: Vec<Change> = items.iter().filter_map(done).collect();
        if changes.is_empty() {
            return None;
        }
        let order = self.orders.place(changes)?;
        self.keeping.delete(order, items);
        Some(order)
    }

    /// Whether the owner of this node never chose the peer. Asked of the engine once a second at most for each: a flood
    /// of datagrams asks for each of them.
    pub(crate) fn is_stranger(&mut self, now: Instant, node: &dyn Engine, peer: NodeId) -> bool {
        if let Some((stranger, asked)) = self.strangers.get(&peer)
            && (!stranger || now < *asked + STRANGER_LIFE)
        {
            return *stranger;
        }
        let stranger = node.peer(now, &peer).is_none_or(|p| !p.is_accepted);
        if self.strangers.len() >= NAMES && !self.strangers.contains_key(&peer) {
            self.strangers.pop_first();
        }
        self.strangers.insert(peer, (stranger, now));
        stranger
    }

    /// A peer's name was learnt.
    pub(crate) fn on_name(&mut self, peer: NodeId, name: &str) {
        if self.names.len() >= NAMES && !self.names.contains_key(&peer) {
            self.names.pop_first();
        }
        self.names.insert(peer, name.to_owned());
    }

    /// What a peer calls itself.
    pub(crate) fn claimed_name(&self, peer: &NodeId) -> Option<&str> {
        self.names.get(peer).map(String::as_str)
    }

    /// What to call a peer, and what that is worth.
    pub(crate) fn name(&self, peer: &NodeId) -> Option<(&str, NameKind)> {
        self.contacts.name_of(peer, self.claimed_name(peer))
    }

    /// Version and driver.
    pub(crate) fn program(&self) -> (&str, &'static str) {
        (&self.version, self.driver)
    }

    /// Reads an id that this run gave out.
    pub(crate) fn own_id(&self, text: &str, code: Code) -> Result<u64, Problem> {
        self.run.decode(text).ok_or_else(|| {
            let detail = "The id is not one that this run of the node gave out.";
            Problem::new(code, detail)
        })
    }
}

/// What a handler works with.
pub(crate) struct Turn<'a> {
    /// The present.
    pub now: Instant,
    /// The engine.
    pub node: &'a mut dyn Engine,
    /// The surface's memory.
    pub state: &'a mut State,
}

impl Turn<'_> {
    /// Gives the engine an order.
    pub(crate) fn command(
        &mut self,
        command: Command,
    ) -> Result<p2p_core::api::Accepted, ApiMisuse> {
        self.node.handle_command(self.now, command)
    }

    /// Answers once an order is on disk, or at once where there is none.
    pub(crate) fn answer_when_kept(&mut self, order: Option<u64>, full: Full) -> Reply {
        let Some(order) = order else {
            return full.into();
        };
        self.state.answers.insert(order, full);
        Reply::Wait(Wait {
            what: WaitFor::Kept(order),
            until: self.now + KEEP_TIMEOUT,
        })
    }
}
