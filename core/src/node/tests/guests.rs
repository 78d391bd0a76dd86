//! Sessions that others begin: how many, from where, and how long without a registration (protocol §3.10).

use core::net::SocketAddr;

use super::rush::Caller;
use super::{Net, client, introducer_config};
use crate::api::{Engine, IntroducerState};
use crate::id::NodeId;
use crate::limits;
use crate::rng::Rng;
use crate::time::Duration;

fn introducer() -> (Net, NodeId) {
    let mut net = Net::new();
    let mut config = introducer_config();
    config.network = "p2p".to_owned();
    let id = net.add(1, config);
    (net, id)
}

/// One more handshake with the introducer, by somebody who then says nothing any more.
fn come(net: &mut Net, n: u32, from: Option<SocketAddr>, introducer: NodeId, rng: &mut Rng) {
    let mut caller = Caller::new(n, introducer, rng);
    caller.address = from.unwrap_or(caller.address);
    let third = caller.third(net).expect("an answer");
    caller.say(net, &third);
}

fn peers(net: &mut Net) -> usize {
    net.node(1).peers.table.sizes()[0]
}

#[test]
fn sec_20_sessions_that_do_not_register_are_bounded_and_end_after_ten_seconds() {
    let (mut net, introducer) = introducer();
    net.add(2, client(2, "ada", introducer));
    net.run(Duration::from_secs(2));
    let mut rng = Rng::from_seed([3; 32]);
    let most = limits::UNREGISTERED_SESSIONS + 2;
    let mut seen = 0;
    for n in 0..9_000 {
        come(&mut net, n, None, introducer, &mut rng);
        net.run(Duration::from_micros(2_100));
        seen = seen.max(peers(&mut net));
        assert!(peers(&mut net) <= most, "{n}");
    }
    assert!(seen > 4_000, "{seen}: nobody came");
    // An honest node registers in the middle of it, and who is registered stays so.
    net.add(3, client(3, "ben", introducer));
    for n in 9_000..9_100 {
        come(&mut net, n, None, introducer, &mut rng);
        net.run(Duration::from_micros(2_100));
    }
    for n in [2, 3] {
        let now = net.now;
        let state = net.node(n).status(now).introducers[0].state;
        assert_eq!(state, IntroducerState::Registered);
    }
    net.run(limits::UNREGISTERED_LIFE + Duration::from_millis(10));
    assert_eq!(peers(&mut net), 2);
    assert_eq!(net.node(1).endpoint.door.half_open(), 0);
}

#[test]
fn sessions_of_one_source_are_few_at_any_node() {
    let (mut net, introducer) = introducer();
    let mut rng = Rng::from_seed([4; 32]);
    let from = |ip: [u16; 8], n: u16| Some(SocketAddr::from((ip, 1_000 + n)));
    // Registered or not: nobody waits for the ten seconds here.
    for n in 0..100 {
        let one = [0x2001, 0xdb8, 1, 1, 0, 0, 0, 1];
        come(&mut net, n.into(), from(one, n), introducer, &mut rng);
        net.now += Duration::from_millis(60);
    }
    assert_eq!(peers(&mut net), limits::KEYS_PER_SOURCE);
    // Other sources of the same network have the network's share, and no more.
    for n in 0..1_200 {
        let other = [0x2001, 0xdb8, 1, 2 + n % 100, 0, 0, 0, 1];
        let at = 1_000 + u32::from(n);
        come(&mut net, at, from(other, n), introducer, &mut rng);
        net.now += Duration::from_millis(2);
        if n % 100 == 99 {
            net.now += Duration::from_millis(50);
        }
    }
    assert_eq!(peers(&mut net), limits::SESSIONS_PER_NETWORK);
    net.now += limits::UNREGISTERED_LIFE;
    net.run(Duration::from_millis(10));
    assert_eq!(peers(&mut net), 0, "their room is free again");
}
