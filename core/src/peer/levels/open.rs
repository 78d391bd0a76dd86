//! The levels of one association, as sources of frames. Made when data first flows: a peer that only keeps a
//! registration holds none.

use super::dialogues::Dialogues;
use super::halt::{Halt, accepted};
use super::unclaimed::Epoch;
use crate::api::{MessageId, StreamId};
use crate::error::PeerMisbehaved;
use crate::level::budget::Budgets;
use crate::level::datagram::Datagrams;
use crate::level::latest::Latest;
use crate::level::message::Messages;
use crate::level::names::Names;
use crate::level::stream::Streams;
use crate::level::window::Pace;
use crate::schedule::{Acked, Content, LevelSent, Name, Pool, Source, Wrote};
use crate::time::{Deadline, Instant, TimerKind};
use crate::wire::Writer;
use crate::wire::frame::Frame;

/// All levels, both directions.
pub(in crate::peer) struct OpenLevels {
    pub(super) datagrams: Datagrams,
    pub(super) latest: Latest,
    pub(super) dialogues: Dialogues,
    pub(super) messages: Messages,
    pub(super) streams: Streams,
    pub(super) names: Names,
    /// Whether streams, messages, services or values of the level "latest" were ever used.
    pub(super) has_flows: bool,
}

impl OpenLevels {
    /// Levels that execute no request from a packet below `request_floor`.
    pub(super) fn new(is_smaller: bool, request_floor: u64, budgets: &Budgets) -> Self {
        Self {
            datagrams: Datagrams::default(),
            latest: Latest::default(),
            dialogues: Dialogues::above(request_floor),
            messages: Messages::new(budgets),
            streams: Streams::new(is_smaller, budgets),
            names: Names::default(),
            has_flows: false,
        }
    }

    /// A frame of messages or streams, or a name that they need.
    pub(super) fn on_frame(&mut self, now: Instant, frame: Frame<'_>) -> Result<(), Halt> {
        let (messages, streams) = (&mut self.messages, &mut self.streams);
        match frame {
            Frame::ServiceName(f) => self.names.on_name(f.number, f.name)?,
            // Senders count from 0; a larger one would pass for a message of a later association.
            Frame::Message(f) if f.id >= Epoch::IDS => {
                return Err(Halt::Misbehaved(PeerMisbehaved::MessageLimit));
            }
            Frame::Message(f) => {
                self.names.label(f.tag)?;
                let piece = (MessageId(f.id), f.tag);
                let (total, offset) = (f.total_bytes, f.offset_bytes);
                accepted(messages.on_fragment(piece, total, offset, f.data, now)?)?;
            }
            Frame::MessageDeadline(f) => messages.on_deadline(f.id, f.life_ms, now),
            Frame::MessageAbandon(f) => messages.on_abandon(f.id)?,
            Frame::MessageTaken(f) => messages.on_taken(f.first, f.more)?,
            Frame::MessageCredit(f) => messages.on_credit(f.total_bytes, f.total_messages),
            Frame::Stream(f) => {
                if let Some(tag) = f.tag {
                    self.names.label(tag)?;
                }
                let id = StreamId(f.id);
                accepted(streams.on_stream(id, f.offset_bytes, f.tag, f.data, f.fin)?)?;
            }
            Frame::StreamReset(f) => {
                streams.on_reset(StreamId(f.id), f.code, f.final_size_bytes)?
            }
            Frame::StreamStop(f) => streams.on_stop(StreamId(f.id), f.code)?,
            Frame::StreamTaken(f) => streams.on_taken(StreamId(f.id))?,
            Frame::StreamCredit(f) => streams.on_stream_credit(StreamId(f.id), f.total_bytes)?,
            Frame::StreamsCredit(f) => streams.on_streams_credit(f.total_bytes),
            Frame::StreamsLimit(f) => streams.on_streams_limit(f.streams),
            _ => {}
        }
        Ok(())
    }

    /// A packet is to be filled.
    pub(in crate::peer) fn begin_packet(&mut self) {
        self.names.begin_packet();
    }

    /// A packet with this in it was acknowledged.
    pub(in crate::peer) fn on_delivered(&mut self, sent: &LevelSent, acked: Acked) {
        match sent {
            LevelSent::Latest(sent) => Source::on_delivered(&mut self.latest, sent, acked),
            LevelSent::Request(sent) => {
                Source::on_delivered(&mut self.dialogues.requests, sent, acked)
            }
            LevelSent::Reply(sent) => {
                Source::on_delivered(&mut self.dialogues.replies, sent, acked)
            }
            LevelSent::ServiceName(number) => self.names.on_delivered(*number),
            LevelSent::Message(sent) => Source::on_delivered(&mut self.messages, sent, acked),
            LevelSent::Stream(sent) => Source::on_delivered(&mut self.streams, sent, acked),
        }
    }

