//! What recovery knows about one path: round-trip time, congestion window, pacer, bytes in flight,
//! timers and counters. Takes: packets of this path that left, arrived or were lost, in batches.
//! Decides: what counts as lost (RFC 9002 §6.1), when the probe timeout fires (§6.2), whether
//! congestion persists (§7.6).

use core::cmp::{max, min};

use super::congestion::{
    self, AckSample, AckedPacket, Controller, ControllerKind, LostPacket, SentState,
};
use super::ecn::PathEcn;
use super::ledger::Meta;
use super::outcome::{PathAcked, PathKey, SendBudget};
use super::pacer::Pacer;
use super::rtt::{GRANULARITY, Rtt};
use super::spurious::LossNote;
use crate::limits;
use crate::time::{Duration, Instant};

/// Packets on the same path after which one counts as lost (RFC 9002 §6.1.1).
const PACKET_THRESHOLD: u64 = 3;
/// How far spurious losses may raise it.
const PACKET_THRESHOLD_MAX: u64 = 128;
/// Eighths of a round-trip time after which a packet counts as lost (RFC 9002 §6.1.2: 9/8).
const TIME_THRESHOLD_EIGHTHS: u32 = 9;
/// How far spurious losses may raise it: RFC 8985 §6.2 also waits for twice the round-trip time at
/// most.
const TIME_THRESHOLD_EIGHTHS_MAX: u32 = 16;
/// Probe timeouts that persistent congestion lasts (RFC 9002 §7.6.1).
const PERSISTENT_CONGESTION_THRESHOLD: u32 = 3;

/// Counters and estimates of a path, for status reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct PathStats {
    /// Packets sent, whether or not they elicit acknowledgements.
    pub sent_packets: u64,
    /// Bytes sent in them.
    pub sent_bytes: u64,
    /// Packets acknowledged.
    pub delivered_packets: u64,
    /// Bytes acknowledged.
    pub delivered_bytes: u64,
    /// Packets declared lost, spurious losses included.
    pub lost_packets: u64,
    /// Bytes declared lost.
    pub lost_bytes: u64,
    /// Packets declared lost that arrived after all.
    pub spurious_losses: u64,
    /// Congestion events.
    pub congestion_events: u64,
    /// Bytes sent and neither acknowledged nor lost.
    pub in_flight_bytes: u64,
    /// Congestion window in bytes.
    pub window_bytes: u64,
    /// Smoothed round-trip time; `None` before the first sample.
    pub rtt: Option<Duration>,
}

/// What one acknowledgement settles on this path.
#[derive(Clone, Copy, Debug, Default)]
struct AckBatch {
    bytes: u64,
    marked: u64,
    newest: Option<Meta>,
    rtt_sampled: bool,
}

/// What one round of loss detection finds on this path.
#[derive(Clone, Copy, Debug, Default)]
struct LossBatch {
    packets: u64,
    /// One of them began a congestion event.
    is_new_event: bool,
    /// First packet, and last number, of the current run without a delivered packet in between.
    run: Option<(Instant, u64)>,
    longest_run: Duration,
}

/// The most that was in flight in this round trip and the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Peak {
    current_bytes: u64,
    previous_bytes: u64,
    round_end: u64,
}

#[derive(Debug)]
pub(super) struct PathRecovery {
    pub(super) key: PathKey,
    pub(super) rtt: Rtt,
    mtu: u64,
    controller: Box<dyn Controller>,
    pacer: Pacer,
    in_flight_bytes: u64,
    outstanding: u64,
    next_sequence: u64,
    /// Packet number and path number of the newest packet known to have arrived.
    largest_acked: Option<(u64, u64)>,
    last_pn: u64,
    first_sample_at: Option<Instant>,
    loss_at: Option<Instant>,
    pto_from: Instant,
    pto_count: u32,
    packet_threshold: u64,
    time_threshold_eighths: u32,
    delivered_at: Instant,
    first_sent_at: Instant,
    /// While fewer bytes than this are delivered, what leaves does not show what the path can carry; 0: it does.
    app_limited_until_bytes: u64,
    /// When the newest packet known to have arrived was sent.
    newest_acked_sent_at: Instant,
    peak: Peak,
    acks: AckBatch,
    losses: LossBatch,
    /// Losses of the current congestion event that are not known to be spurious.
    event_losses: u64,
    ecn: PathEcn,
    stats: PathStats,
}

