//! Losses and marks: which of them mean congestion, and what follows.

use super::cycle::State;
use super::losses::Losses;
use super::rounds::Settled;
use super::{Ack, Bbr, Controller, LostPacket, float};
use crate::time::Instant;

/// Loss beyond the base that means congestion.
const MARGIN: f64 = 0.02;
/// What is left of a bound.
const BETA: f64 = 0.7;
/// What is left of the window after a mark of ECN (RFC 8511).
const BETA_MARKED: f64 = 0.85;
/// Runs of losses in a round that end the search for the rate.
const OVERLOAD_RANGES: u32 = 6;

/// Bounds that congestion sets; infinite where there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Until the next probe: bytes a second, and bytes in flight.
    pub(super) rate_short: f64,
    pub(super) inflight_short: f64,
    /// For longer: bytes in flight.
    pub(super) inflight_long: f64,
    /// The best of this loss round.
    rate_latest: f64,
    inflight_latest: f64,
}

/// Bounds and state before a congestion event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Undo {
    state: State,
    rate_short: f64,
    inflight_short: f64,
    inflight_long: f64,
}

impl Undo {
    pub(super) const fn of(bbr: &Bbr) -> Self {
        Self {
            state: bbr.state,
            rate_short: bbr.bounds.rate_short,
            inflight_short: bbr.bounds.inflight_short,
            inflight_long: bbr.bounds.inflight_long,
        }
    }
}

impl Bounds {
    pub(super) const fn new() -> Self {
        Self {
            rate_short: f64::INFINITY,
            inflight_short: f64::INFINITY,
            inflight_long: f64::INFINITY,
            rate_latest: 0.0,
            inflight_latest: 0.0,
        }
    }

    pub(super) fn on_ack(&mut self, ack: &Ack) {
        self.rate_latest = self.rate_latest.max(ack.rate.unwrap_or(0.0));
        self.inflight_latest = self.inflight_latest.max(ack.volume);
    }

    /// Another loss round begins with this acknowledgement.
    pub(super) fn restart(&mut self, ack: &Ack) {
        self.rate_latest = ack.rate.unwrap_or(0.0);
        self.inflight_latest = ack.volume;
    }

    pub(super) const fn forget_latest(&mut self) {
        self.rate_latest = 0.0;
        self.inflight_latest = 0.0;
    }

    pub(super) const fn forget_short(&mut self) {
        self.rate_short = f64::INFINITY;
        self.inflight_short = f64::INFINITY;
    }

    /// Falls to what is delivered, no further than by a share.
    fn cut(&mut self, bandwidth: f64, window: f64) {
        let rate = self.rate_short.min(bandwidth);
        let inflight = self.inflight_short.min(window);
        self.rate_short = self.rate_latest.max(BETA * rate);
        self.inflight_short = self.inflight_latest.max(BETA * inflight);
    }
}

/// Whether a round lost more than a path does by itself, in many places.
pub(super) fn is_overload(losses: &Losses, round: &Settled) -> bool {
    round.ranges >= OVERLOAD_RANGES
        && losses.is_excess(round.lost, round.lost + round.acked, MARGIN, 2.0)
}

impl Bbr {
    /// Whether so many lost of so many mean congestion: more than the base with a queue, or much more without. In
    /// company the queue is there anyway, and what fills it must give way soon.
    fn is_congested(&self, lost: f64, packets: f64) -> bool {
        let deviations = if self.company.is_some() { 1.0 } else { 3.0 };
        let with_queue = self.has_queue() && self.losses.is_excess(lost, packets, 0.0, deviations);
        with_queue || self.losses.is_excess(lost, packets, MARGIN, 4.0)
    }

    /// Whether a probe put too much in flight: bytes lost of those in flight.
    pub(super) fn is_too_high(&self, lost: f64, in_flight: f64) -> bool {
        if self.losses.is_self_made() {
            return lost > in_flight * MARGIN;
        }
        self.losses
            .is_excess(lost / self.mtu, in_flight / self.mtu, MARGIN, 3.0)
    }

