//! Peers known from earlier runs: their signed key records, names and last addresses, bounded in number.
//!
//! Losing this file costs a fresh introduction and nothing else, so a damaged one is moved aside, never fatal.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use p2p_core::id::{NodeId, decode_z_base_32, encode_z_base_32};
use p2p_core::identity::KeyRecord;
use p2p_core::limits;
use serde::{Deserialize, Serialize};

use crate::files;

const PEERS_FILE: &str = "peers.json";
const VERSION: u64 = 1;
/// Longest file, bytes: every record with its longest name and address.
const PEERS_FILE_BYTES: u64 = 4 << 20;

/// What is kept of one peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// Its identity.
    pub id: NodeId,
    /// Its signed key record, as it travels.
    pub record: Vec<u8>,
    /// Name under which it was found.
    pub name: Option<String>,
    /// Where it was last heard from.
    pub address: Option<SocketAddr>,
}

#[derive(Serialize, Deserialize)]
struct PeerLine {
    id: String,
    record: String,
    name: Option<String>,
    address: Option<SocketAddr>,
    /// Counts the changes of the book; the peer with the smallest goes first when the book is full.
    changed: u64,
}

#[derive(Serialize, Deserialize)]
struct PeersFile {
    version: u64,
    peers: Vec<PeerLine>,
}

/// The known peers, in memory; [`PeerBook::snapshot`] says what to write.
pub struct PeerBook {
    path: PathBuf,
    peers: BTreeMap<NodeId, (u64, PeerRecord)>,
    changes: u64,
}

/// The content of the file at one time, to be written where blocking is allowed.
pub struct Snapshot {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// Replaces the file in one step and says whether that went well; logs where not.
    pub fn write(&self) -> bool {
        let written = files::replace(&self.path, &self.bytes);
        if let Err(error) = &written {
            log::warn!(
                "cannot keep known peers in {}: {error}",
                self.path.display()
            );
        }
        written.is_ok()
    }
}

impl PeerBook {
    pub(crate) fn load(folder: &Path) -> Self {
        let path = folder.join(PEERS_FILE);
        let peers = match read(&path) {
            Ok(peers) => peers,
            Err(why) => {
                set_aside(&path, &why);
                BTreeMap::new()
            }
        };
        let changes = peers
            .values()
            .map(|(changed, _)| *changed)
            .max()
            .unwrap_or(0);
        Self {
            path,
            peers,
            changes,
        }
    }

    /// All peers in the book, by id.
    pub fn iter(&self) -> impl Iterator<Item = &PeerRecord> {
        self.peers.values().map(|(_, peer)| peer)
    }

    /// Notes a peer; the one that was noted longest ago goes where the book is full. Says whether anything changed.
    pub fn insert(&mut self, peer: PeerRecord) -> bool {
        if self
            .peers
            .get(&peer.id)
            .is_some_and(|(_, old)| *old == peer)
        {
            return false;
        }
        self.changes += 1;
        self.peers.insert(peer.id, (self.changes, peer));
        if self.peers.len() > limits::VERIFIED_RECORDS {
            let oldest = self.peers.iter().min_by_key(|(_, (changed, _))| *changed);
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.peers.remove(&id);
            }
        }
        true
    }

    /// What the file should hold now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let line = |(changed, peer): &(u64, PeerRecord)| PeerLine {
            id: peer.id.to_string(),
            record: encode_z_base_32(&peer.record),
            name: peer.name.clone(),
            address: peer.address,
            changed: *changed,
        };
        let file = PeersFile {
            version: VERSION,
            peers: self.peers.values().map(line).collect(),
        };
        Snapshot {
            path: self.path.clone(),
            bytes: serde_json::to_vec_pretty(&file).unwrap_or_default(),
        }
    }
}

fn read(path: &Path) -> Result<BTreeMap<NodeId, (u64, PeerRecord)>, String> {
    let facts = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.to_string()),
        Ok(facts) => facts,
    };
    if facts.len() > PEERS_FILE_BYTES {
        return Err("it is larger than it can be".to_owned());
    }
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    let file: PeersFile = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
    if file.version != VERSION {
        return Err(format!("it has the unknown version {}", file.version));
    }
    let lines = file.peers.into_iter().take(limits::VERIFIED_RECORDS);
    lines
        .map(peer_of)
        .collect::<Option<_>>()
        .ok_or_else(|| "a record is damaged".to_owned())
}

fn peer_of(line: PeerLine) -> Option<(NodeId, (u64, PeerRecord))> {
    let record = decode_z_base_32(&line.record)?;
    let verified = KeyRecord::parse_verified(&record).ok()?;
    let peer = PeerRecord {
        id: line.id.parse().ok().filter(|id| *id == verified.id)?,
        record,
        name: line.name.filter(|n| n.len() <= limits::NAME_BYTES),
        address: line.address,
    };
    Some((peer.id, (line.changed, peer)))
}

fn set_aside(path: &Path, why: &str) {
    let aside = path.with_extension("json.broken");
    let outcome = match fs::rename(path, &aside) {
        Ok(()) => format!("moved to {}", aside.display()),
        Err(error) => format!("and it cannot be moved away: {error}"),
    };
    log::warn!(
        "known peers in {} are not usable ({why}); {outcome}",
        path.display()
    );
}
