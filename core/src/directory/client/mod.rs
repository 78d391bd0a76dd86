//! One introducer as a node sees it, from looking its name up to the registration that stands. Takes: addresses,
//! session up or lost, answers to `rg`. Decides: what to try next and when. Returns: a [`LinkAction`] at a time
//! and the state for the surfaces. protocol §6, §10.1.
//!
//! The registration lives one minute and every authentic packet renews it, so keep-alives are enough; a full
//! registration is repeated every five minutes all the same, because an introducer may have lost it.

use core::net::SocketAddr;

use crate::api::{IntroducerState, RegistrationRefusal};
use crate::rng::Rng;
use crate::time::{Deadline, Duration, Instant, TimerKind};

/// First pause after a failure; doubles each time.
const BACKOFF: Duration = Duration::from_secs(1);
/// Longest pause between attempts to reach the introducer.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// First pause after a refusal; doubles each time. Longer, because a refusal rarely passes by itself.
const REFUSED_BACKOFF: Duration = Duration::from_secs(30);
/// Longest pause after a refusal: the grace time of a name.
const REFUSED_BACKOFF_MAX: Duration = Duration::from_secs(300);
/// Pause between full registrations.
const REREGISTER: Duration = Duration::from_secs(300);
/// Least pause between two of them where failing paths ask for one: paths may fail in rows.
const REREGISTER_LEAST: Duration = Duration::from_secs(5);
/// How long one address is tried before the next step: longer than the handshake's
/// own first five repetitions (protocol §3.6).
const STEP_TIMEOUT: Duration = Duration::from_secs(8);
/// Everybody notices a restart of an introducer at about the same time; each waits a random part of this.
const RESTART_SPREAD: Duration = Duration::from_secs(3);
/// Addresses taken from one resolution.
const ADDRESSES: usize = 8;

/// What the parent is to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkAction {
    /// Look the host up; answer with `on_resolved` or `on_resolve_failed`.
    Resolve,
    /// Shake hands at this address; answer with `on_session_up` or `on_session_lost`.
    Connect(SocketAddr),
    /// Send `rg`; answer with `on_registered`, `on_refused` or `on_request_timed_out`.
    Register,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Resolving,
    Connecting,
    Registering,
    Registered,
    Unreachable,
    /// No address is known to try.
    Unresolved,
    Refused(RegistrationRefusal),
}

/// The state machine of one introducer.
pub(crate) struct IntroducerLink {
    state: State,
    addresses: Vec<SocketAddr>,
    /// Next address to try; all were tried when it reaches the end.
    next_address: usize,
    pending: Option<LinkAction>,
    /// A full registration is on its way.
    asking: bool,
    /// The name or record changed while one was on its way.
    changed: bool,
    timer: Option<Instant>,
    registered_at: Option<Instant>,
    failures: u32,
    observed: Option<SocketAddr>,
    life: Duration,
    rng: Rng,
}

impl IntroducerLink {
    /// Starts to look for the introducer at once.
    #[must_use]
    pub(crate) fn new(rng: Rng) -> Self {
        let mut link = Self {
            state: State::Resolving,
            addresses: Vec::new(),
            next_address: 0,
            pending: None,
            asking: false,
            changed: false,
            timer: None,
            registered_at: None,
            failures: 0,
            observed: None,
            life: Duration::ZERO,
            rng,
        };
        link.move_to_resolving();
        link
    }

    /// The host's addresses, in the order in which they are to be tried; at most eight are taken.
    pub(crate) fn on_resolved(&mut self, now: Instant, addresses: &[SocketAddr]) {
        if self.state != State::Resolving {
            return;
        }
        if addresses.is_empty() {
            return self.on_resolve_failed(now);
        }
        self.addresses = addresses.iter().copied().take(ADDRESSES).collect();
        self.next_address = 0;
        self.move_to_next_address(now);
    }

    /// The host has no address now; those that were known before are tried again.
    pub(crate) fn on_resolve_failed(&mut self, now: Instant) {
        if self.state == State::Resolving {
            self.next_address = 0;
            self.move_to_next_address(now);
            if self.addresses.is_empty() {
                self.state = State::Unresolved;
            }
        }
    }

    /// A session with the introducer stands, the first or a new one after a restart: registers at once.
    pub(crate) fn on_session_up(&mut self) {
        self.failures = 0;
        self.move_to_registering();
    }

    /// The handshake failed, or the session is over.
    pub(crate) fn on_session_lost(&mut self, now: Instant) {
        self.asking = false;
        match self.state {
            State::Connecting => self.move_to_next_address(now),
            State::Registered => {
                // The address was right a moment ago: no look-up, no backoff, only the spread.
                let spread = u64::try_from(RESTART_SPREAD.as_nanos()).unwrap_or(u64::MAX);
                let pause = Duration::from_nanos(self.rng.below(spread));
                self.state = State::Unreachable;
                self.pending = None;
                self.timer = Some(now + pause);
            }
            State::Registering | State::Refused(_) => self.move_to_unreachable(now),
            State::Resolving | State::Unreachable | State::Unresolved => {}
        }
    }

    /// The registration stands; `observed` is our address as the introducer sees it.
    pub(crate) fn on_registered(&mut self, now: Instant, observed: SocketAddr, life: Duration) {
        if !self.asking {
            return;
        }
        self.asking = false;
        self.failures = 0;
        self.observed = Some(observed);
        self.life = life;
        if core::mem::take(&mut self.changed) {
            return self.ask();
        }
        self.state = State::Registered;
        self.registered_at = Some(now);
        let pause = self.jittered(REREGISTER);
        self.timer = Some(now + pause);
    }

