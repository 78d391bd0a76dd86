//! After so long a peace that rounds of probes came again (docs/protocol.md §9.2), whoever is
//! connected talks directly where plain punching is certain to make it so: nothing that was lost on
//! the way, no address that changed, no introducer that came back may leave a pair on a relay for
//! good.

use core::time::Duration;

use crate::nat::{Mapping, Nat, direct_path_possible};
use crate::oracle::Violation;
use crate::world::{Who, World};

/// Pause between the last rounds of probes, and time for one.
const ROUNDS: Duration = Duration::from_secs(620);

/// Holds every connection against theory.
///
/// # Errors
/// A pair that is relayed and need not be.
pub fn directness(world: &mut World) -> Result<(), Violation> {
    if relayed(world).is_empty() {
        return Ok(());
    }
    world.run_for(ROUNDS);
    match relayed(world).first() {
        Some((one, two)) => Err(format!(
            "{} talks to {} through a relay after {ROUNDS:?} of peace: {:?}",
            world.name(*one),
            world.name(*two),
            world.why(*one, *two),
        )),
        None => Ok(()),
    }
}

/// Connected pairs on a relay that must not need it.
fn relayed(world: &World) -> Vec<(Who, Who)> {
    let everybody = world.everybody();
    let pairs = everybody.flat_map(|who| {
        let peers = world.app(who).connected.keys();
        peers.filter_map(move |peer| Some((who, world.who(peer)?)))
    });
    pairs
        .filter(|(who, peer)| !world.is_direct(*who, *peer) && must_be_direct(world, *who, *peer))
        .collect()
}

/// Whether theory is certain. It says nothing of pairs behind one box; and a box that gives every
/// destination another port may keep the number or not.
fn must_be_direct(world: &World, a: Who, b: Who) -> bool {
    let (one, two) = (world.nats_of(a), world.nats_of(b));
    let is_plain = |nat: &Nat| !nat.translates || nat.mapping == Mapping::EndpointIndependent;
    let is_certain = one.iter().chain(&two).all(is_plain);
    is_certain && !world.shares_box(a, b) && direct_path_possible(&one, &two)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::secs;

    #[test]
    fn a_pair_that_is_kept_apart_stays_relayed_and_is_found() {
        let mut world = World::seeded(3);
        let introducer = world.public_node("introducer");
        let [a, b] = ["a", "b"].map(|name| world.node(name).introducer(introducer).start());
        world.run_for(secs(2));
        world.partition(a, b);
        world.connect(a, b);
        world.run_for(secs(5));
        assert!(world.is_connected(a, b) && !world.is_direct(a, b));
        let found = directness(&mut world);
        assert!(found.is_err_and(|found| found.contains("through a relay")));
        world.rejoin(a, b);
        assert_eq!(
            directness(&mut world),
            Ok(()),
            "the next round finds the way"
        );
    }
}
