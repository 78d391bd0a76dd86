//! Two peers on a bad line, long after all else was healed: everything that applications do must
//! come through, in bounded time and with a bounded number of datagrams. Random plots ask whether
//! promises are kept at last; this asks whether the engine is any good at keeping them.

use core::time::Duration;

use p2p_core::api::{Event, RequestOutcome};
use p2p_core::id::NodeId;

use crate::link::percent;
use crate::oracle::{Violation, on_wire};
use crate::units::{ms, secs};
use crate::world::{StreamHandle, Who, World};

/// What every link takes, whatever a plot made of it: what the bounds below are reckoned for. By way of a relay a round
/// trip takes eight of it.
const LATENCY: Duration = Duration::from_millis(20);
/// Requests, one after the other.
const REQUESTS: u64 = 12;
/// The longest that all of them may take: each a round trip of 160 ms, some of them twice.
const REQUESTS_TAKE: Duration = Duration::from_secs(14);
/// Bytes of the large message and of the large stream.
const LARGE_BYTES: usize = 150_000;
/// The longest that both may take, and the most datagrams that both ends may send for them.
const LARGE_TAKES: Duration = Duration::from_secs(45);
const LARGE_DATAGRAMS: u64 = 650;
/// Streams opened one after the other, more than may be open at once.
const STREAMS: usize = 300;
/// The longest that all of them may take.
const STREAMS_TAKE: Duration = Duration::from_secs(12);
/// Streams that their reader stops.
const STOPPED: usize = 8;
/// Messages whose time is too short for them, more than may be under way at once.
const LATE_MESSAGES: usize = 40;

/// Lets `a` and `b`, who are connected, work on a bad line. `payload` gives unique content of a
/// length.
///
/// # Errors
/// What did not come, or not in time, or took too many datagrams.
pub fn endurance(
    world: &mut World,
    (a, b): (Who, Who),
    payload: &mut dyn FnMut(usize) -> Vec<u8>,
) -> Result<(), Violation> {
    let names = format!("{} and {} on a bad line", world.name(a), world.name(b));
    for who in world.everybody() {
        world.change_link(who, |link| link.latency = LATENCY);
    }
    for who in [a, b] {
        world.change_link(who, |link| {
            link.loss = percent(2);
            link.swap = percent(3);
            link.duplicate = percent(2);
        });
    }
    let told = |what: Violation| format!("{names}: {what}");
    requests(world, (a, b), payload).map_err(told)?;
    large(world, (a, b), payload).map_err(told)?;
    streams(world, (a, b), payload).map_err(told)?;
    stopped(world, (a, b), payload).map_err(told)?;
    late(world, (a, b), payload).map_err(told)?;
    world.heal();
    match world.violations.first() {
        Some(violation) => Err(violation.clone()),
        None => Ok(()),
    }
}

fn requests(
    world: &mut World,
    (a, b): (Who, Who),
    payload: &mut dyn FnMut(usize) -> Vec<u8>,
) -> Result<(), Violation> {
    let start = world.now();
    for _ in 0..REQUESTS {
        let body = payload(200);
        let request = world.send_request(a, b, body, secs(20));
        let request = request.map_err(|e| format!("a request is refused: {e}"))?;
        let done = world
            .run_until(|w| w.app(a).requests.contains_key(&request))
            .or_after(secs(25));
        done.ok_or("a request does not end")?;
        match world.app(a).requests.get(&request) {
            Some(RequestOutcome::Answered(_)) => {}
            other => return Err(format!("a request came to {other:?}")),
        }
    }
    let took = world.now().saturating_since(start);
    if took > REQUESTS_TAKE {
        return Err(format!("{REQUESTS} requests took {took:?}"));
    }
    Ok(())
}

fn large(
    world: &mut World,
    (a, b): (Who, Who),
    payload: &mut dyn FnMut(usize) -> Vec<u8>,
) -> Result<(), Violation> {
    let sent = |w: &World| w.traffic(a).datagrams_sent + w.traffic(b).datagrams_sent;
    let (start, before) = (world.now(), sent(world));
    let message = world.send_message(a, b, 1, payload(LARGE_BYTES));
    let message = message.map_err(|e| format!("a message is refused: {e}"))?;
    let stream = world.try_open_stream(a, b);
    let stream = stream.map_err(|e| format!("a stream is refused: {e}"))?;
    world.write(a, stream, &payload(LARGE_BYTES));
    world.finish(a, stream);
    let peers = (world.id(b), world.id(a));
    let is_done = |w: &World| {
        w.app(a).sent_messages.contains_key(&(peers.0, message))
            && other_end(w, b, peers.1, stream).is_some_and(|s| w.app(b).has_ended(peers.1, s.id))
    };
    world
        .run_until(is_done)
        .or_after(secs(150))
        .ok_or("a large message or stream does not end")?;
    if world.app(a).sent_messages.get(&(peers.0, message)) != Some(&Ok(())) {
        return Err("a large message did not arrive".to_owned());
    }
    let (took, datagrams) = (world.now().saturating_since(start), sent(world) - before);
    if took > LARGE_TAKES || datagrams > LARGE_DATAGRAMS {
        let bytes = 2 * LARGE_BYTES;
        return Err(format!(
            "{bytes} bytes took {took:?} and {datagrams} datagrams"
        ));
    }
    Ok(())
}

