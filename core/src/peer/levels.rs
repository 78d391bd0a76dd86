//! The levels of one peer, as sources of frames. Made when data first flows: a peer that only keeps a registration
//! holds none.

use super::outcome::Asker;
use crate::level::budget::Budgets;
use crate::level::datagram::Datagrams;
use crate::level::message::Messages;
use crate::level::request::Requests;
use crate::level::stream::Streams;
use crate::level::window::Pace;
use crate::schedule::{Acked, Content, LevelSent, Name, Pool, Replies, Schedule, Source, Wrote};
use crate::time::{Deadline, Instant, TimerKind};
use crate::wire::Writer;

/// All levels, both directions.
pub(super) struct Levels {
    pub(super) datagrams: Datagrams,
    pub(super) requests: Requests<Asker>,
    pub(super) replies: Replies,
    pub(super) messages: Messages,
    pub(super) streams: Streams,
    schedule: Schedule,
}

impl Levels {
    pub(super) fn new(is_smaller: bool, budgets: &Budgets) -> Self {
        Self {
            datagrams: Datagrams::default(),
            requests: Requests::default(),
            replies: Replies::default(),
            messages: Messages::new(budgets),
            streams: Streams::new(is_smaller, budgets),
            schedule: Schedule::default(),
        }
    }

    /// Whether any level wants to send.
    pub(super) fn has_data_to_send(&self) -> bool {
        const ALL: [Name; 5] = [
            Name::Datagrams,
            Name::Replies,
            Name::Requests,
            Name::Messages,
            Name::Streams,
        ];
        self.streams.control_waits()
            || self.messages.control_waits()
            || ALL.iter().any(|name| self.waits(*name))
    }

    /// Fills the rest of a packet. Says whether any of it is the application's.
    pub(super) fn fill(&mut self, pace: Pace, w: &mut Writer<'_>, content: &mut Content) -> bool {
        let mut is_data = false;
        while let Some(wrote) = Source::poll_control(&mut self.streams, w, pace, content) {
            is_data |= wrote == Wrote::Application;
        }
        while let Some(wrote) = Source::poll_control(&mut self.messages, w, pace, content) {
            is_data |= wrote == Wrote::Application;
        }
        let mut schedule = self.schedule;
        is_data |= schedule.fill(self, w, pace.now, content);
        self.schedule = schedule;
        is_data
    }

    /// A packet with this in it was acknowledged.
    pub(super) fn on_delivered(&mut self, sent: &LevelSent, acked: Acked) {
        match sent {
            LevelSent::Request(sent) => Source::on_delivered(&mut self.requests, sent, acked),
            LevelSent::Reply(sent) => Source::on_delivered(&mut self.replies, sent, acked),
            LevelSent::Message(sent) => Source::on_delivered(&mut self.messages, sent, acked),
            LevelSent::Stream(sent) => Source::on_delivered(&mut self.streams, sent, acked),
        }
    }

    /// A packet with this in it is lost.
    pub(super) fn on_lost(&mut self, sent: &LevelSent) {
        match sent {
            LevelSent::Request(sent) => Source::on_lost(&mut self.requests, sent),
            LevelSent::Reply(sent) => Source::on_lost(&mut self.replies, sent),
            LevelSent::Message(sent) => Source::on_lost(&mut self.messages, sent),
            LevelSent::Stream(sent) => Source::on_lost(&mut self.streams, sent),
        }
    }

    /// A probe timeout fired while this was in the oldest packet under way.
    pub(super) fn on_probe(&mut self, sent: &LevelSent) {
        match sent {
            LevelSent::Request(sent) => Source::on_probe(&mut self.requests, sent),
            LevelSent::Reply(sent) => Source::on_probe(&mut self.replies, sent),
            LevelSent::Message(sent) => Source::on_probe(&mut self.messages, sent),
            LevelSent::Stream(sent) => Source::on_probe(&mut self.streams, sent),
        }
    }

    /// When a level wants to be told the time.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let at = |at: Option<Instant>, kind| at.map(|at| Deadline::new(at, kind));
        let all = [
            at(Source::next_timeout(&self.requests), TimerKind::Request),
            at(Source::next_timeout(&self.replies), TimerKind::Request),
            at(Source::next_timeout(&self.messages), TimerKind::Message),
        ];
        all.into_iter().fold(None, Deadline::earlier)
    }
}

impl Pool for Levels {
    fn waits(&self, name: Name) -> bool {
        match name {
            Name::Datagrams => self.datagrams.waits(),
            Name::Replies => self.replies.waits(),
            Name::Requests => self.requests.waits(),
            Name::Messages => self.messages.waits(),
            Name::Streams => self.streams.waits(),
        }
    }

    fn poll(
        &mut self,
        name: Name,
        w: &mut Writer<'_>,
        now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        match name {
            Name::Datagrams => Source::poll(&mut self.datagrams, w, now, content),
            Name::Replies => Source::poll(&mut self.replies, w, now, content),
            Name::Requests => Source::poll(&mut self.requests, w, now, content),
            Name::Messages => Source::poll(&mut self.messages, w, now, content),
            Name::Streams => Source::poll(&mut self.streams, w, now, content),
        }
    }
}
