//! What comes in: first the manifest, then, once the owner wants it, every file in the manifest's order. Each want is
//! answered in the order in which it was asked, so that one place in that order says what is there.

use std::collections::VecDeque;
use std::io::{self, BufReader};
use std::path::PathBuf;

use super::PART_FOLDER;
use super::manifest::{self, BadManifest, Entry};
use super::proof::{GROUP_BYTES, check, groups, hash_bytes, hash_reader};
use super::row::Row;
use super::sending::Reader;
use super::volume::{Facts, Spot, Volume};
use super::words::{Conflict, FileNews, Placed, Reason, TransferId, Want};
use super::worker::{Tell, refused};

/// Most groups of one want, and where wants begin: a want that is aligned needs the fewest hashes.
const WANT_GROUPS: u64 = 64;
/// Most wants told at once, and most of their bytes.
const WANTS: usize = 512;
const WANTS_BYTES: u64 = 4 << 20;
/// Bytes, and whole files, after which what came is put on the disk for good.
const COMMIT_BYTES: u64 = 8 << 20;
const COMMIT_FILES: usize = 256;
/// Room that is left on the disk.
const SPARE_BYTES: u64 = 64 << 20;
/// Most names tried for a file.
const CANDIDATES: u32 = 10_000;
/// Names told of those that were left out.
const NAMED: usize = 20;

/// One thing to come, in order.
enum Step {
    /// Groups of the manifest.
    Manifest(Want),
    /// Groups of a file; whether they are its last.
    Groups(usize, Want, bool),
    /// A file without content.
    Empty(usize),
    /// The file is there already.
    There(usize),
    /// Something else has the name, and the owner wants such left out.
    Skipped(usize),
}

/// A transfer that comes in.
pub(super) struct Receiving {
    id: TransferId,
    /// What is kept of it; its progress is that of the last commit.
    row: Row,
    list: Vec<u8>,
    entries: Vec<Entry>,
    /// The next to ask for: file and group; of the manifest before that is whole.
    asks: (usize, u64),
    steps: VecDeque<Step>,
    stored_bytes: u64,
    /// Files written to and not synced.
    written: Vec<usize>,
    written_bytes: u64,
    /// Whether a file was made since the last commit.
    has_new: bool,
    /// Files that are whole and not in their places.
    whole: Vec<usize>,
    placed: Placed,
    is_over: bool,
}

impl Receiving {
    /// A manifest is coming.
    pub(super) fn new(row: Row) -> Self {
        Self {
            id: row.id,
            list: Vec::new(),
            entries: Vec::new(),
            asks: (0, 0),
            steps: VecDeque::new(),
            stored_bytes: row.bytes,
            written: Vec::new(),
            written_bytes: 0,
            has_new: false,
            whole: Vec::new(),
            placed: row.placed.clone(),
            is_over: false,
            row,
        }
    }

    /// It cannot go on: nothing more is written, also where a disk would take it again.
    pub(super) const fn stop(&mut self) {
        self.is_over = true;
    }

    /// Whether nothing more is to be done.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Removes what did not come whole.
    pub(super) fn clear(&self, volume: &dyn Volume) {
        if let Some(destination) = &self.row.destination {
            volume.clear(self.id, Some(destination));
        }
    }

    /// It is over: only how is kept.
    pub(super) fn settle(mut self, volume: &dyn Volume, end: String) {
        self.clear(volume);
        volume.clear(self.id, None);
        self.row.end = Some(end);
        self.row.placed = self.placed;
        if let Err(error) = volume.keep(&self.row) {
            log::warn!("how a transfer ended cannot be kept: {error}");
        }
    }

    /// Goes on where an earlier run ended.
    pub(super) fn resume(&mut self, volume: &dyn Volume, tell: Tell<'_>) -> Result<(), Reason> {
        let size = usize::try_from(self.row.offer.manifest_bytes).unwrap_or_default();
        let mut list = vec![0; size];
        let read = volume.read(Spot::Manifest(self.id), 0, &mut list);
        if read.map_err(|error| refused(&error))? < size || hash_bytes(&list) != self.row.offer.root
        {
            return Err(Reason::Disk);
        }
        self.list = list;
        self.read_list(volume, tell)?;
        let Some(destination) = self.row.destination.clone() else {
            return Ok(());
        };
        self.asks = self.row.next;
        let (file, group) = self.asks;
        let part = Spot::Part(&destination, self.id, file);
        let facts = volume.facts(part).map_err(|error| refused(&error))?;
        let came = group * GROUP_BYTES;
        if group > 0 && facts.is_none_or(|facts| facts.size < came) {
            // It was placed before that was written down, or it is lost; where it was placed it is found to be there.
            self.asks = (file, 0);
            self.stored_bytes -= came.min(self.stored_bytes);
        }
        tell(FileNews::Ready(self.id, self.row.bytes, self.files_done()));
        Ok(())
    }

