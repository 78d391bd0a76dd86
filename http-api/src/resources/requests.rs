//! Requests both ways: ask a peer's service, answer what a peer asked.

use core::time::Duration;

use p2p_core::api::{Answer, ApiMisuse, EngineExt, answer_status};

use super::resolve;
use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::state::Turn;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How much later than the engine the surface gives up.
const GRACE: Duration = Duration::from_secs(5);

/// `POST /v1/peers/{peer}/requests/{service}`
pub(crate) fn send(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let deadline = call.duration_ms("timeout_ms").unwrap_or(REQUEST_TIMEOUT);
    let (service, body) = (call.param(1).to_owned(), call.body.clone());
    let forwards = call.query.number("forwards").unwrap_or(0);
    let budget = u8::try_from(forwards).unwrap_or(u8::MAX);
    let request = turn
        .node
        .request(turn.now, peer, (service, budget), body, deadline)?;
    Ok(Reply::Wait(Wait {
        what: WaitFor::Answer(peer, request),
        until: turn.now + deadline + GRACE,
    }))
}

/// `POST /v1/requests/{id}/answer`
pub(crate) fn answer(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let number = turn.state.own_id(call.param(0), Code::RequestNotFound)?;
    let status = call.query.number("status").unwrap_or(0);
    if (7..u64::from(answer_status::SERVICE_MIN)).contains(&status) {
        let (what, must) = ("the status", "must be 0 to 6, or 16 to 65535");
        return Err(ApiMisuse::InvalidArgument { what, must }.into());
    }
    let Some((peer, request)) = turn.state.services.take(turn.now, number) else {
        let detail = "The request was answered before, or its sender waits no longer.";
        return Err(Problem::new(Code::RequestNotFound, detail));
    };
    let answer = Answer {
        status: u16::try_from(status).unwrap_or(u16::MAX),
        body: call.body.clone(),
    };
    turn.node.answer(turn.now, peer, request, answer)?;
    Ok(Full::empty(204).into())
}