    /// The registration was refused (protocol §6.3); `retry_after` as the introducer says.
    pub(crate) fn on_refused(
        &mut self,
        now: Instant,
        why: RegistrationRefusal,
        retry_after: Option<Duration>,
    ) {
        if !self.asking {
            return;
        }
        self.asking = false;
        if core::mem::take(&mut self.changed) {
            return self.ask();
        }
        self.state = State::Refused(why);
        let pause = backoff(REFUSED_BACKOFF, REFUSED_BACKOFF_MAX, self.failures);
        let pause = pause.max(retry_after.unwrap_or_default().min(REFUSED_BACKOFF_MAX));
        self.failures = self.failures.saturating_add(1);
        let pause = self.jittered(pause);
        self.timer = Some(now + pause);
    }

    /// No answer to `rg` came: the session is of no use any more.
    pub(crate) fn on_request_timed_out(&mut self, now: Instant) {
        if self.asking {
            self.asking = false;
            self.move_to_unreachable(now);
        }
    }

    /// A direct path to some peer failed. Our own NAT may have forgotten us: the address that the introducer sees
    /// is asked for anew, so that peers hear of it.
    pub(crate) fn on_path_failed(&mut self, now: Instant) {
        if self.state != State::Registered || self.asking {
            return;
        }
        let least = self.registered_at.map_or(now, |at| at + REREGISTER_LEAST);
        let at = now.max(least);
        self.timer = Some(self.timer.map_or(at, |planned| planned.min(at)));
    }

    /// The machine changed networks: what could not be reached before may be reachable now.
    pub(crate) fn on_network_changed(&mut self) {
        if matches!(self.state, State::Unreachable | State::Unresolved) {
            self.failures = 0;
            self.move_to_resolving();
        }
    }

    /// Does what is due, then returns the next action; call until `None` after every input and timeout.
    pub(crate) fn poll_action(&mut self, now: Instant) -> Option<LinkAction> {
        if self.timer.is_some_and(|at| at <= now) {
            self.timer = None;
            self.on_timer(now);
        }
        self.pending.take()
    }

    fn on_timer(&mut self, now: Instant) {
        match self.state {
            State::Connecting => self.move_to_next_address(now),
            State::Registered | State::Refused(_) => self.ask(),
            State::Unreachable if self.failures == 0 => {
                self.next_address = self.next_address.saturating_sub(1);
                self.move_to_next_address(now);
            }
            State::Unreachable | State::Unresolved => self.move_to_resolving(),
            State::Resolving | State::Registering => {}
        }
    }

    /// When to call `poll_action` again.
    #[must_use]
    pub(crate) fn next_timeout(&self) -> Option<Deadline> {
        let at = self.timer?;
        Some(Deadline::new(at, TimerKind::Registration))
    }

    /// The state as the surfaces show it.
    #[must_use]
    pub(crate) const fn state(&self) -> IntroducerState {
        match self.state {
            State::Resolving => IntroducerState::Resolving,
            State::Connecting => IntroducerState::Connecting,
            State::Registering => IntroducerState::Registering,
            State::Registered => IntroducerState::Registered,
            State::Unreachable => IntroducerState::Unreachable,
            State::Unresolved => IntroducerState::Unresolved,
            State::Refused(why) => IntroducerState::Refused(why),
        }
    }

    /// Our address as the introducer saw it last.
    #[must_use]
    pub(crate) const fn observed(&self) -> Option<SocketAddr> {
        self.observed
    }

    fn move_to_resolving(&mut self) {
        self.state = State::Resolving;
        self.pending = Some(LinkAction::Resolve);
        // The parent tells where no answer comes.
        self.timer = None;
    }

    fn move_to_next_address(&mut self, now: Instant) {
        let Some(address) = self.addresses.get(self.next_address).copied() else {
            return self.move_to_unreachable(now);
        };
        self.next_address += 1;
        self.state = State::Connecting;
        self.pending = Some(LinkAction::Connect(address));
        self.timer = Some(now + STEP_TIMEOUT);
    }

    fn move_to_registering(&mut self) {
        self.state = State::Registering;
        self.ask();
    }

    fn ask(&mut self) {
        self.asking = true;
        self.changed = false;
        self.pending = Some(LinkAction::Register);
        // The request has a deadline of its own.
        self.timer = None;
    }

    fn move_to_unreachable(&mut self, now: Instant) {
        self.state = State::Unreachable;
        self.pending = None;
        let pause = backoff(BACKOFF, BACKOFF_MAX, self.failures);
        self.failures = self.failures.saturating_add(1);
        let pause = self.jittered(pause);
        self.timer = Some(now + pause);
    }

    /// 80 to 120 per cent of `pause`.
    fn jittered(&mut self, pause: Duration) -> Duration {
        let fifth = u64::try_from(pause.as_nanos() / 5).unwrap_or(u64::MAX / 4);
        pause - Duration::from_nanos(fifth) + Duration::from_nanos(self.rng.below(2 * fifth + 1))
    }
}

fn backoff(first: Duration, most: Duration, failures: u32) -> Duration {
    let factor = 1u32.checked_shl(failures.min(16)).unwrap_or(1);
    first.saturating_mul(factor).min(most)
}

#[cfg(test)]
mod tests;
