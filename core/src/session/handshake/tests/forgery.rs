//! What an attacker changes, cuts, redirects or makes up is refused, and the genuine handshake
//! still completes.

use super::*;
use crate::session::handshake::layout::TYPE_IK_INITIATION;

#[test]
fn every_flipped_bit_of_an_ik_initiation_is_refused() {
    let (anna, bob) = (identity(1), identity(2));
    let initiator = ik(&anna, &bob);
    let mac2 = (layout::INITIATION_BYTES - 16) * 8;
    for (bit, mut flipped) in flips(initiator.datagram()) {
        // mac2 validates an address, and only where it is asked for; it changes nothing that is
        // agreed.
        assert_eq!(read(&bob, &flipped).is_err(), bit < mac2, "bit {bit}");
        forge_mac1(&mut flipped, &bob);
        let is_inside = bit < mac2 - 128;
        assert_eq!(
            read(&bob, &flipped).is_err(),
            is_inside,
            "bit {bit}, new mac1"
        );
    }
}

#[test]
fn every_flipped_bit_of_an_ik_response_is_refused_and_the_genuine_one_still_accepted() {
    let (anna, bob) = (identity(1), identity(2));
    let mut initiator = ik(&anna, &bob);
    let request = read(&bob, initiator.datagram()).unwrap();
    let mut responded = request.accept(offer(2, 77)).unwrap();
    let mut records = RecordCache::new();
    for (bit, flipped) in flips(&responded.datagram) {
        let refused = initiator.on_response(&flipped, &mut records);
        assert!(refused.is_err(), "bit {bit}");
    }
    let mut established = initiator
        .on_response(&responded.datagram, &mut records)
        .unwrap();
    carry_both_ways(&mut established.session, &mut responded.session);
}

#[test]
fn every_flipped_bit_of_xx_is_refused_and_the_genuine_datagrams_still_accepted() {
    let (anna, bob) = (identity(1), identity(2));
    let mut records = RecordCache::new();
    let mut initiator = xx(&anna, &bob);
    let first = initiator.datagram().to_vec();
    let mac2 = (layout::INITIATION_BYTES - 16) * 8;
    for (bit, mut flipped) in flips(&first) {
        assert_eq!(answer(&bob, &flipped).is_err(), bit < mac2, "bit {bit}");
        forge_mac1(&mut flipped, &bob);
        // Nothing in the first datagram is authentic: the answer to a changed one is refused
        // instead.
        if let Ok(responder) = answer(&bob, &flipped)
            && bit < mac2 - 128
        {
            let refused = initiator.on_response(responder.datagram(), &mut records);
            assert!(refused.is_err(), "bit {bit}, new mac1");
        }
    }
    let mut responder = answer(&bob, initiator.datagram()).unwrap();
    for (bit, flipped) in flips(responder.datagram()) {
        let refused = initiator.on_response(&flipped, &mut records);
        assert!(refused.is_err(), "second, bit {bit}");
    }
    let second = responder.datagram().to_vec();
    let mut a = initiator.on_response(&second, &mut records).unwrap();
    let last = a.final_datagram.take().unwrap();
    let mut forgeries: Vec<_> = flips(&last).collect();
    forgeries.truncate((last.len() - 16) * 8);
    for (bit, mut flipped) in forgeries {
        let refused = responder.on_final(&bob, &flipped, &mut records);
        assert!(refused.is_err(), "third, bit {bit}");
        if bit < (last.len() - 32) * 8 {
            forge_mac1(&mut flipped, &bob);
            let refused = responder.on_final(&bob, &flipped, &mut records);
            assert!(refused.is_err(), "third, bit {bit}, new mac1");
        }
    }
    let mut b = responder.on_final(&bob, &last, &mut records).unwrap();
    carry_both_ways(&mut a.session, &mut b.session);
}

