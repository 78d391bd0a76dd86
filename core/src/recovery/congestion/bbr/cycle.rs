//! The states, and the cycle of probing for bandwidth: down to drain the probe before, cruise, refill, up.

use super::{Ack, Bbr, draw, float, seconds};
use crate::time::Instant;

/// Rounds of listening after a probe.
const LISTEN_ROUNDS: u32 = 2;
/// Round trips after which a probe comes at the latest.
const CYCLE_ROUNDS: f64 = 63.0;
/// Time between probes: this and up to a second more.
const WAIT_S: f64 = 2.0;
/// Time between looks at the path in company, in seconds and in round trips.
const COMPANY_WAIT_S: f64 = 5.0;
const COMPANY_WAIT_ROUNDS: f64 = 25.0;
/// Rounds that draining lasts at most.
const DRAIN_ROUNDS: u64 = 3;

/// What the controller is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Searching for the rate by doubling.
    Startup,
    /// Draining the queue of that.
    Drain,
    /// Draining the queue of a probe.
    Down,
    /// Sending at the rate found.
    Cruise,
    /// Filling the pipe for a probe.
    Refill,
    /// Probing for more bandwidth.
    Up,
    /// Probing for a shorter round trip.
    ProbeRtt,
}

impl State {
    pub(super) const fn is_probing(self) -> bool {
        matches!(self, Self::Startup | Self::Refill | Self::Up)
    }

    pub(super) const fn is_probe_bandwidth(self) -> bool {
        matches!(self, Self::Down | Self::Cruise | Self::Refill | Self::Up)
    }
}

/// Which part of a probe acknowledgements tell of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Feedback {
    #[default]
    None,
    Refilling,
    Starting,
    Probing,
    Stopping,
}

/// Where the cycle stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cycle {
    feedback: Feedback,
    /// When it began, and how long until the next probe.
    pub(super) begun: Instant,
    wait: f64,
    /// Rounds since the last probe.
    pub(super) rounds: u32,
    /// The round in which draining began.
    pub(super) since_round: u64,
    /// Rounds of listening to come.
    pub(super) listens: u32,
    /// Losses of packets in flight now tell of the probe.
    pub(super) is_sampling: bool,
    /// The last probe put too much in flight.
    pub(super) was_too_high: bool,
    /// The next probe looks whether that still holds.
    is_precaution: bool,
    /// Growth of the long-term bound in a probe.
    slope_rounds: u32,
    slope_acked: f64,
    slope: f64,
    /// Rounds of the probe since its queue last grew, and that queue.
    probe_rounds: u32,
    pub(super) budget: f64,
}

impl Default for Cycle {
    fn default() -> Self {
        Self {
            feedback: Feedback::None,
            begun: Instant::EPOCH,
            wait: 0.0,
            rounds: 0,
            since_round: 0,
            listens: 0,
            is_sampling: false,
            was_too_high: false,
            is_precaution: false,
            slope_rounds: 0,
            slope_acked: 0.0,
            slope: f64::INFINITY,
            probe_rounds: 0,
            budget: 0.0,
        }
    }
}

impl Cycle {
    pub(super) const fn stop_probing(&mut self) {
        self.feedback = Feedback::Stopping;
    }
}

impl Bbr {
    /// Whether no more is in flight than the path holds, to learn what it is like.
    pub(super) fn is_listening(&self) -> bool {
        self.state == State::Cruise && self.cycle.listens > 0
    }

    /// Begins to drain what a probe left.
    pub(super) fn start_down(&mut self, now: Instant, pn: u64, delivered: u64) {
        self.loss_round.has_loss = false;
        self.bounds.forget_latest();
        let cycle = &mut self.cycle;
        cycle.slope = f64::INFINITY;
        cycle.rounds = u32::from(draw(now, pn, delivered, 1) >= 0.5);
        cycle.wait = WAIT_S + draw(now, pn, delivered, 2);
        cycle.begun = now;
        cycle.since_round = self.rounds.count;
        cycle.stop_probing();
        self.state = State::Down;
        self.rounds.begin(delivered);
    }

    /// Fills the pipe, so that a probe builds on a full one.
    pub(super) fn start_refill(&mut self, delivered: u64) {
        self.bounds.forget_short();
        let cycle = &mut self.cycle;
        cycle.slope_rounds = 0;
        cycle.slope_acked = 0.0;
        cycle.is_precaution = false;
        cycle.feedback = Feedback::Refilling;
        self.state = State::Refill;
        self.rounds.begin(delivered);
    }

    fn start_up(&mut self, ack: &Ack) {
        self.state = State::Up;
        self.rounds.begin(ack.delivered);
        self.pipe.search(ack.rate.unwrap_or(0.0));
        self.cycle.is_sampling = true;
        self.cycle.feedback = Feedback::Starting;
        self.cycle.probe_rounds = 0;
        self.cycle.budget = self.probe_budget();
        self.raise_slope();
    }

    /// Doubles how fast the long-term bound grows.
    fn raise_slope(&mut self) {
        let cycle = &mut self.cycle;
        let grow = f64::from(1_u32 << cycle.slope_rounds);
        cycle.slope_rounds = (cycle.slope_rounds + 1).min(30);
        cycle.slope = (self.window / grow).max(self.mtu);
    }

