//! Everything that is said to a peer in packets that its association carries, and what becomes of it: acknowledgements,
//! pings, control messages, the levels; and what is forwarded to it.

use bytes::Bytes;

use super::levels::Levels;
use super::line::Hears;
use super::outcome::PeerOutcome;
use crate::api::{ApiMisuse, SendWeights};
use crate::level::window::Pace;
use crate::path::Route;
use crate::recovery::ReceivedPackets;
use crate::schedule::{
    Acked, Content, Controls, Name, Pings, Pool, Relayed, Schedule, SentFrame, Source, Wrote,
};
use crate::time::{Deadline, Instant, TimerKind};
use crate::wire::Writer;
use crate::wire::control::ControlMessage;
use crate::wire::frame::padding;

/// A packet this much shorter than its place is padded to it, so that a batch goes on.
const PAD_AT_MOST: usize = 64;
/// Ranges in an acknowledgement from which on it is worth to learn which ones the peer knows about.
const ECHO_RANGES: usize = 16;

/// Whatever is said to one peer.
pub(crate) struct Sources {
    /// Packets that came, and which of them the peer knows to have come.
    pub(super) received: ReceivedPackets,
    pub(super) pings: Pings,
    pub(super) controls: Controls,
    /// What the application and the engine exchange with it; orders go there directly.
    pub(crate) levels: Levels,
    /// What is forwarded to it.
    pub(super) relayed: Relayed<Route>,
    /// Whose turn it is.
    schedule: Schedule,
}

/// What a packet is to take along.
#[derive(Clone, Copy)]
pub(super) struct Fill {
    pub(super) pace: Pace,
    /// It may carry what elicits an acknowledgement.
    pub(super) elicits: bool,
    /// It elicits an acknowledgement though nothing is to be said.
    pub(super) echoes: bool,
}

/// What a packet took along.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    /// Of the application.
    pub(super) is_data: bool,
    /// More than signs of life and what answers those.
    pub(super) is_busy: bool,
}

impl Sources {
    /// Nothing to say yet.
    pub(super) fn new(now: Instant, weights: SendWeights, levels: Levels) -> Self {
        Self {
            received: ReceivedPackets::new(),
            pings: Pings::default(),
            controls: Controls::new(now),
            levels,
            relayed: Relayed::default(),
            schedule: Schedule::new(weights),
        }
    }

    /// Measures one round trip.
    ///
    /// # Errors
    /// `NotConnected` without an association.
    pub(crate) fn ping(&mut self) -> Result<(), ApiMisuse> {
        if !self.levels.is_up() {
            return Err(ApiMisuse::NotConnected);
        }
        self.pings.ask();
        Ok(())
    }

    /// A control message that is repeated until it arrives and has no answer; nobody hears it without an association.
    pub(crate) fn push_control(&mut self, message: &ControlMessage) {
        if self.levels.is_up() {
            self.controls.push(Bytes::from(message.to_json()));
        }
    }

    /// A datagram to forward to this peer through a relay channel; `false` where too much waits already.
    pub(crate) fn push_relayed(&mut self, channel: u32, datagram: Bytes) -> bool {
        // Nobody to forward to: it is dropped, and does not count as too much.
        !self.levels.is_up() || self.relayed.push(channel, datagram)
    }

    /// The association is over: everything unfinished ends, and the next one begins with nothing.
    pub(super) fn on_ended(&mut self, outcomes: &mut impl Extend<PeerOutcome>) {
        self.received = ReceivedPackets::new();
        self.controls.clear();
        self.relayed.clear();
        self.levels.collect_events();
        self.take_news(outcomes);
        self.pings.on_ended();
        self.take_news(outcomes);
        self.levels.on_ended();
        self.take_news(outcomes);
    }

    /// Hands over what the node is to act on.
    pub(super) fn take_news(&mut self, outcomes: &mut impl Extend<PeerOutcome>) {
        outcomes.extend(core::iter::from_fn(|| self.levels.poll_news()));
        let pongs = core::iter::from_fn(|| self.pings.poll_pong());
        outcomes.extend(pongs.map(|rtt| PeerOutcome::Pong { rtt }));
    }

