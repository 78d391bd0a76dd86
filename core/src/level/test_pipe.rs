//! A pipe for property tests: packets are lost, duplicated and delayed (so reordered) by a seeded generator, in
//! virtual time. The sender hears of each packet's fate after the round trip, sometimes wrongly "lost" before
//! "delivered", as loss detection does.

use std::collections::BTreeMap;

use crate::rng::Rng;
use crate::time::{Duration, Instant};

/// What happens next.
pub(crate) enum Arrival<F> {
    /// A packet reaches `to` (0 or 1); say with [`Pipe::settle`] whether it is acknowledged.
    Packet {
        to: usize,
        number: u64,
        frames: Vec<F>,
    },
    /// `side` learns that its packet was acknowledged.
    Acked { side: usize, frames: Vec<F> },
    /// `side` declares its packet lost.
    Lost { side: usize, frames: Vec<F> },
}

enum Happening {
    Arrives { to: usize, number: u64 },
    AckReaches { number: u64 },
    LossTimer { number: u64 },
}

struct Flight<F> {
    side: usize,
    frames: Vec<F>,
    is_settled: bool,
}

pub(crate) struct Pipe<F> {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    pub(crate) loss_percent: u64,
    queue: BTreeMap<(Instant, u64), Happening>,
    flights: BTreeMap<u64, Flight<F>>,
    /// Packets each side has opened: the replay window of the packet level.
    opened: [std::collections::BTreeSet<u64>; 2],
    next: u64,
}

impl<F: Clone> Pipe<F> {
    pub(crate) fn new(seed: u64) -> Self {
        let rng = Rng::from_seed([0x51; 32]).fork(&seed.to_string());
        Self {
            now: Instant::EPOCH,
            rng,
            loss_percent: 20,
            queue: BTreeMap::new(),
            flights: BTreeMap::new(),
            opened: Default::default(),
            next: 0,
        }
    }

    fn later(&mut self, min_ms: u64, spread_ms: u64, happening: Happening) {
        let delay = Duration::from_millis(min_ms + self.rng.below(spread_ms));
        self.next += 1;
        self.queue.insert((self.now + delay, self.next), happening);
    }

    pub(crate) fn send(&mut self, side: usize, frames: Vec<F>) {
        self.next += 1;
        let number = self.next;
        let copies = if self.rng.below(100) < self.loss_percent {
            0
        } else {
            1 + u64::from(self.rng.below(10) == 0)
        };
        let to = 1 - side;
        for _ in 0..copies {
            self.later(5, 60, Happening::Arrives { to, number });
        }
        self.later(100, 50, Happening::LossTimer { number });
        let is_settled = false;
        self.flights.insert(
            number,
            Flight {
                side,
                frames,
                is_settled,
            },
        );
    }

    /// A number above those of all packets sent so far.
    pub(crate) fn next_number(&self) -> u64 {
        self.next + 1
    }

    /// The receiver's decision on an arrived packet.
    pub(crate) fn settle(&mut self, number: u64, acknowledges: bool) {
        if acknowledges && self.rng.below(100) >= self.loss_percent {
            self.later(5, 120, Happening::AckReaches { number });
        }
    }

    /// The next thing up to `until`; time stands at it, or at `until`.
    pub(crate) fn next_arrival(&mut self, until: Instant) -> Option<Arrival<F>> {
        while let Some(entry) = self.queue.first_entry() {
            if entry.key().0 > until {
                break;
            }
            let ((at, _), happening) = entry.remove_entry();
            self.now = self.now.max(at);
            match happening {
                Happening::Arrives { to, number } => {
                    if self.opened[to].insert(number)
                        && let Some(flight) = self.flights.get(&number)
                    {
                        let frames = flight.frames.clone();
                        return Some(Arrival::Packet { to, number, frames });
                    }
                }
                Happening::AckReaches { number } => {
                    let flight = self.flights.get_mut(&number).unwrap();
                    let (side, frames) = (flight.side, flight.frames.clone());
                    flight.is_settled = true;
                    return Some(Arrival::Acked { side, frames });
                }
                Happening::LossTimer { number } => {
                    let flight = self.flights.get(&number).unwrap();
                    if !flight.is_settled {
                        let (side, frames) = (flight.side, flight.frames.clone());
                        return Some(Arrival::Lost { side, frames });
                    }
                }
            }
        }
        self.now = self.now.max(until);
        None
    }
}
