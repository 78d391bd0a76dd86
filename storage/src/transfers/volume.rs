//! What transfers need of a disk, so that the same work runs on a real one and on one in memory that loses and fails
//! as a test says.

use std::io;
use std::path::{Path, PathBuf};

use super::row::Row;
use super::words::TransferId;

/// A file of a transfer.
#[derive(Clone, Copy, Debug)]
pub enum Spot<'a> {
    /// A file that is sent, where it lies.
    Source(&'a Path),
    /// The list of what is sent or received.
    Manifest(TransferId),
    /// The hash pairs of all files that are sent.
    Proofs(TransferId),
    /// A file that is coming in, in the destination's own folder for such.
    Part(&'a Path, TransferId, usize),
    /// A file in its place beneath the destination.
    Placed(&'a Path, &'a str),
}

/// A file found below a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Where it lies.
    pub path: PathBuf,
    /// Name in the offer; `None` where it is not UTF-8.
    pub name: Option<String>,
    /// Facts.
    pub facts: Facts,
}

/// What a disk says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Bytes.
    pub size: u64,
    /// When it was changed last, nanoseconds since 1970.
    pub modified_unix_ns: i128,
    /// Whether it may be run.
    pub is_executable: bool,
}

/// A disk.
pub trait Volume: Send {
    /// Finds regular files at or below a path; gives how many links and devices were left out. `take` says whether to
    /// go on.
    ///
    /// # Errors
    /// Where a folder cannot be read.
    fn find(&self, path: &Path, take: &mut dyn FnMut(Found) -> bool) -> io::Result<u64>;
    /// Facts about a file; `None` where there is nothing.
    ///
    /// # Errors
    /// Where it is no regular file, or the system refuses.
    fn facts(&self, spot: Spot<'_>) -> io::Result<Option<Facts>>;
    /// Reads from a place on; fewer bytes than fit only at the end.
    ///
    /// # Errors
    /// Where the system refuses.
    fn read(&self, spot: Spot<'_>, at: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes at a place, and makes the file where it is missing. Not for sources and what is placed.
    ///
    /// # Errors
    /// Where the system refuses.
    fn write(&self, spot: Spot<'_>, at: u64, bytes: &[u8]) -> io::Result<()>;
    /// When it returns, what was written to these files outlives a loss of power.
    ///
    /// # Errors
    /// Where that is not so.
    fn sync(&self, spots: &[Spot<'_>]) -> io::Result<()>;
    /// Moves a part to its name, and makes folders; never onto something else unless it may replace a file.
    ///
    /// # Errors
    /// `AlreadyExists` where something has the name.
    fn place(
        &self,
        part: (&Path, TransferId, usize),
        name: &str,
        facts: Facts,
        replaces: bool,
    ) -> io::Result<()>;
    /// When it returns, the names of what was placed outlive a loss of power.
    ///
    /// # Errors
    /// Where that is not so.
    fn sync_names(&self, destination: &Path, names: &[&str]) -> io::Result<()>;
    /// Bytes that may still be written; the destination is made where it is missing.
    ///
    /// # Errors
    /// Where there can be no such folder.
    fn free_bytes(&self, destination: &Path) -> io::Result<u64>;
    /// Keeps what is known of a transfer; when it returns, that outlives a loss of power.
    ///
    /// # Errors
    /// Where that is not so.
    fn keep(&self, row: &Row) -> io::Result<()>;
    /// What is kept of a transfer goes.
    fn forget(&self, id: TransferId);
    /// Removes what was kept for a transfer, and its parts at the destination.
    fn clear(&self, id: TransferId, destination: Option<&Path>);
}
