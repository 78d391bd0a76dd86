//! Who may ask. Four locks in this order, before any route is looked at: the connection comes from this machine, the
//! `Host` is one of ours (DNS rebinding), no other site sent the browser here (cross-site requests), and the
//! caller has the token or a log-in. Unsafe methods of a log-in need its X-CSRF value besides.

mod origin;
mod session;

use core::time::Duration;
use std::collections::VecDeque;

use p2p_core::rng::Rng;
use p2p_core::time::Instant;

use crate::clock::WallClock;
use crate::config::Token;
use crate::exchange::Request;
use crate::problem::{Code, Problem};
use session::{Login, Session, Sessions};
pub(crate) use session::{SESSION_LIFE, TICKET_LIFE};

/// Wrong tokens and tickets allowed in [`BAD_TRIES_WINDOW`].
const BAD_TRIES: usize = 10;
/// Span over which wrong tries are counted.
const BAD_TRIES_WINDOW: Duration = Duration::from_secs(60);

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Anyone on this machine.
    Public,
    /// The token or a log-in.
    Owner,
    /// The token only.
    Token,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// No token and no log-in.
    Nobody,
    /// The bearer of the token.
    Token,
    /// A log-in.
    Session(Session),
}

/// All locks of the surface.
pub(crate) struct Locks {
    token: Token,
    allowed_hosts: Vec<String>,
    clock: WallClock,
    bad_tries: VecDeque<Instant>,
    sessions: Sessions,
}

impl Locks {
    /// Makes the locks.
    pub(crate) fn new(
        token: Token,
        allowed_hosts: Vec<String>,
        clock: WallClock,
        rng: Rng,
    ) -> Self {
        let key = token.session_key();
        Self {
            token,
            allowed_hosts,
            clock,
            bad_tries: VecDeque::new(),
            sessions: Sessions::new(rng, key),
        }
    }

    /// Host names answered to.
    pub(crate) fn allowed_hosts(&self) -> &[String] {
        &self.allowed_hosts
    }

    /// The locks that hold for everyone, whatever the route.
    pub(crate) fn check_place(&self, request: &Request) -> Result<(), Problem> {
        if !request.peer_is_loopback {
            let detail = "The connection does not come from a loopback address.";
            return Err(Problem::new(Code::NotLoopback, detail));
        }
        let host = origin::allowed_host(request, &self.allowed_hosts).ok_or_else(|| {
            let detail = "The Host field is absent, repeated, or names no address of this node.";
            Problem::new(Code::HostNotAllowed, detail)
        })?;
        if !origin::same_site(request, host) {
            let detail = "Origin or Sec-Fetch-Site tells that another site sent this request.";
            return Err(Problem::new(Code::CrossSite, detail));
        }
        Ok(())
    }

    /// Finds out who asks, and whether they may.
    pub(crate) fn check_identity(
        &mut self,
        now: Instant,
        request: &Request,
        scope: Scope,
    ) -> Result<Identity, Problem> {
        if scope == Scope::Public {
            return Ok(Identity::Nobody);
        }
        if request.has_header("authorization") || request.has_header("p2p-token") {
            return self.check_token(now, request);
        }
        let cookie = self.cookie_name(request);
        let unix_ms = self.clock.unix_ms(now);
        let session = session::cookies(request, &cookie)
            .find_map(|secret| self.sessions.find(unix_ms, secret));
        let Some(session) = session else {
            let detail = "The request carries neither a token nor a valid log-in.";
            return Err(Problem::new(Code::Unauthorized, detail)
                .with_header("www-authenticate", "Bearer realm=\"p2p\""));
        };
        let safe = matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let csrf = request.header("x-csrf").unwrap_or_default();
        if !safe && !self.sessions.csrf_matches(session, csrf) {
            let detail = "A log-in needs its csrf value with methods that change something.";
            return Err(Problem::new(Code::CsrfRequired, detail));
        }
        if scope == Scope::Token {
            let detail = "This is for the bearer of the token only.";
            return Err(Problem::new(Code::TokenRequired, detail));
        }
        Ok(Identity::Session(session))
    }