impl PathRecovery {
    pub(super) fn new(
        key: PathKey,
        kind: ControllerKind,
        mtu: u64,
        rtt: Rtt,
        now: Instant,
    ) -> Self {
        Self::with_controller(key, congestion::build(kind, mtu), mtu, rtt, now)
    }

    pub(super) fn with_controller(
        key: PathKey,
        controller: Box<dyn Controller>,
        mtu: u64,
        rtt: Rtt,
        now: Instant,
    ) -> Self {
        let pacer = Pacer::new(controller.window(), rtt.smoothed(), mtu, true, now);
        Self {
            key,
            rtt,
            mtu,
            controller,
            pacer,
            in_flight_bytes: 0,
            outstanding: 0,
            next_sequence: 0,
            largest_acked: None,
            last_pn: 0,
            first_sample_at: None,
            loss_at: None,
            pto_from: now,
            pto_count: 0,
            packet_threshold: PACKET_THRESHOLD,
            time_threshold_eighths: TIME_THRESHOLD_EIGHTHS,
            delivered_at: now,
            first_sent_at: now,
            app_limited_until_bytes: 0,
            newest_acked_sent_at: now,
            peak: Peak::default(),
            acks: AckBatch::default(),
            losses: LossBatch::default(),
            event_losses: 0,
            ecn: PathEcn::new(),
            stats: PathStats::default(),
        }
    }

    #[cfg(test)]
    pub(super) const fn in_flight_bytes(&self) -> u64 {
        self.in_flight_bytes
    }

    pub(super) const fn pto_count(&self) -> u32 {
        self.pto_count
    }

    pub(super) fn window(&self) -> u64 {
        self.controller.window()
    }

    /// The packet number below which this path may have losses.
    pub(super) fn largest_acked_pn(&self) -> Option<u64> {
        self.largest_acked.map(|(pn, _)| pn)
    }

    pub(super) fn set_mtu(&mut self, mtu: u64, now: Instant) {
        self.mtu = mtu;
        self.controller.on_mtu(mtu);
        self.refresh_pacer(now);
    }

    pub(super) fn seed_rtt(&mut self, rtt: Duration, now: Instant) {
        if !self.rtt.is_measured() {
            self.rtt.on_sample(rtt, Duration::ZERO);
            self.refresh_pacer(now);
        }
    }

    /// Counts a packet that is not recorded.
    pub(super) fn on_unrecorded_sent(&mut self, bytes: u32) {
        self.stats.sent_packets += 1;
        self.stats.sent_bytes += u64::from(bytes);
    }

    /// Notes a packet that elicits an acknowledgement and gives the facts to record.
    pub(super) fn on_sent(&mut self, pn: u64, bytes: u32, is_marked: bool, now: Instant) -> Meta {
        if is_marked {
            self.ecn.on_marked();
        }
        self.on_unrecorded_sent(bytes);
        let size = u64::from(bytes);
        if self.outstanding == 0 {
            // After a pause the delivery rate is measured from here, not over the pause.
            self.delivered_at = now;
            self.first_sent_at = now;
        }
        self.in_flight_bytes += size;
        self.outstanding += 1;
        self.last_pn = max(self.last_pn, pn);
        self.peak.current_bytes = max(self.peak.current_bytes, self.in_flight_bytes);
        self.pto_from = max(self.pto_from, now);
        let sent = SentState {
            pn,
            bytes,
            is_app_limited: self.app_limited_until_bytes > 0,
            sent_at: now,
            first_sent_at: self.first_sent_at,
            delivered_bytes: self.stats.delivered_bytes,
            delivered_at: self.delivered_at,
            lost_bytes: self.stats.lost_bytes,
            in_flight_bytes: self.in_flight_bytes,
        };
        self.controller.on_packet_sent(&sent);
        self.pacer.on_sent(size, now);
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Meta {
            sent,
            sequence,
            path: self.key,
            is_marked,
        }
    }

