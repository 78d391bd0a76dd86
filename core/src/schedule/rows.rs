//! The order of sources as data (protocol §8.6): rows from the most urgent down, weights within a row, and how long a
//! row waits at most.

use super::sent::Content;
use super::source::Wrote;
use super::turns::Turns;
use crate::time::Instant;
use crate::wire::Writer;

/// Names a source of a level.
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
}

/// Sources in one row at most.
const WIDTH: usize = 2;

/// One row: its sources with their weights.
struct Row {
    sources: &'static [Name],
    weights: [u16; WIDTH],
}

/// The most urgent first.
const ROWS: [Row; 3] = [
    Row {
        sources: &[Name::Latest, Name::Datagrams],
        weights: [1, 1],
    },
    Row {
        sources: &[Name::Replies, Name::Requests],
        weights: [1, 1],
    },
    Row {
        sources: &[Name::Messages, Name::Streams],
        weights: [1, 1],
    },
];

/// A row that found no room in so many packets goes first in the next: an eighth of the packets is its at least.
const PATIENCE: u32 = 7;

/// The sources, by name.
pub(crate) trait Pool {
    /// [`super::Source::waits`].
    fn waits(&self, name: Name) -> bool;

    /// [`super::Source::poll`].
    fn poll(
        &mut self,
        name: Name,
        w: &mut Writer<'_>,
        now: Instant,
        content: &mut Content,
    ) -> Option<Wrote>;
}

/// Decides which sources fill the next packet.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Schedule {
    turns: [Turns<WIDTH>; ROWS.len()],
    /// Packets in which a row had something to say and no room.
    passed_over: [u32; ROWS.len()],
}

impl Schedule {
    /// Fills the rest of a packet; whether anything of the application went in.
    pub(crate) fn fill(
        &mut self,
        pool: &mut impl Pool,
        w: &mut Writer<'_>,
        now: Instant,
        content: &mut Content,
    ) -> bool {
        let first = self.overdue();
        let mut is_data = false;
        let others = (0..ROWS.len()).filter(|row| Some(*row) != first);
        for at in first.into_iter().chain(others) {
            let (Some(row), Some(turns)) = (ROWS.get(at), self.turns.get_mut(at)) else {
                continue;
            };
            let before = w.len();
            is_data |= fill_row(row, turns, pool, w, now, content);
            let starved = w.len() == before && row.sources.iter().any(|name| pool.waits(*name));
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
        let waited = self.passed_over.iter().copied().enumerate();
        let longest = waited.rev().max_by_key(|(_, packets)| *packets)?;
        (longest.1 >= PATIENCE).then_some(longest.0)
    }
}

fn fill_row(
    row: &Row,
    turns: &mut Turns<WIDTH>,
    pool: &mut impl Pool,
    w: &mut Writer<'_>,
    now: Instant,
    content: &mut Content,
) -> bool {
    let mut is_data = false;
    // A source whose next frame does not fit is asked again in the next packet.
    let mut fits = [true; WIDTH];
    loop {
        let mut waiting = [false; WIDTH];
        for (waits, name) in waiting.iter_mut().zip(row.sources) {
            *waits = pool.waits(*name);
        }
        let Some(at) = turns.next(waiting, fits, row.weights) else {
            return is_data;
        };
        let Some(name) = row.sources.get(at) else {
            return is_data;
        };
        let before = w.len();
        match pool.poll(*name, w, now, content) {
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

    /// Sources with frames of one size each and a fixed number of them.
    struct Fake {
        frame_bytes: [usize; 6],
        left: [u32; 6],
        written: [usize; 6],
    }

    impl Fake {
        fn new(frame_bytes: [usize; 6], left: [u32; 6]) -> Self {
            Self {
                frame_bytes,
                left,
                written: [0; 6],
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
            _now: Instant,
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
            schedule.fill(pool, &mut w, Instant::EPOCH, &mut content);
        }
    }

    const MANY: u32 = u32::MAX;

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
        for (at, written) in pool.written.iter().enumerate() {
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
}
