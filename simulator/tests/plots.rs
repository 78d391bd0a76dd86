//! Random plots keep all promises, and plots that once broke one are kept here.

use p2p_simulator::ops::{Faults, Op, check, generate};
use p2p_simulator::scenarios::{Campaign, Totals};
use quickcheck::{Arbitrary, Gen, QuickCheck};

/// A plot that quickcheck makes and shortens.
#[derive(Clone, Debug)]
struct Plot {
    seed: u64,
    ops: Vec<Op>,
}

impl Arbitrary for Plot {
    fn arbitrary(g: &mut Gen) -> Self {
        let seed = u64::arbitrary(g) % 1_000_000;
        let seconds = 1 + u64::arbitrary(g) % 8;
        Self {
            seed,
            ops: generate(seed, NODES, seconds, Faults::Mixed),
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let (seed, ops) = (self.seed, self.ops.clone());
        // Single operations only where few are left: `p2p-sim` shortens long plots with less
        // patience.
        let single = usize::from(ops.len() <= 12);
        let lengths = [ops.len() / 2, ops.len() / 4, single];
        let cuts = lengths.into_iter().filter(|n| *n > 0).flat_map(move |n| {
            let ops = ops.clone();
            (0..ops.len()).step_by(n).map(move |start| {
                let end = (start + n).min(ops.len());
                [&ops[..start], &ops[end..]].concat()
            })
        });
        Box::new(cuts.map(move |ops| Self { seed, ops }))
    }
}

const NODES: usize = 5;

#[test]
fn random_plots_keep_their_promises() {
    fn holds(plot: Plot) -> Result<bool, String> {
        match check(plot.seed, NODES, &plot.ops) {
            Ok(_) => Ok(true),
            Err(failure) => Err(failure.to_string()),
        }
    }
    QuickCheck::new()
        .tests(15)
        .max_tests(15)
        .quickcheck(holds as fn(Plot) -> Result<bool, String>);
}

#[test]
fn worlds_without_faults_break_no_promise() {
    for seed in 0..4 {
        let ops = generate(seed, 6, 15, Faults::None);
        check(seed, 6, &ops).unwrap_or_else(|f| panic!("{f}"));
    }
}

#[test]
fn worlds_with_bad_links_break_no_promise() {
    for seed in 100..104 {
        let ops = generate(seed, 6, 15, Faults::Links);
        check(seed, 6, &ops).unwrap_or_else(|f| panic!("{f}"));
    }
}

#[test]
fn ten_nodes_with_mixed_faults_break_no_promise() {
    for seed in 200..203 {
        let ops = generate(seed, 10, 30, Faults::Mixed);
        check(seed, 10, &ops).unwrap_or_else(|f| panic!("{f}"));
    }
}

/// A plot that asks for a fault proves nothing where the fault meets nothing.
#[test]
fn every_fault_that_plots_ask_for_happens() {
    for (faults, seeds) in [(Faults::Links, 0..40), (Faults::Mixed, 0..40)] {
        let campaign = Campaign {
            nodes: 10,
            seconds: 30,
            faults,
        };
        let mut totals = Totals::default();
        for seed in seeds {
            let outcome = campaign.play(seed).unwrap_or_else(|f| panic!("{f}"));
            totals.add(&outcome);
        }
        assert_eq!(totals.fired.missing(faults), [], "{}", totals.fired);
    }
}

/// Sessions are renewed every 120 s: these plots last longer than two of them.
#[test]
fn keys_are_renewed_while_everything_breaks() {
    for seed in 300..303 {
        let ops = generate(seed, 4, 300, Faults::Mixed);
        check(seed, 4, &ops).unwrap_or_else(|f| panic!("{f}"));
    }
}

/// Probes over the fast relay overtook what went over the slow one, whose round-trip time then was never measured:
/// its probe timeout fired before every answer, and two peers with nothing to say asked each other for ever.
#[test]
fn seed_408_a_slow_relay_beside_a_fast_one_comes_to_rest() {
    use p2p_simulator::ops::Op::*;
    let ops = [
        Connect(1, 5),
        Advance(532),
        Request(1, 5, 2),
        Advance(268),
        Stream(1, 5, 2461),
        Message(5, 1, 1),
        Stream(5, 1, 229),
        Advance(1131),
        Delay(0, 196),
        Stream(1, 5, 1990),
    ];
    check(408, 10, &ops).unwrap_or_else(|f| panic!("{f}"));
}

/// An introducer that stands still for 20 s while eight nodes ask it wakes with a thousand datagrams in its socket.
#[test]
fn seed_563_an_introducer_that_wakes_with_a_full_socket_comes_to_rest() {
    let ops = generate(563, 10, 30, Faults::Mixed);
    check(563, 10, &ops).unwrap_or_else(|f| panic!("{f}"));
}

/// Fourteen ways that a peer behind a box had left behind were each asked as often as the one in use, and silence cost
/// seventy datagrams a second.
#[test]
fn seed_272_many_ways_left_behind_are_asked_seldom() {
    let ops = generate(272, 10, 30, Faults::Mixed);
    check(272, 10, &ops).unwrap_or_else(|f| panic!("{f}"));
}
