//! This node and its introducers.

use std::collections::BTreeMap;

use p2p_core::api::{IntroducerAddress, IntroducerState, IntroducerStatus, NodeStatus, Roles};
use p2p_core::time::Instant;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ms, whole_ms};
use crate::clock::WallClock;
use crate::config::SettingValue;
use crate::state::State;
use crate::words::fingerprint;

/// This node.
#[derive(Serialize, ToSchema)]
#[schema(as = Node)]
pub(crate) struct NodeView {
    /// Its identity.
    pub id: String,
    /// Registered name.
    pub name: Option<String>,
    /// The identity as eight words, to compare by voice.
    pub fingerprint: Vec<&'static str>,
    /// Version of the program.
    pub version: String,
    /// `smol`, `threads` or `sim`.
    pub driver: &'static str,
    /// Of `introducer`, `relay`, `stun`, those that are on.
    pub roles: Vec<&'static str>,
    /// Time since the start.
    pub uptime_ms: u64,
    /// When it started.
    pub started_at: String,
    /// Time of day at the node.
    pub now: String,
    /// Interface addresses with the UDP port.
    pub local_addresses: Vec<String>,
    /// Our addresses as introducers see them.
    pub observed_addresses: Vec<String>,
    /// Introducers.
    pub introducers: Vec<Introducer>,
    /// Entries in this node's own directory (introducer role).
    pub directory_entries: usize,
    /// Open relay channels (relay role).
    pub relay_channels: usize,
    /// What the inbox holds.
    pub inbox: InboxState,
    /// Counters since the start.
    pub counters: Counters,
}

/// What the inbox holds.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct InboxState {
    /// For messages of peers that this user chose: ok, filling (three quarters of a quota are used up), full (some
    /// wait) or `not_kept` (the disk refuses them, and all wait).
    pub state: &'static str,
    /// Where messages are until they are acknowledged: disk or memory.
    pub place: &'static str,
    /// Items held.
    pub items: usize,
    /// Bytes held.
    pub bytes: usize,
    /// Messages waiting outside for room.
    pub waiting_messages: usize,
    /// Datagrams dropped for want of room.
    pub dropped_datagrams: u64,
    /// The channel of a peer that holds most messages.
    pub fullest: Option<FullestChannel>,
}

/// The channel of a peer that holds most messages.
#[derive(Clone, Serialize, ToSchema)]
pub(crate) struct FullestChannel {
    /// The peer.
    pub peer: String,
    /// The channel, where it has a number.
    pub channel: Option<u32>,
    /// The service, where it has a name.
    pub service: Option<String>,
    /// Messages held.
    pub items: usize,
}

impl NodeView {
    /// Makes the picture.
    pub(crate) fn new(
        status: &NodeStatus,
        now: Instant,
        clock: WallClock,
        program: (&str, &'static str),
        inbox: InboxState,
    ) -> Self {
        let mut observed: Vec<String> = status
            .introducers
            .iter()
            .filter_map(|i| i.observed.map(|a| a.to_string()))
            .collect();
        observed.sort();
        observed.dedup();
        Self {
            id: status.id.to_string(),
            name: status.name.clone(),
            fingerprint: fingerprint(&status.id),
            version: program.0.to_owned(),
            driver: program.1,
            roles: roles(status.roles),
            uptime_ms: whole_ms(status.uptime),
            started_at: clock.rfc3339(now - status.uptime),
            now: clock.rfc3339(now),
            local_addresses: status
                .local_addresses
                .iter()
                .map(ToString::to_string)
                .collect(),
            observed_addresses: observed,
            introducers: status.introducers.iter().map(Introducer::from).collect(),
            directory_entries: status.directory_entries,
            relay_channels: status.relay_channels,
            inbox,
            counters: Counters::from(&status.counters),
        }
    }
}

impl InboxState {
    /// Makes the picture.
    pub(crate) fn new(state: &State) -> Self {
        let inbox = &state.inbox;
        let fullest = inbox.fullest().map(|(peer, channel, load)| FullestChannel {
            peer: peer.to_string(),
            channel: channel.number(),
            service: channel.service().map(ToString::to_string),
            items: load.items,
        });
        Self {
            state: state.fullness.text(),
            place: state.inbox_place().word(),
            items: inbox.len(),
            bytes: inbox.bytes(),
            waiting_messages: state.waiting.len(),
            dropped_datagrams: inbox.dropped(),
            fullest,
        }
    }
}

fn roles(roles: Roles) -> Vec<&'static str> {
    [
        ("introducer", roles.introducer),
        ("relay", roles.relay),
        ("stun", roles.stun),
    ]
    .into_iter()
    .filter_map(|(name, on)| on.then_some(name))
    .collect()
}

