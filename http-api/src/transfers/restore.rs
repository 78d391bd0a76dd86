//! Transfers that an earlier run of the node began.

use p2p_core::time::Instant;
use p2p_storage::transfers::{Order, Row};

use super::transfer::{Direction, Stage, Transfer};
use super::{Move, Transfers};

impl Transfers {
    /// Takes up what was kept. A sender hashes again, which shows whether its files are what they were; a receiver goes
    /// on from what it has on the disk for good.
    pub(crate) fn restore(&mut self, now: Instant, rows: Vec<Row>) {
        for row in rows {
            let id = row.id;
            let direction = if row.is_sent() {
                Direction::Out
            } else {
                Direction::In
            };
            let mut transfer = Transfer::new(now, row.peer, direction, row.number);
            transfer.offer = row.offer.clone();
            transfer.destination.clone_from(&row.destination);
            transfer.conflict = row.conflict;
            transfer.done_bytes = row.bytes;
            transfer.done_files = row.placed.files + row.placed.skipped;
            transfer.placed = row.placed.clone();
            match (direction, &row.end) {
                (Direction::Out, _) => {
                    let order = Order::Hash(id, row.peer, row.paths);
                    self.moves.push_back(Move::Disk(order));
                }
                (Direction::In, Some(end)) => {
                    transfer.stage = Stage::from_kept(end);
                    transfer.ended_at = Some(now);
                    // Whether the sender has heard it is not kept; to hear it twice does no harm.
                    transfer.notice = transfer.last_word();
                }
                (Direction::In, None) => {
                    transfer.stage = Stage::Preparing;
                    self.moves
                        .push_back(Move::Disk(Order::Resume(Box::new(row))));
                }
            }
            self.insert(id, transfer);
        }
    }
}
