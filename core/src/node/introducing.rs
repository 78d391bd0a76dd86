//! This node's own introducers: reached, registered with, left (protocol §6, §10.1). The link decides when; here it
//! is done.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use super::Node;
use super::errands::Errand;
use crate::api::{ApiMisuse, EffectId, EffectResult, Event, IntroducerAddress, IntroducerState};
use crate::directory::client::{IntroducerLink, LinkAction};
use crate::id::{NodeId, PeerKey};
use crate::limits;
use crate::path::Route;
use crate::peer::Purpose;
use crate::time::Instant;
use crate::wire::control::{ControlMessage, RefusalCode};

/// One introducer and the state of the link to it.
pub(super) struct Introducer {
    pub(super) address: IntroducerAddress,
    pub(super) link: IntroducerLink,
    told: Option<IntroducerState>,
}

impl Node {
    /// Adds an introducer, unless it is there already.
    pub(super) fn add_introducer(&mut self, address: IntroducerAddress) {
        if self.introducers.iter().any(|i| i.address.id == address.id) {
            return;
        }
        let link = IntroducerLink::new(self.rng.fork_next());
        self.introducers.push(Introducer {
            address,
            link,
            told: None,
        });
        self.stirred = true;
    }

    /// Leaves an introducer.
    pub(super) fn remove_introducer(&mut self, now: Instant, id: NodeId) -> Result<(), ApiMisuse> {
        let place = self.introducers.iter().position(|i| i.address.id == id);
        self.introducers
            .remove(place.ok_or(ApiMisuse::UnknownIntroducer)?);
        self.errands.forget(id);
        self.attempts.on_introducer_lost(now, id);
        self.addresses.on_introducer_removed(&id);
        if let Some(key) = self.table.key_of(&id)
            && let Some(entry) = self.table.get_mut(key)
        {
            entry.peer.drop_call();
            entry.peer.close(0, "goodbye");
            self.agenda.on_touched(key);
        }
        self.stirred = true;
        Ok(())
    }

    /// Whether this peer is one of our introducers.
    pub(super) fn is_introducer(&self, key: PeerKey) -> bool {
        self.introducer_index(key).is_some()
    }

    fn introducer_index(&self, key: PeerKey) -> Option<usize> {
        let id = self.table.get(key)?.peer.id();
        self.introducers.iter().position(|i| i.address.id == id)
    }

    fn introducer_mut(&mut self, key: PeerKey) -> Option<&mut Introducer> {
        let index = self.introducer_index(key)?;
        self.introducers.get_mut(index)
    }

    /// Whoever is called anew must not be known by an old key for ever: the next call asks for it.
    pub(super) fn on_call_failed(&mut self, now: Instant, key: PeerKey) {
        self.stirred = true;
        if let Some(introducer) = self.introducer_mut(key) {
            introducer.link.on_session_lost(now);
            if let Some(entry) = self.table.get_mut(key) {
                entry.peer.record = None;
            }
            return;
        }
        self.on_peer_call_failed(now, key);
    }

    /// A session stands; says whether it is with an introducer of ours.
    pub(super) fn on_introducer_session(&mut self, key: PeerKey) -> bool {
        self.introducer_mut(key)
            .map(|introducer| introducer.link.on_session_up())
            .is_some()
    }

    /// A session ended; says whether it was with an introducer of ours.
    pub(super) fn on_introducer_lost(&mut self, now: Instant, key: PeerKey) -> bool {
        let is_called_anew = self.table.get(key).is_some_and(|e| e.peer.is_calling());
        let Some(introducer) = self.introducer_mut(key) else {
            return false;
        };
        if !is_called_anew {
            introducer.link.on_session_lost(now);
        }
        let id = introducer.address.id;
        self.attempts.on_introducer_lost(now, id);
        true
    }

    /// Does what the links ask for and tells what changed.
    pub(super) fn advance_introducers(&mut self, now: Instant) {
        for index in 0..self.introducers.len() {
            while let Some((id, action)) = self
                .introducers
                .get_mut(index)
                .and_then(|i| Some((i.address.id, i.link.poll_action(now)?)))
            {
                match action {
                    LinkAction::Resolve => self.resolve(now, index),
                    LinkAction::Connect(address) => self.call_introducer(now, id, address),
                    LinkAction::Register => self.send_registration(now, id),
                }
            }
            self.tell_introducer_state(index);
        }
    }

