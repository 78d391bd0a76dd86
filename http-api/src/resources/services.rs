//! Services that this node offers to its peers.

use core::time::Duration;

use super::resolve;
use crate::call::{Call, decode_json};
use crate::callback::{Allow, Target, Webhook};
use crate::problem::{Code, Problem};
use crate::reply::{Full, Reply};
use crate::services::{BUILT_IN, Offer, SERVICES, Services as Registry};
use crate::state::Turn;
use crate::view::{Deliver, ServiceBody, ServiceView, Services, whole_ms};

/// Longest time for an application's answer where the owner says nothing, milliseconds.
const TIMEOUT_MS: u64 = 10_000;
/// Most peers that a list names.
const ALLOWED: usize = 256;

/// `GET /v1/services`
pub(crate) fn list(turn: &mut Turn<'_>, _call: &Call) -> Result<Reply, Problem> {
    let built_in = BUILT_IN.iter().map(|name| view(name, None));
    let registered = turn.state.services.registered();
    let registered = registered.map(|(name, offer)| view(name, Some(offer)));
    let mut items: Vec<ServiceView> = built_in.chain(registered).collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Full::json(200, &Services { items, next: None }).into())
}

/// `PUT /v1/services/{name}`
pub(crate) fn register(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let body: ServiceBody = decode_json(call)?;
    let name = call.param(0);
    if !Registry::valid_name(name) || BUILT_IN.contains(&name) {
        let detail = "The name is too long, has a control character, or is one of the node's own.";
        return Err(Problem::new(Code::InvalidParameter, detail)
            .with_error("name", "must be 1 to 48 bytes and not a built-in service"));
    }
    let (offer, secret) = match body.deliver {
        Deliver::Inbox => (inbox(&body)?, None),
        Deliver::Webhook => webhook(turn, name, body)?,
    };
    let mut shown = view(name, Some(&offer));
    shown.secret = secret;
    if !turn.state.services.register(name, offer) {
        let detail = format!("{SERVICES} services are registered already.");
        return Err(Problem::new(Code::LimitReached, detail));
    }
    Ok(Full::json(200, &shown).into())
}

/// `DELETE /v1/services/{name}`
pub(crate) fn unregister(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    if turn.state.services.unregister(call.param(0)) {
        return Ok(Full::empty(204).into());
    }
    let detail = "No service of that name is registered.";
    Err(Problem::new(Code::ServiceNotRegistered, detail))
}

fn inbox(body: &ServiceBody) -> Result<Offer, Problem> {
    let given = [
        ("/url", body.url.is_some()),
        ("/allow", body.allow.is_some()),
        ("/timeout_ms", body.timeout_ms.is_some()),
    ];
    match given.iter().find(|(_, given)| *given) {
        Some((field, _)) => Err(wrong(field, "belongs to deliver: webhook only")),
        None => Ok(Offer::Inbox),
    }
}

/// A webhook, and its secret where it is a new one.
fn webhook(
    turn: &mut Turn<'_>,
    name: &str,
    body: ServiceBody,
) -> Result<(Offer, Option<String>), Problem> {
    if !name.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = "The name goes into a header field of the application's requests.";
        return Err(Problem::new(Code::InvalidParameter, detail)
            .with_error("name", "must be printable ASCII without spaces"));
    }
    let url = body.url.ok_or_else(|| wrong("/url", "is required"))?;
    let terms = body.allow.ok_or_else(|| wrong("/allow", "is required"))?;
    let timeout_ms = body.timeout_ms.unwrap_or(TIMEOUT_MS);
    if !(100..=60_000).contains(&timeout_ms) {
        return Err(wrong("/timeout_ms", "must be 100 to 60000"));
    }
    let target = Target::parse(&url, &own_ports(turn)).map_err(|must| {
        let detail = "The address is not one that callbacks may go to.";
        Problem::new(Code::TargetNotAllowed, detail).with_error("/url", must)
    })?;
    let allow = allow(turn, &terms)?;
    let known = turn.state.services.webhook(name).map(|h| h.secret.clone());
    let secret = known
        .clone()
        .unwrap_or_else(|| turn.state.callbacks.new_secret());
    let told = known.is_none().then(|| secret.text());
    let hook = Webhook {
        url,
        target,
        allow,
        timeout: Duration::from_millis(timeout_ms),
        secret,
    };
    Ok((Offer::Webhook(Box::new(hook)), told))
}

/// Who a list means; names are looked up now, so that nobody inherits a right with a name.
fn allow(turn: &Turn<'_>, terms: &[String]) -> Result<Allow, Problem> {
    let mut allow = Allow::default();
    if terms.len() > ALLOWED {
        return Err(wrong("/allow", "must have 256 entries at most"));
    }
    for term in terms {
        if term == "anyone" {
            allow.anyone = true;
            continue;
        }
        let Some(peer) = term.strip_prefix("peer:") else {
            return Err(wrong("/allow", "must be of anyone and peer:ID-OR-NAME"));
        };
        let id = match peer.parse() {
            Ok(id) => id,
            Err(_) => resolve::peer(turn, peer)?,
        };
        allow.peers.insert(id);
    }
    Ok(allow)
}

/// Ports on which this node serves its owner.
fn own_ports(turn: &Turn<'_>) -> Vec<u16> {
    let hosts = turn.state.locks.allowed_hosts().iter();
    hosts
        .filter_map(|host| host.rsplit_once(':')?.1.parse().ok())
        .collect()
}

fn wrong(field: &str, must: &str) -> Problem {
    Problem::new(Code::InvalidBody, "A field of the body is wrong.").with_error(field, must)
}

fn view(name: &str, offer: Option<&Offer>) -> ServiceView {
    let hook = match offer {
        Some(Offer::Webhook(hook)) => Some(hook),
        Some(Offer::Inbox) | None => None,
    };
    let allow = hook.map(|hook| {
        let peers = hook.allow.peers.iter().map(|id| format!("peer:{id}"));
        let anyone = hook.allow.anyone.then(|| "anyone".to_owned());
        anyone.into_iter().chain(peers).collect()
    });
    ServiceView {
        name: name.to_owned(),
        deliver: offer.map(|offer| match offer {
            Offer::Inbox => Deliver::Inbox,
            Offer::Webhook(_) => Deliver::Webhook,
        }),
        built_in: offer.is_none(),
        url: hook.map(|hook| hook.url.clone()),
        allow,
        timeout_ms: hook.map(|hook| whole_ms(hook.timeout)),
        secret: None,
    }
}