    /// A packet with this in it is lost.
    pub(in crate::peer) fn on_lost(&mut self, sent: &LevelSent) {
        match sent {
            LevelSent::Latest(sent) => Source::on_lost(&mut self.latest, sent),
            LevelSent::Request(sent) => Source::on_lost(&mut self.dialogues.requests, sent),
            LevelSent::Reply(sent) => Source::on_lost(&mut self.dialogues.replies, sent),
            LevelSent::ServiceName(number) => self.names.on_lost(*number),
            LevelSent::Message(sent) => Source::on_lost(&mut self.messages, sent),
            LevelSent::Stream(sent) => Source::on_lost(&mut self.streams, sent),
        }
    }

    /// A probe timeout fired while this was in the oldest packet under way.
    pub(in crate::peer) fn on_probe(&mut self, sent: &LevelSent) {
        match sent {
            LevelSent::Latest(sent) => Source::on_probe(&mut self.latest, sent),
            LevelSent::Request(sent) => Source::on_probe(&mut self.dialogues.requests, sent),
            LevelSent::Reply(sent) => Source::on_probe(&mut self.dialogues.replies, sent),
            LevelSent::ServiceName(number) => self.names.on_lost(*number),
            LevelSent::Message(sent) => Source::on_probe(&mut self.messages, sent),
            LevelSent::Stream(sent) => Source::on_probe(&mut self.streams, sent),
        }
    }

    /// Whether these are worth keeping in a rest; `None` while one has something to say or to wait for.
    pub(super) fn may_rest(&self) -> Option<bool> {
        // Levels that are kept keep what they wait for.
        let is_idle =
            self.dialogues.asks_nothing() && (self.has_flows || self.dialogues.owes_nothing());
        is_idle.then_some(self.has_flows)
    }

    /// When a level wants to be told the time.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let at = |at: Option<Instant>, kind| at.map(|at| Deadline::new(at, kind));
        let all = [
            at(
                Source::next_timeout(&self.dialogues.requests),
                TimerKind::Request,
            ),
            at(
                Source::next_timeout(&self.dialogues.replies),
                TimerKind::Request,
            ),
            at(Source::next_timeout(&self.messages), TimerKind::Message),
        ];
        all.into_iter().fold(None, Deadline::earlier)
    }
}

impl Pool for OpenLevels {
    fn waits(&self, name: Name) -> bool {
        match name {
            Name::Datagrams => self.datagrams.waits(),
            Name::Latest => self.latest.waits(),
            Name::Replies => self.dialogues.replies.waits(),
            Name::Requests => self.dialogues.requests.waits(),
            Name::Messages => self.messages.waits(),
            Name::Streams => self.streams.waits(),
            Name::StreamControl => self.streams.control_waits(),
            Name::MessageControl => self.messages.control_waits(),
            // Of no level.
            Name::Acks | Name::Pings | Name::Controls | Name::Probe => false,
        }
    }

