//! The line to a peer: its paths, and what is under way on each. Packets get their numbers here, are sealed and noted;
//! acknowledgements, losses and changes of paths are told to both sides, and what the packets carried to whoever wrote
//! it ([`Hears`]).

mod change;
mod rest;

pub(super) use self::change::Change;
pub(super) use self::rest::LineAtRest;
use super::sessions::Sessions;
use super::transmit::PeerTransmit;
use crate::api::{ControllerKind, PathChangeReason};
use crate::error::PeerMisbehaved;
use crate::level::window::Pace;
use crate::limits;
use crate::path::{PathEvent, PathKey, Paths, Route};
use crate::recovery::{
    self, AckOutcome, Lost, PathStats, Recovery, Rtt, SentPacket, TimeoutOutcome,
};
use crate::rng::Rng;
use crate::schedule::{Acked, Content, SentFrame};
use crate::session::{RESET_TRIGGER_BYTES_MIN, TAG_BYTES};
use crate::time::{Deadline, Duration, Instant, TimerKind};
use crate::wire::Writer;
use crate::wire::frame::{AckFrame, Frame, PathChallengeFrame, PathResponseFrame, padding};

/// Whoever wrote frames hears what became of them.
pub(super) trait Hears {
    /// The packet with this in it was acknowledged.
    fn on_delivered(&mut self, frame: &SentFrame, acked: Acked);

    /// The packet with this in it is lost.
    fn on_lost(&mut self, frame: SentFrame);

    /// A probe timeout fired while this was in the oldest packet under way: best sent again.
    fn on_probe(&mut self, frame: SentFrame);

    /// A packet is to leave that elicits an acknowledgement, whatever the window says.
    fn on_probe_due(&mut self);
}

/// How a packet leaves.
#[derive(Clone, Copy)]
pub(super) struct PacketKind {
    /// It is to be acknowledged.
    pub(super) elicits: bool,
    /// With the mark ECT(0).
    pub(super) is_marked: bool,
}

impl PacketKind {
    /// Not to be acknowledged.
    pub(super) const SILENT: Self = Self {
        elicits: false,
        is_marked: false,
    };
    /// To be acknowledged, not marked.
    pub(super) const PLAIN: Self = Self {
        elicits: true,
        is_marked: false,
    };
}

/// What may leave now on the path in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    pub(super) path: PathKey,
    pub(super) route: Route,
    /// Bytes of the largest packet.
    pub(super) room_bytes: usize,
    /// Bytes in all that elicit acknowledgements; probes may exceed it.
    pub(super) bytes: u64,
}

/// Paths, and packets under way on them.
pub(crate) struct Line {
    /// Ways to the peer; links, addresses and relays are told to them directly.
    pub(crate) paths: Paths,
    recovery: Recovery<Content>,
    congestion: ControllerKind,
    /// When the pacer lets the next packet go, where one waits for it.
    paced_until: Option<Instant>,
    /// Used again, so that the steady state allocates nothing.
    acks: AckOutcome<Content>,
    timeouts: TimeoutOutcome<Content>,
    rng: Rng,
}

impl Line {
    /// A line over these paths, with nothing under way.
    pub(super) fn new(paths: Paths, congestion: ControllerKind, rng: Rng) -> Self {
        Self {
            paths,
            recovery: Recovery::new(congestion),
            congestion,
            paced_until: None,
            acks: AckOutcome::new(),
            timeouts: TimeoutOutcome::new(),
            rng,
        }
    }

    /// The association is over: nothing is under way any more, and packet numbers begin anew.
    pub(super) fn on_ended(&mut self) {
        self.paths.on_ended();
        self.recovery = Recovery::new(self.congestion);
        self.paced_until = None;
    }

    /// Where data goes now.
    pub(super) fn active_route(&self) -> Option<Route> {
        self.paths.active().map(|(_, route)| route)
    }

