//! Names and the records that bind them to an identity at introducers (protocol §2.3).
//!
//! Takes text or network bytes; returns a verdict on a name, or a record whose signature has been
//! verified. Which of two claims to a name wins is the directory's decision.

use core::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};

use super::{Fields, RecordError, SIGNATURE_BYTES};
use crate::id::NodeId;
use crate::limits::NAME_BYTES;

const NAME_RECORD_LABEL: &[u8] = b"p2p name record v1";

/// The text is no name: empty, longer than 64 bytes, or with a control character, white space, `@`
/// or `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidName;

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name is 1 to 64 bytes without control characters, white space, @ or /")
    }
}

impl core::error::Error for InvalidName {}

/// Checks a name against protocol §2.3; characters that reorder or hide text count as control
/// characters.
///
/// # Errors
/// [`InvalidName`].
pub fn validate_name(name: &str) -> Result<(), InvalidName> {
    let length_is_fine = (1..=NAME_BYTES).contains(&name.len());
    let refused =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '@' | '/') || is_invisible(c);
    if length_is_fine && !name.contains(refused) {
        Ok(())
    } else {
        Err(InvalidName)
    }
}

/// Format characters that make two different names look the same: zero-width, bidirectional
/// controls, byte-order mark.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

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
        record.signature = signature.as_ref().try_into().map_err(|_| InvalidName)?;
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
