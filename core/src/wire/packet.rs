//! What a datagram is, and the one field of a data packet that is not protected (protocol §1, §4.1).
//!
//! Takes bytes; no cryptography. The rest of a data packet's header is the session's (`session/protection/header.rs`).

/// Shortest data packet, bytes: first byte, receiver index, the 4 bytes before the sample of header protection, tag.
pub(crate) const DATA_PACKET_MIN: usize = 1 + 4 + 4 + 16;

/// What a datagram is by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DatagramKind {
    /// RFC 8489 (protocol §11).
    Stun,
    /// Clear text of the first generation: counted and dropped.
    FirstGeneration,
    /// `IK` first datagram.
    IkInitiation,
    /// `IK` second datagram.
    IkResponse,
    /// `XX` first datagram.
    XxFirst,
    /// `XX` second datagram.
    XxSecond,
    /// `XX` third datagram.
    XxThird,
    /// Demand to prove the source address.
    CookieReply,
    /// The peer lost its keys.
    StatelessReset,
    /// Sealed frames.
    Data,
    /// Anything else, the empty datagram too: counted and dropped.
    Unknown,
}

impl DatagramKind {
    /// Looks at the first byte only.
    #[inline]
    #[must_use]
    pub(crate) fn classify(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(0xC0..=0xFF) => Self::Data,
            Some(0x00..=0x03) => Self::Stun,
            Some(b'{') => Self::FirstGeneration,
            Some(0x80) => Self::IkInitiation,
            Some(0x81) => Self::IkResponse,
            Some(0x82) => Self::XxFirst,
            Some(0x83) => Self::XxSecond,
            Some(0x84) => Self::XxThird,
            Some(0x88) => Self::CookieReply,
            Some(0x8F) => Self::StatelessReset,
            _ => Self::Unknown,
        }
    }
}

/// The receiver index of a data packet long enough to be one; it is not protected.
#[inline]
#[must_use]
pub(crate) fn receiver_index(datagram: &[u8]) -> Option<u32> {
    if datagram.len() < DATA_PACKET_MIN {
        return None;
    }
    let (_, rest) = datagram.split_first()?;
    rest.first_chunk().map(|index| u32::from_be_bytes(*index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    quickcheck! {
        fn any_datagram_has_a_kind(bytes: Vec<u8>) -> bool {
            let data = bytes.first().is_some_and(|b| *b >= 0xC0);
            (DatagramKind::classify(&bytes) == DatagramKind::Data) == data
                && receiver_index(&bytes).is_some() == (bytes.len() >= DATA_PACKET_MIN)
        }
    }

    #[test]
    fn every_first_byte_is_classified_as_specified() {
        let count = |kind| {
            (0..=255u8)
                .filter(|b| DatagramKind::classify(&[*b]) == kind)
                .count()
        };
        assert_eq!(count(DatagramKind::Stun), 4);
        assert_eq!(count(DatagramKind::Data), 64);
        assert_eq!(count(DatagramKind::Unknown), 256 - 4 - 64 - 8);
        assert_eq!(DatagramKind::classify(&[]), DatagramKind::Unknown);
        assert_eq!(
            DatagramKind::classify(b"{\"c\":1}"),
            DatagramKind::FirstGeneration
        );
    }
}
