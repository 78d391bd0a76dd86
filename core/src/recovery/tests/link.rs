//! A bulk transfer over one modelled link: a rate, a delay, a queue that drops its tail, random
//! loss and jitter. The receiver is [`ReceivedPackets`]; the way back has delay only. Time is
//! virtual.

use std::collections::BTreeMap;

use super::*;

/// A link and what disturbs it.
#[derive(Clone, Copy)]
struct Link {
    rate_bytes_per_s: u64,
    one_way: Duration,
    queue_bytes: u64,
    loss_per_mille: u64,
    jitter: Duration,
}

const CABLE: Link = Link {
    rate_bytes_per_s: 12_500_000,
    one_way: Duration::from_millis(25),
    queue_bytes: 625_000,
    loss_per_mille: 0,
    jitter: Duration::ZERO,
};

enum Arrival {
    Packet(u64),
    Ack {
        ranges: Vec<(u64, u64)>,
        delay: Duration,
    },
}

/// What a transfer came to.
#[derive(Debug, Default, PartialEq)]
struct Totals {
    sent: u64,
    /// Bytes that arrived, by second.
    arrived_bytes: Vec<u64>,
    lost: u64,
    dropped: u64,
    dropped_in_slow_start: u64,
    spurious: u64,
    longest_silence: Duration,
}

struct World {
    link: Link,
    now: Instant,
    rng: Rng,
    bench: Bench,
    received: ReceivedPackets,
    /// By time of arrival, then by order of creation.
    arrivals: BTreeMap<(Instant, u64), Arrival>,
    created: u64,
    queue_free_at: Instant,
    last_arrival: Instant,
    totals: Totals,
}

impl World {
    fn new(link: Link, seed: u8) -> Self {
        Self::with(link, seed, ControllerKind::default())
    }

    fn with(link: Link, seed: u8, kind: ControllerKind) -> Self {
        Self {
            link,
            now: at(0),
            rng: Rng::from_seed([seed; 32]),
            bench: Bench::with(kind),
            received: ReceivedPackets::new(),
            arrivals: BTreeMap::new(),
            created: 0,
            queue_free_at: at(0),
            last_arrival: at(0),
            totals: Totals::default(),
        }
    }

    fn arrive(&mut self, at: Instant, arrival: Arrival) {
        self.arrivals.insert((at, self.created), arrival);
        self.created += 1;
    }

    fn send(&mut self) {
        let pn = self.bench.send(A, self.now);
        self.totals.sent += 1;
        let link = self.link;
        let waiting = self.queue_free_at.saturating_since(self.now);
        let queued = waiting.as_nanos() * u128::from(link.rate_bytes_per_s) / 1_000_000_000;
        if queued + u128::from(SIZE) > u128::from(link.queue_bytes) {
            self.totals.dropped += 1;
            let stats = self.bench.recovery.stats(A).unwrap();
            self.totals.dropped_in_slow_start += u64::from(stats.congestion_events == 0);
            return;
        }
        let nanos = u64::from(SIZE) * 1_000_000_000 / link.rate_bytes_per_s;
        self.queue_free_at = self.queue_free_at.max(self.now) + Duration::from_nanos(nanos);
        if self.rng.below(1_000) < link.loss_per_mille {
            return;
        }
        let jitter = self.rng.below(link.jitter.as_nanos() as u64 + 1);
        let at = self.queue_free_at + link.one_way + Duration::from_nanos(jitter);
        self.arrive(at, Arrival::Packet(pn));
    }

