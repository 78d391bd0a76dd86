//! What others ask of this node in control messages: registrations, searches, introductions (protocol §6, §10).
//! Records are verified here; the directory and the relay are told facts only.

use core::net::SocketAddr;

use super::Node;
use crate::directory::server::{
    NameClaim, Refusal, Registration, Requester, SearchPage, Target as DirectoryTarget,
};
use crate::id::{NodeId, PeerKey};
use crate::identity::{KeyRecord, NameRecord};
use crate::limits;
use crate::path::Route;
use crate::peer::Purpose;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RefusalCode, RefusedCommand, Target, search_page_len};

/// A refusal on its way to the asker.
struct Refused {
    code: RefusalCode,
    retry_after_s: Option<u32>,
}

impl Refused {
    const fn because(code: RefusalCode) -> Self {
        Self {
            code,
            retry_after_s: None,
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.code() {
            "unknown" => RefusalCode::Unknown,
            "full" => RefusalCode::Full,
            "taken" => RefusalCode::Taken,
            "throttled" => RefusalCode::Throttled,
            "malformed" => RefusalCode::Malformed,
            "role" => RefusalCode::Role,
            _ => RefusalCode::Refused,
        };
        let seconds = |wait: core::time::Duration| wait.as_millis().div_ceil(1_000);
        let retry_after_s = refusal.retry_after().map(seconds);
        Self {
            code,
            retry_after_s: retry_after_s.map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
        }
    }
}

impl Node {
    /// Executes a control request of a peer; it is new, its repetitions are answered below.
    pub(super) fn serve(&mut self, now: Instant, key: PeerKey, message: ControlMessage) {
        let Some(reference) = message.reference() else {
            return;
        };
        let (command, result) = match message {
            ControlMessage::Register {
                key_record,
                name_record,
                listed,
                ..
            } => {
                let result = self.register(now, key, reference, (&key_record, name_record), listed);
                (RefusedCommand::Register, result)
            }
            ControlMessage::Search { prefix, cursor, .. } => {
                let result = self.search_here(now, key, reference, &prefix, cursor.as_deref());
                (RefusedCommand::Search, result)
            }
            ControlMessage::ConnectRequest {
                target, channel, ..
            } => {
                let result = self.introduce(now, key, reference, &target, channel);
                (RefusedCommand::Connect, result)
            }
            ControlMessage::Introduce {
                key_record,
                channel,
                name,
                ..
            } => {
                let result = self.be_introduced(now, key, reference, (&key_record, name), channel);
                (RefusedCommand::Connect, result)
            }
            _ => return,
        };
        let answer = result.unwrap_or_else(|refused| ControlMessage::Refused {
            command,
            reply_to: reference,
            code: refused.code,
            retry_after_s: refused.retry_after_s,
        });
        if let Some(entry) = self.table.get_mut(key) {
            entry.peer.answer_control(now, reference, &answer);
            self.agenda.on_touched(key);
        }
    }

    /// Identity of a peer and its address as seen here.
    fn caller(&self, key: PeerKey) -> Result<(NodeId, SocketAddr), Refused> {
        let entry = self.table.get(key);
        let source = entry.and_then(|entry| entry.peer.active_route()?.address());
        let caller = entry
            .zip(source)
            .map(|(entry, source)| (entry.peer.id(), source));
        caller.ok_or(Refused::because(RefusalCode::Refused))
    }

    fn require_role(&self) -> Result<(), Refused> {
        let has_role = self.settings.roles.introducer;
        if has_role {
            Ok(())
        } else {
            Err(Refused::because(RefusalCode::Role))
        }
    }

    fn register(
        &mut self,
        now: Instant,
        key: PeerKey,
        reference: u64,
        (record, name): (&[u8], Option<Vec<u8>>),
        listed: bool,
    ) -> Result<ControlMessage, Refused> {
        self.require_role()?;
        let (id, source) = self.caller(key)?;
        let malformed = || Refused::because(RefusalCode::Malformed);
        let verified = self.guard.records.verify(record).map_err(|_| malformed())?;
        let name = name
            .map(|bytes| NameRecord::parse_verified(&bytes))
            .transpose();
        let name = name.map_err(|_| malformed())?;
        if verified.id != id || name.as_ref().is_some_and(|name| name.id != id) {
            return Err(malformed());
        }
        let claim = |name: NameRecord| NameClaim {
            name: name.name.into_boxed_str(),
            sequence: name.sequence,
            life_s: name.life_s,
        };
        let registration = Registration {
            id,
            record: record.into(),
            record_sequence: verified.sequence,
            name: name.map(claim),
            listed,
        };
        let registered = self.directory.on_register(now, key, source, registration)?;
        self.drop_ended_registrations();
        let life_s = u32::try_from(registered.life.as_secs()).unwrap_or(u32::MAX);
        Ok(ControlMessage::Registered {
            reply_to: reference,
            observed: source,
            life_s,
        })
    }

    /// Ends sessions whose registration ran out: their owners find out and register anew.
    pub(super) fn drop_ended_registrations(&mut self) {
        while let Some(key) = self.directory.poll_ended() {
            if let Some(entry) = self.table.get_mut(key) {
                entry
                    .peer
                    .end_association(crate::api::DisconnectReason::TimedOut);
                self.agenda.on_touched(key);
            }
        }
    }

    fn search_here(
        &mut self,
        now: Instant,
        key: PeerKey,
        reference: u64,
        prefix: &str,
        cursor: Option<&str>,
    ) -> Result<ControlMessage, Refused> {
        self.require_role()?;
        let (id, source) = self.caller(key)?;
        let requester = Requester {
            session: key,
            id,
            source,
        };
        let page = self.directory.on_search(now, &requester, prefix, cursor)?;
        Ok(fit_page(reference, page))
    }

