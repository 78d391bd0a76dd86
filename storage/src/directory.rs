//! The directory itself: where it is, who may write to it, and that one process at a time uses it.

use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use etcetera::BaseStrategy;

use crate::error::{StateError, StateErrorKind};
use crate::files;
use crate::keys::{self, NodeKeys};
use crate::peers::PeerBook;
use crate::records::{Book, Database};
use crate::token::{self, SecretText};
use crate::transfers::{Row, TransferTable};

const LOCK_FILE: &str = "lock";
/// File that names the address where the node that holds the directory serves HTTP.
const ADDRESS_FILE: &str = "http-address";
/// How often a lock is tried: whoever looks whether it is held holds it for an instant.
const LOCK_TRIES: u32 = 5;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Where the state lies unless told otherwise: `$XDG_STATE_HOME/p2p`, usually `~/.local/state/p2p`.
///
/// # Errors
/// Where the user has no home directory.
pub fn default_path() -> Result<PathBuf, StateError> {
    let homeless = |why: String| {
        StateError::new(
            StateErrorKind::System,
            "cannot find the state directory",
            why,
            "name one with --state-dir",
        )
    };
    let base = etcetera::choose_base_strategy().map_err(|e| homeless(e.to_string()))?;
    let state = base.state_dir().unwrap_or_else(|| base.data_dir());
    Ok(state.join("p2p"))
}

/// A state directory that this process alone uses; given back when dropped, also by a crash.
pub struct StateDirectory {
    path: PathBuf,
    _lock: File,
}

impl StateDirectory {
    /// Opens a directory, by default [`default_path`], and makes it (mode 0700) where it is missing.
    ///
    /// # Errors
    /// Where another process uses it, other users may write to it, or the system refuses.
    pub fn open(path: Option<PathBuf>) -> Result<Self, StateError> {
        let path = path.map_or_else(default_path, Ok)?;
        create_folder(&path).map_err(|e| StateError::system("make", &path, &e))?;
        check_folder(&path)?;
        let lock = lock(&path)?;
        Ok(Self { path, _lock: lock })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the address where this process serves HTTP, for [`http_address`].
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn leave_http_address(&self, address: SocketAddr) -> Result<(), StateError> {
        let path = self.path.join(ADDRESS_FILE);
        let written = fs::write(&path, format!("http://{address}\n"));
        written.map_err(|e| StateError::system("write", &path, &e))
    }

    /// The node's keys; made on the first start.
    ///
    /// # Errors
    /// Where a key file exists but is damaged, readable by others, of a newer version or out of reach. It is left
    /// as it is, and no new identity is made.
    pub fn keys(&self) -> Result<NodeKeys, StateError> {
        keys::load_or_create(&self.path)
    }

    /// Keeps changed keys, for instance after a new static seed.
    ///
    /// # Errors
    /// Where the system refuses; the old keys stand.
    pub fn replace_keys(&self, keys: &NodeKeys) -> Result<(), StateError> {
        keys::write(&self.path, keys)
    }

    /// The secret that opens the HTTP surface; made on the first start.
    ///
    /// # Errors
    /// Where the file is damaged, readable by others or out of reach.
    pub fn token(&self) -> Result<SecretText, StateError> {
        token::load_or_create(&self.path)
    }

    /// Contacts and names, and what was kept of them.
    ///
    /// # Errors
    /// Where the database is damaged, of a newer version or out of reach. It is left as it is.
    pub fn records(&self) -> Result<(Database, Book), StateError> {
        let database = Database::open(&self.path)?;
        let book = database.read(&self.path)?;
        Ok((database, book))
    }

    /// Transfers of files, and what was kept of them.
    ///
    /// # Errors
    /// Where the database is damaged, of a newer version or out of reach.
    pub fn transfers(&self, records: &Database) -> Result<(TransferTable, Vec<Row>), StateError> {
        let table = records.transfers(&self.path)?;
        let rows = table.rows();
        let rows = rows.map_err(|e| StateError::system("read transfers of", &self.path, &e))?;
        Ok((table, rows))
    }

    /// Peers known from earlier runs. A damaged file is moved aside with a line in the log.
    #[must_use]
    pub fn peers(&self) -> PeerBook {
        PeerBook::load(&self.path)
    }
}

impl Drop for StateDirectory {
    fn drop(&mut self) {
        // Nobody trusts it once the lock is free; one that stays is only litter.
        let _ = fs::remove_file(self.path.join(ADDRESS_FILE));
    }
}

/// Where the node that holds a state directory serves HTTP; `None` where no process holds it, whatever a node that is
/// gone left there: somebody else may listen at that address by now.
#[must_use]
pub fn http_address(folder: &Path) -> Option<SocketAddr> {
    let lock = File::open(folder.join(LOCK_FILE)).ok()?;
    if !matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)) {
        return None;
    }
    let left = fs::read_to_string(folder.join(ADDRESS_FILE)).ok()?;
    left.trim().strip_prefix("http://")?.parse().ok()
}

fn create_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(unix)]
fn check_folder(path: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::PermissionsExt;
    let facts = fs::metadata(path).map_err(|e| StateError::system("look at", path, &e))?;
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o022 == 0 {
        return Ok(());
    }
    Err(StateError::new(
        StateErrorKind::Permissions,
        format!("cannot use the directory {}", path.display()),
        format!("its mode {mode:03o} lets other users write to it"),
        format!("run: chmod 700 {}", path.display()),
    ))
}

#[cfg(not(unix))]
fn check_folder(_path: &Path) -> Result<(), StateError> {
    Ok(())
}

fn lock(folder: &Path) -> Result<File, StateError> {
    let path = folder.join(LOCK_FILE);
    let refuse = |error: std::io::Error| StateError::system("lock", &path, &error);
    let mut file = files::open_lock(&path).map_err(refuse)?;
    let mut tries = 1;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => return Err(in_use(folder, &mut file)),
            Err(TryLockError::Error(error)) => return Err(refuse(error)),
        }
    }
    // The process number helps whoever is refused; the lock holds without it.
    let noted = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = noted {
        log::warn!(
            "cannot note the process number in {}: {error}",
            path.display()
        );
    }
    Ok(file)
}

fn in_use(folder: &Path, lock: &mut File) -> StateError {
    let mut text = String::new();
    let owner = match lock.take(20).read_to_string(&mut text) {
        Ok(_) if text.trim().parse::<u32>().is_ok() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    };
    StateError::new(
        StateErrorKind::InUse,
        format!("cannot use the state directory {}", folder.display()),
        format!("{owner} uses it"),
        "stop that process, or give this one a directory of its own with --state-dir",
    )
}
