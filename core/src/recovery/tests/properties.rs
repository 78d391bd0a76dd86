//! Properties over arbitrary histories: every packet ends once, bytes in flight return to zero,
//! equal inputs give equal outputs.

use quickcheck::quickcheck;
use std::collections::BTreeMap;

use super::*;
use crate::recovery::outcome::Delivered;

/// A fate and what came of it: how often each packet was handed back, and a trace of all outcomes.
struct History {
    ends: BTreeMap<u64, u32>,
    trace: String,
    in_flight_bytes: u64,
    idle: bool,
}

/// Sends and acknowledges as `script` says, then lets time pass until nothing is under way.
fn play(script: &[u8]) -> History {
    let mut bench = Bench::new();
    let mut ends = BTreeMap::new();
    let mut trace = String::new();
    let mut now = at(0);
    let mut under_way: Vec<u64> = Vec::new();
    for (step, byte) in script.iter().enumerate() {
        let path = if byte & 0x40 == 0 { A } else { B };
        match byte & 7 {
            0..=3 => {
                let pn = bench.send(path, now);
                ends.insert(pn, 0);
                under_way.push(pn);
            }
            4 | 5 if !under_way.is_empty() => {
                let at = (usize::from(*byte) * 31 + step) % under_way.len();
                let from = at.saturating_sub(usize::from(byte >> 5));
                let acked: Vec<u64> = under_way.drain(from..=at).collect();
                bench.ack(&acked, now);
                note(
                    &mut ends,
                    &mut trace,
                    &bench.outcome.delivered,
                    &bench.outcome.lost,
                );
            }
            6 => {
                bench.timeout(now);
                note(&mut ends, &mut trace, &[], &bench.timeouts.lost);
            }
            _ => now += Duration::from_millis(u64::from(*byte)),
        }
    }
    // Whatever is left is acknowledged by probes, or lost before them.
    for _ in 0..200 {
        let Some(due) = bench.recovery.next_timeout() else {
            break;
        };
        now = now.max(due);
        let (_, probes) = bench.timeout(now);
        note(&mut ends, &mut trace, &[], &bench.timeouts.lost);
        for path in probes {
            let pn = bench.send(path, now);
            ends.insert(pn, 0);
            now += ms(30);
            bench.ack(&[pn], now);
            note(
                &mut ends,
                &mut trace,
                &bench.outcome.delivered,
                &bench.outcome.lost,
            );
        }
    }
    let in_flight = |path| bench.recovery.bytes_in_flight(path);
    History {
        ends,
        trace,
        in_flight_bytes: in_flight(A) + in_flight(B),
        idle: bench.recovery.is_idle() && bench.recovery.next_timeout().is_none(),
    }
}

fn note(
    ends: &mut BTreeMap<u64, u32>,
    trace: &mut String,
    delivered: &[Delivered<u64>],
    lost: &[Lost<u64>],
) {
    for pn in delivered
        .iter()
        .map(|d| d.frames)
        .chain(lost.iter().map(|l| l.frames))
    {
        *ends.entry(pn).or_default() += 1;
    }
    trace.push_str(&format!("{delivered:?}{lost:?}\n"));
}

quickcheck! {
    fn every_packet_ends_exactly_once(script: Vec<u8>) -> bool {
        play(&script).ends.values().all(|ends| *ends == 1)
    }

    fn bytes_in_flight_return_to_zero(script: Vec<u8>) -> bool {
        let history = play(&script);
        history.in_flight_bytes == 0 && history.idle
    }

    fn equal_inputs_give_equal_outputs(script: Vec<u8>) -> bool {
        play(&script).trace == play(&script).trace
    }
}

#[test]
fn long_histories_hold_the_properties_too() {
    let mut rng = Rng::from_seed([9; 32]);
    for _ in 0..30 {
        let mut script = vec![0; 3_000];
        rng.fill(&mut script);
        let history = play(&script);
        assert!(history.ends.values().all(|ends| *ends == 1));
        assert!(history.idle && history.in_flight_bytes == 0);
        assert!(history.ends.len() > 1_000);
    }
}
