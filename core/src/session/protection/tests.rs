mod golden;

use super::*;
use crate::limits::REPLAY_WINDOW;
use quickcheck::quickcheck;

const NOW: Instant = Instant::EPOCH;
const SUITES: [Suite; 2] = [Suite::Aes256Gcm, Suite::ChaCha20Poly1305];

fn pair(suite: Suite) -> (Session, Session) {
    let [to_responder, to_initiator] = [[1; 32], [2; 32]].map(Zeroizing::new);
    let of =
        |agreed: &Agreed| Session::from_secrets(to_responder.clone(), to_initiator.clone(), agreed);
    let agreed = |is_initiator, local_index, remote_index| Agreed {
        is_initiator,
        suite,
        local_index,
        remote_index,
        remote_reset_token: [0; 16],
    };
    (of(&agreed(true, 10, 20)), of(&agreed(false, 20, 10)))
}

fn sealed(from: &mut Session, pn: u64, acked: Option<u64>, text: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 9];
    let header = from.write_header(&mut packet, pn, acked).unwrap();
    packet.truncate(header);
    packet.extend_from_slice(text);
    packet.extend_from_slice(&[0xee; TAG_BYTES]);
    from.seal(&mut packet, header, pn).unwrap();
    packet
}

fn opened(to: &mut Session, mut packet: Vec<u8>) -> Result<(u64, Vec<u8>), OpenError> {
    let opened = to.open(&mut packet, NOW)?;
    Ok((opened.pn, packet[opened.payload].to_vec()))
}

/// Protocol §4.
#[test]
fn packets_of_each_size_survive_under_both_suites() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        for pn in 0..1_400u64 {
            let text = vec![pn as u8; 4 + pn as usize];
            let packet = sealed(&mut a, pn, pn.checked_sub(1), &text);
            assert_eq!(packet[1..5], 20u32.to_be_bytes());
            assert_eq!(packet[0] & 0xc0, 0xc0);
            assert_eq!(opened(&mut b, packet), Ok((pn, text)));
        }
        assert_eq!(b.forgeries(), 0);
    }
}

/// Protocol §4.1: 64 packets are on their way when this one leaves, and 127 later ones arrive before it.
#[test]
fn a_packet_that_127_others_overtook_still_opens() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let acked = sealed(&mut a, 1_000, None, b"frames");
        assert!(opened(&mut b, acked).is_ok());
        let late = sealed(&mut a, 1_065, Some(1_000), b"late");
        for pn in 1_066..1_066 + 127 {
            let packet = sealed(&mut a, pn, Some(1_000), b"frames");
            assert!(opened(&mut b, packet).is_ok());
        }
        assert_eq!(opened(&mut b, late), Ok((1_065, b"late".to_vec())));
        assert_eq!(b.forgeries(), 0);
    }
}

#[test]
fn every_flipped_bit_and_truncation_is_refused_and_the_genuine_packet_still_opens() {
    for suite in SUITES {
        let (mut a, mut b) = pair(suite);
        let packet = sealed(&mut a, 0, None, b"some frames");
        for bit in 0..packet.len() * 8 {
            // The index picks the session and the two top bits the kind: both are sealed all the
            // same.
            let mut flipped = packet.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(opened(&mut b, flipped).is_err(), "{suite:?} bit {bit}");
        }
        for length in 0..packet.len() {
            assert!(opened(&mut b, packet[..length].to_vec()).is_err());
        }
        assert!(!b.is_confirmed() && b.forgeries() > 0);
        assert!(opened(&mut b, packet).is_ok());
    }
}

#[test]
fn replays_are_refused_before_unsealing() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    let old = sealed(&mut a, 0, None, b"frames");
    let first = sealed(&mut a, 1, None, b"frames");
    assert!(opened(&mut b, first.clone()).is_ok());
    assert_eq!(opened(&mut b, first), Err(OpenError::Replayed));
    let far = sealed(&mut a, REPLAY_WINDOW, None, b"frames");
    assert!(opened(&mut b, far).is_ok());
    assert_eq!(b.forgeries(), 0);
    let refused = opened(&mut b, old);
    assert!(refused.is_err(), "one behind the window");
}

#[test]
fn a_forgery_does_not_move_the_window() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    let mut forged = sealed(&mut a, 100_000, None, b"frames");
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_eq!(opened(&mut b, forged), Err(OpenError::Forged));
    let genuine = sealed(&mut a, 0, None, b"frames");
    assert!(opened(&mut b, genuine).is_ok());
}

#[test]
fn reserved_bits_are_a_fault_of_an_authentic_peer_only() {
    for bit in [0x04, 0x08, 0x10] {
        let (mut a, mut b) = pair(Suite::Aes256Gcm);
        let mut packet = vec![0; 40];
        let header = a.write_header(&mut packet, 0, None).unwrap();
        packet[0] |= bit;
        a.seal(&mut packet, header, 0).unwrap();
        assert_eq!(opened(&mut b, packet), Err(OpenError::ReservedBits));
        let next = sealed(&mut a, 1, None, b"frames");
        assert!(opened(&mut b, next).is_ok());
    }
}

