//! What the state machine of transfers wants done with files, and what came of it. The two sides share nothing else.

use core::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use p2p_core::id::NodeId;
use serde::{Deserialize, Serialize};

use super::row::Row;

/// A transfer, by a number that this node chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub u64);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl core::str::FromStr for TransferId {
    type Err = core::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// What to do where a file has the name already and another content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conflict {
    /// The new one is called `a (2).txt`.
    #[default]
    Rename,
    /// The new one is left out.
    Skip,
    /// The new one takes its place, whole and at the end.
    Overwrite,
}

impl Conflict {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Rename => "rename",
            Self::Skip => "skip",
            Self::Overwrite => "overwrite",
        }
    }

    /// What a word means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Rename, Self::Skip, Self::Overwrite]
            .into_iter()
            .find(|conflict| conflict.word() == word)
    }
}

/// Why a transfer cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing that can be sent lies at a path.
    NotFound,
    /// Too many files or bytes, or a name that cannot be sent.
    NotSendable,
    /// A file is not what it was when it was hashed.
    SourceChanged,
    /// What came is not what was offered.
    ProofFailed,
    /// A name is refused.
    HostileNames,
    /// The disk is full, or would be.
    NoSpace,
    /// The system refused to read or write.
    Disk,
    /// The other side broke the rules.
    Protocol,
    /// The other side knows nothing of it.
    Forgotten,
}

impl Reason {
    /// All of them; the place is the number that peers exchange.
    pub const ALL: [Self; 9] = [
        Self::NotFound,
        Self::NotSendable,
        Self::SourceChanged,
        Self::ProofFailed,
        Self::HostileNames,
        Self::NoSpace,
        Self::Disk,
        Self::Protocol,
        Self::Forgotten,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NotSendable => "not_sendable",
            Self::SourceChanged => "source_changed",
            Self::ProofFailed => "proof_failed",
            Self::HostileNames => "hostile_names",
            Self::NoSpace => "no_space",
            Self::Disk => "disk",
            Self::Protocol => "protocol",
            Self::Forgotten => "forgotten",
        }
    }
}

/// What an offer is in short.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Hash of the manifest.
    pub root: [u8; 32],
    /// Bytes of the manifest.
    pub manifest_bytes: u64,
    /// Files.
    pub files: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// What to call it; a claim where it came from a peer.
    pub label: String,
}

/// Groups of a blob. A group is 16 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// Which blob, by its hash.
    pub hash: [u8; 32],
    /// The first group.
    pub first: u64,
    /// How many.
    pub groups: u64,
    /// Bytes of content that they hold.
    pub bytes: u64,
}

/// Something to do with files.
#[derive(Clone, Debug)]
pub enum Order {
    /// Sending: find and hash what lies at these paths, for a peer.
    Hash(TransferId, NodeId, Vec<PathBuf>),
    /// Sending: read groups and prove them. The token comes back with them.
    Prove(TransferId, u64, Want),
    /// Receiving: a manifest is coming from a peer; its number of the transfer.
    Expect(TransferId, NodeId, u64, Offer),
    /// Receiving: go on where an earlier run ended.
    Resume(Box<Row>),
    /// Receiving: say what to ask for next.
    Next(TransferId),
    /// Receiving: check and keep the proven groups of the oldest want that is not kept.
    Store(TransferId, Want, Bytes),
    /// Receiving: the owner wants it there.
    Accept(TransferId, PathBuf, Conflict),
    /// Receiving: put what came on the disk for good.
    Commit(TransferId),
    /// Receiving: it is over, in the state machine's word; only that is kept.
    Settle(TransferId, String),
    /// Nothing more comes; what was kept for it goes.
    Discard(TransferId),
}

impl Order {
    /// Which transfer it is about.
    #[must_use]
    pub const fn id(&self) -> TransferId {
        match self {
            Self::Hash(id, ..)
            | Self::Prove(id, ..)
            | Self::Expect(id, ..)
            | Self::Settle(id, _)
            | Self::Next(id)
            | Self::Store(id, ..)
            | Self::Accept(id, ..)
            | Self::Commit(id)
            | Self::Discard(id) => *id,
            Self::Resume(row) => row.id,
        }
    }
}

/// What of a receipt is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Files that are there, all or those that were there before included.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files left out because something of their name was there.
    pub skipped: u64,
    /// Some names of those.
    pub skipped_names: Vec<String>,
}

/// What came of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileNews {
    /// So many files and bytes are hashed.
    Hashing(TransferId, u64, u64),
    /// All are; links and devices that were left out.
    Hashed(TransferId, Offer, u64),
    /// Groups with their proof, by the token.
    Proven(TransferId, u64, Bytes),
    /// The manifest is whole and its names are fit; some of them.
    Listed(TransferId, Vec<String>),
    /// It can begin: bytes that are there, files that are there.
    Ready(TransferId, u64, u64),
    /// What to ask for next; none where all was asked for.
    Wants(TransferId, Vec<Want>),
    /// So many bytes of content of a want are checked and written.
    Stored(TransferId, u64),
    /// So many bytes, and files, are on the disk for good.
    Committed(TransferId, u64, u64),
    /// All files are in their places, for good.
    Placed(TransferId, Placed),
    /// It cannot go on.
    Failed(TransferId, Reason),
}

impl FileNews {
    /// Which transfer it is about.
    #[must_use]
    pub const fn id(&self) -> TransferId {
        match self {
            Self::Hashing(id, ..)
            | Self::Hashed(id, ..)
            | Self::Proven(id, ..)
            | Self::Listed(id, _)
            | Self::Ready(id, ..)
            | Self::Wants(id, _)
            | Self::Stored(id, _)
            | Self::Committed(id, ..)
            | Self::Placed(id, _)
            | Self::Failed(id, _) => *id,
        }
    }
}