    /// Whether a data packet would carry anything.
    pub(super) fn has_output(&self, now: Instant) -> bool {
        self.received.ack_due(now) || self.has_eliciting()
    }

    /// Whether a data packet would carry something that is to be acknowledged.
    pub(super) fn has_eliciting(&self) -> bool {
        Schedule::has_eliciting(self)
    }

    /// A node that only receives never hears which of its acknowledgements arrived, and lists gaps for ever. Now and
    /// then one of them asks to be acknowledged itself (RFC 9000 §13.2.4).
    pub(super) fn wants_echo(&self, is_line_idle: bool) -> bool {
        self.received.range_count() > ECHO_RANGES && is_line_idle
    }

    /// Whether nothing would be forgotten in a rest, where nothing is to be said.
    pub(super) fn may_rest(&self, now: Instant) -> bool {
        !self.relayed.waits() && self.controls.may_rest(now) && self.levels.may_rest().is_some()
    }

    /// Fills a packet in the order of the schedule (protocol §8.6).
    pub(super) fn fill(&mut self, fill: Fill, w: &mut Writer<'_>, content: &mut Content) -> Used {
        if let Some(open) = self.levels.open_mut() {
            open.begin_packet();
        }
        self.pings.want_echo(fill.echoes);
        let mut schedule = self.schedule;
        let is_data = schedule.fill(self, fill.elicits, w, fill.pace, content);
        self.schedule = schedule;
        self.pings.want_echo(false);
        let is_more = |frame: &SentFrame| !matches!(frame, SentFrame::Ack { .. });
        let is_busy = is_data || content.iter().any(is_more);
        if fill.elicits {
            pad(w);
        }
        Used { is_data, is_busy }
    }

    /// The packet that was filled has left.
    pub(super) fn on_packet_sent(&mut self, fill: Fill) {
        self.pings.on_packet_built(fill.elicits);
    }

    /// When to be told the time.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let ack = Source::next_timeout(&self.received);
        let ack = ack.map(|at| Deadline::new(at, TimerKind::AckDelay));
        Deadline::earlier(ack, self.levels.next_timeout())
    }
}

impl Pool for Sources {
    fn waits(&self, name: Name) -> bool {
        match name {
            Name::Acks => self.received.waits(),
            Name::Pings => self.pings.waits(),
            Name::Controls => self.controls.waits(),
            Name::Probe => self.pings.elicits(),
            level => {
                let open = self.levels.open_ref();
                open.is_some_and(|open| open.waits(level))
            }
        }
    }

    fn poll(
        &mut self,
        name: Name,
        w: &mut Writer<'_>,
        pace: Pace,
        content: &mut Content,
    ) -> Option<Wrote> {
        match name {
            Name::Acks => self.received.poll(&mut (), w, pace.now, content),
            Name::Pings => self.pings.poll(&mut (), w, pace.now, content),
            Name::Controls => self.controls.poll(&mut (), w, pace.now, content),
            Name::Probe => self.pings.poll_probe(w, content),
            level => self.levels.open_mut()?.poll(level, w, pace, content),
        }
    }
}

impl Hears for Sources {
    fn on_delivered(&mut self, frame: &SentFrame, acked: Acked) {
        match frame {
            SentFrame::Ack { largest } => self.received.on_delivered(largest, acked),
            SentFrame::Ping => self.pings.on_delivered(&(), acked),
            SentFrame::Control(sent) => self.controls.on_delivered(sent, acked),
            SentFrame::Level(sent) => {
                if let Some(levels) = self.levels.open_mut() {
                    levels.on_delivered(sent, acked);
                }
            }
            SentFrame::MtuProbe(_) => {}
        }
    }

