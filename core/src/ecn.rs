//! Explicit congestion notification (RFC 3168): what a datagram's mark says, and how many of each were seen.

/// A mark of the two ECN bits; a datagram without one has none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum EcnCodepoint {
    /// The sender understands ECN.
    Ect0,
    /// The sender understands ECN in another way (RFC 9331); this engine never sends it.
    Ect1,
    /// A queue on the way is filling: "congestion experienced".
    Ce,
}

/// Packets of an association received with each mark (RFC 9000 §13.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EcnCounts {
    /// With ECT(0).
    pub ect0: u64,
    /// With ECT(1).
    pub ect1: u64,
    /// With CE.
    pub ce: u64,
}

impl EcnCounts {
    /// Counts one more packet.
    pub(crate) fn add(&mut self, mark: EcnCodepoint) {
        let count = match mark {
            EcnCodepoint::Ect0 => &mut self.ect0,
            EcnCodepoint::Ect1 => &mut self.ect1,
            EcnCodepoint::Ce => &mut self.ce,
        };
        *count = count.saturating_add(1);
    }

    /// What came since `before`; `None` where a count went down.
    pub(crate) fn since(&self, before: &Self) -> Option<Self> {
        Some(Self {
            ect0: self.ect0.checked_sub(before.ect0)?,
            ect1: self.ect1.checked_sub(before.ect1)?,
            ce: self.ce.checked_sub(before.ce)?,
        })
    }

    /// Whether nothing came with a mark.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
