//! Transfers of files, as clients see them.

use p2p_storage::transfers::TransferId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::state::State;
use crate::transfers::{Direction, Stage, Transfer};

/// What to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TransferBody)]
pub(crate) struct TransferBody {
    /// Whom to: an id, first characters of it, or a name.
    pub peer: String,
    /// Absolute paths of files and folders on this machine, 256 at most.
    pub paths: Vec<String>,
}

/// Where it goes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AcceptBody)]
pub(crate) struct AcceptBody {
    /// Absolute path of a folder on this machine; made where it is missing.
    pub out: String,
    /// What to do where a file of a name is there with another content: `rename` (if absent), `skip` or `overwrite`.
    pub conflict: Option<String>,
}

/// One transfer.
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Transfer)]
pub(crate) struct TransferView {
    /// Its id, 16 hexadecimal digits.
    pub id: String,
    /// Id of the peer.
    pub peer: String,
    /// What to call the peer, where it has a name.
    pub name: Option<String>,
    /// What that name is: `petname`, `found` or `claimed`.
    pub name_kind: Option<&'static str>,
    /// `out` to the peer, `in` from it.
    pub direction: &'static str,
    /// `hashing`, `listing`, `offered`, `preparing`, `running`; over: `done`, `partly`, `declined`, `refused`,
    /// `cancelled`, `failed`.
    pub state: &'static str,
    /// Why it failed.
    pub reason: Option<&'static str>,
    /// Whether the peer is connected.
    pub peer_connected: bool,
    /// What it is in short; the sender's word.
    pub label: String,
    /// First names of files in it, at the receiver.
    pub names: Vec<String>,
    /// Files.
    pub files: u64,
    /// Bytes of all files.
    pub total_bytes: u64,
    /// Files hashed so far, at the sender.
    pub hashed_files: u64,
    /// Bytes hashed so far, at the sender.
    pub hashed_bytes: u64,
    /// Links and devices that are not sent.
    pub left_out: u64,
    /// Bytes that the receiver's disk has for good. It never falls.
    pub done_bytes: u64,
    /// Files that the receiver's disk has in their places.
    pub done_files: u64,
    /// Files that were left out because something of their name was there.
    pub skipped: u64,
    /// First names of those, at the receiver.
    pub skipped_names: Vec<String>,
    /// Where it goes, at the receiver.
    pub out: Option<String>,
    /// What happens where a name is taken, at the receiver.
    pub conflict: Option<&'static str>,
    /// When it began.
    pub since: String,
    /// When it ended.
    pub ended_at: Option<String>,
}

impl TransferView {
    /// The picture.
    pub(crate) fn new(state: &State, id: TransferId, transfer: &Transfer) -> Self {
        let name = state.name(&transfer.peer);
        let is_in = transfer.direction == Direction::In;
        let reason = match transfer.stage {
            Stage::Failed(reason) => Some(reason.word()),
            _ => None,
        };
        Self {
            id: id.to_string(),
            peer: transfer.peer.to_string(),
            name: name.map(|(name, _)| name.to_owned()),
            name_kind: name.map(|(_, kind)| kind.word()),
            direction: transfer.direction.word(),
            state: transfer.stage.word(),
            reason,
            peer_connected: state.transfers.is_connected(&transfer.peer),
            label: transfer.offer.label.clone(),
            names: transfer.names.clone(),
            files: transfer.offer.files,
            total_bytes: transfer.offer.bytes,
            hashed_files: transfer.hashed.0,
            hashed_bytes: transfer.hashed.1,
            left_out: transfer.left_out,
            done_bytes: transfer.done_bytes,
            done_files: transfer.done_files,
            skipped: transfer.placed.skipped,
            skipped_names: transfer.placed.skipped_names.clone(),
            out: transfer
                .destination
                .as_ref()
                .map(|out| out.display().to_string()),
            conflict: is_in.then(|| transfer.conflict.word()),
            since: state.clock.rfc3339(transfer.since),
            ended_at: transfer.ended_at.map(|at| state.clock.rfc3339(at)),
        }
    }
}

/// All transfers.
#[derive(Serialize, ToSchema)]
pub(crate) struct TransferList {
    /// Those that are not over, and the newest that are.
    pub items: Vec<TransferView>,
    /// Always absent: all fit.
    pub next: Option<String>,
}
