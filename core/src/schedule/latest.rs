//! Level "latest" as a source: of what is lost only the newest value of its key is sent again.

use super::{Acked, Content, LevelSent, SentFrame, Source, Wrote};
use crate::level::latest::{Latest, LatestSent};
use crate::level::names::Names;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::LatestFrame;

impl Source for Latest {
    type Sent = LatestSent;

    fn waits(&self) -> bool {
        self.has_data_to_send()
    }

    fn poll(
        &mut self,
        _names: &mut Names,
        w: &mut Writer<'_>,
        _now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        let (sent, value) = self.peek()?;
        let frame = LatestFrame {
            version: sent.version,
            key: &value.key,
            value: &value.data,
        };
        frame.encode(w).ok()?;
        self.on_sent(sent);
        content.push(SentFrame::Level(LevelSent::Latest(sent)));
        Some(Wrote::Application)
    }

    fn on_delivered(&mut self, sent: &LatestSent, _acked: Acked) {
        Latest::on_delivered(self, *sent);
    }

    fn on_lost(&mut self, sent: &LatestSent) {
        Latest::on_lost(self, *sent);
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}
