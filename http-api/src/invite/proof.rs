//! What a link's secret is worth on the wire: an id that finds the invitation, and a proof that only its holder can
//! make, bound to both nodes. The secret itself never travels, and the inviter does not keep it.
//!
//! 128 random bits cannot be guessed, so wrong proofs need no budget of their own beyond that of requests.

use blake2::digest::{KeyInit, Mac};
use blake2::{Blake2s256, Blake2sMac256, Digest};
use p2p_core::id::NodeId;
use p2p_core::name::validate_name;
use p2p_storage::{INVITE_ID_BYTES, InviteId};
use subtle::ConstantTimeEq;

/// Length of a secret, bytes.
pub(crate) const SECRET_BYTES: usize = 16;
const PROOF_BYTES: usize = 32;

/// The secret of a link.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Secret(pub [u8; SECRET_BYTES]);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// The id of the invitation.
    pub(crate) fn id(&self) -> InviteId {
        let hash = self.derive(b"p2p invite id");
        let mut id = [0; INVITE_ID_BYTES];
        id.copy_from_slice(&hash[..INVITE_ID_BYTES]);
        id
    }

    /// The key that proofs are made with.
    pub(crate) fn key(&self) -> [u8; 32] {
        self.derive(b"p2p invite key")
    }

    fn derive(&self, label: &[u8]) -> [u8; 32] {
        let hash = Blake2s256::new().chain_update(label);
        Digest::chain_update(hash, self.0).finalize().into()
    }
}

/// The body of a request to take an invitation up: id, proof, and to the end what the joiner says that it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redemption {
    /// Which.
    pub id: InviteId,
    proof: [u8; PROOF_BYTES],
    /// What the joiner says that it is called.
    pub name: Option<String>,
}

impl Redemption {
    /// Proves that `joiner` holds the link of `inviter`.
    pub(crate) fn new(
        id: InviteId,
        key: &[u8; 32],
        (joiner, name): (&NodeId, Option<String>),
        inviter: &NodeId,
    ) -> Self {
        let proof = proof(key, joiner, inviter);
        Self { id, proof, name }
    }

    /// As it travels.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let name = self.name.as_deref().unwrap_or_default();
        [&self.id[..], &self.proof, name.as_bytes()].concat()
    }

    /// Reads one. A name that is none is left out: what counts is the proof.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let (id, rest) = bytes.split_first_chunk()?;
        let (proof, name) = rest.split_first_chunk()?;
        let name = core::str::from_utf8(name).ok();
        let name = name.filter(|name| validate_name(name).is_ok());
        Some(Self {
            id: *id,
            proof: *proof,
            name: name.map(ToOwned::to_owned),
        })
    }

    /// Whether `joiner` holds the link; takes the same time wherever the first difference is.
    pub(crate) fn is_proven(&self, key: &[u8; 32], joiner: &NodeId, inviter: &NodeId) -> bool {
        self.proof.ct_eq(&proof(key, joiner, inviter)).into()
    }
}

fn proof(key: &[u8; 32], joiner: &NodeId, inviter: &NodeId) -> [u8; PROOF_BYTES] {
    let mut mac = <Blake2sMac256 as KeyInit>::new(key.into());
    for part in [&b"redeem"[..], joiner.as_bytes(), inviter.as_bytes()] {
        Mac::update(&mut mac, part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_of_one_key_one_joiner_and_one_inviter() {
        let (ada, ben) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
        let secret = Secret([3; SECRET_BYTES]);
        let name = Some("ben".to_owned());
        let made = Redemption::new(secret.id(), &secret.key(), (&ben, name), &ada);
        let read = Redemption::parse(&made.to_bytes()).expect("whole");
        assert_eq!(read, made);
        assert!(read.is_proven(&secret.key(), &ben, &ada));
        assert!(
            !read.is_proven(&secret.key(), &ada, &ben),
            "not turned round"
        );
        assert!(
            !read.is_proven(&secret.key(), &ada, &ada),
            "of another joiner"
        );
        assert!(!read.is_proven(&Secret([4; SECRET_BYTES]).key(), &ben, &ada));
        let bytes = made.to_bytes();
        let least = INVITE_ID_BYTES + PROOF_BYTES;
        for length in 0..least {
            assert_eq!(Redemption::parse(&bytes[..length]), None, "{length}");
        }
        let nameless = [&bytes[..least], b"\x1b[2J"].concat();
        assert_eq!(Redemption::parse(&nameless).map(|r| r.name), Some(None));
        assert_ne!(
            secret.key()[..INVITE_ID_BYTES],
            secret.id(),
            "the id tells nothing of the key"
        );
    }
}
