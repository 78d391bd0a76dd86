//! Random datagrams, shaped so that parsers get further with them than with pure noise.

use p2p_core::rng::Rng;

/// First bytes that mean something (docs/protocol.md §1).
const FIRST_BYTES: [u8; 14] = [
    0x00, 0x01, 0x7b, 0x80, 0x81, 0x82, 0x83, 0x84, 0x88, 0x8f, 0xc0, 0xc1, 0xe3, 0xff,
];

/// Random bytes of a random length; three in four begin like something of the protocol.
#[must_use]
pub(crate) fn garbage_datagram(rng: &mut Rng) -> Vec<u8> {
    let most = if rng.below(2) == 0 { 64 } else { 1_472 };
    let mut bytes = vec![0; rng.below(most) as usize];
    rng.fill(&mut bytes);
    let shaped = rng.below(4) > 0;
    if let Some(first) = bytes.first_mut().filter(|_| shaped) {
        *first = FIRST_BYTES[rng.below(FIRST_BYTES.len() as u64) as usize];
    }
    // A handshake's version byte, so that more of the parser is reached.
    if let Some(second) = bytes.get_mut(1).filter(|_| shaped) {
        *second = 1;
    }
    bytes
}
