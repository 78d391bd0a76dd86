//! Acknowledgements as a source: any packet takes along which ones came, once there is news.

use smallvec::SmallVec;

use crate::recovery::ReceivedPackets;
use crate::schedule::{Acked, Content, SentFrame, Source, Wrote};
use crate::time::Instant;
use crate::wire::Writer;
use crate::wire::frame::ack;

impl Source<()> for ReceivedPackets {
    /// The largest packet number that was acknowledged.
    type Sent = u64;

    fn waits(&self) -> bool {
        self.ack_pending()
    }

    fn poll(
        &mut self,
        _names: &mut (),
        w: &mut Writer<'_>,
        now: Instant,
        content: &mut Content,
    ) -> Option<Wrote> {
        let delay = self.ack_delay(now).as_micros();
        let delay_us = u64::try_from(delay).unwrap_or(u64::MAX >> 2);
        let ranges: SmallVec<[ack::Range; 4]> = self.ranges().collect();
        let (_, largest) = *ranges.first()?;
        let marks = self.marks();
        ack::encode_ranges(w, delay_us, &ranges, marks.as_ref()).ok()?;
        self.on_ack_sent(now);
        content.push(SentFrame::Ack { largest });
        Some(Wrote::Engine)
    }

    fn on_delivered(&mut self, largest: &u64, _acked: Acked) {
        self.on_ack_of_ack(*largest);
    }

    fn on_lost(&mut self, _largest: &u64) {
        // The next one says all of it.
    }

    fn on_probe(&mut self, _largest: &u64) {
        // The next one says all of it.
    }

    fn next_timeout(&self) -> Option<Instant> {
        Self::next_timeout(self)
    }
}
