//! Relayed routes of an end node: which remote stands behind a channel of a relay. Takes: channels agreed in
//! introductions and their ends. Answers: whose a relayed datagram is. protocol §9.1.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::PeerKey;

/// Map between (relay, channel) and the remote behind it.
#[derive(Debug, Default)]
pub(crate) struct RelayRoutes {
    remotes: BTreeMap<(PeerKey, u32), PeerKey>,
    by_remote: BTreeSet<(PeerKey, PeerKey, u32)>,
}

/// The channel leads to another remote already; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RouteTaken;

impl RelayRoutes {
    /// Adds a route; adding it twice is harmless.
    ///
    /// # Errors
    /// [`RouteTaken`] where the channel belongs to another remote: a relay cannot redirect a live channel.
    pub(crate) fn insert(
        &mut self,
        relay: PeerKey,
        channel: u32,
        remote: PeerKey,
    ) -> Result<(), RouteTaken> {
        let owner = *self.remotes.entry((relay, channel)).or_insert(remote);
        if owner != remote {
            return Err(RouteTaken);
        }
        self.by_remote.insert((remote, relay, channel));
        Ok(())
    }

    /// The remote behind a channel.
    #[must_use]
    pub(crate) fn lookup(&self, relay: PeerKey, channel: u32) -> Option<PeerKey> {
        self.remotes.get(&(relay, channel)).copied()
    }

    /// Channels that lead to `remote`, as (relay, channel).
    pub(crate) fn routes_to(&self, remote: PeerKey) -> impl Iterator<Item = (PeerKey, u32)> + '_ {
        let first = (remote, PeerKey(0), 0);
        let last = (remote, PeerKey(u32::MAX), u32::MAX);
        self.by_remote.range(first..=last).map(|r| (r.1, r.2))
    }

    /// Removes one route and returns the remote that it led to.
    pub(crate) fn remove(&mut self, relay: PeerKey, channel: u32) -> Option<PeerKey> {
        let remote = self.remotes.remove(&(relay, channel))?;
        self.by_remote.remove(&(remote, relay, channel));
        Some(remote)
    }

    /// Removes all routes to `remote` and returns them as (relay, channel).
    pub(crate) fn remove_remote(&mut self, remote: PeerKey) -> Vec<(PeerKey, u32)> {
        let routes: Vec<_> = self.routes_to(remote).collect();
        for (relay, channel) in &routes {
            self.remove(*relay, *channel);
        }
        routes
    }

    /// Removes all routes through `relay` and returns them as (channel, remote).
    pub(crate) fn remove_relay(&mut self, relay: PeerKey) -> Vec<(u32, PeerKey)> {
        let range = (relay, 0)..=(relay, u32::MAX);
        let routes: Vec<_> = self.remotes.range(range).map(|(k, r)| (k.1, *r)).collect();
        for (channel, _) in &routes {
            self.remove(relay, *channel);
        }
        routes
    }

    /// Number of routes.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.remotes.len()
    }

    /// Whether there is no route.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.remotes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: PeerKey = PeerKey(1);
    const B: PeerKey = PeerKey(2);
    const RELAY: PeerKey = PeerKey(9);

    #[test]
    fn a_live_channel_cannot_be_redirected() {
        let mut routes = RelayRoutes::default();
        assert_eq!(routes.insert(RELAY, 7, A), Ok(()));
        assert_eq!(routes.insert(RELAY, 7, A), Ok(()), "idempotent");
        assert_eq!(routes.insert(RELAY, 7, B), Err(RouteTaken));
        assert_eq!(routes.lookup(RELAY, 7), Some(A));
        assert_eq!(routes.lookup(A, 7), None, "the relay is part of the key");
    }

    #[test]
    fn removal_by_remote_and_by_relay_leaves_the_others() {
        let mut routes = RelayRoutes::default();
        for (relay, channel, remote) in [(RELAY, 1, A), (RELAY, 2, B), (PeerKey(8), 1, A)] {
            assert_eq!(routes.insert(relay, channel, remote), Ok(()));
        }
        assert_eq!(routes.remove_remote(A), [(PeerKey(8), 1), (RELAY, 1)]);
        assert_eq!(routes.len(), 1);
        assert_eq!(routes.remove_relay(RELAY), [(2, B)]);
        assert!(routes.is_empty() && routes.routes_to(B).next().is_none());
    }
}
