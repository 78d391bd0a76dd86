//! Fingerprints of node ids: eight words that two people compare by voice (protocol §2.1). Takes a
//! node id; returns words. 64 bits suffice because an attacker must find a second key for one given
//! fingerprint, not any two that collide.

mod words;

use crate::hash::blake2s_256;
use crate::id::NodeId;

/// Words in a fingerprint.
pub const FINGERPRINT_WORDS: usize = 8;

/// The eight fingerprint words of `id`, in speaking order.
#[must_use]
pub fn words(id: &NodeId) -> [&'static str; FINGERPRINT_WORDS] {
    let hash = blake2s_256(&[b"p2p fingerprint", id.as_bytes()]);
    let mut words = [""; FINGERPRINT_WORDS];
    for (word, byte) in words.iter_mut().zip(hash) {
        *word = words::WORDS.get(usize::from(byte)).copied().unwrap_or("");
    }
    words
}

/// The fingerprint words of `id`, separated by spaces.
#[must_use]
pub fn text(id: &NodeId) -> String {
    words(id).join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_words_differ_and_are_plain() {
        let distinct: std::collections::BTreeSet<_> = words::WORDS.iter().collect();
        assert_eq!(distinct.len(), 256);
        assert!(
            words::WORDS
                .iter()
                .all(|w| w.bytes().all(|b| b.is_ascii_lowercase()))
        );
    }

    #[test]
    fn one_bit_of_the_id_changes_the_words() {
        let a = NodeId::from_bytes([0; 32]);
        let mut other = [0; 32];
        other[31] = 1;
        assert_ne!(words(&a), words(&NodeId::from_bytes(other)));
        assert_eq!(text(&a).split(' ').count(), FINGERPRINT_WORDS);
    }
}
