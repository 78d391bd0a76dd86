//! A line at rest: mostly one path, and where its packet numbers go on.

use super::{Line, key};
use crate::path::{PathKey, Paths, PathsAtRest};
use crate::recovery::{PathStats, ReceivedPackets, RecoveryAtRest};
use crate::rng::Rng;
use crate::time::Instant;

/// A line at rest.
pub(in crate::peer) struct LineAtRest {
    /// Missing where there are several.
    paths: Option<PathsAtRest>,
    recovery: RecoveryAtRest,
}

impl Line {
    /// The next packet number, unless it is left out.
    pub(in crate::peer) fn next_pn(&self) -> u64 {
        self.recovery.next_pn()
    }

    /// Sums over all paths, for a status that outlives them.
    pub(in crate::peer) fn sums(&self) -> PathStats {
        self.recovery.sums()
    }

    /// The line at rest with times from `base`, where nothing is under way, to be told or to be tried; `received` is
    /// what came over it and `opened` the largest number of that. Several paths are given back as they are.
    pub(in crate::peer) fn rest(
        &mut self,
        now: Instant,
        base: Instant,
        received: &ReceivedPackets,
        opened: u64,
    ) -> Option<(LineAtRest, Option<Box<Paths>>)> {
        let path = self.paths.may_rest()?;
        let recovery = self.recovery.rest(key(path), received, opened)?;
        let paths = self.paths.rest(now, base);
        let several = paths.is_none().then(|| {
            let none = Paths::new(Rng::from_seed([0; 32]), false, now);
            Box::new(core::mem::replace(&mut self.paths, none))
        });
        Some((LineAtRest { paths, recovery }, several))
    }

    /// Goes on over these paths where `at_rest` was; what was received over the line. `opened` is the largest number of
    /// that.
    pub(in crate::peer) fn wake(
        &mut self,
        at_rest: &LineAtRest,
        paths: Paths,
        (base, opened): (Instant, u64),
    ) -> ReceivedPackets {
        let active = paths.active().map_or(PathKey(0), |(path, _)| path);
        let path = (key(active), paths.max_datagram_bytes(active) as u64);
        let kind = self.congestion;
        let (recovery, received) = at_rest.recovery.wake(base, kind, path, opened);
        (self.paths, self.recovery) = (paths, recovery);
        received
    }
}

impl LineAtRest {
    /// The next packet number, unless it is left out.
    pub(in crate::peer) fn next_pn(&self) -> u64 {
        self.recovery.next_pn()
    }

    /// The largest packet number received.
    pub(in crate::peer) fn largest_received(&self, opened: u64) -> Option<u64> {
        self.recovery.largest_received(opened)
    }

    /// The one path as it was, where there is one. `rng` is for what it draws from now on.
    pub(in crate::peer) fn wake_paths(&self, base: Instant, rng: Rng) -> Option<Paths> {
        Some(self.paths.as_ref()?.wake(base, rng))
    }
}
