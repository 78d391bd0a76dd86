//! Strangers: floods, reflections, garbage (protocol §1, §3.4, §3.5, §11).

use crate::api::Engine;
use core::net::SocketAddr;

use super::{Net, address, call, connected, introducer_config, pair, stranger};
use crate::identity::Identity;
use crate::limits;
use crate::path::Route;
use crate::rng::Rng;
use crate::session::{Initiator, LocalOffer};
use crate::time::Duration;

pub(super) fn identity(n: u32) -> Identity {
    let mut seed = [3; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    Identity::from_seeds(&seed, &seed, 1).expect("a key")
}

/// A genuine first datagram of a stranger to node `to`.
pub(super) fn initiation(
    net: &mut Net,
    to: u8,
    who: &Identity,
    is_ik: bool,
    rng: &mut Rng,
) -> Vec<u8> {
    let (index, stamp) = (rng.next_u32(), net.now.as_nanos());
    let offer = LocalOffer {
        index,
        association: 1,
        reset_token: rng.array(),
        capabilities: 0,
        stamp,
    };
    let node = net.node(to);
    let network = node.endpoint.door.network().to_owned();
    let initiator = if is_ik {
        Initiator::new_ik(
            who,
            &network,
            node.endpoint.door.identity().record(),
            offer,
            rng,
        )
    } else {
        Initiator::new_xx(who, &network, node.id(), offer, rng)
    };
    initiator.expect("a call").datagram().to_vec()
}

/// Everything that node `n` sends now to `to`: number and bytes.
fn output_to(net: &mut Net, n: u8, to: SocketAddr) -> Vec<usize> {
    let now = net.now;
    let mut buffer = vec![0; 65_536];
    let mut sizes = Vec::new();
    while let Some(t) = net.node(n).poll_transmit(now, &mut buffer) {
        if t.to == to {
            sizes.extend(buffer[..t.len].chunks(t.segment_size).map(<[u8]>::len));
        }
    }
    sizes
}

/// Datagrams of all kinds whose beginning is right and whose rest may be.
fn seeds(net: &mut Net, n: u8, rng: &mut Rng) -> Vec<Vec<u8>> {
    let who = identity(1);
    let mut seeds = vec![
        initiation(net, n, &who, true, rng),
        initiation(net, n, &who, false, rng),
    ];
    for first in (0..=4).chain(0x7a..=0x90).chain(0xc0..=0xff) {
        let mut bytes = vec![0; 40 + rng.below(300) as usize];
        rng.fill(&mut bytes);
        bytes[0] = first;
        bytes[1] = 1;
        seeds.push(bytes);
    }
    let mut stun = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
    stun.extend_from_slice(&[7; 12]);
    seeds.push(stun);
    seeds.push(b"{\"c\":\"ka\",\"f\":\"ada\"}".to_vec());
    seeds
}

#[test]
fn no_stranger_gets_more_than_it_sent() {
    for (n, roles) in [(1, true), (3, false)] {
        let mut net = Net::new();
        if roles {
            net.add(1, introducer_config());
        } else {
            net.add(3, super::config(3));
        }
        let mut rng = Rng::from_seed([n; 32]);
        let seeds = seeds(&mut net, n, &mut rng);
        let (mut received, mut sent) = (0, 0);
        for i in 0..100_000_u64 {
            let mut bytes = seeds[rng.below(seeds.len() as u64) as usize].clone();
            match rng.below(4) {
                0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
                1 => {
                    let place = rng.below(bytes.len() as u64) as usize;
                    bytes[place] ^= 1 << rng.below(8);
                }
                2 => bytes.extend_from_slice(&rng.array::<16>()),
                _ => {}
            }
            let (len, is_stun) = (bytes.len(), bytes.first().is_some_and(|b| *b < 4));
            net.now += Duration::from_micros(rng.below(300));
            let now = net.now;
            net.node(n).handle_datagram(now, stranger(), &mut bytes);
            let out = output_to(&mut net, n, stranger());
            assert!(out.len() <= 1, "datagram {i}");
            let most = if is_stun { 3 * len } else { len };
            assert!(out.iter().all(|size| *size <= most), "{out:?} for {len}");
            (received, sent) = (received + len, sent + out.iter().sum::<usize>());
            assert!(sent <= 3 * received);
        }
        let node = net.node(n);
        assert_eq!(node.peers.table.sizes()[0], 0, "no peer was made");
        assert!(
            node.endpoint.door.half_open() <= 2,
            "{}",
            node.endpoint.door.half_open()
        );
        let counters = net.node(n).counters;
        println!("{counters:?}");
    }
}

#[test]
fn a_flood_of_genuine_calls_is_held_and_an_honest_caller_gets_through() {
    let (mut net, ada, ben) = pair();
    let mut rng = Rng::from_seed([1; 32]);
    let callers: Vec<_> = (0..40).map(identity).collect();
    let mut flood = Vec::new();
    for i in 0..2_000 {
        let (is_ik, who) = (i % 4 != 0, &callers[i % 40]);
        flood.push(initiation(&mut net, 3, who, is_ik, &mut rng));
    }
    // Sources are forged: each datagram has another one. Ten thousand a second for three seconds.
    for i in 0..30_000_u32 {
        let from = SocketAddr::from((i.to_be_bytes(), 5_000));
        let now = net.now;
        let mut bytes = flood[i as usize % flood.len()].clone();
        net.node(3).handle_datagram(now, from, &mut bytes);
        let out = output_to(&mut net, 3, from);
        assert!(out.iter().sum::<usize>() <= 300);
        net.now += Duration::from_micros(100);
        if i == 15_000 {
            call(&mut net, 2, 3);
        }
        if i > 15_000 && i % 100 == 0 {
            net.run(Duration::from_micros(1));
        }
    }
    let computed = net.node(3).endpoint.door.computed();
    let budget = u64::from(limits::HANDSHAKES_BEFORE_COOKIES_PER_S) * 4 + 10;
    assert!(computed <= budget, "{computed}");
    assert!(net.node(3).endpoint.door.half_open() <= limits::PROVISIONAL_SESSIONS);
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
    net.run(Duration::from_secs(10));
    assert_eq!(net.node(3).endpoint.door.half_open(), 0);
    assert_eq!(net.node(3).peers.table.sizes()[0], 1, "only ada is a peer");
}

#[test]
fn whoever_forges_an_address_does_not_lock_its_owner_out() {
    let (mut net, ada, ben) = pair();
    let mut rng = Rng::from_seed([1; 32]);
    let who = identity(5);
    call(&mut net, 2, 3);
    for _ in 0..3_000 {
        let forged = initiation(&mut net, 3, &who, true, &mut rng);
        let now = net.now;
        net.node(3)
            .handle_datagram(now, address(2), &mut forged.clone());
        let _ = output_to(&mut net, 3, stranger());
        net.run(Duration::from_micros(500));
    }
    assert!(net.is_connected(2, &ben) && net.is_connected(3, &ada));
}

#[test]
fn calls_through_a_relay_have_a_budget_too() {
    let (mut net, ada, ben) = connected();
    let now = net.now;
    let key = net.node(3).peers.table.key_of(&ada).expect("known");
    let routes: Vec<_> = net.node(3).peers.relays.routes_to(key).collect();
    let (relay, channel) = routes[0];
    let before = net.node(3).endpoint.door.computed();
    let mut rng = Rng::from_seed([1; 32]);
    for n in 0..500 {
        let mut bytes = initiation(&mut net, 3, &identity(n), true, &mut rng);
        let route = Route::Relay {
            relay: relay.0,
            channel,
        };
        net.node(3)
            .handle_routed(now, crate::peer::Via { route, ecn: None }, &mut bytes);
        net.node(3).settle(now);
    }
    let computed = net.node(3).endpoint.door.computed() - before;
    assert!(computed <= 20, "{computed}");
    net.run(Duration::from_secs(10));
    assert!(net.is_connected(3, &ada) && net.is_connected(2, &ben));
}