    /// Notes a packet that arrived; [`Self::finish_acks`] draws the conclusions.
    pub(super) fn on_delivered(&mut self, meta: Meta) {
        let size = u64::from(meta.sent.bytes);
        self.leave(size);
        self.acks.bytes += size;
        self.acks.marked += u64::from(meta.is_marked);
        self.stats.delivered_packets += 1;
        self.stats.delivered_bytes += size;
        self.controller.on_packet_acked(&AckedPacket {
            sent: &meta.sent,
            is_cwnd_limited: self.window_was_used(),
        });
        if self
            .acks
            .newest
            .is_none_or(|newest| newest.sent.pn < meta.sent.pn)
        {
            self.acks.newest = Some(meta);
        }
    }

    /// Takes what a batch of [`Self::on_delivered`] says about time and order, before losses are
    /// looked for. `rtt_sample` is the sample with the peer's delay, where the acknowledgement gave
    /// one for this path. Gives what the batch acknowledged, or `None` where there was
    /// none.
    pub(super) fn apply_acks(
        &mut self,
        rtt_sample: Option<(Duration, Duration)>,
        now: Instant,
    ) -> Option<PathAcked> {
        let newest = self.acks.newest?;
        if let Some((sample, ack_delay)) = rtt_sample {
            self.rtt.on_sample(sample, ack_delay);
            self.first_sample_at.get_or_insert(now);
            self.acks.rtt_sampled = true;
        }
        self.largest_acked = max(self.largest_acked, Some((newest.sent.pn, newest.sequence)));
        self.pto_count = 0;
        Some(PathAcked {
            path: self.key,
            bytes: self.acks.bytes,
            marked: self.acks.marked,
        })
    }

    /// Ends the batch: tells the controller, after the losses (RFC 9002 §A.7), so that an
    /// acknowledgement that shows losses does not make the window grow first.
    pub(super) fn finish_acks(&mut self, now: Instant) {
        let batch = core::mem::take(&mut self.acks);
        let Some(newest) = batch.newest else { return };
        let sent = newest.sent;
        let sending = sent.sent_at.saturating_since(sent.first_sent_at);
        let sample = AckSample {
            now,
            newest: &sent,
            bytes: batch.bytes,
            is_cwnd_limited: self.window_was_used(),
            rtt_sampled: batch.rtt_sampled,
            delivered_bytes: self.stats.delivered_bytes - sent.delivered_bytes,
            delivered_in: max(sending, now.saturating_since(sent.delivered_at)),
            lost_bytes: self.stats.lost_bytes - sent.lost_bytes,
            in_flight_bytes: self.in_flight_bytes,
        };
        self.delivered_at = now;
        self.first_sent_at = max(self.first_sent_at, sent.sent_at);
        self.newest_acked_sent_at = max(self.newest_acked_sent_at, sent.sent_at);
        if self.stats.delivered_bytes > self.app_limited_until_bytes {
            self.app_limited_until_bytes = 0;
        }
        self.controller.on_ack(&sample, &self.rtt);
        if sent.pn >= self.peak.round_end {
            self.peak.previous_bytes = self.peak.current_bytes;
            self.peak.current_bytes = self.in_flight_bytes;
            self.peak.round_end = self.last_pn.saturating_add(1);
        }
        self.refresh_pacer(now);
    }

    /// Whether the window limited the sender lately (RFC 9002 §7.8). In slow start half a window is
    /// enough, since pacing may not have let out the other half; later all but an eighth of it, or
    /// a burst of the pacer.
    fn window_was_used(&self) -> bool {
        let peak = max(self.peak.current_bytes, self.peak.previous_bytes);
        let window = self.controller.window();
        let slack = if self.controller.in_slow_start() {
            window / 2
        } else {
            max(window / 8, 3 * self.mtu)
        };
        peak + slack >= window
    }