#[test]
fn another_node_that_answers_xx_is_refused_and_the_genuine_one_still_accepted() {
    let (anna, bob, mallory) = (identity(1), identity(2), identity(3));
    let mut records = RecordCache::new();
    let mut initiator = xx(&anna, &bob);
    // Mallory runs the handshake in bob's name, with her own keys.
    let frame = layout::parse(layout::TYPE_XX_FIRST, initiator.datagram()).unwrap();
    let setting = pattern::Setting {
        pattern: pattern::Pattern::Xx,
        network: NETWORK,
        responder: bob.node_id(),
        initiator_index: frame.sender,
    };
    for record in [mallory.record(), bob.record()] {
        let seed = zeroize::Zeroizing::new([9; 32]);
        let mut state = setting
            .state(false, mallory.static_secret(), None, &seed)
            .unwrap();
        pattern::read(&mut state, frame.noise, 0).unwrap();
        let mut payload = record.to_bytes().to_vec();
        payload::Acceptance::write(&mut payload, Suite::PREFERRED, &offer(5, 99));
        let noise = pattern::write(&mut state, &payload, layout::XX_SECOND_NOISE).unwrap();
        let forged = layout::build(layout::TYPE_XX_SECOND, 5, 1, &noise, None);
        let refused = xx(&anna, &bob).on_response(&forged, &mut records);
        assert_eq!(refused.err(), Some(HandshakeError::Identity));
        assert!(initiator_refuses(&anna, &bob, &forged));
    }
    let responder = answer(&bob, initiator.datagram()).unwrap();
    assert!(
        initiator
            .on_response(responder.datagram(), &mut records)
            .is_ok()
    );
}

/// Refuses `forged` and then accepts the genuine answer.
fn initiator_refuses(anna: &Identity, bob: &Identity, forged: &[u8]) -> bool {
    let mut records = RecordCache::new();
    let mut initiator = xx(anna, bob);
    let genuine = answer(bob, initiator.datagram()).unwrap();
    initiator.on_response(forged, &mut records).is_err()
        && initiator
            .on_response(genuine.datagram(), &mut records)
            .is_ok()
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let (anna, bob) = (identity(1), identity(2));
    let mut records = RecordCache::new();
    let mut first = ik(&anna, &bob);
    let response = read(&bob, first.datagram())
        .and_then(|r| r.accept(offer(2, 77)))
        .unwrap()
        .datagram;
    let mut call = xx(&anna, &bob);
    let mut responder = answer(&bob, call.datagram()).unwrap();
    let established = xx(&anna, &bob).on_response(responder.datagram(), &mut records);
    let last = established.unwrap().final_datagram.unwrap();
    let second = responder.datagram().to_vec();
    let cuts = |bytes: &[u8]| {
        let longer = [bytes, &[0]].concat();
        let shorter = (0..bytes.len()).map(|n| bytes[..n].to_vec());
        shorter.chain([longer]).collect::<Vec<_>>()
    };
    let key = MacKey::of(&bob.node_id());
    for cut in cuts(first.datagram()) {
        assert!(read(&bob, &cut).is_err() && !key.check_mac1(&cut));
    }
    for cut in cuts(call.datagram()) {
        assert!(answer(&bob, &cut).is_err() && !key.check_mac1(&cut));
    }
    for cut in cuts(&response) {
        assert!(first.on_response(&cut, &mut records).is_err());
    }
    for cut in cuts(&second) {
        assert!(call.on_response(&cut, &mut records).is_err());
    }
    for cut in cuts(&last) {
        assert!(responder.on_final(&bob, &cut, &mut records).is_err());
    }
}

