//! Recorded packets. Both sides of a test that only seals and opens may share one mistake; these bytes do not come
//! from this crate: they were computed from docs/protocol.md §4.1 to §4.5 with Python's `hashlib.blake2s` and the
//! package `cryptography` 48 (AESGCM, ChaCha20Poly1305; AES-256 in ECB mode and ChaCha20 for the header's mask).

use super::*;

/// Frames `some frames` for index 20, secret `[1; 32]`: packet 0; packet 0x1234 in two bytes; packet 0x1235 after one
/// step of the key phase; packet 0x1236 after two.
const GOLDEN: [(Suite, [&str; 4]); 2] = [
    (
        Suite::Aes256Gcm,
        [
            "e10000001404a82e05bbba65f3e1a011330d2611f0db7eb958a7b0d210fc02274d",
            "d30000001462e58e1352c69be22d3cf404c714edd3395b2d2a7913a0fb3546c6fcbd",
            "e400000014de2348e63c1257f25d52e399357ed4e0f4952337e9fe496b7a4c9bc9",
            "d700000014af34d334f03abbf965c0df3c6f8d54b7a2554a703edc236e476bb10a",
        ],
    ),
    (
        Suite::ChaCha20Poly1305,
        [
            "e6000000148339249f4cb4be66a29be422f1d118c104240cf06b0cb3dfc2cb5751",
            "d100000014c77d424791346756984f0ed47a5c2fab6d25307fa46d046973f2111e06",
            "f90000001405d9151b06800c332029c9806e0beabea04b85b3740e106e5a2ad33f",
            "ef00000014340e5ad2f5e86429d8b34810b2f0486c587416b5e639afb114d766b5",
        ],
    ),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Protocol §4.2, §4.3.
#[test]
fn packets_are_protected_as_the_protocol_says_in_every_key_phase() {
    for (suite, expected) in GOLDEN {
        let (mut a, mut b) = pair(suite);
        let mut packets = vec![
            sealed(&mut a, 0, None, b"some frames"),
            sealed(&mut a, 0x1234, Some(0), b"some frames"),
        ];
        for pn in [0x1235, 0x1236] {
            assert!(a.step_key_phase(Some(pn - 1)));
            packets.push(sealed(&mut a, pn, Some(pn - 1), b"some frames"));
        }
        for (packet, expected) in packets.into_iter().zip(expected) {
            assert_eq!(hex(&packet), expected, "{suite:?}");
            assert!(opened(&mut b, packet).is_ok());
        }
    }
}

#[test]
fn reset_tokens_follow_the_protocol() {
    // Python: blake2s(20 as 4 bytes, key = blake2s("p2p reset tokens", key = reset secret), 16 bytes).
    let key = crate::hash::keyed_256(&[9; 32], &[b"p2p reset tokens"]);
    let token = crate::hash::keyed_128(&key, &[&20_u32.to_be_bytes()]);
    assert_eq!(hex(&token), "44b51c69380f729874e797314e3967c2");
}
