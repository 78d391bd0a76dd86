//! Level 0 as a source: nothing is heard of a datagram again.

use core::convert::Infallible;

use super::names::announce;
use super::{Acked, Content, Source, Wrote};
use crate::level::datagram::Datagrams;
use crate::level::names::Names;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::DatagramFrame;

impl Source for Datagrams {
    type Sent = Infallible;

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
        let Some(queued) = Datagrams::poll(self, w.remaining(), ahead_bytes, now) else {
            // On a narrow path the largest datagrams find no room beside a long name: it goes ahead, and they wait
            // until it has arrived.
            let topic = self
                .next_topic()
                .filter(|topic| names.may_go_ahead(*topic))?;
            return announce(names, topic, w, content).map(|()| Wrote::Application);
        };
        announce(names, queued.tag.topic, w, content)?;
        let frame = DatagramFrame {
            tag: queued.tag,
            data: &queued.data,
        };
        frame.encode(w).ok()?;
        Some(Wrote::Application)
    }

    fn on_delivered(&mut self, sent: &Infallible, _acked: Acked) {
        match *sent {}
    }

    fn on_lost(&mut self, sent: &Infallible) {
        match *sent {}
    }

    fn next_timeout(&self) -> Option<Instant> {
        None
    }
}
