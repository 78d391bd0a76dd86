//! The table of the congestion controllers is what it was; where it changed on purpose, `p2p-sim congestion >
//! simulator/tests/congestion.txt` writes the new one.

use p2p_simulator::scenarios::congestion_table;

#[test]
fn congestion_is_as_recorded() {
    let recorded = include_str!("congestion.txt");
    let measured = congestion_table();
    assert_eq!(
        recorded, measured,
        "\nrecorded:\n{recorded}\nmeasured:\n{measured}"
    );
}
