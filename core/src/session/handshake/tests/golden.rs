//! The bytes of every handshake datagram, recorded in `golden.txt`: identities, randomness and offers are fixed, so
//! that a change of the wire shows as a change of that file. Where a change is meant, the failing test prints the
//! whole file as it would be now.

use super::*;

/// Protocol §3.1.
#[test]
fn every_handshake_datagram_has_its_recorded_bytes() {
    let (anna, bob) = (identity(1), identity(2));
    let mut records = RecordCache::new();
    let ik_call = ik(&anna, &bob);
    let request = read(&bob, ik_call.datagram()).unwrap();
    let ik_answer = request.accept(offer(2, 77)).unwrap();
    let mut xx_call = xx(&anna, &bob);
    let first = xx_call.datagram().to_vec();
    let second = answer(&bob, &first).unwrap();
    let third = xx_call
        .on_response(second.datagram(), &mut records)
        .unwrap();
    let third = third.final_datagram.unwrap();
    let all = [
        ("ik-initiation", ik_call.datagram()),
        ("ik-response", &ik_answer.datagram),
        ("xx-first", &first),
        ("xx-second", second.datagram()),
        ("xx-third", &third),
    ];
    let mut table = String::new();
    for (name, bytes) in all {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        table += &format!("{name} {hex}\n");
    }
    assert!(
        table == include_str!("golden.txt"),
        "golden.txt would be:\n{table}"
    );
}
