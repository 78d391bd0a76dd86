//! BBR, version 3 (draft-ietf-ccwg-bbr-06), with deviations. It models the path by the largest rate at which it
//! delivers and the least round-trip time, sends at that rate, and now and then probes for more of the first (the
//! cycle of the `Probe` states) and for less of the second.
//!
//! Deviations, all in what counts as congestion. The draft takes two per cent of loss for it and starves on a path
//! that loses five by itself; here loss alone is none:
//! 1. *Listening* (`losses`, `delays`): after each probe two rounds with no more in flight than the path holds tell
//!    what is lost and how long a round trip takes without us.
//! 2. *Congestion* (`response`) is a queue with more loss than that, or much more loss than that, or loss that grows
//!    with what we send.
//! 3. The search for the rate ends where the rate stops growing, or a queue grows; loss while it grows never counts.
//! 4. *Short probes* (`cycle`): the queue that a probe builds is bounded in time, not by a share of the path.
//! 5. *Company* (`company`): where another's queue stands, a window of CUBIC rules, so that both get their share.
//! 6. What is lost is not made up for: the rate is what arrives.
//!
//! Random waits, which keep flows from probing in step, are drawn from what acknowledgements say, so equal inputs give
//! equal outputs.

mod bandwidth;
mod company;
mod control;
mod cycle;
mod delays;
mod losses;
mod probe_rtt;
mod response;
mod rounds;
#[cfg(test)]
mod tests;

use super::controller::{
    AckSample, AckedPacket, Controller, LostPacket, SentState, initial_window, window_for_mtu,
};
use super::cubic::Cubic;
use crate::recovery::rtt::Rtt;
use crate::time::{Duration, Instant};
use bandwidth::{Aggregation, FullPipe, MaxBandwidth};
use cycle::{Cycle, State};
use delays::{Delays, Spent};
use losses::Losses;
use probe_rtt::RttProbe;
use response::{Bounds, Undo};
use rounds::{LossRound, Rounds, Settled};

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug)]
struct Ack {
    now: Instant,
    newest: SentState,
    bytes: f64,
    rtt: Option<f64>,
    /// Bytes a second; none where it was measured over less than a round trip.
    rate: Option<f64>,
    /// Bytes delivered and lost since the newest packet left.
    volume: f64,
    lost: f64,
    /// Bytes delivered in all, and in flight now.
    delivered: u64,
    in_flight: f64,
}

/// Packets settled since the last acknowledgement.
#[derive(Clone, Copy, Debug, Default)]
struct Batch {
    acked: f64,
    listened: f64,
    lost: f64,
}

/// The controller.
#[derive(Clone, Debug)]
pub(crate) struct Bbr {
    mtu: f64,
    state: State,
    cycle: Cycle,
    window: f64,
    /// Bytes a second at which packets leave; zero before the first round-trip time.
    pacing: f64,
    max_bandwidth: MaxBandwidth,
    /// The bandwidth in use: the largest, within the short-term bound.
    bandwidth: f64,
    pipe: FullPipe,
    aggregation: Aggregation,
    bounds: Bounds,
    delays: Delays,
    losses: Losses,
    rounds: Rounds,
    loss_round: LossRound,
    settled: Settled,
    batch: Batch,
    rtt_probe: RttProbe,
    /// The window of CUBIC that rules while another's queue stands.
    company: Option<Cubic>,
    undo: Option<Undo>,
    smoothed_rtt: f64,
    /// The window held the last packet back, or nearly.
    is_window_limited: bool,
    /// Sending began after a pause, and nothing of it has arrived.
    is_restart: bool,
    last_pn: u64,
    /// Bytes delivered in all.
    delivered: u64,
    /// Marks on packets that left before this are of a congestion event that was dealt with.
    marked_until: Option<Instant>,
}

