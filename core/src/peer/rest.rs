//! A peer at rest. Most peers of most nodes say nothing but that they are there: for them the node keeps who they are,
//! the secrets of the session, one path and some times, and nothing that only data needs. A peer comes to rest when it
//! has been quiet for [`crate::limits::REST_AFTER`] and neither side owes the other anything; whatever concerns it
//! wakes it.
//!
//! A rest loses nothing: packet numbers go on, what was received stays received ([`crate::session`]), keep-alives,
//! consent and the renewal of keys come when they would have come.

use std::sync::Arc;

use super::activity::{Activity, ActivityAtRest};
use super::levels::{EpochAtRest, OpenLevels};
use super::line::{Line, LineAtRest};
use super::profile::Profile;
use super::sessions::SessionsAtRest;
use super::sources::Sources;
use super::{Common, Peer};
use crate::id::NodeId;
use crate::identity::KeyRecord;
use crate::path::Paths;
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
    line: LineAtRest,
    activity: ActivityAtRest,
    epoch: EpochAtRest,
    capabilities: u32,
    is_smaller: bool,
}

/// What a peer that neither owes nor awaits anything is made of.
pub(super) struct Parts<'a> {
    pub(super) profile: &'a mut Profile,
    pub(super) sessions: SessionsAtRest,
    pub(super) line: &'a mut Line,
    pub(super) sources: &'a mut Sources,
    pub(super) activity: &'a Activity,
}

impl Extras {
    fn in_a_box(self) -> Option<Box<Self>> {
        let is_some = self.name.is_some() || self.levels.is_some();
        is_some.then(|| Box::new(self))
    }
}

impl Resident {
    /// The parts at rest, where all of them may; what is large leaves them then.
    pub(super) fn new(now: Instant, parts: Parts<'_>) -> Option<Self> {
        let Parts {
            profile,
            sessions,
            line,
            sources,
            activity,
        } = parts;
        let (base, opened) = (sessions.since(), sessions.largest_opened());
        let record = Arc::clone(profile.record()?);
        let activity = activity.rest(base, &line.sums())?;
        let is_smaller = sources.levels.is_smaller();
        sources.levels.may_rest()?;
        let line = line.rest(now, base, &sources.received, opened)?;
        let levels = sources.levels.rest()?;
        let extras = Extras {
            name: profile.name.take(),
            levels: levels.open,
        };
        Some(Self {
            record,
            extras: extras.in_a_box(),
            sessions,
            line,
            activity,
            epoch: levels.epoch,
            capabilities: profile.capabilities(),
            is_smaller,
        })
    }

    /// The peer as it was; what is large is given back. `rng` is for what it draws from now on.
    pub(crate) fn wake(&mut self, common: &Arc<Common>, rng: Rng) -> Peer {
        let paths = self
            .line
            .wake_paths(self.sessions.since(), rng.fork("paths"));
        let extras = self.extras.take().unwrap_or_default();
        let mut peer = self.peer(common, rng, paths, extras.name);
        peer.sources.levels.restore(extras.levels);
        peer
    }

    /// The peer as it is but for its levels: to be looked at.
    pub(crate) fn picture(&self, common: &Arc<Common>) -> Peer {
        let paths = self.line.picture_paths(self.sessions.since());
        // What is looked at draws nothing.
        let rng = Rng::from_seed([0; 32]);
        self.peer(common, rng, paths, self.name().map(str::to_owned))
    }

    fn peer(&self, common: &Arc<Common>, rng: Rng, paths: Paths, name: Option<String>) -> Peer {
        // Whatever is made new on waking counts from a time that has passed.
        let base = self.sessions.since();
        let opened = self.sessions.largest_opened();
        let next_pn = self.line.next_pn();
        let mut peer = Peer::new(base, self.id(), self.is_smaller, Arc::clone(common), rng);
        peer.profile = Profile::known(name, Arc::clone(&self.record), self.capabilities);
        peer.sessions = self.sessions.wake(next_pn);
        peer.sources.received = peer.line.wake(&self.line, paths, (base, opened));
        // All copies of requests that were executed left before the newest packet.
        let request_floor = self.line.largest_received(opened).unwrap_or(0);
        peer.sources.levels.wake(self.epoch, request_floor);
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
