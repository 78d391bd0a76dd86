//! A disk in memory, for tests: it can lose what was not synced, be full, and refuse to sync. All handles of it
//! show the same disk.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::row::Row;
use super::volume::{Facts, Found, Spot, Volume};
use super::words::TransferId;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Source(PathBuf),
    Manifest(TransferId),
    Proofs(TransferId),
    Part(PathBuf, TransferId, usize),
    Placed(PathBuf, String),
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    facts: Facts,
}

#[derive(Default)]
struct Disk {
    now: BTreeMap<Key, Content>,
    /// What a loss of power leaves.
    kept: BTreeMap<Key, Content>,
    free_bytes: Option<u64>,
    syncs_left: Option<u64>,
    rows: BTreeMap<TransferId, Row>,
    part_bytes: u64,
}

/// A disk in memory.
#[derive(Clone, Default)]
pub struct MemoryVolume(Arc<Mutex<Disk>>);

impl MemoryVolume {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a file there that can be sent.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let content = Content {
            bytes: bytes.to_vec(),
            facts: Facts {
                size: bytes.len() as u64,
                modified_unix_ns: bytes.iter().map(|b| i128::from(*b)).sum(),
                is_executable: false,
            },
        };
        let key = Key::Source(PathBuf::from(path));
        let mut disk = self.disk();
        disk.kept.insert(key.clone(), content.clone());
        disk.now.insert(key, content);
    }

    /// The content of a file in its place.
    #[must_use]
    pub fn placed(&self, destination: &str, name: &str) -> Option<Vec<u8>> {
        let key = Key::Placed(PathBuf::from(destination), name.to_owned());
        self.disk()
            .now
            .get(&key)
            .map(|content| content.bytes.clone())
    }

    /// Names of everything in place, whatever the destination.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let disk = self.disk();
        let name = |key: &Key| match key {
            Key::Placed(_, name) => Some(name.clone()),
            _ => None,
        };
        disk.now.keys().filter_map(name).collect()
    }

    /// Files kept for transfers that are not over, parts included.
    #[must_use]
    pub fn leftovers(&self) -> usize {
        let is_left = |key: &&Key| !matches!(key, Key::Source(_) | Key::Placed(..));
        self.disk().now.keys().filter(is_left).count()
    }

    /// The power fails: only what was synced is left.
    pub fn lose_power(&self) {
        let mut disk = self.disk();
        disk.now = disk.kept.clone();
    }

    /// Bytes of parts ever written, also those that were lost.
    #[must_use]
    pub fn part_bytes(&self) -> u64 {
        self.disk().part_bytes
    }

    /// What is kept of transfers.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        self.disk().rows.values().cloned().collect()
    }

    /// From now on so many bytes can be written; `None` is no bound.
    pub fn set_free_bytes(&self, bytes: Option<u64>) {
        self.disk().free_bytes = bytes;
    }

    /// After so many more, a sync fails.
    pub fn fail_sync_after(&self, syncs: u64) {
        self.disk().syncs_left = Some(syncs);
    }
}

fn key(spot: Spot<'_>) -> Key {
    match spot {
        Spot::Source(path) => Key::Source(path.to_owned()),
        Spot::Manifest(id) => Key::Manifest(id),
        Spot::Proofs(id) => Key::Proofs(id),
        Spot::Part(destination, id, file) => Key::Part(destination.to_owned(), id, file),
        Spot::Placed(destination, name) => Key::Placed(destination.to_owned(), name.to_owned()),
    }
}

impl Volume for MemoryVolume {
    fn find(&self, path: &Path, take: &mut dyn FnMut(Found) -> bool) -> io::Result<u64> {
        let base = path.parent().unwrap_or(path);
        let mut found = Vec::new();
        for (key, content) in &self.disk().now {
            if let Key::Source(source) = key
                && source.starts_with(path)
            {
                let name = source.strip_prefix(base).ok().and_then(Path::to_str);
                found.push(Found {
                    path: source.clone(),
                    name: name.map(str::to_owned),
                    facts: content.facts,
                });
            }
        }
        if found.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let _ = found.into_iter().all(take);
        Ok(0)
    }

    fn facts(&self, spot: Spot<'_>) -> io::Result<Option<Facts>> {
        Ok(self.disk().now.get(&key(spot)).map(|content| content.facts))
    }

    fn read(&self, spot: Spot<'_>, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let disk = self.disk();
        let content = disk.now.get(&key(spot)).ok_or(io::ErrorKind::NotFound)?;
        let rest = usize::try_from(at)
            .ok()
            .and_then(|at| content.bytes.get(at..));
        let rest = rest.unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write(&self, spot: Spot<'_>, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        if let Some(free) = &mut disk.free_bytes {
            let left = free.checked_sub(bytes.len() as u64);
            *free = left.ok_or(io::Error::from(io::ErrorKind::StorageFull))?;
        }
        if matches!(spot, Spot::Part(..)) {
            disk.part_bytes += bytes.len() as u64;
        }
        let content = disk.now.entry(key(spot)).or_default();
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let end = at + bytes.len();
        if content.bytes.len() < end {
            content.bytes.resize(end, 0);
        }
        content.bytes[at..end].copy_from_slice(bytes);
        content.facts.size = content.bytes.len() as u64;
        Ok(())
    }

    fn sync(&self, spots: &[Spot<'_>]) -> io::Result<()> {
        let mut disk = self.disk();
        if let Some(left) = &mut disk.syncs_left {
            *left = left
                .checked_sub(1)
                .ok_or(io::Error::other("the sync failed"))?;
        }
        for spot in spots {
            let key = key(*spot);
            if let Some(content) = disk.now.get(&key).cloned() {
                disk.kept.insert(key, content);
            }
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
        let mut disk = self.disk();
        let to = key(Spot::Placed(destination, name));
        if disk.now.contains_key(&to) && !replaces {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let from = key(Spot::Part(destination, id, file));
        let mut content = disk.now.remove(&from).ok_or(io::ErrorKind::NotFound)?;
        content.facts = facts;
        disk.now.insert(to, content);
        Ok(())
    }

    fn sync_names(&self, destination: &Path, names: &[&str]) -> io::Result<()> {
        let mut disk = self.disk();
        for name in names {
            let key = key(Spot::Placed(destination, name));
            if let Some(content) = disk.now.get(&key).cloned() {
                disk.kept.insert(key, content);
            }
        }
        // A part that was moved is gone from where it was once its folder is synced.
        let gone: Vec<Key> = disk
            .kept
            .keys()
            .filter(|k| !disk.now.contains_key(k))
            .cloned()
            .collect();
        for key in gone {
            disk.kept.remove(&key);
        }
        Ok(())
    }

    fn free_bytes(&self, _destination: &Path) -> io::Result<u64> {
        Ok(self.disk().free_bytes.unwrap_or(u64::MAX))
    }

    fn keep(&self, row: &Row) -> io::Result<()> {
        self.disk().rows.insert(row.id, row.clone());
        Ok(())
    }

    fn forget(&self, id: TransferId) {
        self.disk().rows.remove(&id);
    }

    fn clear(&self, id: TransferId, destination: Option<&Path>) {
        let stays = |key: &Key| match key {
            Key::Manifest(other) | Key::Proofs(other) => *other != id || destination.is_some(),
            Key::Part(_, other, _) => *other != id,
            Key::Source(_) | Key::Placed(..) => true,
        };
        let mut disk = self.disk();
        disk.now.retain(|key, _| stays(key));
        disk.kept.retain(|key, _| stays(key));
    }
}
