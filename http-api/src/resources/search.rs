//! Search for registered names at introducers.

use core::time::Duration;

use p2p_core::api::EngineExt;

use super::resolve;
use crate::call::Call;
use crate::problem::Problem;
use crate::reply::{Reply, Wait, WaitFor};
use crate::state::Turn;

const SEARCH_TIMEOUT: Duration = Duration::from_secs(15);

/// `GET /v1/search`
pub(crate) fn by_query(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let query = call.query.text("q").unwrap_or_default().to_owned();
    start(turn, call, query)
}

/// `GET /peers/search/{q}`, as the first generation wrote it.
pub(crate) fn by_path(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    start(turn, call, call.param(0).to_owned())
}

fn start(turn: &mut Turn<'_>, call: &Call, query: String) -> Result<Reply, Problem> {
    let introducer = match call.query.text("introducer") {
        Some(text) => Some(resolve::introducer(turn.node, turn, text)?.id),
        None => None,
    };
    let cursor = call.query.text("cursor").map(ToOwned::to_owned);
    let operation = turn.node.search(turn.now, query, introducer, cursor)?;
    Ok(Reply::Wait(Wait {
        what: WaitFor::Search(operation),
        until: turn.now + SEARCH_TIMEOUT,
    }))
}
