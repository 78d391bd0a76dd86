//! A handshake that this side started: what to send, when to repeat it, when to give it up (protocol §3.6).
//! Takes: time, the responder's cookie or answer. Returns: the datagram that is due, and over which route; receiver
//! indices that are free again.

use crate::limits;
use crate::path::Route;
use crate::session::Initiator;
use crate::time::{Deadline, Duration, Instant, TimerKind};

/// Pauses that double, up to a bound.
struct Repeat {
    due: Instant,
    pause: Duration,
    gives_up: Instant,
    times: u32,
}

impl Repeat {
    /// Due at once, for the first time.
    fn new(now: Instant, life: Duration) -> Self {
        Self {
            due: now,
            pause: limits::HANDSHAKE_RETRY,
            gives_up: now + life,
            times: 0,
        }
    }

    /// Whether it is due; the next time is then set.
    fn take_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.times += 1;
            self.due = now + self.pause;
            self.pause = (self.pause * 2).min(limits::HANDSHAKE_RETRY_MAX);
        }
        is_due
    }

    /// Makes it due again at once.
    fn hasten(&mut self, now: Instant) {
        self.due = now;
    }

    /// Whether it was due once only: then an answer measures a round trip (Karn's rule otherwise).
    fn is_first(&self) -> bool {
        self.times <= 1
    }

    /// Whether nobody answered for too long.
    fn is_over(&self, now: Instant) -> bool {
        now >= self.gives_up
    }

    /// When to look again.
    fn next_timeout(&self) -> Instant {
        self.due.min(self.gives_up)
    }
}

/// The initiator's side of a handshake under way.
pub(crate) struct Handshaking {
    /// The Noise state and the datagram to repeat.
    pub(crate) initiator: Initiator,
    route: Route,
    /// Where it went once too, because the peer's own call came from there.
    second_route: Option<Route>,
    cookies: u32,
    /// When the first datagram left; the answer measures a first round trip.
    started: Instant,
    /// Whether the present association goes on.
    is_rekey: bool,
    repeat: Repeat,
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
struct Confirming {
    /// The third datagram of `XX`; a PING does for `IK`.
    datagram: Option<Vec<u8>>,
    route: Route,
    repeat: Repeat,
}

/// What is to leave for a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// So many bytes, written into the buffer.
    Datagram(Route, usize),
    /// A PING under the new keys.
    Ping(Route),
}

/// The responder answered.
pub(super) struct Answered {
    /// Where data goes now.
    pub(super) route: Route,
    /// The round trip, where it was measured.
    pub(super) rtt: Option<Duration>,
}

/// Nobody answered in time.
pub(super) struct GivenUp {
    /// The receiver index that is free again.
    pub(super) index: u32,
    /// Whether the present association goes on.
    pub(super) is_rekey: bool,
}

/// The handshake of ours with one peer: until it is answered, and then until the peer is known to have the answer.
#[derive(Default)]
pub(crate) struct Handshakes {
    /// Boxed: most peers are idle.
    ours: Option<Box<Handshaking>>,
    confirming: Option<Confirming>,
}

impl Handshakes {
    /// Starts one over a route; none may be under way. `is_rekey` says that the present association goes on.
    pub(super) fn start(
        &mut self,
        now: Instant,
        initiator: Initiator,
        route: Route,
        life: Duration,
        is_rekey: bool,
    ) {
        self.ours = Some(Box::new(Handshaking {
            initiator,
            route,
            second_route: None,
            cookies: 0,
            started: now,
            is_rekey,
            repeat: Repeat::new(now, life),
        }));
    }

    /// Whether one is under way.
    pub(crate) fn is_under_way(&self) -> bool {
        self.ours.is_some()
    }

