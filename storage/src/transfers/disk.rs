//! The disk of this machine. Whatever a peer named is opened beneath the destination only (cap-std), so that no
//! link and no race leads out of it.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::PART_FOLDER;
use super::row::Row;
use super::table::TransferTable;
use super::volume::{Facts, Found, Spot, Volume};
use super::words::TransferId;

/// Files synced one by one; more at once cost less with all of their file system.
const SYNCED_ALONE: usize = 8;
/// Most folders below a path that is sent.
const DEPTH: usize = 32;

/// The disk of this machine.
#[derive(Clone)]
pub struct DiskVolume {
    /// Folder for what is kept for transfers.
    own: PathBuf,
    table: TransferTable,
}

impl DiskVolume {
    /// Keeps what it must below a folder, which is made when it is needed.
    #[must_use]
    pub const fn new(own: PathBuf, table: TransferTable) -> Self {
        Self { own, table }
    }

    fn own_file(&self, id: TransferId, kind: &str) -> PathBuf {
        self.own.join(format!("{id}.{kind}"))
    }

    fn open(&self, spot: Spot<'_>, writes: bool) -> io::Result<File> {
        let own = |path: PathBuf| {
            if writes {
                fs::create_dir_all(&self.own)?;
            }
            let mut options = fs::OpenOptions::new();
            options.read(true).write(writes).create(writes);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(path)
        };
        match spot {
            Spot::Source(path) => File::open(path),
            Spot::Manifest(id) => own(self.own_file(id, "manifest")),
            Spot::Proofs(id) => own(self.own_file(id, "proofs")),
            Spot::Part(destination, id, file) => {
                let folder = parts(destination, id, writes)?;
                let mut options = OpenOptions::new();
                options.read(true).write(writes).create(writes);
                let part = folder.open_with(file.to_string(), &options)?;
                Ok(part.into_std())
            }
            Spot::Placed(destination, name) => Ok(open_folder(destination)?.open(name)?.into_std()),
        }
    }
}

fn open_folder(path: &Path) -> io::Result<Dir> {
    Dir::open_ambient_dir(path, ambient_authority())
}

/// The folder for the parts of a transfer.
fn parts(destination: &Path, id: TransferId, makes: bool) -> io::Result<Dir> {
    let folder = open_folder(destination)?;
    let path = Path::new(PART_FOLDER).join(id.to_string());
    if makes {
        folder.create_dir_all(&path)?;
    }
    folder.open_dir(path)
}

fn facts_of(metadata: &fs::Metadata) -> Facts {
    let modified = metadata.modified().ok();
    let since = modified.map(|at| match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or_default(),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or_default(),
    });
    Facts {
        size: metadata.len(),
        modified_unix_ns: since.unwrap_or_default(),
        is_executable: is_executable(metadata),
    }
}

#[cfg(unix)]
fn is_executable(metadata: &fs::Metadata) -> bool {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_metadata: &fs::Metadata) -> bool {
    false
}

/// Gives a part the facts that its file had.
fn dress(part: &File, facts: Facts) -> io::Result<()> {
    #[cfg(unix)]
    if facts.is_executable {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = part.metadata()?.permissions().mode();
        // For whomever may read it.
        let mode = mode | (mode & 0o444) >> 2;
        part.set_permissions(fs::Permissions::from_mode(mode & 0o777))?;
    }
    let seconds = facts.modified_unix_ns.div_euclid(1_000_000_000);
    if let Ok(seconds) = u64::try_from(seconds)
        && let Some(at) = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    {
        // A time that this disk cannot hold is not worth a failure.
        let _ = part.set_modified(at);
    }
    Ok(())
}

/// Everything below a path, one folder at a time.
struct Walk<'a> {
    take: &'a mut dyn FnMut(Found) -> bool,
    left_out: u64,
}

