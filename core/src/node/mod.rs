//! One participant: all peers, the door for strangers, the roles (docs/architecture.md §3, §4).
//!
//! The node wires its parts and decides nothing. Datagrams meet peers at the [`endpoint`]; what peers say that concerns
//! others is acted on in [`outcomes`]: registrations and searches go to [`serving`], answers of introducers to the
//! rendezvous, whose moves are carried out in [`moves`].

mod absence;
mod acquaintance;
mod agenda;
mod commands;
mod endpoint;
mod engine;
mod errands;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod forge;
mod knocks;
mod moves;
mod news;
mod outcomes;
mod peers;
mod serving;
mod settings;
mod status;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use self::endpoint::Endpoint;
use self::errands::Errands;
use self::knocks::Knocks;
use self::news::News;
use self::peers::Peers;
use self::serving::Serving;
use self::settings::Settings;
use self::table::Table;
use crate::addresses::OwnAddresses;
use crate::api::{ApiMisuse, Command, Counters, NodeConfig};
use crate::door::Door;
use crate::identity::Identity;
use crate::introducer::IntroducerRole;
use crate::limits;
use crate::link::Links;
use crate::path::Route;
use crate::rendezvous::Rendezvous;
use crate::rng::Rng;
use crate::time::Instant;

/// One participant: the whole engine behind [`crate::api::Engine`].
///
/// The same calls with the same configuration give the same output, bit for bit.
pub struct Node {
    settings: Settings,
    started: Instant,
    peers: Peers,
    endpoint: Endpoint,
    /// What this node does for others as their introducer and relay.
    serving: Serving,
    /// Its own introducers, searches and connections asked for.
    rendezvous: Rendezvous,
    addresses: OwnAddresses,
    /// Datagrams that came through relays and wait for their turn.
    relayed: VecDeque<(Route, Vec<u8>)>,
    news: News,
    knocks: Knocks,
    /// What the outside was asked to do.
    errands: Errands,
    counters: Counters,
    /// When the last input came.
    told_at: Instant,
    is_shut_down: bool,
}

impl Node {
    /// Makes a node; it starts to look for its introducers at once (poll it).
    ///
    /// # Errors
    /// `ApiMisuse::InvalidArgument` for seeds that make no key, and for a name or network label that is too long or has
    /// characters that may not be in one.
    pub fn new(config: NodeConfig, now: Instant) -> Result<Self, ApiMisuse> {
        let settings = Settings::of(&config)?;
        let sequence = config.record_sequence;
        let identity = Identity::from_seeds(&config.identity_seed, &config.static_seed, sequence)
            .map_err(|_| ApiMisuse::InvalidArgument {
            what: "the identity seed",
            must: "must make a key",
        })?;
        let rng = Rng::from_seed(config.rng_seed);
        let id = identity.node_id();
        let common = settings::common(id, &config);
        let table = Table::new(config.shard, common, rng.fork("table"));
        let role = IntroducerRole::new(
            config.roles,
            settings::directory(&config.operator),
            settings::relay(&config.operator),
            rng.fork("relay"),
        );
        let credentials = settings.credentials(&identity);
        let network = config.network.clone();
        let guests = settings::guests(config.roles, &config.operator);
        let policy = (settings.policy(), guests, config.epoch_unix_ms);
        let door = Door::new(now, identity, network, policy, rng.fork("door"));
        let mut node = Self {
            settings,
            started: now,
            peers: Peers::new(table, config.strangers, config.blocked),
            endpoint: Endpoint::new(now, door, Links::new(&config.links)),
            serving: Serving { role },
            rendezvous: Rendezvous::new(credentials, &rng),
            addresses: OwnAddresses::new(config.local_addresses),
            relayed: VecDeque::new(),
            news: News::default(),
            knocks: Knocks::default(),
            errands: Errands::default(),
            counters: Counters::default(),
            told_at: now,
            is_shut_down: false,
        };
        for address in config.introducers {
            // An introducer that names itself among its introducers just is none of its own.
            let _ = node.rendezvous.add_introducer(address);
        }
        for accepted in config.accepted.into_iter().take(limits::PEERS_REMEMBERED) {
            // Our own id is no peer's.
            let _ = node.carry_out_command(now, Command::Accept(accepted));
        }
        let known = config.known_peers.into_iter();
        for known in known.take(limits::PEERS_REMEMBERED) {
            // A record that does not verify is left out.
            let record = node.endpoint.door.verify(&known.record).ok();
            if let Some(record) = record.filter(|record| record.id != id) {
                let key = node.peers.prepare(now, record, known.name);
                if let Some(entry) = node.peers.change(key) {
                    entry.acquaintance.is_accepted = true;
                }
            }
        }
        node.settle(now);
        Ok(node)
    }
}
