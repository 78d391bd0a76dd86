//! What leaves the node: first what belongs to no session, then each touched peer in turn until it has nothing left.
//! What a peer sends through a relay is handed to the relay's own peer, which seals it once more.

use bytes::Bytes;

use super::Node;
use crate::api::Transmit;
use crate::id::PeerKey;
use crate::limits;
use crate::path::Route;
use crate::peer::PeerTransmit;
use crate::time::{Deadline, Duration, Instant};

/// Room offered to a peer whose packets are sealed once more: what leaves must fit the relay's queue.
const RELAYED_ROOM_BYTES: usize = 16 * limits::BASE_DATAGRAM_BYTES;

/// Pause before something due that found no room or path is tried again.
const RETRY: Duration = Duration::from_millis(1);

impl Node {
    pub(super) fn next_transmit(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        loop {
            if let Some(transmit) = self.poll_outbox(now, buffer) {
                return Some(transmit);
            }
            let key = self.agenda.first_ready()?;
            match self.poll_peer(now, key, buffer) {
                Some(PeerTransmit {
                    route: route @ Route::Direct(pair),
                    len,
                    segment_size,
                    ecn,
                }) => {
                    self.agenda.rotate();
                    self.last_sent_to = Some((key, route));
                    return Some(Transmit {
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
                        self.forward_own(PeerKey(relay), channel, datagram);
                    }
                    self.agenda.rotate();
                }
                None => {
                    let entry = self.table.awake_mut(key);
                    let next = entry.and_then(|entry| entry.peer.next_timeout(now));
                    // What is due and could not be said now cannot be said at once either.
                    let next = next.map(|d| Deadline::new(d.at.max(now + RETRY), d.kind));
                    self.agenda.on_drained(key, next);
                    self.settle(now);
                    self.table.rest(now, key);
                }
            }
        }
    }

    fn poll_outbox(&mut self, _now: Instant, buffer: &mut [u8]) -> Option<Transmit> {
        while let Some((route, datagram)) = self.outbox.pop_front() {
            match route {
                Route::Direct(pair) => {
                    let len = datagram.len();
                    buffer.get_mut(..len)?.copy_from_slice(&datagram);
                    self.last_sent_to = None;
                    return Some(Transmit {
                        to: pair.remote,
                        from: pair.local,
                        ecn: None,
                        len,
                        segment_size: len,
                    });
                }
                Route::Relay { relay, channel } => {
                    self.forward_own(PeerKey(relay), channel, &datagram);
                }
            }
        }
        None
    }

    fn poll_peer(&mut self, now: Instant, key: PeerKey, buffer: &mut [u8]) -> Option<PeerTransmit> {
        let entry = self.table.awake_mut(key)?;
        let is_relayed = entry
            .peer
            .active_route()
            .is_some_and(|route| !route.is_direct());
        let room = if is_relayed {
            RELAYED_ROOM_BYTES
        } else {
            limits::BATCH_BYTES
        };
        let room = buffer.len().min(room);
        let may_probe = self.probe_budget.retry_after(now, 1).is_zero();
        let mut probed = 0;
        let place = buffer.get_mut(..room)?;
        let transmit = entry.peer.poll_transmit(now, place, may_probe, &mut probed);
        if probed > 0 {
            let _ = self.probe_budget.take(now, u64::from(probed));
        }
        transmit
    }

    /// Sends a datagram of our own through a relay.
    fn forward_own(&mut self, relay: PeerKey, channel: u32, datagram: &[u8]) {
        if let Some(entry) = self.table.get_mut(relay) {
            entry
                .peer
                .push_relayed(channel, Bytes::copy_from_slice(datagram));
            self.agenda.on_touched(relay);
        }
    }
}
