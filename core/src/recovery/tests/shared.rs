//! Several transfers over one modelled bottleneck: a rate, a delay, a queue that drops its tail, random loss behind it,
//! jitter that keeps the order. Says what each brings across, and how long the queue was. Time is virtual.

use std::collections::BTreeMap;

use super::*;
use crate::recovery::congestion::Controller;
use crate::recovery::path_recovery::PathRecovery;
use ControllerKind::{Bbr, Cubic};

/// The bottleneck and what disturbs it.
#[derive(Clone, Copy, Debug)]
pub(in crate::recovery) struct Bottleneck {
    pub(in crate::recovery) rate_bytes_per_s: u64,
    pub(in crate::recovery) round_trip: Duration,
    /// Thousandths of what the path holds without a queue.
    pub(in crate::recovery) queue_per_mille: u64,
    pub(in crate::recovery) loss_per_mille: u64,
    pub(in crate::recovery) jitter: Duration,
}

impl Bottleneck {
    fn queue_bytes(&self) -> u64 {
        let held = u128::from(self.rate_bytes_per_s) * self.round_trip.as_nanos() / 1_000_000_000;
        (held as u64 * self.queue_per_mille / 1_000).max(2 * u64::from(SIZE))
    }

    fn time_of(&self, bytes: u64) -> Duration {
        Duration::from_nanos(bytes * 1_000_000_000 / self.rate_bytes_per_s)
    }
}

/// 10 Mbit/s, 40 ms, a queue as long as the path.
pub(in crate::recovery) const HOME: Bottleneck = Bottleneck {
    rate_bytes_per_s: 1_250_000,
    round_trip: Duration::from_millis(40),
    queue_per_mille: 1_000,
    loss_per_mille: 0,
    jitter: Duration::ZERO,
};

enum Event {
    Arrive(usize, u64),
    Ack(usize, Vec<(u64, u64)>, Duration),
    Start,
}

/// What an application has to send.
#[derive(Clone, Copy)]
struct Application {
    rate_bytes_per_s: u64,
    since: Instant,
    sent_bytes: u64,
}

impl Application {
    /// When it has a datagram, if ever.
    fn next(&self) -> Option<Instant> {
        let nanos = (self.sent_bytes + u64::from(SIZE)) * 1_000_000_000;
        let after = nanos.checked_div(self.rate_bytes_per_s)?;
        Some(self.since + Duration::from_nanos(after))
    }
}

struct Flow {
    bench: Bench,
    received: ReceivedPackets,
    starts: Instant,
    /// None where there is always more to send.
    application: Option<Application>,
    newest_arrival: Instant,
    newest_ack: Instant,
    arrived_bytes: u64,
    sent: u64,
    dropped: u64,
}

/// What the flows came to after the warm-up.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shares {
    /// Bits a second that arrived, of each flow.
    pub(super) bits_per_s: Vec<u64>,
    /// Packets that the queue dropped, of 1,000 sent, of each flow.
    pub(super) overflow_per_mille: Vec<u64>,
    /// Waiting time in the queue: half of all milliseconds, and 99 of 100, saw no more; microseconds.
    pub(super) queue_p50_us: u64,
    pub(super) queue_p99_us: u64,
}

impl Shares {
    /// Percent of the link that is used.
    pub(super) fn used_percent(&self, link: &Bottleneck) -> u64 {
        self.bits_per_s.iter().sum::<u64>() * 100 / (link.rate_bytes_per_s * 8)
    }

    /// Percent that the first flow has of all.
    pub(super) fn first_percent(&self) -> u64 {
        self.bits_per_s[0] * 100 / self.bits_per_s.iter().sum::<u64>().max(1)
    }
}

pub(in crate::recovery) struct Net {
    pub(in crate::recovery) link: Bottleneck,
    now: Instant,
    rng: Rng,
    flows: Vec<Flow>,
    events: BTreeMap<(Instant, u64), Event>,
    created: u64,
    queue_free_at: Instant,
    /// Acknowledgements arrive at multiples of this.
    ack_grid: Duration,
    /// How much later the next packet arrives than it would.
    detour: Option<Duration>,
}

impl Net {
    fn new(link: Bottleneck, seed: u8, kinds: &[(ControllerKind, u64)]) -> Self {
        let flow = |(kind, start_ms): &(ControllerKind, u64)| Flow {
            bench: Bench::with(*kind),
            received: ReceivedPackets::new(),
            starts: at(*start_ms),
            application: None,
            newest_arrival: at(0),
            newest_ack: at(0),
            arrived_bytes: 0,
            sent: 0,
            dropped: 0,
        };
        let mut net = Self {
            link,
            now: at(0),
            rng: Rng::from_seed([seed; 32]),
            flows: kinds.iter().map(flow).collect(),
            events: BTreeMap::new(),
            created: 0,
            queue_free_at: at(0),
            ack_grid: Duration::ZERO,
            detour: None,
        };
        for flow in kinds {
            net.plan(at(flow.1), Event::Start);
        }
        net
    }