    /// Applies a loss; says whether it is the first of its round.
    pub(super) fn respond_to_loss(&mut self, lost: &LostPacket<'_>) -> bool {
        if !self.loss_round.has_loss {
            self.undo = Some(Undo::of(self));
        }
        let is_first = self.loss_round.on_lost(self.delivered);
        self.batch.lost += 1.0;
        self.settled.lost += 1.0;
        let has_queue = self.has_queue();
        let is_quiet = self.is_quiet();
        self.settled.ranges += u32::from(self.losses.on_lost(lost.sent.pn, is_quiet));
        let held = self.bandwidth * self.delays.min.min(1.0) / self.mtu;
        if self.is_congested(self.loss_round.lost, self.loss_round.settled.max(held)) {
            let is_cruising = self.state == State::Cruise && !self.is_listening();
            if has_queue && is_cruising && held > 16.0 {
                self.meet(lost.now);
            }
            if let Some(cubic) = &mut self.company {
                cubic.on_packet_lost(lost);
            }
        }
        self.check_probe(lost);
        is_first
    }

    /// Ends a probe that lost too much, and takes what was in flight before that as the long-term bound.
    fn check_probe(&mut self, lost: &LostPacket<'_>) {
        let in_flight = float(lost.sent.in_flight_bytes);
        let since = float(lost.lost_since_bytes);
        if !self.cycle.is_sampling || !self.is_too_high(since, in_flight) {
            return;
        }
        let share = MARGIN + self.losses.base();
        let size = float(u64::from(lost.sent.bytes));
        let before = in_flight - size;
        let prefix = (share * before - (since - size)) / (1.0 - share);
        let least = self.bdp(1.0).min(self.window) * BETA;
        self.cycle.was_too_high = true;
        self.cycle.is_sampling = false;
        self.bounds.inflight_long = (before + prefix.max(0.0)).max(least);
        if self.state == State::Up {
            self.start_down(lost.now, lost.sent.pn, self.delivered);
        }
    }

    /// At the end of a loss round, outside of probes, falls to what is delivered where losses mean congestion.
    pub(super) fn adapt_to_round(&mut self) {
        if !self.loss_round.is_start {
            return;
        }
        let round = self.loss_round;
        let counts = round.has_loss && !self.state.is_probing();
        if counts && (self.is_congested(round.lost, round.settled) || self.losses.is_self_made()) {
            self.bounds.cut(self.max_bandwidth.get(), self.window);
        }
        self.loss_round.clear();
    }

    /// Applies a mark of ECN, which a queue set: says whether it is the first of a round trip.
    pub(super) fn respond_to_mark(&mut self, now: Instant, sent_at: Instant) -> bool {
        if self.marked_until.is_some_and(|until| sent_at <= until) {
            return false;
        }
        self.marked_until = Some(now);
        self.undo = None;
        if let Some(cubic) = &mut self.company {
            cubic.on_ecn_ce(now, sent_at);
        }
        match self.state {
            State::Startup => self.pipe.is_reached = true,
            State::Up => {
                self.cycle.was_too_high = true;
                self.bounds.inflight_long = self.window;
                self.start_down(now, self.last_pn, self.delivered);
            }
            _ => {}
        }
        if self.company.is_none() {
            let inflight = self.bounds.inflight_short.min(self.window);
            self.bounds.inflight_short = (BETA_MARKED * inflight).max(self.least_window());
        }
        true
    }

    /// All losses of the last event arrived after all: takes back what they changed.
    pub(super) fn take_back_losses(&mut self) {
        if let Some(cubic) = &mut self.company {
            cubic.on_spurious_congestion_event();
        }
        let Some(undo) = self.undo.take() else { return };
        self.loss_round.clear();
        let bounds = &mut self.bounds;
        bounds.rate_short = bounds.rate_short.max(undo.rate_short);
        bounds.inflight_short = bounds.inflight_short.max(undo.inflight_short);
        bounds.inflight_long = bounds.inflight_long.max(undo.inflight_long);
        if matches!(self.state, State::ProbeRtt) || self.state == undo.state {
            return;
        }
        match undo.state {
            State::Startup => {
                self.state = State::Startup;
                self.pipe = super::FullPipe::default();
            }
            State::Up => self.start_refill(self.delivered),
            _ => {}
        }
    }
}
