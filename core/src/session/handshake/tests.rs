mod cookies;
mod forgery;
mod golden;

use super::layout;
use super::*;
use crate::hash::keyed_128;
use crate::identity::Identity;
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
        stamp: u64::from(index),
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

/// Protocol §3.2, §3.3.
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

/// Protocol §3.2, §3.3.
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

quickcheck::quickcheck! {
    fn no_bytes_panic_a_responder_or_initiator(kind: u8, bytes: Vec<u8>, length: u16) -> bool {
        let (anna, bob) = (identity(1), identity(2));
        let mut datagram = vec![0x80 | (kind % 16), 1];
        datagram.extend(bytes.iter().cycle().take(usize::from(length) % 400));
        let mut records = RecordCache::new();
        let refused = read(&bob, &datagram).is_err() && answer(&bob, &datagram).is_err();
        let _ = (receiver_index(&datagram), initiation_body(&datagram));
        refused
            && ik(&anna, &bob).on_response(&datagram, &mut records).is_err()
            && xx(&anna, &bob).on_cookie(&datagram).is_err()
    }
}