    fn is_time_to_probe(&self, now: Instant) -> bool {
        let since = seconds(now.saturating_since(self.cycle.begun));
        if self.company.is_some() {
            let wait = self.cycle.wait.max(COMPANY_WAIT_S);
            return since > wait.max(COMPANY_WAIT_ROUNDS * self.smoothed_rtt);
        }
        let held = self.bdp(1.0).min(self.window) / self.mtu;
        since > self.cycle.wait || f64::from(self.cycle.rounds) >= held.min(CYCLE_ROUNDS)
    }

    /// Applies an acknowledgement to drain and cycle.
    pub(super) fn advance_cycle(&mut self, ack: &Ack) {
        if self.state == State::Drain {
            let lasted = self.rounds.count > self.cycle.since_round + DRAIN_ROUNDS;
            if ack.in_flight <= self.inflight(1.0) || lasted {
                self.start_down(ack.now, ack.newest.pn, ack.delivered);
            }
        }
        if !self.pipe.is_reached || self.end_of_feedback(ack) {
            return;
        }
        self.adapt_long_term(ack);
        match self.state {
            State::Down => self.go_down(ack),
            State::Cruise => self.cruise(ack),
            State::Refill if self.rounds.is_start => self.start_up(ack),
            State::Up => self.go_up(ack),
            _ => {}
        }
    }

    /// Notes which part of the probe is being told of; says whether another begins at once.
    fn end_of_feedback(&mut self, ack: &Ack) -> bool {
        if !self.rounds.is_start {
            return false;
        }
        match self.cycle.feedback {
            Feedback::Starting => self.cycle.feedback = Feedback::Probing,
            Feedback::Stopping => {
                self.cycle.is_sampling = false;
                self.cycle.feedback = Feedback::None;
                if !self.state.is_probe_bandwidth() {
                    return false;
                }
                if !ack.newest.is_app_limited {
                    self.max_bandwidth.advance();
                }
                if self.cycle.is_precaution && !self.cycle.was_too_high {
                    self.start_refill(ack.delivered);
                    return true;
                }
            }
            _ => {}
        }
        false
    }

    /// Raises the long-term bound by what was in flight without harm, and in a probe that it limits step by step.
    fn adapt_long_term(&mut self, ack: &Ack) {
        let in_flight = float(ack.newest.in_flight_bytes);
        if self.bounds.inflight_long == f64::INFINITY || self.is_too_high(ack.lost, in_flight) {
            return;
        }
        self.bounds.inflight_long = self.bounds.inflight_long.max(in_flight);
        if self.state != State::Up || !self.is_bound() {
            return;
        }
        self.cycle.slope_acked += ack.bytes;
        if self.cycle.slope_acked >= self.cycle.slope {
            let steps = (self.cycle.slope_acked / self.cycle.slope).floor();
            self.cycle.slope_acked -= steps * self.cycle.slope;
            self.bounds.inflight_long += steps * self.mtu;
        }
        if self.rounds.is_start {
            self.raise_slope();
        }
    }

    /// Whether the long-term bound is what limits.
    fn is_bound(&self) -> bool {
        self.is_window_limited && self.window >= self.bounds.inflight_long
    }

    fn go_down(&mut self, ack: &Ack) {
        if self.is_time_to_probe(ack.now) {
            self.start_refill(ack.delivered);
        } else if ack.in_flight <= self.headroom() && ack.in_flight <= self.inflight(1.0) {
            self.state = State::Cruise;
            self.cycle.listens = LISTEN_ROUNDS;
        }
    }

    fn cruise(&mut self, ack: &Ack) {
        if self.cycle.listens > 0 && self.rounds.is_start {
            self.cycle.listens -= 1;
            if self.cycle.listens == 0 {
                self.look_for_company(ack.now);
            }
        }
        self.leave_company_when_calm();
        if !self.is_time_to_probe(ack.now) {
            return;
        }
        if self.company.is_none() {
            self.start_refill(ack.delivered);
        } else if !self.is_listening() {
            self.start_down(ack.now, ack.newest.pn, ack.delivered);
        }
    }

    fn go_up(&mut self, ack: &Ack) {
        let rate = ack.rate.unwrap_or(0.0);
        let mut is_over = false;
        if self.cycle.was_too_high && ack.in_flight >= self.bounds.inflight_long {
            self.cycle.is_precaution = true;
            is_over = true;
        } else if self.is_bound() {
            self.pipe.search(rate);
        } else if self.pipe.is_now {
            is_over = true;
        }
        if self.company.is_none() && self.rounds.is_start && !ack.newest.is_app_limited {
            is_over |= self.is_probe_over(rate);
        }
        if is_over {
            self.cycle.was_too_high = false;
            self.start_down(ack.now, ack.newest.pn, ack.delivered);
        }
    }

    /// A round of the probe ended: more in flight where the rate grew or no queue did, else the end. The first round
    /// tells of the refill still.
    fn is_probe_over(&mut self, rate: f64) -> bool {
        self.cycle.probe_rounds += 1;
        if self.cycle.probe_rounds < 2 {
            return false;
        }
        let half = 0.5 * self.delays.threshold(self.burst());
        if self.pipe.has_grown(rate) || self.delays.queue < half {
            self.cycle.budget *= 2.0;
            self.cycle.probe_rounds = 0;
            return false;
        }
        true
    }
}
