//! A peer at rest. Most peers of most nodes say nothing but that they are there: for them the node keeps who they are,
//! the secrets of the session, one path and some times, and nothing that only data needs. A peer comes to rest when it
//! has been quiet for [`limits::REST_AFTER`] and neither side owes the other anything; whatever concerns it wakes it.
//!
//! A rest loses nothing: packet numbers go on, what was received stays received ([`crate::session`]), keep-alives,
//! consent and the renewal of keys come when they would have come.

use std::sync::Arc;

use super::activity::ActivityAtRest;
use super::levels::{EpochAtRest, OpenLevels};
use super::sessions::SessionsAtRest;
use super::{Common, Peer};
use crate::id::NodeId;
use crate::identity::KeyRecord;
use crate::path::{Paths, PathsAtRest};
use crate::recovery::{PathKey, RecoveryAtRest};
use crate::rng::Rng;
use crate::time::Instant;

/// What only few peers at rest have.
#[derive(Default)]
struct Extras {
    name: Option<String>,
    /// Levels whose identifiers and credit outlive what is under way; none where only requests were made.
    levels: Option<Box<OpenLevels>>,
}

/// A peer at rest.
pub(crate) struct Resident {
    /// Who it is: every session brings a key record. The directory holds the same one.
    record: Arc<KeyRecord>,
    extras: Option<Box<Extras>>,
    sessions: SessionsAtRest,
    paths: PathsAtRest,
    recovery: RecoveryAtRest,
    activity: ActivityAtRest,
    epoch: EpochAtRest,
    capabilities: u32,
    is_smaller: bool,
}

impl Peer {
    /// When to look whether it may rest; `None` where nothing but its own timers can change that.
    pub(super) fn rest_at(&self, now: Instant) -> Option<Instant> {
        let at = self.activity.quiet_at(self.sessions.carried_data());
        (self.sessions.is_up() && now < at).then_some(at)
    }

    /// The peer at rest, where it may rest; this one is to be dropped then.
    pub(crate) fn rest(&mut self, now: Instant) -> Option<Resident> {
        if self.rest_at(now).is_some() || self.has_output(now) {
            return None;
        }
        self.levels.collect_events();
        let path = self.paths.may_rest()?;
        if self.owes(now) {
            return None;
        }
        let sessions = self.sessions.rest(self.recovery.next_pn())?;
        let opened = sessions.largest_opened();
        let recovery = self
            .recovery
            .rest(PathKey(path.0), &self.received, opened)?;
        let record = Arc::clone(self.record.as_ref()?);
        let base = sessions.since();
        let activity = self.activity.rest(base, &self.recovery.sums())?;
        let levels = self.levels.rest()?;
        // Nothing may refuse any more: from here on things are taken out.
        let extras = Extras {
            name: self.name.take(),
            levels: levels.open,
        };
        Some(Resident {
            record,
            extras: extras.in_a_box(),
            sessions,
            paths: self.paths.rest(now, base),
            recovery,
            activity,
            epoch: levels.epoch,
            capabilities: self.capabilities,
            is_smaller: self.is_smaller,
        })
    }

    /// Whether anything but levels, paths and packets under way is still to be said, told or waited for. Names every
    /// field, so that nobody adds one without a thought about rests.
    fn owes(&self, now: Instant) -> bool {
        let Self {
            common: _,
            id: _,
            is_smaller: _,
            name: _,
            record: _,
            capabilities: _,
            sessions: _,
            handshakes,
            paths: _,
            recovery: _,
            received: _,
            acks: _,
            timeouts: _,
            // Asked on their own.
            levels: _,
            controls,
            relayed,
            // Belongs to output, and there is none.
            pings: _,
            // Belongs to output, and there is none.
            paced_until: _,
            closing,
            outcomes,
            rng: _,
            activity: _,
        } = self;
        !handshakes.is_idle()
            || closing.is_some()
            || relayed.waits()
            || !outcomes.is_empty()
            || !controls.may_rest(now)
    }
}

impl Extras {
    fn in_a_box(self) -> Option<Box<Self>> {
        let is_some = self.name.is_some() || self.levels.is_some();
        is_some.then(|| Box::new(self))
    }
}

impl Resident {
    /// The peer as it was; what is large is given back. `rng` is for what it draws from now on.
    pub(crate) fn wake(&mut self, common: &Arc<Common>, rng: Rng) -> Peer {
        let base = self.sessions.since();
        let paths = self.paths.wake(base, rng.fork("paths"));
        let mut peer = self.peer(common, rng, paths);
        if let Some(extras) = self.extras.take() {
            peer.name = extras.name;
            peer.levels.restore(extras.levels);
        }
        peer
    }

    /// The peer as it is but for its levels: to be looked at.
    pub(crate) fn picture(&self, common: &Arc<Common>) -> Peer {
        let paths = self.paths.picture(self.sessions.since());
        // What is looked at draws nothing.
        let mut peer = self.peer(common, Rng::from_seed([0; 32]), paths);
        peer.name = self.name().map(str::to_owned);
        peer
    }

    fn peer(&self, common: &Arc<Common>, rng: Rng, paths: Paths) -> Peer {
        // Whatever is made new on waking counts from a time that has passed.
        let base = self.sessions.since();
        let active = paths.active().map(|(key, _)| key);
        let key = active.unwrap_or(crate::path::PathKey(0));
        let path = (PathKey(key.0), paths.max_datagram_bytes(key) as u64);
        let id = self.id();
        let mut peer = Peer::new(base, id, self.is_smaller, Arc::clone(common), rng);
        peer.record = Some(Arc::clone(&self.record));
        peer.capabilities = self.capabilities;
        peer.sessions = self.sessions.wake(self.recovery.next_pn());
        peer.paths = paths;
        let opened = self.sessions.largest_opened();
        (peer.recovery, peer.received) = self.recovery.wake(base, common.congestion, path, opened);
        // All copies of requests that were executed left before the newest packet.
        let request_floor = self.recovery.largest_received(opened).unwrap_or(0);
        peer.levels.wake(self.epoch, request_floor);
        peer.activity = self.activity.wake(base);
        peer
    }

    /// The name under which it was found or introduced.
    pub(crate) fn name(&self) -> Option<&str> {
        self.extras.as_ref()?.name.as_deref()
    }

    /// Its identity.
    pub(crate) fn id(&self) -> NodeId {
        self.record.id
    }

    /// The token that would end its session.
    pub(crate) fn reset_token(&self) -> &[u8; 16] {
        self.sessions.reset_token()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that a peer holds at rest: it has no heap memory but its key record, a name, and levels where there
    /// were flows.
    #[test]
    fn a_peer_at_rest_is_small() {
        assert!(size_of::<Resident>() <= 448, "{}", size_of::<Resident>());
    }
}
