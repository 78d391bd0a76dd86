//! One data packet: what goes in, in order of priority, sealed and noted (protocol §4, §7, §8.6): acknowledgements and
//! control first, then what the levels' schedule says.

use smallvec::SmallVec;

use super::Peer;
use super::sessions::Sessions;
use crate::ecn::EcnCounts;
use crate::level::window::Pace;
use crate::limits;
use crate::path::PathKey;
use crate::recovery::{self, Recovery, SentPacket};
use crate::rng::Rng;
use crate::schedule::{Content, SentFrame};
use crate::session::{RESET_TRIGGER_BYTES_MIN, TAG_BYTES};
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::{Frame, ack, padding};

/// A packet this much shorter than its place is padded to it, so that a batch goes on.
const PAD_AT_MOST: usize = 64;
/// Ranges in an acknowledgement from which on it is worth to learn which ones the peer knows about.
const ECHO_RANGES: usize = 16;

impl Peer {
    /// Whether a data packet would carry anything.
    pub(super) fn has_output(&self, now: Instant) -> bool {
        self.received.ack_due(now) || self.has_eliciting()
    }

    pub(super) fn has_eliciting(&self) -> bool {
        self.pings.waits() || self.controls.waits() || self.levels.waits()
    }

    /// A node that only receives never hears which of its acknowledgements arrived, and lists gaps for ever. Now and
    /// then one of them asks to be acknowledged itself (RFC 9000 §13.2.4).
    fn wants_echo(&self) -> bool {
        self.received.range_count() > ECHO_RANGES && self.recovery.is_idle()
    }

    /// Builds one packet of the active path in `room`. `None` where nothing is to be said.
    pub(super) fn build_packet(
        &mut self,
        now: Instant,
        path: PathKey,
        room: &mut [u8],
        may_elicit: bool,
        is_marked: bool,
    ) -> Option<usize> {
        let wants_echo = self.wants_echo();
        let elicits = may_elicit && (self.has_eliciting() || wants_echo);
        if !elicits && !self.received.ack_due(now) {
            return None;
        }
        let pace = self.pace(now, path);
        let is_pinging = self.pings.elicits() || wants_echo;
        let acks = self.received.ack_pending().then(|| self.ack_ranges(now));
        let marks = self.received.marks();
        let kind = PacketKind { elicits, is_marked };
        let mut used = Used::default();
        let mut writer = PacketWriter {
            sessions: &mut self.sessions,
            recovery: &mut self.recovery,
            rng: &mut self.rng,
        };
        let len = writer.seal(now, path, room, kind, |w, content| {
            if let Some((delay_us, ranges)) = &acks {
                used.ack = write_ack(w, *delay_us, ranges, marks.as_ref(), content);
            }
            if elicits {
                self.pings.fill(w, content);
                self.controls.fill(w, content);
                if let Some(levels) = self.levels.open_mut() {
                    used.is_data = levels.fill(pace, w, content);
                }
                let is_more = |f: &SentFrame| !matches!(f, SentFrame::Ack { .. });
                used.is_busy = used.is_data || content.iter().any(is_more);
                if is_pinging && content.iter().all(|f| matches!(f, SentFrame::Ack { .. })) {
                    let _ = Frame::Ping.encode(w);
                }
                pad(w);
            }
            !w.is_empty()
        })?;
        self.on_built(now, &used, elicits);
        Some(len)
    }

    /// How fast credit may be used up on a path.
    fn pace(&self, now: Instant, path: PathKey) -> Pace {
        let rtt = self.recovery.rtt(recovery::PathKey(path.0));
        let rtt = rtt.map_or(limits::INITIAL_RTT, recovery::Rtt::smoothed);
        Pace { now, rtt }
    }

    fn on_built(&mut self, now: Instant, used: &Used, elicits: bool) {
        if used.ack {
            self.received.on_ack_sent(now);
        }
        self.pings.on_packet_built(elicits);
        if used.is_busy {
            self.activity.on_busy(now);
        }
        if used.is_data {
            self.sessions.on_application_data();
        }
    }

    fn ack_ranges(&self, now: Instant) -> (u64, SmallVec<[ack::Range; 4]>) {
        let delay = self.received.ack_delay(now).as_micros();
        (
            u64::try_from(delay).unwrap_or(u64::MAX >> 2),
            self.received.ranges().collect(),
        )
    }

    /// What seals packets now.
    pub(super) fn writer(&mut self) -> PacketWriter<'_> {
        PacketWriter {
            sessions: &mut self.sessions,
            recovery: &mut self.recovery,
            rng: &mut self.rng,
        }
    }
}

/// Numbers, seals and notes packets.
pub(super) struct PacketWriter<'a> {
    sessions: &'a mut Sessions,
    recovery: &'a mut Recovery<Content>,
    rng: &'a mut Rng,
}

impl PacketWriter<'_> {
    /// Writes a header, lets `fill` write frames, seals the packet and notes it. `fill` says whether there is
    /// anything to send.
    pub(super) fn seal(
        &mut self,
        now: Instant,
        path: PathKey,
        room: &mut [u8],
        kind: PacketKind,
        fill: impl FnOnce(&mut Writer<'_>, &mut Content) -> bool,
    ) -> Option<usize> {
        let largest_acked = self.recovery.largest_acked();
        let (session, lifetime) = self.sessions.sealing()?;
        let pn = self.recovery.next_packet_number(self.rng);
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
            path: recovery::PathKey(path.0),
            ack_eliciting: kind.elicits,
            is_marked: kind.is_marked,
            frames,
        });
        Some(len)
    }
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

/// What a packet took along that is counted outside of the levels.
#[derive(Default)]
struct Used {
    ack: bool,
    is_data: bool,
    /// It carries more than signs of life and what answers those.
    is_busy: bool,
}

fn write_ack(
    w: &mut Writer<'_>,
    delay_us: u64,
    ranges: &[ack::Range],
    marks: Option<&EcnCounts>,
    content: &mut Content,
) -> bool {
    let Some((_, largest)) = ranges.first() else {
        return false;
    };
    let written = ack::encode_ranges(w, delay_us, ranges, marks).is_ok();
    if written {
        content.push(SentFrame::Ack { largest: *largest });
    }
    written
}

/// Fills the rest of a nearly full packet; one single byte cannot be filled and stays away.
fn pad(w: &mut Writer<'_>) {
    let left = w.remaining();
    if left <= PAD_AT_MOST && !w.is_empty() {
        let _ = padding::fill(w, left);
    }
}