    /// Smoothed round-trip time on the active path.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.paths.status().first().and_then(|route| route.rtt)
    }

    /// A round trip over a route was measured from outside: the first sample.
    pub(super) fn seed_rtt(&mut self, now: Instant, path: PathKey, rtt: Duration) {
        self.recovery.seed_rtt(key(path), rtt, now);
    }

    /// Writes a header, lets `fill` write frames, seals the packet and notes it. `fill` says whether there is
    /// anything to send.
    pub(super) fn seal(
        &mut self,
        sessions: &mut Sessions,
        (now, path): (Instant, PathKey),
        room: &mut [u8],
        kind: PacketKind,
        fill: impl FnOnce(&mut Writer<'_>, &mut Content) -> bool,
    ) -> Option<usize> {
        let largest_acked = self.recovery.largest_acked();
        let (session, lifetime) = sessions.sealing()?;
        let pn = self.recovery.next_packet_number(&mut self.rng);
        let header_len = session.write_header(room, pn, largest_acked)?;
        let body_end = room.len().checked_sub(TAG_BYTES)?;
        let mut writer = Writer::new(room.get_mut(header_len..body_end)?);
        let mut frames = Content::new();
        if !fill(&mut writer, &mut frames) {
            return None;
        }
        // Long enough for the sample of header protection, and to be answered by one who lost the keys.
        let least = RESET_TRIGGER_BYTES_MIN.saturating_sub(header_len + TAG_BYTES);
        let missing = least.saturating_sub(writer.len());
        if missing > 0 {
            padding::fill(&mut writer, missing.max(padding::ENCODED_LEN_MIN)).ok()?;
        }
        let len = header_len + writer.len() + TAG_BYTES;
        session.seal(room.get_mut(..len)?, header_len, pn).ok()?;
        lifetime.on_packet(len);
        self.recovery.on_packet_sent(SentPacket {
            pn,
            at: now,
            bytes: u32::try_from(len).ok()?,
            path: key(path),
            ack_eliciting: kind.elicits,
            is_marked: kind.is_marked,
            frames,
        });
        Some(len)
    }

    /// One packet over a route with one frame, which nobody hears of again.
    pub(super) fn seal_lone(
        &mut self,
        sessions: &mut Sessions,
        (now, route): (Instant, Route),
        buffer: &mut [u8],
        kind: PacketKind,
        frame: &Frame<'_>,
    ) -> Option<PeerTransmit> {
        let path = self.paths.key_of(route).unwrap_or(PathKey(u32::MAX));
        let fill = |w: &mut Writer<'_>, _: &mut Content| frame.encode(w).is_ok();
        let len = self.seal(sessions, (now, path), buffer, kind, fill)?;
        Some(PeerTransmit::single(route, len))
    }

    /// An answer to a path challenge, on the path that it came by.
    pub(super) fn poll_response(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<PeerTransmit> {
        let (route, data) = self.paths.poll_response()?;
        let frame = Frame::PathResponse(PathResponseFrame { data });
        self.seal_lone(sessions, (now, route), buffer, PacketKind::SILENT, &frame)
    }

    /// A path challenge. `may_probe` says whether the node's budget for probes to unvalidated addresses has room;
    /// `probed` counts those that were used.
    pub(super) fn poll_probe(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        buffer: &mut [u8],
        may_probe: bool,
        probed: &mut u32,
    ) -> Option<PeerTransmit> {
        let probe = self.paths.poll_probe(now, may_probe)?;
        *probed += u32::from(!probe.validated);
        let (at, data) = ((now, probe.route), probe.challenge);
        let frame = Frame::PathChallenge(PathChallengeFrame { data });
        self.seal_lone(sessions, at, buffer, PacketKind::SILENT, &frame)
    }

    /// A sign of life.
    pub(super) fn poll_keep_alive(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<PeerTransmit> {
        let at = (now, self.paths.poll_keep_alive(now)?);
        self.seal_lone(sessions, at, buffer, PacketKind::SILENT, &Frame::KeepAlive)
    }

    /// A packet that shows how large datagrams may be.
    pub(super) fn poll_mtu_probe(
        &mut self,
        sessions: &mut Sessions,
        now: Instant,
        buffer: &mut [u8],
    ) -> Option<PeerTransmit> {
        let (path, route, size) = self.paths.poll_mtu_probe(now)?;
        let room = buffer.get_mut(..size)?;
        let fill = |w: &mut Writer<'_>, content: &mut Content| {
            content.push(SentFrame::MtuProbe(size));
            Frame::Ping.encode(w).is_ok() && padding::fill(w, w.remaining()).is_ok()
        };
        let len = self.seal(sessions, (now, path), room, PacketKind::PLAIN, fill)?;
        Some(PeerTransmit::single(route, len))
    }

    /// Nothing is to be said: what will leave next shows the rate of the application, not of the path.
    pub(super) fn on_app_limited(&mut self) {
        self.paced_until = None;
        if let Some((path, _)) = self.paths.active() {
            self.recovery.on_app_limited(key(path));
        }
    }

    /// What may leave now; `None` without a path.
    pub(super) fn allowance(&mut self, now: Instant) -> Option<Allowance> {
        self.paced_until = None;
        let (path, route) = self.paths.active()?;
        let budget = self.recovery.may_send(key(path), now);
        if budget.bytes == 0 {
            self.paced_until = budget.blocked_until;
        }
        Some(Allowance {
            path,
            route,
            room_bytes: self.paths.max_datagram_bytes(path),
            bytes: budget.bytes,
        })
    }

    /// Whether packets of a path leave with the mark ECT(0). A relay's own hops are not ours to mark.
    pub(super) fn marks(&self, path: PathKey, route: Route) -> bool {
        route.is_direct() && self.recovery.marks(key(path))
    }

    /// How fast credit may be used up on a path.
    pub(super) fn pace(&self, now: Instant, path: PathKey) -> Pace {
        let rtt = self.recovery.rtt(key(path));
        let rtt = rtt.map_or(limits::INITIAL_RTT, Rtt::smoothed);
        Pace { now, rtt }
    }

    /// Whether nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.recovery.is_idle()
    }

    /// The largest packet number that was acknowledged.
    pub(super) fn largest_acked(&self) -> Option<u64> {
        self.recovery.largest_acked()
    }

    /// An acknowledgement came in the packet with the number `pn`.
    ///
    /// # Errors
    /// `AckOfUnsentPacket`; what it rightly acknowledged counts all the same.
    pub(super) fn on_ack(
        &mut self,
        now: Instant,
        pn: u64,
        ack: &AckFrame<'_>,
        writers: &mut impl Hears,
    ) -> Result<(), PeerMisbehaved> {
        let delay = Duration::from_micros(ack.delay_us.min(1_000_000));
        let mut acks = core::mem::take(&mut self.acks);
        let newest = self.recovery.largest_acked();
        let result = self.recovery.on_ack(ack.ranges(), delay, now, &mut acks);
        // Acknowledgements may overtake each other: older counts say nothing (RFC 9000 §13.4.2.1).
        if result.is_ok() && Some(ack.largest) > newest {
            let counts = ack.ecn.unwrap_or_default();
            self.recovery.on_ecn_counts(counts, &acks.acked, now);
        }
        let rtt = acks.rtt_sample.map(|(_, rtt)| rtt);
        let acked = Acked {
            by_pn: pn,
            now,
            rtt,
        };
        for delivered in acks.delivered.drain(..) {
            let path = PathKey(delivered.path.0);
            self.paths.on_datagram_acked(path, delivered.bytes as usize);
            for frame in delivered.frames {
                if let SentFrame::MtuProbe(bytes) = frame {
                    self.paths.on_mtu_probe_acked(now, path, bytes);
                    self.learn_mtu(now, path);
                } else {
                    writers.on_delivered(&frame, acked);
                }
            }
        }
        self.apply_losses(now, &mut acks.lost, writers);
        if let Some((path, _)) = acks.rtt_sample
            && let Some(smoothed) = self.recovery.rtt(path).map(Rtt::smoothed)
        {
            self.paths.on_rtt(now, PathKey(path.0), smoothed);
        }
        self.acks = acks;
        result.map_err(|_| PeerMisbehaved::AckOfUnsentPacket)
    }

    /// Finds losses, and probes where an acknowledgement is overdue.
    pub(super) fn on_timeout(&mut self, now: Instant, writers: &mut impl Hears) {
        if self.recovery.next_timeout().is_none_or(|at| at > now) {
            return;
        }
        let mut timeouts = core::mem::take(&mut self.timeouts);
        self.recovery.on_timeout(now, &mut timeouts);
        self.apply_losses(now, &mut timeouts.lost, writers);
        let active = self.paths.active().map(|(path, _)| path);
        for path in timeouts.probes.drain(..) {
            let path_key = PathKey(path.0);
            if active == Some(path_key) {
                let count = self.recovery.pto_count(path);
                self.paths.on_probe_timeouts(now, path_key, count);
                self.repeat_oldest(path, writers);
                writers.on_probe_due();
            } else {
                self.abandon(now, path_key, writers);
            }
        }
        self.timeouts = timeouts;
    }

    /// What became of the paths since the last call.
    pub(super) fn poll_change(&mut self, now: Instant, writers: &mut impl Hears) -> Option<Change> {
        use PathChangeReason as Reason;
        loop {
            match self.paths.poll_event()? {
                PathEvent::ActiveChanged {
                    from, to, reason, ..
                } => {
                    let left = from.filter(|_| matches!(reason, Reason::Failed | Reason::Roamed));
                    if let Some(left) = left {
                        self.abandon(now, left, writers);
                    }
                    self.learn_mtu(now, to);
                    return Some(Change::Moved(reason));
                }
                PathEvent::PathDropped(path) => {
                    let mut lost = Vec::new();
                    self.recovery.forget_path(key(path), &mut lost);
                    self.apply_losses(now, &mut lost, writers);
                }
                PathEvent::Silent => return Some(Change::Silent),
                PathEvent::AllPathsLost => return Some(Change::Lost),
            }
        }
    }

    /// The congestion controller of its paths.
    #[cfg(test)]
    pub(super) fn congestion(&self) -> ControllerKind {
        self.recovery.kind()
    }

    /// When to be told the time.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let at = |at: Option<Instant>, kind| at.map(|at| Deadline::new(at, kind));
        let mut next = self.paths.next_timeout();
        let losses = at(self.recovery.next_timeout(), TimerKind::LossDetection);
        next = Deadline::earlier(next, losses);
        Deadline::earlier(next, at(self.paced_until, TimerKind::Pacing))
    }

    /// What is known of one path's packets.
    pub(super) fn stats(&self, path: PathKey) -> Option<PathStats> {
        self.recovery.stats(key(path))
    }

    /// The congestion window of a path.
    pub(super) fn window(&self, path: PathKey) -> u64 {
        self.recovery.window(key(path))
    }

    fn learn_mtu(&mut self, now: Instant, path: PathKey) {
        let mtu = self.paths.max_datagram_bytes(path) as u64;
        self.recovery.set_mtu(key(path), mtu, now);
    }

    /// Tells losses to whom they concern; the list is emptied.
    fn apply_losses(
        &mut self,
        now: Instant,
        lost: &mut Vec<Lost<Content>>,
        writers: &mut impl Hears,
    ) {
        for lost in lost.drain(..) {
            let path = PathKey(lost.path.0);
            let is_probe = matches!(lost.frames.first(), Some(SentFrame::MtuProbe(_)));
            if !is_probe && self.paths.on_datagram_lost(now, path, lost.bytes as usize) {
                self.learn_mtu(now, path);
            }
            for frame in lost.frames {
                match frame {
                    SentFrame::MtuProbe(bytes) => self.paths.on_mtu_probe_lost(now, path, bytes),
                    frame => writers.on_lost(frame),
                }
            }
        }
    }

    /// Sends again what the oldest packet under way carries: a probe timeout best repeats that.
    fn repeat_oldest(&self, path: recovery::PathKey, writers: &mut impl Hears) {
        let mut outstanding = self.recovery.outstanding_on(path);
        let oldest = outstanding.find(|content| content.iter().any(SentFrame::is_repeated));
        for frame in oldest.into_iter().flatten() {
            writers.on_probe(frame.clone());
        }
    }

    /// Sends again on the active path whatever is under way on one that is left.
    fn abandon(&mut self, now: Instant, path: PathKey, writers: &mut impl Hears) {
        let mut lost = Vec::new();
        self.recovery.on_path_abandoned(key(path), &mut lost);
        self.apply_losses(now, &mut lost, writers);
    }
}

