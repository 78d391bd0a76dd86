//! The search for a shorter round trip: where none was seen for five seconds, half of what the path holds is kept in
//! flight for 200 ms and a round trip. A pause does as well, and so does listening.

use super::cycle::State;
use super::{Ack, Bbr};
use crate::time::{Duration, Instant};

const HOLD: Duration = Duration::from_millis(200);
const GAIN: f64 = 0.5;

/// A search under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RttProbe {
    /// When it has lasted long enough; none before little is in flight.
    ends: Option<Instant>,
    has_round: bool,
    window_before: f64,
}

impl Bbr {
    pub(super) fn window_of_rtt_probe(&self) -> f64 {
        self.bdp(GAIN).max(self.least_window())
    }

    pub(super) fn probe_rtt(&mut self, ack: &Ack) {
        let is_due = self.delays.is_expired && self.company.is_none() && !self.is_restart;
        if self.state != State::ProbeRtt && is_due {
            self.state = State::ProbeRtt;
            self.cycle.stop_probing();
            self.rtt_probe = RttProbe {
                window_before: self.window,
                ..RttProbe::default()
            };
            self.rounds.begin(ack.delivered);
        }
        if self.state != State::ProbeRtt {
            return;
        }
        match self.rtt_probe.ends {
            None if ack.in_flight <= self.window_of_rtt_probe() => {
                self.rtt_probe.ends = Some(ack.now + HOLD);
                self.rounds.begin(ack.delivered);
            }
            None => {}
            Some(ends) => {
                self.rtt_probe.has_round |= self.rounds.is_start;
                if self.rtt_probe.has_round && ack.now > ends {
                    self.end_rtt_probe(ack);
                }
            }
        }
    }

    fn end_rtt_probe(&mut self, ack: &Ack) {
        self.delays.on_probed(ack.now);
        self.window = self.window.max(self.rtt_probe.window_before);
        self.bounds.forget_short();
        if self.pipe.is_reached {
            self.start_down(ack.now, ack.newest.pn, ack.delivered);
            self.state = State::Cruise;
        } else {
            self.state = State::Startup;
        }
    }
}
