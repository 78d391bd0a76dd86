//! The order of sources as data (protocol §8.6): rows from the most urgent down, weights within a row, and how long a
//! row waits at most.

use super::sent::Content;
use super::source::Wrote;
use super::turns::Turns;
use crate::api::SendWeights;
use crate::level::window::Pace;
use crate::wire::Writer;

/// Names a source of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Level 0.
    Datagrams,
    /// Level "latest".
    Latest,
    /// Answers of level 1.
    Replies,
    /// Questions of level 1.
    Requests,
    /// Level 2.
    Messages,
    /// Level 3.
    Streams,
    /// Which packets came.
    Acks,
    /// Measurements of the round trip.
    Pings,
    /// Control messages without an answer of their own.
    Controls,
    /// Credit and ends of level 3, which let the peer go on.
    StreamControl,
    /// Credit and ends of level 2.
    MessageControl,
    /// A PING where an acknowledgement is wanted and nothing asks for one.
    Probe,
}

/// Sources in one row at most.
const WIDTH: usize = 2;

/// When a row has its turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Before all others, and in packets that elicit no acknowledgement too.
    Always,
    /// Before the rows of data: few and small by construction.
    First,
    /// In its order, or first where it waited too long.
    Fair,
    /// With what the others leave.
    Last,
}

/// One row.
struct Row {
    turn: Turn,
    sources: &'static [Name],
}

impl Row {
    const fn of(turn: Turn, sources: &'static [Name]) -> Self {
        Self { turn, sources }
    }
}

/// The most urgent first.
const ROWS: [Row; 9] = [
    Row::of(Turn::Always, &[Name::Acks]),
    Row::of(Turn::First, &[Name::Pings]),
    Row::of(Turn::First, &[Name::Controls]),
    Row::of(Turn::First, &[Name::StreamControl]),
    Row::of(Turn::First, &[Name::MessageControl]),
    Row::of(Turn::Fair, &[Name::Latest, Name::Datagrams]),
    Row::of(Turn::Fair, &[Name::Replies, Name::Requests]),
    Row::of(Turn::Fair, &[Name::Messages, Name::Streams]),
    Row::of(Turn::Last, &[Name::Probe]),
];

/// A row that found no room in so many packets goes first in the next: an eighth of the packets is its at least.
const PATIENCE: u32 = 7;

/// The share of a source in its row.
const fn weight(weights: &SendWeights, name: Name) -> u16 {
    match name {
        Name::Datagrams => weights.datagrams,
        Name::Latest => weights.latest,
        Name::Replies => weights.replies,
        Name::Requests => weights.requests,
        Name::Messages => weights.messages,
        Name::Streams => weights.streams,
        // Alone in their rows.
        Name::Acks
        | Name::Pings
        | Name::Controls
        | Name::StreamControl
        | Name::MessageControl
        | Name::Probe => 1,
    }
}

/// The sources, by name.
pub(crate) trait Pool {
    /// [`super::Source::waits`].
    fn waits(&self, name: Name) -> bool;

    /// [`super::Source::poll`].
    fn poll(
        &mut self,
        name: Name,
        w: &mut Writer<'_>,
        pace: Pace,
        content: &mut Content,
    ) -> Option<Wrote>;
}

/// Decides which sources fill the next packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Schedule {
    weights: SendWeights,
    turns: [Turns<WIDTH>; ROWS.len()],
    /// Packets in which a row had something to say and no room.
    passed_over: [u32; ROWS.len()],
}

impl Schedule {
    /// A schedule in which sources of one row have these shares.
    pub(crate) fn new(weights: SendWeights) -> Self {
        Self {
            weights,
            ..Self::default()
        }
    }

    /// Whether anything waits that elicits an acknowledgement.
    pub(crate) fn has_eliciting(pool: &impl Pool) -> bool {
        let eliciting = ROWS.iter().filter(|row| row.turn != Turn::Always);
        let mut names = eliciting.flat_map(|row| row.sources);
        names.any(|name| pool.waits(*name))
    }

