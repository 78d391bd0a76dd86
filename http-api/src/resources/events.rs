//! Live events as server-sent events.

use crate::call::Call;
use crate::journal::Interest;
use crate::problem::Problem;
use crate::reply::Reply;
use crate::state::Turn;

/// `GET /v1/events`
pub(crate) fn follow(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let kinds = call.query.text("types").unwrap_or_default();
    let interest = Interest {
        kinds: kinds
            .split(',')
            .map(str::trim)
            .filter(|k| !k.is_empty())
            .map(ToOwned::to_owned)
            .collect(),
        channel: call.channel()?,
    };
    let last_id = call.request.header("last-event-id");
    let last_id = last_id.or_else(|| call.query.text("since"));
    let position = turn.state.journal.position(last_id);
    Ok(Reply::Follow { position, interest })
}
