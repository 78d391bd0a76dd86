//! Invitations of others on their way: calls the inviter until it is there, asks it once, and goes on over failures,
//! less and less often, until it has answered or the link holds no more. Told facts, polled for acts.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use p2p_core::api::{OperationId, RequestId};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_storage::Join;

use super::proof::Redemption;

/// Shortest and longest time between two calls.
const CALL_EVERY: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// How long the peer is called at the addresses in its link before introducers are asked: one that is there answers in
/// a round trip.
pub(crate) const ADDRESS_TIME: Duration = Duration::from_millis(1_500);

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Call the peer at these addresses.
    CallAt {
        peer: NodeId,
        addresses: Vec<SocketAddr>,
    },
    /// Call the peer through introducers.
    Call { peer: NodeId },
    /// Ask the connected peer; say with `on_asked` what became of it.
    Ask {
        peer: NodeId,
        redemption: Redemption,
    },
    /// The link holds no more.
    Expire { peer: NodeId },
}

struct Joining {
    join: Join,
    is_connected: bool,
    asked: Option<RequestId>,
    /// Calls under way.
    calls: Vec<OperationId>,
    /// It was called at its addresses this time.
    is_tried: bool,
    /// Why the last one failed.
    reason: Option<&'static str>,
    /// When it is called, or asked, again.
    next_at: Instant,
    pause: Duration,
    expires_at: Instant,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Joins(BTreeMap<NodeId, Joining>);

impl Joins {
    /// One begins, or goes on after a restart.
    pub(crate) fn begin(&mut self, now: Instant, now_unix_ms: u64, join: Join, is_connected: bool) {
        let left = join.expires_unix_ms.saturating_sub(now_unix_ms);
        let joining = Joining {
            is_connected,
            asked: None,
            calls: Vec::new(),
            is_tried: false,
            reason: None,
            next_at: now,
            pause: CALL_EVERY.0,
            expires_at: now + Duration::from_millis(left),
            join,
        };
        self.0.insert(joining.join.peer, joining);
    }

    /// It is over; whether it was under way.
    pub(crate) fn end(&mut self, peer: &NodeId) -> bool {
        self.0.remove(peer).is_some()
    }

    /// Whether one is under way.
    pub(crate) fn is_open(&self, peer: &NodeId) -> bool {
        self.0.contains_key(peer)
    }

    /// How many are under way.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// A call of the peer is under way.
    pub(crate) fn on_call(&mut self, peer: &NodeId, call: OperationId) {
        if let Some(joining) = self.0.get_mut(peer) {
            joining.calls.push(call);
        }
    }

    /// A call failed, for a reason that has a code.
    pub(crate) fn on_call_failed(&mut self, call: OperationId, reason: &'static str) {
        let mut all = self.0.values_mut();
        if let Some(joining) = all.find(|joining| joining.calls.contains(&call)) {
            joining.calls.retain(|other| *other != call);
            joining.reason = Some(reason);
        }
    }

    /// Why the last call of a peer failed.
    pub(crate) fn reason(&self, peer: &NodeId) -> Option<&'static str> {
        self.0.get(peer).and_then(|joining| joining.reason)
    }

    /// A peer is connected: it is asked at once.
    pub(crate) fn on_connected(&mut self, now: Instant, peer: &NodeId) {
        if let Some(joining) = self.0.get_mut(peer) {
            joining.is_connected = true;
            (joining.calls, joining.reason) = (Vec::new(), None);
            if joining.asked.is_none() {
                joining.next_at = now;
            }
        }
    }

    /// A peer is not connected any more.
    pub(crate) fn on_disconnected(&mut self, peer: &NodeId) {
        if let Some(joining) = self.0.get_mut(peer) {
            joining.is_connected = false;
        }
    }

    /// The peer was asked, or could not be.
    pub(crate) fn on_asked(&mut self, peer: &NodeId, request: Option<RequestId>) {
        if let Some(joining) = self.0.get_mut(peer) {
            joining.asked = request;
            joining.is_connected &= request.is_some();
        }
    }

    /// A request ended without an answer that decides; whether it was one of these. It is asked again later.
    pub(crate) fn on_unanswered(&mut self, peer: &NodeId, request: RequestId) -> bool {
        let is_ours = self.is_asked(peer, request);
        if let Some(joining) = self.0.get_mut(peer).filter(|_| is_ours) {
            joining.asked = None;
        }
        is_ours
    }

    /// Whether a request is one of these.
    pub(crate) fn is_asked(&self, peer: &NodeId, request: RequestId) -> bool {
        self.0.get(peer).is_some_and(|j| j.asked == Some(request))
    }

