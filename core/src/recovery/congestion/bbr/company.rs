//! Another's queue. While nothing of ours waits a queue that stands is another's, who will not give way to a sender
//! that yields to delay: then a window of CUBIC (RFC 9438) rules, cut where congestion is seen, until a look at the
//! path finds the queue gone.

use super::cycle::State;
use super::{Bbr, Controller, Cubic, float};
use crate::time::Instant;

/// Pacing of the window, so that it is used.
const PACING_GAIN: f64 = 1.25;
/// Rounds of cruising and packets of listening before the path is known well enough.
const KNOWN_ROUNDS: f64 = 8.0;
const KNOWN_PACKETS: f64 = 100.0;
/// Rounds without a queue that end it.
const CALM_ROUNDS: u32 = 8;

impl Bbr {
    /// Notes that another's queue stands.
    pub(super) fn meet(&mut self, now: Instant) {
        let is_known = self.delays.noise_rounds >= KNOWN_ROUNDS
            && self.losses.listened_packets() >= KNOWN_PACKETS;
        if self.company.is_some() || !is_known {
            return;
        }
        let window = (self.bandwidth * self.smoothed_rtt).max(self.least_window());
        self.company = Some(Cubic::resume(self.mtu as u64, window));
        self.delays.calm_rounds = 0;
        self.cycle.begun = now;
    }

    /// A listen is over: looks whose the queue is.
    pub(super) fn look_for_company(&mut self, now: Instant) {
        let burst = self.burst();
        if self.company.is_none() {
            self.delays.note_quiet();
        }
        let is_at_best = self.delays.is_at_best(burst);
        self.losses.set_at_best(is_at_best);
        let foreign = self.delays.foreign(burst);
        if self.delays.queue > foreign {
            self.meet(now);
        } else if self.delays.queue < 0.5 * foreign {
            self.company = None;
        }
    }

    pub(super) fn leave_company_when_calm(&mut self) {
        if self.delays.calm_rounds >= CALM_ROUNDS {
            self.company = None;
        }
    }

    fn ruling(&self) -> Option<f64> {
        let rules =
            matches!(self.state, State::Cruise | State::Refill | State::Up) && !self.is_listening();
        let cubic = self.company.as_ref().filter(|_| rules)?;
        Some(float(cubic.window()).max(self.least_window()))
    }

    pub(super) fn company_window(&self) -> Option<f64> {
        self.ruling()
    }

    pub(super) fn company_pacing(&self) -> Option<f64> {
        let window = self.ruling()?;
        Some(PACING_GAIN * window / self.smoothed_rtt.max(1e-6))
    }
}