    fn files_done(&self) -> u64 {
        self.placed.files + self.placed.skipped
    }

    /// The owner wants it.
    pub(super) fn accept(
        &mut self,
        volume: &dyn Volume,
        destination: PathBuf,
        conflict: Conflict,
        tell: Tell<'_>,
    ) -> Result<(), Reason> {
        let free = volume
            .free_bytes(&destination)
            .map_err(|error| refused(&error))?;
        let bytes = self.row.offer.bytes;
        let spare = SPARE_BYTES.max(bytes / 100);
        if free < bytes.saturating_add(spare) {
            return Err(Reason::NoSpace);
        }
        self.row.destination = Some(destination);
        self.row.conflict = conflict;
        volume.keep(&self.row).map_err(|error| refused(&error))?;
        self.asks = (0, 0);
        tell(FileNews::Ready(self.id, 0, 0));
        Ok(())
    }

    /// Says what to ask for next.
    pub(super) fn next(&mut self, volume: &dyn Volume, tell: Tell<'_>) -> Result<(), Reason> {
        let (mut wants, mut bytes) = (Vec::new(), 0);
        while wants.len() < WANTS && bytes < WANTS_BYTES {
            let Some(step) = self.next_step(volume)? else {
                break;
            };
            if let Step::Manifest(want) | Step::Groups(_, want, _) = &step {
                wants.push(*want);
                bytes += want.bytes;
            }
            self.steps.push_back(step);
        }
        tell(FileNews::Wants(self.id, wants));
        self.advance(volume, tell)
    }

    fn next_step(&mut self, volume: &dyn Volume) -> Result<Option<Step>, Reason> {
        if self.row.destination.is_none() {
            let want = self.want(self.row.offer.root, self.row.offer.manifest_bytes);
            return Ok(want.map(|(want, _)| Step::Manifest(want)));
        }
        let (file, group) = self.asks;
        let Some(entry) = self.entries.get(file) else {
            return Ok(None);
        };
        let (hash, size) = (entry.hash, entry.size);
        if group == 0
            && let Some(step) = self.without_content(volume, file)?
        {
            self.asks = (file + 1, 0);
            return Ok(Some(step));
        }
        let Some((want, is_last)) = self.want(hash, size) else {
            return Ok(None);
        };
        if is_last {
            self.asks = (file + 1, 0);
        }
        Ok(Some(Step::Groups(file, want, is_last)))
    }

    /// The next groups of a blob, and whether they are its last.
    fn want(&mut self, hash: [u8; 32], size: u64) -> Option<(Want, bool)> {
        let (all, first) = (groups(size), self.asks.1);
        let end = all.min((first / WANT_GROUPS + 1) * WANT_GROUPS);
        if first >= all {
            return None;
        }
        self.asks.1 = end;
        let bytes = size.min(end * GROUP_BYTES) - first * GROUP_BYTES;
        let want = Want {
            hash,
            first,
            groups: end - first,
            bytes,
        };
        Some((want, end == all))
    }

    /// What becomes of a file of which nothing need be sent.
    fn without_content(&self, volume: &dyn Volume, file: usize) -> Result<Option<Step>, Reason> {
        let (Some(entry), Some(destination)) = (self.entries.get(file), &self.row.destination)
        else {
            return Ok(None);
        };
        for n in 1..=CANDIDATES {
            let name = candidate(&entry.name, n);
            let spot = Spot::Placed(destination, &name);
            let facts = match volume.facts(spot) {
                Ok(None) => break,
                Ok(Some(facts)) => facts,
                // Something else than a file: it has the name, and is not it.
                Err(_) => Facts {
                    size: u64::MAX,
                    ..Facts::default()
                },
            };
            if facts.size == entry.size
                && is_content(volume, spot, entry).map_err(|e| refused(&e))?
            {
                return Ok(Some(Step::There(file)));
            }
            match self.row.conflict {
                Conflict::Rename => {}
                Conflict::Skip => return Ok(Some(Step::Skipped(file))),
                Conflict::Overwrite => break,
            }
        }
        Ok((entry.size == 0).then_some(Step::Empty(file)))
    }

