//! The sealed payloads of handshakes: offer (protocol §3.2) and acceptance (§3.3). Takes and
//! returns plain values; every payload has one length, and a zero association is refused.

use super::{HandshakeError, LocalOffer, RecordCache};
use crate::identity::{KEY_RECORD_BYTES, KeyRecord};
use crate::session::protection::Suite;

pub(super) const OFFER_BYTES: usize = KEY_RECORD_BYTES + 37;
pub(super) const ACCEPTANCE_BYTES: usize = 33;
pub(super) const XX_ACCEPTANCE_BYTES: usize = KEY_RECORD_BYTES + ACCEPTANCE_BYTES;

/// What the other side said, its record verified.
pub(super) struct Offer {
    pub record: KeyRecord,
    pub association: u64,
    pub reset_token: [u8; 16],
    pub suites: u8,
    pub capabilities: u32,
    /// Grows with each handshake of its sender.
    pub stamp: u64,
}

impl Offer {
    pub(super) fn write(record: &KeyRecord, association: u64, local: &LocalOffer) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(OFFER_BYTES);
        bytes.extend_from_slice(&record.to_bytes());
        bytes.extend_from_slice(&association.to_be_bytes());
        bytes.extend_from_slice(&local.reset_token);
        bytes.push(Suite::ALL_BITS);
        bytes.extend_from_slice(&local.capabilities.to_be_bytes());
        bytes.extend_from_slice(&local.stamp.to_be_bytes());
        bytes
    }

    /// Reads an offer; `static_key` is the one that Noise proved.
    pub(super) fn read(
        bytes: &[u8],
        static_key: &[u8],
        records: &mut RecordCache,
    ) -> Result<Self, HandshakeError> {
        let mut fields = Fields(bytes);
        let record = fields.take::<KEY_RECORD_BYTES>()?;
        let association = u64::from_be_bytes(fields.take()?);
        let reset_token = fields.take()?;
        let [suites] = fields.take()?;
        let capabilities = u32::from_be_bytes(fields.take()?);
        let stamp = u64::from_be_bytes(fields.take()?);
        fields.finish()?;
        if association == 0 {
            return Err(HandshakeError::Malformed);
        }
        let record = records.verify(&record)?;
        if record.static_key != *static_key {
            return Err(HandshakeError::Identity);
        }
        Ok(Self {
            record,
            association,
            reset_token,
            suites,
            capabilities,
            stamp,
        })
    }
}

/// What a responder answered.
pub(super) struct Acceptance {
    pub association: u64,
    pub reset_token: [u8; 16],
    pub suite: Suite,
    pub capabilities: u32,
}

impl Acceptance {
    /// Appends an acceptance; the index repeats the header's under the seal.
    pub(super) fn write(bytes: &mut Vec<u8>, suite: Suite, local: &LocalOffer) {
        bytes.extend_from_slice(&local.association.to_be_bytes());
        bytes.extend_from_slice(&local.reset_token);
        bytes.push(suite.value());
        bytes.extend_from_slice(&local.capabilities.to_be_bytes());
        bytes.extend_from_slice(&local.index.to_be_bytes());
    }

    /// Reads an acceptance whose header named `index`.
    pub(super) fn read(bytes: &[u8], index: u32) -> Result<Self, HandshakeError> {
        let mut fields = Fields(bytes);
        let association = u64::from_be_bytes(fields.take()?);
        let reset_token = fields.take()?;
        let [suite] = fields.take()?;
        let capabilities = u32::from_be_bytes(fields.take()?);
        let sealed_index = u32::from_be_bytes(fields.take()?);
        fields.finish()?;
        if association == 0 || sealed_index != index {
            return Err(HandshakeError::Malformed);
        }
        Ok(Self {
            association,
            reset_token,
            suite: Suite::from_value(suite).ok_or(HandshakeError::Suite)?,
            capabilities,
        })
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], HandshakeError> {
        let (field, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(HandshakeError::Malformed)?;
        self.0 = rest;
        Ok(*field)
    }

    fn finish(self) -> Result<(), HandshakeError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(HandshakeError::Malformed)
        }
    }
}
