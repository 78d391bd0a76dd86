//! One datagram is lost, or none, and what it carried must be there after the round trips that it takes to notice.

use core::time::Duration;

use super::Sitting;
use crate::oracle::Violation;
use crate::units::{ms, secs};
use crate::world::Who;

/// Beside round trips: a delayed acknowledgement (`limits::MAX_ACK_DELAY`), pacing, clocks that drift.
const SLACK: Duration = ms(40);

/// The longest that a probe timeout and what follows it may take: its bound is four times the variation of round trips
/// above their mean, and bad lines vary.
const PROBED: Duration = secs(3);

/// A message is known to have arrived after one round trip.
pub(super) fn prompt(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    for _ in 0..6 {
        let message = s.tell(a, b, 60)?;
        s.delivered((a, b), &[message], s.round_trip() + SLACK)?;
        s.world.run_for(ms(300));
    }
    Ok(())
}

/// The only datagram is lost: a probe timeout finds that out (RFC 9002 §6.2).
pub(super) fn tail(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    for _ in 0..3 {
        s.mute(a, true);
        let message = s.tell(a, b, 60)?;
        s.world.run_for(ms(1));
        s.mute(a, false);
        s.delivered((a, b), &[message], PROBED)?;
        s.mute(a, true);
        let request = s.ask(a, b)?;
        s.world.run_for(ms(1));
        s.mute(a, false);
        s.answered(a, request, PROBED)?;
        s.world.run_for(ms(500));
    }
    Ok(())
}

/// A datagram is lost and later ones arrive: acknowledgements show the gap after one round trip.
pub(super) fn gap(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    for _ in 0..3 {
        s.mute(a, true);
        let request = s.ask(a, b)?;
        let message = s.tell(a, b, 60)?;
        s.world.run_for(ms(1));
        s.mute(a, false);
        chatter(s, (a, b));
        s.answered(a, request, s.round_trip() * 2 + 5 * SLACK)?;
        s.delivered((a, b), &[message], s.round_trip() + 5 * SLACK)?;
        s.world.run_for(ms(500));
    }
    Ok(())
}

/// An answer that its asker is waiting for, and whose request was acknowledged before, is lost.
pub(super) fn lost_answer(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    for _ in 0..3 {
        let takes = secs(1);
        s.world.app_mut(b).answers_after = takes;
        let request = s.ask(a, b)?;
        let asked = s.world.now();
        let before = s.world.app(b).executed.len();
        let came = s.world.run_until(|w| w.app(b).executed.len() > before);
        came.or_after(secs(5)).ok_or("a request does not come")?;
        let on_the_way = s.world.now().saturating_since(asked);
        s.world.app_mut(b).answers_after = Duration::ZERO;
        s.world.run_for(takes - ms(1));
        s.mute(b, true);
        s.world.run_for(ms(2));
        s.mute(b, false);
        chatter(s, (b, a));
        let most = s.round_trip() + on_the_way + 10 * SLACK;
        s.answered(a, request, most)?;
        s.world.run_for(ms(500));
    }
    Ok(())
}

/// Enough datagrams for a gap to be seen (RFC 9002 §6.1.1).
fn chatter(s: &mut Sitting<'_>, (from, to): (Who, Who)) {
    for _ in 0..6 {
        let data = (s.payload)(60);
        let _ = s.world.send_datagram(from, to, data);
        s.world.run_for(ms(2));
    }
}
