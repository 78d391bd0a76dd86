//! What follows when packets are delivered or lost: each part goes back to the level that it came from, and the
//! levels' news become events for the application.

use super::Peer;
use super::outcome::{Asker, PeerOutcome};
use super::unclaimed::Epoch;
use crate::api::{Event, MessageFailure, MessageId, RequestId, RequestOutcome, StreamId};
use crate::id::NodeId;
use crate::level::Violation;
use crate::level::message::MessageEvent;
use crate::level::names::Names;
use crate::level::stream::StreamEvent;
use crate::path::PathKey;
use crate::recovery::{self, AckOutcome, Lost};
use crate::schedule::{Acked, Content, SentFrame};
use crate::time::{Duration, Instant};

impl Peer {
    /// Applies what an acknowledgement said, which came in the packet with the number `pn`.
    pub(super) fn apply_acks(&mut self, now: Instant, pn: u64, acks: &mut AckOutcome<Content>) {
        for delivered in acks.delivered.drain(..) {
            let path = PathKey(delivered.path.0);
            self.paths.on_datagram_acked(path, delivered.bytes as usize);
            for frame in delivered.frames {
                let rtt = acks.rtt_sample.map(|(_, rtt)| rtt);
                self.on_delivered(now, (pn, path), frame, rtt);
            }
        }
        self.collect_pongs();
        self.apply_losses(now, &mut acks.lost);
        if let Some((path, _)) = acks.rtt_sample {
            let smoothed = self.recovery.rtt(path).map(recovery::Rtt::smoothed);
            if let Some(smoothed) = smoothed {
                self.paths.on_rtt(now, PathKey(path.0), smoothed);
            }
        }
    }

    fn on_delivered(
        &mut self,
        now: Instant,
        (pn, path): (u64, PathKey),
        frame: SentFrame,
        rtt: Option<Duration>,
    ) {
        match frame {
            SentFrame::Ack { largest } => self.received.on_ack_of_ack(largest),
            SentFrame::Ping => self.pings.on_delivered(rtt),
            SentFrame::Control(_) => {}
            SentFrame::Level(sent) => {
                self.levels().on_delivered(&sent, Acked { by_pn: pn, now });
            }
            SentFrame::MtuProbe(bytes) => {
                self.paths.on_mtu_probe_acked(now, path, bytes);
                let mtu = self.paths.max_datagram_bytes(path) as u64;
                self.recovery.set_mtu(recovery::PathKey(path.0), mtu, now);
            }
        }
    }

    /// Applies losses; the list is emptied.
    pub(super) fn apply_losses(&mut self, now: Instant, lost: &mut Vec<Lost<Content>>) {
        for lost in lost.drain(..) {
            let path = PathKey(lost.path.0);
            let is_probe = matches!(lost.frames.first(), Some(SentFrame::MtuProbe(_)));
            if !is_probe && self.paths.on_datagram_lost(now, path, lost.bytes as usize) {
                let mtu = self.paths.max_datagram_bytes(path) as u64;
                self.recovery.set_mtu(recovery::PathKey(path.0), mtu, now);
            }
            for frame in lost.frames {
                self.on_lost(now, path, frame);
            }
        }
        self.collect_pongs();
    }

    fn on_lost(&mut self, now: Instant, path: PathKey, frame: SentFrame) {
        match frame {
            SentFrame::Ack { .. } => {}
            SentFrame::Ping => self.pings.on_lost(),
            SentFrame::Control(json) => self.controls.on_lost(json),
            SentFrame::Level(sent) => self.levels().on_lost(&sent),
            SentFrame::MtuProbe(bytes) => self.paths.on_mtu_probe_lost(now, path, bytes),
        }
    }

    /// Sends again what the oldest packet under way carries: a probe timeout best repeats that.
    pub(super) fn repeat_oldest(&mut self, path: recovery::PathKey) {
        let mut outstanding = self.recovery.outstanding_on(path);
        let oldest = outstanding.find(|content| content.iter().any(SentFrame::is_repeated));
        let Some(content) = oldest.cloned() else {
            return;
        };
        let Some(levels) = &mut self.levels else {
            return;
        };
        for frame in content {
            match frame {
                SentFrame::Level(sent) => levels.on_probe(&sent),
                SentFrame::Control(json) => self.controls.on_lost(json),
                SentFrame::Ack { .. } | SentFrame::Ping | SentFrame::MtuProbe(_) => {}
            }
        }
    }

