//! One remote node: its sessions, the line to it and what is said over it, wired together (docs/architecture.md §4).
//!
//! A peer hands facts from one of its parts to another and holds no rule of its own: a frame that came in becomes a
//! fact for one part ([`input`]); what the parts want to say becomes packets ([`output`]); time is handed to whoever
//! waits for it ([`timeout`]). Orders of the application go to the [`levels`] directly, and facts about links and
//! addresses to the paths. What concerns more than one peer leaves as a [`PeerOutcome`].

mod acks;
mod activity;
mod common;
mod farewell;
mod handshake;
mod input;
mod levels;
mod line;
mod outcome;
mod output;
mod profile;
mod rest;
mod sessions;
mod sources;
mod status;
#[cfg(any(test, feature = "fuzzing"))]
mod tests;
mod timeout;
mod transmit;

pub(crate) use common::Common;
pub(crate) use farewell::Farewell;
pub(crate) use input::{PacketFate, Via};
pub(crate) use outcome::PeerOutcome;
pub(crate) use rest::Resident;
pub(crate) use timeout::Renewal;
pub(crate) use transmit::PeerTransmit;

use std::collections::VecDeque;
use std::sync::Arc;

use self::activity::Activity;
use self::handshake::Handshakes;
use self::levels::Levels;
use self::line::Line;
use self::profile::Profile;
use self::sessions::Sessions;
use self::sources::Sources;
use self::status::PeerCounts;
use crate::api::DisconnectReason;
use crate::id::NodeId;
use crate::path::{Paths, Route};
use crate::rng::Rng;
use crate::schedule::PacketSchedule;
use crate::session::{Initiator, Session};
use crate::time::{Duration, Instant};

/// One remote node.
pub(crate) struct Peer {
    id: NodeId,
    pub(crate) profile: Profile,
    sessions: Sessions,
    pub(crate) handshakes: Handshakes,
    pub(crate) line: Line,
    pub(crate) sources: Sources,
    /// Which source has the next packets.
    packets: PacketSchedule,
    /// With what the next packet ends the connection.
    farewell: Option<Farewell>,
    activity: Activity,
    outcomes: VecDeque<PeerOutcome>,
}

impl Peer {
    /// A peer without session or path.
    pub(crate) fn new(now: Instant, id: NodeId, common: Arc<Common>, rng: Rng) -> Self {
        let paths = Paths::new(rng.fork("paths"), common.direct_paths, now);
        let (congestion, weights) = (common.congestion, common.weights);
        // Whose node id is the smaller one decides who numbers streams how.
        let is_smaller = common.local_id < id;
        let levels = Levels::new(id, is_smaller, common, rng.fork("levels"));
        Self {
            id,
            profile: Profile::default(),
            sessions: Sessions::default(),
            handshakes: Handshakes::default(),
            line: Line::new(paths, congestion, rng),
            sources: Sources::new(now, weights, levels),
            packets: PacketSchedule::default(),
            farewell: None,
            activity: Activity::new(now),
            outcomes: VecDeque::new(),
        }
    }

    /// Its identity.
    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    /// The keys of the association in force.
    pub(crate) fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whether packets can be sealed for it.
    pub(crate) fn is_connected(&self) -> bool {
        self.sessions.is_up()
    }

    /// Whether a goodbye is about to leave.
    pub(crate) fn is_closing(&self) -> bool {
        self.farewell.is_some()
    }

    /// Where data goes now.
    pub(crate) fn active_route(&self) -> Option<Route> {
        self.line.active_route()
    }

    /// What passed between it and us.
    pub(crate) fn counts(&self, now: Instant) -> PeerCounts {
        PeerCounts::of(&self.line, &self.activity, now)
    }

    /// Takes the next thing that the node has to act on.
    pub(crate) fn poll_outcome(&mut self) -> Option<PeerOutcome> {
        self.sources.levels.collect_events();
        self.sources.take_news(&mut self.outcomes);
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

    /// Gives a handshake of ours up.
    pub(crate) fn drop_handshake(&mut self) {
        let retired = self.handshakes.give_up();
        self.retire(retired);
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
        let answered = self.handshakes.on_answered(now, final_datagram, came_by);
        let Some(answered) = answered else {
            return;
        };
        self.install(now, session, association, answered.route);
        self.sources.pings.confirm();
        let path = self.line.paths.key_of(answered.route);
        if let (Some(path), Some(rtt)) = (path, answered.rtt) {
            self.line.seed_rtt(now, path, rtt);
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
        let largest = self.sources.received.largest();
        let retired = self.sessions.install(now, session, association, largest);
        self.retire(retired);
        self.sources.levels.on_up();
        self.line.paths.on_established(now, route);
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
        self.farewell = None;
        self.line.on_ended();
        self.sources.on_ended(&mut self.outcomes);
        self.outcomes.push_back(PeerOutcome::Ended(reason));
    }

    /// Says goodbye with the next packet, or what rule the peer broke, then ends the association.
    pub(crate) fn close(&mut self, farewell: Farewell) {
        if self.sessions.is_up() && self.farewell.is_none() {
            self.farewell = Some(farewell);
        }
    }

    /// A stateless reset with a token of this peer.
    pub(crate) fn on_reset(&mut self, token: &[u8; 16]) {
        let is_current = self.sessions.is_current_token(token);
        self.lose_session(is_current, DisconnectReason::PeerRestarted);
    }

    /// Keys open nothing any more: ends the association, or only the session before.
    fn lose_session(&mut self, is_current: bool, reason: DisconnectReason) {
        if is_current {
            self.end_association(reason);
        } else {
            let retired = self.sessions.drop_previous();
            self.retire(retired);
        }
    }

    fn retire(&mut self, indices: impl IntoIterator<Item = u32>) {
        let retired = indices.into_iter().map(PeerOutcome::IndexRetired);
        self.outcomes.extend(retired);
    }
}
