//! What a thing that writes frames promises to the scheduler and to loss recovery.

use super::sent::Content;
use crate::level::names::Names;
use crate::level::window::Pace;
use crate::time::{Duration, Instant};
use crate::wire::Writer;

/// Whose a frame was that has been written: a session that carries the application's changes its keys sooner
/// (protocol §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    /// The engine's own, for example a control message.
    Engine,
    /// The application's.
    Application,
}

/// A packet of ours was acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acked {
    /// Number of the peer's packet that brought the acknowledgement.
    pub(crate) by_pn: u64,
    /// When it came.
    pub(crate) now: Instant,
    /// The round-trip time that it measured.
    pub(crate) rtt: Option<Duration>,
}

/// Something that writes frames; `N` are the names of services that they may need, or nothing.
pub(crate) trait Source<N = Names> {
    /// What a packet's record keeps of one of its frames.
    type Sent;

    /// Whether [`Self::poll`] has something, given room; it may turn out to be nothing.
    fn waits(&self) -> bool;

    /// Writes one frame, with the name of its service before it where that is needed, and notes in `content` what is
    /// to be heard of them. `None`: nothing to send, or it does not fit.
    fn poll(
        &mut self,
        names: &mut N,
        w: &mut Writer<'_>,
        now: Instant,
        content: &mut Content,
    ) -> Option<Wrote>;

    /// Whether [`Self::poll_control`] has something, given room.
    fn control_waits(&self) -> bool {
        false
    }

    /// As [`Self::poll`], for what lets the peer go on (credit, resets) and so waits for no turn.
    fn poll_control(
        &mut self,
        _w: &mut Writer<'_>,
        _pace: Pace,
        _content: &mut Content,
    ) -> Option<Wrote> {
        None
    }

    /// The packet with this in it was acknowledged; it may have counted as lost before.
    fn on_delivered(&mut self, sent: &Self::Sent, acked: Acked);

    /// The packet with this in it is lost.
    fn on_lost(&mut self, sent: &Self::Sent);

    /// A probe timeout fired while this was in the oldest packet under way: best sent again.
    fn on_probe(&mut self, sent: &Self::Sent) {
        self.on_lost(sent);
    }

    /// When the source wants to be told the time.
    fn next_timeout(&self) -> Option<Instant>;
}