    fn poll(
        &mut self,
        name: Name,
        w: &mut Writer<'_>,
        pace: Pace,
        content: &mut Content,
    ) -> Option<Wrote> {
        let (names, now) = (&mut self.names, pace.now);
        let dialogues = &mut self.dialogues;
        match name {
            Name::Datagrams => Source::poll(&mut self.datagrams, names, w, now, content),
            Name::Latest => Source::poll(&mut self.latest, names, w, now, content),
            Name::Replies => Source::poll(&mut dialogues.replies, names, w, now, content),
            Name::Requests => Source::poll(&mut dialogues.requests, names, w, now, content),
            Name::Messages => Source::poll(&mut self.messages, names, w, now, content),
            Name::Streams => Source::poll(&mut self.streams, names, w, now, content),
            Name::StreamControl => Source::poll_control(&mut self.streams, w, pace, content),
            Name::MessageControl => Source::poll_control(&mut self.messages, w, pace, content),
            Name::Acks | Name::Pings | Name::Controls | Name::Probe => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::level::datagram::Queued;
    use crate::level::request::RequestPayload;
    use crate::peer::levels::Asker;
    use crate::schedule::Schedule;
    use crate::time::Duration;
    use crate::wire::frame;

    /// Bytes of each kind: datagrams, requests, messages, streams.
    type Shares = [usize; 4];

    /// Builds packets of 1,200 bytes while everything wants to send; `flood` refills what is small before each.
    fn shares(packets: usize, mut flood: impl FnMut(&mut OpenLevels)) -> Shares {
        let mut levels = OpenLevels::new(true, 0, &Budgets::default());
        let stream = levels.streams.open(1.into()).unwrap();
        let bulk = Bytes::from(vec![1; 400_000]);
        levels.streams.write(stream, bulk.clone()).unwrap();
        levels.messages.send(1.into(), bulk, None).unwrap();
        let (mut buffer, mut got) = ([0; 1_200], Shares::default());
        let mut schedule = Schedule::default();
        for _ in 0..packets {
            flood(&mut levels);
            let (mut w, mut content) = (Writer::new(&mut buffer), Content::new());
            let (now, rtt) = (Instant::EPOCH, Duration::from_millis(50));
            levels.begin_packet();
            let pace = Pace { now, rtt };
            assert!(schedule.fill(&mut levels, true, &mut w, pace, &mut content));
            for frame in frame::iter(w.written()) {
                match frame.unwrap() {
                    Frame::Datagram(f) => got[0] += f.data.len(),
                    Frame::Request(f) => got[1] += f.body.len(),
                    Frame::Message(f) => got[2] += f.data.len(),
                    Frame::Stream(f) => got[3] += f.data.len(),
                    other => panic!("not asked for: {other:?}"),
                }
            }
        }
        got
    }

    fn datagram(levels: &mut OpenLevels) {
        let queued = Queued {
            tag: 1.into(),
            data: Bytes::from(vec![0; 1_000]),
            expiry: None,
        };
        levels.datagrams.push(queued).unwrap();
    }

    fn request(levels: &mut OpenLevels, reference: u64) {
        let payload = RequestPayload::App {
            service: "s".to_owned(),
            budget: 0,
            body: Bytes::from(vec![0; 1_000]),
        };
        let (owner, now) = (Asker::Application, Instant::EPOCH);
        let deadline = now + Duration::from_secs(9);
        let _ = levels
            .dialogues
            .requests
            .start(reference, payload, owner, deadline, now);
    }

    /// Names and datagrams in a packet of so many bytes.
    fn packet(levels: &mut OpenLevels, room: usize) -> (usize, usize, Content) {
        let (mut buffer, mut content) = ([0; 1_200], Content::new());
        let mut w = Writer::new(&mut buffer[..room]);
        let (now, rtt) = (Instant::EPOCH, Duration::from_millis(50));
        levels.begin_packet();
        let pace = Pace { now, rtt };
        Schedule::default().fill(levels, true, &mut w, pace, &mut content);
        let (mut names, mut datagrams) = (0, 0);
        for frame in frame::iter(w.written()) {
            match frame.unwrap() {
                Frame::ServiceName(_) => names += 1,
                Frame::Datagram(_) => datagrams += 1,
                other => panic!("not asked for: {other:?}"),
            }
        }
        (names, datagrams, content)
    }

    /// Protocol §5.1: what finds no room beside a long name waits until the name has arrived.
    #[test]
    fn on_a_narrow_path_a_name_goes_ahead_of_the_largest_datagram() {
        let mut levels = OpenLevels::new(true, 0, &Budgets::default());
        let name = crate::api::ServiceName::new(&"n".repeat(48)).unwrap();
        let tag = levels.names.tag(&name.into()).unwrap();
        let data = Bytes::from(vec![0; crate::limits::DATAGRAM_BODY_BYTES]);
        let expiry = None;
        levels.datagrams.push(Queued { tag, data, expiry }).unwrap();
        let narrow = 1_115;
        let (names, datagrams, sent) = packet(&mut levels, narrow);
        assert_eq!((names, datagrams), (1, 0));
        assert_eq!(packet(&mut levels, narrow).0, 0, "one is under way");
        let [crate::schedule::SentFrame::Level(sent)] = &sent[..] else {
            panic!("{sent:?}");
        };
        levels.on_lost(sent);
        assert_eq!(packet(&mut levels, narrow).0, 1, "again");
        let (by_pn, now, rtt) = (1, Instant::EPOCH, None);
        levels.on_delivered(sent, Acked { by_pn, now, rtt });
        let (names, datagrams, _) = packet(&mut levels, narrow);
        assert_eq!((names, datagrams), (0, 1));
        assert!(!Schedule::has_eliciting(&levels));
    }

    #[test]
    fn messages_and_a_stream_share_the_line_evenly() {
        let [_, _, messages, streams] = shares(300, |_| {});
        let ratio = messages as f64 / streams as f64;
        assert!(
            (0.95..1.05).contains(&ratio),
            "{messages} to {streams} bytes"
        );
    }

    #[test]
    fn nothing_starves_under_a_flood_of_what_is_more_urgent() {
        let mut reference = 0;
        let got = shares(900, |levels| {
            datagram(levels);
            datagram(levels);
            reference += 1;
            request(levels, reference);
        });
        let total: usize = got.iter().sum();
        assert!(got[0] > total / 2, "datagrams come first: {got:?}");
        assert!(
            got.iter().all(|bytes| *bytes > total / 25),
            "of {total}: {got:?}"
        );
    }

    #[test]
    fn a_request_beside_bulk_leaves_with_the_next_packet() {
        let mut reference = 0;
        let [_, requests, ..] = shares(50, |levels| {
            reference += 1;
            request(levels, reference);
        });
        assert_eq!(requests, 50 * 1_000);
    }
}
