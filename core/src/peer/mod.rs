//! One remote node: its sessions, paths, recovery and levels, wired together (docs/architecture.md §4).
//!
//! A peer translates between its parts and holds no rule of its own: a frame that came in becomes a fact for one
//! part ([`input`]); what the parts want to say becomes frames ([`output`]); time is handed to whoever waits for it
//! ([`timeout`]); the application's orders go to the level that they name ([`orders`]). What concerns more than
//! one peer leaves as a [`PeerOutcome`].

mod activity;
mod common;
mod delivery;
mod handshake;
mod input;
mod levels;
mod outcome;
mod output;
mod packets;
mod rest;
mod sessions;
mod status;
#[cfg(any(test, feature = "fuzzing"))]
mod tests;
mod timeout;

pub(crate) use common::Common;
pub(crate) use input::{PacketFate, Via};
pub(crate) use outcome::{Farewell, PeerOutcome};
pub(crate) use output::PeerTransmit;
pub(crate) use rest::Resident;
pub(crate) use timeout::Renewal;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use self::activity::Activity;
use self::handshake::Handshakes;
use self::levels::Levels;
use self::sessions::Sessions;
use crate::api::{ApiMisuse, DisconnectReason};
use crate::id::NodeId;
use crate::identity::KeyRecord;
use crate::path::{Paths, Route};
use crate::recovery::{AckOutcome, ReceivedPackets, Recovery, TimeoutOutcome};
use crate::rng::Rng;
use crate::schedule::{Content, Controls, Pings, Relayed};
use crate::session::{Initiator, Session};
use crate::time::{Duration, Instant};

/// One remote node.
pub(crate) struct Peer {
    common: Arc<Common>,
    id: NodeId,
    is_smaller: bool,
    /// Name under which it was found or introduced.
    pub(crate) name: Option<String>,
    /// Its verified key record, once known.
    pub(crate) record: Option<Arc<KeyRecord>>,
    /// What it offers, from its last handshake (protocol §3.8).
    capabilities: u32,
    sessions: Sessions,
    pub(crate) handshakes: Handshakes,
    pub(crate) paths: Paths,
    recovery: Recovery<Content>,
    received: ReceivedPackets,
    acks: AckOutcome<Content>,
    timeouts: TimeoutOutcome<Content>,
    pub(crate) levels: Levels,
    controls: Controls,
    relayed: Relayed<Route>,
    pings: Pings,
    paced_until: Option<Instant>,
    closing: Option<Farewell>,
    outcomes: VecDeque<PeerOutcome>,
    rng: Rng,
    activity: Activity,
}

impl Peer {
    /// A peer without session or path. `is_smaller` says that our node id is the smaller one, which decides who
    /// numbers streams how.
    pub(crate) fn new(
        now: Instant,
        id: NodeId,
        is_smaller: bool,
        common: Arc<Common>,
        rng: Rng,
    ) -> Self {
        Self {
            id,
            is_smaller,
            name: None,
            record: None,
            capabilities: 0,
            sessions: Sessions::default(),
            handshakes: Handshakes::default(),
            paths: Paths::new(rng.fork("paths"), common.direct_paths, now),
            recovery: Recovery::new(common.congestion),
            received: ReceivedPackets::new(),
            acks: AckOutcome::new(),
            timeouts: TimeoutOutcome::new(),
            levels: Levels::new(id, is_smaller, Arc::clone(&common), rng.fork("levels")),
            controls: Controls::new(now),
            relayed: Relayed::default(),
            pings: Pings::default(),
            paced_until: None,
            closing: None,
            outcomes: VecDeque::new(),
            rng,
            activity: Activity::new(now),
            common,
        }
    }

    /// Its identity.
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// Takes over a verified key record, unless a newer one is known.
    pub(crate) fn learn(&mut self, record: KeyRecord, capabilities: u32) {
        self.capabilities = capabilities & !crate::session::ENGINE_CAPABILITIES;
        self.learn_record(Arc::new(record));
    }

    /// What it offers, bit by bit.
    pub(crate) const fn capabilities(&self) -> u32 {
        self.capabilities
    }

    /// An introducer showed its key record.
    pub(crate) fn learn_record(&mut self, record: Arc<KeyRecord>) {
        if self
            .record
            .as_ref()
            .is_none_or(|known| known.sequence <= record.sequence)
        {
            self.record = Some(record);
        }
    }

    /// Whether packets can be sealed for it.
    pub(crate) fn is_connected(&self) -> bool {
        self.sessions.is_up()
    }

