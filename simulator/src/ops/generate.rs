//! Makes up plots from a seed: people connect and send while things break, about one operation
//! each half second.

use p2p_core::rng::Rng;

use super::Op;
use super::cast::introducers_among;
use crate::fired::Faults;

/// Bytes of a stream that no window holds, nor the buffer of its writer.
const BEYOND_WINDOWS: u32 = 20_000_000;

/// A plot of about `seconds` virtual seconds for `nodes` nodes.
#[must_use]
pub fn generate(seed: u64, nodes: usize, seconds: u64, faults: Faults) -> Vec<Op> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let mut rng = Rng::from_seed(bytes).fork("plot");
    let mut ops = Vec::new();
    let mut pairs = Vec::new();
    for _ in 0..nodes.div_ceil(2).max(2) {
        let pair = pair(&mut rng, nodes);
        pairs.push(pair);
        ops.push(Op::Connect(pair.0, pair.1));
    }
    ops.push(Op::Advance(1_500));
    let mut millis = 1_500;
    while millis < seconds * 1_000 {
        for _ in 0..=rng.below(3) {
            ops.push(plot(&mut rng, nodes, &mut pairs));
        }
        if faults != Faults::None && rng.below(2) == 0 {
            ops.push(misfortune(&mut rng, nodes, faults));
        }
        let pause = 1 + rng.below(1_200);
        millis += pause;
        ops.push(Op::Advance(pause as u32));
    }
    ops
}

fn number(rng: &mut Rng, nodes: usize) -> u8 {
    rng.below(nodes as u64) as u8
}

/// Two different peers.
fn pair(rng: &mut Rng, nodes: usize) -> (u8, u8) {
    let peers = (nodes - introducers_among(nodes)).max(2);
    let a = number(rng, peers);
    let b = number(rng, peers - 1);
    (a, if b >= a { b + 1 } else { b })
}

fn percentage(rng: &mut Rng, most: u64) -> u8 {
    1 + rng.below(most) as u8
}

/// Mostly small, sometimes large.
fn size(rng: &mut Rng, most: u64) -> u64 {
    let scale = 1 + rng.below(most.ilog2().into());
    rng.below((1 << scale).min(most)) + 1
}

fn plot(rng: &mut Rng, nodes: usize, pairs: &mut Vec<(u8, u8)>) -> Op {
    let (mut a, mut b) = pairs[rng.below(pairs.len() as u64) as usize];
    if rng.below(2) == 0 {
        (a, b) = (b, a);
    }
    match rng.below(20) {
        0 => {
            let pair = pair(rng, nodes);
            pairs.push(pair);
            Op::Connect(pair.0, pair.1)
        }
        1 => Op::Connect(a, b),
        2 if rng.below(3) == 0 => Op::Disconnect(a, b),
        2..=4 => Op::Datagram(a, b, size(rng, 1_080) as u16),
        5 | 6 => Op::Latest(a, b, rng.below(3) as u8),
        7..=11 => Op::Request(a, b, size(rng, 1_024) as u16),
        12 if rng.below(40) == 0 => Op::Message(a, b, BEYOND_WINDOWS / 2),
        15 if rng.below(40) == 0 => Op::Stream(a, b, BEYOND_WINDOWS),
        16 if rng.below(4) == 0 => Op::Stream(a, b, size(rng, 4_000_000) as u32),
        12..=14 => Op::Message(a, b, size(rng, 200_000) as u32),
        15..=18 => Op::Stream(a, b, size(rng, 200_000) as u32),
        _ => Op::ResetStream(a, b, size(rng, 20_000) as u32),
    }
}

fn misfortune(rng: &mut Rng, nodes: usize, faults: Faults) -> Op {
    let who = number(rng, nodes);
    let other = number(rng, nodes);
    let kinds = match faults {
        Faults::Mixed => 36,
        _ => 21,
    };
    match rng.below(kinds) {
        0 | 1 => Op::Loss(who, percentage(rng, 30)),
        2 => Op::Burst(who),
        3 => Op::Duplicate(who, percentage(rng, 30)),
        4 => Op::Reorder(who, percentage(rng, 30)),
        5 => Op::Corrupt(who, percentage(rng, 10)),
        6 => Op::Truncate(who, percentage(rng, 10)),
        7 => Op::Delay(who, rng.below(250) as u16),
        8 => Op::Jitter(who, rng.below(100) as u16),
        9 => Op::Rate(who, 16 + rng.below(1_000) as u16),
        10 => Op::Mtu(who, 1_200 + rng.below(272) as u16),
        11 => Op::Mute(who, rng.below(2) == 0),
        12 => Op::LossOneWay(who, percentage(rng, 40), rng.below(2) == 0),
        13 => Op::Swap(who, percentage(rng, 50)),
        14 | 15 => Op::Lazy(who, rng.below(3) > 0),
        16 => Op::AnswerAfter(who, rng.below(15_000) as u16),
        17..=20 => Op::Calm(who),
        21 => Op::Partition(who, other),
        22 => Op::Block(who, other),
        23 => Op::Rejoin(who, other),
        24 => Op::Crash(who),
        25 => Op::Restart(who),
        26 => Op::Pause(who, rng.below(5_000) as u16),
        // A suspended machine.
        27 => Op::Pause(who, 5_000 + rng.below(60_000) as u16),
        28 => Op::RebootNat(who),
        29 => Op::RenumberNat(who),
        30 => Op::Roam(who, rng.below(2) == 0),
        31 => Op::Garbage(who, rng.below(100) as u8),
        32 => Op::Unplug(who, rng.below(20_000) as u16, rng.below(2) == 0),
        33 => Op::SlowDisk(who, rng.below(3_000) as u16),
        34 => Op::FullDisk(who, rng.below(3) > 0),
        _ => match rng.below(3) {
            0 => Op::Heal,
            _ => Op::Replay(who),
        },
    }
}
