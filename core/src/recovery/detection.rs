//! [`Recovery`]: records packets under way, settles them by acknowledgement or loss, and says what
//! may be sent. Takes: packets sent, acknowledgements, time, paths given up. Returns: delivered and
//! lost packets, probes to send, budgets, the next deadline. RFC 9002 §6 with the changes of
//! protocol §7.

use super::congestion::{ControllerKind, initial_window};
use super::ecn::HeardCounts;
use super::ledger::Ledger;
use super::numbers::PacketNumbers;
use super::outcome::{
    AckOfUnsent, AckOutcome, Delivered, Lost, PathAcked, PathKey, SendBudget, SentPacket,
    TimeoutOutcome,
};
use super::path_recovery::{PathRecovery, PathStats};
use super::rtt::Rtt;
use super::spurious::LossNotes;
use crate::ecn::EcnCounts;
use crate::limits;
use crate::rng::Rng;
use crate::time::{Duration, Instant};

const DEFAULT_MTU: u64 = limits::BASE_DATAGRAM_BYTES as u64;

/// Loss recovery and congestion control of one association; `F` notes what a packet carried.
#[derive(Debug)]
pub(crate) struct Recovery<F> {
    numbers: PacketNumbers,
    ledger: Ledger<F>,
    notes: LossNotes,
    paths: Vec<PathRecovery>,
    kind: ControllerKind,
    heard: HeardCounts,
}

impl<F> Recovery<F> {
    /// Starts with no packets and no paths; allocates nothing.
    #[must_use]
    pub(crate) const fn new(kind: ControllerKind) -> Self {
        Self {
            numbers: PacketNumbers::new(),
            ledger: Ledger::new(),
            notes: LossNotes::new(),
            paths: Vec::new(),
            kind,
            heard: HeardCounts::new(),
        }
    }

    /// Takes the number for the next packet. It counts as used: a packet that then does not leave
    /// is a gap.
    #[must_use = "the number counts as used"]
    pub(crate) fn next_packet_number(&mut self, rng: &mut Rng) -> u64 {
        self.numbers.take_next(rng)
    }

    /// The largest packet number that the peer acknowledged; packet numbers are truncated against
    /// it.
    #[must_use]
    pub(crate) const fn largest_acked(&self) -> Option<u64> {
        self.numbers.largest_acked()
    }

    /// Records a packet that left. Its path comes into being where it is new.
    pub(crate) fn on_packet_sent(&mut self, packet: SentPacket<F>) {
        let path = open(&mut self.paths, self.kind, packet.path, packet.at);
        let Some(path) = path else { return };
        if packet.is_marked {
            self.heard.on_marked();
        }
        if !packet.ack_eliciting {
            path.on_unrecorded_sent(packet.bytes);
            return;
        }
        let meta = path.on_sent(packet.pn, packet.bytes, packet.is_marked, packet.at);
        self.ledger.push(meta, packet.frames);
    }

    /// Applies an acknowledgement: inclusive `(start, end)` ranges, the largest first, and the
    /// peer's delay. The outcome is emptied first and then filled.
    ///
    /// # Errors
    /// [`AckOfUnsent`] where a packet is acknowledged that was never sent; the peer is to be
    /// disconnected.
    pub(crate) fn on_ack(
        &mut self,
        ranges: impl IntoIterator<Item = (u64, u64)>,
        ack_delay: Duration,
        now: Instant,
        outcome: &mut AckOutcome<F>,
    ) -> Result<(), AckOfUnsent> {
        outcome.clear();
        let mut largest = None;
        // The packet with the largest number shows the round-trip time (RFC 9002 §5.1). What is not recorded, such as
        // challenges, may have overtaken it on a faster path, again and again: where a probe timeout passed the newest
        // recorded one does, though an acknowledgement that was lost before this one makes it look slower.
        let mut newest = self.largest_delivered();
        let mut sample = None;
        for (start, end) in ranges {
            self.numbers.check(start, end)?;
            let is_first = largest.is_none();
            largest = largest.max(Some(end));
            let (paths, delivered) = (&mut self.paths, &mut outcome.delivered);
            self.ledger.settle_range(start, end, |meta, frames| {
                let path = find(paths, meta.path);
                if Some(meta.sent.pn) > newest {
                    newest = Some(meta.sent.pn);
                    let is_largest = is_first && meta.sent.pn == end;
                    let is_overdue = path.as_ref().is_some_and(|p| p.pto_count() > 0);
                    let took = now.saturating_since(meta.sent.sent_at);
                    sample = (is_largest || is_overdue).then_some((meta.path, took));
                }
                if let Some(path) = path {
                    path.on_delivered(meta);
                }
                delivered.push(Delivered {
                    pn: meta.sent.pn,
                    path: meta.path,
                    bytes: meta.sent.bytes,
                    frames,
                });
            });
            for note in self.notes.take_range(start, end) {
                outcome.spurious_losses += 1;
                if let Some(path) = find(&mut self.paths, note.path) {
                    path.on_spurious_loss(&note, now);
                }
            }
        }
        if let Some(largest) = largest {
            self.numbers.on_acked(largest);
        }
        outcome.rtt_sample = sample;
        if outcome.delivered.is_empty() {
            return Ok(());
        }
        for path in &mut self.paths {
            let of_path = sample.filter(|(key, _)| *key == path.key);
            let measured = of_path.map(|(_, rtt)| (rtt, ack_delay));
            outcome.acked.extend(path.apply_acks(measured, now));
        }
        let acked = &outcome.acked;
        let touched = |key| acked.iter().any(|a| a.path == key);
        self.detect_losses(touched, now, &mut outcome.lost);
        for path in &mut self.paths {
            path.finish_acks(now);
        }
        Ok(())
    }

