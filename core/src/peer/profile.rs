//! Who a peer is, beside its id: what it showed of itself, and under which name it was found.

use std::sync::Arc;

use crate::identity::KeyRecord;
use crate::session::ENGINE_CAPABILITIES;

/// What is known of a peer.
#[derive(Default)]
pub(crate) struct Profile {
    /// Name under which it was found or introduced.
    pub(crate) name: Option<String>,
    record: Option<Arc<KeyRecord>>,
    /// Nobody answered under that key: it is not used, but none that is older takes its place.
    is_doubted: bool,
    /// What it offers, from its last handshake (protocol §3.8).
    capabilities: u32,
}

impl Profile {
    /// Who was known before a rest.
    pub(super) fn known(name: Option<String>, record: Arc<KeyRecord>, capabilities: u32) -> Self {
        Self {
            name,
            record: Some(record),
            is_doubted: false,
            capabilities,
        }
    }

    /// Its verified key record, once known and while somebody answers under it.
    pub(crate) fn record(&self) -> Option<&Arc<KeyRecord>> {
        self.record.as_ref().filter(|_| !self.is_doubted)
    }

    /// Sequence number of the newest record that it ever showed; 0 for none.
    pub(crate) fn newest_sequence(&self) -> u64 {
        self.record.as_ref().map_or(0, |record| record.sequence)
    }

    /// What it offers, bit by bit.
    pub(crate) const fn capabilities(&self) -> u32 {
        self.capabilities
    }

    /// A handshake showed who it is and what it offers.
    pub(crate) fn on_handshake(&mut self, record: KeyRecord, capabilities: u32) {
        self.capabilities = capabilities & !ENGINE_CAPABILITIES;
        self.on_record(Arc::new(record));
    }

    /// An introducer, or a file, showed its key record: taken over unless a newer one is known.
    pub(crate) fn on_record(&mut self, record: Arc<KeyRecord>) {
        let known = self.record.as_ref();
        if known.is_none_or(|known| known.sequence <= record.sequence) {
            self.record = Some(record);
            self.is_doubted = false;
        }
    }

    /// Nobody answered under the key that is known: the next handshake asks for it.
    pub(crate) const fn doubt_record(&mut self) {
        self.is_doubted = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn record(sequence: u64) -> Arc<KeyRecord> {
        let identity = Identity::from_seeds(&[1; 32], &[2; 32], sequence).expect("good seeds");
        Arc::new(identity.record().clone())
    }

    /// Whoever shows records, an older one is a replay and replaces nothing.
    #[test]
    fn an_older_record_replaces_nothing() {
        let mut profile = Profile::default();
        profile.on_record(record(5));
        profile.on_record(record(4));
        assert_eq!(profile.record().map(|r| r.sequence), Some(5));
        profile.on_record(record(6));
        assert_eq!(profile.record().map(|r| r.sequence), Some(6));
        profile.doubt_record();
        assert!(profile.record().is_none());
        profile.on_record(record(4));
        assert!(
            profile.record().is_none(),
            "a key that was replaced stays so"
        );
        assert_eq!(profile.newest_sequence(), 6);
        profile.on_record(record(6));
        assert_eq!(profile.record().map(|r| r.sequence), Some(6));
    }

    #[test]
    fn the_engines_own_bits_are_not_the_applications_business() {
        let mut profile = Profile::default();
        profile.on_handshake(record(1).as_ref().clone(), u32::MAX);
        assert_eq!(profile.capabilities(), !ENGINE_CAPABILITIES);
    }
}