    /// Whether an `Authorization` bears the token.
    pub(crate) fn bears_token(&self, authorization: &[u8]) -> bool {
        let text = core::str::from_utf8(authorization).ok();
        text.and_then(bearer)
            .is_some_and(|text| self.token.matches(text))
    }

    fn check_token(&mut self, now: Instant, request: &Request) -> Result<Identity, Problem> {
        // A field of its own, so that a program can send a peer's application an Authorization.
        let given = if request.has_header("p2p-token") {
            request.header("p2p-token")
        } else {
            request.header("authorization").and_then(bearer)
        };
        if given.is_some_and(|text| self.token.matches(text)) {
            return Ok(Identity::Token);
        }
        self.count_bad_try(now)?;
        Err(
            Problem::new(Code::Unauthorized, "The token is wrong.").with_header(
                "www-authenticate",
                "Bearer realm=\"p2p\", error=\"invalid_token\"",
            ),
        )
    }

    /// Counts a wrong token or ticket. The right one still passes while others are locked out: 256 bits are not
    /// guessed, and otherwise any program on this machine could lock the owner out.
    fn count_bad_try(&mut self, now: Instant) -> Result<(), Problem> {
        let old = |at: &Instant| now.saturating_since(*at) >= BAD_TRIES_WINDOW;
        while self.bad_tries.front().is_some_and(old) {
            self.bad_tries.pop_front();
        }
        if let Some(first) = self
            .bad_tries
            .front()
            .filter(|_| self.bad_tries.len() >= BAD_TRIES)
        {
            let wait = (*first + BAD_TRIES_WINDOW).saturating_since(now);
            let detail = "There were ten wrong tries within a minute.";
            return Err(Problem::new(Code::LockedOut, detail).with_retry_after(wait));
        }
        self.bad_tries.push_back(now);
        Ok(())
    }

    /// A new one-use ticket.
    pub(crate) fn issue_ticket(&mut self, now: Instant) -> String {
        self.sessions.issue_ticket(now)
    }

    /// Exchanges a ticket for a log-in; returns it with the `Set-Cookie` value.
    pub(crate) fn log_in(
        &mut self,
        now: Instant,
        request: &Request,
        ticket: &str,
    ) -> Result<(Login, String), Problem> {
        let Some(login) = self.sessions.log_in(now, self.clock.unix_ms(now), ticket) else {
            self.count_bad_try(now)?;
            let detail = "The ticket is wrong, was used before, or is too old.";
            return Err(Problem::new(Code::TicketInvalid, detail));
        };
        let cookie = format!(
            "{}={}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}",
            self.cookie_name(request),
            login.secret,
            SESSION_LIFE.as_secs()
        );
        Ok((login, cookie))
    }

    /// The csrf value of a log-in and what is left of its life.
    pub(crate) fn session(&self, now: Instant, session: Session) -> (String, Duration) {
        let rest = session.rest(self.clock.unix_ms(now));
        (self.sessions.csrf(session), rest)
    }

    /// Ends a log-in; returns the `Set-Cookie` value that clears the cookie.
    pub(crate) fn log_out(&mut self, request: &Request, identity: Identity) -> String {
        if let Identity::Session(session) = identity {
            self.sessions.end(session);
        }
        format!(
            "{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0",
            self.cookie_name(request)
        )
    }

    /// Cookies are shared between ports of one host, so the port is in the name.
    fn cookie_name(&self, request: &Request) -> String {
        let host = request.header("host").unwrap_or_default();
        let port = host.rsplit(':').next().unwrap_or_default();
        format!("p2p_session_{port}")
    }
}

/// What an `Authorization` of that scheme bears.
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
