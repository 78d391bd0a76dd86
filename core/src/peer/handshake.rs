//! A handshake that this side started: what to send, when to repeat it, when to give it up (protocol §3.6).
//! Takes: time, the responder's cookie or answer. Returns: the datagram that is due, and over which route.

use crate::limits;
use crate::path::Route;
use crate::session::Initiator;
use crate::time::{Duration, Instant};

/// Pauses that double, up to a bound.
pub(crate) struct Repeat {
    due: Instant,
    pause: Duration,
    gives_up: Instant,
    times: u32,
}

impl Repeat {
    /// Due at once, for the first time.
    pub(crate) fn new(now: Instant, life: Duration) -> Self {
        Self {
            due: now,
            pause: limits::HANDSHAKE_RETRY,
            gives_up: now + life,
            times: 0,
        }
    }

    /// Whether it is due; the next time is then set.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.times += 1;
            self.due = now + self.pause;
            self.pause = (self.pause * 2).min(limits::HANDSHAKE_RETRY_MAX);
        }
        is_due
    }

    /// Makes it due again at once.
    pub(crate) fn hasten(&mut self, now: Instant) {
        self.due = now;
    }

    /// Whether it was due once only: then an answer measures a round trip (Karn's rule otherwise).
    pub(crate) fn is_first(&self) -> bool {
        self.times <= 1
    }

    /// Whether nobody answered for too long.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        now >= self.gives_up
    }

    /// When to look again.
    pub(crate) fn next_timeout(&self) -> Instant {
        self.due.min(self.gives_up)
    }
}

/// The initiator's side of a handshake under way.
pub(crate) struct Handshaking {
    /// The Noise state and the datagram to repeat.
    pub(crate) initiator: Initiator,
    /// Where it goes.
    pub(crate) route: Route,
    /// Where it went once too, because the peer's own call came from there.
    pub(crate) second_route: Option<Route>,
    /// Cookies taken so far.
    pub(crate) cookies: u32,
    /// When the first datagram left; the answer measures a first round trip.
    pub(crate) started: Instant,
    /// Whether the present association goes on.
    pub(crate) is_rekey: bool,
    /// The clock.
    pub(crate) repeat: Repeat,
}

/// Cookies that hasten a repetition; further ones wait for its turn, lest two nodes play ball.
const COOKIES_HASTEN: u32 = 3;

impl Handshaking {
    /// A cookie came: the call is repeated with it at once.
    pub(crate) fn on_cookie(&mut self, now: Instant) {
        self.cookies = self.cookies.saturating_add(1);
        if self.cookies <= COOKIES_HASTEN {
            self.repeat.hasten(now);
        }
    }
}

/// What shows the responder that its answer came, repeated until it is heard under the new keys. It forgets a
/// half-open handshake in a few seconds; a probe timeout from a round trip over a bad line would come too late.
pub(crate) struct Confirming {
    /// The third datagram of `XX`; a PING does for `IK`.
    pub(crate) datagram: Option<Vec<u8>>,
    /// Where it goes.
    pub(crate) route: Route,
    /// The clock.
    pub(crate) repeat: Repeat,
}