    /// Fills a packet, one that `elicits` an acknowledgement or one that must not; whether anything of the application
    /// went in.
    pub(crate) fn fill(
        &mut self,
        pool: &mut impl Pool,
        elicits: bool,
        w: &mut Writer<'_>,
        pace: Pace,
        content: &mut Content,
    ) -> bool {
        let overdue = self.overdue();
        let mut is_data = false;
        let ahead = |row: &Row| matches!(row.turn, Turn::Always | Turn::First);
        let before = (0..ROWS.len()).filter(|at| ROWS.get(*at).is_some_and(ahead));
        let others = (0..ROWS.len()).filter(|at| !ROWS.get(*at).is_some_and(ahead));
        let others = others.filter(|at| Some(*at) != overdue);
        for at in before.chain(overdue).chain(others) {
            let (Some(row), Some(turns)) = (ROWS.get(at), self.turns.get_mut(at)) else {
                continue;
            };
            if !elicits && row.turn != Turn::Always {
                continue;
            }
            let len_before = w.len();
            is_data |= fill_row(row, &self.weights, turns, pool, w, pace, content);
            let starved = w.len() == len_before && row.sources.iter().any(|name| pool.waits(*name));
            if let Some(passed_over) = self.passed_over.get_mut(at) {
                *passed_over = if starved {
                    passed_over.saturating_add(1)
                } else {
                    0
                };
            }
        }
        is_data
    }

    /// The row that has waited too long; of several the one that waited longest, then the most urgent.
    fn overdue(&self) -> Option<usize> {
        let waited = self.passed_over.iter().copied().zip(&ROWS).enumerate();
        let fair = waited.filter(|(_, (_, row))| row.turn == Turn::Fair);
        let longest = fair.rev().max_by_key(|(_, (packets, _))| *packets)?;
        (longest.1.0 >= PATIENCE).then_some(longest.0)
    }
}

