//! What the application and the engine exchange with one peer, above packets. Levels come and go with the association;
//! what had arrived whole stays until the application takes it, under identifiers that no later association uses.
//! Takes: frames, orders ([`orders`]), time. Returns: news for the node.

mod dialogues;
mod events;
mod halt;
mod open;
mod orders;
mod unclaimed;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use self::events::{message_event, stream_event};
pub(super) use self::halt::Halt;
pub(super) use self::open::OpenLevels;
pub(super) use self::unclaimed::EpochAtRest;
use self::unclaimed::{Epoch, Unclaimed};
use super::common::Common;
use super::outcome::{Asker, PeerOutcome};
use crate::api::{Answer, ApiMisuse, Event, Label, MessageFailure, RequestId, RequestOutcome};
use crate::id::NodeId;
use crate::level::Violation;
use crate::level::names::Names;
use crate::rng::Rng;
use crate::tag::Tag;
use crate::time::{Deadline, Instant};
use crate::wire::control::ControlMessage;
use crate::wire::frame::Frame;

/// The levels of one peer.
pub(crate) struct Levels {
    peer: NodeId,
    /// Our node id is the smaller one, which decides who numbers streams how.
    is_smaller: bool,
    common: Arc<Common>,
    /// Whether an association stands: without one nothing new is taken.
    is_up: bool,
    open: Option<Box<OpenLevels>>,
    /// Requests from packets below this number were executed by levels that are gone.
    request_floor: u64,
    unclaimed: Unclaimed,
    epoch: Epoch,
    news: VecDeque<PeerOutcome>,
    rng: Rng,
}

/// The levels of a peer at rest.
pub(super) struct LevelsAtRest {
    /// Those whose identifiers and credit outlive what is under way; none where only requests were made.
    pub(super) open: Option<Box<OpenLevels>>,
    pub(super) epoch: EpochAtRest,
}

impl Levels {
    /// Levels without an association.
    pub(super) fn new(peer: NodeId, is_smaller: bool, common: Arc<Common>, rng: Rng) -> Self {
        Self {
            peer,
            is_smaller,
            common,
            is_up: false,
            open: None,
            request_floor: 0,
            unclaimed: Unclaimed::default(),
            epoch: Epoch::default(),
            news: VecDeque::new(),
            rng,
        }
    }

    /// An association stands.
    pub(super) fn on_up(&mut self) {
        self.is_up = true;
    }

    /// Whether an association stands.
    pub(super) fn is_up(&self) -> bool {
        self.is_up
    }

    /// The association is over: every promise that is open ends now, each with one event.
    pub(super) fn on_ended(&mut self) {
        self.collect_events();
        self.is_up = false;
        self.request_floor = 0;
        if let Some(mut open) = self.open.take() {
            let (messages, streams) = (&mut open.messages, &mut open.streams);
            let budget = &self.common.budgets.receive;
            self.unclaimed.keep(self.epoch, messages, streams, budget);
            for (reference, asker) in open.dialogues.take_all() {
                self.on_unanswered(reference, asker, RequestOutcome::Disconnected);
            }
            for message in open.messages.unfinished() {
                self.event(Event::MessageFailed {
                    peer: self.peer,
                    message: self.epoch.outer_message(message),
                    reason: MessageFailure::Disconnected,
                });
            }
        }
        self.epoch.advance();
    }

    /// Whether [`Self::rest`] would keep anything but the epoch; `None` while there is something to say, to tell or to
    /// wait for.
    pub(super) fn may_rest(&self) -> Option<bool> {
        let is_settled = self.is_up && self.news.is_empty() && self.unclaimed.is_empty();
        self.epoch.rest().filter(|_| is_settled)?;
        let open = self.open.as_ref();
        open.map_or(Some(false), |open| open.may_rest())
    }

    /// The levels at rest; nothing is left here. `None` where they may not, or their epoch does not fit.
    pub(super) fn rest(&mut self) -> Option<LevelsAtRest> {
        let is_kept = self.may_rest()?;
        let epoch = self.epoch.rest()?;
        let open = self.open.take().filter(|_| is_kept);
        Some(LevelsAtRest { open, epoch })
    }

    /// Goes on with an association after a rest: all copies of requests that were executed left in packets below
    /// `request_floor`.
    pub(super) fn wake(&mut self, epoch: EpochAtRest, request_floor: u64) {
        self.is_up = true;
        self.epoch = Epoch::wake(epoch);
        self.request_floor = request_floor;
    }