/// The same path in the words of recovery.
const fn key(path: PathKey) -> recovery::PathKey {
    recovery::PathKey(path.0)
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::peer::tests;
    use crate::wire::frame::{self, ack};

    /// Notes what it hears.
    #[derive(Default)]
    struct Ear {
        delivered: usize,
        lost: usize,
        probes: usize,
    }

    impl Hears for Ear {
        fn on_delivered(&mut self, _frame: &SentFrame, _acked: Acked) {
            self.delivered += 1;
        }

        fn on_lost(&mut self, _frame: SentFrame) {
            self.lost += 1;
        }

        fn on_probe(&mut self, _frame: SentFrame) {}

        fn on_probe_due(&mut self) {
            self.probes += 1;
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn route(n: u8) -> Route {
        Route::to(SocketAddr::from(([198, 51, 100, n], 6660)))
    }

    /// A line over one path, and the keys for it.
    fn line() -> (Line, Sessions) {
        let rng = Rng::from_seed([1; 32]);
        let mut paths = Paths::new(rng.fork("paths"), true, at(0));
        paths.on_established(at(0), route(1));
        let mut sessions = Sessions::default();
        sessions.install(at(0), tests::sessions(10).0, 42, None);
        let mut line = Line::new(paths, ControllerKind::default(), rng);
        assert!(line.poll_change(at(0), &mut Ear::default()).is_some());
        (line, sessions)
    }

    /// Sends a packet that notes one frame; its number.
    fn send(line: &mut Line, sessions: &mut Sessions, now: Instant) -> u64 {
        let (path, _) = line.paths.active().expect("a path");
        let (mut buffer, kind) = ([0; 1_200], PacketKind::PLAIN);
        let before = line.next_pn();
        let len = line.seal(sessions, (now, path), &mut buffer, kind, |w, content| {
            content.push(SentFrame::Ping);
            Frame::Ping.encode(w).is_ok()
        });
        assert!(len.is_some());
        // Numbers that are left out lie in between.
        line.next_pn().saturating_sub(1).max(before)
    }

    fn acknowledge(
        line: &mut Line,
        now: Instant,
        ranges: &[ack::Range],
        ear: &mut Ear,
    ) -> Result<(), PeerMisbehaved> {
        let mut buffer = [0; 200];
        let mut w = Writer::new(&mut buffer);
        ack::encode_ranges(&mut w, 0, ranges, None).expect("room");
        let frame = frame::iter(w.written()).next().expect("one");
        let Ok(Frame::Ack(ack)) = frame else {
            panic!("{frame:?}");
        };
        line.on_ack(now, 0, &ack, ear)
    }

    #[test]
    fn what_a_packet_carried_is_heard_of_once() {
        let ((mut line, mut sessions), mut ear) = (line(), Ear::default());
        let pn = send(&mut line, &mut sessions, at(0));
        assert!(!line.is_idle());
        for _ in 0..3 {
            assert_eq!(
                acknowledge(&mut line, at(50), &[(pn, pn)], &mut ear),
                Ok(())
            );
        }
        assert_eq!((ear.delivered, ear.lost), (1, 0));
        assert!(line.is_idle());
        assert_eq!(line.rtt(), Some(Duration::from_millis(50)));
    }

    /// A peer that acknowledges what was never sent could make us send faster than it hears.
    #[test]
    fn an_acknowledgement_of_what_was_never_sent_is_a_fault() {
        let ((mut line, mut sessions), mut ear) = (line(), Ear::default());
        let pn = send(&mut line, &mut sessions, at(0));
        let fault = acknowledge(&mut line, at(50), &[(pn, pn + 1_000)], &mut ear);
        assert_eq!(fault, Err(PeerMisbehaved::AckOfUnsentPacket));
    }

    #[test]
    fn silence_calls_for_probes_and_losses_are_told_when_a_later_packet_arrives() {
        let ((mut line, mut sessions), mut ear) = (line(), Ear::default());
        send(&mut line, &mut sessions, at(0));
        line.on_timeout(at(10), &mut ear);
        assert_eq!((ear.probes, ear.lost), (0, 0), "it may only be slow");
        line.on_timeout(at(8_000), &mut ear);
        assert_eq!((ear.probes, ear.lost), (1, 0), "a probe is no loss");
        let mut newest = 0;
        for n in 0..8 {
            newest = send(&mut line, &mut sessions, at(9_000 + n));
        }
        let result = acknowledge(&mut line, at(9_050), &[(newest, newest)], &mut ear);
        assert_eq!(result, Ok(()));
        assert_eq!(ear.delivered, 1);
        assert!(ear.lost >= 1, "the first is long overdue");
    }

    /// Keys of another association seal from the beginning: no number may be used twice under the same keys, and none
    /// of the association before is recognised.
    #[test]
    fn the_next_association_begins_with_nothing_under_way() {
        let ((mut line, mut sessions), mut ear) = (line(), Ear::default());
        let pn = send(&mut line, &mut sessions, at(0));
        line.on_ended();
        assert!(line.is_idle());
        assert_eq!((line.next_pn(), line.largest_acked()), (0, None));
        let fault = acknowledge(&mut line, at(50), &[(pn, pn)], &mut ear);
        assert_eq!(fault, Err(PeerMisbehaved::AckOfUnsentPacket));
        assert_eq!(ear.delivered, 0);
    }
}
