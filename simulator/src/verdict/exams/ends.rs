//! Connections, streams and sessions end, and the other side hears of it.

use p2p_core::api::{Command, Event, Label, MessageId};
use p2p_core::id::NodeId;

use super::Sitting;
use crate::oracle::Violation;
use crate::units::{ms, secs};
use crate::world::Who;

/// A stream is reset, then the connection ends: both are heard one way later, and a whole message that was not taken
/// by then still can be.
pub(super) fn goodbye(s: &mut Sitting<'_>) -> Result<(), Violation> {
    const CODE: u64 = 9;
    let (a, b) = s.pair;
    let (ida, idb) = (s.world.id(a), s.world.id(b));
    let stream = s.world.try_open_stream(a, b);
    let stream = stream.map_err(|e| format!("a stream is refused: {e}"))?;
    let data = (s.payload)(5_000);
    s.world.write(a, stream, &data);
    s.world.run_for(secs(1));
    s.world.reset_stream(a, stream, CODE);
    let is_reset = |e: &Event| matches!(e, Event::StreamReset { code: CODE, .. });
    s.told(b, "a reset", is_reset, s.round_trip() + ms(50))?;
    s.world.app_mut(b).lazy = true;
    let before = untaken(s, b, ida).len();
    s.tell(a, b, 3_000)?;
    let came = s.world.run_until(|w| {
        let all = w.app(b).untaken.iter();
        all.filter(|(peer, ..)| *peer == ida).count() > before
    });
    came.or_after(secs(3)).ok_or("a message does not come")?;
    let left = untaken(s, b, ida).pop();
    let left = left.ok_or("a message does not come")?;
    let ended = s.world.command(a, Command::Disconnect(idb));
    ended.map_err(|e| format!("no goodbye: {e}"))?;
    let is_end = |e: &Event| matches!(e, Event::Disconnected { peer, .. } if *peer == ida);
    s.told(b, "a goodbye", is_end, s.round_trip() + ms(50))?;
    s.world.take_announced(b, left)?;
    s.world.read_eagerly(b);
    Ok(())
}

/// Messages of a peer that wait to be taken.
fn untaken(s: &Sitting<'_>, at: Who, from: NodeId) -> Vec<(NodeId, MessageId, Label)> {
    let all = s.world.app(at).untaken.iter();
    all.filter(|(peer, ..)| *peer == from).cloned().collect()
}

/// A peer dies and comes back: who writes to it is told by a reset that only it can make, not by silence (protocol
/// §4.6).
pub(super) fn restart(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    if !s.world.is_direct(a, b) || !s.world.is_direct(b, a) {
        // The channel through the introducer ends with the session that it belonged to.
        return Ok(());
    }
    s.world.crash(b);
    s.world.restart(b);
    let up = s.world.run_until(|w| w.is_registered(b)).or_after(secs(30));
    up.ok_or("a restarted peer does not register")?;
    // It may be known already: then there is nobody to write to.
    let _ = s.tell(a, b, 60);
    let ended = s.world.run_until(|w| !w.is_connected(a, b));
    let ended = ended.or_after(secs(5));
    ended
        .map(|_| ())
        .ok_or_else(|| "a restart is not heard of".to_owned())
}

/// A new session takes over after two minutes, and what is under way in the old one at that moment still arrives.
pub(super) fn renewal(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    let ended = s.world.command(a, Command::Disconnect(s.world.id(b)));
    ended.map_err(|e| format!("no goodbye: {e}"))?;
    s.world.run_for(secs(1));
    s.meet()?;
    let count = |s: &Sitting<'_>| {
        s.world
            .status(a)
            .map_or(0, |x| x.counters.sessions_established)
    };
    let fresh = count(s);
    for _ in 0..29 {
        let request = s.ask(a, b)?;
        s.answered(a, request, secs(10))?;
        s.world.run_for(secs(4));
    }
    let before = arrived(s);
    let mut sent = [0, 0];
    let until = s.world.now() + secs(10);
    while s.world.now() < until {
        for (n, (from, to)) in [(a, b), (b, a)].into_iter().enumerate() {
            let data = (s.payload)(60);
            let taken = s.world.send_datagram(from, to, data);
            sent[n] += usize::from(taken.is_ok());
        }
        s.world.run_for(ms(20));
    }
    s.world.run_for(secs(1));
    if count(s) == fresh {
        return Err("no new session after two minutes".to_owned());
    }
    let after = arrived(s);
    let came = [after[0] - before[0], after[1] - before[1]];
    if came != sent {
        return Err(format!(
            "of {sent:?} datagrams across a renewal {came:?} came"
        ));
    }
    Ok(())
}

/// Datagrams that came to the second and to the first.
fn arrived(s: &Sitting<'_>) -> [usize; 2] {
    let (a, b) = s.pair;
    let count = |at, from| {
        let id = s.world.id(from);
        s.world
            .app(at)
            .datagrams
            .iter()
            .filter(|d| d.0 == id)
            .count()
    };
    [count(b, a), count(a, b)]
}
