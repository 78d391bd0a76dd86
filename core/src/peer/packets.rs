//! One data packet: what goes in, in order of priority, sealed and noted (protocol §4, §7; the scheduler's four
//! priorities: control and acknowledgements, datagrams, requests, messages and streams in turn).

use smallvec::SmallVec;

use super::Peer;
use super::content::{Content, SentFrame};
use super::levels::Levels;
use super::outcome::Reply;
use crate::level::message::{MessageControl, MessageSent};
use crate::level::request::RequestPayload;
use crate::level::stream::{StreamControl, StreamSent};
use crate::level::window::Pace;
use crate::limits;
use crate::path::PathKey;
use crate::recovery::{self, SentPacket};
use crate::session::{RESET_TRIGGER_BYTES_MIN, TAG_BYTES};
use crate::time::Instant;
use crate::wire::frame::{
    AnswerFrame, ControlFrame, DatagramFrame, Frame, MessageAbandonFrame, MessageCreditFrame,
    MessageFrame, RequestFrame, StreamCreditFrame, StreamFrame, StreamResetFrame, StreamStopFrame,
    StreamsCreditFrame, StreamsLimitFrame, ack, padding,
};
use crate::wire::{NoRoom, Writer};

/// A packet this much shorter than its place is padded to it, so that a batch goes on.
const PAD_AT_MOST: usize = 64;
/// Ranges in an acknowledgement from which on it is worth to learn which ones the peer knows about.
const ECHO_RANGES: usize = 16;

impl Peer {
    /// Whether a data packet would carry anything.
    pub(super) fn has_output(&self, now: Instant) -> bool {
        self.received.ack_due(now) || self.has_eliciting()
    }

    fn has_eliciting(&self) -> bool {
        self.confirm_due
            || self.probes > 0
            || self.pings > 0
            || !self.controls.is_empty()
            || self
                .levels
                .as_ref()
                .is_some_and(|levels| levels.has_data_to_send())
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
    ) -> Option<usize> {
        let wants_echo = self.wants_echo();
        let elicits = may_elicit && (self.has_eliciting() || wants_echo);
        if !elicits && !self.received.ack_due(now) {
            return None;
        }
        let mut levels = self.levels.take();
        let pace = self.pace(now, path);
        let (pings, confirm) = (
            self.pings,
            self.confirm_due || self.probes > 0 || wants_echo,
        );
        let mut controls = core::mem::take(&mut self.controls);
        let acks = self.received.ack_pending().then(|| self.ack_ranges(now));
        let mut used = Used::default();
        let len = self.seal_with(now, path, room, elicits, |w, content| {
            if let Some((delay_us, ranges)) = &acks {
                used.ack = write_ack(w, *delay_us, ranges, content);
            }
            if elicits {
                used.pings = write_pings(w, pings, content);
                while let Some(json) = controls.front() {
                    if Frame::Control(ControlFrame { json }).encode(w).is_err() {
                        break;
                    }
                    content.extend(controls.pop_front().map(SentFrame::Control));
                }
                if let Some(levels) = &mut levels {
                    used.is_data = write_levels(pace, w, levels, content);
                }
                if confirm && content.iter().all(|f| matches!(f, SentFrame::Ack { .. })) {
                    let _ = Frame::Ping.encode(w);
                }
                pad(w);
            }
            !w.is_empty()
        });
        self.levels = levels;
        self.controls = controls;
        if len.is_some() {
            self.on_built(now, &used, elicits);
        }
        len
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
        self.pings -= used.pings;
        if used.is_data {
            self.sessions.on_application_data();
        }
        self.confirm_due &= !elicits;
    }

    fn ack_ranges(&self, now: Instant) -> (u64, SmallVec<[ack::Range; 4]>) {
        let delay = self.received.ack_delay(now).as_micros();
        (
            u64::try_from(delay).unwrap_or(u64::MAX >> 2),
            self.received.ranges().collect(),
        )
    }

    /// Writes a header, lets `fill` write frames, seals the packet and notes it. `fill` says whether there is
    /// anything to send.
    pub(super) fn seal_with(
        &mut self,
        now: Instant,
        path: PathKey,
        room: &mut [u8],
        ack_eliciting: bool,
        fill: impl FnOnce(&mut Writer<'_>, &mut Content) -> bool,
    ) -> Option<usize> {
        let largest_acked = self.recovery.largest_acked();
        let (session, lifetime) = self.sessions.sealing()?;
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
            path: recovery::PathKey(path.0),
            ack_eliciting,
            frames,
        });
        Some(len)
    }
}

/// What a packet took along that is counted outside of the levels.
#[derive(Default)]
struct Used {
    ack: bool,
    pings: u32,
    is_data: bool,
}

fn write_ack(
    w: &mut Writer<'_>,
    delay_us: u64,
    ranges: &[ack::Range],
    content: &mut Content,
) -> bool {
    let Some((_, largest)) = ranges.first() else {
        return false;
    };
    let written = ack::encode_ranges(w, delay_us, ranges).is_ok();
    if written {
        content.push(SentFrame::Ack { largest: *largest });
    }
    written
}

fn write_pings(w: &mut Writer<'_>, pings: u32, content: &mut Content) -> u32 {
    for written in 0..pings {
        if Frame::Ping.encode(w).is_err() {
            return written;
        }
        content.push(SentFrame::Ping);
    }
    pings
}

/// Fills the rest of a nearly full packet; one single byte cannot be filled and stays away.
fn pad(w: &mut Writer<'_>) {
    let left = w.remaining();
    if left <= PAD_AT_MOST && !w.is_empty() {
        let _ = padding::fill(w, left);
    }
}

