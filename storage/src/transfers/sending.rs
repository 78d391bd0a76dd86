//! What is sent: found and hashed once, then read and proven group by group. A file that is not what it was when it was
//! hashed ends the transfer; its bytes never leave.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization as _;

use super::manifest::{self, Entry, FILES, MANIFEST_BYTES};
use super::names::check_name;
use super::proof::{GROUP_BYTES, Kept, groups, hash_file, pairs_bytes, prove};
use super::row::Row;
use super::volume::{Facts, Found, Spot, Volume};
use super::words::{FileNews, Offer, Reason, TransferId, Want};
use super::worker::{Tell, refused};

/// Bytes read at once while hashing.
const READ_BYTES: usize = 1 << 20;
/// Bytes, and files, hashed between two words about it.
const TELL_BYTES: u64 = 16 << 20;
const TELL_FILES: u64 = 256;
/// Most groups of one want.
const WANT_GROUPS: u64 = 64;
/// Longest label, bytes.
const LABEL_BYTES: usize = 200;

/// A blob that can be asked for.
struct Blob {
    /// Where it lies; `None` for the manifest.
    path: Option<PathBuf>,
    facts: Facts,
    pairs_at: u64,
}

/// A transfer that is sent.
pub(super) struct Sending {
    id: TransferId,
    blobs: BTreeMap<[u8; 32], Blob>,
}

/// Reads a file of a volume from its beginning.
pub(super) struct Reader<'a> {
    pub volume: &'a dyn Volume,
    pub spot: Spot<'a>,
    pub at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.volume.read(self.spot, self.at, buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Sending {
    /// Finds and hashes what lies at the paths.
    pub(super) fn hash(volume: &dyn Volume, mut row: Row, tell: Tell<'_>) -> Result<Self, Reason> {
        let id = row.id;
        volume.clear(id, None);
        volume.keep(&row).map_err(|error| refused(&error))?;
        let paths = &row.paths;
        let (found, left_out) = find(volume, paths)?;
        let mut sending = Self {
            id,
            blobs: BTreeMap::new(),
        };
        let (mut entries, mut pairs_at) = (Vec::with_capacity(found.len()), 0);
        let (mut bytes, mut told) = (0, (0, 0));
        for (name, found) in found {
            let hash = sending.add(volume, &found, pairs_at)?;
            pairs_at += pairs_bytes(found.facts.size);
            bytes += found.facts.size;
            entries.push(Entry {
                name,
                size: found.facts.size,
                hash,
                is_executable: found.facts.is_executable,
                modified_unix_s: seconds(found.facts.modified_unix_ns),
            });
            let files = entries.len() as u64;
            if bytes - told.0 >= TELL_BYTES || files - told.1 >= TELL_FILES {
                told = (bytes, files);
                tell(FileNews::Hashing(id, files, bytes));
            }
        }
        manifest::check(&entries).map_err(|_| Reason::NotSendable)?;
        let list = manifest::encode(&entries);
        let offer = Offer {
            root: sending.add_manifest(volume, &list, pairs_at)?,
            manifest_bytes: list.len() as u64,
            files: entries.len() as u64,
            bytes,
            label: label(paths, &entries),
        };
        row.offer = offer.clone();
        volume.keep(&row).map_err(|error| refused(&error))?;
        tell(FileNews::Hashed(id, offer, left_out));
        Ok(sending)
    }

    fn add(&mut self, volume: &dyn Volume, found: &Found, at: u64) -> Result<[u8; 32], Reason> {
        let spot = Spot::Source(&found.path);
        let reader = Reader {
            volume,
            spot,
            at: 0,
        };
        let content =
            BufReader::with_capacity(READ_BYTES.min(1 + found.facts.size as usize), reader);
        let proofs = Spot::Proofs(self.id);
        let hash = hash_file(volume, proofs, at, found.facts.size, content);
        let hash = hash.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Reason::SourceChanged,
            _ => refused(&error),
        })?;
        unchanged(volume, spot, found.facts)?;
        let blob = Blob {
            path: Some(found.path.clone()),
            facts: found.facts,
            pairs_at: at,
        };
        self.blobs.insert(hash, blob);
        Ok(hash)
    }

    fn add_manifest(
        &mut self,
        volume: &dyn Volume,
        list: &[u8],
        at: u64,
    ) -> Result<[u8; 32], Reason> {
        let size = list.len() as u64;
        if size > MANIFEST_BYTES {
            return Err(Reason::NotSendable);
        }
        let refused = |error| refused(&error);
        let spot = Spot::Manifest(self.id);
        volume.write(spot, 0, list).map_err(refused)?;
        let root = hash_file(volume, Spot::Proofs(self.id), at, size, list).map_err(refused)?;
        volume
            .sync(&[spot, Spot::Proofs(self.id)])
            .map_err(refused)?;
        let facts = Facts {
            size,
            ..Facts::default()
        };
        let blob = Blob {
            path: None,
            facts,
            pairs_at: at,
        };
        self.blobs.insert(root, blob);
        Ok(root)
    }

    /// Reads groups and proves them.
    pub(super) fn prove(
        &self,
        volume: &dyn Volume,
        token: u64,
        mut want: Want,
        tell: Tell<'_>,
    ) -> Result<(), Reason> {
        let blob = self.blobs.get(&want.hash).ok_or(Reason::Protocol)?;
        let size = blob.facts.size;
        let end = want.first.saturating_add(want.groups);
        if want.groups == 0 || want.groups > WANT_GROUPS || end > groups(size) {
            return Err(Reason::Protocol);
        }
        let at = want.first * GROUP_BYTES;
        want.bytes = (want.groups * GROUP_BYTES).min(size - at);
        let spot = match &blob.path {
            Some(path) => {
                unchanged(volume, Spot::Source(path), blob.facts)?;
                Spot::Source(path)
            }
            None => Spot::Manifest(self.id),
        };
        let mut content = vec![0; usize::try_from(want.bytes).unwrap_or_default()];
        let read = volume
            .read(spot, at, &mut content)
            .map_err(|error| refused(&error))?;
        if read < content.len() {
            return Err(Reason::SourceChanged);
        }
        let kept = Kept {
            volume,
            proofs: Spot::Proofs(self.id),
            at: blob.pairs_at,
            size,
        };
        let proven = prove(&kept, &want, &content).map_err(|error| refused(&error))?;
        let proven = proven.ok_or(Reason::SourceChanged)?;
        tell(FileNews::Proven(self.id, token, proven.into()));
        Ok(())
    }
}

