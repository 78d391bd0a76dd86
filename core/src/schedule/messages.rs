//! Level 2 as a source.

use super::names::announce;
use super::{Acked, Content, LevelSent, SentFrame, Source, Wrote};
use crate::level::message::{MessageControl, MessageSent, Messages};
use crate::level::names::Names;
use crate::level::window::Pace;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::{
    Frame, MessageAbandonFrame, MessageCreditFrame, MessageDeadlineFrame, MessageFrame,
    MessageTakenFrame,
};

impl Source for Messages {
    type Sent = MessageSent;

    fn waits(&self) -> bool {
        self.has_data_to_send()
    }

    fn poll(
        &mut self,
        names: &mut Names,
        w: &mut Writer<'_>,
        now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        let ahead_bytes = |topic| names.cost_bytes(topic);
        let piece = self.poll_fragment(w.remaining(), ahead_bytes, now)?;
        let (sent, id) = (piece.sent(), piece.id.0);
        let frame = MessageFrame {
            id,
            tag: piece.tag,
            total_bytes: piece.total,
            offset_bytes: piece.offset,
            data: &piece.data,
        };
        let deadline = piece
            .life_ms
            .map(|life_ms| MessageDeadlineFrame { id, life_ms });
        let told = announce(names, piece.tag.topic, w, content).is_some()
            && deadline.is_none_or(|deadline| deadline.encode(w).is_ok());
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
        let control = Messages::poll_control(self, w.remaining(), pace)?;
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
            MessageControl::Taken { first, more } => {
                Frame::MessageTaken(MessageTakenFrame { first, more })
            }
        };
        self.note(
            frame.encode(w).is_ok(),
            MessageSent::Control(control),
            content,
        )
    }

    fn on_delivered(&mut self, sent: &MessageSent, _acked: Acked) {
        Messages::on_delivered(self, sent);
    }

    fn on_lost(&mut self, sent: &MessageSent) {
        Messages::on_lost(self, sent);
    }

    fn next_timeout(&self) -> Option<Instant> {
        Messages::next_timeout(self)
    }
}

impl Messages {
    /// Notes what was written; what found no room after all waits again.
    fn note(&mut self, written: bool, sent: MessageSent, content: &mut Content) -> Option<Wrote> {
        if !written {
            Messages::on_lost(self, &sent);
            return None;
        }
        content.push(SentFrame::Level(LevelSent::Message(sent)));
        Some(Wrote::Application)
    }
}
