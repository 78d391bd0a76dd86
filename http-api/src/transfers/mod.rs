//! Files from hand to hand, as a state machine without disk, clock and socket: told facts, polled for moves. The
//! surface carries moves out with the engine, the host does what is ordered of the disk
//! ([`Order`], answered by [`FileNews`]).
//!
//! `receiving` and `sending` are the two sides, `notice` what they tell each other by requests, `frame` what goes over
//! the stream that the receiver opens. A receipt is the receiver's word that its disk has everything; only that makes a
//! transfer done at its sender.

mod frame;
mod notice;
mod receiving;
mod restore;
mod sending;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use p2p_core::api::StreamId;
use p2p_core::id::NodeId;
use p2p_core::rng::Rng;
use p2p_core::time::Instant;
use p2p_storage::transfers::{FileNews, Order, Reason, TransferId};

use self::frame::FrameReader;
use self::notice::Notice;
use self::transfer::Retry;
pub(crate) use self::transfer::{Direction, Stage, Transfer};

/// Service of requests about transfers.
pub(crate) const NOTICES: &str = "p2p.files";
/// Service of streams with content.
pub(crate) const CONTENT: &str = "p2p.blobs";
/// Most transfers that are not over.
const RUNNING: usize = 32;
/// Most of one peer.
const RUNNING_PER_PEER: usize = 8;
/// Transfers that are over and still shown.
const ENDED: usize = 100;
/// Most streams of one peer that have not said which transfer they are for.
const UNCLAIMED_PER_PEER: usize = 8;

/// What the peer's request is answered with.
pub(crate) mod status {
    use p2p_core::api::answer_status;

    /// It is noted.
    pub(crate) const NOTED: u16 = answer_status::SUCCESS;
    /// Offers of this peer are not taken.
    pub(crate) const REFUSED: u16 = answer_status::REFUSED;
    /// Too many at once; later.
    pub(crate) const BUSY: u16 = answer_status::BUSY;
    /// The transfer is not known.
    pub(crate) const UNKNOWN: u16 = 16;
    /// It cannot be read.
    pub(crate) const MALFORMED: u16 = 17;
}

/// Something to do.
#[derive(Debug)]
pub(crate) enum Move {
    /// Give it to the disk.
    Disk(Order),
    /// Send a request; its end is told with `on_answer`.
    Ask(TransferId, NodeId, Bytes),
    /// Open a stream; tell with `on_opened`.
    Open(TransferId, NodeId),
    /// Send on a stream; tell with `on_held` what waits.
    Write(NodeId, StreamId, Bytes),
    /// Give up both halves of a stream.
    Abandon(NodeId, StreamId),
    /// Connect to a peer.
    Connect(NodeId),
    /// Something of a transfer changed.
    Changed(TransferId),
}

/// Whose offer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Welcome {
    /// The owner chose the peer, or waits for anybody.
    Welcome,
    /// A stranger.
    Stranger,
}

/// Why an order of the owner is not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such transfer.
    Unknown,
    /// It does not stand where that makes sense.
    Stage,
    /// Too many run.
    Full,
}

/// All transfers of a node.
pub(crate) struct Transfers {
    table: BTreeMap<TransferId, Transfer>,
    moves: VecDeque<Move>,
    connected: BTreeSet<NodeId>,
    /// When to try to connect again.
    calls: BTreeMap<NodeId, Retry>,
    /// Streams of peers that have not said which transfer they are for.
    unclaimed: BTreeMap<(NodeId, u64), FrameReader>,
    /// Which transfer a stream belongs to.
    lines: BTreeMap<(NodeId, u64), TransferId>,
    tokens: u64,
    rng: Rng,
}

