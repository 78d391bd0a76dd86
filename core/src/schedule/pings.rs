//! Reasons to send a PING: the application measures a round trip, a probe timeout fired, or the peer is to show that
//! it has our keys. The first kind is noted and answered; the others need an acknowledgement of anything.

use std::collections::VecDeque;

use super::{Acked, Content, SentFrame, Source, Wrote};
use crate::limits;
use crate::time::{Duration, Instant};
use crate::wire::Writer;
use crate::wire::frame::Frame;

/// What is to be acknowledged although nothing else is said.
#[derive(Default)]
pub(crate) struct Pings {
    /// Measurements that the application waits for.
    asked: u32,
    /// Packets that probe timeouts call for, whatever the window says (RFC 9002 §6.2.4).
    probes: u32,
    /// The next packet is to elicit an acknowledgement under the present keys.
    confirms: bool,
    /// It is to, because the peer is to tell what it heard.
    echoes: bool,
    pongs: VecDeque<Option<Duration>>,
}

impl Pings {
    /// Measures one round trip.
    pub(crate) fn ask(&mut self) {
        self.asked = (self.asked + 1).min(limits::PINGS_QUEUED);
    }

    /// A probe timeout fired.
    pub(crate) fn on_probe_timeout(&mut self) {
        self.probes = self.probes.saturating_add(1);
    }

    /// The keys are new: the next packet asks for an acknowledgement.
    pub(crate) fn confirm(&mut self) {
        self.confirms = true;
    }

    /// Whether the next packet may leave though the window is full.
    pub(crate) fn is_probing(&self) -> bool {
        self.probes > 0
    }

    /// An acknowledgement of the next packet is wanted, whatever it says, or is not.
    pub(crate) fn want_echo(&mut self, is_wanted: bool) {
        self.echoes = is_wanted;
    }

    /// Whether a packet that would elicit nothing needs a PING of its own.
    pub(crate) fn elicits(&self) -> bool {
        self.confirms || self.echoes || self.probes > 0
    }

    /// Writes a PING where nothing in the packet elicits an acknowledgement and one is wanted.
    pub(crate) fn poll_probe(&mut self, w: &mut Writer<'_>, content: &Content) -> Option<Wrote> {
        let says_nothing = content.iter().all(|f| matches!(f, SentFrame::Ack { .. }));
        if self.elicits() && says_nothing {
            Frame::Ping.encode(w).ok()?;
        }
        None
    }

    /// A packet has left; whether it is to be acknowledged.
    pub(crate) fn on_packet_built(&mut self, is_eliciting: bool) {
        self.probes = self.probes.saturating_sub(1);
        self.confirms &= !is_eliciting;
    }

    /// The association is over: what was asked for measured nothing.
    pub(crate) fn on_ended(&mut self) {
        self.pongs.extend((0..self.asked).map(|_| None));
        (self.asked, self.probes, self.confirms) = (0, 0, false);
    }

    /// How a measurement ended: the round trip, or nothing.
    pub(crate) fn poll_pong(&mut self) -> Option<Option<Duration>> {
        self.pongs.pop_front()
    }
}

impl Source<()> for Pings {
    type Sent = ();

    fn waits(&self) -> bool {
        self.asked > 0
    }

    fn poll(
        &mut self,
        _names: &mut (),
        w: &mut Writer<'_>,
        _now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        self.asked.checked_sub(1)?;
        Frame::Ping.encode(w).ok()?;
        self.asked -= 1;
        content.push(SentFrame::Ping);
        Some(Wrote::Engine)
    }

    fn on_delivered(&mut self, (): &(), acked: Acked) {
        self.pongs.push_back(acked.rtt);
    }

    fn on_lost(&mut self, (): &()) {
        self.pongs.push_back(None);
    }

    fn on_probe(&mut self, (): &()) {
        // It would measure the second sending from the first.
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(pings: &mut Pings, room: usize) -> usize {
        let (mut buffer, mut content) = ([0; 1_400], Content::new());
        let mut w = Writer::new(&mut buffer[..room]);
        let now = Instant::EPOCH;
        while pings.poll(&mut (), &mut w, now, &mut content).is_some() {}
        assert!(content.iter().all(|frame| matches!(frame, SentFrame::Ping)));
        content.len()
    }

    #[test]
    fn each_measurement_ends_once_arrived_lost_or_cut_off() {
        let mut pings = Pings::default();
        (0..3).for_each(|_| pings.ask());
        assert_eq!(packet(&mut pings, 2), 2, "no room for the third");
        let rtt = Some(Duration::from_millis(7));
        let (by_pn, now) = (1, Instant::EPOCH);
        pings.on_delivered(&(), Acked { by_pn, now, rtt });
        pings.on_lost(&());
        assert!(pings.waits());
        pings.on_ended();
        let ends: Vec<_> = core::iter::from_fn(|| pings.poll_pong()).collect();
        assert_eq!(ends, [rtt, None, None]);
        assert!(!pings.waits());
    }

    #[test]
    fn an_application_cannot_ask_without_bound() {
        let mut pings = Pings::default();
        (0..10 * limits::PINGS_QUEUED).for_each(|_| pings.ask());
        pings.on_ended();
        let ends = core::iter::from_fn(|| pings.poll_pong()).count();
        assert_eq!(ends, limits::PINGS_QUEUED as usize);
    }

    #[test]
    fn a_confirmation_waits_for_a_packet_that_elicits_and_a_probe_for_any() {
        let mut pings = Pings::default();
        pings.confirm();
        pings.on_probe_timeout();
        pings.on_packet_built(false);
        assert!(!pings.is_probing());
        assert!(pings.elicits(), "nobody confirmed an acknowledgement");
        pings.on_packet_built(true);
        assert!(!pings.waits() && !pings.elicits());
        assert_eq!(packet(&mut pings, 100), 0, "nobody measures");
    }

    #[test]
    fn a_ping_of_its_own_goes_only_where_nothing_else_is_acknowledged() {
        let mut pings = Pings::default();
        let bytes = |pings: &mut Pings, content: &Content| {
            let mut buffer = [0; 100];
            let mut w = Writer::new(&mut buffer);
            pings.poll_probe(&mut w, content);
            w.len()
        };
        let ack = Content::from_iter([SentFrame::Ack { largest: 1 }]);
        assert_eq!(bytes(&mut pings, &ack), 0, "nobody wants it");
        pings.want_echo(true);
        assert_eq!(bytes(&mut pings, &ack), 1);
        let eliciting = Content::from_iter([SentFrame::Ping]);
        assert_eq!(bytes(&mut pings, &eliciting), 0);
        pings.want_echo(false);
        assert_eq!(bytes(&mut pings, &ack), 0);
    }
}
