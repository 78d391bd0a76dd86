//! The receiving side: what may be offered, what is asked for, what goes to the disk.

use core::time::Duration;
use std::path::PathBuf;

use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_storage::transfers::{
    Conflict, FILES, FileNews, Offer, Order, TransferId, proven_bytes_max,
};

use super::frame::Frame;
use super::notice::Notice;
use super::transfer::{Direction, Fetching, Stage, Transfer};
use super::{Move, Refusal, Transfers, Welcome, status};

/// Bytes asked for that have not come.
const OPEN_BYTES: u64 = 16 << 20;
/// Most wants that have not got all.
const OPEN: usize = 1_024;
/// Bytes handed to the disk and not kept yet.
const STORING_BYTES: u64 = 16 << 20;
/// Fewest wants that wait to be asked for.
const QUEUED: usize = 256;
/// How long what came may be lost to a loss of power.
const COMMIT: Duration = Duration::from_millis(250);

impl Transfer {
    /// Whether a stream is to be opened.
    pub(super) fn wants_line(&self) -> bool {
        self.direction == Direction::In
            && matches!(self.stage, Stage::Listing | Stage::Running)
            && self.line.stream.is_none()
    }
}

impl Transfers {
    /// A peer offers something.
    pub(super) fn on_offer(
        &mut self,
        now: Instant,
        (peer, number): (NodeId, u64),
        offer: Offer,
        welcome: Welcome,
    ) -> u16 {
        if let Some(id) = self.find(peer, number, Direction::In) {
            let Some(transfer) = self.table.get_mut(&id).filter(|t| t.offer == offer) else {
                return status::REFUSED;
            };
            // The sender has begun anew, and knows nothing of what it was told before.
            if let Some(word) = transfer.last_word() {
                transfer.tell(word);
            }
            self.drive(now, id);
            return status::NOTED;
        }
        if welcome == Welcome::Stranger || offer.files > FILES as u64 {
            return status::REFUSED;
        }
        if !self.has_room(peer) {
            return status::BUSY;
        }
        let id = self.new_id();
        let mut transfer = Transfer::new(now, peer, Direction::In, number);
        transfer.offer = offer.clone();
        self.insert(id, transfer);
        self.moves
            .push_back(Move::Disk(Order::Expect(id, peer, number, offer)));
        self.drive(now, id);
        status::NOTED
    }

    /// The owner wants it there.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        id: TransferId,
        destination: PathBuf,
        conflict: Conflict,
    ) -> Result<(), Refusal> {
        let transfer = self.table.get_mut(&id).ok_or(Refusal::Unknown)?;
        if transfer.stage != Stage::Offered || transfer.direction != Direction::In {
            return Err(Refusal::Stage);
        }
        transfer.stage = Stage::Preparing;
        transfer.destination = Some(destination.clone());
        transfer.conflict = conflict;
        let order = Order::Accept(id, destination, conflict);
        self.moves.push_back(Move::Disk(order));
        self.moves.push_back(Move::Changed(id));
        self.drive(now, id);
        Ok(())
    }

    pub(super) fn on_receiving_news(&mut self, now: Instant, id: TransferId, news: FileNews) {
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        match news {
            FileNews::Wants(_, wants) => {
                transfer.fetching.awaits_wants = false;
                transfer.fetching.is_all_told = wants.is_empty();
                transfer.fetching.queue.extend(wants);
            }
            FileNews::Stored(_, bytes) => {
                let fetching = &mut transfer.fetching;
                fetching.storing_bytes = fetching.storing_bytes.saturating_sub(bytes);
                if transfer.stage == Stage::Running {
                    fetching.commit_at.get_or_insert(now + COMMIT);
                }
            }
            FileNews::Listed(_, names) => {
                transfer.stage = Stage::Offered;
                transfer.names = names;
                transfer.fetching = Fetching::default();
                self.drop_line(id);
                self.moves.push_back(Move::Changed(id));
            }
            FileNews::Ready(_, bytes, files) => {
                transfer.stage = Stage::Running;
                (transfer.done_bytes, transfer.done_files) = (bytes, files);
                transfer.open = super::Retry::now();
                transfer.tell(Notice::Accepted);
                self.moves.push_back(Move::Changed(id));
            }
            FileNews::Committed(_, bytes, files) => {
                transfer.fetching.commit_at = None;
                (transfer.done_bytes, transfer.done_files) = (bytes, files);
                if let Some(stream) = transfer.line.stream {
                    let progress = Frame::Progress(bytes, files).encode();
                    let peer = transfer.peer;
                    self.moves.push_back(Move::Write(peer, stream, progress));
                }
                self.moves.push_back(Move::Changed(id));
            }
            FileNews::Placed(_, placed) => {
                let is_whole = placed.skipped == 0;
                transfer.placed = placed.clone();
                transfer.tell(Notice::Done(placed));
                self.end(now, id, if is_whole { Stage::Done } else { Stage::Partly });
            }
            _ => {}
        }
    }

    /// Something of what was asked for; whether that is right.
    pub(super) fn on_content(&mut self, now: Instant, id: TransferId, frame: Frame) -> bool {
        let Some(transfer) = self.table.get_mut(&id) else {
            return false;
        };
        let fetching = &mut transfer.fetching;
        match frame {
            Frame::Data(bytes) => {
                let Some((want, came)) = fetching.open.front_mut() else {
                    return false;
                };
                came.extend_from_slice(&bytes);
                came.len() as u64 <= proven_bytes_max(want)
            }
            Frame::End => {
                let Some((want, came)) = fetching.open.pop_front() else {
                    return false;
                };
                fetching.open_bytes -= want.bytes;
                fetching.storing_bytes += want.bytes;
                self.moves
                    .push_back(Move::Disk(Order::Store(id, want, came.into())));
                self.fetch(now, id);
                true
            }
            _ => false,
        }
    }

    /// Asks for what comes next, as far as there is room.
    pub(super) fn fetch(&mut self, now: Instant, id: TransferId) {
        let is_there = self
            .table
            .get(&id)
            .is_some_and(|t| self.connected.contains(&t.peer));
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        if !matches!(transfer.stage, Stage::Listing | Stage::Running) {
            return;
        }
        let peer = transfer.peer;
        if transfer.fetching.commit_at.is_some_and(|at| at <= now) {
            transfer.fetching.commit_at = None;
            self.moves.push_back(Move::Disk(Order::Commit(id)));
        }
        if is_there && transfer.wants_line() && transfer.open.due <= now {
            transfer.open.tried(now);
            self.moves.push_back(Move::Open(id, peer));
        }
        let fetching = &mut transfer.fetching;
        if fetching.queue.len() < QUEUED && !fetching.awaits_wants && !fetching.is_all_told {
            fetching.awaits_wants = true;
            self.moves.push_back(Move::Disk(Order::Next(id)));
        }
        let Some(stream) = transfer.line.stream else {
            return;
        };
        while fetching.open.len() < OPEN
            && fetching.open_bytes < OPEN_BYTES
            && fetching.storing_bytes < STORING_BYTES
            && let Some(want) = fetching.queue.pop_front()
        {
            fetching.open_bytes += want.bytes;
            let frame = Frame::Want(want).encode();
            fetching.open.push_back((want, Vec::new()));
            self.moves.push_back(Move::Write(peer, stream, frame));
        }
    }
}