    fn resolve(&mut self, now: Instant, index: usize) {
        let Some(introducer) = self.introducers.get_mut(index) else {
            return;
        };
        let IntroducerAddress { id, host, port } = &introducer.address;
        if let Ok(ip) = host.parse::<IpAddr>() {
            introducer
                .link
                .on_resolved(now, &[SocketAddr::new(ip, *port)]);
        } else {
            let (id, host, port) = (*id, host.clone(), *port);
            self.errands.resolve(now, id, host, port);
        }
    }

    /// The driver answers an effect.
    pub(super) fn on_effect_answered(
        &mut self,
        now: Instant,
        id: EffectId,
        result: EffectResult,
    ) -> Result<(), ApiMisuse> {
        let errand = self.errands.on_answer(id, &result)?;
        self.on_errand_ended(now, errand, result);
        self.stirred = true;
        Ok(())
    }

    /// What was asked of the outside is done, or has failed.
    pub(super) fn on_errand_ended(&mut self, now: Instant, errand: Errand, result: EffectResult) {
        match (errand, result) {
            (Errand::Resolve(id), result) => {
                let introducer = self.introducers.iter_mut().find(|i| i.address.id == id);
                let Some(introducer) = introducer else { return };
                match result {
                    EffectResult::Resolved(found) => introducer.link.on_resolved(now, &found),
                    _ => introducer.link.on_resolve_failed(now),
                }
            }
            (Errand::Persist, EffectResult::Persisted) => {}
            (Errand::Persist, _) => self.counters.records_not_kept += 1,
        }
    }

    fn call_introducer(&mut self, now: Instant, id: NodeId, address: SocketAddr) {
        let key = self.table.ensure(now, id);
        if let Some(entry) = self.table.get_mut(key) {
            entry
                .peer
                .end_association(crate::api::DisconnectReason::Local);
        }
        self.call(now, key, Route::to(crate::path::canonical(address)));
    }

    fn send_registration(&mut self, now: Instant, id: NodeId) {
        let Some(key) = self.table.key_of(&id) else {
            return;
        };
        let key_record = self.door.identity().record().to_bytes().to_vec();
        let sequence = self.door.identity().record().sequence;
        let name = self.settings.name.as_deref();
        let name = name.and_then(|n| {
            self.door
                .identity()
                .sign_name(n, sequence, limits::NAME_LIFE_S)
                .ok()
        });
        let (name_record, listed) = (name.map(|n| n.to_bytes()), self.settings.listed);
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let asked = entry
            .peer
            .ask(now, Purpose::Register, limits::CONTROL_LIFE, |reference| {
                ControlMessage::Register {
                    reference,
                    key_record,
                    name_record,
                    listed,
                }
            });
        self.agenda.on_touched(key);
        if asked.is_err() {
            self.on_register_failed(now, key);
        }
    }

    pub(super) fn on_register_failed(&mut self, now: Instant, key: PeerKey) {
        if let Some(introducer) = self.introducer_mut(key) {
            introducer.link.on_request_timed_out(now);
        }
    }

    pub(super) fn on_register_answer(
        &mut self,
        now: Instant,
        key: PeerKey,
        answer: ControlMessage,
    ) {
        let Some(introducer) = self.introducer_mut(key) else {
            return;
        };
        match answer {
            ControlMessage::Registered {
                observed, life_s, ..
            } => {
                let observed = crate::path::canonical(observed);
                let life = Duration::from_secs(u64::from(life_s));
                introducer.link.on_registered(now, observed, life);
                let id = introducer.address.id;
                self.addresses.on_observed(id, observed);
                self.attempts.on_introducer_registered(now, id);
                self.announce_addresses();
                self.restore_relays(now, key);
            }
            ControlMessage::Refused {
                code,
                retry_after_s,
                ..
            } => {
                let wait = retry_after_s.map(|s| Duration::from_secs(u64::from(s)));
                introducer.link.on_refused(now, explain(code), wait);
            }
            _ => introducer.link.on_request_timed_out(now),
        }
    }

    fn tell_introducer_state(&mut self, index: usize) {
        let Some(introducer) = self.introducers.get_mut(index) else {
            return;
        };
        let (id, state) = (introducer.address.id, introducer.link.state());
        if introducer.told != Some(state) {
            introducer.told = Some(state);
            self.events.push_back(Event::Introducer { id, state });
        }
    }
}

/// A refused registration in words for the user.
const fn explain(code: RefusalCode) -> &'static str {
    match code {
        RefusalCode::Taken => "the name belongs to another key",
        RefusalCode::Full => "the introducer is full",
        RefusalCode::Throttled => "too many attempts",
        RefusalCode::Role => "the node is no introducer",
        RefusalCode::Malformed => "the introducer does not understand the registration",
        RefusalCode::Unknown | RefusalCode::Refused => "the introducer refused",
    }
}
