//! Refusals of the state directory: each says what failed, why, and what to do about it.

use std::fmt;
use std::io;
use std::path::Path;

/// What sort of refusal it is, for exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateErrorKind {
    /// Another process uses the directory.
    InUse,
    /// Others may read or write what must be private.
    Permissions,
    /// A file is damaged.
    Broken,
    /// A file was written by a later version of the program.
    NewerVersion,
    /// A setting is unknown or has an impossible value.
    Setting,
    /// The operating system refused.
    System,
}

/// Why the state cannot be used; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateError {
    /// The sort of refusal.
    pub kind: StateErrorKind,
    /// What could not be done.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}

impl StateError {
    pub(crate) fn new(
        kind: StateErrorKind,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            what: what.into(),
            why: why.into(),
            fix: fix.into(),
        }
    }

    pub(crate) fn system(what: &str, path: &Path, error: &io::Error) -> Self {
        let fix = match error.kind() {
            io::ErrorKind::PermissionDenied => "give this user access, or name another directory",
            io::ErrorKind::StorageFull => "free some space on this file system",
            io::ErrorKind::ReadOnlyFilesystem => "name a directory on a writable file system",
            _ => "look into the reason, or name another directory with --state-dir",
        };
        let what = format!("cannot {what} {}", path.display());
        Self::new(StateErrorKind::System, what, error.to_string(), fix)
    }

    pub(crate) fn broken(path: &Path, why: &str) -> Self {
        let what = format!("cannot use {}", path.display());
        let fix =
            "restore it from a copy; only if the identity may be given up, move the file away";
        Self::new(StateErrorKind::Broken, what, why, fix)
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.what, self.why, self.fix)
    }
}

impl std::error::Error for StateError {}
