//! A host whose interface is gone for a while, with a driver that notices and with one that does not.

use p2p_simulator::scenarios::{meet, trio};
use p2p_simulator::{Fault, World, ms, secs};

/// How long after the interface is back a message arrives that was sent while it was gone.
fn delivered_after(noticed: bool) -> core::time::Duration {
    let (mut world, [_, alice, bob]) = trio(World::seeded(3).latency(ms(30)), &[], &[]);
    meet(&mut world, alice, bob);
    world
        .run_until(|w| w.is_direct(alice, bob) && w.is_direct(bob, alice))
        .within(secs(5));
    world.unplug(alice, secs(4), noticed);
    let sent = world.send_message(alice, bob, 1, "are you there?");
    sent.expect("connected");
    world.run_for(secs(4));
    assert!(
        world.app(bob).messages.is_empty(),
        "nothing leaves meanwhile"
    );
    let fired = world.fired();
    assert_eq!(fired.count(Fault::LinkDown), u64::from(noticed), "{fired}");
    // An engine that was told hands its socket nothing.
    assert_eq!(fired.count(Fault::SendError) == 0, noticed, "{fired}");
    let before = world.now();
    world
        .run_until(|w| !w.app(bob).messages.is_empty())
        .within(secs(10));
    assert!(world.is_connected(alice, bob) && world.is_connected(bob, alice));
    world.now().saturating_since(before)
}

#[test]
fn who_hears_that_a_link_is_up_again_goes_on_at_once() {
    let told = delivered_after(true);
    let untold = delivered_after(false);
    println!("told: {told:?}, untold: {untold:?}");
    assert!(told < ms(300), "{told:?}");
    assert!(untold < secs(6), "{untold:?}");
}
