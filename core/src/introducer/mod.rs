//! The introducer's side of the protocol: registrations, searches, introductions and the relay (protocol §6, §10).
//!
//! Takes: requests of peers, with who asks and records that are verified; authentic packets and ends of sessions;
//! how long a datagram on a channel is. Returns: the answer to each request, for an introduction also what its
//! target is asked, and where a relayed datagram goes. It is the parent of two rooms that do not know each other,
//! the directory and the relay, and needs no node to be tested.

mod refused;
#[cfg(test)]
mod tests;

pub(crate) use refused::Refused;

use core::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::api::{Counters, Roles};
use crate::directory::server::{
    Directory, DirectoryConfig, NameClaim, Registration, Requester, SearchPage,
    Target as DirectoryTarget,
};
use crate::id::{NodeId, PeerKey};
use crate::identity::{KeyRecord, NameRecord};
use crate::limiter::SourceKey;
use crate::limits;
use crate::relay::{Forward, RelayConfig, RelayServer};
use crate::rng::Rng;
use crate::time::{Deadline, Instant};
use crate::wire::control::{ControlMessage, RefusalCode, Target, search_page_len};

/// What a peer wants to be registered as; every signature is verified.
pub(crate) struct Claim {
    /// Its key record.
    pub(crate) record: Arc<KeyRecord>,
    /// The name that it claims.
    pub(crate) name: Option<NameRecord>,
    /// Whether searches may show the name.
    pub(crate) is_listed: bool,
}

/// An introduction that goes ahead.
pub(crate) struct Introduction {
    /// For the requester.
    pub(crate) answer: ControlMessage,
    /// Who was asked for.
    pub(crate) target: PeerKey,
    /// Number of the target's end of the relay channel.
    pub(crate) target_channel: u32,
    /// Where the target's packets come from.
    target_source: SocketAddr,
    is_neighbour: bool,
    requester_record: Vec<u8>,
    requester_name: Option<String>,
}

impl Introduction {
    /// What the target is asked, under a reference of its session.
    pub(crate) fn into_request(self, reference: u64) -> ControlMessage {
        ControlMessage::Introduce {
            reference,
            key_record: self.requester_record,
            channel: self.target_channel,
            name: self.requester_name,
            observed: self.target_source,
            is_neighbour: self.is_neighbour,
        }
    }
}

/// Everything that a node does for others as their introducer and relay; refuses all of it without the role.
pub(crate) struct IntroducerRole {
    roles: Roles,
    directory: Directory,
    relay: RelayServer,
}

impl IntroducerRole {
    /// A role without registrations and channels.
    pub(crate) fn new(
        roles: Roles,
        directory: DirectoryConfig,
        relay: RelayConfig,
        rng: Rng,
    ) -> Self {
        Self {
            roles,
            directory: Directory::new(directory),
            relay: RelayServer::new(relay, rng),
        }
    }

    /// Whether this node answers the requests of an introducer at all; asked before a record is verified.
    ///
    /// # Errors
    /// `Role` where it does not.
    pub(crate) fn require_role(&self) -> Result<(), Refused> {
        if self.roles.introducer {
            Ok(())
        } else {
            Err(Refused::because(RefusalCode::Role))
        }
    }

    /// Registers a peer (`rg`).
    ///
    /// # Errors
    /// [`Refused`] with nothing changed; `Malformed` where the records are of another identity than the session.
    pub(crate) fn on_register(
        &mut self,
        now: Instant,
        caller: &Requester,
        reply_to: u64,
        claim: Claim,
    ) -> Result<ControlMessage, Refused> {
        self.require_role()?;
        let is_foreign = |id: NodeId| id != caller.id;
        if is_foreign(claim.record.id) || claim.name.as_ref().is_some_and(|n| is_foreign(n.id)) {
            return Err(Refused::because(RefusalCode::Malformed));
        }
        let name = claim.name.map(|name| NameClaim {
            name: name.name.into_boxed_str(),
            sequence: name.sequence,
            life_s: name.life_s,
        });
        let registration = Registration {
            record: claim.record,
            name,
            listed: claim.is_listed,
        };
        let (session, source) = (caller.session, caller.source);
        let registered = self
            .directory
            .on_register(now, session, source, registration)?;
        Ok(ControlMessage::Registered {
            reply_to,
            observed: source,
            life_s: u32::try_from(registered.life.as_secs()).unwrap_or(u32::MAX),
        })
    }

