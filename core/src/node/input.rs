//! Whom a datagram concerns (protocol §1). Everything that nobody claims is counted and dropped.

use super::Node;
use super::provisional::{HalfOpen, HalfOpenIk};
use super::table::Owner;
use crate::id::PeerKey;
use crate::path::Route;
use crate::peer::{PacketFate, Renewal};
use crate::session::{OpenError, RESET_BYTES, is_reset};
use crate::time::Instant;
use crate::wire::packet::{DatagramKind, receiver_index};
use crate::wire::stun;

impl Node {
    /// Takes a datagram that came by any route.
    pub(super) fn handle_routed(&mut self, now: Instant, route: Route, datagram: &mut [u8]) {
        match DatagramKind::classify(datagram) {
            DatagramKind::Data => self.handle_data(now, route, datagram),
            DatagramKind::IkInitiation => self.handle_ik_initiation(now, route, datagram),
            DatagramKind::XxFirst => self.handle_xx_first(now, route, datagram),
            DatagramKind::XxThird => self.handle_xx_third(now, route, datagram),
            DatagramKind::IkResponse | DatagramKind::XxSecond => {
                self.handle_response(now, route, datagram);
            }
            DatagramKind::CookieReply => self.handle_cookie(now, datagram),
            DatagramKind::StatelessReset => self.handle_reset(datagram),
            DatagramKind::Stun => self.handle_stun(now, route, datagram),
            DatagramKind::FirstGeneration => self.counters.dropped_legacy += 1,
            DatagramKind::Unknown => self.counters.dropped_unknown += 1,
        }
    }

    fn handle_data(&mut self, now: Instant, route: Route, datagram: &mut [u8]) {
        let Some(index) = receiver_index(datagram) else {
            self.counters.dropped_unknown += 1;
            return;
        };
        match self.table.owner(index) {
            Some(Owner::Peer(key)) => self.handle_packet(now, route, key, index, datagram),
            Some(Owner::Provisional) => self.confirm(now, route, index, datagram),
            Some(Owner::Calling(_)) => self.counters.dropped_unauthentic += 1,
            None => {
                self.counters.dropped_unauthentic += 1;
                if route.is_direct()
                    && let Some(reset) = self.guard.reset(now, index, datagram.len())
                {
                    self.outbox.push_back((route, reset));
                }
            }
        }
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        route: Route,
        key: PeerKey,
        index: u32,
        datagram: &mut [u8],
    ) {
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let fate = entry.peer.handle_packet(now, route, index, datagram);
        self.count_fate(fate);
        if fate == PacketFate::Applied {
            self.serving.on_authentic_packet(now, key);
        }
        self.agenda.on_touched(key);
    }

    fn count_fate(&mut self, fate: PacketFate) {
        match fate {
            PacketFate::Applied => {}
            PacketFate::Unauthentic => self.counters.dropped_unauthentic += 1,
            PacketFate::Replayed => self.counters.dropped_replayed += 1,
            PacketFate::Malformed => self.counters.dropped_malformed += 1,
        }
    }

    /// The first data packet of a half-open session: it proves that the initiator holds the keys.
    fn confirm(&mut self, now: Instant, route: Route, index: u32, datagram: &mut [u8]) {
        let since = self.provisional.since(index);
        let Some((HalfOpen::Ik(half_open), answered)) = self.provisional.get_mut(index) else {
            self.counters.dropped_unauthentic += 1;
            return;
        };
        let held = self
            .table
            .key_of(&half_open.record.id)
            .and_then(|key| self.table.get(key));
        // A later call of ours was answered: the two crossed, and the other side goes on with ours.
        if held.as_ref().and_then(|e| e.peer.called_since()) > since {
            self.counters.dropped_unknown += 1;
            return;
        }
        let association = held.map_or(0, |entry| entry.peer.association());
        if half_open.resumes && association != half_open.association {
            // What it would go on with has ended: the caller hears of it by a stateless reset.
            let retired = self.provisional.drop_slot(index);
            self.retire(retired.into_iter().collect());
            self.counters.dropped_unauthentic += 1;
            return;
        }
        let opened = match half_open.session.open(datagram, now) {
            Ok(opened) => opened,
            Err(OpenError::Replayed) => return self.counters.dropped_replayed += 1,
            Err(_) => return self.counters.dropped_unauthentic += 1,
        };
        let Some(HalfOpen::Ik(half_open)) = self.provisional.take(index) else {
            return;
        };
        let HalfOpenIk {
            session,
            record,
            association,
            capabilities,
            ..
        } = *half_open;
        let key = self.table.ensure(now, record.id);
        self.table.set_owner(index, Owner::Peer(key));
        let bytes = datagram.len();
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        entry.peer.learn(record, capabilities);
        // The answer reached the caller; where this packet seems to come from is not proven by it.
        entry.peer.on_confirmed(now, session, association, answered);
        let payload = datagram.get(opened.payload).unwrap_or_default();
        let fate = entry
            .peer
            .handle_opened(now, route, (index, opened.pn), payload, bytes);
        self.count_fate(fate);
        self.agenda.on_touched(key);
    }

    fn handle_reset(&mut self, datagram: &[u8]) {
        let token = datagram
            .len()
            .checked_sub(16)
            .and_then(|at| datagram.get(at..));
        let token: Option<&[u8; 16]> = token.and_then(|t| t.try_into().ok());
        let owner = token.and_then(|token| Some((token, self.table.by_token(token)?)));
        let Some((token, key)) = owner.filter(|_| datagram.len() == RESET_BYTES) else {
            self.counters.dropped_unknown += 1;
            return;
        };
        if !is_reset(datagram, token) {
            return;
        }
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        entry.peer.on_reset(token);
        self.agenda.on_touched(key);
    }

    fn handle_stun(&mut self, now: Instant, route: Route, datagram: &[u8]) {
        let request = stun::parse_binding_request(datagram);
        let (Some(transaction), Some(source)) = (request, route.address()) else {
            self.counters.dropped_unknown += 1;
            return;
        };
        if !self.settings.roles.stun || !self.guard.may_answer_stun(now) {
            self.counters.dropped_throttled += 1;
            return;
        }
        let mut response = vec![0; stun::RESPONSE_BYTES_MAX];
        if let Ok(len) = stun::write_success(&mut response, &transaction, source) {
            response.truncate(len);
            self.outbox.push_back((route, response));
            self.counters.stun_answers += 1;
        }
    }

    /// A peer's deadline has passed.
    pub(super) fn wake_peer(&mut self, now: Instant, key: PeerKey) {
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        if entry.peer.handle_timeout(now) == Renewal::Due
            && let Some(route) = entry.peer.active_route()
        {
            self.call(now, key, route);
        }
        self.agenda.on_touched(key);
    }
}
