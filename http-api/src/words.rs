//! An identity as eight words, for people who compare it by voice; the engine owns the words (protocol §2.1).

use p2p_core::id::NodeId;

/// The words of an id.
pub fn fingerprint(id: &NodeId) -> Vec<&'static str> {
    p2p_core::fingerprint::words(id).to_vec()
}
