//! Log-in of the web page: ticket, session, log-out.

use crate::call::{Call, decode_json};
use crate::locks::{Identity, SESSION_LIFE, TICKET_LIFE};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply};
use crate::state::Turn;
use crate::view::{LoginBody, Session, Ticket};

/// `POST /v1/auth/tickets`
pub(crate) fn issue_ticket(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let ticket = turn.state.locks.issue_ticket(turn.now);
    let expires_at = turn.state.clock.rfc3339(turn.now + TICKET_LIFE);
    Ok(Full::json(201, &Ticket { ticket, expires_at }).into())
}

/// `POST /v1/auth/login`
pub(crate) fn log_in(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: LoginBody = decode_json(call)?;
    let locks = &mut turn.state.locks;
    let (login, cookie) = locks.log_in(turn.now, &call.request, &body.ticket)?;
    let session = Session {
        csrf: login.csrf,
        expires_at: turn.state.clock.rfc3339(turn.now + SESSION_LIFE),
    };
    Ok(Full::json(200, &session)
        .with_header("set-cookie", cookie)
        .into())
}

/// `GET /v1/auth/session`
pub(crate) fn session(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let Identity::Session(session) = call.identity else {
        let detail = "The token is not a log-in and needs no csrf value.";
        return Err(Problem::new(Code::NotFound, detail));
    };
    let (csrf, rest) = turn.state.locks.session(turn.now, session);
    let expires_at = turn.state.clock.rfc3339(turn.now + rest);
    Ok(Full::json(200, &Session { csrf, expires_at }).into())
}

/// `POST /v1/auth/logout`
pub(crate) fn log_out(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let cookie = turn.state.locks.log_out(&call.request, call.identity);
    Ok(Full::empty(204).with_header("set-cookie", cookie).into())
}