    /// Begins a round of loss detection.
    pub(super) fn begin_loss_detection(&mut self) {
        self.loss_at = None;
    }

    /// Counts a packet under way as lost if it is late or far enough behind; where it is not, notes
    /// when it will be. [`Self::finish_losses`] draws the conclusions.
    pub(super) fn take_if_lost(&mut self, meta: &Meta, now: Instant) -> bool {
        let Some((_, newest)) = self.largest_acked else {
            return false;
        };
        if meta.sequence >= newest {
            return false;
        }
        let at = meta.sent.sent_at + self.loss_delay();
        if newest - meta.sequence >= self.packet_threshold || at <= now {
            self.on_lost(meta, now);
            return true;
        }
        self.loss_at = Some(self.loss_at.map_or(at, |earlier| min(earlier, at)));
        false
    }

    fn loss_delay(&self) -> Duration {
        let rtt = max(self.rtt.smoothed(), self.rtt.latest());
        max(rtt * self.time_threshold_eighths / 8, GRANULARITY)
    }

    fn on_lost(&mut self, meta: &Meta, now: Instant) {
        let size = u64::from(meta.sent.bytes);
        self.leave(size);
        self.stats.lost_packets += 1;
        self.stats.lost_bytes += size;
        // What is lost is never delivered: the mark must not wait for it.
        self.app_limited_until_bytes = self.app_limited_until_bytes.saturating_sub(size);
        let is_new_event = self.controller.on_packet_lost(&LostPacket {
            now,
            sent: &meta.sent,
            lost_since_bytes: self.stats.lost_bytes - meta.sent.lost_bytes,
        });
        let batch = &mut self.losses;
        batch.packets += 1;
        batch.is_new_event |= is_new_event;
        let measured_before = self
            .first_sample_at
            .is_some_and(|at| at < meta.sent.sent_at);
        let begun = match batch.run {
            Some((begun, last)) if last + 1 == meta.sequence => Some(begun),
            _ => measured_before.then_some(meta.sent.sent_at),
        };
        batch.run = begun.map(|begun| (begun, meta.sequence));
        if let Some(begun) = begun {
            let length = meta.sent.sent_at.saturating_since(begun);
            batch.longest_run = max(batch.longest_run, length);
        }
    }

    /// Ends a batch of [`Self::take_if_lost`]; the number of the congestion event, where there were
    /// losses.
    pub(super) fn finish_losses(&mut self, now: Instant) -> Option<u64> {
        let batch = core::mem::take(&mut self.losses);
        if batch.packets == 0 {
            return None;
        }
        let duration = self.rtt.pto_base() * PERSISTENT_CONGESTION_THRESHOLD;
        if batch.longest_run > duration {
            self.controller.on_persistent_congestion(now);
        }
        if batch.is_new_event {
            self.stats.congestion_events += 1;
            self.event_losses = 0;
        }
        self.event_losses += batch.packets;
        self.refresh_pacer(now);
        Some(self.stats.congestion_events)
    }

    /// Notes a packet that leaves the record without a congestion signal, because its path was
    /// given up.
    pub(super) fn on_abandoned(&mut self, meta: &Meta) {
        self.leave(u64::from(meta.sent.bytes));
        self.stats.lost_packets += 1;
        self.stats.lost_bytes += u64::from(meta.sent.bytes);
        if self.outstanding == 0 {
            self.loss_at = None;
            self.pto_count = 0;
        }
    }

    /// Notes that there is nothing to send; where the window would not let it leave, that limits no rate.
    pub(super) fn on_app_limited(&mut self) {
        if self.in_flight_bytes + self.mtu > self.controller.window() {
            return;
        }
        self.app_limited_until_bytes = max(self.stats.delivered_bytes + self.in_flight_bytes, 1);
    }

    /// Whether packets of this path are to leave with a mark.
    pub(super) fn marks(&self) -> bool {
        self.ecn.marks()
    }

