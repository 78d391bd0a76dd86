//! From the model to what counts outside: the rate of the pacer, what leaves at once, and the window.

use super::cycle::State;
use super::{Ack, Bbr, float, initial_window};
use crate::time::Instant;

/// Gain of the pacing rate while searching for it.
const STARTUP_GAIN: f64 = 2.77;
/// Share of the bandwidth that is used, so that queues drain.
const PACING_MARGIN: f64 = 0.99;
/// What leaves at once is what this time lets through, seconds.
const QUANTUM_TIME: f64 = 0.001;
const QUANTUM_MAX: f64 = 64_000.0;
/// Slower than this a second datagram waits long enough to leave by itself, bytes a second.
const SLOW: f64 = 1e6;
/// On shorter paths timers are too coarse to pace within a round trip, seconds.
const COARSE_PATH: f64 = 0.002;
/// Datagrams that the window always holds, so that delayed acknowledgements do not stall the path.
const LEAST_DATAGRAMS: f64 = 4.0;
/// The queue that a probe may build, seconds.
const PROBE_QUEUE: f64 = 0.004;

impl Bbr {
    /// Paces the initial window by the first round-trip time, which takes the place of any assumption.
    pub(super) fn pace_from_start(&mut self, rtt: f64) {
        let window = float(initial_window(self.mtu as u64));
        self.pacing = STARTUP_GAIN * window / rtt.max(1e-6);
    }

    /// Goes on after a pause at the rate that is known, with the window that there was.
    pub(super) fn restart_from_idle(&mut self, now: Instant) {
        self.is_restart = true;
        self.aggregation.restart(now);
        if self.state.is_probe_bandwidth() && self.company.is_none() {
            self.pacing = self.bandwidth.max(1.0);
        }
    }

    pub(super) fn set_pacing(&mut self) {
        if let Some(rate) = self.company_pacing() {
            self.pacing = rate;
            return;
        }
        let rate = self.pacing_gain() * self.bandwidth * PACING_MARGIN;
        if self.pipe.is_reached || rate > self.pacing {
            self.pacing = rate.max(1.0);
        }
    }

    fn pacing_gain(&self) -> f64 {
        match self.state {
            State::Startup => STARTUP_GAIN,
            State::Drain => 0.5,
            State::Down => 0.9,
            State::Up => 1.25,
            State::Cruise if self.is_listening() && self.losses.is_lossy() => 0.7,
            State::Cruise if self.is_listening() => 0.9,
            State::Cruise if self.company.is_none() && self.has_queue() => 0.95,
            State::Cruise | State::Refill | State::ProbeRtt => 1.0,
        }
    }

    fn window_gain(&self) -> f64 {
        match self.state {
            State::Up => 2.25,
            State::ProbeRtt => 0.5,
            _ => 2.0,
        }
    }

    pub(super) fn set_window(&mut self, ack: &Ack) {
        let mut most = self.bdp(self.window_gain()) + self.aggregation.extra();
        most = most.max(self.least_for_quanta());
        if self.state == State::Up {
            most += 2.0 * self.mtu;
        }
        if self.pipe.is_reached {
            self.window = (self.window + ack.bytes).min(most);
        } else if self.window < most || ack.delivered < initial_window(self.mtu as u64) {
            self.window += ack.bytes;
        }
        if self.state == State::ProbeRtt {
            self.window = self.window.min(self.window_of_rtt_probe());
        }
        self.window = self.window.max(self.least_window()).min(self.cap());
        if self.is_drained() {
            self.window = self.window.min(self.inflight(1.0));
        }
        if let Some(window) = self.company_window() {
            self.window = window;
        }
        if self.state == State::Up && self.company.is_none() {
            let queue = self.cycle.budget.max(3.0 * self.mtu);
            let most = self.bdp(1.0) + self.aggregation.extra() + queue;
            self.window = self.window.min(most.max(self.least_for_quanta()));
        }
    }

    /// What the bounds allow in this state.
    fn cap(&self) -> f64 {
        let long = match self.state {
            State::Cruise | State::ProbeRtt => self.headroom(),
            State::Down | State::Refill | State::Up => self.bounds.inflight_long,
            State::Startup | State::Drain => f64::INFINITY,
        };
        long.min(self.bounds.inflight_short)
            .max(self.least_window())
    }

    /// Whether no more may be in flight than the path holds: what is seen then is the path.
    fn is_drained(&self) -> bool {
        let has_slowed = self.rounds.count > self.cycle.since_round + 1;
        self.is_listening() || (self.state == State::Down && (self.company.is_some() || has_slowed))
    }

    pub(super) fn least_window(&self) -> f64 {
        LEAST_DATAGRAMS * self.mtu
    }

    /// Batches must not stall the path: where they are larger than two datagrams, the window holds three.
    fn least_for_quanta(&self) -> f64 {
        let quantum = self.quantum();
        let batches = if quantum > 2.0 * self.mtu { 3.0 } else { 1.0 };
        (batches * quantum).max(self.least_window())
    }

    /// Bytes that the path holds, times a gain.
    pub(super) fn bdp(&self, gain: f64) -> f64 {
        if self.delays.min == f64::INFINITY {
            return float(initial_window(self.mtu as u64));
        }
        gain * self.bandwidth * self.delays.min
    }

    /// The same with room for what leaves at once.
    pub(super) fn inflight(&self, gain: f64) -> f64 {
        let most = self.bdp(gain).max(self.quantum()).max(self.least_window());
        if self.state == State::Up {
            most + 2.0 * self.mtu
        } else {
            most
        }
    }

    /// The long-term bound less what is left to others.
    pub(super) fn headroom(&self) -> f64 {
        let long = self.bounds.inflight_long;
        if long == f64::INFINITY {
            return long;
        }
        (long - (0.15 * long).max(self.mtu)).max(self.least_window())
    }

    /// Bytes that leave at once.
    pub(super) fn quantum(&self) -> f64 {
        let least = if self.pacing < SLOW { 1.0 } else { 2.0 } * self.mtu;
        if self.delays.min < COARSE_PATH {
            return (self.pacing * COARSE_PATH).max(least);
        }
        (self.pacing * QUANTUM_TIME).min(QUANTUM_MAX).max(least)
    }

    /// How long that takes to leave, seconds.
    pub(super) fn burst(&self) -> f64 {
        self.quantum() / self.bandwidth.max(1.0)
    }

    pub(super) fn has_queue(&self) -> bool {
        self.delays.has_queue(self.burst())
    }

    /// Whether what is lost while listening is the path's own: where a queue stands, others lose and are lost in it.
    pub(super) fn is_quiet(&self) -> bool {
        !self.has_queue() && self.company.is_none()
    }

    /// The queue that a probe starts with.
    pub(super) fn probe_budget(&self) -> f64 {
        (0.25 * self.bdp(1.0)).min(self.bandwidth * PROBE_QUEUE)
    }
}