impl Bbr {
    /// Starts with the initial window for datagrams of `mtu` bytes.
    #[must_use]
    pub(crate) fn new(mtu: u64) -> Self {
        Self {
            mtu: float(mtu),
            state: State::Startup,
            cycle: Cycle::default(),
            window: float(initial_window(mtu)),
            pacing: 0.0,
            max_bandwidth: MaxBandwidth::default(),
            bandwidth: 0.0,
            pipe: FullPipe::default(),
            aggregation: Aggregation::new(),
            bounds: Bounds::new(),
            delays: Delays::new(),
            losses: Losses::new(),
            rounds: Rounds::default(),
            loss_round: LossRound::default(),
            settled: Settled::default(),
            batch: Batch::default(),
            rtt_probe: RttProbe::default(),
            company: None,
            undo: None,
            smoothed_rtt: 0.0,
            is_window_limited: false,
            is_restart: false,
            last_pn: 0,
            delivered: 0,
            marked_until: None,
        }
    }

    fn ack(&self, sample: &AckSample<'_>, rtt: &Rtt) -> Ack {
        let interval = seconds(sample.delivered_in);
        let volume = float(sample.delivered_bytes);
        let is_whole = interval > 0.0
            && (self.delays.min == f64::INFINITY || interval >= self.delays.min * 0.999);
        Ack {
            now: sample.now,
            newest: *sample.newest,
            bytes: float(sample.bytes),
            rtt: sample.rtt_sampled.then(|| seconds(rtt.latest())),
            rate: is_whole.then(|| volume / interval),
            volume,
            lost: float(sample.lost_bytes),
            delivered: self.delivered,
            in_flight: float(sample.in_flight_bytes),
        }
    }

    /// Takes the round-trip time and what was settled.
    fn measure(&mut self, ack: &Ack, rtt: &Rtt) {
        self.smoothed_rtt = seconds(rtt.smoothed());
        if let Some(sample) = ack.rtt {
            if self.pacing == 0.0 {
                self.pace_from_start(sample);
            }
            self.delays
                .on_sample(sample, ack.now, self.company.is_some());
        }
        let batch = core::mem::take(&mut self.batch);
        self.settled.acked += batch.acked;
        self.loss_round.settled += batch.acked + batch.lost;
        let is_quiet = self.is_quiet();
        self.losses.on_acked(batch.acked, batch.listened, is_quiet);
    }

    /// Ends the round where this acknowledgement does; gives what was settled in it.
    fn end_round(&mut self, ack: &Ack) -> Option<Settled> {
        self.rounds
            .on_ack(ack.newest.delivered_bytes, ack.delivered);
        if !self.rounds.is_start {
            return None;
        }
        self.cycle.rounds = self.cycle.rounds.saturating_add(1);
        let spent = match self.state {
            State::Startup | State::Drain => Spent::Starting,
            State::Cruise if !self.is_listening() && self.company.is_none() => Spent::Cruising,
            _ => Spent::Other,
        };
        self.delays.end_round(spent, self.burst(), ack.now);
        Some(core::mem::take(&mut self.settled))
    }

    /// Looks whether the rate still grows; in the search for it other evidence of a full pipe counts as well.
    fn check_pipe(&mut self, ack: &Ack, round: Option<Settled>) {
        if let (Some(rate), Some(round)) = (ack.rate, round)
            && !ack.newest.is_app_limited
        {
            let is_searching = self.state == State::Startup;
            let is_lossy = response::is_overload(&self.losses, &round);
            let is_overfull = self.delays.is_overfull();
            self.pipe.on_round(rate, |rounds| {
                is_searching && (is_overfull || (rounds >= 2 && is_lossy))
            });
        }
        if self.state == State::Startup && self.pipe.is_reached {
            self.state = State::Drain;
            self.cycle.since_round = self.rounds.count;
        }
    }
}

