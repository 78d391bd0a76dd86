//! What others ask of this node in control messages: registrations, searches, introductions (protocol §6, §10).
//! Records are verified here; the directory and the relay are told facts only.

use super::Node;
use crate::directory::server::Requester;
use crate::id::PeerKey;
use crate::identity::{KeyRecord, NameRecord};
use crate::introducer::{Claim, Refused};
use crate::limits;
use crate::path::Route;
use crate::peer::Purpose;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RefusalCode, RefusedCommand, Target};

impl Node {
    /// Executes a control request of a peer; it is new, its repetitions are answered below.
    pub(super) fn serve(&mut self, now: Instant, key: PeerKey, message: ControlMessage) {
        let Some(reference) = message.reference() else {
            return;
        };
        let (command, result) = self.carry_out(now, key, reference, message);
        let answer = result.unwrap_or_else(|refused| refused.into_message(command, reference));
        if let Some(entry) = self.table.get_mut(key) {
            entry.peer.answer_control(now, reference, &answer);
            self.agenda.on_touched(key);
        }
        self.drop_ended_registrations();
    }

    fn carry_out(
        &mut self,
        now: Instant,
        key: PeerKey,
        reference: u64,
        message: ControlMessage,
    ) -> (RefusedCommand, Result<ControlMessage, Refused>) {
        match message {
            ControlMessage::Register {
                key_record,
                name_record,
                listed,
                ..
            } => {
                let result = self.register(now, key, reference, (key_record, name_record), listed);
                (RefusedCommand::Register, result)
            }
            ControlMessage::Search { prefix, cursor, .. } => {
                let result = self.caller(key).and_then(|caller| {
                    self.serving
                        .on_search(now, &caller, reference, &prefix, cursor.as_deref())
                });
                (RefusedCommand::Search, result)
            }
            ControlMessage::ConnectRequest {
                target, channel, ..
            } => {
                let result = self.introduce(now, key, (reference, &target, channel));
                (RefusedCommand::Connect, result)
            }
            ControlMessage::Introduce {
                key_record,
                channel,
                name,
                observed,
                ..
            } => {
                let result = self.be_introduced(now, key, reference, (&key_record, name), channel);
                if let (Ok(_), Some(entry)) = (&result, self.table.get(key)) {
                    self.on_observed(entry.peer.id(), observed);
                }
                (RefusedCommand::Connect, result)
            }
            _ => (
                RefusedCommand::Connect,
                Err(Refused::because(RefusalCode::Malformed)),
            ),
        }
    }

    /// Who asks, and its address as seen here.
    fn caller(&self, key: PeerKey) -> Result<Requester, Refused> {
        let entry = self.table.get(key);
        let caller = entry.and_then(|entry| {
            Some(Requester {
                session: key,
                id: entry.peer.id(),
                source: entry.peer.active_route()?.address()?,
            })
        });
        caller.ok_or(Refused::because(RefusalCode::Refused))
    }

    fn register(
        &mut self,
        now: Instant,
        key: PeerKey,
        reference: u64,
        (record_bytes, name): (Vec<u8>, Option<Vec<u8>>),
        is_listed: bool,
    ) -> Result<ControlMessage, Refused> {
        self.serving.require_role()?;
        let caller = self.caller(key)?;
        let malformed = |_| Refused::because(RefusalCode::Malformed);
        let record = self.door.verify(&record_bytes);
        let name = name.map(|bytes| NameRecord::parse_verified(&bytes));
        let claim = Claim {
            record: record.map_err(malformed)?,
            record_bytes,
            name: name.transpose().map_err(malformed)?,
            is_listed,
        };
        self.serving.on_register(now, &caller, reference, claim)
    }

    /// Ends sessions whose registration ran out: their owners find out and register anew.
    pub(super) fn drop_ended_registrations(&mut self) {
        while let Some(key) = self.serving.poll_ended() {
            if let Some(entry) = self.table.get_mut(key) {
                entry
                    .peer
                    .end_association(crate::api::DisconnectReason::TimedOut);
                self.agenda.on_touched(key);
            }
        }
    }

    fn introduce(
        &mut self,
        now: Instant,
        key: PeerKey,
        request: (u64, &Target, u32),
    ) -> Result<ControlMessage, Refused> {
        let caller = self.caller(key)?;
        let table = &self.table;
        let source_of = |key| table.get(key)?.peer.active_route()?.address();
        let introduction = self
            .serving
            .on_connect_request(now, &caller, request, source_of)?;
        let (target, answer) = (introduction.target, introduction.answer.clone());
        let entry = self.table.get_mut(target);
        let peer = &mut entry.ok_or(Refused::because(RefusalCode::Unknown))?.peer;
        let asked = peer.ask(now, Purpose::Introduce, limits::CONTROL_LIFE, |n| {
            introduction.into_request(n)
        });
        self.agenda.on_touched(target);
        asked.map_err(|_| Refused::because(RefusalCode::Full))?;
        Ok(answer)
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
        let record = self.door.verify(record);
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
        let verified = self.door.verify(record).ok();
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
        let key = self.table.ensure(now, record.id);
        let reflexive = self.addresses.reflexive();
        if let Some(entry) = self.table.get_mut(key) {
            entry.is_known = true;
            entry.peer.learn_record(record);
            let paths = &mut entry.peer.paths;
            paths.on_local_addresses(&reflexive, self.addresses.interfaces());
        }
        if let Some(name) = name {
            self.table.set_name(key, name);
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
