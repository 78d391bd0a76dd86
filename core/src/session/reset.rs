//! Stateless resets (protocol §4.6): how a node that has lost a session says so.
//!
//! Takes indexes and datagrams; returns tokens, resets, and whether a datagram is the reset of a
//! session. How many resets may leave each second is the caller's to count.

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::hash::{keyed_128, keyed_256};
use crate::identity::Identity;
use crate::rng::Rng;

/// Length of a stateless reset, bytes.
pub(crate) const RESET_BYTES: usize = 32;
const TYPE_RESET: u8 = 0x8F;
/// The shortest datagram that is answered with a reset: resets of resets are impossible. Every packet that a node
/// seals is at least so long, so that a keep-alive too finds out that the other side lost its keys.
pub(crate) const RESET_TRIGGER_BYTES_MIN: usize = 40;

/// Makes the tokens of a node's indexes; the same after a restart.
pub(crate) struct ResetKey(Zeroizing<[u8; 32]>);

impl ResetKey {
    /// The key of `identity`.
    #[must_use]
    pub(crate) fn of(identity: &Identity) -> Self {
        Self(Zeroizing::new(keyed_256(
            identity.reset_secret(),
            &[b"p2p reset tokens"],
        )))
    }

    /// The token of a local index.
    #[must_use]
    pub(crate) fn token(&self, index: u32) -> [u8; 16] {
        keyed_128(&self.0, &[&index.to_be_bytes()])
    }
}

/// Builds the reset that answers a data packet of `trigger_bytes`; `None` where that is too short
/// to be answered.
#[must_use]
pub(crate) fn build_reset(
    trigger_bytes: usize,
    token: &[u8; 16],
    rng: &mut Rng,
) -> Option<Vec<u8>> {
    if trigger_bytes < RESET_TRIGGER_BYTES_MIN {
        return None;
    }
    let mut bytes = Vec::with_capacity(RESET_BYTES);
    bytes.push(TYPE_RESET);
    bytes.extend_from_slice(&rng.array::<15>());
    bytes.extend_from_slice(token);
    Some(bytes)
}

/// Whether `datagram` is the reset with this token; takes the same time for each wrong token.
#[must_use]
pub(crate) fn is_reset(datagram: &[u8], token: &[u8; 16]) -> bool {
    let Some((head, sent)) = datagram.split_last_chunk::<16>() else {
        return false;
    };
    datagram.len() == RESET_BYTES && head.first() == Some(&TYPE_RESET) && sent.ct_eq(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_known_by_its_token_only() {
        let identity = Identity::from_seeds(&[1; 32], &[2; 32], 0).unwrap();
        let key = ResetKey::of(&identity);
        let token = key.token(77);
        assert_eq!(token, ResetKey::of(&identity).token(77));
        assert_ne!(token, key.token(78));
        let mut rng = Rng::from_seed([3; 32]);
        let reset = build_reset(40, &token, &mut rng).unwrap();
        assert!(is_reset(&reset, &token) && !is_reset(&reset, &key.token(78)));
        for length in 0..reset.len() {
            assert!(!is_reset(&reset[..length], &token));
        }
    }

    #[test]
    fn resets_trigger_no_resets() {
        let mut rng = Rng::from_seed([3; 32]);
        assert_eq!(build_reset(39, &[0; 16], &mut rng), None);
        let reset = build_reset(40, &[0; 16], &mut rng).unwrap();
        assert_eq!(build_reset(reset.len(), &[0; 16], &mut rng), None);
    }
}