impl Transfers {
    /// None yet.
    pub(crate) fn new(rng: Rng) -> Self {
        Self {
            table: BTreeMap::new(),
            moves: VecDeque::new(),
            connected: BTreeSet::new(),
            calls: BTreeMap::new(),
            unclaimed: BTreeMap::new(),
            lines: BTreeMap::new(),
            tokens: 0,
            rng,
        }
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Move> {
        self.moves.pop_front()
    }

    /// One transfer.
    pub(crate) fn get(&self, id: TransferId) -> Option<&Transfer> {
        self.table.get(&id)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TransferId, &Transfer)> {
        self.table.iter().map(|(id, transfer)| (*id, transfer))
    }

    /// Whether the peer of a transfer is connected.
    pub(crate) fn is_connected(&self, peer: &NodeId) -> bool {
        self.connected.contains(peer)
    }

    fn has_room(&self, peer: NodeId) -> bool {
        let running = || self.table.values().filter(|t| !t.stage.is_over());
        running().count() < RUNNING
            && running().filter(|t| t.peer == peer).count() < RUNNING_PER_PEER
    }

    fn new_id(&mut self) -> TransferId {
        loop {
            let id = TransferId(self.rng.next_u64());
            if !self.table.contains_key(&id) {
                return id;
            }
        }
    }

    fn insert(&mut self, id: TransferId, transfer: Transfer) {
        self.table.insert(id, transfer);
        let over = self.table.iter().filter(|(_, t)| t.stage.is_over());
        let mut over: Vec<_> = over.map(|(id, t)| (t.ended_at, *id)).collect();
        over.sort_unstable();
        let surplus = over.len().saturating_sub(ENDED);
        for (_, id) in over.into_iter().take(surplus) {
            self.table.remove(&id);
            self.moves.push_back(Move::Disk(Order::Discard(id)));
        }
        self.moves.push_back(Move::Changed(id));
    }

    /// A transfer of a peer, by the sender's number.
    fn find(&self, peer: NodeId, number: u64, direction: Direction) -> Option<TransferId> {
        let fits = |t: &Transfer| t.peer == peer && t.number == number && t.direction == direction;
        self.table.iter().find(|(_, t)| fits(t)).map(|(id, _)| *id)
    }

    /// It is over; its stream goes, and the disk forgets it.
    fn end(&mut self, now: Instant, id: TransferId, stage: Stage) {
        self.drop_line(id);
        let Some(transfer) = self.table.get_mut(&id).filter(|t| !t.stage.is_over()) else {
            return;
        };
        transfer.stage = stage;
        transfer.ended_at = Some(now);
        transfer.fetching = transfer::Fetching::default();
        transfer.serving = transfer::Serving::default();
        // What came in may be asked for once more, by a sender that has begun anew.
        let order = match transfer.direction {
            Direction::Out => Order::Discard(id),
            Direction::In => Order::Settle(id, stage.kept()),
        };
        self.moves.push_back(Move::Disk(order));
        self.moves.push_back(Move::Changed(id));
    }

    fn drop_line(&mut self, id: TransferId) {
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        let line = core::mem::take(&mut transfer.line);
        transfer.fetching.on_line_lost();
        transfer.serving = transfer::Serving::default();
        if let Some(stream) = line.stream {
            let peer = transfer.peer;
            self.lines.remove(&(peer, stream.0));
            self.moves.push_back(Move::Abandon(peer, stream));
        }
    }

    /// The owner gives a transfer up, or does not want what is offered.
    pub(crate) fn cancel(&mut self, now: Instant, id: TransferId) -> Result<(), Refusal> {
        let transfer = self.table.get_mut(&id).ok_or(Refusal::Unknown)?;
        if transfer.stage.is_over() {
            return Err(Refusal::Stage);
        }
        let is_offered = matches!(transfer.stage, Stage::Offered | Stage::Listing);
        let (stage, notice) = match transfer.direction {
            Direction::In if is_offered => (Stage::Declined, Notice::Declined),
            _ => (Stage::Cancelled, Notice::Ended(None)),
        };
        if transfer.was_offered() {
            transfer.tell(notice);
        }
        self.end(now, id, stage);
        self.drive(now, id);
        Ok(())
    }

    /// The owner wants nothing of a peer any more: its transfers end, and nothing of them is told.
    pub(crate) fn end_of_peer(&mut self, now: Instant, peer: NodeId) {
        for id in self.of_peer(peer) {
            if let Some(transfer) = self.table.get_mut(&id) {
                transfer.notice = None;
            }
            self.end(now, id, Stage::Cancelled);
        }
        self.calls.remove(&peer);
    }

    /// The disk did something.
    pub(crate) fn on_news(&mut self, now: Instant, news: FileNews) {
        let id = news.id();
        let Some(transfer) = self.table.get_mut(&id).filter(|t| !t.stage.is_over()) else {
            return;
        };
        match (transfer.direction, news) {
            (_, FileNews::Failed(_, reason)) => self.fail(now, id, reason),
            (Direction::Out, news) => self.on_sending_news(now, id, news),
            (Direction::In, news) => self.on_receiving_news(now, id, news),
        }
        self.drive(now, id);
    }

    fn fail(&mut self, now: Instant, id: TransferId, reason: Reason) {
        if let Some(transfer) = self.table.get_mut(&id)
            && transfer.was_offered()
        {
            transfer.tell(Notice::Ended(Some(reason)));
        }
        self.end(now, id, Stage::Failed(reason));
    }

    /// A peer is connected.
    pub(crate) fn on_connected(&mut self, now: Instant, peer: NodeId) {
        self.connected.insert(peer);
        self.calls.remove(&peer);
        for id in self.of_peer(peer) {
            if let Some(transfer) = self.table.get_mut(&id) {
                transfer.ask = Retry::now();
                transfer.open = Retry::now();
                // The receiver may have forgotten it.
                let is_out = transfer.direction == Direction::Out;
                if is_out && transfer.is_served() && transfer.notice.is_none() {
                    transfer.notice = Some(Notice::Offer(transfer.offer.clone()));
                }
            }
            self.moves.push_back(Move::Changed(id));
            self.drive(now, id);
        }
    }

    /// A peer is gone, and its streams and requests with it.
    pub(crate) fn on_disconnected(&mut self, now: Instant, peer: NodeId) {
        self.connected.remove(&peer);
        self.unclaimed.retain(|(of, _), _| *of != peer);
        for id in self.of_peer(peer) {
            self.drop_line(id);
            if let Some(transfer) = self.table.get_mut(&id) {
                transfer.asked = None;
            }
            self.moves.push_back(Move::Changed(id));
            self.drive(now, id);
        }
    }

    fn of_peer(&self, peer: NodeId) -> Vec<TransferId> {
        let is_open = |t: &Transfer| !t.stage.is_over() || t.notice.is_some();
        let of_peer = self
            .table
            .iter()
            .filter(|(_, t)| t.peer == peer && is_open(t));
        of_peer.map(|(id, _)| *id).collect()
    }

    /// A request of a peer; what to answer.
    pub(crate) fn on_request(
        &mut self,
        now: Instant,
        peer: NodeId,
        body: Bytes,
        welcome: Welcome,
    ) -> u16 {
        let Some((number, notice)) = Notice::decode(body) else {
            return status::MALFORMED;
        };
        let from: &[Direction] = match notice {
            Notice::Offer(offer) => return self.on_offer(now, (peer, number), offer, welcome),
            // Either side may end it.
            Notice::Ended(_) => &[Direction::Out, Direction::In],
            _ => &[Direction::Out],
        };
        let mut ids = from
            .iter()
            .filter_map(|from| self.find(peer, number, *from));
        let Some(id) = ids.next() else {
            return status::UNKNOWN;
        };
        if self.table.get(&id).is_some_and(|t| t.stage.is_over()) {
            return status::NOTED;
        }
        match notice {
            Notice::Ended(None) => self.end(now, id, Stage::Cancelled),
            Notice::Ended(Some(reason)) => self.end(now, id, Stage::Failed(reason)),
            notice => self.on_word(now, id, notice),
        }
        status::NOTED
    }

    /// The end of a request of ours: the answer's status, or none.
    pub(crate) fn on_answer(&mut self, now: Instant, id: TransferId, answer: Option<u16>) {
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        let asked = transfer.asked.take();
        let is_offer = matches!(asked, Some(Notice::Offer(_)));
        match answer {
            Some(status::NOTED) if transfer.notice == asked => transfer.notice = None,
            // Something newer is to be told.
            Some(status::NOTED) => transfer.ask = Retry::now(),
            // It is tried again.
            None | Some(status::BUSY) => {}
            Some(_) => {
                transfer.notice = None;
                let stage = if is_offer {
                    Stage::Refused
                } else {
                    Stage::Failed(Reason::Forgotten)
                };
                self.end(now, id, stage);
            }
        }
        self.drive(now, id);
    }

    /// A stream to the peer is open, or cannot be.
    pub(crate) fn on_opened(&mut self, now: Instant, id: TransferId, stream: Option<StreamId>) {
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        let Some(stream) = stream else {
            return;
        };
        let peer = transfer.peer;
        transfer.line.stream = Some(stream);
        self.lines.insert((peer, stream.0), id);
        let begin = frame::Frame::Transfer(transfer.number).encode();
        self.moves.push_back(Move::Write(peer, stream, begin));
        self.drive(now, id);
    }

    /// A peer opened a stream for content; whether it may: it is offered something, and does not open too many.
    pub(crate) fn on_stream(&mut self, peer: NodeId, stream: StreamId) -> bool {
        let is_for_it =
            |t: &Transfer| t.peer == peer && t.direction == Direction::Out && t.is_served();
        if !self.table.values().any(is_for_it) {
            return false;
        }
        let of_peer = self.unclaimed.range((peer, 0)..=(peer, u64::MAX)).count();
        if of_peer >= UNCLAIMED_PER_PEER {
            return false;
        }
        self.unclaimed
            .insert((peer, stream.0), FrameReader::default());
        true
    }

    /// Whether a stream is one of these.
    pub(crate) fn has_stream(&self, peer: NodeId, stream: StreamId) -> bool {
        let key = (peer, stream.0);
        self.lines.contains_key(&key) || self.unclaimed.contains_key(&key)
    }

    /// Bytes came on a stream.
    pub(crate) fn on_bytes(
        &mut self,
        now: Instant,
        (peer, stream): (NodeId, StreamId),
        bytes: &[u8],
    ) {
        let key = (peer, stream.0);
        if let Some(mut reader) = self.unclaimed.remove(&key) {
            reader.push(bytes);
            return self.claim(now, key, reader);
        }
        let Some(id) = self.lines.get(&key).copied() else {
            return;
        };
        if let Some(transfer) = self.table.get_mut(&id) {
            transfer.line.reader.push(bytes);
        }
        self.read_line(now, id);
    }

    fn read_line(&mut self, now: Instant, id: TransferId) {
        loop {
            let Some(transfer) = self.table.get_mut(&id).filter(|t| t.line.stream.is_some()) else {
                return;
            };
            let direction = transfer.direction;
            let fits = match transfer.line.reader.next() {
                Ok(None) => break,
                Ok(Some(frame)) => match direction {
                    Direction::Out => self.on_asked(id, frame),
                    Direction::In => self.on_content(now, id, frame),
                },
                Err(_) => false,
            };
            if !fits {
                log::warn!("a peer broke the rules of a transfer");
                self.fail(now, id, Reason::Protocol);
            }
        }
        self.drive(now, id);
    }

    /// A stream has ended or was given up by the peer.
    pub(crate) fn on_stream_end(&mut self, now: Instant, peer: NodeId, stream: StreamId) {
        let key = (peer, stream.0);
        self.unclaimed.remove(&key);
        if let Some(id) = self.lines.get(&key).copied() {
            if let Some(transfer) = self.table.get_mut(&id) {
                transfer.open.tried(now);
            }
            self.drop_line(id);
            self.drive(now, id);
        }
    }

    /// So many bytes wait on a stream.
    pub(crate) fn on_held(&mut self, now: Instant, peer: NodeId, stream: StreamId, bytes: usize) {
        let Some(id) = self.lines.get(&(peer, stream.0)).copied() else {
            return;
        };
        if let Some(transfer) = self.table.get_mut(&id)
            && core::mem::replace(&mut transfer.line.held_bytes, bytes) > bytes
        {
            self.drive(now, id);
        }
    }

    /// Moves a transfer as far as it goes.
    fn drive(&mut self, now: Instant, id: TransferId) {
        let Some(transfer) = self.table.get_mut(&id) else {
            return;
        };
        let peer = transfer.peer;
        if self.connected.contains(&peer) {
            if let Some(notice) = &transfer.notice
                && transfer.asked.is_none()
                && transfer.ask.due <= now
            {
                let body = notice.encode(transfer.number);
                transfer.asked = Some(notice.clone());
                transfer.ask.tried(now);
                self.moves.push_back(Move::Ask(id, peer, body));
            }
        } else if transfer.calls_peer() {
            let call = self.calls.entry(peer).or_insert_with(Retry::now);
            if call.due <= now {
                call.tried(now);
                self.moves.push_back(Move::Connect(peer));
            }
        }
        match self.table.get(&id).map(|t| t.direction) {
            Some(Direction::Out) => self.serve(id),
            Some(Direction::In) => self.fetch(now, id),
            None => {}
        }
    }

    /// Does what is due.
    pub(crate) fn on_time(&mut self, now: Instant) {
        for id in self.table.keys().copied().collect::<Vec<_>>() {
            self.drive(now, id);
        }
        let table = &self.table;
        let calls = |peer: &NodeId| table.values().any(|t| t.peer == *peer && t.calls_peer());
        self.calls.retain(|peer, _| calls(peer));
    }

    /// When something is due.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let due = |transfer: &Transfer| {
            let asks = transfer.notice.is_some() && transfer.asked.is_none();
            let is_there = self.connected.contains(&transfer.peer);
            let ask = (is_there && asks).then_some(transfer.ask.due);
            let open = (is_there && transfer.wants_line()).then_some(transfer.open.due);
            [ask, open, transfer.fetching.commit_at]
                .into_iter()
                .flatten()
                .min()
        };
        let transfers = self.table.values().filter_map(due);
        let calls = self.calls.values().map(|call| call.due);
        transfers.chain(calls).min()
    }
}