/// One introducer as seen from here.
#[derive(Serialize, ToSchema)]
pub(crate) struct Introducer {
    /// Its identity.
    pub id: String,
    /// `p2p://ID@HOST:PORT`.
    pub address: String,
    /// `resolving`, `connecting`, `registering`, `registered`, `unreachable`, `unresolved` or `refused`.
    pub state: &'static str,
    /// Why it refused.
    pub reason: Option<&'static str>,
    /// Smoothed round-trip time.
    pub rtt_ms: Option<f64>,
    /// Our address as it sees it.
    pub observed: Option<String>,
}

impl From<&IntroducerStatus> for Introducer {
    fn from(status: &IntroducerStatus) -> Self {
        let (state, reason) = introducer_state(status.state);
        let address = IntroducerAddress {
            id: status.id,
            host: status.host.clone(),
            port: status.port,
        };
        Self {
            id: status.id.to_string(),
            address: address.to_string(),
            state,
            reason,
            rtt_ms: status.rtt.map(ms),
            observed: status.observed.map(|a| a.to_string()),
        }
    }
}

/// A link's state as word and reason.
pub(crate) const fn introducer_state(
    state: IntroducerState,
) -> (&'static str, Option<&'static str>) {
    match state {
        IntroducerState::Resolving => ("resolving", None),
        IntroducerState::Connecting => ("connecting", None),
        IntroducerState::Registering => ("registering", None),
        IntroducerState::Registered => ("registered", None),
        IntroducerState::Unresolved => ("unresolved", None),
        IntroducerState::Refused(why) => ("refused", Some(why.text())),
        _ => ("unreachable", None),
    }
}

/// All introducers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Introducers {
    /// Introducers as configured.
    pub items: Vec<Introducer>,
    /// Always null: there are few.
    pub next: Option<String>,
}

/// How the node is set up; secrets are never shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct Settings {
    /// Registered name.
    pub name: Option<String>,
    /// Of `introducer`, `relay`, `stun`, those that are on.
    pub roles: Vec<&'static str>,
    /// Introducers as `p2p://ID@HOST:PORT`.
    pub introducers: Vec<String>,
    /// `Host` values that the HTTP surface answers to.
    pub allowed_hosts: Vec<String>,
    /// Driver.
    pub driver: &'static str,
    /// Version of the program.
    pub version: String,
    /// What was set or left at its default, by key; docs/cli.md has the table. A setting without a value is left out.
    pub settings: BTreeMap<&'static str, SettingValue>,
    /// Bounds of the HTTP surface.
    pub limits: SurfaceLimits,
}

/// Bounds of the HTTP surface.
#[derive(Serialize, ToSchema)]
pub(crate) struct SurfaceLimits {
    /// Items in the inbox.
    pub inbox_items: usize,
    /// Bytes in the inbox.
    pub inbox_bytes: usize,
    /// Events kept to resume from.
    pub journal_events: usize,
    /// Largest datagram.
    pub datagram_bytes: usize,
    /// Largest request or answer.
    pub request_bytes: usize,
    /// Largest message.
    pub message_bytes: usize,
}

impl Settings {
    /// Makes the picture.
    pub(crate) fn new(
        status: &NodeStatus,
        hosts: &[String],
        program: (&str, &'static str),
        settings: &BTreeMap<&'static str, SettingValue>,
    ) -> Self {
        let introducers = status.introducers.iter().map(Introducer::from);
        Self {
            name: status.name.clone(),
            roles: roles(status.roles),
            introducers: introducers.map(|i| i.address).collect(),
            allowed_hosts: hosts.to_vec(),
            driver: program.1,
            version: program.0.to_owned(),
            settings: settings.clone(),
            limits: SurfaceLimits {
                inbox_items: crate::inbox::INBOX_ITEMS,
                inbox_bytes: crate::inbox::INBOX_BYTES,
                journal_events: crate::journal::JOURNAL_EVENTS,
                datagram_bytes: p2p_core::limits::DATAGRAM_BODY_BYTES,
                request_bytes: p2p_core::limits::REQUEST_BODY_BYTES,
                message_bytes: p2p_core::limits::MESSAGE_BYTES,
            },
        }
    }
}

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// Counters since the start; they only grow. docs/http.md explains each.
        #[derive(Serialize, ToSchema)]
        pub(crate) struct Counters {
            $(pub $name: u64,)*
        }

        impl From<&p2p_core::api::Counters> for Counters {
            fn from(counters: &p2p_core::api::Counters) -> Self {
                Self { $($name: counters.$name,)* }
            }
        }
    };
}

counters! {
    datagrams_received,
    datagrams_sent,
    bytes_received,
    bytes_sent,
    dropped_unknown,
    dropped_legacy,
    dropped_mac1,
    dropped_throttled,
    dropped_unauthentic,
    dropped_replayed,
    dropped_malformed,
    handshakes_computed,
    sessions_established,
    unknown_commands,
    records_not_kept,
    relayed_datagrams,
    relayed_bytes,
    stun_answers,
    registrations_accepted,
    registrations_refused,
    record_conflicts,
    searches_answered,
    introductions,
    requests_throttled,
    relay_channels_opened,
    relay_channels_refused,
    relay_dropped_unknown,
    relay_dropped_quota,
}