    /// Goes on with levels that were kept in a rest.
    pub(super) fn restore(&mut self, open: Option<Box<OpenLevels>>) {
        self.open = open;
    }

    /// A frame of a level came in the packet with the number `pn`.
    pub(super) fn on_frame(&mut self, now: Instant, pn: u64, frame: Frame<'_>) -> Result<(), Halt> {
        let peer = self.peer;
        match frame {
            Frame::Datagram(f) => {
                let label = self.label(f.tag)?;
                let data = Bytes::copy_from_slice(f.data);
                self.event(Event::DatagramReceived { peer, label, data });
            }
            Frame::Latest(f) => {
                if self.flows().latest.on_value(f.key, f.version) {
                    let (key, data) = (f.key.to_owned(), Bytes::copy_from_slice(f.value));
                    self.event(Event::LatestReceived { peer, key, data });
                }
            }
            Frame::Request(f) => {
                if self.made().dialogues.on_request(f.reference, pn, now) {
                    self.event(Event::RequestReceived {
                        peer,
                        request: RequestId(f.reference),
                        service: f.service.to_owned(),
                        budget: f.budget,
                        body: Bytes::copy_from_slice(f.body),
                    });
                }
            }
            Frame::Answer(f) => {
                if self.made().dialogues.on_answer(f.reference) {
                    let (status, body) = (f.status, Bytes::copy_from_slice(f.body));
                    self.event(Event::RequestDone {
                        peer,
                        request: RequestId(f.reference),
                        outcome: RequestOutcome::Answered(Answer { status, body }),
                    });
                }
            }
            other => self.flows().on_frame(now, other)?,
        }
        Ok(())
    }

    /// A control message came in the packet with the number `pn`: a request is new once, an answer ends a request.
    pub(super) fn on_control(&mut self, now: Instant, pn: u64, message: ControlMessage) {
        let dialogues = &mut self.made().dialogues;
        if let Some(reference) = message.reference() {
            if dialogues.on_request(reference, pn, now) {
                self.news.push_back(PeerOutcome::Control(message));
            }
        } else if matches!(message, ControlMessage::ChannelClosed { .. }) {
            self.news.push_back(PeerOutcome::Control(message));
        } else if let Some(reference) = message.reply_to()
            && let Some(purpose) = dialogues.on_control_answer(reference)
        {
            let answer = message;
            self.news
                .push_back(PeerOutcome::ControlAnswered { purpose, answer });
        }
    }

    /// Forgets what nobody waits for any more, and ends requests that found no answer in time.
    pub(super) fn on_timeout(&mut self, now: Instant) {
        let Some(open) = &mut self.open else {
            return;
        };
        open.messages.on_timeout(now);
        for (reference, asker) in open.dialogues.on_timeout(now) {
            self.on_unanswered(reference, asker, RequestOutcome::TimedOut);
        }
    }