    fn plan(&mut self, at: Instant, event: Event) {
        self.events.insert((at, self.created), event);
        self.created += 1;
    }

    fn send(&mut self, flow: usize) {
        let pn = self.flows[flow].bench.send(A, self.now);
        self.flows[flow].sent += 1;
        let waiting = self.queue_free_at.saturating_since(self.now);
        let queued = waiting.as_nanos() * u128::from(self.link.rate_bytes_per_s) / 1_000_000_000;
        if queued + u128::from(SIZE) > u128::from(self.link.queue_bytes()) {
            self.flows[flow].dropped += 1;
            return;
        }
        let until_free = self.queue_free_at.max(self.now);
        self.queue_free_at = until_free + self.link.time_of(u64::from(SIZE));
        if self.rng.below(1_000) < self.link.loss_per_mille {
            return;
        }
        let jitter = self.rng.below(self.link.jitter.as_nanos() as u64 + 1);
        let at = self.queue_free_at + self.link.round_trip / 2 + Duration::from_nanos(jitter);
        if let Some(detour) = self.detour.take() {
            self.plan(at + detour, Event::Arrive(flow, pn));
            return;
        }
        let at = at.max(self.flows[flow].newest_arrival);
        self.flows[flow].newest_arrival = at;
        self.plan(at, Event::Arrive(flow, pn));
    }

    fn handle(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Start => {}
            Event::Arrive(flow, pn) => {
                let flow = &mut self.flows[flow];
                flow.received.on_packet(pn, true, None, now);
                flow.arrived_bytes += u64::from(SIZE);
            }
            Event::Ack(flow, ranges, delay) => {
                let bench = &mut self.flows[flow].bench;
                let result = bench
                    .recovery
                    .on_ack(ranges, delay, now, &mut bench.outcome);
                assert_eq!(result, Ok(()));
            }
        }
    }

    fn acknowledge(&mut self, index: usize) {
        let (now, loss) = (self.now, self.link.loss_per_mille);
        let flow = &mut self.flows[index];
        if !flow.received.ack_due(now) {
            return;
        }
        let ranges = flow.received.ranges().collect();
        let delay = flow.received.ack_delay(now);
        flow.received.on_ack_sent(now);
        if self.rng.below(1_000) < loss {
            return;
        }
        let mut at = (now + self.link.round_trip / 2).max(self.flows[index].newest_ack);
        if self.ack_grid > Duration::ZERO {
            let grid = self.ack_grid.as_nanos() as u64;
            at = Instant::from_nanos(at.as_nanos().div_ceil(grid) * grid);
        }
        self.flows[index].newest_ack = at;
        self.plan(at, Event::Ack(index, ranges, delay));
    }

    /// Sends what may leave; when this flow wants to be asked again.
    fn fill(&mut self, index: usize) -> Option<Instant> {
        if self.flows[index].starts > self.now {
            return None;
        }
        loop {
            let budget = self.flows[index].bench.recovery.may_send(A, self.now);
            if budget.bytes < u64::from(SIZE) {
                return budget.blocked_until;
            }
            for _ in 0..budget.bytes / u64::from(SIZE) {
                let now = self.now;
                let flow = &mut self.flows[index];
                if let Some(application) = &mut flow.application {
                    let next = application.next();
                    if next.is_none_or(|at| at > now) {
                        flow.bench.recovery.on_app_limited(A);
                        return Some(next.unwrap_or(now + ms(10)));
                    }
                    application.sent_bytes += u64::from(SIZE);
                }
                self.send(index);
            }
        }
    }

    /// Lets all that is due happen, and gives when to go on.
    fn step(&mut self) -> Instant {
        let mut next = Vec::new();
        for index in 0..self.flows.len() {
            let release = self.fill(index);
            let flow = &self.flows[index];
            next.extend(release);
            next.extend(flow.received.next_timeout());
            next.extend(flow.bench.recovery.next_timeout());
        }
        next.extend(self.events.keys().next().map(|(at, _)| *at));
        next.into_iter().min().expect("never at rest").max(self.now)
    }

    fn advance(&mut self, to: Instant) {
        self.now = to;
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > to {
                break;
            }
            let event = entry.remove();
            let flow = match &event {
                Event::Arrive(flow, _) => Some(*flow),
                _ => None,
            };
            self.handle(event);
            if let Some(flow) = flow {
                self.acknowledge(flow);
            }
        }
        for index in 0..self.flows.len() {
            self.acknowledge(index);
            let bench = &mut self.flows[index].bench;
            if bench.recovery.next_timeout().is_some_and(|due| due <= to) {
                let (_, probes) = bench.timeout(to);
                probes.iter().for_each(|_| self.send(index));
            }
        }
    }

    /// One transfer with this controller.
    pub(in crate::recovery) fn watched(
        link: Bottleneck,
        seed: u8,
        controller: Box<dyn Controller>,
    ) -> Self {
        let mut net = Self::new(link, seed, &[(Bbr, 0)]);
        let rtt = Rtt::new(crate::limits::INITIAL_RTT);
        let path = PathRecovery::with_controller(A, controller, u64::from(SIZE), rtt, at(0));
        net.flows[0].bench.recovery.insert_path(path);
        net
    }

    pub(in crate::recovery) const fn now(&self) -> Instant {
        self.now
    }

    /// Goes on to the next thing that happens.
    pub(in crate::recovery) fn turn(&mut self) {
        let next = self.step();
        self.advance(next);
    }

    /// Gives the first application so many bytes a second to send, or always more.
    pub(in crate::recovery) fn limit_application(&mut self, rate_bytes_per_s: Option<u64>) {
        let since = self.now;
        self.flows[0].application = rate_bytes_per_s.map(|rate_bytes_per_s| Application {
            rate_bytes_per_s,
            since,
            sent_bytes: 0,
        });
    }

    /// Lets acknowledgements arrive at multiples of a time.
    pub(in crate::recovery) const fn hold_acks(&mut self, grid: Duration) {
        self.ack_grid = grid;
    }

    /// Lets the next packet arrive later than those after it.
    pub(in crate::recovery) const fn delay_next(&mut self, by: Duration) {
        self.detour = Some(by);
    }

    /// Another begins to send.
    pub(in crate::recovery) fn join(&mut self, kind: ControllerKind) {
        let mut other = Self::new(self.link, 1, &[(kind, 0)]);
        self.flows.append(&mut other.flows);
    }

    /// It sends no more.
    pub(in crate::recovery) fn leave(&mut self) {
        self.flows[1].application = Some(Application {
            rate_bytes_per_s: 0,
            since: self.now,
            sent_bytes: 0,
        });
    }

    pub(in crate::recovery) fn arrived_bytes(&self) -> u64 {
        self.flows[0].arrived_bytes
    }

    pub(in crate::recovery) fn in_flight_bytes(&self) -> u64 {
        self.flows[0].bench.recovery.bytes_in_flight(A)
    }

    pub(in crate::recovery) fn sent_and_dropped(&self) -> [u64; 2] {
        [self.flows[0].sent, self.flows[0].dropped]
    }

    pub(in crate::recovery) fn spurious_losses(&self) -> u64 {
        let stats = self.flows[0].bench.recovery.stats(A);
        stats.map_or(0, |stats| stats.spurious_losses)
    }

    fn counts(&self) -> Vec<[u64; 3]> {
        let of = |f: &Flow| [f.arrived_bytes, f.sent, f.dropped];
        self.flows.iter().map(of).collect()
    }
}

