//! Node identities: an Ed25519 public key, written in z-base-32 (protocol §2.1).

use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;

const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// Characters of a node id in text form.
pub const NODE_ID_TEXT_LEN: usize = 52;

/// A node's identity: its Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId([u8; 32]);

impl NodeId {
    /// Wraps a public key; whether it is a valid point shows when a signature is verified.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The public key.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Ids whose text begins with `prefix`, as the first and the last that may; `None` where no id begins so.
#[must_use]
pub fn ids_with_prefix(prefix: &str) -> Option<RangeInclusive<NodeId>> {
    let (mut first, mut last) = ([0u8; 32], [0xFF; 32]);
    for (letter, place) in prefix.bytes().zip((0usize..).step_by(5)) {
        let value = ALPHABET.iter().position(|a| *a == letter)?;
        for bit in 0..5 {
            let is_set = value >> (4 - bit) & 1 == 1;
            let mask = 0x80 >> ((place + bit) % 8);
            let at = (place + bit) / 8;
            match (first.get_mut(at), last.get_mut(at)) {
                (Some(first), _) if is_set => *first |= mask,
                (_, Some(last)) => *last &= !mask,
                // Behind the last byte only zeros may stand.
                _ if is_set => return None,
                _ => {}
            }
        }
    }
    (prefix.len() <= NODE_ID_TEXT_LEN).then_some(NodeId(first)..=NodeId(last))
}

/// Slot number that the node gives to one remote with an authenticated session; opaque to components.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey(pub u32);

/// Number of one connection attempt; several operations may share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub(crate) u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_z_base_32(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = encode_z_base_32(&self.0);
        f.write_str(text.get(..8).unwrap_or(&text))
    }
}

/// The text is no node id: not 52 z-base-32 characters, or spare bits set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidNodeId;

impl fmt::Display for InvalidNodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node id is 52 z-base-32 characters")
    }
}

impl core::error::Error for InvalidNodeId {}

impl FromStr for NodeId {
    type Err = InvalidNodeId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        decode_z_base_32(text)
            .and_then(|b| b.try_into().ok())
            .map(Self)
            .ok_or(InvalidNodeId)
    }
}

/// Identities and other bytes as z-base-32 in what is written for programs to read.
#[cfg(feature = "serde")]
pub(crate) mod as_text {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::{Serialize, Serializer};

    use super::{NodeId, decode_z_base_32, encode_z_base_32};

    pub(crate) fn serialize<S: Serializer>(
        bytes: &impl AsRef<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode_z_base_32(bytes.as_ref()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: From<Vec<u8>>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = decode_z_base_32(&text);
        bytes
            .map(T::from)
            .ok_or_else(|| Error::custom("no z-base-32"))
    }

    impl Serialize for NodeId {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serialize(&self.as_bytes(), serializer)
        }
    }

    impl<'de> Deserialize<'de> for NodeId {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(Error::custom)
        }
    }
}

/// Writes bytes in z-base-32, most significant bit first, without padding.
#[must_use]
pub fn encode_z_base_32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity((bytes.len() * 8).div_ceil(5));
    let (mut bits, mut count) = (0u32, 0u32);
    let push = |text: &mut String, value: u32| {
        let letter = ALPHABET.get((value & 31) as usize).copied().unwrap_or(b'y');
        text.push(char::from(letter));
    };
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            push(&mut text, bits >> count);
        }
        bits &= (1 << count) - 1;
    }
    if count > 0 {
        push(&mut text, bits << (5 - count));
    }
    text
}

/// Reads lower-case z-base-32; `None` for a foreign character, an impossible length or spare bits that are set,
/// so that each byte string has one spelling.
#[must_use]
pub fn decode_z_base_32(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut bits, mut count) = (0u32, 0u32);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|a| *a == letter)?;
        bits = bits << 5 | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count).ok()?);
            bits &= (1 << count) - 1;
        }
    }
    (count < 5 && bits == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quickcheck::quickcheck;

    #[test]
    fn a_prefix_covers_the_ids_that_begin_with_it_and_no_others() {
        let mut state = 7u64;
        let mut ids = Vec::new();
        for _ in 0..2_000 {
            let mut bytes = [0; 32];
            for byte in &mut bytes {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                *byte = (state >> 56) as u8;
            }
            ids.push(NodeId::from_bytes(bytes));
        }
        let text = ids[5].to_string();
        for length in [0, 1, 2, 8, 13, 51, 52] {
            let prefix = &text[..length];
            let range = ids_with_prefix(prefix).unwrap();
            for id in &ids {
                let begins = id.to_string().starts_with(prefix);
                assert_eq!(range.contains(id), begins, "{prefix} and {id}");
            }
        }
        assert_eq!(ids_with_prefix("lv"), None, "no letters of the alphabet");
        assert_eq!(ids_with_prefix(&format!("{text}y")), None);
        let spare = format!("{}9", &text[..51]);
        assert_eq!(ids_with_prefix(&spare), None, "bits behind the last byte");
    }

    quickcheck! {
        fn z_base_32_has_one_spelling(bytes: Vec<u8>) -> bool {
            decode_z_base_32(&encode_z_base_32(&bytes)).as_deref() == Some(bytes.as_slice())
        }
    }

    /// Protocol §2.1.
    #[test]
    fn a_node_id_survives_its_text_form() {
        let id = NodeId::from_bytes(core::array::from_fn(|i| i as u8 * 7));
        assert_eq!(id.to_string().len(), NODE_ID_TEXT_LEN);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn spare_bits_and_foreign_letters_are_refused() {
        let mut text = NodeId::from_bytes([0; 32]).to_string();
        text.pop();
        assert!(
            format!("{text}9").parse::<NodeId>().is_err(),
            "spare bits set"
        );
        assert!(
            format!("{text}l").parse::<NodeId>().is_err(),
            "l is not in the alphabet"
        );
        assert!(text.parse::<NodeId>().is_err(), "one character short");
    }
}