    /// Whether neither a handshake nor its confirmation is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.ours.is_none() && self.confirming.is_none()
    }

    /// The one with this receiver index.
    pub(crate) fn by_index(&mut self, index: u32) -> Option<&mut Handshaking> {
        let ours = self.ours.as_deref_mut();
        ours.filter(|ours| ours.initiator.local_index() == index)
    }

    /// The datagram of the one under way, to be sent once over another route by which the peer's own call came. The
    /// handshake itself stays where it is: an initiation may be a replay from anywhere.
    pub(crate) fn also_over(&mut self, route: Route) -> Option<Vec<u8>> {
        let ours = self.ours.as_mut()?;
        if ours.route == route {
            return None;
        }
        ours.second_route = Some(route);
        Some(ours.initiator.datagram().to_vec())
    }

    /// Gives the one under way up; its receiver index is free again.
    pub(super) fn give_up(&mut self) -> Option<u32> {
        let ours = self.ours.take()?;
        Some(ours.initiator.local_index())
    }

    /// As [`Self::give_up`], where it was to go on with an association that has ended.
    pub(super) fn give_up_rekey(&mut self) -> Option<u32> {
        let ours = self.ours.take_if(|ours| ours.is_rekey)?;
        Some(ours.initiator.local_index())
    }

    /// The responder answered, by this route; what `XX` says last is repeated until it is heard.
    pub(super) fn on_answered(
        &mut self,
        now: Instant,
        final_datagram: Option<Vec<u8>>,
        came_by: Route,
    ) -> Option<Answered> {
        let ours = self.ours.take()?;
        // The source of an answer is not authentic: it counts only where the call went there too.
        let second = ours.second_route.filter(|route| *route == came_by);
        let route = second.unwrap_or(ours.route);
        let mut repeat = Repeat::new(now, limits::PROVISIONAL_LIFE);
        if final_datagram.is_none() {
            // The first PING leaves with whatever else is to be said.
            repeat.take_due(now);
        }
        self.confirming = Some(Confirming {
            datagram: final_datagram,
            route,
            repeat,
        });
        let rtt = now.saturating_since(ours.started);
        let rtt = ours.repeat.is_first().then_some(rtt);
        Some(Answered { route, rtt })
    }

    /// The peer was heard under the new keys, or they are gone.
    pub(super) fn on_confirmed(&mut self) {
        self.confirming = None;
    }

    /// Gives up what nobody answered in time.
    pub(super) fn expire(&mut self, now: Instant) -> Option<GivenUp> {
        self.confirming.take_if(|c| c.repeat.is_over(now));
        let ours = self.ours.take_if(|ours| ours.repeat.is_over(now))?;
        Some(GivenUp {
            index: ours.initiator.local_index(),
            is_rekey: ours.is_rekey,
        })
    }

    /// Writes what is due into `buffer`.
    pub(super) fn poll(&mut self, now: Instant, buffer: &mut [u8]) -> Option<Due> {
        if let Some(ours) = &mut self.ours
            && !ours.repeat.is_over(now)
            && ours.repeat.take_due(now)
        {
            let len = write(ours.initiator.datagram(), buffer)?;
            return Some(Due::Datagram(ours.route, len));
        }
        let confirming = self.confirming.as_mut()?;
        if confirming.repeat.is_over(now) || !confirming.repeat.take_due(now) {
            return None;
        }
        let route = confirming.route;
        match &confirming.datagram {
            Some(datagram) => Some(Due::Datagram(route, write(datagram, buffer)?)),
            None => Some(Due::Ping(route)),
        }
    }

    /// When to look again.
    pub(super) fn next_timeout(&self) -> Option<Deadline> {
        let ours = self.ours.as_ref().map(|ours| ours.repeat.next_timeout());
        let confirming = self.confirming.as_ref().map(|c| c.repeat.next_timeout());
        let next = [ours, confirming].into_iter().flatten().min()?;
        Some(Deadline::new(next, TimerKind::Handshake))
    }
}

