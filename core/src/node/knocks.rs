//! Strangers that wait for a word of the owner (`strangers = ask`). Takes: who knocks, and when. Says whether that is
//! news: nobody makes the owner hear of one peer more than once a minute, or of more peers than there is room for.

use std::collections::VecDeque;

use crate::id::NodeId;
use crate::limits;
use crate::time::{Duration, Instant};

/// How long a peer that knocked is not told of again.
const QUIET: Duration = Duration::from_secs(60);

/// Who knocked lately, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Knocks {
    recent: VecDeque<(NodeId, Instant)>,
}

impl Knocks {
    /// A stranger knocks; whether the owner is to hear of it.
    pub(super) fn on_knock(&mut self, now: Instant, peer: NodeId) -> bool {
        let is_over = |since: Instant| now.saturating_since(since) >= QUIET;
        while self
            .recent
            .front()
            .is_some_and(|(_, since)| is_over(*since))
        {
            self.recent.pop_front();
        }
        let is_known = self.recent.iter().any(|(id, _)| *id == peer);
        if is_known || self.recent.len() >= limits::KNOCKS_A_MINUTE {
            return false;
        }
        self.recent.push_back((peer, now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_peer_is_told_of_once_a_minute_and_a_crowd_only_so_far() {
        let peer = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_be_bytes());
            NodeId::from_bytes(id)
        };
        let mut knocks = Knocks::default();
        let start = Instant::from_millis(1_000);
        assert!(knocks.on_knock(start, peer(0)));
        let soon = start + Duration::from_secs(59);
        assert!(!knocks.on_knock(soon, peer(0)));
        let told = (1..10_000).filter(|n| knocks.on_knock(soon, peer(*n)));
        assert_eq!(told.count(), limits::KNOCKS_A_MINUTE - 1);
        let later = start + QUIET;
        assert!(knocks.on_knock(later, peer(0)), "again after a minute");
        assert!(
            !knocks.on_knock(later, peer(10_001)),
            "the crowd is still there"
        );
        assert!(knocks.on_knock(soon + QUIET, peer(10_001)));
    }
}
