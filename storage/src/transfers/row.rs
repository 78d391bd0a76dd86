//! What is kept of a transfer, so that it goes on after the node has ended in whatever way.

use std::path::PathBuf;

use p2p_core::id::NodeId;
use serde::{Deserialize, Serialize};

use super::words::{Conflict, Offer, Placed, TransferId};

/// What is kept of one transfer. Progress is a lower bound: what it says is on the disk for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The transfer, by this node's number.
    #[serde(skip)]
    pub id: TransferId,
    /// With whom.
    #[serde(with = "id_text")]
    pub peer: NodeId,
    /// The sender's number.
    pub number: u64,
    /// What is sent, at the sender; empty at the receiver.
    pub paths: Vec<PathBuf>,
    /// What is offered; without a root at a sender that has not hashed all.
    pub offer: Offer,
    /// Where it goes, at a receiver whose owner wants it.
    pub destination: Option<PathBuf>,
    /// What becomes of names that are taken.
    pub conflict: Conflict,
    /// The next file and group to ask for.
    pub next: (usize, u64),
    /// Bytes before that.
    pub bytes: u64,
    /// What is in place.
    pub placed: Placed,
    /// How it ended, in the state machine's word, at a receiver.
    pub end: Option<String>,
}

impl Row {
    /// A transfer that begins.
    #[must_use]
    pub fn new(id: TransferId, peer: NodeId, number: u64) -> Self {
        Self {
            id,
            peer,
            number,
            paths: Vec::new(),
            offer: Offer::default(),
            destination: None,
            conflict: Conflict::default(),
            next: (0, 0),
            bytes: 0,
            placed: Placed::default(),
            end: None,
        }
    }

    /// Whether this node sends it.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        !self.paths.is_empty()
    }
}

/// Ids as text.
mod id_text {
    use p2p_core::id::NodeId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &NodeId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&id.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NodeId, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(|_| D::Error::custom("no id"))
    }
}
