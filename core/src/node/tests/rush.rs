//! Many first contacts at once: who was let in goes on to the end without waiting for its turn again, and whoever
//! forges the ends of handshakes gains nothing by that (protocol §3.5).

use crate::api::Engine;
use core::net::SocketAddr;

use super::{Net, introducer_config};
use crate::hash::{blake2s_256, keyed_128};
use crate::id::NodeId;
use crate::identity::Identity;
use crate::limits;
use crate::rng::Rng;
use crate::session::{Initiator, LocalOffer, RecordCache};
use crate::time::Duration;

const COOKIE_REPLY: u8 = 0x88;
const XX_SECOND: u8 = 0x83;

/// Somebody who knows the introducer's id only, at an address of its own.
pub(super) struct Caller {
    pub(super) who: Identity,
    pub(super) initiator: Initiator,
    pub(super) address: SocketAddr,
    /// The association that the introducer proposed.
    pub(super) association: Option<u64>,
}

impl Caller {
    pub(super) fn new(n: u32, introducer: NodeId, rng: &mut Rng) -> Self {
        let mut seed = [5; 32];
        seed[..4].copy_from_slice(&n.to_be_bytes());
        let who = Identity::from_seeds(&seed, &seed, 1).expect("a key");
        let offer = LocalOffer {
            index: rng.next_u32(),
            association: 1,
            reset_token: rng.array(),
            capabilities: 0,
            stamp: 1,
        };
        let initiator = Initiator::new_xx(&who, "p2p", introducer, offer, rng).expect("a call");
        let address = SocketAddr::from(((0x0b00_0000 + n).to_be_bytes(), 5_000));
        Self {
            who,
            initiator,
            address,
            association: None,
        }
    }

    /// Says `bytes` to the introducer; what it answers at once.
    pub(super) fn say(&self, net: &mut Net, bytes: &[u8]) -> Vec<Vec<u8>> {
        let (now, mut buffer) = (net.now, vec![0; 65_536]);
        let node = net.node(1);
        node.handle_datagram(now, self.address, &mut bytes.to_vec());
        let mut answers = Vec::new();
        while let Some(t) = node.poll_transmit(now, &mut buffer) {
            if t.to == self.address {
                answers.extend(buffer[..t.len].chunks(t.segment_size).map(<[u8]>::to_vec));
            }
        }
        answers
    }

    /// The first two datagrams, with a cookie where one is asked for; the third, to be sent.
    pub(super) fn third(&mut self, net: &mut Net) -> Option<Vec<u8>> {
        let mut answers = self.say(net, self.initiator.datagram());
        if answers.first()?.first() == Some(&COOKIE_REPLY) {
            self.initiator.on_cookie(answers.first()?).ok()?;
            answers = self.say(net, self.initiator.datagram());
        }
        let second = answers.iter().find(|bytes| bytes[0] == XX_SECOND)?;
        let established = self
            .initiator
            .on_response(second, &mut RecordCache::new())
            .ok()?;
        self.association = Some(established.association);
        established.final_datagram
    }
}

fn introducer() -> (Net, NodeId) {
    let mut net = Net::new();
    let mut config = introducer_config();
    config.network = "p2p".to_owned();
    let id = net.add(1, config);
    (net, id)
}

#[test]
fn two_thousand_first_contacts_a_second_never_wait_for_a_repetition() {
    let (mut net, id) = introducer();
    let mut rng = Rng::from_seed([2; 32]);
    let (batches, each) = (20, 200);
    for batch in 0..batches {
        let mut callers: Vec<_> = (0..each)
            .map(|n| Caller::new(batch * each + n, id, &mut rng))
            .collect();
        // All of a batch have begun before the first of them ends: the budget is as empty as it gets.
        let thirds: Vec<_> = callers.iter_mut().map(|c| c.third(&mut net)).collect();
        for (caller, third) in callers.iter().zip(thirds) {
            let third = third.expect("an answer at once");
            caller.say(&mut net, &third);
        }
        let up = net.node(1).counters.sessions_established;
        assert_eq!(up, u64::from((batch + 1) * each), "batch {batch}");
        net.now += Duration::from_millis(100);
    }
}

/// A third datagram that passes for one of this handshake until it is computed.
fn forged(genuine: &[u8], introducer: NodeId, n: u32) -> Vec<u8> {
    let mut bytes = genuine.to_vec();
    for (byte, noise) in bytes[20..].iter_mut().zip(n.to_be_bytes()) {
        *byte ^= noise;
    }
    let body = bytes.len() - 32;
    let key = blake2s_256(&[b"p2p mac1", introducer.as_bytes()]);
    let mac1 = keyed_128(&key, &[&bytes[..body]]);
    bytes[body..body + 16].copy_from_slice(&mac1);
    bytes
}

#[test]
fn forged_third_datagrams_cost_one_computation_and_then_the_budget_of_their_source() {
    let (mut net, id) = introducer();
    let mut rng = Rng::from_seed([3; 32]);
    let mut caller = Caller::new(1, id, &mut rng);
    let third = caller.third(&mut net).expect("an answer");
    let before = net.node(1).endpoint.door.computed();
    for n in 1..=5_000 {
        let bytes = forged(&third, id, n);
        assert!(caller.say(&mut net, &bytes).is_empty());
    }
    let computed = net.node(1).endpoint.door.computed() - before;
    let most = 1 + u64::from(limits::HANDSHAKES_PER_SOURCE_BURST);
    assert!((1..=most).contains(&computed), "{computed}");
    // The genuine one comes again when its source may ask again.
    net.now += Duration::from_secs(2);
    caller.say(&mut net, &third);
    assert_eq!(net.node(1).counters.sessions_established, 1);
}

#[test]
fn a_third_datagram_with_a_wrong_mac_uses_nothing_up() {
    let (mut net, id) = introducer();
    let mut rng = Rng::from_seed([4; 32]);
    let mut caller = Caller::new(1, id, &mut rng);
    let third = caller.third(&mut net).expect("an answer");
    let before = net.node(1).endpoint.door.computed();
    let mut wrong = forged(&third, id, 7);
    let mac1 = wrong.len() - 20;
    wrong[mac1] ^= 1;
    caller.say(&mut net, &wrong);
    assert_eq!(net.node(1).endpoint.door.computed(), before);
    assert_eq!(net.node(1).counters.dropped_mac1, 1);
    caller.say(&mut net, &third);
    assert_eq!(net.node(1).counters.sessions_established, 1);
}
