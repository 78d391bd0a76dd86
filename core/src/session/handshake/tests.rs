use core::net::SocketAddr;

use super::layout::{self, TYPE_IK_INITIATION};
use super::*;
use crate::hash::keyed_128;
use crate::identity::Identity;
use crate::limits::COOKIE_SECRET_LIFE;
use crate::rng::Rng;
use crate::session::{Suite, TAG_BYTES};
use crate::time::Instant;

const NETWORK: &str = "test";

fn identity(n: u8) -> Identity {
    Identity::from_seeds(&[n; 32], &[n ^ 0xff; 32], 1).unwrap()
}

fn offer(index: u32, association: u64) -> LocalOffer {
    LocalOffer {
        index,
        association,
        reset_token: [index as u8; 16],
        capabilities: index * 3,
    }
}

fn rng(n: u8) -> Rng {
    Rng::from_seed([n; 32])
}

fn ik(caller: &Identity, called: &Identity) -> Initiator {
    Initiator::new_ik(caller, NETWORK, called.record(), offer(1, 77), &mut rng(1)).unwrap()
}

fn xx(caller: &Identity, called: &Identity) -> Initiator {
    Initiator::new_xx(caller, NETWORK, called.node_id(), offer(1, 77), &mut rng(1)).unwrap()
}

fn read(called: &Identity, bytes: &[u8]) -> Result<IkRequest, HandshakeError> {
    read_ik(called, NETWORK, bytes, &mut RecordCache::new(), &mut rng(2))
}

fn answer(called: &Identity, bytes: &[u8]) -> Result<XxResponder, HandshakeError> {
    answer_xx(called, NETWORK, bytes, offer(2, 99), &mut rng(2))
}

