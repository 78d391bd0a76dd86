//! Two peers behind every pair of the classic translators always connect, and directly exactly
//! where the oracle says that plain punching can.

use p2p_simulator::Nat;
use p2p_simulator::nat::{Early, direct_path_possible};
use p2p_simulator::scenarios::{SIDES, cell};

const CLASSIC: [&str; 6] = ["O", "E1", "E2", "E3", "PR", "CG"];

#[test]
fn classic_pairs_agree_with_the_oracle() {
    let sides: Vec<_> = SIDES.iter().filter(|s| CLASSIC.contains(&s.name)).collect();
    for a in &sides {
        for b in &sides {
            let cell = cell(11, a.chain, b.chain);
            assert!(cell.is_as_expected(), "{} {}: {cell:?}", a.name, b.name);
        }
    }
}

#[test]
fn a_direct_pair_is_direct_within_two_seconds() {
    let nat = [Nat::port_restricted()];
    assert!(direct_path_possible(&nat, &nat));
    for seed in 0..10 {
        let cell = cell(seed, &nat, &nat);
        let after = cell.direct_after.expect("punched");
        assert!(after.as_millis() < 2_000, "seed {seed}: {after:?}");
    }
}

/// Which of the three partners a touchy box meets directly; it talks with all.
fn met_directly(early: Early) -> [bool; 3] {
    let touchy = [Nat::linux_masquerade().early(early)];
    let partners = [&[][..], &[Nat::port_restricted()], &touchy];
    partners.map(|other| {
        let cell = cell(3, &touchy, other);
        assert_eq!(cell.answered, [true; 2], "{early:?} {other:?}: {cell:?}");
        cell.direct_after.is_some()
    })
}

#[test]
fn boxes_that_resent_early_packets_do_not_keep_a_pair_apart() {
    assert_eq!(met_directly(Early::Drop), [true; 3]);
    // Where the partner's probe comes first such boxes shut it out: the pair talks by relay.
    let _ = met_directly(Early::Block);
    assert!(met_directly(Early::Poison)[0]);
}
