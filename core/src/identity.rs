//! Who a node is (protocol §2): an Ed25519 identity key, an X25519 static key for handshakes, and
//! the signed records that bind the static key and names to the identity.
//!
//! Takes seeds and network bytes; returns keys and records that are verified by construction: a
//! [`KeyRecord`] or [`NameRecord`] exists only after its signature was checked or made. Secrets are
//! wiped on drop and never printed.

use core::fmt;

use aws_lc_rs::agreement::{PrivateKey, X25519};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::hash::keyed_256;
use crate::id::NodeId;

mod name_record;

use crate::name::InvalidName;
pub use name_record::NameRecord;

/// Length of a key record, bytes.
pub const KEY_RECORD_BYTES: usize = 137;
const RECORD_VERSION: u8 = 1;
const KEY_RECORD_LABEL: &[u8] = b"p2p key record v1";
const SIGNATURE_BYTES: usize = 64;

/// Why a record was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordError {
    /// Wrong length, or a field out of range.
    Malformed,
    /// A version that this implementation does not know.
    Version,
    /// The signature is not the identity's.
    Signature,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the record is malformed",
            Self::Version => "the record has an unknown version",
            Self::Signature => "the record's signature is wrong",
        })
    }
}

impl core::error::Error for RecordError {}

/// The seeds make no keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSeed;

impl fmt::Display for InvalidSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the seeds make no keys")
    }
}

impl core::error::Error for InvalidSeed {}

/// A node's own keys.
pub struct Identity {
    signing: Ed25519KeyPair,
    static_secret: Zeroizing<[u8; 32]>,
    reset_secret: Zeroizing<[u8; 32]>,
    record: KeyRecord,
}

impl Identity {
    /// Derives the keys; the static key is used as `static_seed` clamped (RFC 7748), and its record
    /// signed with `sequence`.
    ///
    /// # Errors
    /// [`InvalidSeed`] where the library refuses a key, which no seed of 32 bytes is known to
    /// cause.
    pub fn from_seeds(
        identity_seed: &[u8; 32],
        static_seed: &[u8; 32],
        sequence: u64,
    ) -> Result<Self, InvalidSeed> {
        let signing =
            Ed25519KeyPair::from_seed_unchecked(identity_seed).map_err(|_| InvalidSeed)?;
        let id = signing.public_key().as_ref().try_into();
        let id = NodeId::from_bytes(id.map_err(|_| InvalidSeed)?);
        let static_key = static_public(static_seed).ok_or(InvalidSeed)?;
        let record = KeyRecord::sign(&signing, id, static_key, sequence);
        Ok(Self {
            signing,
            static_secret: Zeroizing::new(*static_seed),
            reset_secret: Zeroizing::new(keyed_256(identity_seed, &[b"p2p reset"])),
            record,
        })
    }

    /// The node id.
    #[must_use]
    pub const fn node_id(&self) -> NodeId {
        self.record.id
    }

    /// The X25519 public key that handshakes use.
    #[must_use]
    pub const fn static_public(&self) -> &[u8; 32] {
        &self.record.static_key
    }

    /// This node's own key record.
    #[must_use]
    pub const fn record(&self) -> &KeyRecord {
        &self.record
    }

    /// Binds `name` to this identity for `life_s` seconds (protocol §2.3).
    ///
    /// # Errors
    /// [`InvalidName`] where [`crate::name::validate_name`] refuses the name.
    pub fn sign_name(
        &self,
        name: &str,
        sequence: u64,
        life_s: u32,
    ) -> Result<NameRecord, InvalidName> {
        NameRecord::sign(&self.signing, self.node_id(), name, sequence, life_s)
    }

    pub(crate) const fn static_secret(&self) -> &Zeroizing<[u8; 32]> {
        &self.static_secret
    }

    pub(crate) const fn reset_secret(&self) -> &Zeroizing<[u8; 32]> {
        &self.reset_secret
    }
}

/// The X25519 public key of a secret.
pub(crate) fn static_public(secret: &[u8]) -> Option<[u8; 32]> {
    let key = PrivateKey::from_private_key(&X25519, secret).ok()?;
    key.compute_public_key().ok()?.as_ref().try_into().ok()
}

/// Binds a static key to an identity; its signature has been verified.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// The identity that signed.
    pub id: NodeId,
    /// The X25519 key for handshakes with it.
    pub static_key: [u8; 32],
    /// Counts the records of this identity; the higher one wins.
    pub sequence: u64,
    signature: [u8; SIGNATURE_BYTES],
}

impl KeyRecord {
    fn sign(signing: &Ed25519KeyPair, id: NodeId, static_key: [u8; 32], sequence: u64) -> Self {
        let mut record = Self {
            id,
            static_key,
            sequence,
            signature: [0; SIGNATURE_BYTES],
        };
        let signature = signing.sign(&record.signed_bytes());
        if let Ok(signature) = signature.as_ref().try_into() {
            record.signature = signature;
        }
        record
    }

    /// A record that nobody signed, for rooms that are told verified ones; `sign` stands for the signature.
    #[cfg(test)]
    pub(crate) const fn unsigned(id: NodeId, sequence: u64, sign: u8) -> Self {
        Self {
            id,
            static_key: [sign; 32],
            sequence,
            signature: [sign; SIGNATURE_BYTES],
        }
    }

    fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(KEY_RECORD_LABEL.len() + KEY_RECORD_BYTES);
        bytes.extend_from_slice(KEY_RECORD_LABEL);
        bytes.push(RECORD_VERSION);
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.static_key);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    /// The record as it travels (protocol §2.2).
    #[must_use]
    pub fn to_bytes(&self) -> [u8; KEY_RECORD_BYTES] {
        let mut bytes = [0; KEY_RECORD_BYTES];
        let fields = core::iter::once(RECORD_VERSION)
            .chain(*self.id.as_bytes())
            .chain(self.static_key)
            .chain(self.sequence.to_be_bytes())
            .chain(self.signature);
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }

    /// Reads a record and verifies its signature against the id inside; whether that id is the
    /// wanted one is the caller's to check.
    ///
    /// # Errors
    /// [`RecordError`] for a wrong length, version or signature.
    pub fn parse_verified(bytes: &[u8]) -> Result<Self, RecordError> {
        let record = Self::parse_unverified(bytes)?;
        UnparsedPublicKey::new(&ED25519, record.id.as_bytes())
            .verify(&record.signed_bytes(), &record.signature)
            .map_err(|_| RecordError::Signature)?;
        Ok(record)
    }

    /// Reads a record whose very bytes were verified before.
    pub(crate) fn parse_unverified(bytes: &[u8]) -> Result<Self, RecordError> {
        let bytes: &[u8; KEY_RECORD_BYTES] =
            bytes.try_into().map_err(|_| RecordError::Malformed)?;
        let (version, rest) = bytes.split_first().ok_or(RecordError::Malformed)?;
        if *version != RECORD_VERSION {
            return Err(RecordError::Version);
        }
        let mut fields = Fields(rest);
        Ok(Self {
            id: NodeId::from_bytes(fields.take()?),
            static_key: fields.take()?,
            sequence: u64::from_be_bytes(fields.take()?),
            signature: fields.take()?,
        })
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRecord({:?} #{})", self.id, self.sequence)
    }
}

/// Takes fixed fields off the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(RecordError::Malformed)?;
        self.0 = rest;
        Ok(*field)
    }
}

#[cfg(test)]
mod tests;
