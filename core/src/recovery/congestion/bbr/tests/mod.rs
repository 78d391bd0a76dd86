//! The example test cases of draft-ietf-ccwg-bbr-06, appendix A, by name, on a modelled line; where the deviations
//! change what is expected, the test says so. Then the deviations.
#![expect(
    clippy::disallowed_types,
    reason = "a controller can be sent between threads, so what it shares with its test must be too"
)]

mod bounds;
mod cycle;
mod deviations;
mod startup;

use std::sync::{Arc, Mutex, MutexGuard};

use super::*;
use crate::recovery::tests::shared::{Bottleneck, HOME, Net};

fn ms(value: u64) -> Duration {
    Duration::from_millis(value)
}

/// A controller that its test can look at.
#[derive(Debug)]
struct Watched(Arc<Mutex<Bbr>>);

impl Watched {
    fn get(&self) -> MutexGuard<'_, Bbr> {
        self.0.lock().unwrap()
    }
}

impl Controller for Watched {
    fn on_packet_sent(&mut self, sent: &SentState) {
        self.get().on_packet_sent(sent);
    }

    fn on_packet_acked(&mut self, acked: &AckedPacket<'_>) {
        self.get().on_packet_acked(acked);
    }

    fn on_packet_lost(&mut self, lost: &LostPacket<'_>) -> bool {
        self.get().on_packet_lost(lost)
    }

    fn on_ecn_ce(&mut self, now: Instant, sent_at: Instant) -> bool {
        self.get().on_ecn_ce(now, sent_at)
    }

    fn on_persistent_congestion(&mut self, now: Instant) {
        self.get().on_persistent_congestion(now);
    }

    fn on_ack(&mut self, sample: &AckSample<'_>, rtt: &Rtt) {
        self.get().on_ack(sample, rtt);
    }

    fn on_spurious_congestion_event(&mut self) {
        self.get().on_spurious_congestion_event();
    }

    fn on_mtu(&mut self, mtu: u64) {
        self.get().on_mtu(mtu);
    }

    fn window(&self) -> u64 {
        self.get().window()
    }

    fn in_slow_start(&self) -> bool {
        self.get().in_slow_start()
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.get().pacing_rate()
    }

    fn send_quantum(&self) -> Option<u64> {
        self.get().send_quantum()
    }
}

/// A transfer whose controller is watched.
struct Run {
    net: Net,
    bbr: Arc<Mutex<Bbr>>,
}

impl Run {
    fn new(link: Bottleneck) -> Self {
        Self::seeded(link, 1)
    }

    fn seeded(link: Bottleneck, seed: u8) -> Self {
        let bbr = Arc::new(Mutex::new(Bbr::new(1_200)));
        let net = Net::watched(link, seed, Box::new(Watched(Arc::clone(&bbr))));
        Self { net, bbr }
    }

    /// What it is like now.
    fn bbr(&self) -> Bbr {
        self.changed().clone()
    }

    /// Itself, to be changed.
    fn changed(&self) -> MutexGuard<'_, Bbr> {
        self.bbr.lock().unwrap()
    }

    fn state(&self) -> State {
        self.changed().state
    }

    /// Runs until something holds; whether it did within the time.
    fn until(&mut self, time: Duration, holds: impl Fn(&Bbr) -> bool) -> bool {
        let end = self.net.now() + time;
        while self.net.now() < end {
            if holds(&self.changed()) {
                return true;
            }
            self.net.turn();
        }
        false
    }

    #[track_caller]
    fn reach(&mut self, state: State) {
        let reached = self.until(ms(10_000), |b| b.state == state);
        assert!(reached, "{:?} instead of {state:?}", self.state());
    }

    fn go_on(&mut self, time: Duration) {
        self.until(time, |_| false);
    }

    /// What arrives in the time to come, percent of the line.
    fn used_percent(&mut self, time: Duration) -> u64 {
        let before = self.net.arrived_bytes();
        self.go_on(time);
        let most = self.net.link.rate_bytes_per_s * time.as_millis() as u64 / 1_000;
        (self.net.arrived_bytes() - before) * 100 / most
    }
}

/// Whether a value is within so many per mille of another.
fn is_near(value: f64, other: f64, per_mille: f64) -> bool {
    (value - other).abs() * 1_000.0 <= other * per_mille
}
