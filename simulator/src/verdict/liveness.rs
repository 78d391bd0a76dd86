//! After all faults are healed: everything promised comes or is reported failed, and then there is
//! silence but for keep-alives (docs/protocol.md §9.5).

use core::time::Duration;

use p2p_core::limits;

use crate::oracle::Violation;
use crate::world::World;

/// Longest deadline of anything that applications in random plots ask for, with room for its
/// report.
const PATIENCE: Duration = Duration::from_secs(150);
/// Window over which silence is judged.
const SILENCE: Duration = Duration::from_secs(30);
/// Datagrams that a pair of connected nodes may exchange in that window and direction: two
/// keep-alives, two consent checks with their answers, a round of probes at eight candidates, and
/// a rekey.
const DATAGRAMS_PER_PAIR: u64 = 100;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LivenessReport {
    /// Virtual time until nothing was owed any more.
    pub settled_after: Duration,
    /// Datagrams sent in the window of silence.
    pub idle_datagrams: u64,
}

/// Waits until nothing is owed, then listens.
///
/// # Errors
/// What is still owed after a patient wait, or how loud the silence is.
pub fn liveness(world: &mut World) -> Result<LivenessReport, Violation> {
    let start = world.now();
    let mut waited = Duration::ZERO;
    loop {
        if let Some(violation) = world.violations.first() {
            return Err(violation.clone());
        }
        let Some(first) = owed(world).into_iter().next() else {
            break;
        };
        if waited >= PATIENCE {
            return Err(format!("after {PATIENCE:?} of peace: {first}"));
        }
        world.run_for(Duration::from_millis(500));
        waited = world.now().saturating_since(start);
    }
    // Whatever was still on its way: acknowledgements, the last probes.
    world.run_for(Duration::from_secs(10));
    let sent =
        |w: &World| -> Vec<u64> { w.everybody().map(|h| w.traffic(h).datagrams_sent).collect() };
    let before = sent(world);
    world.run_for(SILENCE);
    let mut report = LivenessReport {
        settled_after: waited,
        idle_datagrams: 0,
    };
    for ((who, after), before) in world.everybody().zip(sent(world)).zip(before) {
        let idle = after - before;
        report.idle_datagrams += idle;
        let pairs = world.everybody().count() as u64;
        if idle > DATAGRAMS_PER_PAIR * pairs {
            let name = world.name(who);
            return Err(format!("{name} sent {idle} datagrams in idle {SILENCE:?}"));
        }
    }
    // A goodbye may have been lost, or a peer restarted: the other side notices by silence.
    world.run_for(limits::PEER_TIMEOUT);
    agreement(world)?;
    match world.violations.first() {
        Some(violation) => Err(violation.clone()),
        None => Ok(report),
    }
}

/// After so long a peace, who holds a connection is held to it by the other side as well.
fn agreement(world: &World) -> Result<(), Violation> {
    for who in world.everybody() {
        for peer in world.app(who).connected.keys() {
            let other = world.who(peer).ok_or("connected to nobody")?;
            if !world.is_connected(other, who) {
                let (one, two) = (world.name(who), world.name(other));
                return Err(format!(
                    "{one} is connected to {two}, but not the other way"
                ));
            }
        }
    }
    Ok(())
}

/// What is owed, without what a crash or the end of a connection excuses.
fn owed(world: &World) -> Vec<String> {
    let mut owed = Vec::new();
    for u in world.ledger.unsettled() {
        let excused = u.epoch.is_some_and(|e| e != world.epoch(u.from, u.to));
        if !excused {
            owed.push(format!("from {} to {}: {}", u.from, u.to, u.what));
        }
    }
    for who in world.everybody() {
        let pending = world.app(who).connects.iter().find(|(_, c)| c.is_none());
        if let Some((operation, _)) = pending {
            let name = world.name(who);
            owed.push(format!(
                "{name}: connection attempt {operation:?} has not ended"
            ));
        }
        if world.is_running(who) && !world.is_registered(who) {
            let states = &world.app(who).introducers;
            owed.push(format!("{} is not registered: {states:?}", world.name(who)));
        }
    }
    owed
}
