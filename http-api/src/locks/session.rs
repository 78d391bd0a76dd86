//! Log-ins of the web page: one-use tickets, sessions behind a cookie, their csrf values.
//!
//! A cookie carries its session: a random number and its end by the clock on the wall, under a code that only the
//! holder of the token can make. So a log-in outlives a restart of the node, for as long as the token is the same;
//! nothing of it is kept but which ones were ended by order.

use core::time::Duration;
use std::collections::VecDeque;

use blake2::digest::Mac;
use p2p_core::id::{decode_z_base_32, encode_z_base_32};
use p2p_core::rng::Rng;
use p2p_core::time::Instant;
use subtle::ConstantTimeEq;

use crate::exchange::Request;

type Code = blake2::Blake2sMac256;

/// Life of a ticket.
pub(crate) const TICKET_LIFE: Duration = Duration::from_secs(60);
/// Life of a log-in.
pub(crate) const SESSION_LIFE: Duration = Duration::from_secs(12 * 3_600);
/// Tickets open at once; the oldest goes first.
const TICKETS: usize = 16;
/// Log-ins remembered as ended by order in this run.
const ENDED: usize = 1_024;
/// Bytes of a cookie: number, end, code.
const COOKIE_BYTES: usize = 16 + 8 + 32;

/// A fresh log-in.
pub(crate) struct Login {
    /// Value of the cookie.
    pub secret: String,
    /// Value of X-CSRF.
    pub csrf: String,
}

/// A log-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    number: [u8; 16],
    ends_unix_ms: u64,
}

pub(super) struct Sessions {
    rng: Rng,
    key: [u8; 32],
    tickets: VecDeque<(String, Instant)>,
    ended: VecDeque<[u8; 16]>,
}

impl Sessions {
    /// `key` is made of the token.
    pub(super) const fn new(rng: Rng, key: [u8; 32]) -> Self {
        Self {
            rng,
            key,
            tickets: VecDeque::new(),
            ended: VecDeque::new(),
        }
    }

    pub(super) fn issue_ticket(&mut self, now: Instant) -> String {
        let ticket = encode_z_base_32(&self.rng.array::<32>());
        self.tickets.retain(|(_, ends)| *ends > now);
        while self.tickets.len() >= TICKETS {
            self.tickets.pop_front();
        }
        self.tickets.push_back((ticket.clone(), now + TICKET_LIFE));
        ticket
    }

    /// Uses a ticket up. `unix_ms` is the time of day.
    pub(super) fn log_in(&mut self, now: Instant, unix_ms: u64, ticket: &str) -> Option<Login> {
        self.tickets.retain(|(_, ends)| *ends > now);
        let at = self.tickets.iter().position(|(t, _)| same(t, ticket))?;
        self.tickets.remove(at);
        let session = Session {
            number: self.rng.array::<16>(),
            ends_unix_ms: unix_ms.saturating_add(SESSION_LIFE.as_millis() as u64),
        };
        let mut cookie = session.bytes().to_vec();
        cookie.extend(self.code(b"cookie", session));
        Some(Login {
            secret: encode_z_base_32(&cookie),
            csrf: self.csrf(session),
        })
    }

    /// The session of a cookie, unless it is over.
    pub(super) fn find(&self, unix_ms: u64, secret: &str) -> Option<Session> {
        let bytes = decode_z_base_32(secret).filter(|bytes| bytes.len() == COOKIE_BYTES)?;
        let (number, rest) = bytes.split_first_chunk::<16>()?;
        let (ends, code) = rest.split_first_chunk::<8>()?;
        let session = Session {
            number: *number,
            ends_unix_ms: u64::from_be_bytes(*ends),
        };
        let genuine = bool::from(self.code(b"cookie", session).as_slice().ct_eq(code));
        // An end that lies further ahead than any could tells that the clock was set back.
        let left_ms = session.ends_unix_ms.saturating_sub(unix_ms);
        let in_time = left_ms > 0 && left_ms <= SESSION_LIFE.as_millis() as u64;
        (genuine && in_time && !self.ended.contains(number)).then_some(session)
    }

    pub(super) fn csrf_matches(&self, session: Session, csrf: &str) -> bool {
        same(&self.csrf(session), csrf)
    }

