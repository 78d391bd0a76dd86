//! One transfer: where it stands, and what is still to be told.

use core::time::Duration;
use std::collections::VecDeque;
use std::path::PathBuf;

use p2p_core::api::StreamId;
use p2p_core::id::NodeId;
use p2p_core::time::Instant;
use p2p_storage::transfers::{Conflict, Offer, Placed, Reason, Want};

use super::frame::FrameReader;
use super::notice::Notice;

/// Pause before something is told or opened again; doubled each time up to the longest.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// The longest such pause.
pub(super) const RETRY_MAX: Duration = Duration::from_secs(30);

/// Which way the files go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the peer.
    Out,
    /// From the peer.
    In,
}

impl Direction {
    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its files are found and hashed.
    Hashing,
    /// Its list is coming.
    Listing,
    /// The receiver's owner has not decided.
    Offered,
    /// The receiver's owner has decided, and its disk is looked at.
    Preparing,
    /// The files flow.
    Running,
    /// All of it is in its place: the receiver's disk has it.
    Done,
    /// Some files were left out.
    Partly,
    /// The receiver's owner does not want it.
    Declined,
    /// The peer takes no offers of this node.
    Refused,
    /// One of the owners gave it up.
    Cancelled,
    /// It cannot go on.
    Failed(Reason),
}

impl Stage {
    /// Its word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Hashing => "hashing",
            Self::Listing => "listing",
            Self::Offered => "offered",
            Self::Preparing => "preparing",
            Self::Running => "running",
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Declined => "declined",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Failed(_) => "failed",
        }
    }

    /// What is kept of an end.
    pub(super) fn kept(self) -> String {
        match self {
            Self::Failed(reason) => format!("failed:{}", reason.word()),
            stage => stage.word().to_owned(),
        }
    }

    /// The end that was kept.
    pub(super) fn from_kept(text: &str) -> Self {
        let ends = [Self::Done, Self::Partly, Self::Declined, Self::Cancelled];
        let ends = ends.into_iter().chain(Reason::ALL.map(Self::Failed));
        let mut fits = ends.filter(|end| end.kept() == text);
        // A later version may know more.
        fits.next().unwrap_or(Self::Failed(Reason::Protocol))
    }

    /// Whether nothing more comes of it.
    pub(crate) const fn is_over(self) -> bool {
        !matches!(
            self,
            Self::Hashing | Self::Listing | Self::Offered | Self::Preparing | Self::Running
        )
    }
}

/// Something that is tried again until it succeeds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    /// When.
    pub due: Instant,
    pause: Duration,
}

impl Retry {
    /// Tried at once.
    pub(super) const fn now() -> Self {
        Self {
            due: Instant::EPOCH,
            pause: RETRY,
        }
    }

    /// It was tried.
    pub(super) fn tried(&mut self, now: Instant) {
        self.due = now + self.pause;
        self.pause = (self.pause * 2).min(RETRY_MAX);
    }
}

/// The stream of a transfer.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The stream, where there is one.
    pub stream: Option<StreamId>,
    /// What comes on it.
    pub reader: FrameReader,
    /// Bytes that wait for the peer.
    pub held_bytes: usize,
}

/// What is asked for and comes.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    /// To be asked for.
    pub queue: VecDeque<Want>,
    /// Asked for, and what has come of it.
    pub open: VecDeque<(Want, Vec<u8>)>,
    /// Bytes asked for that did not come whole.
    pub open_bytes: u64,
    /// Bytes handed to the disk and not kept yet.
    pub storing_bytes: u64,
    /// The disk was asked what to ask for.
    pub awaits_wants: bool,
    /// It has said all.
    pub is_all_told: bool,
    /// When what came is to be put on the disk for good.
    pub commit_at: Option<Instant>,
}

impl Fetching {
    /// The stream is gone: what did not come whole is asked for again.
    pub(super) fn on_line_lost(&mut self) {
        while let Some((want, _)) = self.open.pop_back() {
            self.queue.push_front(want);
        }
        self.open_bytes = 0;
    }
}

/// What the peer asks for.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// Not read yet.
    pub wants: VecDeque<Want>,
    /// Being read, in order: the token, and how many bytes at most.
    pub proving: VecDeque<(u64, u64)>,
    /// Their bytes together.
    pub proving_bytes: u64,
}

/// One transfer.
#[derive(Debug)]
pub(crate) struct Transfer {
    pub peer: NodeId,
    pub direction: Direction,
    /// The sender's number.
    pub number: u64,
    pub stage: Stage,
    pub offer: Offer,
    /// Some names in it.
    pub names: Vec<String>,
    /// Where it goes, at the receiver.
    pub destination: Option<PathBuf>,
    pub conflict: Conflict,
    /// What the receiver's disk has for good.
    pub done_bytes: u64,
    pub done_files: u64,
    /// Hashed so far.
    pub hashed: (u64, u64),
    /// Links and devices that are not sent.
    pub left_out: u64,
    /// The receipt.
    pub placed: Placed,
    pub since: Instant,
    pub ended_at: Option<Instant>,
    /// To be told to the peer.
    pub(super) notice: Option<Notice>,
    /// What is on its way; something newer may have taken its place.
    pub(super) asked: Option<Notice>,
    pub(super) ask: Retry,
    pub(super) line: Line,
    pub(super) open: Retry,
    pub(super) fetching: Fetching,
    pub(super) serving: Serving,
}

impl Transfer {
    /// A transfer that begins.
    pub(super) fn new(now: Instant, peer: NodeId, direction: Direction, number: u64) -> Self {
        Self {
            peer,
            direction,
            number,
            stage: match direction {
                Direction::Out => Stage::Hashing,
                Direction::In => Stage::Listing,
            },
            offer: Offer::default(),
            names: Vec::new(),
            destination: None,
            conflict: Conflict::default(),
            done_bytes: 0,
            done_files: 0,
            hashed: (0, 0),
            left_out: 0,
            placed: Placed::default(),
            since: now,
            ended_at: None,
            notice: None,
            asked: None,
            ask: Retry::now(),
            line: Line::default(),
            open: Retry::now(),
            fetching: Fetching::default(),
            serving: Serving::default(),
        }
    }

    /// Whether the peer has still something to do with it.
    pub(super) fn calls_peer(&self) -> bool {
        self.direction == Direction::Out && (self.notice.is_some() || self.is_served())
    }

    /// Whether it stands where the receiver may ask for content.
    pub(super) const fn is_served(&self) -> bool {
        matches!(self.stage, Stage::Offered | Stage::Running)
    }

    /// Whether the other side may know of it: what is hashed anew after a restart was offered before.
    pub(super) fn was_offered(&self) -> bool {
        self.offer.root != [0; 32]
    }

    /// What the receiver says of it to a sender that knows nothing.
    pub(super) fn last_word(&self) -> Option<Notice> {
        match self.stage {
            Stage::Running => Some(Notice::Accepted),
            Stage::Done | Stage::Partly => Some(Notice::Done(self.placed.clone())),
            Stage::Declined => Some(Notice::Declined),
            Stage::Cancelled => Some(Notice::Ended(None)),
            Stage::Failed(reason) => Some(Notice::Ended(Some(reason))),
            _ => None,
        }
    }

    /// Something new is to be told.
    pub(super) fn tell(&mut self, notice: Notice) {
        self.notice = Some(notice);
        self.ask = Retry::now();
    }
}
