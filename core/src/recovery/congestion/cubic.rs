//! CUBIC (RFC 9438): after a congestion event the window follows a cubic of time through the window
//! of that event, and is never smaller than what Reno would have. Slow start follows HyStart++.
//! Windows are in bytes; the cubic's constant is in segments, as in the RFC. An event whose losses
//! were all spurious is taken back (§4.9.2).

use super::controller::{
    AckSample, Controller, LostPacket, SentState, initial_window, minimum_window, window_for_mtu,
};
use super::hystart::HyStart;
use crate::recovery::rtt::Rtt;
use crate::time::{Duration, Instant};

/// Segments per cubed second (RFC 9438 §5).
const C: f64 = 0.4;
/// What is left of the window after losses (RFC 9438 §4.6).
const BETA: f64 = 0.7;
/// What is left of the window after a mark of ECN (RFC 8511 §3.1).
const BETA_MARKED: f64 = 0.85;
/// Additive increase that makes the Reno-friendly window fair to Reno at this BETA (RFC 9438 §4.3).
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

/// A stretch of congestion avoidance (RFC 9438 §4.2).
#[derive(Clone, Copy, Debug)]
struct Epoch {
    started: Instant,
    /// Seconds until the cubic reaches the window of the last event.
    k: f64,
    /// The window that Reno would have.
    reno_bytes: f64,
    last_ack: Instant,
}

/// What a congestion event changes, kept to take it back.
#[derive(Clone, Copy, Debug)]
struct Shape {
    window_bytes: f64,
    threshold_bytes: f64,
    /// The plateau of the cubic.
    max_bytes: f64,
    /// The window before the last event.
    prior_bytes: f64,
    epoch: Option<Epoch>,
}

/// The default controller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cubic {
    mtu: u64,
    shape: Shape,
    before_event: Option<Shape>,
    recovery_start: Option<Instant>,
    hystart: HyStart,
}

impl Cubic {
    /// Starts with the initial window for datagrams of `mtu` bytes.
    #[must_use]
    pub(crate) fn new(mtu: u64) -> Self {
        Self {
            mtu,
            shape: Shape {
                window_bytes: float(initial_window(mtu)),
                threshold_bytes: f64::INFINITY,
                max_bytes: 0.0,
                prior_bytes: 0.0,
                epoch: None,
            },
            before_event: None,
            recovery_start: None,
            hystart: HyStart::default(),
        }
    }

    /// Starts in congestion avoidance with a window that was in use.
    #[must_use]
    pub(super) fn resume(mtu: u64, window_bytes: f64) -> Self {
        let mut cubic = Self::new(mtu);
        cubic.shape.window_bytes = window_bytes;
        cubic.shape.threshold_bytes = window_bytes;
        cubic.shape.max_bytes = window_bytes;
        cubic.shape.prior_bytes = window_bytes;
        cubic
    }

    fn slow_start(&mut self, sample: &AckSample<'_>, rtt: &Rtt) {
        let measured = sample.rtt_sampled.then(|| rtt.latest());
        let over = self.hystart.on_ack(sample.newest.pn, measured);
        self.shape.window_bytes += float(self.hystart.growth(sample.bytes));
        if over {
            self.shape.threshold_bytes = self.shape.window_bytes;
        }
    }

    fn avoid_congestion(&mut self, sample: &AckSample<'_>, rtt: &Rtt) {
        let segment = float(self.mtu);
        let shape = &mut self.shape;
        let window = shape.window_bytes;
        if shape.epoch.is_none() && shape.max_bytes < window {
            shape.max_bytes = window;
        }
        let epoch = shape.epoch.get_or_insert_with(|| Epoch {
            started: sample.now,
            k: ((shape.max_bytes - window) / segment / C).cbrt(),
            reno_bytes: window,
            last_ack: sample.now,
        });
        epoch.last_ack = sample.now;
        let elapsed = sample.now.saturating_since(epoch.started);
        let cubic = |time: Duration| {
            let distance = time.as_secs_f64() - epoch.k;
            C * distance * distance * distance * segment + shape.max_bytes
        };
        let acked = float(sample.bytes);
        let alpha = if epoch.reno_bytes >= shape.prior_bytes {
            1.0
        } else {
            ALPHA
        };
        let reno = epoch.reno_bytes + alpha * segment * acked / window;
        if cubic(elapsed) < reno {
            shape.window_bytes = window.max(reno);
        } else {
            let target = cubic(elapsed + rtt.smoothed()).clamp(window, 1.5 * window);
            shape.window_bytes = window + (target - window) / window * acked;
        }
        epoch.reno_bytes = reno;
    }