    fn introduce(
        &mut self,
        now: Instant,
        key: PeerKey,
        reference: u64,
        target: &Target,
        channel: u32,
    ) -> Result<ControlMessage, Refused> {
        self.require_role()?;
        if !self.settings.roles.relay {
            return Err(Refused::because(RefusalCode::Role));
        }
        let (_, source) = self.caller(key)?;
        let wanted = match target {
            Target::Id(id) => DirectoryTarget::Id(*id),
            Target::Name(name) => DirectoryTarget::Name(name),
        };
        let order = self.directory.on_connect_request(now, key, wanted)?;
        let target_key = order.target.session;
        let requester_record = order.requester.record.to_vec();
        let requester_name = order.requester.name.map(str::to_owned);
        let target_record = order.target.record.to_vec();
        let target_name = order.target.name.map(str::to_owned);
        let full = |_| Refused::because(RefusalCode::Full);
        let observed = self.caller(target_key)?.1;
        let target_channel = self
            .relay
            .open(now, key, channel, target_key)
            .map_err(full)?;
        let entry = self.table.get_mut(target_key);
        let target_peer = entry.ok_or(Refused::because(RefusalCode::Unknown))?;
        let asked = target_peer
            .peer
            .ask(now, Purpose::Introduce, limits::CONTROL_LIFE, |n| {
                ControlMessage::Introduce {
                    reference: n,
                    key_record: requester_record,
                    channel: target_channel,
                    name: requester_name,
                    observed,
                }
            });
        self.agenda.on_touched(target_key);
        asked.map_err(|_| Refused::because(RefusalCode::Full))?;
        Ok(ControlMessage::ConnectAnswer {
            reply_to: reference,
            key_record: target_record,
            name: target_name,
            observed: source,
        })
    }

    /// An introducer of ours says that somebody wants us.
    fn be_introduced(
        &mut self,
        now: Instant,
        key: PeerKey,
        reference: u64,
        (record, name): (&[u8], Option<String>),
        channel: u32,
    ) -> Result<ControlMessage, Refused> {
        if !self.is_introducer(key) {
            return Err(Refused::because(RefusalCode::Role));
        }
        let record = self.guard.records.verify(record);
        let record = record.map_err(|_| Refused::because(RefusalCode::Malformed))?;
        let known = self
            .table
            .key_of(&record.id)
            .and_then(|k| self.table.get(k));
        let is_welcome = self.settings.accept_strangers || known.is_some_and(|e| e.is_known);
        if !is_welcome || record.id == self.id() {
            return Err(Refused::because(RefusalCode::Refused));
        }
        let peer = self.prepare_peer(now, record, name);
        self.add_relay_route(now, peer, key, channel);
        Ok(ControlMessage::IntroduceAccepted {
            reply_to: reference,
        })
    }

    /// Knows a peer of an earlier run again; a record that does not verify is left out.
    pub(super) fn remember(&mut self, now: Instant, record: &[u8], name: Option<String>) {
        let verified = self.guard.records.verify(record).ok();
        if let Some(record) = verified.filter(|record| record.id != self.id()) {
            self.prepare_peer(now, record, name);
        }
    }

    /// The peer of a verified record, known to the application from now on.
    pub(super) fn prepare_peer(
        &mut self,
        now: Instant,
        record: KeyRecord,
        name: Option<String>,
    ) -> PeerKey {
        let key = self
            .table
            .ensure(now, record.id, self.settings.direct_paths);
        let (reflexive, hosts) = (
            self.observed_addresses(),
            self.settings.local_addresses.clone(),
        );
        if let Some(entry) = self.table.get_mut(key) {
            entry.is_known = true;
            entry.peer.learn_record(record);
            if name.is_some() {
                entry.peer.name = name;
            }
            entry.peer.paths.on_local_addresses(&reflexive, &hosts);
        }
        self.agenda.on_touched(key);
        if self.table.get(key).is_some_and(|e| !e.peer.is_connected()) {
            self.note_idle(key);
        }
        key
    }

    /// The peer can be reached through this channel of a relay.
    pub(super) fn add_relay_route(
        &mut self,
        now: Instant,
        key: PeerKey,
        relay: PeerKey,
        channel: u32,
    ) {
        let is_there = self.table.get(key).is_some();
        if !is_there || relay == key || self.relay_routes.insert(relay, channel, key).is_err() {
            log::debug!("a relay channel that is taken, or leads to the relay itself, was offered");
            return;
        }
        if let Some(entry) = self.table.get_mut(key) {
            let route = Route::Relay {
                relay: relay.0,
                channel,
            };
            entry.peer.paths.on_relay_route(now, route);
            self.agenda.on_touched(key);
        }
        self.drop_stale_relay_routes(key);
    }

    /// Channels that the peer's paths have given up lead nowhere any more.
    fn drop_stale_relay_routes(&mut self, key: PeerKey) {
        let Some(entry) = self.table.get(key) else {
            return;
        };
        let is_stale = |(relay, channel): &(PeerKey, u32)| {
            let (relay, channel) = (relay.0, *channel);
            let route = Route::Relay { relay, channel };
            entry.peer.paths.key_of(route).is_none()
        };
        let stale: Vec<_> = self.relay_routes.routes_to(key).filter(is_stale).collect();
        for (relay, channel) in stale {
            self.relay_routes.remove(relay, channel);
        }
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