    fn handle(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Packet(pn) => {
                self.received.on_packet(pn, true, None, self.now);
                let second = self.now.saturating_since(at(0)).as_secs() as usize;
                self.totals.arrived_bytes.resize(second + 1, 0);
                self.totals.arrived_bytes[second] += u64::from(SIZE);
                let silence = self.now.saturating_since(self.last_arrival);
                self.totals.longest_silence = self.totals.longest_silence.max(silence);
                self.last_arrival = self.now;
            }
            Arrival::Ack { ranges, delay } => {
                let (now, bench) = (self.now, &mut self.bench);
                let result = bench
                    .recovery
                    .on_ack(ranges, delay, now, &mut bench.outcome);
                assert_eq!(result, Ok(()));
                self.totals.lost += bench.outcome.lost.len() as u64;
                self.totals.spurious += u64::from(bench.outcome.spurious_losses);
            }
        }
    }

    fn acknowledge(&mut self) {
        if !self.received.ack_due(self.now) || self.rng.below(1_000) < self.link.loss_per_mille {
            return;
        }
        let ack = Arrival::Ack {
            ranges: self.received.ranges().collect(),
            delay: self.received.ack_delay(self.now),
        };
        self.received.on_ack_sent(self.now);
        self.arrive(self.now + self.link.one_way, ack);
    }

    /// Sends what may leave; the time at which the pacer wants to be asked again.
    fn fill(&mut self) -> Option<Instant> {
        loop {
            let budget = self.bench.recovery.may_send(A, self.now);
            if budget.bytes < u64::from(SIZE) {
                return budget.blocked_until;
            }
            for _ in 0..budget.bytes / u64::from(SIZE) {
                self.send();
            }
        }
    }

    fn run(mut self, seconds: u64) -> Totals {
        let end = at(seconds * 1_000);
        while self.now < end {
            let release = self.fill();
            let next = [
                self.arrivals.keys().next().map(|(at, _)| *at),
                self.received.next_timeout(),
                self.bench.recovery.next_timeout(),
                release,
            ];
            let next = next.into_iter().flatten().min().expect("never at rest");
            self.now = self.now.max(next);
            while let Some(entry) = self.arrivals.first_entry() {
                if entry.key().0 > self.now {
                    break;
                }
                let arrival = entry.remove();
                self.handle(arrival);
                self.acknowledge();
            }
            self.acknowledge();
            if self
                .bench
                .recovery
                .next_timeout()
                .is_some_and(|due| due <= self.now)
            {
                let (lost, probes) = self.bench.timeout(self.now);
                self.totals.lost += lost.len() as u64;
                probes.iter().for_each(|_| self.send());
            }
        }
        self.totals
    }
}

fn goodput_bytes_per_s(totals: &Totals, seconds: core::ops::Range<usize>) -> u64 {
    let span = totals.arrived_bytes.get(seconds).unwrap_or(&[]);
    span.iter().sum::<u64>() / span.len().max(1) as u64
}

#[test]
fn cubic_fills_a_clean_link() {
    let totals = World::new(CABLE, 1).run(20);
    let goodput = goodput_bytes_per_s(&totals, 5..20);
    assert!(
        goodput * 10 >= CABLE.rate_bytes_per_s * 9,
        "{goodput} of {totals:?}"
    );
    assert!(totals.lost * 100 < totals.sent, "{totals:?}");
}

#[test]
fn new_reno_halves_and_goes_on() {
    let totals = World::with(CABLE, 1, ControllerKind::NewReno).run(20);
    let goodput = goodput_bytes_per_s(&totals, 5..20);
    // The queue holds a round trip's worth: half of the window still fills the link.
    assert!(
        goodput * 10 >= CABLE.rate_bytes_per_s * 8,
        "{goodput} of {totals:?}"
    );
    assert!(
        totals.lost > 0 && totals.lost * 50 < totals.sent,
        "{totals:?}"
    );
    assert_ne!(totals, World::new(CABLE, 1).run(20));
}

#[test]
fn slow_start_ends_before_the_queue_overflows() {
    let totals = World::new(CABLE, 1).run(3);
    assert_eq!(totals.dropped_in_slow_start, 0, "{totals:?}");
    let goodput = goodput_bytes_per_s(&totals, 1..3);
    assert!(goodput * 10 >= CABLE.rate_bytes_per_s * 8, "{totals:?}");
}

#[test]
fn a_fifth_of_all_packets_lost_does_not_end_a_transfer() {
    let link = Link {
        loss_per_mille: 200,
        ..CABLE
    };
    for seed in 0..4 {
        let totals = World::new(link, seed).run(30);
        assert!(totals.longest_silence <= ms(4_100), "{totals:?}");
        assert!(
            totals.arrived_bytes.iter().sum::<u64>() > 1_000_000,
            "{totals:?}"
        );
    }
}

#[test]
fn reordering_costs_few_spurious_losses() {
    let link = Link {
        jitter: ms(4),
        ..CABLE
    };
    let totals = World::new(link, 3).run(10);
    assert!(totals.spurious * 100 < totals.sent, "{totals:?}");
    let goodput = goodput_bytes_per_s(&totals, 3..10);
    assert!(goodput * 10 >= CABLE.rate_bytes_per_s * 7, "{totals:?}");
}

#[test]
fn a_local_link_is_not_throttled_by_pacing() {
    let link = Link {
        rate_bytes_per_s: 312_500_000,
        one_way: Duration::from_micros(25),
        queue_bytes: 4_000_000,
        ..CABLE
    };
    let totals = World::new(link, 4).run(1);
    let goodput = goodput_bytes_per_s(&totals, 0..1);
    assert!(goodput * 10 >= link.rate_bytes_per_s * 8, "{goodput}");
}

#[test]
fn equal_seeds_give_equal_transfers() {
    let link = Link {
        loss_per_mille: 20,
        jitter: ms(1),
        ..CABLE
    };
    assert_eq!(World::new(link, 5).run(3), World::new(link, 5).run(3));
}
