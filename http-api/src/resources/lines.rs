//! Lines: a WebSocket whose messages are datagrams with a peer, for a page or program that sends many.

use super::resolve;
use crate::call::Call;
use crate::locks::Identity;
use crate::problem::{Code, Problem};
use crate::reply::Reply;
use crate::state::Turn;
use crate::websocket;

/// `GET /v1/peers/{peer}/line`
pub(crate) fn open(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let accept = websocket::accept(&call.request)?;
    // Browsers let any page open a WebSocket and send the cookie along; they always say which page it is.
    if matches!(call.identity, Identity::Session(_)) && !call.request.has_header("origin") {
        let detail = "A WebSocket with a log-in needs the field Origin, as browsers send it.";
        return Err(Problem::new(Code::CrossSite, detail));
    }
    let peer = resolve::peer(turn, call.param(0))?;
    let label = call.label()?;
    let is_connected = turn
        .node
        .peer(turn.now, &peer)
        .is_some_and(|p| p.state == p2p_core::api::PeerState::Connected);
    if !is_connected {
        let detail = "A line needs a peer that is connected.";
        return Err(Problem::new(Code::NotConnected, detail));
    }
    Ok(Reply::Line {
        peer,
        label,
        accept,
    })
}
