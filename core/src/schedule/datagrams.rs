//! Level 0 as a source: nothing is heard of a datagram again.

use core::convert::Infallible;

use super::{Acked, Content, Source, Wrote};
use crate::level::datagram::Datagrams;
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::DatagramFrame;

impl Source for Datagrams {
    type Sent = Infallible;

    fn waits(&self) -> bool {
        self.has_data_to_send()
    }

    fn poll(&mut self, w: &mut Writer<'_>, now: Instant, _content: &mut Content) -> Option<Wrote> {
        let queued = Datagrams::poll(self, w.remaining(), now)?;
        let frame = DatagramFrame {
            channel: queued.channel,
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