impl Walk<'_> {
    fn visit(&mut self, path: &Path, name: Option<String>, depth: usize) -> io::Result<bool> {
        let metadata = fs::symlink_metadata(path)?;
        if metadata.is_dir() {
            return self.visit_folder(path, name.as_deref(), depth);
        }
        if !metadata.is_file() {
            self.left_out += 1;
            return Ok(true);
        }
        Ok((self.take)(Found {
            path: path.to_owned(),
            name,
            facts: facts_of(&metadata),
        }))
    }

    fn visit_folder(&mut self, path: &Path, name: Option<&str>, depth: usize) -> io::Result<bool> {
        if depth > DEPTH {
            return Err(io::Error::other("the folders are too deep"));
        }
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_name() == PART_FOLDER {
                continue;
            }
            let own = entry.file_name();
            let name = name
                .zip(own.to_str())
                .map(|(name, own)| format!("{name}/{own}"));
            if !self.visit(&entry.path(), name, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Volume for DiskVolume {
    fn find(&self, path: &Path, take: &mut dyn FnMut(Found) -> bool) -> io::Result<u64> {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned);
        let mut walk = Walk { take, left_out: 0 };
        // What the owner named is sent even where it is a link.
        let path = fs::canonicalize(path)?;
        walk.visit(&path, name, 0)?;
        Ok(walk.left_out)
    }

    fn facts(&self, spot: Spot<'_>) -> io::Result<Option<Facts>> {
        let found = match spot {
            Spot::Source(path) => fs::symlink_metadata(path),
            Spot::Placed(destination, name) => {
                let found = open_folder(destination)?.symlink_metadata(name);
                match found {
                    Ok(found) if !found.is_file() => {
                        return Err(io::Error::other("it is no regular file"));
                    }
                    Ok(_) => self.open(spot, false).and_then(|file| file.metadata()),
                    Err(error) => Err(error),
                }
            }
            spot => self.open(spot, false).and_then(|file| file.metadata()),
        };
        match found {
            Ok(metadata) => Ok(Some(facts_of(&metadata))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&self, spot: Spot<'_>, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut file = self.open(spot, false)?;
        file.seek(SeekFrom::Start(at))?;
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write(&self, spot: Spot<'_>, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.open(spot, true)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(bytes)
    }

    fn sync(&self, spots: &[Spot<'_>]) -> io::Result<()> {
        if spots.len() > SYNCED_ALONE
            && let Some(first) = spots.first()
            && sync_file_system(&self.open(*first, false)?)?
        {
            return Ok(());
        }
        for spot in spots {
            self.open(*spot, true)?.sync_data()?;
        }
        Ok(())
    }

    fn place(
        &self,
        (destination, id, file): (&Path, TransferId, usize),
        name: &str,
        facts: Facts,
        replaces: bool,
    ) -> io::Result<()> {
        dress(&self.open(Spot::Part(destination, id, file), true)?, facts)?;
        let (folder, from) = (open_folder(destination)?, parts(destination, id, false)?);
        if let Some((above, _)) = name.rsplit_once('/') {
            folder.create_dir_all(above)?;
        }
        let part = file.to_string();
        if replaces {
            return from.rename(&part, &folder, name);
        }
        match from.hard_link(&part, &folder, name) {
            Ok(()) => from.remove_file(&part),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
            Err(_) => {
                // A file system without hard links: an empty file of our own holds the name meanwhile.
                let mut options = OpenOptions::new();
                options.write(true).create_new(true);
                drop(folder.open_with(name, &options)?);
                from.rename(&part, &folder, name)
            }
        }
    }

    fn sync_names(&self, destination: &Path, names: &[&str]) -> io::Result<()> {
        let folder = open_folder(destination)?;
        if names.len() > SYNCED_ALONE && sync_file_system(&open_as_file(&folder, ".")?)? {
            return Ok(());
        }
        for name in names {
            let mut above = *name;
            // Folders may be new, too.
            while let Some((next, _)) = above.rsplit_once('/') {
                sync_folder(&folder, next)?;
                above = next;
            }
        }
        if names.is_empty() {
            return Ok(());
        }
        sync_folder(&folder, ".")
    }

    fn free_bytes(&self, destination: &Path) -> io::Result<u64> {
        fs::create_dir_all(destination)?;
        free_bytes(destination)
    }

    fn keep(&self, row: &Row) -> io::Result<()> {
        self.table.keep(row)
    }

    fn forget(&self, id: TransferId) {
        if let Err(error) = self.table.forget(id) {
            log::warn!("a transfer that is over cannot be forgotten: {error}");
        }
    }

    fn clear(&self, id: TransferId, destination: Option<&Path>) {
        // What is not there need not be removed.
        let Some(destination) = destination else {
            let _ = fs::remove_file(self.own_file(id, "manifest"));
            let _ = fs::remove_file(self.own_file(id, "proofs"));
            return;
        };
        let Ok(folder) = open_folder(destination) else {
            return;
        };
        let _ = folder.remove_dir_all(Path::new(PART_FOLDER).join(id.to_string()));
        // Only where no other transfer has parts there.
        let _ = folder.remove_dir(PART_FOLDER);
    }
}

/// A folder opened so that it can be synced.
fn open_as_file(folder: &Dir, path: &str) -> io::Result<File> {
    Ok(folder.open(path)?.into_std())
}

#[cfg(unix)]
fn sync_folder(folder: &Dir, path: &str) -> io::Result<()> {
    open_as_file(folder, path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Dir, _path: &str) -> io::Result<()> {
    Ok(())
}

/// Syncs all of a file's file system; whether that is possible here.
#[cfg(target_os = "linux")]
fn sync_file_system(file: &File) -> io::Result<bool> {
    rustix::fs::syncfs(file)?;
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
fn sync_file_system(_file: &File) -> io::Result<bool> {
    Ok(false)
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> io::Result<u64> {
    let facts = rustix::fs::statvfs(folder)?;
    Ok(facts.f_bavail.saturating_mul(facts.f_frsize))
}

/// It is not known here; a full disk is met when it is written to.
#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}
