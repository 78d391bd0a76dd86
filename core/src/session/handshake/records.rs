//! A bounded memory of key records that were verified, so that a rekey costs no signature check.
//! Takes record bytes; returns verified records. The oldest entry goes first; a forgotten one only
//! costs a check.

use std::collections::{BTreeSet, VecDeque};

use crate::hash::blake2s_256;
use crate::identity::{KeyRecord, RecordError};
use crate::limits::VERIFIED_RECORDS;

/// Remembers hashes of verified key records.
#[derive(Default)]
pub(crate) struct RecordCache {
    known: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl RecordCache {
    /// An empty cache.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Reads a key record, with the signature check only where these very bytes are new.
    ///
    /// # Errors
    /// As [`KeyRecord::parse_verified`].
    pub(crate) fn verify(&mut self, bytes: &[u8]) -> Result<KeyRecord, RecordError> {
        let hash = blake2s_256(&[b"p2p record cache", bytes]);
        if self.known.contains(&hash) {
            return KeyRecord::parse_unverified(bytes);
        }
        let record = KeyRecord::parse_verified(bytes)?;
        if self.order.len() >= VERIFIED_RECORDS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.known.insert(hash);
        self.order.push_back(hash);
        Ok(record)
    }

    /// Records remembered.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn forged_records_are_neither_accepted_nor_remembered() {
        let identity = Identity::from_seeds(&[1; 32], &[2; 32], 0).unwrap();
        let genuine = identity.record().to_bytes();
        let mut forged = genuine;
        forged[40] ^= 1;
        let mut cache = RecordCache::new();
        for _ in 0..2 {
            assert!(cache.verify(&forged).is_err());
            assert_eq!(cache.verify(&genuine).as_ref(), Ok(identity.record()));
            assert_eq!(cache.len(), 1);
        }
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = RecordCache::new();
        for n in 0..VERIFIED_RECORDS as u64 + 10 {
            let identity = Identity::from_seeds(&[1; 32], &[2; 32], n).unwrap();
            cache.verify(&identity.record().to_bytes()).unwrap();
        }
        assert_eq!(cache.len(), VERIFIED_RECORDS);
        assert_eq!(cache.known.len(), VERIFIED_RECORDS);
    }
}
