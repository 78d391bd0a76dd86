//! The state directory of a node: keys, token, known peers, people and settings, one process at a time.
//!
//! Decides how files are named, protected and replaced; told paths and bytes, returns values or a [`StateError`]
//! that says what failed, why, and what to do about it. A key file that cannot be read is never replaced.

mod directory;
mod error;
mod files;
mod keys;
mod peers;
mod records;
mod settings;
mod token;
pub mod transfers;

pub use directory::{StateDirectory, default_path, http_address};
pub use error::{StateError, StateErrorKind};
pub use keys::NodeKeys;
pub use peers::{PeerBook, PeerRecord, Snapshot};
pub use records::{
    Binding, Book, Change, Contact, Database, INVITE_ID_BYTES, Invite, InviteId, Join, Kept,
    KeptIntroducer, KeptKind, KeptMessage, MemoryRecords, Records, Trust,
};
pub use settings::SettingsFile;
pub use token::{SecretText, TOKEN_FILE, read_token};

#[cfg(test)]
mod tests;