/// Makes `mac1` right again after a change, as any attacker can who knows the responder's id.
fn forge_mac1(bytes: &mut [u8], responder: &Identity) {
    let body = bytes.len() - 32;
    let key = crate::hash::blake2s_256(&[b"p2p mac1", responder.node_id().as_bytes()]);
    let mac1 = keyed_128(&key, &[&bytes[..body]]);
    bytes[body..body + 16].copy_from_slice(&mac1);
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

/// Sends a packet from one session to the other and compares what arrives.
fn carry(from: &mut Session, to: &mut Session, pn: u64) {
    let mut packet = vec![0; 100];
    let header = from.write_header(&mut packet, pn, None).unwrap();
    packet[header..100 - TAG_BYTES].fill(0xab);
    from.seal(&mut packet, header, pn).unwrap();
    let opened = to.open(&mut packet, Instant::EPOCH).unwrap();
    assert_eq!(opened.pn, pn);
    assert_eq!(opened.payload, header..100 - TAG_BYTES);
    assert!(packet[opened.payload].iter().all(|b| *b == 0xab));
}

fn carry_both_ways(a: &mut Session, b: &mut Session) {
    for pn in 0..3 {
        carry(a, b, pn);
        carry(b, a, pn);
    }
}

#[test]
fn ik_agrees_keys_and_facts() {
    let (anna, bob) = (identity(1), identity(2));
    let mut initiator = ik(&anna, &bob);
    let request = read(&bob, initiator.datagram()).unwrap();
    assert_eq!(request.remote, *anna.record());
    assert_eq!(
        (
            request.association,
            request.sender_index,
            request.capabilities
        ),
        (77, 1, 3)
    );
    let mut responded = request.accept(offer(2, 77)).unwrap();
    assert!(responded.datagram.len() <= initiator.datagram().len());
    assert_eq!(receiver_index(&responded.datagram), Some(1));
    let mut established = initiator
        .on_response(&responded.datagram, &mut RecordCache::new())
        .unwrap();
    assert_eq!(established.remote, *bob.record());
    assert_eq!((established.association, established.capabilities), (77, 6));
    assert_eq!(established.final_datagram, None);
    let (a, b) = (&mut established.session, &mut responded.session);
    assert_eq!((a.suite(), b.suite()), (Suite::Aes256Gcm, Suite::Aes256Gcm));
    assert_eq!((a.local_index, a.remote_index), (1, 2));
    assert_eq!((b.local_index, b.remote_index), (2, 1));
    assert_eq!(
        (a.remote_reset_token, b.remote_reset_token),
        ([2; 16], [1; 16])
    );
    assert!(!b.is_confirmed());
    carry_both_ways(a, b);
    assert!(b.is_confirmed());
    assert_eq!(
        initiator
            .on_response(&responded.datagram, &mut RecordCache::new())
            .err(),
        Some(HandshakeError::Finished)
    );
}

#[test]
fn xx_agrees_keys_and_facts() {
    let (anna, bob) = (identity(1), identity(2));
    let mut records = RecordCache::new();
    let mut initiator = xx(&anna, &bob);
    let mut responder = answer(&bob, initiator.datagram()).unwrap();
    assert!(responder.datagram().len() <= initiator.datagram().len());
    let mut a = initiator
        .on_response(responder.datagram(), &mut records)
        .unwrap();
    let last = a.final_datagram.clone().unwrap();
    assert_eq!(receiver_index(&last), Some(2));
    let mut b = responder.on_final(&bob, &last, &mut records).unwrap();
    assert_eq!((&a.remote, &b.remote), (bob.record(), anna.record()));
    assert_eq!((a.association, b.association), (99, 99));
    assert_eq!((a.capabilities, b.capabilities), (6, 3));
    assert_eq!(a.session.remote_reset_token, [2; 16]);
    assert_eq!(b.session.remote_reset_token, [1; 16]);
    carry_both_ways(&mut a.session, &mut b.session);
    assert_eq!(records.len(), 2);
}

#[test]
fn every_flipped_bit_of_an_ik_initiation_is_refused() {
    let (anna, bob) = (identity(1), identity(2));
    let initiator = ik(&anna, &bob);
    let mac2 = (layout::INITIATION_BYTES - 16) * 8;
    for (bit, mut flipped) in flips(initiator.datagram()) {
        // mac2 proves an address, and only where it is asked for; it changes nothing that is agreed.
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
        // Nothing in the first datagram is authentic: the answer to a changed one is refused instead.
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
fn a_replayed_initiation_gives_the_replayer_no_session() {
    let (anna, bob) = (identity(1), identity(2));
    let mut initiator = ik(&anna, &bob);
    let first = read(&bob, initiator.datagram()).unwrap();
    let mut live = first.accept(offer(2, 77)).unwrap();
    let mut established = initiator
        .on_response(&live.datagram, &mut RecordCache::new())
        .unwrap();
    let replay = read_ik(
        &bob,
        NETWORK,
        initiator.datagram(),
        &mut RecordCache::new(),
        &mut rng(3),
    )
    .unwrap();
    let mut replayed = replay.accept(offer(3, 77)).unwrap();
    assert_ne!(replayed.datagram, live.datagram);
    let mut packet = vec![0; 60];
    let header = established
        .session
        .write_header(&mut packet, 0, None)
        .unwrap();
    established.session.seal(&mut packet, header, 0).unwrap();
    let opened = replayed.session.open(&mut packet.clone(), Instant::EPOCH);
    assert!(opened.is_err() && !replayed.session.is_confirmed());
    assert!(live.session.open(&mut packet, Instant::EPOCH).is_ok());
}

#[test]
fn the_same_seed_makes_the_same_bytes() {
    let (anna, bob) = (identity(1), identity(2));
    let run = || {
        let mut call = xx(&anna, &bob);
        let responder = answer(&bob, call.datagram()).unwrap();
        let established = call
            .on_response(responder.datagram(), &mut RecordCache::new())
            .unwrap();
        let ik_call = ik(&anna, &bob);
        let ik_answer = read(&bob, ik_call.datagram())
            .and_then(|r| r.accept(offer(2, 77)))
            .unwrap();
        [
            call.datagram().to_vec(),
            responder.datagram().to_vec(),
            established.final_datagram.unwrap(),
            ik_call.datagram().to_vec(),
            ik_answer.datagram,
        ]
    };
    assert_eq!(run(), run());
    let other = Initiator::new_ik(&anna, NETWORK, bob.record(), offer(1, 77), &mut rng(8));
    assert_ne!(other.unwrap().datagram(), ik(&anna, &bob).datagram());
}

#[test]
fn a_zero_association_is_refused() {
    let (anna, bob) = (identity(1), identity(2));
    let call = Initiator::new_ik(&anna, NETWORK, bob.record(), offer(1, 0), &mut rng(1));
    assert_eq!(call.err(), Some(HandshakeError::Malformed));
    let request = read(&bob, ik(&anna, &bob).datagram()).unwrap();
    assert_eq!(
        request.accept(offer(2, 0)).err(),
        Some(HandshakeError::Malformed)
    );
}

#[test]
fn a_cookie_proves_one_source_for_a_while() {
    let (anna, bob) = (identity(1), identity(2));
    let home: SocketAddr = "192.0.2.1:4000".parse().unwrap();
    let mut jar = CookieJar::new(bob.node_id(), rng(5));
    jar.on_time(Instant::EPOCH);
    for mut call in [ik(&anna, &bob), xx(&anna, &bob)] {
        let first = call.datagram().to_vec();
        assert!(!jar.check_mac2(&first, home));
        let reply = jar.reply(&first, home, &mut rng(6)).unwrap();
        assert_eq!(reply.len(), COOKIE_REPLY_BYTES);
        assert_eq!(receiver_index(&reply), Some(1));
        for (bit, flipped) in flips(&reply) {
            assert!(call.on_cookie(&flipped).is_err(), "bit {bit}");
        }
        for length in 0..reply.len() {
            assert!(call.on_cookie(&reply[..length]).is_err());
        }
        assert_eq!(call.datagram(), first);
        call.on_cookie(&reply).unwrap();
        assert_eq!(initiation_body(call.datagram()), initiation_body(&first));
        assert!(jar.check_mac2(call.datagram(), home));
        for other in ["192.0.2.1:4001", "192.0.2.2:4000", "[2001:db8::1]:4000"] {
            assert!(!jar.check_mac2(call.datagram(), other.parse().unwrap()));
        }
    }
}

#[test]
fn cookies_outlive_one_change_of_the_secret() {
    let (anna, bob) = (identity(1), identity(2));
    let home: SocketAddr = "[2001:db8::7]:4000".parse().unwrap();
    let mut jar = CookieJar::new(bob.node_id(), rng(5));
    jar.on_time(Instant::EPOCH);
    let mut call = ik(&anna, &bob);
    let reply = jar.reply(call.datagram(), home, &mut rng(6)).unwrap();
    call.on_cookie(&reply).unwrap();
    let life = COOKIE_SECRET_LIFE;
    let mut now = Instant::EPOCH + life;
    jar.on_time(now);
    assert!(jar.check_mac2(call.datagram(), home));
    now += life;
    jar.on_time(now);
    assert!(!jar.check_mac2(call.datagram(), home));
}

#[test]
fn a_cookie_for_another_initiation_is_refused() {
    let (anna, bob) = (identity(1), identity(2));
    let home: SocketAddr = "192.0.2.1:4000".parse().unwrap();
    let jar = CookieJar::new(bob.node_id(), rng(5));
    let reply = jar
        .reply(xx(&anna, &bob).datagram(), home, &mut rng(6))
        .unwrap();
    assert_eq!(
        ik(&anna, &bob).on_cookie(&reply),
        Err(HandshakeError::Crypto)
    );
    assert_eq!(jar.reply(&reply, home, &mut rng(6)), None);
}

quickcheck::quickcheck! {
    fn no_bytes_panic_a_responder_or_initiator(kind: u8, bytes: Vec<u8>, length: u16) -> bool {
        let (anna, bob) = (identity(1), identity(2));
        let mut datagram = vec![0x80 | kind % 16, 1];
        datagram.extend(bytes.iter().cycle().take(usize::from(length) % 400));
        let mut records = RecordCache::new();
        let refused = read(&bob, &datagram).is_err() && answer(&bob, &datagram).is_err();
        let _ = (receiver_index(&datagram), initiation_body(&datagram));
        refused
            && ik(&anna, &bob).on_response(&datagram, &mut records).is_err()
            && xx(&anna, &bob).on_cookie(&datagram).is_err()
    }
}
