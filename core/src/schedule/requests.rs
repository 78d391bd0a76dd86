//! Questions of level 1 as a source: repeated on loss, or else by their own clock.

use super::{Acked, Content, LevelSent, RequestSent, SentFrame, Source, Wrote};
use crate::level::names::Names;
use crate::level::request::{RequestPayload, Requests};
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::{ControlFrame, RequestFrame};

impl<T> Source for Requests<T> {
    type Sent = RequestSent;

    fn waits(&self) -> bool {
        self.has_data_to_send()
    }

    fn poll(
        &mut self,
        _names: &mut Names,
        w: &mut Writer<'_>,
        now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        let request = self.poll_send(w.remaining(), now)?;
        let (reference, sending) = (request.reference, request.sendings);
        let (written, wrote) = match &request.payload {
            RequestPayload::App {
                service,
                budget,
                body,
            } => {
                let frame = RequestFrame {
                    reference,
                    service,
                    budget: *budget,
                    body,
                };
                (frame.encode(w), Wrote::Application)
            }
            RequestPayload::Control(json) => (ControlFrame { json }.encode(w), Wrote::Engine),
        };
        // Its length was asked for before; the clock would bring it again all the same.
        written.ok()?;
        let sent = RequestSent { reference, sending };
        content.push(SentFrame::Level(LevelSent::Request(sent)));
        Some(wrote)
    }

    fn on_delivered(&mut self, sent: &RequestSent, _acked: Acked) {
        Requests::on_delivered(self, sent.reference);
    }

    fn on_lost(&mut self, sent: &RequestSent) {
        Requests::on_lost(self, sent.reference, sent.sending);
    }

    fn on_probe(&mut self, sent: &RequestSent) {
        Requests::on_probe(self, sent.reference);
    }

    fn next_timeout(&self) -> Option<Instant> {
        Requests::next_timeout(self)
    }
}
