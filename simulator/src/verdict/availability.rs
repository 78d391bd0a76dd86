//! Where nothing breaks, nothing may fail and nothing may crawl: every attempt to connect succeeds,
//! every request is answered, every message arrives, no connection ends that nobody ended, and what
//! was asked last is done soon.

use core::time::Duration;
use std::collections::BTreeSet;

use p2p_core::api::RequestOutcome;

use crate::app::ConnectOutcome;
use crate::oracle::Violation;
use crate::world::{Who, World};

/// What the last order may take at most, beside the time for its bytes: a connection through an
/// introducer and a few round trips of 160 ms.
const PATIENCE: Duration = Duration::from_secs(4);
/// Half of what a relay channel carries (`limits::RELAY_BYTES_PER_S`): the slowest path that a
/// world without faults has.
const SLOWEST_BYTES_PER_S: u64 = 512 << 10;

/// What a plot without misfortune asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Pairs whose connection one of them ended: what was under way between them may have failed.
    pub parted: BTreeSet<(Who, Who)>,
    /// Most bytes handed in by one host.
    pub most_bytes: u64,
}

impl Asked {
    fn has_parted(&self, a: Who, b: Who) -> bool {
        self.parted.contains(&(a, b)) || self.parted.contains(&(b, a))
    }
}

/// Holds the end of a world without faults against what was asked; `settled_after` is the time from
/// the last order until nothing was owed.
///
/// # Errors
/// What failed, or took too long.
pub fn availability(
    world: &World,
    asked: &Asked,
    settled_after: Duration,
) -> Result<(), Violation> {
    let transfer = Duration::from_secs(asked.most_bytes.div_ceil(SLOWEST_BYTES_PER_S));
    if settled_after > PATIENCE + transfer {
        return Err(format!(
            "without faults, {settled_after:?} passed until all was done"
        ));
    }
    for who in world.everybody() {
        let name = world.name(who);
        let app = world.app(who);
        for outcome in app.connects.values().flatten() {
            if let ConnectOutcome::Failed(reason) = outcome {
                return Err(format!(
                    "without faults, {name} failed to connect: {reason:?}"
                ));
            }
        }
        let parted = |peer| world.who(peer).is_some_and(|p| asked.has_parted(who, p));
        let lost = app.disconnects.iter().find(|(peer, _)| !parted(peer));
        if let Some((peer, reason)) = lost {
            return Err(format!(
                "without faults, {name} lost {:?}: {reason:?}",
                world.who(peer)
            ));
        }
        let has_parted = asked.parted.iter().any(|(a, b)| *a == who || *b == who);
        for outcome in app.requests.values() {
            let is_fine = matches!(outcome, RequestOutcome::Answered(_))
                || (has_parted && *outcome == RequestOutcome::Disconnected);
            if !is_fine {
                return Err(format!("without faults, a request of {name}: {outcome:?}"));
            }
        }
        for ((peer, _), outcome) in &app.sent_messages {
            if let Err(reason) = outcome
                && !parted(peer)
            {
                return Err(format!("without faults, a message of {name}: {reason:?}"));
            }
        }
    }
    Ok(())
}