#[test]
fn other_networks_identities_and_patterns_are_refused() {
    let (anna, bob, mallory) = (identity(1), identity(2), identity(3));
    let mut records = RecordCache::new();
    let call = ik(&anna, &bob);
    let other_network = read_ik(&bob, "other", call.datagram(), &mut records, &mut rng(2));
    assert_eq!(other_network.err(), Some(HandshakeError::Crypto));
    assert_eq!(
        read(&mallory, call.datagram()).err(),
        Some(HandshakeError::Mac),
        "mac1 is keyed by the responder"
    );
    let mut redirected = call.datagram().to_vec();
    forge_mac1(&mut redirected, &mallory);
    assert_eq!(
        read(&mallory, &redirected).err(),
        Some(HandshakeError::Crypto)
    );
    let mut relabelled = xx(&anna, &bob).datagram().to_vec();
    assert!(read(&bob, &relabelled).is_err() && answer(&bob, call.datagram()).is_err());
    relabelled[0] = TYPE_IK_INITIATION;
    forge_mac1(&mut relabelled, &bob);
    assert!(read(&bob, &relabelled).is_err());
    // XX over different network labels ends at the second datagram.
    let mut call = xx(&anna, &bob);
    let answered = answer_xx(&bob, "other", call.datagram(), offer(2, 99), &mut rng(2)).unwrap();
    let refused = call.on_response(answered.datagram(), &mut records);
    assert_eq!(refused.err(), Some(HandshakeError::Crypto));
    let own = Initiator::new_xx(&anna, NETWORK, anna.node_id(), offer(1, 1), &mut rng(1));
    assert_eq!(own.err(), Some(HandshakeError::Identity));
}

#[test]
fn a_stolen_record_does_not_fit_the_thief_s_key() {
    let (anna, bob, mallory) = (identity(1), identity(2), identity(3));
    let setting = pattern::Setting {
        pattern: pattern::Pattern::Ik,
        network: NETWORK,
        responder: bob.node_id(),
        initiator_index: 1,
    };
    let seed = zeroize::Zeroizing::new([4; 32]);
    let mut state = setting
        .state(
            true,
            mallory.static_secret(),
            Some(bob.static_public()),
            &seed,
        )
        .unwrap();
    let stolen = payload::Offer::write(anna.record(), 5, &offer(1, 5));
    let noise = pattern::write(&mut state, &stolen, layout::IK_FIRST_NOISE).unwrap();
    let key = MacKey::of(&bob.node_id());
    let forged = layout::build(TYPE_IK_INITIATION, 1, 0, &noise, Some(&key));
    assert_eq!(read(&bob, &forged).err(), Some(HandshakeError::Identity));
}

#[test]
fn low_order_points_are_refused() {
    let (anna, bob) = (identity(1), identity(2));
    let mut point_first = xx(&anna, &bob).datagram().to_vec();
    point_first[6..38].fill(0);
    forge_mac1(&mut point_first, &bob);
    assert_eq!(
        answer(&bob, &point_first).err(),
        Some(HandshakeError::Crypto)
    );
    let mut point = ik(&anna, &bob).datagram().to_vec();
    point[6..38].fill(0);
    forge_mac1(&mut point, &bob);
    assert_eq!(read(&bob, &point).err(), Some(HandshakeError::Crypto));
    let weak = Identity::from_seeds(&[7; 32], &[8; 32], 0).unwrap();
    let mut record = weak.record().clone();
    record.static_key = [0; 32];
    let call = Initiator::new_ik(&anna, NETWORK, &record, offer(1, 1), &mut rng(1));
    assert_eq!(call.err(), Some(HandshakeError::Crypto));
}

#[test]
fn a_node_answers_nobody_with_its_own_identity() {
    // A second process with the same keys, which does not know that it calls itself.
    let (twin, bob) = (identity(2), identity(2));
    let setting = pattern::Setting {
        pattern: pattern::Pattern::Ik,
        network: NETWORK,
        responder: bob.node_id(),
        initiator_index: 1,
    };
    let seed = zeroize::Zeroizing::new([4; 32]);
    let mut state = setting
        .state(true, twin.static_secret(), Some(bob.static_public()), &seed)
        .unwrap();
    let own = payload::Offer::write(twin.record(), 5, &offer(1, 5));
    let noise = pattern::write(&mut state, &own, layout::IK_FIRST_NOISE).unwrap();
    let key = MacKey::of(&bob.node_id());
    let call = layout::build(TYPE_IK_INITIATION, 1, 0, &noise, Some(&key));
    assert_eq!(read(&bob, &call).err(), Some(HandshakeError::Identity));
}
