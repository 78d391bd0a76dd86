//! Strangers that wait for a word of the owner: one entry for each, the longest silent one goes first.

use std::collections::BTreeMap;

use p2p_core::id::NodeId;
use p2p_core::time::Instant;

/// Most that are remembered.
pub(crate) const KNOCKS: usize = 200;

/// A stranger that knocked.
#[derive(Clone, Debug)]
pub(crate) struct Knock {
    /// What it says that it is called.
    pub claimed_name: Option<String>,
    /// Whom it asked for an introduction.
    pub introducer: NodeId,
    /// First and last time.
    pub first_at: Instant,
    /// The last time.
    pub last_at: Instant,
}

/// Who knocked.
#[derive(Debug, Default)]
pub(crate) struct Knocks(BTreeMap<NodeId, Knock>);

impl Knocks {
    /// Somebody knocks.
    pub(crate) fn on_knock(
        &mut self,
        now: Instant,
        peer: NodeId,
        claimed_name: Option<String>,
        introducer: NodeId,
    ) {
        let first_at = self.0.get(&peer).map_or(now, |knock| knock.first_at);
        let knock = Knock {
            claimed_name,
            introducer,
            first_at,
            last_at: now,
        };
        self.0.insert(peer, knock);
        if self.0.len() > KNOCKS {
            let oldest = self.0.iter().min_by_key(|(_, knock)| knock.last_at);
            if let Some(oldest) = oldest.map(|(peer, _)| *peer) {
                self.0.remove(&oldest);
            }
        }
    }

    /// The owner has decided, or the peer is connected; whether it had knocked.
    pub(crate) fn remove(&mut self, peer: &NodeId) -> bool {
        self.0.remove(peer).is_some()
    }

    /// All, the latest first.
    pub(crate) fn latest_first(&self) -> Vec<(NodeId, &Knock)> {
        let mut all: Vec<_> = self.0.iter().map(|(peer, knock)| (*peer, knock)).collect();
        all.sort_by_key(|(_, knock)| core::cmp::Reverse(knock.last_at));
        all
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn a_crowd_pushes_out_who_was_silent_longest() {
        let peer =
            |n: u8, m: u8| NodeId::from_bytes([[n; 16], [m; 16]].concat().try_into().expect("32"));
        let mut knocks = Knocks::default();
        let start = Instant::from_millis(1);
        knocks.on_knock(start, peer(0, 0), Some("ada".to_owned()), peer(9, 9));
        for n in 1..=u8::try_from(KNOCKS).expect("small") {
            let now = start + Duration::from_secs(u64::from(n));
            knocks.on_knock(now, peer(n, 1), None, peer(9, 9));
            if n == 100 {
                knocks.on_knock(now, peer(0, 0), Some("ben".to_owned()), peer(9, 9));
            }
        }
        let all = knocks.latest_first();
        assert_eq!(all.len(), KNOCKS);
        assert!(
            all.iter().all(|(id, _)| *id != peer(1, 1)),
            "the longest silent one"
        );
        let (_, ada) = all.iter().find(|(id, _)| *id == peer(0, 0)).expect("kept");
        assert_eq!(
            (ada.first_at, ada.claimed_name.as_deref()),
            (start, Some("ben"))
        );
        assert!(knocks.remove(&peer(0, 0)) && !knocks.remove(&peer(0, 0)));
    }
}
