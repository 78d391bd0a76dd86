//! Services that this node offers to its peers.

use crate::call::{Call, decode_json};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply};
use crate::services::{BUILT_IN, SERVICES, Services as Registry};
use crate::state::Turn;
use crate::view::{Deliver, ServiceBody, ServiceView, Services};

/// `GET /v1/services`
pub(crate) fn list(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let built_in = BUILT_IN.iter().map(|name| ServiceView {
        name: (*name).to_owned(),
        deliver: None,
        built_in: true,
    });
    let registered = turn.state.services.registered().map(view);
    let mut items: Vec<ServiceView> = built_in.chain(registered).collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Full::json(200, &Services { items, next: None }).into())
}

/// `PUT /v1/services/{name}`
pub(crate) fn register(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let ServiceBody {
        deliver: Deliver::Inbox,
    } = decode_json(call)?;
    let name = call.param(0);
    if !Registry::valid_name(name) || BUILT_IN.contains(&name) {
        let detail = "The name is too long, has a control character, or is one of the node's own.";
        return Err(Problem::new(Code::InvalidParameter, detail)
            .with_error("name", "must be 1 to 48 bytes and not a built-in service"));
    }
    if !turn.state.services.register(name) {
        let detail = format!("{SERVICES} services are registered already.");
        return Err(Problem::new(Code::LimitReached, detail));
    }
    Ok(Full::json(200, &view(name)).into())
}

/// `DELETE /v1/services/{name}`
pub(crate) fn unregister(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    if turn.state.services.unregister(call.param(0)) {
        return Ok(Full::empty(204).into());
    }
    let detail = "No service of that name is registered.";
    Err(Problem::new(Code::ServiceNotRegistered, detail))
}

fn view(name: &str) -> ServiceView {
    ServiceView {
        name: name.to_owned(),
        deliver: Some(Deliver::Inbox),
        built_in: false,
    }
}
