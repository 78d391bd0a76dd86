//! A line that carries less than the ends would send: smaller datagrams, or two flows that must share it.

use super::Sitting;
use crate::link::Link;
use crate::oracle::Violation;
use crate::units::secs;

/// Largest payload of the narrower line: every line of the protocol carries it.
const NARROW_BYTES: usize = p2p_core::limits::BASE_DATAGRAM_BYTES;

/// The largest datagram that was found to pass does so no more: losses show it (RFC 8899 §4.3).
pub(super) fn small_datagrams(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let (a, b) = s.pair;
    if !s.has_one_way() {
        // The losses would be spread over several paths.
        return Ok(());
    }
    // Time to find a large one.
    let early = s.tell(a, b, 40_000)?;
    s.delivered((a, b), &[early], secs(10))?;
    s.world.run_for(secs(5));
    s.world.change_link(b, |link| link.mtu_bytes = NARROW_BYTES);
    let message = s.tell(a, b, 40_000)?;
    let came = s.delivered((a, b), &[message], secs(20));
    s.world
        .change_link(b, |link| link.mtu_bytes = Link::default().mtu_bytes);
    came
}

/// Rate of the line that two share, bytes a second.
const RATE: u64 = 60 << 10;
/// How long they share it, seconds.
const SHARED_S: u64 = 20;
/// The least that both together bring across, and the smaller part of it, percent.
const USED_PERCENT: u64 = 60;
const SMALLER_PERCENT: u64 = 15;

/// Two peers send to a third across its line: most of it is used, and neither is starved.
pub(super) fn two_flows(s: &mut Sitting<'_>) -> Result<(), Violation> {
    let ((a, b), c) = (s.pair, s.third);
    let has_met = |w: &crate::world::World| w.is_connected(c, b) && w.is_connected(b, c);
    if !has_met(s.world) {
        let tried = s.world.try_connect(c, b);
        tried.map_err(|e| format!("a third is refused: {e}"))?;
        let met = s.world.run_until(has_met).or_after(secs(25));
        met.ok_or("a third does not connect")?;
        s.world.run_for(secs(5));
    }
    let [_, down] = s.world.links_mut(b);
    down.rate_bytes_per_s = Some(RATE);
    down.queue_bytes = RATE / 4;
    let mut streams = Vec::new();
    for from in [a, c] {
        let stream = s.world.try_open_stream(from, b);
        let stream = stream.map_err(|e| format!("a stream is refused: {e}"))?;
        let data = (s.payload)((RATE * SHARED_S) as usize);
        s.world.write(from, stream, &data);
        streams.push((from, stream));
    }
    s.world.run_for(secs(SHARED_S));
    let came: Vec<u64> = streams
        .iter()
        .map(|(_, stream)| s.came(b, *stream))
        .collect();
    let [_, down] = s.world.links_mut(b);
    *down = Link::with_latency(down.latency);
    for (from, stream) in streams {
        s.world.reset_stream(from, stream, 7);
    }
    let all = came[0] + came[1];
    if all < RATE * SHARED_S * USED_PERCENT / 100 {
        return Err(format!(
            "two flows bring {all} bytes across in {SHARED_S} s"
        ));
    }
    if came[0].min(came[1]) < all * SMALLER_PERCENT / 100 {
        return Err(format!("two flows share a line as {came:?} bytes"));
    }
    s.world.run_for(secs(2));
    Ok(())
}
