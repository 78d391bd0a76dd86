//! Level 3 as a source.

use super::names::announce;
use super::{Acked, Content, LevelSent, SentFrame, Source, Wrote};
use crate::level::names::Names;
use crate::level::stream::{StreamControl, StreamSent, Streams};
use crate::level::window::Pace;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::{
    Frame, StreamCreditFrame, StreamFrame, StreamResetFrame, StreamStopFrame, StreamTakenFrame,
    StreamsCreditFrame, StreamsLimitFrame,
};

impl Source for Streams {
    type Sent = StreamSent;

    fn waits(&self) -> bool {
        self.has_data_to_send()
    }

    fn poll(
        &mut self,
        names: &mut Names,
        w: &mut Writer<'_>,
        _now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        let ahead_bytes = |topic| names.cost_bytes(topic);
        let piece = self.poll_stream_frame(w.remaining(), ahead_bytes)?;
        let sent = piece.sent();
        let frame = StreamFrame {
            id: piece.id.0,
            offset_bytes: piece.offset,
            tag: piece.open,
            fin: piece.fin,
            data: &piece.data,
        };
        let told = piece
            .open
            .is_none_or(|tag| announce(names, tag.topic, w, content).is_some());
        self.note(told && frame.encode(w).is_ok(), sent, content)
    }

    fn control_waits(&self) -> bool {
        self.has_control_to_send()
    }

    fn poll_control(
        &mut self,
        w: &mut Writer<'_>,
        pace: Pace,
        content: &mut Content,
    ) -> Option<Wrote> {
        let control = Streams::poll_control(self, w.remaining(), pace)?;
        let written = control_frame(control).encode(w).is_ok();
        self.note(written, StreamSent::Control(control), content)
    }

    fn on_delivered(&mut self, sent: &StreamSent, _acked: Acked) {
        Streams::on_delivered(self, sent);
    }

    fn on_lost(&mut self, sent: &StreamSent) {
        Streams::on_lost(self, sent);
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}

impl Streams {
    /// Notes what was written; what found no room after all waits again.
    fn note(&mut self, written: bool, sent: StreamSent, content: &mut Content) -> Option<Wrote> {
        if !written {
            Streams::on_lost(self, &sent);
            return None;
        }
        content.push(SentFrame::Level(LevelSent::Stream(sent)));
        Some(Wrote::Application)
    }
}

fn control_frame(control: StreamControl) -> Frame<'static> {
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
        StreamControl::Taken { id } => Frame::StreamTaken(StreamTakenFrame { id: id.0 }),
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
