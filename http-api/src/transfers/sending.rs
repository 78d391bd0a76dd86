//! The sending side: what is offered, and the groups that the receiver asks for.

use std::path::PathBuf;

use p2p_core::api::StreamId;
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_storage::transfers::{FileNews, GROUP_BYTES, Order, Reason, TransferId};

use super::frame::{Frame, FrameReader, answer};
use super::notice::Notice;
use super::transfer::{Direction, Stage, Transfer};
use super::{Move, Refusal, Transfers};

/// Most wants of a peer that wait to be read.
const WANTS: usize = 2_048;
/// Bytes that are read or wait for the peer before no more is read.
const HELD_BYTES: u64 = 4 << 20;

impl Transfers {
    /// The owner sends what lies at these paths.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        peer: NodeId,
        paths: Vec<PathBuf>,
    ) -> Result<TransferId, Refusal> {
        if !self.has_room(peer) {
            return Err(Refusal::Full);
        }
        let id = self.new_id();
        let transfer = Transfer::new(now, peer, Direction::Out, id.0);
        self.insert(id, transfer);
        self.moves
            .push_back(Move::Disk(Order::Hash(id, peer, paths)));
        Ok(id)
    }

    pub(super) fn on_sending_news(&mut self, now: Instant, id: TransferId, news: FileNews) {
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        match news {
            FileNews::Hashing(_, files, bytes) => {
                transfer.hashed = (files, bytes);
                self.moves.push_back(Move::Changed(id));
            }
            FileNews::Hashed(_, offer, left_out) => {
                if transfer.offer.root != [0; 32] && transfer.offer.root != offer.root {
                    return self.fail(now, id, Reason::SourceChanged);
                }
                transfer.stage = Stage::Offered;
                transfer.hashed = (offer.files, offer.bytes);
                transfer.left_out = left_out;
                transfer.offer = offer.clone();
                transfer.tell(Notice::Offer(offer));
                self.moves.push_back(Move::Changed(id));
            }
            FileNews::Proven(_, token, proven) => {
                let serving = &mut transfer.serving;
                let Some((_, bytes)) = serving.proving.pop_front_if(|(first, _)| *first == token)
                else {
                    // For a stream that is gone.
                    return;
                };
                serving.proving_bytes -= bytes;
                if let Some(stream) = transfer.line.stream {
                    let peer = transfer.peer;
                    transfer.line.held_bytes += proven.len();
                    let moves = &mut self.moves;
                    answer(proven, |bytes| {
                        moves.push_back(Move::Write(peer, stream, bytes))
                    });
                }
            }
            _ => {}
        }
        self.drive(now, id);
    }

    /// A word of the receiver.
    pub(super) fn on_word(&mut self, now: Instant, id: TransferId, notice: Notice) {
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        match notice {
            Notice::Accepted if transfer.stage == Stage::Offered => {
                transfer.stage = Stage::Running;
                self.moves.push_back(Move::Changed(id));
            }
            Notice::Declined => self.end(now, id, Stage::Declined),
            Notice::Done(placed) => {
                let is_whole = placed.skipped == 0;
                transfer.done_files = placed.files;
                transfer.done_bytes = transfer.offer.bytes;
                transfer.placed = placed;
                self.end(now, id, if is_whole { Stage::Done } else { Stage::Partly });
            }
            _ => {}
        }
    }

    /// A stream that has not said what it is for said something.
    pub(super) fn claim(&mut self, now: Instant, key: (NodeId, u64), mut reader: FrameReader) {
        let (peer, stream) = (key.0, StreamId(key.1));
        let number = match reader.next() {
            Ok(None) => {
                self.unclaimed.insert(key, reader);
                return;
            }
            Ok(Some(Frame::Transfer(number))) => Some(number),
            _ => None,
        };
        let id = number.and_then(|number| self.find(peer, number, Direction::Out));
        let is_open = |t: &&mut Transfer| matches!(t.stage, Stage::Offered | Stage::Running);
        let Some(id) = id.filter(|id| self.table.get_mut(id).as_ref().is_some_and(is_open)) else {
            self.moves.push_back(Move::Abandon(peer, stream));
            return;
        };
        // One at a time: the receiver has begun anew.
        self.drop_line(id);
        if let Some(transfer) = self.table.get_mut(&id) {
            transfer.line.stream = Some(stream);
            transfer.line.reader = reader;
        }
        self.lines.insert(key, id);
        self.read_line(now, id);
    }

    /// The receiver asks or tells; whether that is right.
    pub(super) fn on_asked(&mut self, id: TransferId, frame: Frame) -> bool {
        let Some(transfer) = self.table.get_mut(&id) else {
            return false;
        };
        match frame {
            Frame::Want(want) => {
                transfer.serving.wants.push_back(want);
                transfer.serving.wants.len() <= WANTS
            }
            Frame::Progress(bytes, files) => {
                transfer.done_bytes = transfer.done_bytes.max(bytes.min(transfer.offer.bytes));
                transfer.done_files = transfer.done_files.max(files.min(transfer.offer.files));
                self.moves.push_back(Move::Changed(id));
                true
            }
            _ => false,
        }
    }

    /// Has read what was asked for, as far as the peer takes it.
    pub(super) fn serve(&mut self, id: TransferId) {
        let Some(transfer) = self.table.get_mut(&id).filter(|t| t.line.stream.is_some()) else {
            return;
        };
        let serving = &mut transfer.serving;
        while serving.proving_bytes + (transfer.line.held_bytes as u64) < HELD_BYTES
            && let Some(want) = serving.wants.pop_front()
        {
            self.tokens += 1;
            // More than the file has is refused when it is read.
            let bytes = want.groups.saturating_mul(GROUP_BYTES).min(HELD_BYTES);
            serving.proving.push_back((self.tokens, bytes));
            serving.proving_bytes += bytes;
            self.moves
                .push_back(Move::Disk(Order::Prove(id, self.tokens, want)));
        }
    }
}