    /// Checks and keeps the groups of the oldest want.
    pub(super) fn store(
        &mut self,
        volume: &dyn Volume,
        want: Want,
        proven: &[u8],
        tell: Tell<'_>,
    ) -> Result<(), Reason> {
        match self.steps.pop_front() {
            Some(Step::Manifest(expected)) if expected == want => {
                let content = check(&want, self.row.offer.manifest_bytes, proven);
                self.list.extend(content.ok_or(Reason::ProofFailed)?);
                tell(FileNews::Stored(self.id, want.bytes));
                if self.list.len() as u64 == self.row.offer.manifest_bytes {
                    self.keep_list(volume, tell)?;
                }
                return Ok(());
            }
            Some(Step::Groups(file, expected, is_last)) if expected == want => {
                let size = self.entries.get(file).map_or(0, |entry| entry.size);
                let content = check(&want, size, proven).ok_or(Reason::ProofFailed)?;
                self.write(volume, file, want.first * GROUP_BYTES, &content)?;
                tell(FileNews::Stored(self.id, want.bytes));
                if is_last {
                    self.whole.push(file);
                }
            }
            _ => return Err(Reason::Protocol),
        }
        self.advance(volume, tell)
    }

    fn keep_list(&mut self, volume: &dyn Volume, tell: Tell<'_>) -> Result<(), Reason> {
        let refused = |error: io::Error| refused(&error);
        let spot = Spot::Manifest(self.id);
        volume.write(spot, 0, &self.list).map_err(refused)?;
        volume.sync(&[spot]).map_err(refused)?;
        self.read_list(volume, tell)
    }

    /// Reads the list, and keeps that it is there.
    fn read_list(&mut self, volume: &dyn Volume, tell: Tell<'_>) -> Result<(), Reason> {
        self.entries = manifest::decode(&self.list).map_err(|bad| match bad {
            BadManifest::Malformed | BadManifest::TooLarge => Reason::Protocol,
            BadManifest::Name(_) => Reason::HostileNames,
        })?;
        let bytes: u64 = self.entries.iter().map(|entry| entry.size).sum();
        if bytes != self.row.offer.bytes || self.entries.len() as u64 != self.row.offer.files {
            return Err(Reason::Protocol);
        }
        self.list = Vec::new();
        volume.keep(&self.row).map_err(|error| refused(&error))?;
        let names = self
            .entries
            .iter()
            .take(NAMED)
            .map(|entry| entry.name.clone());
        tell(FileNews::Listed(self.id, names.collect()));
        Ok(())
    }

    fn write(
        &mut self,
        volume: &dyn Volume,
        file: usize,
        at: u64,
        bytes: &[u8],
    ) -> Result<(), Reason> {
        let destination = self.row.destination.as_deref().ok_or(Reason::Protocol)?;
        let part = Spot::Part(destination, self.id, file);
        volume
            .write(part, at, bytes)
            .map_err(|error| refused(&error))?;
        if self.written.last() != Some(&file) {
            self.written.push(file);
            self.has_new |= at == 0;
        }
        self.stored_bytes += bytes.len() as u64;
        self.written_bytes += bytes.len() as u64;
        Ok(())
    }

    /// Goes over files that need no content, commits what has become much, and ends.
    fn advance(&mut self, volume: &dyn Volume, tell: Tell<'_>) -> Result<(), Reason> {
        while let Some(Step::Empty(_) | Step::There(_) | Step::Skipped(_)) = self.steps.front() {
            match self.steps.pop_front() {
                Some(Step::Empty(file)) => {
                    if self
                        .entries
                        .get(file)
                        .is_none_or(|entry| entry.hash != hash_bytes(&[]))
                    {
                        return Err(Reason::ProofFailed);
                    }
                    self.write(volume, file, 0, &[])?;
                    self.whole.push(file);
                }
                Some(Step::There(file)) => {
                    let size = self.entries.get(file).map_or(0, |entry| entry.size);
                    self.stored_bytes += size;
                    self.placed.bytes += size;
                    self.placed.files += 1;
                }
                Some(Step::Skipped(file)) => {
                    self.stored_bytes += self.entries.get(file).map_or(0, |entry| entry.size);
                    self.leave_out(file);
                }
                _ => {}
            }
        }
        let is_whole = self.row.destination.is_some()
            && self.steps.is_empty()
            && self.asks.0 == self.entries.len();
        if is_whole || self.written_bytes >= COMMIT_BYTES || self.whole.len() >= COMMIT_FILES {
            self.commit(volume, tell)?;
        }
        if is_whole && !self.is_over {
            self.is_over = true;
            tell(FileNews::Placed(self.id, self.placed.clone()));
        }
        Ok(())
    }