    /// Fires what is due. The outcome is emptied first and then filled.
    pub(crate) fn on_timeout(&mut self, now: Instant, outcome: &mut TimeoutOutcome<F>) {
        outcome.clear();
        let due = |path: &PathRecovery| path.loss_at().is_some_and(|at| at <= now);
        let late: Vec<PathKey> = self
            .paths
            .iter()
            .filter(|p| due(p))
            .map(|p| p.key)
            .collect();
        if !late.is_empty() {
            self.detect_losses(|key| late.contains(&key), now, &mut outcome.lost);
        }
        for path in &mut self.paths {
            if !late.contains(&path.key) && path.take_probe(now) {
                outcome.probes.push(path.key);
            }
        }
    }

    /// When [`Self::on_timeout`] is to be called; `None` while nothing is under way.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.paths
            .iter()
            .filter_map(PathRecovery::next_timeout)
            .min()
    }

    /// How much may leave on a path now by its window and its pacer; probes need not ask.
    #[must_use]
    pub(crate) fn may_send(&self, path: PathKey, now: Instant) -> SendBudget {
        self.path(path).map_or(
            SendBudget {
                bytes: initial_window(DEFAULT_MTU),
                blocked_until: None,
            },
            |path| path.may_send(now),
        )
    }

    /// Tells that there is nothing to send on a path now. Unless its window is full, what leaves until all that is
    /// under way has arrived shows less than the path can do.
    pub(crate) fn on_app_limited(&mut self, path: PathKey) {
        if let Some(path) = find(&mut self.paths, path) {
            path.on_app_limited();
        }
    }

    /// Whether the next packets of a path are to leave with the mark ECT(0).
    pub(crate) fn marks(&self, path: PathKey) -> bool {
        self.heard.may_mark() && self.path(path).is_none_or(PathRecovery::marks)
    }

    /// Takes the counts of marks of the acknowledgement just applied, which was newer than all before and had `acked`
    /// as its outcome; one without counts says zero.
    pub(crate) fn on_ecn_counts(&mut self, counts: EcnCounts, acked: &[PathAcked], now: Instant) {
        let marked = || acked.iter().filter(|a| a.marked > 0);
        let packets = match (marked().count(), self.heard.may_mark()) {
            // What came late is shown by the next counts.
            (0, true) => return,
            (1, _) => marked().map(|a| a.marked).sum(),
            _ => 0,
        };
        let congested = self.heard.on_counts(counts, packets);
        for path in marked() {
            let Some(path) = find(&mut self.paths, path.path) else {
                continue;
            };
            if path.on_marks_counted(congested.is_some()) && congested > Some(0) {
                path.on_ecn_ce(now);
            }
        }
    }

    /// What the packets under way on a path carry, oldest first: a probe best repeats the oldest.
    pub(crate) fn outstanding_on(&self, path: PathKey) -> impl Iterator<Item = &F> + '_ {
        self.ledger.outstanding_on(path)
    }

    /// Tells how large the datagrams of a path are, bytes of UDP payload; 1,200 before.
    pub(crate) fn set_mtu(&mut self, path: PathKey, mtu: u64, now: Instant) {
        if let Some(path) = open(&mut self.paths, self.kind, path, now) {
            path.set_mtu(mtu, now);
        }
    }

    /// Tells a first idea of a path's round-trip time, such as the handshake's; ignored once there
    /// was a sample.
    pub(crate) fn seed_rtt(&mut self, path: PathKey, rtt: Duration, now: Instant) {
        if let Some(path) = open(&mut self.paths, self.kind, path, now) {
            path.seed_rtt(rtt, now);
        }
    }

    /// Declares everything under way on a path lost, without a congestion signal; what is known of
    /// it stays. Lost packets are appended.
    pub(crate) fn on_path_abandoned(&mut self, path: PathKey, lost: &mut Vec<Lost<F>>) {
        let paths = &mut self.paths;
        self.ledger.settle_where(
            u64::MAX,
            |meta| meta.path == path,
            |meta, frames| {
                if let Some(path) = find(paths, meta.path) {
                    path.on_abandoned(&meta);
                }
                lost.push(Lost {
                    pn: meta.sent.pn,
                    path: meta.path,
                    bytes: meta.sent.bytes,
                    frames,
                });
            },
        );
    }

    /// Abandons a path and forgets all about it. Lost packets are appended.
    pub(crate) fn forget_path(&mut self, path: PathKey, lost: &mut Vec<Lost<F>>) {
        self.on_path_abandoned(path, lost);
        self.notes.forget_path(path);
        self.paths.retain(|p| p.key != path);
    }

    /// Bytes under way on a path.
    #[must_use]
    #[cfg(test)]
    pub(crate) fn bytes_in_flight(&self, path: PathKey) -> u64 {
        self.path(path).map_or(0, PathRecovery::in_flight_bytes)
    }

    /// The congestion window of a path, bytes.
    #[must_use]
    pub(crate) fn window(&self, path: PathKey) -> u64 {
        self.path(path)
            .map_or_else(|| initial_window(DEFAULT_MTU), PathRecovery::window)
    }

    /// Probe timeouts on a path since it last had an acknowledgement.
    #[must_use]
    pub(crate) fn pto_count(&self, path: PathKey) -> u32 {
        self.path(path).map_or(0, PathRecovery::pto_count)
    }

    /// The round-trip time of a path; `None` where nothing was sent on it yet.
    #[must_use]
    pub(crate) fn rtt(&self, path: PathKey) -> Option<&Rtt> {
        self.path(path).map(|p| &p.rtt)
    }

    /// Counters and estimates of a path; `None` where nothing was sent on it yet.
    #[must_use]
    pub(crate) fn stats(&self, path: PathKey) -> Option<PathStats> {
        self.path(path).map(PathRecovery::stats)
    }

    /// Whether nothing is under way.
    #[must_use]
    pub(crate) const fn is_idle(&self) -> bool {
        self.ledger.is_empty()
    }

    /// The controller that paths get.
    #[cfg(test)]
    pub(crate) fn kind(&self) -> ControllerKind {
        self.kind
    }

    /// Takes a path that a test made.
    #[cfg(test)]
    pub(super) fn insert_path(&mut self, path: PathRecovery) {
        self.paths.push(path);
    }

    pub(super) const fn numbers(&self) -> &PacketNumbers {
        &self.numbers
    }

    pub(super) fn all_stats(&self) -> impl Iterator<Item = PathStats> + '_ {
        self.paths.iter().map(PathRecovery::stats)
    }

    pub(super) fn go_on(&mut self, at: (u64, Option<u64>, u64), largest_acked: Option<u64>) {
        self.heard = HeardCounts::after_rest();
        self.numbers = PacketNumbers::at(at, largest_acked);
    }

    /// Opens a path whose round-trip time is known from before.
    pub(super) fn open_path(&mut self, key: PathKey, rtt: Rtt, mtu: u64, now: Instant) {
        self.paths.reserve_exact(1);
        self.paths
            .push(PathRecovery::new(key, self.kind, mtu, rtt, now));
    }

    /// The largest number among recorded packets known to have arrived.
    fn largest_delivered(&self) -> Option<u64> {
        let of_paths = self.paths.iter().map(PathRecovery::largest_acked_pn);
        of_paths.max().flatten()
    }

    fn path(&self, key: PathKey) -> Option<&PathRecovery> {
        self.paths.iter().find(|p| p.key == key)
    }

    /// Looks for losses on the paths that `touched` picks (RFC 9002 §6.1).
    fn detect_losses(
        &mut self,
        touched: impl Fn(PathKey) -> bool,
        now: Instant,
        lost: &mut Vec<Lost<F>>,
    ) {
        let mut below = 0;
        for path in self.paths.iter_mut().filter(|p| touched(p.key)) {
            path.begin_loss_detection();
            below = below.max(path.largest_acked_pn().unwrap_or(0));
        }
        let mut metas = Vec::new();
        let paths = &mut self.paths;
        self.ledger.settle_where(
            below,
            |meta| {
                touched(meta.path)
                    && find(paths, meta.path).is_some_and(|path| path.take_if_lost(meta, now))
            },
            |meta, frames| {
                metas.push(meta);
                lost.push(Lost {
                    pn: meta.sent.pn,
                    path: meta.path,
                    bytes: meta.sent.bytes,
                    frames,
                });
            },
        );
        for path in &mut self.paths {
            let Some(event) = path.finish_losses(now) else {
                continue;
            };
            for meta in metas.iter().filter(|m| m.path == path.key) {
                self.notes.note(meta, event);
            }
        }
    }
}

impl<F> Default for Recovery<F> {
    fn default() -> Self {
        Self::new(ControllerKind::default())
    }
}

fn find(paths: &mut [PathRecovery], key: PathKey) -> Option<&mut PathRecovery> {
    paths.iter_mut().find(|p| p.key == key)
}

/// The state of a path, which comes into being where it is new.
fn open(
    paths: &mut Vec<PathRecovery>,
    kind: ControllerKind,
    key: PathKey,
    now: Instant,
) -> Option<&mut PathRecovery> {
    if !paths.iter().any(|p| p.key == key) {
        let rtt = Rtt::new(limits::INITIAL_RTT);
        // Most peers have one path: room for more would weigh on every idle one.
        paths.reserve_exact(1);
        paths.push(PathRecovery::new(key, kind, DEFAULT_MTU, rtt, now));
    }
    find(paths, key)
}
