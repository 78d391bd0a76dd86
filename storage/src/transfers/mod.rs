//! The disk's half of transfers: hashing and proving what is sent, checking and keeping what comes, and putting it into
//! place. The other half, which talks to peers, is a state machine of the HTTP surface; [`Order`] and [`FileNews`] are
//! all that passes between the two.
//!
//! [`FileWorker`] does the work on a [`Volume`]: the disk of this machine ([`DiskVolume`]), or one in memory
//! ([`MemoryVolume`]) that fails and loses what was not synced as a test says.

mod disk;
mod manifest;
mod memory;
mod names;
mod proof;
mod receiving;
mod row;
mod sending;
mod table;
mod volume;
mod words;
mod worker;

pub use disk::DiskVolume;
pub use manifest::{BadManifest, Entry, FILES, MANIFEST_BYTES, decode as read_manifest};
pub use memory::MemoryVolume;
pub use names::{Hostile, check_name};
pub use proof::{GROUP_BYTES, proven_bytes_max};
pub use row::Row;
pub(crate) use table::SCHEMA;
pub use table::TransferTable;
pub use volume::{Facts, Found, Spot, Volume};
pub use words::{Conflict, FileNews, Offer, Order, Placed, Reason, TransferId, Want};
pub use worker::FileWorker;

/// Folder of the destination for what has not come whole.
const PART_FOLDER: &str = ".p2p-part";

#[cfg(test)]
mod tests;
