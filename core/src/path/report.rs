//! What the status and `why` show of a peer's paths: validated paths, what came of each candidate,
//! and one verdict. Reads only (docs/protocol.md §9).

use super::types::{Route, RouteStatus};
use super::{PathState, Paths};
use crate::api::{CandidateAttempt, Verdict};

impl Paths {
    /// Every validated path, the active one first.
    #[must_use]
    pub(crate) fn status(&self) -> Vec<RouteStatus> {
        let validated = self.paths.iter().filter(|path| path.is_validated());
        let mut all: Vec<_> = validated.map(|path| self.status_of(path)).collect();
        all.sort_by_key(|path| (!path.active, !path.route.is_direct(), path.rtt, path.path));
        all
    }

    /// What came of each candidate, those not tried last.
    #[must_use]
    pub(crate) fn attempts(&self) -> Vec<CandidateAttempt> {
        let tried = self.paths.iter().filter_map(|path| {
            Some(CandidateAttempt {
                remote: path.route.address()?,
                kind: path.kind,
                probes_sent: path.probes_sent,
                probes_received: path.probes_received,
                validated: path.is_validated(),
                skipped: None,
            })
        });
        let refused = self
            .refused
            .iter()
            .map(|(remote, kind, reason)| CandidateAttempt {
                remote: *remote,
                kind: *kind,
                probes_sent: 0,
                probes_received: 0,
                validated: false,
                skipped: Some(*reason),
            });
        tried.chain(refused).collect()
    }

    /// Why the path in use is what it is.
    #[must_use]
    pub(crate) fn verdict(&self) -> Verdict {
        let is_direct = |p: &&PathState| p.route.is_direct();
        let mut candidates = self.paths.iter().filter(is_direct);
        match self.active() {
            Some((_, Route::Direct(_))) => Verdict::Direct,
            None if !self.was_established => Verdict::NotConnected,
            _ if !self.direct_paths => Verdict::RelayOnly,
            _ if self.lost_direct => Verdict::PathLost,
            _ if candidates.clone().next().is_none() => Verdict::NoCandidates,
            _ if self.rounds.is_early() => Verdict::Probing,
            _ if candidates.any(|path| path.probes_received > 0) => Verdict::OneWay,
            _ => Verdict::NoProbeArrived,
        }
    }

    fn status_of(&self, path: &PathState) -> RouteStatus {
        RouteStatus {
            path: path.key,
            route: path.route,
            active: self.active == Some(path.key),
            validated: path.is_validated(),
            rtt: path.rtt,
            mtu_bytes: path.mtu.current(),
        }
    }
}