    /// Tells how measurements ended.
    pub(super) fn collect_pongs(&mut self) {
        while let Some(rtt) = self.pings.poll_pong() {
            self.outcomes.push_back(PeerOutcome::Pong { rtt });
        }
    }

    /// Turns the levels' news into events.
    pub(super) fn collect_events(&mut self) {
        let (peer, epoch) = (self.id, self.epoch);
        let Some(levels) = &mut self.levels else {
            return;
        };
        let (outcomes, names) = (&mut self.outcomes, &levels.names);
        // Numbers of services were looked up when their frames came: none is without a name here.
        while let Some(event) = levels.streams.poll_event() {
            let event = stream_event(peer, epoch, names, event);
            outcomes.extend(event.ok().map(PeerOutcome::Event));
        }
        while let Some(event) = levels.messages.poll_event() {
            let event = message_event(peer, epoch, names, event);
            outcomes.extend(event.ok().map(PeerOutcome::Event));
        }
    }

    /// The association is over: every promise that is open ends now, each with one event.
    pub(super) fn fail_everything(&mut self) {
        self.collect_events();
        self.pings.on_ended();
        self.collect_pongs();
        let Some(mut levels) = self.levels.take() else {
            return;
        };
        self.unclaimed.keep(
            self.epoch,
            &mut levels.messages,
            &mut levels.streams,
            &self.common.budgets.receive,
        );
        let peer = self.id;
        for entry in levels.requests.take_all() {
            match entry.owner {
                Asker::Engine(purpose) => {
                    self.outcomes
                        .push_back(PeerOutcome::ControlFailed { purpose });
                }
                Asker::Application => {
                    let outcome = RequestOutcome::Disconnected;
                    let request = RequestId(entry.reference);
                    self.event(Event::RequestDone {
                        peer,
                        request,
                        outcome,
                    });
                }
            }
        }
        for message in levels.messages.unfinished() {
            let message = self.epoch.outer_message(message);
            let reason = MessageFailure::Disconnected;
            self.event(Event::MessageFailed {
                peer,
                message,
                reason,
            });
        }
    }
}

fn stream_event(
    peer: NodeId,
    epoch: Epoch,
    names: &Names,
    event: StreamEvent,
) -> Result<Event, Violation> {
    let outer = |id: StreamId| epoch.outer_stream(id);
    Ok(match event {
        StreamEvent::Opened { id, tag } => Event::StreamOpened {
            peer,
            stream: outer(id),
            label: names.label(tag)?,
        },
        StreamEvent::Readable(id) => Event::StreamReadable {
            peer,
            stream: outer(id),
        },
        StreamEvent::Writable(id) => Event::StreamWritable {
            peer,
            stream: outer(id),
        },
        StreamEvent::Finished(id) => Event::StreamFinished {
            peer,
            stream: outer(id),
        },
        StreamEvent::Reset { id, code } => Event::StreamReset {
            peer,
            stream: outer(id),
            code,
        },
        StreamEvent::Stopped { id, code } => Event::StreamStopped {
            peer,
            stream: outer(id),
            code,
        },
    })
}

fn message_event(
    peer: NodeId,
    epoch: Epoch,
    names: &Names,
    event: MessageEvent,
) -> Result<Event, Violation> {
    let outer = |id: MessageId| epoch.outer_message(id);
    Ok(match event {
        MessageEvent::Ready { id, tag, len_bytes } => Event::MessageReady {
            peer,
            message: outer(id),
            label: names.label(tag)?,
            len: len_bytes,
        },
        MessageEvent::Delivered(id) => Event::MessageDelivered {
            peer,
            message: outer(id),
        },
        MessageEvent::Failed { id, reason } => Event::MessageFailed {
            peer,
            message: outer(id),
            reason,
        },
    })
}