fn fill_row(
    row: &Row,
    weights: &SendWeights,
    turns: &mut Turns<WIDTH>,
    pool: &mut impl Pool,
    w: &mut Writer<'_>,
    pace: Pace,
    content: &mut Content,
) -> bool {
    let mut is_data = false;
    // A source whose next frame does not fit is asked again in the next packet.
    let mut fits = [true; WIDTH];
    let mut shares = [1; WIDTH];
    for (share, name) in shares.iter_mut().zip(row.sources) {
        *share = weight(weights, *name);
    }
    loop {
        let mut waiting = [false; WIDTH];
        for (waits, name) in waiting.iter_mut().zip(row.sources) {
            *waits = pool.waits(*name);
        }
        let Some(at) = turns.next(waiting, fits, shares) else {
            return is_data;
        };
        let Some(name) = row.sources.get(at) else {
            return is_data;
        };
        let before = w.len();
        match pool.poll(*name, w, pace, content) {
            Some(wrote) => {
                is_data |= wrote == Wrote::Application;
                turns.charge(at, w.len() - before);
            }
            None => {
                if let Some(fits) = fits.get_mut(at) {
                    *fits = false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Duration, Instant};

    /// Sources with frames of one size each and a fixed number of them.
    struct Fake {
        frame_bytes: [usize; 12],
        left: [u32; 12],
        written: [usize; 12],
    }

    impl Fake {
        fn new(frame_bytes: [usize; 6], left: [u32; 6]) -> Self {
            let (mut all_bytes, mut all_left) = ([0; 12], [0; 12]);
            all_bytes[..6].copy_from_slice(&frame_bytes);
            all_left[..6].copy_from_slice(&left);
            Self {
                frame_bytes: all_bytes,
                left: all_left,
                written: [0; 12],
            }
        }
    }

    impl Pool for Fake {
        fn waits(&self, name: Name) -> bool {
            self.left[name as usize] > 0
        }

        fn poll(
            &mut self,
            name: Name,
            w: &mut Writer<'_>,
            _pace: Pace,
            _content: &mut Content,
        ) -> Option<Wrote> {
            let at = name as usize;
            if self.left[at] == 0 || w.remaining() < self.frame_bytes[at] {
                return None;
            }
            for _ in 0..self.frame_bytes[at] {
                w.put_u8(0).ok()?;
            }
            self.left[at] -= 1;
            self.written[at] += self.frame_bytes[at];
            Some(Wrote::Application)
        }
    }

    fn packets(schedule: &mut Schedule, pool: &mut Fake, packets: usize) {
        let (mut buffer, mut content) = ([0; 1_400], Content::new());
        for _ in 0..packets {
            let mut w = Writer::new(&mut buffer);
            schedule.fill(pool, true, &mut w, PACE, &mut content);
        }
    }

    const MANY: u32 = u32::MAX;
    const PACE: Pace = Pace {
        now: Instant::EPOCH,
        rtt: Duration::from_millis(50),
    };

    #[test]
    fn a_datagram_and_a_request_pass_what_saturates_the_line() {
        let mut schedule = Schedule::default();
        let mut pool = Fake::new([200, 100, 100, 300, 1_400, 1_400], [0, 0, 0, 0, MANY, MANY]);
        packets(&mut schedule, &mut pool, 100);
        pool.left[Name::Datagrams as usize] = 1;
        pool.left[Name::Requests as usize] = 1;
        packets(&mut schedule, &mut pool, 1);
        assert_eq!(pool.left[Name::Datagrams as usize], 0);
        assert_eq!(pool.left[Name::Requests as usize], 0);
    }

    #[test]
    fn messages_and_streams_share_evenly_though_their_frames_differ() {
        let mut schedule = Schedule::default();
        let mut pool = Fake::new([0, 0, 0, 0, 90, 1_400], [0, 0, 0, 0, MANY, MANY]);
        packets(&mut schedule, &mut pool, 4_000);
        let (messages, streams) = (pool.written[4] as f64, pool.written[5] as f64);
        assert!(
            (messages / streams - 1.0).abs() < 0.1,
            "{messages} {streams}"
        );
    }

    /// Protocol §8.6.
    #[test]
    fn no_row_starves_under_floods_of_those_above() {
        let mut schedule = Schedule::default();
        let mut pool = Fake::new([1_000, 1_000, 700, 700, 1_400, 1_400], [MANY; 6]);
        packets(&mut schedule, &mut pool, 4_000);
        let total: usize = pool.written.iter().sum();
        for (at, written) in pool.written[..6].iter().enumerate() {
            assert!(
                *written > total / 25,
                "source {at}: {written} of {total}: {:?}",
                pool.written
            );
        }
        assert!(
            pool.written[0] + pool.written[1] > total / 2,
            "the urgent come first"
        );
    }

    #[test]
    fn a_frame_that_fits_no_rest_gets_a_packet_of_its_own() {
        let mut schedule = Schedule::default();
        // What datagrams leave free is never enough for a request.
        let mut pool = Fake::new([600, 0, 0, 1_300, 0, 0], [MANY, 0, 0, 1, 0, 0]);
        packets(&mut schedule, &mut pool, PATIENCE as usize);
        assert_eq!(pool.left[Name::Requests as usize], 1);
        packets(&mut schedule, &mut pool, 1);
        assert_eq!(pool.left[Name::Requests as usize], 0);
    }

    /// Protocol §8.6.
    #[test]
    fn weights_share_a_row_and_change_no_other() {
        let weights = SendWeights {
            streams: 3,
            ..SendWeights::default()
        };
        let mut schedule = Schedule::new(weights);
        let mut pool = Fake::new([0, 0, 0, 0, 1_400, 1_400], [0, 0, 0, 0, MANY, MANY]);
        packets(&mut schedule, &mut pool, 4_000);
        let (messages, streams) = (pool.written[4] as f64, pool.written[5] as f64);
        assert!(
            (streams / messages - 3.0).abs() < 0.1,
            "{messages} {streams}"
        );
    }

    #[test]
    fn a_row_that_waited_too_long_goes_before_data_and_never_before_acknowledgements() {
        let mut schedule = Schedule::default();
        let mut pool = Fake::new([1_000, 0, 0, 0, 0, 1_300], [MANY, 0, 0, 0, 0, MANY]);
        pool.frame_bytes[Name::Acks as usize] = 200;
        for _ in 0..=PATIENCE {
            pool.left[Name::Acks as usize] = 1;
            packets(&mut schedule, &mut pool, 1);
            assert_eq!(pool.left[Name::Acks as usize], 0);
        }
        assert_eq!(
            pool.written[Name::Acks as usize],
            200 * (PATIENCE as usize + 1)
        );
    }

    #[test]
    fn a_packet_that_must_elicit_nothing_takes_acknowledgements_only() {
        let mut schedule = Schedule::default();
        let mut pool = Fake::new([100; 6], [1; 6]);
        pool.frame_bytes = [100; 12];
        pool.left = [1; 12];
        let (mut buffer, mut content) = ([0; 1_400], Content::new());
        let mut w = Writer::new(&mut buffer);
        assert!(Schedule::has_eliciting(&pool));
        schedule.fill(&mut pool, false, &mut w, PACE, &mut content);
        assert_eq!(pool.written.iter().sum::<usize>(), 100);
        assert_eq!(pool.left[Name::Acks as usize], 0);
        packets(&mut schedule, &mut pool, 1);
        assert!(
            !Schedule::has_eliciting(&pool),
            "all of the others had room"
        );
    }
}
