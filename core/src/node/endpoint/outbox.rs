//! What leaves the node: first what belongs to no session, then each touched peer in turn until it has nothing left.
//! What a peer sends through a relay is handed to the relay's own peer, which seals it once more.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

use bytes::Bytes;

use super::Peers;
use super::probes::ProbeBudget;
use crate::api::Transmit;
use crate::id::PeerKey;
use crate::limits;
use crate::link::Links;
use crate::path::{Pair, Route};
use crate::peer::PeerTransmit;
use crate::time::{Deadline, Duration, Instant};

/// Room offered to a peer whose packets are sealed once more: what leaves must fit the relay's queue.
const RELAYED_ROOM_BYTES: usize = 16 * limits::BASE_DATAGRAM_BYTES;

/// Pause before something due that found no room or path is tried again.
const RETRY: Duration = Duration::from_millis(1);

/// What a poll gave.
pub(in crate::node) enum Polled {
    /// Datagrams for one destination.
    Transmit(Transmit),
    /// A peer has said everything; what that led to is to be heard before the next poll.
    Drained(PeerKey),
    /// Nothing is left.
    Idle,
}

/// Datagrams on their way out.
pub(super) struct Outbox {
    /// Datagrams that belong to no session: answers to handshakes, cookies, resets, STUN.
    loose: VecDeque<(Route, Vec<u8>)>,
    /// The peer whose datagrams left last, and over which route: whom an error of the socket concerns.
    last_sent: Option<(PeerKey, Pair)>,
    pub(super) links: Links,
    probe_budget: ProbeBudget,
}

impl Outbox {
    /// Nothing to send, and a full budget of probes.
    pub(super) fn new(now: Instant, links: Links) -> Self {
        Self {
            loose: VecDeque::new(),
            last_sent: None,
            links,
            probe_budget: ProbeBudget::new(now),
        }
    }

    /// Sends a datagram that belongs to no session.
    pub(super) fn push(&mut self, route: Route, datagram: Vec<u8>) {
        self.loose.push_back((route, datagram));
    }

    /// Datagrams that belong to no session and wait.
    pub(super) fn len(&self) -> usize {
        self.loose.len()
    }

    /// Whose datagrams left last and over which route, where it was between these ends.
    pub(super) fn last_sent_between(
        &self,
        remote: SocketAddr,
        local: Option<IpAddr>,
    ) -> Option<(PeerKey, Route)> {
        let (key, sent) = self.last_sent?;
        let is_it = (sent.remote, sent.local) == (remote, local);
        is_it.then_some((key, Route::Direct(sent)))
    }

    /// Writes the next datagrams into `buffer`.
    pub(super) fn poll(&mut self, now: Instant, peers: &mut Peers, buffer: &mut [u8]) -> Polled {
        loop {
            if let Some(transmit) = self.poll_loose(peers, buffer) {
                return Polled::Transmit(transmit);
            }
            let Some(key) = peers.agenda.first_ready() else {
                return Polled::Idle;
            };
            match self.poll_peer(now, peers, key, buffer) {
                Some(PeerTransmit {
                    route: route @ Route::Direct(pair),
                    len,
                    segment_size,
                    ecn,
                }) => {
                    peers.agenda.rotate();
                    let Some(link) = self.links.choose(pair.link, pair.remote) else {
                        // As where a socket refuses.
                        if let Some(entry) = peers.change(key) {
                            entry.peer.line.paths.on_send_error(now, route);
                        }
                        continue;
                    };
                    self.last_sent = Some((key, pair));
                    return Polled::Transmit(Transmit {
                        link,
                        to: pair.remote,
                        from: pair.local,
                        ecn,
                        len,
                        segment_size,
                    });
                }
                Some(PeerTransmit {
                    route: Route::Relay { relay, channel },
                    len,
                    segment_size,
                    ..
                }) => {
                    let inner = buffer.get(..len).unwrap_or_default();
                    for datagram in inner.chunks(segment_size.max(1)) {
                        forward(peers, PeerKey(relay), channel, datagram);
                    }
                    peers.agenda.rotate();
                }
                None => {
                    let entry = peers.table.awake_mut(key);
                    let next = entry.and_then(|entry| entry.peer.next_timeout(now));
                    // What is due and could not be said now cannot be said at once either.
                    let next = next.map(|d| Deadline::new(d.at.max(now + RETRY), d.kind));
                    peers.agenda.on_drained(key, next);
                    return Polled::Drained(key);
                }
            }
        }
    }

    fn poll_loose(&mut self, peers: &mut Peers, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some((route, datagram)) = self.loose.pop_front() {
            match route {
                Route::Direct(pair) => {
                    let Some(link) = self.links.choose(pair.link, pair.remote) else {
                        continue;
                    };
                    let len = datagram.len();
                    buffer.get_mut(..len)?.copy_from_slice(&datagram);
                    self.last_sent = None;
                    return Some(Transmit {
                        link,
                        to: pair.remote,
                        from: pair.local,
                        ecn: None,
                        len,
                        segment_size: len,
                    });
                }
                Route::Relay { relay, channel } => {
                    forward(peers, PeerKey(relay), channel, &datagram);
                }
            }
        }
        None
    }

    fn poll_peer(
        &mut self,
        now: Instant,
        peers: &mut Peers,
        key: PeerKey,
        buffer: &mut [u8],
    ) -> Option<PeerTransmit> {
        let entry = peers.table.awake_mut(key)?;
        let active = entry.peer.active_route();
        let room = match active.is_some_and(|route| !route.is_direct()) {
            true => RELAYED_ROOM_BYTES,
            false => limits::BATCH_BYTES,
        };
        let room = buffer.len().min(room);
        let may_probe = self.probe_budget.has_room(now, entry.is_accepted());
        let mut probed = 0;
        let place = buffer.get_mut(..room)?;
        let transmit = entry.peer.poll_transmit(now, place, may_probe, &mut probed);
        if probed > 0 {
            self.probe_budget.charge(now, probed);
        }
        transmit
    }
}

/// Sends a datagram of our own through a relay.
fn forward(peers: &mut Peers, relay: PeerKey, channel: u32, datagram: &[u8]) {
    if let Some(entry) = peers.change(relay) {
        let datagram = Bytes::copy_from_slice(datagram);
        entry.peer.sources.push_relayed(channel, datagram);
    }
}
