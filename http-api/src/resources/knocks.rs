//! Strangers that knock where the owner wants to be asked (`strangers = ask`).

use p2p_core::api::EngineExt;
use p2p_core::id::NodeId;

use crate::call::Call;
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply};
use crate::state::Turn;
use crate::view::{KnockList, KnockView};

/// `GET /v1/knocks`
pub(crate) fn list(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let clock = turn.state.clock;
    let knocks = turn.state.knocks.latest_first();
    let items = knocks.into_iter();
    let items = items.map(|(peer, knock)| KnockView::new(&peer, knock, clock));
    let (items, next) = (items.collect(), None);
    Ok(Full::json(200, &KnockList { items, next }).into())
}

/// `POST /v1/knocks/{peer}/accept`
pub(crate) fn accept(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = knocking(turn, call)?;
    turn.node.accept(turn.now, peer)?;
    turn.state.knocks.remove(&peer);
    Ok(Full::empty(204).into())
}

/// `DELETE /v1/knocks/{peer}`
pub(crate) fn dismiss(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = knocking(turn, call)?;
    turn.state.knocks.remove(&peer);
    Ok(Full::empty(204).into())
}

/// Who is meant: only by id or its first characters, because what a stranger is called says nothing.
fn knocking(turn: &Turn<'_>, call: &Call) -> Result<NodeId, Problem> {
    let text = call.param(0);
    let knocks = turn.state.knocks.latest_first();
    let is_meant = |id: &NodeId| {
        let full = id.to_string();
        full == text || (text.len() >= 8 && full.starts_with(text))
    };
    let mut meant = knocks.iter().map(|(id, _)| *id).filter(is_meant);
    match (meant.next(), meant.next()) {
        (Some(id), None) => Ok(id),
        _ => {
            let detail = "Nobody with that id, or those first 8 characters, has knocked.";
            Err(Problem::new(Code::PeerNotFound, detail))
        }
    }
}
