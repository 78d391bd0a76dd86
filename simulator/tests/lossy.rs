//! Ten megabytes of stream and one of message arrive byte by byte through a link that loses a
//! fifth of everything, reorders and duplicates. `p2p-sim campaign lossy` plays many more seeds.

use p2p_simulator::scenarios::lossy;
use p2p_simulator::{Pulse, percent};

#[test]
fn a_large_stream_and_a_large_message_survive_a_very_bad_link() {
    for seed in 1..=2 {
        let report = lossy(seed, percent(20), [10 << 20, 1 << 20], &Pulse::default());
        assert!(report.took.is_some(), "seed {seed}: {report:?}");
        assert!(report.faults.iter().all(|f| *f > 100), "{report:?}");
    }
}

#[test]
fn small_loads_over_every_rate_of_loss() {
    for loss in [0, 1, 5, 10, 30] {
        let report = lossy(9, percent(loss), [200_000, 50_000], &Pulse::default());
        assert!(report.took.is_some(), "{loss} %: {report:?}");
    }
}