impl Controller for Bbr {
    fn on_packet_sent(&mut self, sent: &SentState) {
        let in_flight = float(sent.in_flight_bytes);
        if sent.in_flight_bytes == u64::from(sent.bytes) && sent.is_app_limited {
            self.restart_from_idle(sent.sent_at);
        }
        self.last_pn = sent.pn;
        self.is_window_limited = in_flight + 2.0 * self.mtu > self.window;
        let is_listening = self.is_listening();
        self.losses.on_sent(sent.pn, is_listening);
        if let Some(cubic) = &mut self.company {
            cubic.on_packet_sent(sent);
        }
    }

    fn on_packet_acked(&mut self, acked: &AckedPacket<'_>) {
        self.batch.acked += 1.0;
        self.delivered += u64::from(acked.sent.bytes);
        if self.losses.covers(acked.sent.pn) {
            self.batch.listened += 1.0;
        }
    }

    fn on_packet_lost(&mut self, lost: &LostPacket<'_>) -> bool {
        self.respond_to_loss(lost)
    }

    fn on_ecn_ce(&mut self, now: Instant, sent_at: Instant) -> bool {
        self.respond_to_mark(now, sent_at)
    }

    fn on_persistent_congestion(&mut self, now: Instant) {
        self.undo = None;
        if let Some(cubic) = &mut self.company {
            cubic.on_persistent_congestion(now);
        }
        self.window = self.least_window();
    }

    fn on_ack(&mut self, sample: &AckSample<'_>, rtt: &Rtt) {
        let ack = self.ack(sample, rtt);
        self.measure(&ack, rtt);
        self.bounds.on_ack(&ack);
        self.loss_round
            .on_ack(ack.newest.delivered_bytes, ack.delivered);
        let round = self.end_round(&ack);
        if let Some(rate) = ack.rate {
            self.max_bandwidth.on_rate(rate, ack.newest.is_app_limited);
        }
        self.adapt_to_round();
        let is_start = self.rounds.is_start;
        self.aggregation
            .on_ack(&ack, self.bandwidth, self.window, is_start);
        self.check_pipe(&ack, round);
        self.advance_cycle(&ack);
        self.delays.update_min(ack.rtt, ack.now);
        self.probe_rtt(&ack);
        self.is_restart = false;
        if self.loss_round.is_start {
            self.bounds.restart(&ack);
        }
        self.bandwidth = self.max_bandwidth.get().min(self.bounds.rate_short);
        if let Some(cubic) = &mut self.company {
            cubic.on_ack(sample, rtt);
        }
        self.set_pacing();
        self.set_window(&ack);
    }

    fn on_spurious_congestion_event(&mut self) {
        self.take_back_losses();
    }

    fn on_mtu(&mut self, mtu: u64) {
        let before = self.mtu as u64;
        let grown = window_for_mtu(self.window as u64, before, mtu, self.in_slow_start());
        self.window = self.window.max(float(grown));
        if self.state == State::Startup && mtu > before {
            self.pacing = self.pacing / self.mtu * float(mtu);
        }
        self.mtu = float(mtu);
        if let Some(cubic) = &mut self.company {
            cubic.on_mtu(mtu);
        }
    }

    fn window(&self) -> u64 {
        self.window as u64
    }

    fn in_slow_start(&self) -> bool {
        self.state == State::Startup
    }

    fn pacing_rate(&self) -> Option<u64> {
        (self.pacing > 0.0).then_some(self.pacing as u64)
    }

    fn send_quantum(&self) -> Option<u64> {
        (self.pacing > 0.0).then_some(self.quantum() as u64)
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// Bytes stay far below 2^53, where the conversion is exact.
fn float(bytes: u64) -> f64 {
    bytes as f64
}

/// A number from 0 to 1 that differs from acknowledgement to acknowledgement and from flow to flow (SplitMix64).
fn draw(ack_at: Instant, pn: u64, delivered: u64, salt: u64) -> f64 {
    let mut z = ack_at.as_nanos() ^ pn.rotate_left(40) ^ delivered.rotate_left(20);
    z = z.wrapping_add(salt.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    float((z ^ (z >> 31)) >> 11) / float(1 << 53)
}
