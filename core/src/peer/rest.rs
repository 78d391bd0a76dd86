//! A peer at rest. Most peers of most nodes say nothing but that they are there: for them the node keeps who they are,
//! the secrets of the session, one path and some times, and nothing that only data needs. A peer comes to rest when it
//! has been quiet for [`crate::limits::REST_AFTER`] and neither side owes the other anything; whatever concerns it
//! wakes it.
//!
//! A rest loses nothing: packet numbers go on, what was received stays received ([`crate::session`]), keep-alives,
//! consent and the renewal of keys come when they would have come.

use std::sync::Arc;

use super::activity::{Activity, ActivityAtRest, LargeSums};
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
    /// Where there are several.
    paths: Option<Box<Paths>>,
    sums: LargeSums,
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
        let Self {
            name,
            levels,
            paths,
            sums,
        } = &self;
        let is_some = name.is_some() || levels.is_some() || paths.is_some() || sums.is_some();
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
        let (activity, sums) = activity.rest(base, &line.sums())?;
        sources.levels.may_rest()?;
        let (line, paths) = line.rest(now, base, &sources.received, opened)?;
        let levels = sources.levels.rest()?;
        let extras = Extras {
            name: profile.name.take(),
            levels: levels.open,
            paths,
            sums,
        };
        Some(Self {
            record,
            extras: extras.in_a_box(),
            sessions,
            line,
            activity,
            epoch: levels.epoch,
            capabilities: profile.capabilities(),
        })
    }

    /// The peer as it was; what is large is given back. `rng` is for what it draws from now on.
    pub(crate) fn wake(&mut self, common: &Arc<Common>, rng: Rng) -> Peer {
        let extras = self.extras.take().unwrap_or_default();
        let paths = match extras.paths {
            Some(several) => *several,
            None => self.one_path(rng.fork("paths")),
        };
        let mut peer = self.peer(common, rng, (paths, extras.sums), extras.name);
        peer.sources.levels.restore(extras.levels);
        peer
    }

    /// The peer as it is but for its levels: to be looked at.
    pub(crate) fn picture(&self, common: &Arc<Common>) -> Peer {
        // What is looked at draws nothing.
        let rng = || Rng::from_seed([0; 32]);
        let extras = self.extras.as_deref();
        let paths = match extras.and_then(|extras| extras.paths.as_deref()) {
            Some(several) => several.copy(rng()),
            None => self.one_path(rng()),
        };
        let sums = extras.map_or_else(LargeSums::default, |extras| extras.sums);
        let name = self.name().map(str::to_owned);
        self.peer(common, rng(), (paths, sums), name)
    }

    fn one_path(&self, rng: Rng) -> Paths {
        let base = self.sessions.since();
        let none = || Paths::new(Rng::from_seed([0; 32]), false, base);
        self.line.wake_paths(base, rng).unwrap_or_else(none)
    }

    fn peer(
        &self,
        common: &Arc<Common>,
        rng: Rng,
        (paths, sums): (Paths, LargeSums),
        name: Option<String>,
    ) -> Peer {
        // Whatever is made new on waking counts from a time that has passed.
        let base = self.sessions.since();
        let opened = self.sessions.largest_opened();
        let next_pn = self.line.next_pn();
        let mut peer = Peer::new(base, self.id(), Arc::clone(common), rng);
        peer.profile = Profile::known(name, Arc::clone(&self.record), self.capabilities);
        peer.sessions = self.sessions.wake(next_pn);
        peer.sources.received = peer.line.wake(&self.line, paths, (base, opened));
        // All copies of requests that were executed left before the newest packet.
        let request_floor = self.line.largest_received(opened).unwrap_or(0);
        peer.sources.levels.wake(self.epoch, request_floor);
        peer.activity = self.activity.wake(sums, base);
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

    /// Everything that a peer holds at rest: it has no other heap memory but a name, and levels where there were
    /// flows. An `Arc` has two counters.
    #[test]
    fn a_peer_at_rest_is_small() {
        let record = size_of::<KeyRecord>() + 2 * size_of::<usize>();
        let all = size_of::<Resident>() + record;
        assert!(all <= 512, "{all}");
    }
}