    /// Answers a search (`qrq`) with as many entries as one message holds.
    ///
    /// # Errors
    /// [`Refused`]: no role, a prefix that is too short, a budget.
    pub(crate) fn on_search(
        &mut self,
        now: Instant,
        caller: &Requester,
        reply_to: u64,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<ControlMessage, Refused> {
        self.require_role()?;
        let page = self.directory.on_search(now, caller, prefix, cursor)?;
        Ok(fit_page(reply_to, page))
    }

    /// Introduces the caller to a registered peer (`cr1`) over a relay channel, whose end at the caller has the
    /// number `channel`. `source_of` tells where a peer's packets come from, if it has a direct path.
    ///
    /// # Errors
    /// [`Refused`] with no channel opened.
    pub(crate) fn on_connect_request(
        &mut self,
        now: Instant,
        caller: &Requester,
        (reply_to, target, channel): (u64, &Target, u32),
        source_of: impl Fn(PeerKey) -> Option<SocketAddr>,
    ) -> Result<Introduction, Refused> {
        self.require_role()?;
        if !self.roles.relay {
            return Err(Refused::because(RefusalCode::Role));
        }
        let wanted = match target {
            Target::Id(id) => DirectoryTarget::Id(*id),
            Target::Name(name) => DirectoryTarget::Name(name),
        };
        let order = self.directory.on_connect_request(now, caller, wanted)?;
        let target = order.target.session;
        let source = source_of(target).ok_or(Refused::because(RefusalCode::Refused))?;
        let requester = (caller.session, SourceKey::of(caller.source.ip()));
        let target_channel = self.relay.open(now, requester, channel, target)?;
        Ok(Introduction {
            answer: ControlMessage::ConnectAnswer {
                reply_to,
                key_record: order.target.record.to_bytes().to_vec(),
                name: order.target.name.map(str::to_owned),
                observed: caller.source,
            },
            target,
            target_channel,
            target_source: source,
            is_neighbour: is_one_outside(caller.source.ip(), source.ip()),
            requester_record: order.requester.record.to_bytes().to_vec(),
            requester_name: order.requester.name.map(str::to_owned),
        })
    }

    /// Says where a datagram of `length_bytes` goes that `from` sent on its end `channel`.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        from: PeerKey,
        channel: u32,
        length_bytes: usize,
    ) -> Forward {
        self.relay.forward(now, from, channel, length_bytes)
    }

    /// A peer does not want the channel with this number of its end: it closes. Returns the other end.
    pub(crate) fn on_declined(&mut self, peer: PeerKey, channel: u32) -> Option<(PeerKey, u32)> {
        self.relay.on_declined(peer, channel)
    }

    /// A packet of this session was authentic: whoever is registered in it stays so.
    pub(crate) fn on_authentic_packet(&mut self, now: Instant, session: PeerKey) {
        if self.roles.introducer {
            self.directory.on_authentic_packet(now, session);
        }
    }

    /// A session is over: its registration ends and its channels close.
    pub(crate) fn on_session_closed(&mut self, now: Instant, session: PeerKey) {
        self.directory.on_session_closed(now, session);
        self.relay.on_session_closed(session);
    }

    /// Whether a registration stands in this session.
    pub(crate) fn is_registered(&self, now: Instant, session: PeerKey) -> bool {
        self.directory.lookup_session(now, session).is_some()
    }

    /// Next session whose registration ran out: it is to be dropped, so that its owner registers again.
    pub(crate) fn poll_ended(&mut self) -> Option<PeerKey> {
        self.directory.poll_ended()
    }

    /// Ends registrations, names and channels whose time is over.
    pub(crate) fn on_timeout(&mut self, now: Instant) {
        let is_due = |deadline: Option<Deadline>| deadline.is_some_and(|d| d.at <= now);
        if is_due(self.directory.next_timeout()) {
            self.directory.on_timeout(now);
        }
        if is_due(self.relay.next_timeout()) {
            self.relay.on_timeout(now);
        }
    }

    /// When to call `on_timeout`.
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        Deadline::earlier(self.directory.next_timeout(), self.relay.next_timeout())
    }

    /// Writes what it has done since the start into the node's counters.
    pub(crate) fn count_into(&self, counters: &mut Counters) {
        let (directory, relay) = (self.directory.counters(), self.relay.counters());
        counters.registrations_accepted = directory.registered;
        counters.registrations_refused = directory.refused;
        counters.record_conflicts = directory.conflicts;
        counters.searches_answered = directory.searches;
        counters.introductions = directory.connects;
        counters.requests_throttled = directory.throttled;
        counters.relay_channels_opened = relay.opened;
        counters.relay_channels_refused = relay.refused;
        counters.relay_dropped_unknown = relay.dropped_unknown;
        counters.relay_dropped_quota = relay.dropped_quota;
    }

    /// Registrations that stand.
    pub(crate) fn registrations(&self) -> usize {
        self.directory.len()
    }

    /// Relay channels that are open.
    pub(crate) fn channels(&self) -> usize {
        self.relay.len()
    }
}

/// Whether two peers are seen at one outside address: behind the same NAT, or in the same /64 of IPv6.
fn is_one_outside(one: IpAddr, other: IpAddr) -> bool {
    match (one.to_canonical(), other.to_canonical()) {
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() >> 64 == other.to_bits() >> 64,
        (one, other) => one == other,
    }
}

/// As many entries as one message holds; the cursor then names the last of them.
fn fit_page(reply_to: u64, page: SearchPage) -> ControlMessage {
    let mut entries: Vec<(String, NodeId)> = page
        .entries
        .into_iter()
        .map(|(name, id)| (name.into_string(), id))
        .collect();
    let mut cursor = page.cursor.map(str::into_string);
    let fits = search_page_len(&entries, limits::NAME_BYTES);
    if fits < entries.len() {
        entries.truncate(fits);
        cursor = entries.last().map(|(name, _)| name.clone());
    }
    ControlMessage::SearchResult {
        reply_to,
        entries,
        cursor,
    }
}