    /// The csrf value of a session.
    pub(super) fn csrf(&self, session: Session) -> String {
        encode_z_base_32(&self.code(b"x-csrf", session))
    }

    pub(super) fn end(&mut self, session: Session) {
        if self.ended.len() >= ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(session.number);
    }

    fn code(&self, purpose: &[u8; 6], session: Session) -> [u8; 32] {
        // A key of 32 bytes is always taken.
        let Ok(mut code) = <Code as Mac>::new_from_slice(&self.key) else {
            return [0; 32];
        };
        code.update(purpose);
        code.update(&session.bytes());
        code.finalize().into_bytes().into()
    }
}

impl Session {
    /// What is left of its life.
    pub(super) fn rest(self, unix_ms: u64) -> Duration {
        Duration::from_millis(self.ends_unix_ms.saturating_sub(unix_ms))
    }

    fn bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let (number, ends) = bytes.split_at_mut(16);
        number.copy_from_slice(&self.number);
        ends.copy_from_slice(&self.ends_unix_ms.to_be_bytes());
        bytes
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

    /// A time of day.
    const DAY: u64 = 1_770_000_000_000;

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    fn sessions(seed: u8) -> Sessions {
        Sessions::new(Rng::from_seed([seed; 32]), [7; 32])
    }

    fn log_in(sessions: &mut Sessions) -> Login {
        let ticket = sessions.issue_ticket(at(0));
        sessions.log_in(at(0), DAY, &ticket).unwrap()
    }

    #[test]
    fn a_ticket_works_once_and_not_for_long() {
        let mut sessions = sessions(1);
        let ticket = sessions.issue_ticket(at(0));
        assert!(sessions.log_in(at(1), DAY, "wrong").is_none());
        let login = sessions.log_in(at(59), DAY, &ticket).unwrap();
        assert!(sessions.log_in(at(59), DAY, &ticket).is_none(), "used up");
        assert_ne!(login.secret, login.csrf);
        let late = sessions.issue_ticket(at(100));
        assert!(sessions.log_in(at(160), DAY, &late).is_none(), "too old");
    }

    #[test]
    fn a_session_ends_by_itself_and_by_order() {
        let mut sessions = sessions(2);
        let login = log_in(&mut sessions);
        let session = sessions.find(DAY + 1_000, &login.secret).unwrap();
        assert!(sessions.csrf_matches(session, &login.csrf));
        assert!(!sessions.csrf_matches(session, &login.secret));
        let life_ms = SESSION_LIFE.as_millis() as u64;
        assert_eq!(
            session.rest(DAY + 1_000),
            SESSION_LIFE - Duration::from_secs(1)
        );
        assert!(sessions.find(DAY + life_ms - 1, &login.secret).is_some());
        assert_eq!(sessions.find(DAY + life_ms, &login.secret), None);
        assert_eq!(
            sessions.find(DAY - 1, &login.secret),
            None,
            "the clock was set back"
        );
        sessions.end(session);
        assert_eq!(sessions.find(DAY + 1_000, &login.secret), None);
    }

    #[test]
    fn a_session_outlives_a_restart_with_the_same_token_only() {
        let login = log_in(&mut sessions(3));
        let session = sessions(4).find(DAY + 1, &login.secret).unwrap();
        assert!(sessions(4).csrf_matches(session, &login.csrf));
        let other = Sessions::new(Rng::from_seed([3; 32]), [8; 32]);
        assert_eq!(other.find(DAY + 1, &login.secret), None);
        let bytes = decode_z_base_32(&login.secret).unwrap();
        for place in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[place] ^= 1;
            let forged = encode_z_base_32(&forged);
            assert_eq!(sessions(3).find(DAY + 1, &forged), None, "byte {place}");
        }
        assert_eq!(sessions(3).find(DAY + 1, ""), None);
    }

    #[test]
    fn tickets_are_bounded() {
        let mut sessions = sessions(5);
        let first = sessions.issue_ticket(at(0));
        for _ in 0..TICKETS {
            sessions.issue_ticket(at(0));
        }
        assert!(
            sessions.log_in(at(0), DAY, &first).is_none(),
            "the oldest went"
        );
    }
}
