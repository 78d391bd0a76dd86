//! This node: life sign, status, settings.

use crate::call::Call;
use crate::problem::Problem;
use crate::reply::{Full, Reply};
use crate::state::Turn;
use crate::view::{Health, InboxState, NodeView, Settings};

/// `GET /healthz`
pub(crate) fn health(_turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    Ok(Full::json(200, &Health { status: "ok" }).into())
}

/// `GET /v1/node`
pub(crate) fn show(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let status = turn.node.status(turn.now);
    let state = &turn.state;
    let inbox = InboxState::new(state);
    let view = NodeView::new(&status, turn.now, state.clock, state.program(), inbox);
    Ok(Full::json(200, &view).into())
}

/// `GET /v1/settings`
pub(crate) fn settings(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let status = turn.node.status(turn.now);
    let hosts = turn.state.locks.allowed_hosts();
    let state = &turn.state;
    let view = Settings::new(&status, hosts, state.program(), &state.settings);
    Ok(Full::json(200, &view).into())
}
