//! Log-ins of the web page: one-use tickets, sessions behind a cookie, their csrf values. All are 256 random bits,
//! compared in constant time, few and short-lived.

use core::time::Duration;
use std::collections::VecDeque;

use p2p_core::id::encode_z_base_32;
use p2p_core::rng::Rng;
use p2p_core::time::Instant;
use subtle::ConstantTimeEq;

use crate::exchange::Request;

/// Life of a ticket.
pub(crate) const TICKET_LIFE: Duration = Duration::from_secs(60);
/// Life of a log-in.
pub(crate) const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// Tickets open at once; the oldest goes first.
const TICKETS: usize = 16;
/// Log-ins at once; the oldest goes first.
const SESSIONS: usize = 32;

/// A fresh log-in.
pub(crate) struct Login {
    /// Value of the cookie.
    pub secret: String,
    /// Value of X-CSRF.
    pub csrf: String,
}

struct Session {
    number: u64,
    secret: String,
    csrf: String,
    ends: Instant,
}

pub(super) struct Sessions {
    rng: Rng,
    tickets: VecDeque<(String, Instant)>,
    sessions: VecDeque<Session>,
    next_number: u64,
}

impl Sessions {
    pub(super) const fn new(rng: Rng) -> Self {
        Self {
            rng,
            tickets: VecDeque::new(),
            sessions: VecDeque::new(),
            next_number: 0,
        }
    }

    fn secret(&mut self) -> String {
        encode_z_base_32(&self.rng.array::<32>())
    }

    pub(super) fn issue_ticket(&mut self, now: Instant) -> String {
        let ticket = self.secret();
        self.tickets.retain(|(_, ends)| *ends > now);
        while self.tickets.len() >= TICKETS {
            self.tickets.pop_front();
        }
        self.tickets.push_back((ticket.clone(), now + TICKET_LIFE));
        ticket
    }

    /// Uses a ticket up.
    pub(super) fn log_in(&mut self, now: Instant, ticket: &str) -> Option<Login> {
        self.tickets.retain(|(_, ends)| *ends > now);
        let at = self.tickets.iter().position(|(t, _)| same(t, ticket))?;
        self.tickets.remove(at);
        self.sessions.retain(|s| s.ends > now);
        while self.sessions.len() >= SESSIONS {
            self.sessions.pop_front();
        }
        let (secret, csrf) = (self.secret(), self.secret());
        self.next_number += 1;
        self.sessions.push_back(Session {
            number: self.next_number,
            secret: secret.clone(),
            csrf: csrf.clone(),
            ends: now + SESSION_LIFE,
        });
        Some(Login { secret, csrf })
    }

    /// The number of the session with this secret.
    pub(super) fn find(&self, now: Instant, secret: &str) -> Option<u64> {
        let mut found = None;
        for session in self.sessions.iter().filter(|s| s.ends > now) {
            if same(&session.secret, secret) {
                found = Some(session.number);
            }
        }
        found
    }

    pub(super) fn csrf_matches(&self, number: u64, csrf: &str) -> bool {
        let session = self.sessions.iter().find(|s| s.number == number);
        session.is_some_and(|s| same(&s.csrf, csrf))
    }

    pub(super) fn csrf(&self, now: Instant, number: u64) -> Option<(String, Duration)> {
        let session = self.sessions.iter().find(|s| s.number == number)?;
        Some((session.csrf.clone(), session.ends.saturating_since(now)))
    }

    pub(super) fn end(&mut self, number: u64) {
        self.sessions.retain(|s| s.number != number);
    }
}

fn same(a: &str, b: &str) -> bool {
    bool::from(a.as_bytes().ct_eq(b.as_bytes()))
}

/// The values of all cookies with this name (RFC 6265 §4.2).
pub(super) fn cookies<'a>(request: &'a Request, name: &'a str) -> impl Iterator<Item = &'a str> {
    request
        .header_values("cookie")
        .filter_map(|value| core::str::from_utf8(value).ok())
        .flat_map(|value| value.split(';').take(64))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(move |(n, _)| *n == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_ticket_works_once_and_not_for_long() {
        let mut sessions = Sessions::new(Rng::from_seed([1; 32]));
        let ticket = sessions.issue_ticket(at(0));
        assert!(sessions.log_in(at(1), "wrong").is_none());
        let login = sessions.log_in(at(59), &ticket).unwrap();
        assert!(sessions.log_in(at(59), &ticket).is_none(), "used up");
        assert_ne!(login.secret, login.csrf);
        let late = sessions.issue_ticket(at(100));
        assert!(sessions.log_in(at(160), &late).is_none(), "too old");
    }

    #[test]
    fn a_session_ends_by_itself_and_by_order() {
        let mut sessions = Sessions::new(Rng::from_seed([2; 32]));
        let ticket = sessions.issue_ticket(at(0));
        let login = sessions.log_in(at(0), &ticket).unwrap();
        let number = sessions.find(at(1), &login.secret).unwrap();
        assert!(sessions.csrf_matches(number, &login.csrf));
        assert!(!sessions.csrf_matches(number, &login.secret));
        assert_eq!(sessions.find(at(12 * 3_600), &login.secret), None);
        sessions.end(number);
        assert_eq!(sessions.find(at(1), &login.secret), None);
    }

    #[test]
    fn tickets_and_sessions_are_bounded() {
        let mut sessions = Sessions::new(Rng::from_seed([3; 32]));
        let first = sessions.issue_ticket(at(0));
        for _ in 0..TICKETS {
            sessions.issue_ticket(at(0));
        }
        assert!(sessions.log_in(at(0), &first).is_none(), "the oldest went");
        for _ in 0..100 {
            let ticket = sessions.issue_ticket(at(0));
            sessions.log_in(at(0), &ticket).unwrap();
        }
        assert_eq!(sessions.sessions.len(), SESSIONS);
    }
}