    /// Puts what came on the disk for good: content first, then names.
    pub(super) fn commit(&mut self, volume: &dyn Volume, tell: Tell<'_>) -> Result<(), Reason> {
        let Some(destination) = self.row.destination.clone() else {
            return Ok(());
        };
        let refused = |error: io::Error| refused(&error);
        let part = |file: &usize| Spot::Part(&destination, self.id, *file);
        let spots: Vec<Spot<'_>> = self.written.iter().map(part).collect();
        volume.sync(&spots).map_err(refused)?;
        self.written.clear();
        self.written_bytes = 0;
        let mut names = Vec::new();
        if core::mem::take(&mut self.has_new) {
            // Their folder must outlive a loss of power, too.
            names.push(format!("{PART_FOLDER}/{}/part", self.id));
        }
        for file in core::mem::take(&mut self.whole) {
            names.extend(self.place(volume, file)?);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        volume.sync_names(&destination, &names).map_err(refused)?;
        self.row.next = self.stored_to();
        self.row.bytes = self.stored_bytes;
        self.row.placed = self.placed.clone();
        volume.keep(&self.row).map_err(refused)?;
        tell(FileNews::Committed(
            self.id,
            self.stored_bytes,
            self.files_done(),
        ));
        Ok(())
    }

    /// The first file and group that is not there.
    fn stored_to(&self) -> (usize, u64) {
        match self.steps.front() {
            Some(Step::Groups(file, want, _)) => (*file, want.first),
            Some(Step::Empty(file) | Step::There(file) | Step::Skipped(file)) => (*file, 0),
            Some(Step::Manifest(_)) | None => self.asks,
        }
    }

    /// Gives a whole file its name: the one that it got.
    fn place(&mut self, volume: &dyn Volume, file: usize) -> Result<Option<String>, Reason> {
        let (Some(entry), Some(destination)) = (self.entries.get(file), &self.row.destination)
        else {
            return Ok(None);
        };
        let facts = Facts {
            size: entry.size,
            modified_unix_ns: i128::from(entry.modified_unix_s) * 1_000_000_000,
            is_executable: entry.is_executable,
        };
        let replaces = self.row.conflict == Conflict::Overwrite;
        for n in 1..=CANDIDATES {
            let name = candidate(&entry.name, n);
            match volume.place((destination, self.id, file), &name, facts, replaces) {
                Ok(()) => {
                    self.placed.files += 1;
                    self.placed.bytes += entry.size;
                    return Ok(Some(name));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    if self.row.conflict == Conflict::Skip {
                        break;
                    }
                }
                Err(error) => return Err(refused(&error)),
            }
        }
        self.leave_out(file);
        Ok(None)
    }

    fn leave_out(&mut self, file: usize) {
        self.placed.skipped += 1;
        let names = &mut self.placed.skipped_names;
        if let Some(entry) = self.entries.get(file).filter(|_| names.len() < NAMED) {
            names.push(entry.name.clone());
        }
    }
}

/// Whether a file has the content of an entry.
fn is_content(volume: &dyn Volume, spot: Spot<'_>, entry: &Entry) -> io::Result<bool> {
    if entry.size == 0 {
        return Ok(entry.hash == hash_bytes(&[]));
    }
    let reader = Reader {
        volume,
        spot,
        at: 0,
    };
    Ok(hash_reader(BufReader::with_capacity(1 << 20, reader))? == entry.hash)
}

/// The nth name to try: `a.txt`, `a (2).txt`.
fn candidate(name: &str, n: u32) -> String {
    if n == 1 {
        return name.to_owned();
    }
    let (folder, file) = name
        .rsplit_once('/')
        .map_or((None, name), |(f, n)| (Some(f), n));
    let (stem, end) = match file.rfind('.') {
        Some(dot) if dot > 0 => file.split_at(dot),
        _ => (file, ""),
    };
    let mark = format!(" ({n})");
    let mut stem = stem.to_owned();
    // It must still be a name.
    while stem.len() + mark.len() + end.len() > 255 && stem.pop().is_some() {}
    let file = format!("{stem}{mark}{end}");
    folder.map_or_else(|| file.clone(), |folder| format!("{folder}/{file}"))
}
