//! Datagrams in and out: whom each concerns (protocol §1), handshakes at the table of peers, and what leaves. It holds
//! the door and what is to be sent; the peers are lent to it.

mod handshakes;
mod outbox;
mod probes;

pub(super) use outbox::Polled;

use core::net::{IpAddr, SocketAddr};

use self::outbox::Outbox;
use super::peers::Peers;
use super::table::Owner;
use crate::api::{ApiMisuse, LimitReached, Link, LinkId};
use crate::door::{Door, Dropped};
use crate::id::PeerKey;
use crate::limits;
use crate::link::Links;
use crate::path::Route;
use crate::peer::{PacketFate, Renewal, Via};
use crate::session::{RESET_BYTES, is_reset, receiver_index as handshake_index};
use crate::time::Instant;
use crate::wire::packet::{DatagramKind, receiver_index};

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handled {
    /// A packet of this peer was authentic and did what it says.
    Applied(PeerKey),
    /// It moved a handshake on, or ended a session.
    Taken,
    /// It was a STUN request, which is answered.
    StunAnswered,
    /// It was dropped.
    Dropped(Dropped),
}

/// Where datagrams meet peers.
pub(super) struct Endpoint {
    pub(super) door: Door,
    outbox: Outbox,
}

impl Endpoint {
    /// With nothing to send.
    pub(super) fn new(now: Instant, door: Door, links: Links) -> Self {
        let outbox = Outbox::new(now, links);
        Self { door, outbox }
    }

    /// Takes a datagram that came by any route. It is opened in place.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        via: Via,
        datagram: &mut [u8],
    ) -> Handled {
        let route = via.route;
        match DatagramKind::classify(datagram) {
            DatagramKind::Data => self.handle_data(now, peers, via, datagram),
            DatagramKind::IkInitiation => self.handle_ik_initiation(now, peers, route, datagram),
            DatagramKind::XxFirst => self.handle_xx_first(now, peers, route, datagram),
            DatagramKind::XxThird => self.handle_xx_third(now, peers, route, datagram),
            DatagramKind::IkResponse | DatagramKind::XxSecond => {
                self.handle_response(now, peers, route, datagram)
            }
            DatagramKind::CookieReply => handle_cookie(now, peers, datagram),
            DatagramKind::StatelessReset => handle_reset(peers, route, datagram),
            DatagramKind::Stun => self.handle_stun(now, route, datagram),
            DatagramKind::FirstGeneration => Handled::Dropped(Dropped::Legacy),
            DatagramKind::Unknown => Handled::Dropped(Dropped::Unknown),
        }
    }

    fn handle_data(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        via: Via,
        datagram: &mut [u8],
    ) -> Handled {
        let Some(index) = receiver_index(datagram) else {
            return Handled::Dropped(Dropped::Unknown);
        };
        match peers.table.owner(index) {
            Some(Owner::Peer(key)) => match peers.change(key) {
                Some(entry) => {
                    let fate = entry.peer.handle_packet(now, via, index, datagram);
                    handled(fate, Handled::Applied(key))
                }
                None => Handled::Dropped(Dropped::Unknown),
            },
            Some(Owner::HalfOpen) => self.confirm(now, peers, via, index, datagram),
            Some(Owner::Handshaking(_)) => Handled::Dropped(Dropped::Unauthentic),
            None => {
                if let Some(reset) = self.door.reset(now, via.route, index, datagram.len()) {
                    self.outbox.push(via.route, reset);
                }
                Handled::Dropped(Dropped::Unauthentic)
            }
        }
    }

    fn handle_stun(&mut self, now: Instant, route: Route, datagram: &[u8]) -> Handled {
        match self.door.on_stun(now, route, datagram) {
            Ok(response) => {
                self.outbox.push(route, response);
                Handled::StunAnswered
            }
            Err(why) => Handled::Dropped(why),
        }
    }

    /// The socket refused to send between these ends.
    pub(super) fn handle_send_error(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        (remote, local): (SocketAddr, Option<IpAddr>),
    ) {
        let sent = self.outbox.last_sent_between(remote, local);
        if let Some((key, route)) = sent
            && let Some(entry) = peers.change(key)
        {
            entry.peer.line.paths.on_send_error(now, route);
        }
    }

    /// The link's number, where that link is up.
    pub(super) fn usable(&self, link: LinkId) -> Option<LinkId> {
        self.outbox.links.usable(link)
    }

    /// A link is there, or works again. Says whether that is news.
    ///
    /// # Errors
    /// `Limit` where there are too many.
    pub(super) fn on_link_up(&mut self, link: Link) -> Result<bool, ApiMisuse> {
        let full = ApiMisuse::Limit(LimitReached {
            limit: "links",
            value: limits::LINKS as u64,
        });
        self.outbox.links.on_up(link).ok_or(full)
    }

    /// A link sends nothing any more: its paths do not wait for probe timeouts.
    ///
    /// # Errors
    /// `InvalidArgument` where there is no such link.
    pub(super) fn on_link_down(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        link: LinkId,
    ) -> Result<(), ApiMisuse> {
        let unknown = ApiMisuse::InvalidArgument {
            what: "the link",
            must: "must be one that was told to be up",
        };
        if self.outbox.links.on_down(link).ok_or(unknown)? {
            for key in peers.table.keys() {
                if let Some(entry) = peers.change(key) {
                    entry.peer.line.paths.on_link_down(now, link);
                }
            }
        }
        Ok(())
    }

    /// A peer's deadline has passed.
    pub(super) fn wake(&mut self, now: Instant, peers: &mut Peers, key: PeerKey) {
        let Some(entry) = peers.change(key) else {
            return;
        };
        if entry.peer.handle_timeout(now) == Renewal::Due
            && let Some(route) = entry.peer.active_route()
        {
            self.initiate(now, peers, key, route);
        }
    }

    /// Drops half-open handshakes that are too old.
    pub(super) fn on_timeout(&mut self, now: Instant, peers: &mut Peers) {
        for index in self.door.expire(now) {
            peers.table.retire_index(index);
        }
    }

    /// Writes the next datagrams into `buffer`.
    pub(super) fn poll(&mut self, now: Instant, peers: &mut Peers, buffer: &mut [u8]) -> Polled {
        self.outbox.poll(now, peers, buffer)
    }

    /// Datagrams that belong to no session and wait to leave.
    pub(super) fn waiting(&self) -> usize {
        self.outbox.len()
    }
}

