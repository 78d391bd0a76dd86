//! Private files: created for the owner alone, replaced in one step, refused where others may read them.
//!
//! A replacement is written beside the file, forced to disk, renamed over it, and the directory forced to disk;
//! a crash leaves the old file or the new one, and at worst a temporary file that the next replacement removes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::error::{StateError, StateErrorKind};

/// Name of the temporary file beside `path`.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new"))
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a file that only the owner may read, where it is missing.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    open_lock(path).map(drop)
}

/// Opens a file for locking; its content does not matter.
pub(crate) fn open_lock(path: &Path) -> io::Result<File> {
    options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

/// Replaces `path` in one step.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = temporary(path);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = options().write(true).create_new(true).open(&new)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&new, path)) {
        // The new file is of no use; the old one stands.
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    sync_folder(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Reads a private file of at most `limit_bytes`; `None` where nothing of that name exists.
pub(crate) fn read_private(
    path: &Path,
    limit_bytes: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StateError::system("read", path, &error)),
        Ok(_) => {}
    }
    let refuse = |error: io::Error| StateError::system("read", path, &error);
    let file = File::open(path).map_err(refuse)?;
    check_private(path, &file.metadata().map_err(refuse)?)?;
    // Room for everything at once: a growing vector would leave copies of secrets behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit_bytes + 1));
    file.take(limit_bytes as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(refuse)?;
    if bytes.len() > limit_bytes {
        return Err(StateError::broken(path, "it is larger than it can be"));
    }
    Ok(Some(bytes))
}

#[cfg(unix)]
fn check_private(path: &Path, facts: &fs::Metadata) -> Result<(), StateError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = facts.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(StateError::new(
        StateErrorKind::Permissions,
        format!("cannot use {}", path.display()),
        format!("its mode {mode:03o} lets other users at it"),
        format!("run: chmod 600 {}", path.display()),
    ))
}

#[cfg(not(unix))]
fn check_private(_path: &Path, _facts: &fs::Metadata) -> Result<(), StateError> {
    Ok(())
}
