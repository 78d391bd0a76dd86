//! Whom a datagram concerns (protocol §1). Everything that nobody claims is counted and dropped.

use super::Node;
use super::table::Owner;
use crate::id::PeerKey;
use crate::path::Route;
use crate::peer::{PacketFate, Renewal, Via};
use crate::session::{RESET_BYTES, is_reset};
use crate::time::Instant;
use crate::wire::packet::{DatagramKind, receiver_index};

impl Node {
    /// Takes a datagram that came by any route.
    pub(super) fn handle_routed(&mut self, now: Instant, via: Via, datagram: &mut [u8]) {
        let route = via.route;
        match DatagramKind::classify(datagram) {
            DatagramKind::Data => self.handle_data(now, via, datagram),
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

    fn handle_data(&mut self, now: Instant, via: Via, datagram: &mut [u8]) {
        let Some(index) = receiver_index(datagram) else {
            self.counters.dropped_unknown += 1;
            return;
        };
        match self.table.owner(index) {
            Some(Owner::Peer(key)) => self.handle_packet(now, via, key, index, datagram),
            Some(Owner::HalfOpen) => self.confirm(now, via, index, datagram),
            Some(Owner::Calling(_)) => self.counters.dropped_unauthentic += 1,
            None => {
                self.counters.dropped_unauthentic += 1;
                if via.route.is_direct()
                    && let Some(reset) = self.door.reset(now, index, datagram.len())
                {
                    self.outbox.push_back((via.route, reset));
                }
            }
        }
    }

    fn handle_packet(
        &mut self,
        now: Instant,
        via: Via,
        key: PeerKey,
        index: u32,
        datagram: &mut [u8],
    ) {
        let Some(entry) = self.table.get_mut(key) else {
            return;
        };
        let fate = entry.peer.handle_packet(now, via, index, datagram);
        self.count_fate(fate);
        if fate == PacketFate::Applied {
            self.serving.on_authentic_packet(now, key);
        }
        self.agenda.on_touched(key);
    }

    pub(super) fn count_fate(&mut self, fate: PacketFate) {
        match fate {
            PacketFate::Applied => {}
            PacketFate::Unauthentic => self.counters.dropped_unauthentic += 1,
            PacketFate::Replayed => self.counters.dropped_replayed += 1,
            PacketFate::Malformed => self.counters.dropped_malformed += 1,
        }
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
        match self.door.on_stun(now, route, datagram) {
            Ok(response) => {
                self.outbox.push_back((route, response));
                self.counters.stun_answers += 1;
            }
            Err(why) => self.count_dropped(why),
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
