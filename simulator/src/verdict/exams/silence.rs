//! The way is cut for a while.

use super::Sitting;
use crate::oracle::Violation;
use crate::units::secs;

/// Datagrams that one host may send while ten seconds of nothing come back: probe timeouts that double, challenges on
/// every path, calls at its introducers.
const BLACKOUT_DATAGRAMS: u64 = 250;

/// Nothing reaches a peer and nothing comes from it: it is asked ever less often, and once it is back, what waits
/// comes soon.
pub(super) fn blackout(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    s.world.change_link(b, |link| link.up = false);
    let before = s.world.traffic(a).datagrams_sent;
    let message = s.tell(a, b, 2_000)?;
    s.world.run_for(secs(6));
    let sent = s.world.traffic(a).datagrams_sent - before;
    s.world.change_link(b, |link| link.up = true);
    if sent > BLACKOUT_DATAGRAMS {
        return Err(format!("{sent} datagrams into silence"));
    }
    s.delivered((a, b), &[message], secs(8))
}

/// The direct path is cut and the relay is not: two probe timeouts, and data takes the relay. Where others that were
/// direct once may be tried first, the exam is not taken.
pub(super) fn detour(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    if !s.has_one_way() || !s.world.is_direct(a, b) || !s.world.is_direct(b, a) {
        return Ok(());
    }
    s.world.partition(a, b);
    let message = s.tell(a, b, 2_000)?;
    let came = s.delivered((a, b), &[message], secs(6));
    s.world.rejoin(a, b);
    came
}