    /// Notes that marked packets were acknowledged, and counted rightly or not; says whether marks of congestion count.
    pub(super) fn on_marks_counted(&mut self, is_right: bool) -> bool {
        self.ecn.on_counted(is_right)
    }

    /// Notes that the newest acknowledgement told of marked packets.
    pub(super) fn on_ecn_ce(&mut self, now: Instant) {
        if self.controller.on_ecn_ce(now, self.newest_acked_sent_at) {
            self.stats.congestion_events += 1;
            self.event_losses = 0;
        }
        self.refresh_pacer(now);
    }

    /// Notes that a packet declared lost arrived: widens the thresholds and takes back an unfounded
    /// event.
    pub(super) fn on_spurious_loss(&mut self, note: &LossNote, now: Instant) {
        self.stats.spurious_losses += 1;
        let newest = self.largest_acked.map_or(0, |(_, sequence)| sequence);
        let distance = newest.saturating_sub(note.sequence);
        if distance >= self.packet_threshold {
            self.packet_threshold = min(distance + 1, PACKET_THRESHOLD_MAX);
        } else {
            self.time_threshold_eighths =
                min(self.time_threshold_eighths + 1, TIME_THRESHOLD_EIGHTHS_MAX);
        }
        if note.event != self.stats.congestion_events || self.event_losses == 0 {
            return;
        }
        self.event_losses -= 1;
        if self.event_losses == 0 {
            self.controller.on_spurious_congestion_event();
            self.refresh_pacer(now);
        }
    }

    /// When the loss timer or the probe timeout of this path fires.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        if self.outstanding == 0 {
            return None;
        }
        Some(self.loss_at.unwrap_or_else(|| self.probe_at()))
    }

    /// When packets of this path count as lost by time.
    pub(super) const fn loss_at(&self) -> Option<Instant> {
        self.loss_at
    }

    fn probe_at(&self) -> Instant {
        let factor = 1_u32.checked_shl(self.pto_count).unwrap_or(u32::MAX);
        let base = self.rtt.pto_base();
        let most = max(base * 2, limits::PROBE_TIMEOUT_MAX);
        self.pto_from + min(base.saturating_mul(factor), most)
    }

    /// Fires the probe timeout if it is due.
    pub(super) fn take_probe(&mut self, now: Instant) -> bool {
        if self.outstanding == 0 || self.loss_at.is_some() || self.probe_at() > now {
            return false;
        }
        self.pto_count = self.pto_count.saturating_add(1);
        self.pto_from = now;
        true
    }

    pub(super) fn may_send(&self, now: Instant) -> SendBudget {
        let room = self
            .controller
            .window()
            .saturating_sub(self.in_flight_bytes);
        if room < self.mtu {
            return SendBudget {
                bytes: 0,
                blocked_until: None,
            };
        }
        let paced = self.pacer.budget(now);
        let wanted = min(room, self.pacer.batch(self.mtu));
        if paced < wanted {
            return SendBudget {
                bytes: 0,
                blocked_until: Some(self.pacer.next_release(now, wanted)),
            };
        }
        SendBudget {
            bytes: min(room, paced),
            blocked_until: None,
        }
    }

    pub(super) fn stats(&self) -> PathStats {
        PathStats {
            in_flight_bytes: self.in_flight_bytes,
            window_bytes: self.controller.window(),
            rtt: self.rtt.is_measured().then(|| self.rtt.smoothed()),
            ..self.stats
        }
    }

    fn leave(&mut self, bytes: u64) {
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(bytes);
        self.outstanding = self.outstanding.saturating_sub(1);
    }

    fn refresh_pacer(&mut self, now: Instant) {
        self.pacer.set_quantum(self.controller.send_quantum());
        if let Some(rate) = self.controller.pacing_rate() {
            self.pacer.on_rate(rate, self.mtu, now);
            return;
        }
        let (window, slow_start) = (self.controller.window(), self.controller.in_slow_start());
        self.pacer
            .on_window(window, self.rtt.smoothed(), self.mtu, slow_start, now);
    }
}