#[test]
fn both_sides_step_their_phases_at_once_and_reordered_packets_still_open() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    assert!(!a.step_key_phase(None), "nothing sealed yet");
    let late = sealed(&mut a, 0, None, b"late");
    let first = sealed(&mut a, 1, None, b"first");
    let from_b = sealed(&mut b, 0, None, b"from b");
    assert!(opened(&mut b, first).is_ok() && opened(&mut a, from_b).is_ok());
    assert!(!a.step_key_phase(None), "nothing acknowledged yet");
    assert!(a.step_key_phase(Some(1)) && b.step_key_phase(Some(0)));
    assert!(
        !a.step_key_phase(Some(1)),
        "nothing of this phase acknowledged"
    );
    let second = sealed(&mut a, 2, Some(1), b"second");
    let from_b = sealed(&mut b, 1, Some(0), b"from b");
    assert_eq!(opened(&mut b, second).unwrap().1, b"second");
    assert_eq!(opened(&mut a, from_b).unwrap().1, b"from b");
    assert_eq!(opened(&mut b, late).unwrap().1, b"late");
    assert!(a.step_key_phase(Some(2)));
    let third = sealed(&mut a, 3, Some(2), b"third");
    assert_eq!(opened(&mut b, third).unwrap().1, b"third");
}

#[test]
fn a_step_is_followed_even_where_nothing_of_the_phase_before_came_in() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    drop(sealed(&mut a, 0, None, b"lost"));
    assert!(a.step_key_phase(Some(0)));
    let first = sealed(&mut a, 1, Some(0), b"first");
    assert_eq!(opened(&mut b, first).unwrap().1, b"first");
}

#[test]
fn the_key_of_a_past_phase_is_wiped() {
    let (mut a, mut b) = pair(Suite::ChaCha20Poly1305);
    let mut late = sealed(&mut a, 0, None, b"late");
    let first = sealed(&mut a, 1, None, b"first");
    assert!(opened(&mut b, first).is_ok() && a.step_key_phase(Some(1)));
    let second = sealed(&mut a, 2, Some(1), b"second");
    assert!(opened(&mut b, second).is_ok());
    let refused = b.open(&mut late, NOW + PREVIOUS_PHASE_LIFE);
    assert_eq!(refused, Err(OpenError::Forged));
}

#[test]
fn a_forged_phase_changes_nothing() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    let first = sealed(&mut a, 0, None, b"first");
    assert!(opened(&mut b, first).is_ok());
    for pn in 1..50 {
        let mut forged = sealed(&mut a, pn, Some(0), b"forged");
        forged[0] ^= PHASE_BIT;
        assert_eq!(opened(&mut b, forged), Err(OpenError::Forged));
    }
    let next = sealed(&mut a, 50, Some(0), b"next");
    assert!(opened(&mut b, next).is_ok());
}

#[test]
fn a_session_that_takes_over_goes_on_with_the_numbers() {
    for largest in [3u64, 1_000, 1 << 31, (1 << 40) + 7] {
        let (mut a, mut b) = pair(Suite::Aes256Gcm);
        b.resume_after(Some(largest));
        let packet = sealed(&mut a, largest + 4, Some(largest), b"first");
        assert_eq!(opened(&mut b, packet).unwrap().0, largest + 4);
        let packet = sealed(&mut a, largest + 5, Some(largest + 4), b"second");
        assert_eq!(packet.len(), 6 + 6 + TAG_BYTES, "one byte of packet number");
        assert_eq!(opened(&mut b, packet).unwrap().0, largest + 5);
    }
}

#[test]
fn too_many_forgeries_end_the_session() {
    let (mut a, mut b) = pair(Suite::Aes256Gcm);
    let mut forged = sealed(&mut a, 0, None, b"frames");
    forged[20] ^= 1;
    b.opening.forgeries = FORGERIES_REKEY - 1;
    assert!(!b.is_worn());
    assert_eq!(opened(&mut b, forged.clone()), Err(OpenError::Forged));
    assert!(b.is_worn());
    b.opening.forgeries = FORGERIES_MAX - 1;
    assert_eq!(opened(&mut b, forged), Err(OpenError::Exhausted));
    let genuine = sealed(&mut a, 1, None, b"frames");
    assert_eq!(opened(&mut b, genuine), Err(OpenError::Exhausted));
}

#[test]
fn buffers_without_room_are_refused() {
    let (mut a, _) = pair(Suite::Aes256Gcm);
    for length in 0..HEADER_MIN + TAG_BYTES {
        assert_eq!(a.seal(&mut vec![0; length], 6, 0), Err(SealError));
    }
    for header in [0, 5, 10, usize::MAX] {
        assert_eq!(a.seal(&mut [0; 60], header, 0), Err(SealError));
    }
    assert_eq!(a.sealing.first, None);
}

#[test]
fn no_two_packets_share_eight_bytes() {
    let (mut a, _) = pair(Suite::Aes256Gcm);
    let one = sealed(&mut a, 0, None, &[7; 100]);
    let two = sealed(&mut a, 1, None, &[7; 100]);
    let windows: std::collections::BTreeSet<_> = one.windows(8).collect();
    assert!(two.windows(8).all(|bytes| !windows.contains(bytes)));
}

quickcheck! {
    fn no_bytes_panic_a_session(bytes: Vec<u8>, suite: bool) -> bool {
        let (_, mut b) = pair(SUITES[usize::from(suite)]);
        opened(&mut b, bytes).is_err()
    }
}