/// Says whether any of it is the application's: such sessions change their keys sooner (protocol §4.5).
fn write_levels(
    pace: Pace,
    w: &mut Writer<'_>,
    levels: &mut Levels,
    content: &mut Content,
) -> bool {
    let (mut is_data, now) = (false, pace.now);
    write_level_controls(pace, w, levels, content);
    while let Some(queued) = levels.datagrams.poll(w.remaining(), now) {
        let frame = DatagramFrame {
            channel: queued.channel,
            data: &queued.data,
        };
        if Frame::Datagram(frame).encode(w).is_err() {
            return is_data;
        }
        is_data = true;
    }
    is_data |= write_requests(now, w, levels, content);
    let order = [levels.streams_first, !levels.streams_first];
    levels.streams_first = !levels.streams_first;
    for streams in order {
        if streams {
            write_streams(w, levels, content);
        } else {
            write_messages(w, levels, content);
        }
    }
    let of_level = |f: &SentFrame| matches!(f, SentFrame::Stream(_) | SentFrame::Message(_));
    is_data || content.iter().any(of_level)
}

fn write_level_controls(
    pace: Pace,
    w: &mut Writer<'_>,
    levels: &mut Levels,
    content: &mut Content,
) {
    while let Some(control) = levels.streams.poll_control(w.remaining(), pace) {
        if stream_control_frame(control).encode(w).is_err() {
            levels.streams.on_lost(&StreamSent::Control(control));
            break;
        }
        content.push(SentFrame::Stream(StreamSent::Control(control)));
    }
    while let Some(control) = levels.messages.poll_control(w.remaining(), pace) {
        let frame = match control {
            MessageControl::Credit {
                total_bytes,
                total_messages,
            } => Frame::MessageCredit(MessageCreditFrame {
                total_bytes,
                total_messages,
            }),
            MessageControl::Abandon { wire_id } => {
                Frame::MessageAbandon(MessageAbandonFrame { id: wire_id })
            }
        };
        if frame.encode(w).is_err() {
            levels.messages.on_lost(&MessageSent::Control(control));
            break;
        }
        content.push(SentFrame::Message(MessageSent::Control(control)));
    }
}

fn stream_control_frame(control: StreamControl) -> Frame<'static> {
    match control {
        StreamControl::Reset {
            id,
            code,
            final_size_bytes,
        } => Frame::StreamReset(StreamResetFrame {
            id: id.0,
            code,
            final_size_bytes,
        }),
        StreamControl::Stop { id, code } => Frame::StreamStop(StreamStopFrame { id: id.0, code }),
        StreamControl::StreamCredit { id, total_bytes } => Frame::StreamCredit(StreamCreditFrame {
            id: id.0,
            total_bytes,
        }),
        StreamControl::StreamsCredit { total_bytes } => {
            Frame::StreamsCredit(StreamsCreditFrame { total_bytes })
        }
        StreamControl::StreamsLimit { streams } => {
            Frame::StreamsLimit(StreamsLimitFrame { streams })
        }
    }
}

fn write_requests(
    now: Instant,
    w: &mut Writer<'_>,
    levels: &mut Levels,
    content: &mut Content,
) -> bool {
    let mut is_data = false;
    while let Some((reference, reply)) = levels.reply_queue.front() {
        let written = match reply {
            Reply::Application { status, body } => {
                let (reference, status) = (*reference, *status);
                Frame::Answer(AnswerFrame {
                    reference,
                    status,
                    body,
                })
                .encode(w)
            }
            Reply::Control(json) => Frame::Control(ControlFrame { json }).encode(w),
        };
        if written.is_err() {
            break;
        }
        is_data |= matches!(reply, Reply::Application { .. });
        if let Some((reference, _)) = levels.reply_queue.pop_front() {
            let sending = levels.replies.on_reply_sent(reference);
            content.push(SentFrame::Reply { reference, sending });
        }
    }
    while let Some(request) = levels.requests.poll_send(w.remaining(), now) {
        let written: Result<(), NoRoom> = match &request.payload {
            RequestPayload::App { service, body } => {
                let reference = request.reference;
                Frame::Request(RequestFrame {
                    reference,
                    service,
                    body,
                })
                .encode(w)
            }
            RequestPayload::Control(json) => Frame::Control(ControlFrame { json }).encode(w),
        };
        if written.is_err() {
            break;
        }
        is_data |= matches!(request.payload, RequestPayload::App { .. });
        content.push(SentFrame::Request {
            reference: request.reference,
            sending: request.sendings,
        });
    }
    is_data
}

fn write_streams(w: &mut Writer<'_>, levels: &mut Levels, content: &mut Content) {
    while let Some(piece) = levels.streams.poll_stream_frame(w.remaining()) {
        let sent = piece.sent();
        let frame = StreamFrame {
            id: piece.id.0,
            offset_bytes: piece.offset,
            channel: piece.open,
            fin: piece.fin,
            data: &piece.data,
        };
        if Frame::Stream(frame).encode(w).is_err() {
            levels.streams.on_lost(&sent);
            break;
        }
        content.push(SentFrame::Stream(sent));
    }
}

fn write_messages(w: &mut Writer<'_>, levels: &mut Levels, content: &mut Content) {
    while let Some(piece) = levels.messages.poll_fragment(w.remaining()) {
        let sent = piece.sent();
        let frame = MessageFrame {
            id: piece.id.0,
            channel: piece.channel,
            total_bytes: piece.total,
            offset_bytes: piece.offset,
            data: &piece.data,
        };
        if Frame::Message(frame).encode(w).is_err() {
            levels.messages.on_lost(&sent);
            break;
        }
        content.push(SentFrame::Message(sent));
    }
}
