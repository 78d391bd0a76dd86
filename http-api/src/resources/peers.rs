//! Peers: list, detail, connect, disconnect, path, why, ping, datagrams.

use core::time::Duration;

use p2p_core::api::{EngineExt, PeerState, PeerStatus};

use super::resolve;
use crate::call::{Call, decode_json};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::state::Turn;
use crate::view::{ConnectBody, PathView, PeerList, PeerView, Queued, WhyView};

const CONNECT_TIMEOUT_MS: u64 = 15_000;
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How much later than the engine the surface gives up, should the engine never say how it ended.
const GRACE: Duration = Duration::from_secs(5);

/// `GET /v1/peers`
pub(crate) fn list(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let limit = page_size(call);
    let state = call.query.text("state");
    let text = call.query.text("q").unwrap_or_default();
    let after = call.query.text("cursor").unwrap_or_default();
    let fits = |peer: &PeerStatus, id: &str| {
        let name = turn.state.contacts.name_of(&peer.id, peer.name.as_deref());
        let named = name.is_some_and(|(name, _)| name.contains(text));
        let wanted = state.is_none_or(|s| s == state_text(peer.state));
        wanted && (text.is_empty() || named || id.starts_with(text))
    };
    // Ids are compared as text, because that is what the cursor holds.
    let mut peers: Vec<(String, PeerStatus)> = turn
        .node
        .peers(turn.now)
        .into_iter()
        .map(|peer| (peer.id.to_string(), peer))
        .filter(|(id, peer)| id.as_str() > after && fits(peer, id))
        .collect();
    peers.sort_by(|(a, _), (b, _)| a.cmp(b));
    let more = peers.len() > limit;
    peers.truncate(limit);
    let next = peers.last().filter(|_| more).map(|(id, _)| id.clone());
    let (clock, contacts) = (turn.state.clock, &turn.state.contacts);
    let view = |(_, peer): &(String, PeerStatus)| PeerView::new(peer, turn.now, clock, contacts);
    let items = peers.iter().map(view).collect();
    Ok(Full::json(200, &PeerList { items, next }).into())
}

/// `GET /v1/peers/{peer}`
pub(crate) fn show(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = status(turn, call)?;
    let view = PeerView::new(&peer, turn.now, turn.state.clock, &turn.state.contacts);
    Ok(Full::json(200, &view).into())
}

/// `POST /v1/peers/{peer}/connect`
pub(crate) fn connect(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: ConnectBody = decode_json(call)?;
    let timeout_ms = body.timeout_ms.unwrap_or(CONNECT_TIMEOUT_MS);
    if !(100..=120_000).contains(&timeout_ms) {
        let detail = "A field of the body is wrong.";
        return Err(Problem::new(Code::InvalidBody, detail)
            .with_error("/timeout_ms", "must be a number from 100 to 120000"));
    }
    let via = match body.introducer.as_deref() {
        Some(text) => Some(resolve::introducer(turn.node, turn, text)?.id),
        None => None,
    };
    let (target, introducer) = resolve::connect_target(turn, call.param(0), via)?;
    let timeout = Duration::from_millis(timeout_ms);
    let operation = turn.node.connect(turn.now, target, introducer, timeout)?;
    Ok(Reply::Wait(Wait {
        what: WaitFor::Connect(operation),
        until: turn.now + timeout + GRACE,
    }))
}

/// `DELETE /v1/peers/{peer}/connection`
pub(crate) fn disconnect(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    turn.node.disconnect(turn.now, peer)?;
    Ok(Full::empty(204).into())
}

/// `GET /v1/peers/{peer}/path`
pub(crate) fn path(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = status(turn, call)?;
    let connected = peer.state == PeerState::Connected;
    let Some(path) = peer.path.filter(|_| connected) else {
        let detail = "There is no path because the peer is not connected.";
        return Err(Problem::new(Code::NotConnected, detail));
    };
    Ok(Full::json(200, &PathView::from(&path)).into())
}

/// `GET /v1/peers/{peer}/why`
pub(crate) fn why(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let Some(why) = turn.node.why(turn.now, &peer) else {
        let detail = "Nothing is known of how this peer could be reached.";
        return Err(Problem::new(Code::PeerNotFound, detail));
    };
    Ok(Full::json(200, &WhyView::from(&why)).into())
}

/// `POST /v1/peers/{peer}/ping`
pub(crate) fn ping(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    turn.node.ping(turn.now, peer)?;
    Ok(Reply::Wait(Wait {
        what: WaitFor::Pong(peer),
        until: turn.now + PING_TIMEOUT,
    }))
}

/// `POST /v1/peers/{peer}/datagrams`
pub(crate) fn send_datagram(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let (label, expiry) = (call.label()?, call.duration_ms("ttl_ms"));
    turn.node
        .send_datagram(turn.now, peer, label, call.body.clone(), expiry)?;
    Ok(Full::json(202, &Queued { queued: true }).into())
}

/// `PUT /v1/peers/{peer}/latest/{key}`
pub(crate) fn set_latest(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let peer = resolve::peer(turn, call.param(0))?;
    let key = call.param(1).to_owned();
    turn.node
        .set_latest(turn.now, peer, key, call.body.clone())?;
    Ok(Full::json(202, &Queued { queued: true }).into())
}

/// `limit=` of a list.
pub(crate) fn page_size(call: &Call) -> usize {
    let limit = call.query.number("limit").unwrap_or(50);
    usize::try_from(limit).unwrap_or(50)
}

fn status(turn: &Turn<'_>, call: &Call) -> Result<PeerStatus, Problem> {
    let id = resolve::peer(turn, call.param(0))?;
    turn.node.peer(turn.now, &id).ok_or_else(|| {
        let detail = "No peer of this run has that id.";
        Problem::new(Code::PeerNotFound, detail)
    })
}

const fn state_text(state: PeerState) -> &'static str {
    match state {
        PeerState::Connecting => "connecting",
        PeerState::Connected => "connected",
        PeerState::Disconnected => "disconnected",
    }
}
