//! Proven groups: BLAKE3's tree with groups of 16 KiB, so that each group can be checked on its own against the hash
//! of the whole, whatever else is there.

use std::io::{self, Read};

use bao_tree::blake3::Hash;
use bao_tree::io::BaoContentItem;
use bao_tree::io::outboard::EmptyOutboard;
use bao_tree::io::sync::{
    DecodeResponseIter, Outboard, OutboardMut, encode_ranges_validated, outboard,
};
use bao_tree::{BaoTree, BlockSize, ChunkNum, ChunkRanges, TreeNode};
use positioned_io::ReadAt;

use super::volume::{Spot, Volume};
use super::words::Want;

/// Bytes of a group.
pub const GROUP_BYTES: u64 = 16 << 10;
/// 2^4 chunks of 1 KiB.
const GROUP: BlockSize = BlockSize::from_chunk_log(4);
/// Chunks of a group.
const CHUNKS: u64 = 16;
/// Bytes of a pair of hashes.
const PAIR_BYTES: u64 = 64;

/// Groups that hold so many bytes.
pub(super) const fn groups(size: u64) -> u64 {
    size.div_ceil(GROUP_BYTES)
}

/// Bytes of the hash pairs of a file.
pub(super) fn pairs_bytes(size: u64) -> u64 {
    BaoTree::new(size, GROUP).outboard_size()
}

/// The longest that proven groups can be: their bytes, the pairs between them, and the way to the root.
#[must_use]
pub const fn proven_bytes_max(want: &Want) -> u64 {
    want.bytes + PAIR_BYTES * (want.groups + 2 * 64)
}

fn ranges(first: u64, groups: u64) -> ChunkRanges {
    ChunkRanges::from(ChunkNum(first * CHUNKS)..ChunkNum((first + groups) * CHUNKS))
}

/// The hash pairs of one file, somewhere in the file of all pairs of a transfer.
struct Pairs<'a> {
    volume: &'a dyn Volume,
    spot: Spot<'a>,
    at: u64,
    tree: BaoTree,
    root: Hash,
}

impl Outboard for Pairs<'_> {
    fn root(&self) -> Hash {
        self.root
    }

    fn tree(&self) -> BaoTree {
        self.tree
    }

    fn load(&self, node: TreeNode) -> io::Result<Option<(Hash, Hash)>> {
        let Some(offset) = self.tree.pre_order_offset(node) else {
            return Ok(None);
        };
        let mut pair = [[0; 32]; 2];
        let at = self.at + offset * PAIR_BYTES;
        // A pair that is missing proves nothing.
        self.volume.read(self.spot, at, pair.as_flattened_mut())?;
        let [left, right] = pair;
        Ok(Some((left.into(), right.into())))
    }
}

impl OutboardMut for Pairs<'_> {
    fn save(&mut self, node: TreeNode, (left, right): &(Hash, Hash)) -> io::Result<()> {
        let Some(offset) = self.tree.pre_order_offset(node) else {
            return Ok(());
        };
        let pair = [*left.as_bytes(), *right.as_bytes()];
        let at = self.at + offset * PAIR_BYTES;
        self.volume.write(self.spot, at, pair.as_flattened())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hashes a file to its end and keeps its pairs from `at` on.
pub(super) fn hash_file(
    volume: &dyn Volume,
    proofs: Spot<'_>,
    at: u64,
    size: u64,
    content: impl Read,
) -> io::Result<[u8; 32]> {
    let mut pairs = Pairs {
        volume,
        spot: proofs,
        at,
        tree: BaoTree::new(size, GROUP),
        root: Hash::from_bytes([0; 32]),
    };
    let tree = pairs.tree;
    outboard(content, tree, &mut pairs).map(Into::into)
}

/// The hash of something in memory.
pub(super) fn hash_bytes(bytes: &[u8]) -> [u8; 32] {
    bao_tree::blake3::hash(bytes).into()
}

/// The hash of what a reader gives.
pub(super) fn hash_reader(content: impl Read) -> io::Result<[u8; 32]> {
    let mut hasher = bao_tree::blake3::Hasher::new();
    hasher.update_reader(content)?;
    Ok(hasher.finalize().into())
}

/// A piece of a file in memory.
struct Piece<'a> {
    at: u64,
    bytes: &'a [u8],
}

impl ReadAt for Piece<'_> {
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let from = position
            .checked_sub(self.at)
            .and_then(|f| usize::try_from(f).ok());
        let rest = from
            .and_then(|from| self.bytes.get(from..))
            .unwrap_or_default();
        let count = rest.len().min(buffer.len());
        let (filled, read) = (buffer.get_mut(..count), rest.get(..count));
        if let (Some(filled), Some(read)) = (filled, read) {
            filled.copy_from_slice(read);
        }
        Ok(count)
    }
}

/// Where the pairs of a file are.
pub(super) struct Kept<'a> {
    /// The disk.
    pub volume: &'a dyn Volume,
    /// The file of all pairs.
    pub proofs: Spot<'a>,
    /// Where in it.
    pub at: u64,
    /// Bytes of the file itself.
    pub size: u64,
}

/// Proves groups of a file whose content, from the first of them on, is in `bytes`; `None` where they are not what was
/// hashed.
pub(super) fn prove(kept: &Kept<'_>, want: &Want, bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let pairs = Pairs {
        volume: kept.volume,
        spot: kept.proofs,
        at: kept.at,
        tree: BaoTree::new(kept.size, GROUP),
        root: want.hash.into(),
    };
    let piece = Piece {
        at: want.first * GROUP_BYTES,
        bytes,
    };
    let mut proven = Vec::with_capacity(bytes.len() + bytes.len() / 128 + 1_024);
    let encoded =
        encode_ranges_validated(piece, &pairs, &ranges(want.first, want.groups), &mut proven);
    Ok(encoded.is_ok().then_some(proven))
}

/// Checks proven groups of a blob of `size` bytes; `None` where they are not it, or not all, or more.
pub(super) fn check(want: &Want, size: u64, proven: &[u8]) -> Option<Vec<u8>> {
    let tree = BaoTree::new(size, GROUP);
    let ranges = ranges(want.first, want.groups);
    let mut rest = proven;
    let mut content = Vec::with_capacity(usize::try_from(want.bytes).ok()?);
    let none = EmptyOutboard {
        tree,
        root: want.hash.into(),
    };
    for item in DecodeResponseIter::new(none.root, none.tree, &mut rest, &ranges) {
        if let BaoContentItem::Leaf(leaf) = item.ok()? {
            content.extend_from_slice(&leaf.data);
        }
    }
    (rest.is_empty() && content.len() as u64 == want.bytes).then_some(content)
}