    fn on_lost(&mut self, frame: SentFrame) {
        match frame {
            SentFrame::Ack { largest } => self.received.on_lost(&largest),
            SentFrame::Ping => self.pings.on_lost(&()),
            SentFrame::Control(sent) => self.controls.on_lost(&sent),
            SentFrame::Level(sent) => {
                if let Some(levels) = self.levels.open_mut() {
                    levels.on_lost(&sent);
                }
            }
            SentFrame::MtuProbe(_) => {}
        }
    }

    fn on_probe(&mut self, frame: SentFrame) {
        match frame {
            SentFrame::Ack { largest } => self.received.on_probe(&largest),
            SentFrame::Ping => self.pings.on_probe(&()),
            SentFrame::Control(sent) => self.controls.on_probe(&sent),
            SentFrame::Level(sent) => {
                if let Some(levels) = self.levels.open_mut() {
                    levels.on_probe(&sent);
                }
            }
            SentFrame::MtuProbe(_) => {}
        }
    }

    fn on_probe_due(&mut self) {
        self.pings.on_probe_timeout();
    }
}

/// Fills the rest of a nearly full packet; one single byte cannot be filled and stays away.
fn pad(w: &mut Writer<'_>) {
    let left = w.remaining();
    if left <= PAD_AT_MOST && !w.is_empty() {
        let _ = padding::fill(w, left);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::id::NodeId;
    use crate::peer::{Common, Peer};
    use crate::rng::Rng;
    use crate::time::Duration;
    use crate::wire::frame::{self, Frame};

    const NOW: Instant = Instant::EPOCH;

    fn sources() -> Sources {
        let (id, rng) = (NodeId::from_bytes([7; 32]), Rng::from_seed([1; 32]));
        let common = Arc::new(Common::default());
        Sources::new(NOW, SendWeights::EQUAL, Levels::new(id, true, common, rng))
    }

    fn up() -> Sources {
        let mut sources = sources();
        sources.levels.on_up();
        sources
    }

    /// Kinds of the frames of a packet, and what it took along.
    fn packet(sources: &mut Sources, elicits: bool, echoes: bool) -> (Vec<&'static str>, Used) {
        let (mut buffer, mut content) = ([0; 1_200], Content::new());
        let mut w = Writer::new(&mut buffer);
        let pace = Pace {
            now: NOW,
            rtt: Duration::from_millis(50),
        };
        let fill = Fill {
            pace,
            elicits,
            echoes,
        };
        let used = sources.fill(fill, &mut w, &mut content);
        let frames = frame::iter(w.written()).map(|frame| match frame {
            Ok(Frame::Ack(_)) => "ack",
            Ok(Frame::Ping) => "ping",
            Ok(Frame::Control(_)) => "control",
            other => panic!("not asked for: {other:?}"),
        });
        let frames = frames.collect();
        sources.on_packet_sent(fill);
        (frames, used)
    }

    fn ends(sources: &mut Sources) -> usize {
        let mut outcomes = Vec::new();
        sources.take_news(&mut outcomes);
        let is_pong = |o: &&PeerOutcome| matches!(o, PeerOutcome::Pong { .. });
        outcomes.iter().filter(is_pong).count()
    }

    #[test]
    fn without_an_association_nothing_waits() {
        let mut sources = sources();
        assert_eq!(sources.ping(), Err(ApiMisuse::NotConnected));
        sources.push_control(&ControlMessage::Candidates(Vec::new()));
        assert!(sources.push_relayed(1, Bytes::from_static(b"datagram")));
        assert!(!sources.has_eliciting() && !sources.relayed.waits());
        assert!(!sources.has_output(NOW));
    }

    #[test]
    fn a_full_window_lets_acknowledgements_pass_and_nothing_else() {
        let mut sources = up();
        sources.ping().expect("it is up");
        sources.pings.confirm();
        sources.push_control(&ControlMessage::Candidates(Vec::new()));
        sources.received.on_packet(5, true, None, NOW);
        let (frames, used) = packet(&mut sources, false, false);
        assert_eq!(frames, ["ack"]);
        assert!(!used.is_busy && !used.is_data);
        assert!(sources.has_eliciting(), "all of it still waits");
        let (frames, used) = packet(&mut sources, true, false);
        assert_eq!(frames, ["ping", "control"]);
        assert!(used.is_busy && !used.is_data);
        assert!(
            !sources.has_eliciting(),
            "the PING of the measurement confirms too"
        );
    }

    #[test]
    fn a_packet_that_must_be_acknowledged_says_at_least_a_ping() {
        let mut sources = up();
        sources.pings.confirm();
        assert_eq!(packet(&mut sources, true, false).0, ["ping"]);
        assert!(!sources.has_eliciting());
        sources.received.on_packet(5, true, None, NOW);
        let (frames, used) = packet(&mut sources, true, true);
        assert_eq!(frames, ["ack", "ping"], "an echo");
        assert!(!used.is_busy, "signs of life keep nobody awake");
        assert_eq!(ends(&mut sources), 0, "nobody measures");
    }

    #[test]
    fn only_a_listener_with_many_gaps_and_nothing_under_way_asks_for_an_echo() {
        let mut sources = up();
        for pn in 0..ECHO_RANGES as u64 {
            sources.received.on_packet(2 * pn, true, None, NOW);
        }
        assert!(!sources.wants_echo(true));
        sources.received.on_packet(100, true, None, NOW);
        assert!(sources.wants_echo(true) && !sources.wants_echo(false));
    }

    #[test]
    fn an_end_answers_what_was_asked_and_leaves_nothing_to_say() {
        let mut sources = up();
        sources.ping().expect("it is up");
        sources.push_control(&ControlMessage::Candidates(Vec::new()));
        assert!(sources.push_relayed(1, Bytes::from_static(b"datagram")));
        sources.received.on_packet(5, true, None, NOW);
        let mut outcomes = Vec::new();
        sources.on_ended(&mut outcomes);
        assert!(matches!(outcomes[..], [PeerOutcome::Pong { rtt: None }]));
        assert!(!sources.has_output(NOW + Duration::from_secs(9)));
        assert!(!sources.relayed.waits() && sources.next_timeout().is_none());
        assert_eq!(ends(&mut sources), 0);
    }

    /// Protocol §8.6.
    #[test]
    fn configured_weights_share_the_line() {
        let weights = SendWeights {
            streams: 3,
            ..SendWeights::EQUAL
        };
        let common = Common {
            weights,
            ..Common::default()
        };
        let (id, rng) = (NodeId::from_bytes([7; 32]), Rng::from_seed([1; 32]));
        let mut peer = Peer::new(NOW, id, Arc::new(common), rng);
        let sources = &mut peer.sources;
        sources.levels.on_up();
        let (label, bulk) = (1.into(), Bytes::from(vec![1; 400_000]));
        let message = sources.levels.send_message(&label, bulk.clone(), None);
        let stream = sources.levels.open_stream(&label).expect("room");
        let (streams, id) = sources.levels.stream(stream).expect("it is open");
        let written = streams.write(id, bulk).expect("it is open");
        assert!(message.is_ok() && written > 200_000);
        let (mut buffer, mut bytes) = ([0; 1_200], [0_usize; 2]);
        for _ in 0..200 {
            let (mut w, mut content) = (Writer::new(&mut buffer), Content::new());
            let (now, rtt) = (NOW, Duration::from_millis(50));
            let fill = Fill {
                pace: Pace { now, rtt },
                elicits: true,
                echoes: false,
            };
            assert!(sources.fill(fill, &mut w, &mut content).is_data);
            for frame in frame::iter(w.written()) {
                match frame {
                    Ok(Frame::Message(f)) => bytes[0] += f.data.len(),
                    Ok(Frame::Stream(f)) => bytes[1] += f.data.len(),
                    _ => {}
                }
            }
        }
        let ratio = bytes[1] as f64 / bytes[0] as f64;
        assert!((2.8..3.2).contains(&ratio), "{bytes:?}");
    }
}