    /// Time in which the sender did not use its window does not count for the cubic (RFC 9438
    /// §5.8).
    fn stand_still(&mut self, now: Instant) {
        if let Some(epoch) = &mut self.shape.epoch {
            epoch.started += now.saturating_since(epoch.last_ack);
            epoch.last_ack = now;
        }
    }

    /// Shrinks the window once for all packets of a round trip; says whether this was the first.
    fn on_congestion_event(&mut self, now: Instant, sent_at: Instant, beta: f64) -> bool {
        if self.recovery_start.is_some_and(|at| sent_at <= at) {
            return false;
        }
        self.before_event = Some(self.shape);
        self.recovery_start = Some(now);
        let shape = &mut self.shape;
        let window = shape.window_bytes;
        // Fast convergence: a window that shrinks from event to event leaves room to others
        // (RFC 9438 §4.7).
        shape.max_bytes = if window < shape.max_bytes {
            window * (1.0 + BETA) / 2.0
        } else {
            window
        };
        shape.prior_bytes = window;
        shape.threshold_bytes = (window * beta).max(float(minimum_window(self.mtu)));
        shape.window_bytes = shape.threshold_bytes;
        shape.epoch = None;
        true
    }
}

impl Controller for Cubic {
    fn on_packet_sent(&mut self, sent: &SentState) {
        self.hystart.on_sent(sent.pn);
    }

    fn on_packet_lost(&mut self, lost: &LostPacket<'_>) -> bool {
        self.on_congestion_event(lost.now, lost.sent.sent_at, BETA)
    }

    fn on_ecn_ce(&mut self, now: Instant, sent_at: Instant) -> bool {
        let is_new = self.on_congestion_event(now, sent_at, BETA_MARKED);
        if is_new {
            // A mark is never spurious.
            self.before_event = None;
        }
        is_new
    }

    fn on_persistent_congestion(&mut self, now: Instant) {
        self.before_event = None;
        self.recovery_start = Some(now);
        self.shape.window_bytes = float(minimum_window(self.mtu));
        self.shape.epoch = None;
    }

    fn on_ack(&mut self, sample: &AckSample<'_>, rtt: &Rtt) {
        if self
            .recovery_start
            .is_some_and(|at| sample.newest.sent_at <= at)
        {
            return;
        }
        if !sample.is_cwnd_limited {
            self.stand_still(sample.now);
        } else if self.in_slow_start() {
            self.slow_start(sample, rtt);
        } else {
            self.avoid_congestion(sample, rtt);
        }
    }

    fn on_spurious_congestion_event(&mut self) {
        let Some(before) = self.before_event.take() else {
            return;
        };
        if self.shape.window_bytes < before.window_bytes {
            self.shape = before;
            self.shape.epoch = None;
        }
    }

    fn on_mtu(&mut self, mtu: u64) {
        let window = self.window();
        let wanted = window_for_mtu(window, self.mtu, mtu, self.in_slow_start());
        if wanted > window {
            self.shape.window_bytes = float(wanted);
        }
        self.mtu = mtu;
    }

    fn window(&self) -> u64 {
        self.shape.window_bytes as u64
    }

    fn in_slow_start(&self) -> bool {
        self.shape.window_bytes < self.shape.threshold_bytes
    }
}

/// Windows stay far below 2^53, where the conversion is exact.
fn float(bytes: u64) -> f64 {
    bytes as f64
}
