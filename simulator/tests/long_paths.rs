//! One stream uses a long path as well as four do, and fills it from a cold start.

use p2p_simulator::scenarios::long_path;

#[test]
fn one_stream_carries_as_much_as_four() {
    for (round_trip_ms, least) in [(50, 91.0), (100, 87.0), (200, 70.0)] {
        let one = long_path(round_trip_ms, 1);
        let four = long_path(round_trip_ms, 4);
        println!("{round_trip_ms} ms: one {one:.1}, four {four:.1} Mbit/s");
        assert!(one >= 0.98 * four, "{round_trip_ms} ms: {one} of {four}");
        assert!(one >= least, "{round_trip_ms} ms: {one} Mbit/s");
    }
}