const fn handled(fate: PacketFate, applied: Handled) -> Handled {
    match fate {
        PacketFate::Applied => applied,
        PacketFate::Unauthentic => Handled::Dropped(Dropped::Unauthentic),
        PacketFate::Replayed => Handled::Dropped(Dropped::Replayed),
        PacketFate::Malformed => Handled::Dropped(Dropped::Malformed),
    }
}

/// A reset counts where packets to its peer go: who knows a token still has to be heard from there.
fn handle_reset(peers: &mut Peers, route: Route, datagram: &[u8]) -> Handled {
    let token: Option<&[u8; 16]> = datagram.last_chunk();
    let owner = token.and_then(|token| Some((token, peers.table.by_token(token)?)));
    let Some((token, key)) = owner.filter(|_| datagram.len() == RESET_BYTES) else {
        return Handled::Dropped(Dropped::Unknown);
    };
    let is_from_there = |key| {
        let entry = peers.table.get(key);
        entry.is_some_and(|e| e.peer.line.paths.key_of(route).is_some())
    };
    if is_reset(datagram, token)
        && is_from_there(key)
        && let Some(entry) = peers.change(key)
    {
        entry.peer.on_reset(token);
    }
    Handled::Taken
}

/// Which handshake of ours an answer belongs to.
fn handshake_of(peers: &Peers, datagram: &[u8]) -> Option<(u32, PeerKey)> {
    let index = handshake_index(datagram)?;
    match peers.table.owner(index)? {
        Owner::Handshaking(key) => Some((index, key)),
        _ => None,
    }
}

fn handle_cookie(now: Instant, peers: &mut Peers, datagram: &[u8]) -> Handled {
    let Some((index, key)) = handshake_of(peers, datagram) else {
        return Handled::Dropped(Dropped::Unknown);
    };
    let entry = peers.change(key);
    let Some(handshake) = entry.and_then(|entry| entry.peer.handshakes.by_index(index)) else {
        return Handled::Taken;
    };
    if handshake.initiator.on_cookie(datagram).is_err() {
        return Handled::Dropped(Dropped::Unauthentic);
    }
    handshake.on_cookie(now);
    Handled::Taken
}