    /// Whether a goodbye is about to leave.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Whether a handshake of ours is under way.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.handshakes.is_under_way()
    }

    /// The association in force; 0 for none.
    pub(crate) fn association(&self) -> u64 {
        self.sessions.association()
    }

    /// Tokens that would end a session of ours with it.
    pub(crate) fn reset_tokens(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.sessions.reset_tokens()
    }

    /// Takes the next thing that the node has to act on.
    pub(crate) fn poll_outcome(&mut self) -> Option<PeerOutcome> {
        self.levels.collect_events();
        self.collect_news();
        self.outcomes.pop_front()
    }

    /// Starts a handshake over a route, instead of one that may be under way.
    pub(crate) fn initiate(
        &mut self,
        now: Instant,
        initiator: Initiator,
        route: Route,
        life: Duration,
    ) {
        self.drop_handshake();
        let is_rekey = self.sessions.is_up();
        self.handshakes.start(now, initiator, route, life, is_rekey);
    }

    /// Whether a call of ours was answered so recently that the peer's own call must be older than its answer.
    pub(crate) fn is_unconfirmed_handshake(&self, now: Instant) -> bool {
        self.sessions.is_unconfirmed_handshake(now)
    }

    /// When the session came up that this side called for, if it did.
    pub(crate) fn initiated_since(&self) -> Option<Instant> {
        self.sessions.initiated_since()
    }

    /// Gives a handshake of ours up.
    pub(crate) fn drop_handshake(&mut self) {
        let retired = self.handshakes.give_up();
        self.retire(retired);
    }

    fn retire(&mut self, indices: impl IntoIterator<Item = u32>) {
        let retired = indices.into_iter().map(PeerOutcome::IndexRetired);
        self.outcomes.extend(retired);
    }

    /// A session of ours came up: the responder answered.
    pub(crate) fn on_answered(
        &mut self,
        now: Instant,
        session: Session,
        association: u64,
        final_datagram: Option<Vec<u8>>,
        came_by: Route,
    ) {
        let Some(answered) = self.handshakes.on_answered(now, final_datagram, came_by) else {
            return;
        };
        self.install(now, session, association, answered.route);
        self.pings.confirm();
        let path = self.paths.key_of(answered.route);
        if let (Some(path), Some(rtt)) = (path, answered.rtt) {
            let path = crate::recovery::PathKey(path.0);
            self.recovery.seed_rtt(path, rtt, now);
        }
    }

    /// A session that the other side started was confirmed by a packet.
    pub(crate) fn on_confirmed(
        &mut self,
        now: Instant,
        session: Session,
        association: u64,
        route: Route,
    ) {
        self.drop_handshake();
        if self.sessions.is_unconfirmed_handshake(now) {
            self.sessions.rename(association);
        }
        self.install(now, session, association, route);
    }

    fn install(&mut self, now: Instant, session: Session, association: u64, route: Route) {
        let is_new = association != self.sessions.association();
        if is_new && self.sessions.is_up() {
            self.end_sessions(DisconnectReason::PeerRestarted);
        }
        let largest = self.received.largest();
        let retired = self.sessions.install(now, session, association, largest);
        self.retire(retired);
        self.levels.on_up();
        self.paths.on_established(now, route);
        self.activity.on_received(now, 0);
        self.activity.on_busy(now);
        self.outcomes.push_back(PeerOutcome::Established { is_new });
    }

    /// Ends the association: everything unfinished fails, keys and packet numbers are forgotten.
    pub(crate) fn end_association(&mut self, reason: DisconnectReason) {
        if !self.sessions.is_up() {
            return;
        }
        let retired = self.handshakes.give_up_rekey();
        self.retire(retired);
        self.end_sessions(reason);
    }

    fn end_sessions(&mut self, reason: DisconnectReason) {
        let retired = self.sessions.clear();
        self.retire(retired);
        self.handshakes.on_confirmed();
        self.paths.on_ended();
        self.recovery = Recovery::new(self.common.congestion);
        self.received = ReceivedPackets::new();
        self.controls.clear();
        self.paced_until = None;
        self.relayed.clear();
        self.closing = None;
        self.levels.collect_events();
        self.collect_news();
        self.pings.on_ended();
        self.collect_pongs();
        self.levels.on_ended();
        self.collect_news();
        self.outcomes.push_back(PeerOutcome::Ended(reason));
    }

    /// Says goodbye with the next packet, then ends the association.
    pub(crate) fn close(&mut self, farewell: Farewell) {
        if self.sessions.is_up() && self.closing.is_none() {
            self.closing = Some(farewell);
        }
    }

    /// A datagram to forward to this peer through a relay channel; dropped where too much waits already.
    pub(crate) fn push_relayed(&mut self, channel: u32, datagram: Bytes) -> bool {
        // Nobody to forward to: it is dropped, and does not count as too much.
        !self.sessions.is_up() || self.relayed.push(channel, datagram)
    }

    /// A control message that is repeated until it arrives and has no answer.
    pub(crate) fn push_control(&mut self, json: Bytes) {
        if self.sessions.is_up() {
            self.controls.push(json);
        }
    }

    /// Measures one round trip.
    pub(crate) fn ping(&mut self) -> Result<(), ApiMisuse> {
        if !self.sessions.is_up() {
            return Err(ApiMisuse::NotConnected);
        }
        self.pings.ask();
        Ok(())
    }

    /// A stateless reset with a token of this peer: ends the association, or only the session before.
    pub(crate) fn on_reset(&mut self, token: &[u8; 16]) {
        if self.sessions.is_current_token(token) {
            self.end_association(DisconnectReason::PeerRestarted);
        } else if let Some(index) = self.sessions.drop_previous() {
            self.retire([index]);
        }
    }

    /// A session has met so many forgeries that its keys must not open anything any more (protocol §4.5).
    fn on_exhausted(&mut self, index: u32) {
        if self.sessions.is_current(index) {
            self.end_association(DisconnectReason::TimedOut);
        } else if let Some(index) = self.sessions.drop_previous() {
            self.retire([index]);
        }
    }

    /// Takes over what the levels have for the node.
    fn collect_news(&mut self) {
        while let Some(news) = self.levels.poll_news() {
            self.outcomes.push_back(news);
        }
    }
}
