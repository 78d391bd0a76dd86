//! Credit, limits, resets and stops going out. Each kind waits once; its newest value is taken when it leaves, so
//! a lost one is either sent again with the newest value or not at all.

use super::{Pending, StreamControl, Streams};
use crate::api::StreamId;
use crate::level::window::Pace;
use crate::limits;

/// The largest control frame: type and three varints.
const CONTROL_FRAME_BYTES: usize = 1 + 3 * 8;

impl Streams {
    /// The next control frame, where `room_bytes` hold the largest of them. `pace` says how fast credit is used up.
    pub(crate) fn poll_control(&mut self, room_bytes: usize, pace: Pace) -> Option<StreamControl> {
        if room_bytes < CONTROL_FRAME_BYTES {
            return None;
        }
        while let Some(pending) = self.control.pop_first() {
            if let Some(control) = self.control_frame(pending, pace) {
                return Some(control);
            }
        }
        None
    }

    fn control_frame(&mut self, pending: Pending, pace: Pace) -> Option<StreamControl> {
        let available = self.receiving.available_bytes();
        match pending {
            Pending::StreamsCredit => {
                self.window.judge(self.consumed_bytes, pace, available);
                let grantable = self.window.grantable(self.consumed_bytes);
                self.credit_advertised = self.credit_advertised.max(grantable);
                let total_bytes = self.credit_advertised;
                Some(StreamControl::StreamsCredit { total_bytes })
            }
            Pending::StreamsLimit => {
                self.remote_limit_advertised = self.remote_removed + limits::STREAMS_PER_PEER;
                let streams = self.remote_limit_advertised;
                Some(StreamControl::StreamsLimit { streams })
            }
            Pending::StreamCredit(id) => {
                let receiving = &mut self.streams.get_mut(&id)?.receiving;
                let total_bytes = receiving.advertise_credit(pace, available)?;
                let id = StreamId(id);
                Some(StreamControl::StreamCredit { id, total_bytes })
            }
            Pending::Reset(id) => {
                let (code, final_size_bytes) = self.streams.get(&id)?.sending.reset_frame()?;
                Some(StreamControl::Reset {
                    id: StreamId(id),
                    code,
                    final_size_bytes,
                })
            }
            Pending::Taken(id) => Some(StreamControl::Taken { id: StreamId(id) }),
            Pending::Stop(id) => {
                let receiving = &self.streams.get(&id)?.receiving;
                let code = receiving.stopped.filter(|_| !receiving.has_ended)?;
                let id = StreamId(id);
                Some(StreamControl::Stop { id, code })
            }
        }
    }

    /// Whether [`Self::poll_control`] may have something, given room.
    #[must_use]
    pub(crate) fn has_control_to_send(&self) -> bool {
        !self.control.is_empty()
    }

    pub(super) fn on_control_delivered(&mut self, control: StreamControl) {
        if let StreamControl::Reset { id, .. } = control
            && let Some(stream) = self.streams.get_mut(&id.0)
        {
            stream.sending.on_reset_delivered();
            self.control.remove(&Pending::Reset(id.0));
            self.remove_if_ended(id.0);
        }
    }

    pub(super) fn on_control_lost(&mut self, control: StreamControl) {
        // Of a credit only the newest is sent again; a newer one is on its way otherwise.
        let again = match control {
            StreamControl::Reset { id, .. } => {
                let stream = self.streams.get(&id.0);
                let reset = stream.and_then(|s| s.sending.reset_frame());
                reset.map(|_| Pending::Reset(id.0))
            }
            StreamControl::Stop { id, .. } => {
                let stream = self.streams.get(&id.0);
                let waits = stream.is_some_and(|s| !s.receiving.has_ended);
                waits.then_some(Pending::Stop(id.0))
            }
            StreamControl::Taken { id } => Some(Pending::Taken(id.0)),
            StreamControl::StreamCredit { id, total_bytes } => {
                let receiving = self.streams.get(&id.0).map(|s| &s.receiving);
                let newest = receiving
                    .is_some_and(|r| r.can_use_credit() && r.credit_advertised() == total_bytes);
                newest.then_some(Pending::StreamCredit(id.0))
            }
            StreamControl::StreamsCredit { total_bytes } => {
                (total_bytes == self.credit_advertised).then_some(Pending::StreamsCredit)
            }
            StreamControl::StreamsLimit { streams } => {
                (streams == self.remote_limit_advertised).then_some(Pending::StreamsLimit)
            }
        };
        self.control.extend(again);
    }
}
