//! The records that bind names to an identity at introducers (protocol §2.3).
//!
//! Takes text or network bytes; returns a record whose name may be one and whose signature has been
//! verified. Which of two claims to a name wins is the directory's decision.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use super::{Fields, RecordError, SIGNATURE_BYTES};
use crate::id::NodeId;
use crate::name::{InvalidName, validate_name};

const NAME_RECORD_LABEL: &[u8] = b"p2p name record v1";

/// Binds a name to an identity; its signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRecord {
    /// The identity that claims the name.
    pub id: NodeId,
    /// The name.
    pub name: String,
    /// Counts the identity's records for this name; the higher one wins.
    pub sequence: u64,
    /// How long the claim holds, seconds.
    pub life_s: u32,
    signature: [u8; SIGNATURE_BYTES],
}

impl NameRecord {
    pub(super) fn sign(
        signing: &Ed25519KeyPair,
        id: NodeId,
        name: &str,
        sequence: u64,
        life_s: u32,
    ) -> Result<Self, InvalidName> {
        validate_name(name)?;
        let mut record = Self {
            id,
            name: name.to_owned(),
            sequence,
            life_s,
            signature: [0; SIGNATURE_BYTES],
        };
        let signature = signing.sign(&record.signed_bytes());
        record.signature.copy_from_slice(signature.as_ref());
        Ok(record)
    }

    fn fields(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.name.len() + 45 + SIGNATURE_BYTES);
        bytes.push(u8::try_from(self.name.len()).unwrap_or(0));
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.life_s.to_be_bytes());
        bytes
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [NAME_RECORD_LABEL, &self.fields()].concat()
    }

    /// The record as it travels.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.fields();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads a record and verifies its signature against the id inside.
    ///
    /// # Errors
    /// [`RecordError`] for a wrong length, an invalid name or a wrong signature.
    pub fn parse_verified(bytes: &[u8]) -> Result<Self, RecordError> {
        let (length, rest) = bytes.split_first().ok_or(RecordError::Malformed)?;
        let (name, rest) = rest
            .split_at_checked(usize::from(*length))
            .ok_or(RecordError::Malformed)?;
        let name = core::str::from_utf8(name).map_err(|_| RecordError::Malformed)?;
        validate_name(name).map_err(|_| RecordError::Malformed)?;
        let mut fields = Fields(rest);
        let record = Self {
            id: NodeId::from_bytes(fields.take()?),
            name: name.to_owned(),
            sequence: u64::from_be_bytes(fields.take()?),
            life_s: u32::from_be_bytes(fields.take()?),
            signature: fields.take()?,
        };
        if !fields.0.is_empty() {
            return Err(RecordError::Malformed);
        }
        UnparsedPublicKey::new(&ED25519, record.id.as_bytes())
            .verify(&record.signed_bytes(), &record.signature)
            .map_err(|_| RecordError::Signature)?;
        Ok(record)
    }
}
