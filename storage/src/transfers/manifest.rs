//! The list of what an offer holds. It is a blob like the files in it: its hash vouches for it, and it is read only
//! whole and proven. Deterministic: entries in order of their names' bytes, fixed-width integers, big endian.

use std::collections::BTreeSet;

use super::names::{Hostile, PATH_BYTES, check_name};

/// Most files of an offer.
pub const FILES: usize = 100_000;
/// Longest manifest, bytes.
pub const MANIFEST_BYTES: u64 = 16 << 20;
/// Most bytes of all files together.
const TOTAL_BYTES: u64 = 1 << 50;
/// What it begins with.
const MARK: &[u8; 4] = b"p2m1";

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Relative path, `/` between its parts.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the content.
    pub hash: [u8; 32],
    /// Whether it may be run as a program.
    pub is_executable: bool,
    /// When it was changed last, seconds since 1970.
    pub modified_unix_s: i64,
}

/// What is wrong with a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadManifest {
    /// It cannot be read.
    Malformed,
    /// It has too many files or bytes.
    TooLarge,
    /// A name is refused.
    Name(Hostile),
}

/// Writes entries, which must be in order and checked.
pub(super) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::from(MARK.as_slice());
    out.extend(
        u32::try_from(entries.len())
            .unwrap_or(u32::MAX)
            .to_be_bytes(),
    );
    for entry in entries {
        out.extend(
            u16::try_from(entry.name.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        out.extend(entry.name.as_bytes());
        out.extend(entry.size.to_be_bytes());
        out.extend(entry.hash);
        out.push(u8::from(entry.is_executable));
        out.extend(entry.modified_unix_s.to_be_bytes());
    }
    out
}

/// Reads entries; all bounds and names are checked.
///
/// # Errors
/// The first thing that is wrong.
pub fn decode(mut bytes: &[u8]) -> Result<Vec<Entry>, BadManifest> {
    let input = &mut bytes;
    if take::<4>(input)? != *MARK {
        return Err(BadManifest::Malformed);
    }
    let count = u32::from_be_bytes(take(input)?) as usize;
    if count > FILES {
        return Err(BadManifest::TooLarge);
    }
    // No memory for entries that are only announced: each has more bytes than this.
    let mut entries = Vec::with_capacity(count.min(input.len() / 51));
    for _ in 0..count {
        entries.push(entry(input)?);
    }
    if !input.is_empty() {
        return Err(BadManifest::Malformed);
    }
    check(&entries)?;
    Ok(entries)
}

fn take<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], BadManifest> {
    let (head, rest) = input
        .split_first_chunk::<N>()
        .ok_or(BadManifest::Malformed)?;
    *input = rest;
    Ok(*head)
}

fn entry(input: &mut &[u8]) -> Result<Entry, BadManifest> {
    let length = usize::from(u16::from_be_bytes(take(input)?));
    if length > PATH_BYTES {
        return Err(BadManifest::Name(Hostile::Shape));
    }
    let (name, rest) = input
        .split_at_checked(length)
        .ok_or(BadManifest::Malformed)?;
    *input = rest;
    let name = core::str::from_utf8(name).map_err(|_| BadManifest::Name(Hostile::Spelling))?;
    let size = u64::from_be_bytes(take(input)?);
    let hash = take(input)?;
    let [flags] = take(input)?;
    if flags > 1 {
        return Err(BadManifest::Malformed);
    }
    Ok(Entry {
        name: name.to_owned(),
        size,
        hash,
        is_executable: flags == 1,
        modified_unix_s: i64::from_be_bytes(take(input)?),
    })
}

/// What must hold for all entries together, and for each name.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(entries: &[Entry]) -> Result<(), BadManifest> {
    let mut total = 0_u64;
    let mut files: BTreeSet<&str> = BTreeSet::new();
    let mut last: Option<&str> = None;
    for entry in entries {
        check_name(&entry.name).map_err(BadManifest::Name)?;
        if last.is_some_and(|last| last >= entry.name.as_str()) {
            return Err(BadManifest::Name(Hostile::Clash));
        }
        last = Some(&entry.name);
        files.insert(&entry.name);
        total = total.checked_add(entry.size).ok_or(BadManifest::TooLarge)?;
    }
    if entries.len() > FILES || total > TOTAL_BYTES {
        return Err(BadManifest::TooLarge);
    }
    let folders = |name: &str| {
        let ends: Vec<usize> = name.match_indices('/').map(|(at, _)| at).collect();
        ends
    };
    for entry in entries {
        let name = entry.name.as_str();
        if folders(name)
            .into_iter()
            .any(|at| name.get(..at).is_some_and(|f| files.contains(f)))
        {
            return Err(BadManifest::Name(Hostile::Clash));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            size: 7,
            hash: [3; 32],
            is_executable: name.ends_with('x'),
            modified_unix_s: -5,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let entries: Vec<Entry> = ["a", "b/c", "b/x"].map(file).to_vec();
        assert_eq!(decode(&encode(&entries)), Ok(entries));
        assert_eq!(decode(&encode(&[])), Ok(Vec::new()));
    }

    #[test]
    fn what_is_cut_or_longer_is_malformed() {
        let whole = encode(&["a", "b"].map(file));
        for cut in 0..whole.len() {
            assert_eq!(decode(&whole[..cut]), Err(BadManifest::Malformed), "{cut}");
        }
        assert_eq!(
            decode(&[&whole[..], b"x"].concat()),
            Err(BadManifest::Malformed)
        );
    }

    #[test]
    fn clashes_and_sizes_are_refused() {
        let clash = Err(BadManifest::Name(Hostile::Clash));
        for names in [["a", "a"], ["b", "a"], ["a", "a/b"]] {
            assert_eq!(decode(&encode(&names.map(file))), clash, "{names:?}");
        }
        // Not beside each other in order.
        assert_eq!(decode(&encode(&["a", "a-b", "a/b"].map(file))), clash);
        let mut huge = ["a", "b"].map(file);
        huge[1].size = u64::MAX - 6;
        assert_eq!(decode(&encode(&huge)), Err(BadManifest::TooLarge));
        let mut many = encode(&[]);
        many[4..8].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(decode(&many), Err(BadManifest::TooLarge));
    }
}
