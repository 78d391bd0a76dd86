//! The goodput table is what it was; where it changed on purpose, `p2p-sim goodput >
//! simulator/tests/goodput.txt` writes the new one.

use p2p_simulator::scenarios::goodput_table;

#[test]
fn goodput_is_as_recorded() {
    let recorded = include_str!("goodput.txt");
    let measured = goodput_table();
    assert_eq!(
        recorded, measured,
        "\nrecorded:\n{recorded}\nmeasured:\n{measured}"
    );
}