fn write(datagram: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let place = buffer.get_mut(..datagram.len())?;
    place.copy_from_slice(datagram);
    Some(datagram.len())
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddr;

    use super::*;
    use crate::peer::tests::initiator;

    const LIFE: Duration = Duration::from_secs(5);

    fn route(n: u8) -> Route {
        Route::to(SocketAddr::from(([198, 51, 100, n], 6660)))
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    fn started(is_rekey: bool) -> Handshakes {
        let mut handshakes = Handshakes::default();
        handshakes.start(at(0), initiator(7), route(1), LIFE, is_rekey);
        handshakes
    }

    /// Times at which something is due until everything is over, and what.
    fn dues(handshakes: &mut Handshakes) -> Vec<(Instant, Due)> {
        let (mut dues, mut buffer) = (Vec::new(), [0; 2_048]);
        while let Some(next) = handshakes.next_timeout() {
            let due = handshakes.poll(next.at, &mut buffer);
            dues.extend(due.map(|due| (next.at, due)));
            handshakes.expire(next.at);
        }
        dues
    }

    #[test]
    fn an_unanswered_call_is_repeated_with_growing_pauses_and_given_up_once() {
        let mut handshakes = started(false);
        let (mut times, mut buffer) = (Vec::new(), [0; 2_048]);
        let given_up = loop {
            let next = handshakes.next_timeout().expect("it is not over").at;
            if handshakes.poll(next, &mut buffer).is_some() {
                times.push(next);
            }
            if let Some(given_up) = handshakes.expire(next) {
                assert_eq!(next, at(0) + LIFE);
                break given_up;
            }
        };
        assert_eq!((given_up.index, given_up.is_rekey), (7, false));
        assert!(times.len() >= 3, "{times:?}");
        let pauses: Vec<_> = times
            .windows(2)
            .map(|t| t[1].saturating_since(t[0]))
            .collect();
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert!(handshakes.is_idle() && handshakes.next_timeout().is_none());
    }

    /// Whoever sees the call can send cookies as fast as the line takes them.
    #[test]
    fn a_flood_of_cookies_hastens_only_a_few_repetitions() {
        let mut handshakes = started(false);
        let mut buffer = [0; 2_048];
        let mut sent = 0;
        for _ in 0..1_000 {
            sent += usize::from(handshakes.poll(at(1), &mut buffer).is_some());
            let ours = handshakes.by_index(7).expect("it is under way");
            ours.on_cookie(at(1));
        }
        assert_eq!(sent, 1 + COOKIES_HASTEN as usize);
    }

    #[test]
    fn an_answer_from_where_no_call_went_moves_no_path() {
        let mut handshakes = started(false);
        assert!(handshakes.also_over(route(1)).is_none(), "it goes there");
        assert!(handshakes.also_over(route(2)).is_some());
        let answered = handshakes.on_answered(at(40), None, route(9));
        assert_eq!(answered.expect("one was under way").route, route(1));
        assert!(handshakes.on_answered(at(41), None, route(1)).is_none());
        let mut handshakes = started(false);
        assert!(handshakes.also_over(route(2)).is_some());
        let answered = handshakes.on_answered(at(40), None, route(2));
        assert_eq!(answered.expect("one was under way").route, route(2));
    }

    /// Karn's rule: which of two calls was answered nobody knows.
    #[test]
    fn a_repeated_call_measures_no_round_trip() {
        for (repeats, rtt) in [(1, Some(Duration::from_millis(9_000))), (2, None)] {
            let mut handshakes = started(false);
            let mut buffer = [0; 2_048];
            for n in 0..repeats {
                assert!(handshakes.poll(at(n * 2_000), &mut buffer).is_some());
            }
            let answered = handshakes.on_answered(at(9_000), None, route(1));
            assert_eq!(answered.expect("one was under way").rtt, rtt);
        }
    }

    #[test]
    fn the_answer_is_confirmed_again_until_it_is_heard_or_the_peer_has_forgotten() {
        let mut handshakes = started(false);
        handshakes.on_answered(at(0), Some(vec![5; 9]), route(1));
        let all = dues(&mut handshakes);
        assert!(all.len() > 2, "{all:?}");
        let datagram = Due::Datagram(route(1), 9);
        assert!(all.iter().all(|(_, due)| *due == datagram), "{all:?}");
        assert!(handshakes.is_idle());
        let mut handshakes = started(false);
        handshakes.on_answered(at(0), None, route(1));
        let mut buffer = [0; 2_048];
        assert_eq!(handshakes.poll(at(0), &mut buffer), None, "data goes first");
        let next = handshakes.next_timeout().expect("it may be lost").at;
        assert_eq!(
            handshakes.poll(next, &mut buffer),
            Some(Due::Ping(route(1)))
        );
        handshakes.on_confirmed();
        assert!(handshakes.is_idle());
    }

    #[test]
    fn a_renewal_ends_with_its_association_and_a_first_call_does_not() {
        assert_eq!(started(true).give_up_rekey(), Some(7));
        let mut first = started(false);
        assert_eq!(first.give_up_rekey(), None);
        assert!(first.is_under_way());
        assert_eq!(first.give_up(), Some(7));
        assert!(first.by_index(7).is_none() && first.is_idle());
    }
}
