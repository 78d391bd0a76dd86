//! Everything the surface remembers besides open exchanges, and what a handler gets to work with.

use std::collections::BTreeMap;

use core::time::Duration;

use p2p_core::api::{ApiMisuse, Command, Engine, StreamId};
use p2p_core::id::NodeId;
use p2p_core::rng::Rng;
use p2p_core::time::Instant;
use serde_json::Value;

use crate::callback::Callbacks;
use crate::clock::WallClock;
use crate::config::{SettingValue, SurfaceConfig};
use crate::contacts::{Contacts, NameKind};
use crate::encode::RunMark;
use crate::exchange::HttpId;
use crate::forwards::Forwards;
use crate::inbox::{Fullness, Inbox};
use crate::invite::Meetings;
use crate::journal::Journal;
use crate::knocks::Knocks;
use crate::locks::Locks;
use crate::outbox::Outbox;
use crate::page::Page;
use crate::problem::{Code, Problem};
use crate::reply::Full;
use crate::services::Services;
use crate::sockets::SocketOrders;
use crate::waiting::WaitingMessages;

/// How long a peer counts as a stranger before the engine is asked again.
const STRANGER_LIFE: Duration = Duration::from_secs(1);
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
    /// What clients hear once a change to contacts is kept, by its number.
    pub answers: BTreeMap<u64, Full>,
    pub services: Services,
    pub callbacks: Callbacks,
    pub forwards: Forwards,
    /// What the host is to do with TCP connections.
    pub sockets: SocketOrders,
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
        config: SurfaceConfig,
        now: Instant,
        wall_clock_unix_ms: u64,
        describe: fn(&str) -> Value,
    ) -> Self {
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
        Self {
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
            contacts: Contacts::new(config.book),
            meetings,
            answers: BTreeMap::new(),
            services: Services::default(),
            callbacks: Callbacks::new(rng.fork("webhook secrets")),
            forwards: Forwards::default(),
            sockets: SocketOrders::default(),
            page: Page::new(),
            describe,
            streams: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            given_up: Vec::new(),
            names: BTreeMap::new(),
        }
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
}
