//! BLAKE2s (RFC 7693) as the protocol uses it: plain with 32 bytes of output, keyed with 16 or 32.
//! Every use in docs/protocol.md begins its input with a label of its own, so that no output serves
//! twice.

use blake2::digest::consts::{U16, U32};
use blake2::digest::{FixedOutput, KeyInit, Mac, Update};
use blake2::{Blake2s256, Blake2sMac};

/// `BLAKE2s-256` of the parts, one after the other.
pub(crate) fn blake2s_256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Blake2s256::default();
    for part in parts {
        Update::update(&mut hash, part);
    }
    hash.finalize_fixed().into()
}

/// `BLAKE2s-256(key, parts)`.
pub(crate) fn keyed_256<const N: usize>(key: &[u8; N], parts: &[&[u8]]) -> [u8; 32] {
    const { assert!(N <= 32) };
    #[expect(clippy::expect_used, reason = "keys of up to 32 bytes are accepted")]
    let mut mac = <Blake2sMac<U32> as KeyInit>::new_from_slice(key).expect("a valid key length");
    for part in parts {
        Mac::update(&mut mac, part);
    }
    mac.finalize_fixed().into()
}

/// `BLAKE2s-128(key, parts)`.
pub(crate) fn keyed_128<const N: usize>(key: &[u8; N], parts: &[&[u8]]) -> [u8; 16] {
    const { assert!(N <= 32) };
    #[expect(clippy::expect_used, reason = "keys of up to 32 bytes are accepted")]
    let mut mac = <Blake2sMac<U16> as KeyInit>::new_from_slice(key).expect("a valid key length");
    for part in parts {
        Mac::update(&mut mac, part);
    }
    mac.finalize_fixed().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_hash_matches_rfc_7693() {
        // RFC 7693 appendix B: BLAKE2s-256("abc").
        let expected = [
            0x50, 0x8C, 0x5E, 0x8C, 0x32, 0x7C, 0x14, 0xE2, 0xE1, 0xA7, 0x2B, 0xA3, 0x4E, 0xEB,
            0x45, 0x2F, 0x37, 0x45, 0x8B, 0x20, 0x9E, 0xD6, 0x3A, 0x29, 0x4D, 0x99, 0x9B, 0x4C,
            0x86, 0x67, 0x59, 0x82,
        ];
        assert_eq!(blake2s_256(&[b"a", b"bc"]), expected);
    }

    #[test]
    fn the_key_and_the_output_length_separate_domains() {
        let long = keyed_256(&[1; 32], &[b"x"]);
        assert_ne!(long, keyed_256(&[2; 32], &[b"x"]));
        assert_ne!(long[..16], keyed_128(&[1; 32], &[b"x"]));
    }
}