/// Everything to send, in order of the names, and how many links and devices were left out.
fn find(volume: &dyn Volume, paths: &[PathBuf]) -> Result<(BTreeMap<String, Found>, u64), Reason> {
    let (mut all, mut left_out) = (BTreeMap::new(), 0);
    let mut fault = None;
    for path in paths {
        let mut take = |found: Found| {
            let name: Option<String> = found.name.as_deref().map(|name| name.nfc().collect());
            let name = name.filter(|name| check_name(name).is_ok());
            match name {
                Some(name) if all.len() < FILES && !all.contains_key(&name) => {
                    all.insert(name, found);
                    true
                }
                _ => {
                    log::warn!("{} cannot be sent", found.path.display());
                    fault = Some(Reason::NotSendable);
                    false
                }
            }
        };
        left_out += volume
            .find(path, &mut take)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => Reason::NotFound,
                _ => refused(&error),
            })?;
        if let Some(fault) = fault {
            return Err(fault);
        }
    }
    if all.is_empty() {
        return Err(Reason::NotFound);
    }
    Ok((all, left_out))
}

fn unchanged(volume: &dyn Volume, spot: Spot<'_>, facts: Facts) -> Result<(), Reason> {
    match volume.facts(spot) {
        Ok(now) if now == Some(facts) => Ok(()),
        _ => Err(Reason::SourceChanged),
    }
}

fn seconds(nanoseconds: i128) -> i64 {
    i64::try_from(nanoseconds.div_euclid(1_000_000_000)).unwrap_or_default()
}

/// What to call it: the first path, and how many more there are.
fn label(paths: &[PathBuf], entries: &[Entry]) -> String {
    let first = paths
        .first()
        .and_then(|path| Path::file_name(path)?.to_str());
    let first = first
        .or(entries.first().map(|entry| entry.name.as_str()))
        .unwrap_or_default();
    let mut label: String = first.nfc().collect();
    while label.len() > LABEL_BYTES - 20 {
        label.pop();
    }
    match paths.len() {
        0 | 1 => label,
        many => format!("{label} and {} more", many - 1),
    }
}