    /// When to be told the time.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        self.open.as_ref()?.next_timeout()
    }

    /// The levels as sources of frames, where there are any.
    pub(super) fn open_mut(&mut self) -> Option<&mut OpenLevels> {
        self.open.as_deref_mut()
    }

    /// The levels as sources of frames, to be asked what waits.
    pub(super) fn open_ref(&self) -> Option<&OpenLevels> {
        self.open.as_deref()
    }

    /// Takes what the node is to act on, but for what [`Self::collect_events`] adds.
    pub(super) fn poll_news(&mut self) -> Option<PeerOutcome> {
        self.news.pop_front()
    }

    /// Adds what happened to messages and streams.
    pub(super) fn collect_events(&mut self) {
        let (peer, epoch) = (self.peer, self.epoch);
        let Some(open) = &mut self.open else {
            return;
        };
        while let Some(event) = open.streams.poll_event() {
            let event = stream_event(peer, epoch, &open.names, event);
            self.news.extend(event.ok().map(PeerOutcome::Event));
        }
        while let Some(event) = open.messages.poll_event() {
            let event = message_event(peer, epoch, &open.names, event);
            self.news.extend(event.ok().map(PeerOutcome::Event));
        }
    }

    /// Answers that wait to be sent, and bytes that wait for the application.
    #[cfg(test)]
    pub(super) fn queue_lengths(&self) -> [usize; 2] {
        let replies = self
            .open
            .as_ref()
            .map(|open| open.dialogues.replies.queued());
        [replies.unwrap_or(0), self.unclaimed.bytes()]
    }

    fn event(&mut self, event: Event) {
        self.news.push_back(PeerOutcome::Event(event));
    }

    /// The levels, to take something new in.
    fn connected(&mut self) -> Result<&mut OpenLevels, ApiMisuse> {
        if self.is_up {
            Ok(self.made())
        } else {
            Err(ApiMisuse::NotConnected)
        }
    }

    /// As [`Self::connected`], for what counts streams, messages and their credit: levels that did are not thrown away
    /// in a rest.
    fn connected_flows(&mut self) -> Result<&mut OpenLevels, ApiMisuse> {
        let open = self.connected()?;
        open.has_flows = true;
        Ok(open)
    }

    fn made(&mut self) -> &mut OpenLevels {
        let (is_smaller, floor) = (self.is_smaller, self.request_floor);
        let budgets = &self.common.budgets;
        self.open
            .get_or_insert_with(|| Box::new(OpenLevels::new(is_smaller, floor, budgets)))
    }

    fn flows(&mut self) -> &mut OpenLevels {
        let open = self.made();
        open.has_flows = true;
        open
    }

    /// What a tag stands for.
    fn label(&self, tag: Tag) -> Result<Label, Violation> {
        match (&self.open, tag.topic) {
            (Some(open), _) => open.names.label(tag),
            (None, _) => Names::default().label(tag),
        }
    }

    fn on_unanswered(&mut self, reference: u64, asker: Asker, outcome: RequestOutcome) {
        let (peer, request) = (self.peer, RequestId(reference));
        self.news.push_back(match asker {
            Asker::Engine(purpose) => PeerOutcome::ControlFailed { purpose },
            Asker::Application => PeerOutcome::Event(Event::RequestDone {
                peer,
                request,
                outcome,
            }),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{MessageId, StreamId, StreamRead};
    use crate::tag::Topic;
    use crate::time::Duration;
    use crate::wire::frame::{DatagramFrame, MessageFrame, RequestFrame, StreamFrame};

    const NOW: Instant = Instant::EPOCH;

    fn levels() -> Levels {
        let rng = Rng::from_seed([1; 32]);
        Levels::new(
            NodeId::from_bytes([7; 32]),
            true,
            Arc::new(Common::default()),
            rng,
        )
    }

    fn up() -> Levels {
        let mut levels = levels();
        levels.on_up();
        levels
    }

    fn events(levels: &mut Levels) -> Vec<Event> {
        levels.collect_events();
        let news = core::iter::from_fn(|| levels.poll_news());
        let events = news.filter_map(|news| match news {
            PeerOutcome::Event(event) => Some(event),
            _ => None,
        });
        events.collect()
    }

    fn message(id: u64) -> Frame<'static> {
        Frame::Message(MessageFrame {
            id,
            tag: 1.into(),
            total_bytes: 4,
            offset_bytes: 0,
            data: b"data",
        })
    }

    fn stream(id: u64) -> Frame<'static> {
        Frame::Stream(StreamFrame {
            id,
            offset_bytes: 0,
            tag: Some(1.into()),
            fin: true,
            data: b"data",
        })
    }

    fn request(reference: u64) -> Frame<'static> {
        Frame::Request(RequestFrame {
            reference,
            service: "s",
            budget: 0,
            body: b"",
        })
    }

    fn opened(events: &[Event]) -> StreamId {
        let opened = events.iter().find_map(|event| match event {
            Event::StreamOpened { stream, .. } => Some(*stream),
            _ => None,
        });
        opened.expect("a stream was opened")
    }

    #[test]
    fn without_an_association_nothing_is_taken_and_nothing_is_made() {
        let mut levels = levels();
        let (label, data) = (Label::from(1), Bytes::from_static(b"data"));
        let refused = ApiMisuse::NotConnected;
        assert_eq!(
            levels.send_datagram(&label, data.clone(), None),
            Err(refused.clone())
        );
        assert_eq!(
            levels.send_message(&label, data, None),
            Err(refused.clone())
        );
        assert_eq!(levels.open_stream(&label), Err(refused.clone()));
        assert_eq!(levels.cancel_request(RequestId(1)), Err(refused.clone()));
        assert_eq!(levels.read_stream(StreamId(0), 9), Err(refused));
        assert!(levels.open.is_none());
        levels.on_timeout(NOW + Duration::from_secs(99));
        assert!(levels.next_timeout().is_none() && levels.open_ref().is_none());
    }

    #[test]
    fn what_arrived_whole_outlives_its_association_under_its_own_identifier() {
        let mut levels = up();
        levels
            .on_frame(NOW, 0, message(0))
            .expect("it keeps the rules");
        levels
            .on_frame(NOW, 0, stream(1))
            .expect("it keeps the rules");
        let stream_id = opened(&events(&mut levels));
        levels.on_ended();
        levels.on_up();
        // The next association counts from zero as well.
        levels
            .on_frame(NOW, 0, message(0))
            .expect("it keeps the rules");
        levels
            .on_frame(NOW, 0, stream(1))
            .expect("it keeps the rules");
        let next = opened(&events(&mut levels));
        assert_ne!(next, stream_id);
        assert_eq!(
            levels.take_message(MessageId(0)).as_deref(),
            Ok(&b"data"[..])
        );
        assert!(levels.take_message(MessageId(0)).is_err(), "once");
        let data = Ok(StreamRead::Data(Bytes::from_static(b"data")));
        assert_eq!(levels.read_stream(stream_id, 9), data);
        assert_eq!(levels.read_stream(stream_id, 9), Ok(StreamRead::Finished));
        let unknown = levels.read_stream(stream_id, 9);
        assert_eq!(unknown, Err(ApiMisuse::UnknownStream), "all was read");
        assert_eq!(levels.read_stream(next, 9), data);
        assert_eq!(levels.queue_lengths(), [0, 0]);
    }

    #[test]
    fn each_open_promise_ends_with_one_event_when_the_association_does() {
        let mut levels = up();
        let (label, body) = (Label::from(1), Bytes::from_static(b"data"));
        let life = Duration::from_secs(9);
        let request = levels.send_request(NOW, ("s".to_owned(), 0), body.clone(), life);
        let message = levels.send_message(&label, body, None).expect("room");
        levels.on_ended();
        let ended = events(&mut levels);
        let (peer, request) = (levels.peer, request.expect("room"));
        assert_eq!(
            ended,
            [
                Event::RequestDone {
                    peer,
                    request,
                    outcome: RequestOutcome::Disconnected,
                },
                Event::MessageFailed {
                    peer,
                    message,
                    reason: MessageFailure::Disconnected,
                },
            ]
        );
        levels.on_ended();
        assert_eq!(events(&mut levels), []);
    }

    /// A number above any that an association uses up would pass for a message of a later one.
    #[test]
    fn a_peer_cannot_name_what_belongs_to_another_association() {
        let mut levels = up();
        let fault = levels.on_frame(NOW, 0, message(Epoch::IDS));
        let broken = crate::error::PeerMisbehaved::MessageLimit;
        assert_eq!(fault, Err(Halt::Misbehaved(broken)));
        assert_eq!(events(&mut levels), []);
    }

    #[test]
    fn a_name_that_nobody_told_is_a_broken_rule_with_or_without_levels() {
        for mut levels in [up(), {
            let mut used = up();
            used.on_frame(NOW, 0, message(0))
                .expect("it keeps the rules");
            used
        }] {
            let tag = Tag {
                topic: Topic::Service(9),
                ..1.into()
            };
            let frame = Frame::Datagram(DatagramFrame { tag, data: b"" });
            let fault = levels.on_frame(NOW, 0, frame);
            let broken = crate::error::PeerMisbehaved::ServiceName;
            assert_eq!(fault, Err(Halt::Misbehaved(broken)));
        }
    }

    /// All copies of what was executed before a rest are below the floor.
    #[test]
    fn a_request_from_before_a_rest_is_not_executed_again() {
        let mut levels = up();
        levels
            .on_frame(NOW, 40, request(5))
            .expect("it keeps the rules");
        assert_eq!(events(&mut levels).len(), 1);
        assert!(levels.rest().is_none(), "the answer is owed");
        let mut rested = up();
        let at_rest = rested.rest().expect("nothing is owed");
        assert!(at_rest.open.is_none());
        let mut woken = self::levels();
        woken.wake(at_rest.epoch, 41);
        woken
            .on_frame(NOW, 40, request(5))
            .expect("it keeps the rules");
        assert_eq!(events(&mut woken), []);
        woken
            .on_frame(NOW, 41, request(6))
            .expect("it keeps the rules");
        assert_eq!(events(&mut woken).len(), 1);
    }

    #[test]
    fn levels_whose_credit_counts_are_kept_in_a_rest_and_others_are_not() {
        let mut levels = up();
        levels
            .on_frame(NOW, 0, message(0))
            .expect("it keeps the rules");
        assert!(levels.may_rest().is_some());
        levels.collect_events();
        assert!(levels.may_rest().is_none(), "the application was not told");
        events(&mut levels);
        let at_rest = levels.rest().expect("nothing is owed");
        assert!(at_rest.open.is_some());
    }
}