fn streams(
    world: &mut World,
    (a, b): (Who, Who),
    payload: &mut dyn FnMut(usize) -> Vec<u8>,
) -> Result<(), Violation> {
    let (start, peer) = (world.now(), world.id(a));
    let mut open = Vec::new();
    for number in 0..STREAMS {
        let stream = loop {
            match world.try_open_stream(a, b) {
                Ok(stream) => break stream,
                Err(_) if world.now().saturating_since(start) < STREAMS_TAKE => {
                    end_own_side(world, b, peer, &mut open);
                    world.run_for(ms(50));
                }
                Err(e) => return Err(format!("stream {number} cannot be opened: {e}")),
            }
        };
        world.write(a, stream, &payload(40));
        world.finish(a, stream);
        open.push(stream);
    }
    while !open.is_empty() && world.now().saturating_since(start) < 2 * STREAMS_TAKE {
        world.run_for(ms(50));
        end_own_side(world, b, peer, &mut open);
    }
    match open.len() {
        0 => Ok(()),
        left => Err(format!("{left} of {STREAMS} streams do not end")),
    }
}

/// Ends the reader's own direction of the streams that have come in whole.
fn end_own_side(world: &mut World, reader: Who, opener: NodeId, open: &mut Vec<StreamHandle>) {
    let mut left = Vec::new();
    for stream in open.drain(..) {
        match other_end(world, reader, opener, stream) {
            Some(end) if world.app(reader).has_ended(opener, end.id) => world.finish(reader, end),
            _ => left.push(stream),
        }
    }
    *open = left;
}

/// A stream under its reader's number, once it has come in.
fn other_end(
    world: &World,
    reader: Who,
    opener: NodeId,
    stream: StreamHandle,
) -> Option<StreamHandle> {
    let came = world.app(reader).streams_from(opener);
    let id = came
        .into_iter()
        .rev()
        .find(|id| on_wire(*id) == on_wire(stream.id))?;
    Some(StreamHandle { id, ..stream })
}

/// A reader that wants no more is heard.
fn stopped(
    world: &mut World,
    (a, b): (Who, Who),
    payload: &mut dyn FnMut(usize) -> Vec<u8>,
) -> Result<(), Violation> {
    const CODE: u64 = 42;
    let opener = world.id(a);
    for _ in 0..STOPPED {
        let stream = world.try_open_stream(a, b);
        let stream = stream.map_err(|e| format!("a stream to be stopped is refused: {e}"))?;
        world.write(a, stream, &payload(20_000));
        let came = world
            .run_until(|w| other_end(w, b, opener, stream).is_some())
            .or_after(secs(10));
        came.ok_or("a stream does not come in")?;
        if let Some(end) = other_end(world, b, opener, stream) {
            world.stop_stream(b, end, CODE);
        }
        let is_stop = |event: &Event| match event {
            Event::StreamStopped {
                stream: id, code, ..
            } => *id == stream.id && *code == CODE,
            _ => false,
        };
        world
            .run_until(|w| w.app(a).events.iter().any(|(_, event)| is_stop(event)))
            .or_after(secs(10))
            .ok_or("a writer does not hear that nobody reads")?;
    }
    Ok(())
}

fn late(
    world: &mut World,
    (a, b): (Who, Who),
    payload: &mut dyn FnMut(usize) -> Vec<u8>,
) -> Result<(), Violation> {
    let peer = world.id(b);
    for _ in 0..LATE_MESSAGES {
        let message = world.send_message_within(a, b, 1, payload(60_000), ms(150));
        let message = message.map_err(|e| format!("a message with a deadline is refused: {e}"))?;
        let ended = world
            .run_until(|w| w.app(a).sent_messages.contains_key(&(peer, message)))
            .or_after(secs(5));
        ended.ok_or("a message does not end with its time")?;
    }
    let message = world.send_message(a, b, 1, payload(100));
    let message = message.map_err(|e| format!("a message after many late ones: {e}"))?;
    let key = (peer, message);
    let ended = world
        .run_until(|w| w.app(a).sent_messages.contains_key(&key))
        .or_after(secs(30));
    match ended.and(world.app(a).sent_messages.get(&key)) {
        Some(Ok(())) => Ok(()),
        other => Err(format!("a message after many late ones came to {other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How two peers fare after something was done to the second.
    fn fare(spoil: impl Fn(&mut World, Who)) -> Result<(), Violation> {
        let mut world = World::seeded(3);
        let introducer = world.public_node("introducer");
        let [a, b] = ["a", "b"].map(|name| world.node(name).introducer(introducer).start());
        world.run_for(secs(2));
        world.connect(a, b);
        world.run_for(secs(5));
        spoil(&mut world, b);
        let mut n = 0_u64;
        let mut payload = |len: usize| {
            n += 1;
            let mut data = n.to_be_bytes().to_vec();
            data.resize(len.max(8), 7);
            data
        };
        endurance(&mut world, (a, b), &mut payload)
    }

    #[test]
    fn a_service_that_dawdles_and_a_reader_that_sleeps_are_found() {
        assert_eq!(fare(|_, _| {}), Ok(()));
        let slow = fare(|world, who| world.app_mut(who).answers_after = secs(3));
        assert!(slow.is_err_and(|found| found.contains("requests took")));
        let asleep = fare(|world, who| world.app_mut(who).lazy = true);
        assert!(asleep.is_err_and(|found| found.contains("does not end")));
        let mute = fare(|world, who| world.links_mut(who)[0].up = false);
        assert!(mute.is_err_and(|found| found.contains("request")));
    }
}
