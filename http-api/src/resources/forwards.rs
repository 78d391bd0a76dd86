//! Forwards: ports of this machine that lead to TCP services of peers.

use core::time::Duration;
use std::net::SocketAddr;

use p2p_core::api::ConnectTarget;

use p2p_storage::{Change, Kept, KeptKind};

use super::contacts::set_up;
use super::resolve;
use crate::call::{Call, decode_json};
use crate::forwards::{Destination, FORWARDS, Forward, Forwards};
use crate::problem::{Code, Problem};
use crate::proxy::is_name;
use crate::reply::{Full, Reply, Wait, WaitFor};
use crate::state::Turn;
use crate::view::{ForwardBody, ForwardList, ForwardView};

/// Where programs connect unless the owner says otherwise: any free port.
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// Longest time for the system to listen.
const LISTEN_TIME: Duration = Duration::from_secs(5);

/// `GET /v1/forwards`
pub(crate) fn list(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let clock = turn.state.clock;
    let forwards = turn.state.forwards.iter();
    let items = forwards.map(|f| ForwardView::new(f, clock)).collect();
    Ok(Full::json(200, &ForwardList { items, next: None }).into())
}

/// `GET /v1/forwards/{name}`
pub(crate) fn show(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    match turn.state.forwards.get(call.param(0)) {
        Some(forward) => Ok(shown(turn, forward)),
        None => Err(not_found()),
    }
}

/// `PUT /v1/forwards/{name}`
pub(crate) fn put(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: ForwardBody = decode_json(call)?;
    let name = call.param(0);
    if !Forwards::is_name(name) {
        let detail = "The name is too long or has a control character.";
        return Err(Problem::new(Code::InvalidParameter, detail)
            .with_error("name", "must be 1 to 128 bytes"));
    }
    let listen = match &body.listen {
        Some(text) => listen(text, turn.state.local_forwards)?,
        None => ANY_PORT,
    };
    let to = destination(turn, body)?;
    let state = &mut turn.state;
    if let Some(forward) = state.forwards.get(name)
        && (forward.asked == listen || forward.listen == listen)
    {
        if forward.to == to {
            return show(turn, call);
        }
        let kept = kept(name, &to, forward.listen);
        state.forwards.redirect(name, to, &mut state.sockets);
        let Some(forward) = state.forwards.get(name) else {
            return Err(not_found());
        };
        let full = Full::json(200, &ForwardView::new(forward, state.clock));
        return Ok(set_up(turn, Change::Keep(kept), full));
    }
    let begun = state.forwards.begin(name, to, listen, &mut state.sockets);
    let Some(listener) = begun else {
        let detail = format!("There are {FORWARDS} forwards already.");
        return Err(Problem::new(Code::LimitReached, detail));
    };
    Ok(Reply::Wait(Wait {
        what: WaitFor::Listening(listener),
        until: turn.now + LISTEN_TIME,
    }))
}

/// Listens again where a forward listened before the node ended.
pub(crate) fn restore(turn: &mut Turn<'_>, kept: &Kept) -> Result<(), Problem> {
    let unreadable = |_| wrong("/", "must be a document of this version");
    let body: ForwardBody = serde_json::from_str(&kept.document).map_err(unreadable)?;
    let is_local = turn.state.local_forwards;
    let asked = body.listen.as_deref();
    let asked = asked.map_or(Ok(ANY_PORT), |text| listen(text, is_local))?;
    let to = destination(turn, body)?;
    let state = &mut turn.state;
    let begun = state
        .forwards
        .begin(&kept.name, to, asked, &mut state.sockets);
    begun.map(drop).ok_or_else(|| {
        let detail = format!("There are {FORWARDS} forwards already.");
        Problem::new(Code::LimitReached, detail)
    })
}

/// As it is kept: the peer by its id, so that no other inherits a port with a name, and the port that programs know.
pub(crate) fn kept(name: &str, to: &Destination, listen: SocketAddr) -> Kept {
    let peer = match &to.target {
        ConnectTarget::Address { id, address } => format!("{id}@{address}"),
        _ => to.peer.to_string(),
    };
    let body = ForwardBody {
        peer,
        service: to.service.clone(),
        listen: Some(listen.to_string()),
    };
    Kept {
        kind: KeptKind::Forward,
        name: name.to_owned(),
        document: serde_json::to_string(&body).unwrap_or_default(),
    }
}

/// `DELETE /v1/forwards/{name}`
pub(crate) fn remove(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let state = &mut turn.state;
    let name = call.param(0);
    // What is kept and could not listen again is taken back, too.
    let is_kept = state
        .contacts
        .book()
        .kept(KeptKind::Forward, name)
        .is_some();
    if state.forwards.remove(name, &mut state.sockets) || is_kept {
        let change = Change::Drop(KeptKind::Forward, name.to_owned());
        return Ok(set_up(turn, change, Full::empty(204)));
    }
    Err(not_found())
}

fn shown(turn: &Turn<'_>, forward: &Forward) -> Reply {
    Full::json(200, &ForwardView::new(forward, turn.state.clock)).into()
}

fn not_found() -> Problem {
    Problem::new(Code::ForwardNotFound, "No forward has that name.")
}

/// Where connections are to lead. The peer need not be connected, but somebody who can be called.
fn destination(turn: &Turn<'_>, body: ForwardBody) -> Result<Destination, Problem> {
    if !is_name(&body.service) {
        return Err(wrong(
            "/service",
            "must be 1 to 40 of a-z, 0-9 and single hyphens inside",
        ));
    }
    let (target, introducer) = resolve::connect_target(turn, &body.peer, None)?;
    let peer = match &target {
        ConnectTarget::Id(id)
        | ConnectTarget::Address { id, .. }
        | ConnectTarget::BoundName { id, .. } => *id,
        ConnectTarget::Name(_) => {
            let detail = "Nobody known here has that name; connect to it first.";
            return Err(Problem::new(Code::PeerNotFound, detail));
        }
    };
    if peer == turn.node.id() {
        return Err(Problem::new(Code::OwnId, "The id is this node's own."));
    }
    Ok(Destination {
        peer,
        target,
        introducer,
        service: body.service,
    })
}

/// An address of this machine alone, unless its owner set up the node otherwise: no request may open a port to the
/// network around.
fn listen(text: &str, is_local: bool) -> Result<SocketAddr, Problem> {
    let address = text.parse().ok();
    let fits = |address: &SocketAddr| !is_local || address.ip().is_loopback();
    address.filter(fits).ok_or_else(|| {
        let must = if is_local {
            "must be 127.0.0.1:PORT or [::1]:PORT (setting local_forwards); port 0 is any that is free"
        } else {
            "must be IP:PORT; port 0 is any that is free"
        };
        wrong("/listen", must)
    })
}

fn wrong(field: &str, must: &str) -> Problem {
    Problem::new(Code::InvalidBody, "A field of the body is wrong.").with_error(field, must)
}