/// Runs flows, each with its controller and the millisecond in which it starts, and counts after `warm_s` seconds.
pub(super) fn share(
    link: Bottleneck,
    seed: u8,
    kinds: &[(ControllerKind, u64)],
    [warm_s, seconds]: [u64; 2],
) -> Shares {
    let mut net = Net::new(link, seed, kinds);
    let mut waits = Vec::new();
    let mut before = net.counts();
    let mut tick = at(warm_s * 1_000);
    let mut is_warm = false;
    while net.now < at(seconds * 1_000) {
        let next = net.step();
        if !is_warm && next >= at(warm_s * 1_000) {
            is_warm = true;
            before = net.counts();
        }
        while tick <= next {
            waits.push(net.queue_free_at.saturating_since(tick).as_micros() as u64);
            tick += ms(1);
        }
        net.advance(next);
    }
    waits.sort_unstable();
    let pick = |percent: usize| waits[(waits.len() * percent / 100).min(waits.len() - 1)];
    let after = net.counts();
    let deltas = before
        .iter()
        .zip(&after)
        .map(|(b, a)| [a[0] - b[0], a[1] - b[1], a[2] - b[2]]);
    let deltas: Vec<[u64; 3]> = deltas.collect();
    Shares {
        bits_per_s: deltas
            .iter()
            .map(|d| d[0] * 8 / (seconds - warm_s))
            .collect(),
        overflow_per_mille: deltas.iter().map(|d| d[2] * 1_000 / d[1].max(1)).collect(),
        queue_p50_us: pick(50),
        queue_p99_us: pick(99),
    }
}

fn lossy(loss_per_mille: u64) -> Bottleneck {
    Bottleneck {
        loss_per_mille,
        ..HOME
    }
}

