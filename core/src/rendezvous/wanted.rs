//! Peers that the application asked for and that are gone: each is called again, until it is there or the application
//! leaves it (protocol §6.7).
//!
//! Takes: who was lost, who is back or left, and news that make another call worth it. Decides: whom to call when.

use std::collections::BTreeMap;

use crate::id::NodeId;
use crate::limits;
use crate::time::{Deadline, Duration, Instant, TimerKind};

/// Pause after the first call; doubles with each.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A peer that is lost again within this time of its last loss is called as if it had not been back: whatever ends its
/// sessions at once must not become a loop.
const SETTLED: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug)]
struct Call {
    /// When it is called; none while it is there.
    at: Option<Instant>,
    pause: Duration,
    lost_at: Instant,
}

/// Who is to be called again.
#[derive(Default)]
pub(super) struct Wanted {
    calls: BTreeMap<NodeId, Call>,
}

impl Wanted {
    /// A peer is gone without a word of either side: it is called at once, or where that happens again and again, after
    /// a pause. `head_start` is what the other side gets where both may call.
    pub(super) fn on_lost(&mut self, now: Instant, peer: NodeId, head_start: Duration) {
        let is_settled = |call: &Call| call.at.is_none() && call.lost_at + SETTLED <= now;
        self.calls.retain(|_, call| !is_settled(call));
        if self.calls.len() >= limits::PEERS_REMEMBERED && !self.calls.contains_key(&peer) {
            return;
        }
        let (wait, pause) = match self.calls.get(&peer) {
            Some(call) => (call.pause, (call.pause * 2).min(PAUSE_MAX)),
            None => (Duration::ZERO, PAUSE),
        };
        let call = Call {
            at: Some(now + wait + head_start),
            pause,
            lost_at: now,
        };
        self.calls.insert(peer, call);
    }

    /// The peer is there.
    pub(super) fn on_back(&mut self, peer: &NodeId) {
        if let Some(call) = self.calls.get_mut(peer) {
            call.at = None;
        }
    }

    /// The peer is not wanted any more. Says whether it was being called.
    pub(super) fn forget(&mut self, peer: &NodeId) -> bool {
        let call = self.calls.remove(peer);
        call.is_some_and(|call| call.at.is_some())
    }

    /// What kept calls from arriving may be over: everybody is called at once.
    pub(super) fn hasten(&mut self) {
        for call in self.calls.values_mut().filter(|call| call.at.is_some()) {
            (call.at, call.pause) = (Some(Instant::EPOCH), PAUSE);
        }
    }

    /// The next peer to call now; its next turn is set.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<NodeId> {
        let is_due = |call: &Call| call.at.is_some_and(|at| at <= now);
        let (peer, call) = self.calls.iter_mut().find(|(_, call)| is_due(call))?;
        call.at = Some(now + call.pause);
        call.pause = (call.pause * 2).min(PAUSE_MAX);
        Some(*peer)
    }

    /// When to ask again.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let at = self.calls.values().filter_map(|call| call.at).min()?;
        Some(Deadline::new(at, TimerKind::Connect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_news_cut_them_short() {
        let peer = NodeId::from_bytes([1; 32]);
        let mut wanted = Wanted::default();
        wanted.on_lost(Instant::EPOCH, peer, Duration::ZERO);
        let mut times = Vec::new();
        for _ in 0..8 {
            let at = wanted.next_timeout().expect("wanted").at;
            times.push(at.as_nanos() / 1_000_000_000);
            assert_eq!(wanted.take_due(at), Some(peer));
            assert_eq!(wanted.take_due(at), None, "not twice at once");
        }
        assert_eq!(times, [0, 1, 3, 7, 15, 31, 61, 91]);
        let now = Instant::from_millis(95_000);
        wanted.hasten();
        assert_eq!(wanted.take_due(now), Some(peer));
        let next = wanted.next_timeout().map(|d| d.at);
        assert_eq!(next, Some(now + PAUSE));
        assert!(wanted.forget(&peer) && !wanted.forget(&peer));
        assert_eq!(wanted.next_timeout(), None);
    }

    #[test]
    fn who_is_lost_again_and_again_is_called_ever_less_often() {
        let peer = NodeId::from_bytes([1; 32]);
        let mut wanted = Wanted::default();
        let mut now = Instant::EPOCH;
        let mut waits = Vec::new();
        for _ in 0..8 {
            wanted.on_lost(now, peer, Duration::ZERO);
            let at = wanted.next_timeout().expect("wanted").at;
            waits.push(at.saturating_since(now).as_secs());
            assert_eq!(wanted.take_due(at), Some(peer));
            wanted.on_back(&peer);
            assert_eq!(wanted.next_timeout(), None);
            now = at + Duration::from_millis(100);
        }
        assert_eq!(waits, [0, 2, 8, 30, 30, 30, 30, 30]);
        // One that stayed is called at once.
        wanted.on_lost(now + SETTLED + PAUSE_MAX, peer, Duration::ZERO);
        let at = wanted.next_timeout().map(|d| d.at);
        assert_eq!(at, Some(now + SETTLED + PAUSE_MAX));
        assert!(wanted.forget(&peer));
    }
}