    /// What is due; `own` and `name` are this node's.
    pub(crate) fn poll(&mut self, now: Instant, own: &NodeId, name: Option<&str>) -> Option<Act> {
        let due = |(_, joining): &(&NodeId, &Joining)| joining.due() <= now;
        let peer = self.0.iter().find(due).map(|(peer, _)| *peer)?;
        let joining = self.0.get_mut(&peer)?;
        if joining.expires_at <= now {
            self.0.remove(&peer);
            return Some(Act::Expire { peer });
        }
        let Join { id, key, .. } = &joining.join;
        let addresses = &joining.join.addresses;
        if !joining.is_connected && !addresses.is_empty() && !joining.is_tried {
            joining.is_tried = true;
            joining.next_at = now + ADDRESS_TIME;
            let addresses = addresses.clone();
            return Some(Act::CallAt { peer, addresses });
        }
        joining.is_tried = false;
        joining.next_at = now + joining.pause;
        joining.pause = (joining.pause * 2).min(CALL_EVERY.1);
        Some(if joining.is_connected {
            Act::Ask {
                peer,
                redemption: Redemption::new(*id, key, (own, name.map(ToOwned::to_owned)), &peer),
            }
        } else {
            Act::Call { peer }
        })
    }

    /// When something is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.0.values().map(Joining::due).min()
    }
}

impl Joining {
    /// While an answer is waited for there is nothing to do but to expire.
    fn due(&self) -> Instant {
        match self.asked {
            Some(_) => self.expires_at,
            None => self.next_at.min(self.expires_at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn join(expires_unix_ms: u64) -> Join {
        Join {
            peer: id(1),
            id: [1; 16],
            key: [2; 32],
            addresses: Vec::new(),
            expires_unix_ms,
        }
    }

    fn at(s: u64) -> Instant {
        Instant::from_millis(s * 1_000)
    }

    fn call() -> Option<Act> {
        Some(Act::Call { peer: id(1) })
    }

    /// One that stands in the way of the other would keep it waiting for as long as a handshake lasts.
    #[test]
    fn a_peer_is_called_at_its_addresses_and_then_through_introducers() {
        let mut joins = Joins::default();
        let addresses = vec!["10.0.0.1:6660".parse().expect("an address")];
        let join = Join {
            addresses: addresses.clone(),
            ..join(3_600_000)
        };
        joins.begin(at(0), 0, join, false);
        let peer = id(1);
        for from in [Duration::ZERO, Duration::from_millis(11_500)] {
            let first = joins.poll(at(0) + from, &id(2), None);
            let addresses = addresses.clone();
            assert_eq!(first, Some(Act::CallAt { peer, addresses }));
            assert_eq!(joins.next_timeout(), Some(at(0) + from + ADDRESS_TIME));
            assert_eq!(
                joins.poll(at(0) + from + ADDRESS_TIME, &id(2), None),
                call()
            );
        }
    }

    #[test]
    fn calls_grow_rare_until_the_link_expires() {
        let mut joins = Joins::default();
        joins.begin(at(0), 0, join(3_600_000), false);
        let mut calls = Vec::new();
        let expired = loop {
            let now = joins.next_timeout().expect("something is due");
            match joins.poll(now, &id(2), None) {
                Some(Act::Call { .. }) => calls.push(now),
                Some(Act::Expire { .. }) => break now,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(calls[..4], [at(0), at(10), at(30), at(70)]);
        let pauses = calls
            .windows(2)
            .map(|pair| pair[1].saturating_since(pair[0]));
        assert_eq!(pauses.max(), Some(CALL_EVERY.1));
        assert_eq!(expired, at(3_600));
        assert_eq!((joins.next_timeout(), joins.is_open(&id(1))), (None, false));
    }

    #[test]
    fn a_peer_that_comes_is_asked_at_once_and_again_after_a_failure() {
        let mut joins = Joins::default();
        joins.begin(at(0), 0, join(3_600_000), false);
        assert_eq!(joins.poll(at(0), &id(2), None), call());
        joins.on_connected(at(1), &id(1));
        let asked = joins.poll(at(1), &id(2), None);
        assert!(matches!(asked, Some(Act::Ask { .. })), "{asked:?}");
        joins.on_asked(&id(1), Some(RequestId(7)));
        assert_eq!(
            joins.poll(at(1_000), &id(2), None),
            None,
            "the answer is waited for"
        );
        assert!(!joins.on_unanswered(&id(1), RequestId(8)), "another's");
        joins.on_disconnected(&id(1));
        assert!(joins.on_unanswered(&id(1), RequestId(7)));
        assert_eq!(joins.poll(at(1_000), &id(2), None), call());
        joins.on_connected(at(1_001), &id(1));
        assert!(matches!(
            joins.poll(at(1_001), &id(2), None),
            Some(Act::Ask { .. })
        ));
        joins.on_asked(&id(1), None);
        assert_eq!(joins.poll(at(2_000), &id(2), None), call(), "it had gone");
    }
}