fn alone(link: Bottleneck, kind: ControllerKind) -> Shares {
    share(link, 1, &[(kind, 0)], [5, 25])
}

#[test]
fn loss_alone_is_not_congestion() {
    for (loss_per_mille, least, times_cubic) in [
        (0, 95, 0),
        (10, 92, 2),
        (50, 84, 5),
        (100, 62, 6),
        (200, 30, 8),
    ] {
        let link = lossy(loss_per_mille);
        let (ours, cubic) = (alone(link, Bbr), alone(link, Cubic));
        let used = ours.used_percent(&link);
        assert!(used >= least, "{loss_per_mille}: {ours:?}");
        let other = cubic.used_percent(&link);
        assert!(
            used >= times_cubic * other,
            "{loss_per_mille}: {used} of {other}"
        );
        assert!(ours.overflow_per_mille[0] <= 5, "{ours:?}");
    }
}

#[test]
fn its_own_queue_stays_short() {
    for loss_per_mille in [0, 10, 50] {
        let ours = alone(lossy(loss_per_mille), Bbr);
        assert!(ours.queue_p50_us <= 1_500, "{ours:?}");
        assert!(ours.queue_p99_us <= 10_000, "{ours:?}");
    }
    let cubic = alone(HOME, Cubic);
    assert!(cubic.queue_p50_us >= 15_000, "{cubic:?}");
}

#[test]
fn beside_cubic_both_have_their_share() {
    let far = Bottleneck {
        rate_bytes_per_s: 2_500_000,
        round_trip: ms(100),
        ..HOME
    };
    for link in [HOME, far] {
        for (queue_per_mille, most) in [(100, 90), (500, 65), (1_000, 65), (4_000, 65)] {
            let link = Bottleneck {
                queue_per_mille,
                ..link
            };
            let shares = share(link, 1, &[(Bbr, 0), (Cubic, 100)], [15, 60]);
            let first = shares.first_percent();
            // In a queue of four round trips CUBIC holds its window for longer than a look at the path lasts.
            let least = if queue_per_mille > 1_000 { 12 } else { 35 };
            assert!((least..=most).contains(&first), "{link:?}: {shares:?}");
            assert!(shares.used_percent(&link) >= 90, "{link:?}: {shares:?}");
        }
    }
}

#[test]
fn a_newcomer_of_either_kind_gets_its_share() {
    for kinds in [[(Bbr, 0), (Cubic, 10_000)], [(Cubic, 0), (Bbr, 10_000)]] {
        let shares = share(HOME, 2, &kinds, [30, 70]);
        let first = shares.first_percent();
        assert!((20..=80).contains(&first), "{kinds:?}: {shares:?}");
    }
}

#[test]
fn flows_of_ours_share_a_link() {
    for queue_per_mille in [500, 1_000] {
        let link = Bottleneck {
            queue_per_mille,
            ..HOME
        };
        let shares = share(link, 1, &[(Bbr, 0), (Bbr, 100)], [15, 60]);
        let first = shares.first_percent();
        assert!((30..=70).contains(&first), "{shares:?}");
        assert!(shares.used_percent(&link) >= 93, "{shares:?}");
        let four = share(
            link,
            1,
            &[(Bbr, 0), (Bbr, 50), (Bbr, 100), (Bbr, 150)],
            [15, 60],
        );
        let overflow = four.overflow_per_mille.iter().max();
        assert!(overflow <= Some(&40), "{four:?}");
        assert!(four.bits_per_s.iter().all(|b| *b >= 800_000), "{four:?}");
    }
}

#[test]
fn beside_random_loss_cubic_keeps_what_it_has_beside_itself() {
    let link = lossy(10);
    let ours = share(link, 3, &[(Bbr, 0), (Cubic, 100)], [10, 60]);
    let cubic = share(link, 3, &[(Cubic, 0), (Cubic, 100)], [10, 60]);
    let (beside_ours, beside_cubic) = (ours.bits_per_s[1], cubic.bits_per_s[1]);
    assert!(beside_ours * 10 >= beside_cubic * 6, "{ours:?} {cubic:?}");
}

#[test]
fn jitter_costs_little() {
    let link = Bottleneck {
        jitter: ms(10),
        ..HOME
    };
    let shares = alone(link, Bbr);
    assert!(shares.used_percent(&link) >= 85, "{shares:?}");
}

#[test]
fn equal_seeds_give_equal_shares() {
    let run = || share(lossy(20), 7, &[(Bbr, 0), (Cubic, 50)], [2, 8]);
    assert_eq!(run(), run());
    assert_ne!(run(), share(lossy(20), 8, &[(Bbr, 0), (Cubic, 50)], [2, 8]));
}
