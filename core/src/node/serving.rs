//! What others ask of this node in control messages: registrations, searches, introductions (protocol §6, §10).
//! Records are verified here; the introducer's role is told facts only.

use std::sync::Arc;

use super::peers::Peers;
use super::table::View;
use crate::api::DisconnectReason;
use crate::directory::server::Requester;
use crate::door::{Door, Guests};
use crate::id::PeerKey;
use crate::identity::NameRecord;
use crate::introducer::{Claim, IntroducerRole, Refused};
use crate::limits;
use crate::purpose::Purpose;
use crate::rendezvous::Rendezvous;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RefusalCode, RefusedCommand, Target};

/// The introducer's role, and those it is asked by.
pub(super) struct Serving {
    pub(super) role: IntroducerRole,
}

impl Serving {
    /// Executes a request; it is new, its repetitions are answered below. Returns what a refusal answers, and the
    /// answer.
    pub(super) fn carry_out(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        door: &mut Door,
        (key, reference): (PeerKey, u64),
        message: ControlMessage,
    ) -> (RefusedCommand, Result<ControlMessage, Refused>) {
        match message {
            ControlMessage::Register {
                key_record,
                name_record,
                listed,
                ..
            } => {
                let claim = |door: &mut Door| read_claim(door, key_record, name_record, listed);
                let result = self.register(now, peers, door, (key, reference), claim);
                (RefusedCommand::Register, result)
            }
            ControlMessage::Search { prefix, cursor, .. } => {
                let result = caller(peers, key).and_then(|caller| {
                    let cursor = cursor.as_deref();
                    self.role
                        .on_search(now, &caller, reference, &prefix, cursor)
                });
                (RefusedCommand::Search, result)
            }
            ControlMessage::ConnectRequest {
                target, channel, ..
            } => {
                let request = (reference, &target, channel);
                let result = self.introduce(now, peers, key, request);
                (RefusedCommand::Connect, result)
            }
            _ => {
                let refused = Refused::because(RefusalCode::Malformed);
                (RefusedCommand::Connect, Err(refused))
            }
        }
    }

    fn register(
        &mut self,
        now: Instant,
        peers: &Peers,
        door: &mut Door,
        (key, reference): (PeerKey, u64),
        claim: impl FnOnce(&mut Door) -> Result<Claim, Refused>,
    ) -> Result<ControlMessage, Refused> {
        self.role.require_role()?;
        let caller = caller(peers, key)?;
        let mut claim = claim(door)?;
        // The peer and the directory hold one record.
        let known = peers
            .table
            .get(key)
            .and_then(|e| e.peer.profile.record().cloned());
        if let Some(known) = known.filter(|known| *known == claim.record) {
            claim.record = known;
        }
        self.role.on_register(now, &caller, reference, claim)
    }

    fn introduce(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        key: PeerKey,
        request: (u64, &Target, u32),
    ) -> Result<ControlMessage, Refused> {
        let caller = caller(peers, key)?;
        let source_of = |key| peers.table.get(key)?.peer.active_route()?.address();
        let introduction = self
            .role
            .on_connect_request(now, &caller, request, source_of)?;
        let (target, answer) = (introduction.target, introduction.answer.clone());
        let channel = introduction.target_channel;
        let purpose = Purpose::Introduce { channel };
        let entry = peers.change(target);
        let peer = &mut entry.ok_or(Refused::because(RefusalCode::Unknown))?.peer;
        let asked = peer
            .sources
            .levels
            .ask(now, purpose, limits::CONTROL_LIFE, |n| {
                introduction.into_request(n)
            });
        asked.map_err(|_| Refused::because(RefusalCode::Full))?;
        Ok(answer)
    }

    /// A peer does not want the relay channel with this number of its end; the other end hears of it.
    pub(super) fn close_channel(
        &mut self,
        peers: &mut Peers,
        (key, channel): (PeerKey, u32),
        code: RefusalCode,
    ) {
        if let Some((other, channel)) = self.role.on_declined(key, channel)
            && let Some(entry) = peers.change(other)
        {
            let message = ControlMessage::ChannelClosed { channel, code };
            entry.peer.sources.push_control(&message);
        }
    }

    /// A relay channel is not wanted by its other end: one that goes through us, or one of ours.
    pub(super) fn on_channel_closed(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        rendezvous: &mut Rendezvous,
        (key, channel): (PeerKey, u32),
        code: RefusalCode,
    ) {
        self.close_channel(peers, (key, channel), code);
        if peers.on_channel_closed(now, key, channel)
            && let Some(introducer) = peers.id_of(key)
        {
            rendezvous.on_channel_closed(now, introducer, channel, code);
        }
    }

    /// Ends sessions that came to register and did not.
    pub(super) fn end_unregistered(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        guests: &mut Guests,
    ) {
        while let Some(key) = guests.poll_overdue(now) {
            let is_wanted = |e: View<'_>| e.is_known || self.role.is_registered(now, key);
            if !peers.table.get(key).is_none_or(is_wanted)
                && let Some(entry) = peers.change(key)
            {
                entry.peer.end_association(DisconnectReason::TimedOut);
            }
        }
    }

    /// Ends sessions whose registration ran out: their owners find out and register anew.
    pub(super) fn drop_ended(&mut self, peers: &mut Peers) {
        while let Some(key) = self.role.poll_ended() {
            if let Some(entry) = peers.change(key) {
                entry.peer.end_association(DisconnectReason::TimedOut);
            }
        }
    }
}

/// Who asks, and its address as seen here.
fn caller(peers: &Peers, key: PeerKey) -> Result<Requester, Refused> {
    let entry = peers.table.get(key);
    let caller = entry.and_then(|entry| {
        Some(Requester {
            session: key,
            id: entry.peer.id(),
            source: entry.peer.active_route()?.address()?,
        })
    });
    caller.ok_or(Refused::because(RefusalCode::Refused))
}

fn read_claim(
    door: &mut Door,
    record_bytes: Vec<u8>,
    name: Option<Vec<u8>>,
    is_listed: bool,
) -> Result<Claim, Refused> {
    let malformed = |_| Refused::because(RefusalCode::Malformed);
    let record = door.verify(&record_bytes);
    let name = name.map(|bytes| NameRecord::parse_verified(&bytes));
    Ok(Claim {
        record: Arc::new(record.map_err(malformed)?),
        name: name.transpose().map_err(malformed)?,
        is_listed,
    })
}
