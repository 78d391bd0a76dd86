//! Services that this node offers to its peers.

use core::time::Duration;

use p2p_storage::{Change, Kept, KeptKind};

use super::contacts::set_up;
use super::resolve;
use crate::call::{Call, decode_json};
use crate::callback::{Allow, Secret, Target, Webhook};
use crate::problem::{Code, Problem};
use crate::proxy::{is_clean, is_name};
use crate::reply::{Full, Reply};
use crate::services::{BUILT_IN, HttpService, Offer, SERVICES, Services as Registry, TcpService};
use crate::state::Turn;
use crate::view::{Deliver, ServiceBody, ServiceDocument, ServiceView, Services, whole_ms};

/// Longest time for an application's answer where the owner says nothing, milliseconds.
const TIMEOUT_MS: u64 = 10_000;
/// Longest time for the head of an application's answer where the owner says nothing, milliseconds.
const HEAD_TIMEOUT_MS: u64 = 60_000;
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
    let known = turn.state.services.webhook(name).map(|h| h.secret.clone());
    let is_new = known.is_none();
    let secret = known.unwrap_or_else(|| turn.state.callbacks.new_secret());
    let offer = offer(turn, name, body, secret)?;
    let mut shown = view(name, Some(&offer));
    shown.secret = webhook_secret(&offer).filter(|_| is_new).map(Secret::text);
    let kept = Kept {
        kind: KeptKind::Service,
        name: name.to_owned(),
        document: document(&offer),
    };
    if !turn.state.services.register(name, offer) {
        let detail = format!("{SERVICES} services are registered already.");
        return Err(Problem::new(Code::LimitReached, detail));
    }
    Ok(set_up(turn, Change::Keep(kept), Full::json(200, &shown)))
}

/// Offers a service again that was offered before the node ended.
pub(crate) fn restore(turn: &mut Turn<'_>, kept: &Kept) -> Result<(), Problem> {
    let unreadable = |_| wrong("/", "must be a document of this version");
    let document: ServiceDocument = serde_json::from_str(&kept.document).map_err(unreadable)?;
    let secret = document.secret.as_deref().and_then(Secret::from_kept);
    let secret = secret.unwrap_or_else(|| turn.state.callbacks.new_secret());
    let offer = offer(turn, &kept.name, document.body, secret)?;
    turn.state.services.register(&kept.name, offer);
    Ok(())
}

/// As it is kept: peers by their ids, so that nobody inherits a right with a name.
fn document(offer: &Offer) -> String {
    let view = view("", Some(offer));
    let document = ServiceDocument {
        body: ServiceBody {
            deliver: view.deliver.unwrap_or(Deliver::Inbox),
            url: view.url,
            target: view.target,
            allow: view.allow,
            timeout_ms: view.timeout_ms,
            head_timeout_ms: view.head_timeout_ms,
        },
        secret: webhook_secret(offer).map(Secret::to_kept),
    };
    serde_json::to_string(&document).unwrap_or_default()
}

const fn webhook_secret(offer: &Offer) -> Option<&Secret> {
    match offer {
        Offer::Webhook(hook) => Some(&hook.secret),
        Offer::Inbox | Offer::Http(_) | Offer::Tcp(_) => None,
    }
}

/// What a body offers; `secret` is for a webhook.
fn offer(
    turn: &mut Turn<'_>,
    name: &str,
    body: ServiceBody,
    secret: Secret,
) -> Result<Offer, Problem> {
    match body.deliver {
        Deliver::Inbox => inbox(&body),
        Deliver::Webhook => webhook(turn, name, body, secret),
        Deliver::Http => http(turn, name, body),
        Deliver::Tcp => tcp(turn, name, body),
    }
}

/// `DELETE /v1/services/{name}`
pub(crate) fn unregister(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let name = call.param(0);
    // What is kept and could not be set up again is taken back, too.
    let is_kept = turn
        .state
        .contacts
        .book()
        .kept(KeptKind::Service, name)
        .is_some();
    if turn.state.services.unregister(name) || is_kept {
        let change = Change::Drop(KeptKind::Service, name.to_owned());
        return Ok(set_up(turn, change, Full::empty(204)));
    }
    let detail = "No service of that name is registered.";
    Err(Problem::new(Code::ServiceNotRegistered, detail))
}

/// Refuses fields that belong to another way of delivering.
fn foreign(body: &ServiceBody, own: &[&str]) -> Result<(), Problem> {
    let given = [
        ("/url", body.url.is_some()),
        ("/target", body.target.is_some()),
        ("/allow", body.allow.is_some()),
        ("/timeout_ms", body.timeout_ms.is_some()),
        ("/head_timeout_ms", body.head_timeout_ms.is_some()),
    ];
    let mut foreign = given
        .iter()
        .filter(|(name, given)| *given && !own.contains(name));
    match foreign.next() {
        Some((field, _)) => Err(wrong(field, "belongs to another deliver")),
        None => Ok(()),
    }
}

fn inbox(body: &ServiceBody) -> Result<Offer, Problem> {
    foreign(body, &[])?;
    Ok(Offer::Inbox)
}

fn tcp(turn: &mut Turn<'_>, name: &str, body: ServiceBody) -> Result<Offer, Problem> {
    foreign(&body, &["/target", "/allow"])?;
    check_short(name)?;
    let text = body.target.ok_or_else(|| wrong("/target", "is required"))?;
    let terms = body.allow.ok_or_else(|| wrong("/allow", "is required"))?;
    let addresses = Target::parse_bare(&text, &own_ports(turn));
    Ok(Offer::Tcp(Box::new(TcpService {
        addresses: addresses.map_err(|must| not_allowed("/target", must))?,
        allow: allow(turn, &terms)?,
        text,
    })))
}

/// Names of services that streams lead to are shorter than others.
fn check_short(name: &str) -> Result<(), Problem> {
    if is_name(name) {
        return Ok(());
    }
    let detail = "The name of a service of this kind may become part of a host name.";
    Err(Problem::new(Code::InvalidParameter, detail).with_error(
        "name",
        "must be 1 to 40 of a-z, 0-9 and single hyphens inside",
    ))
}

fn http(turn: &mut Turn<'_>, name: &str, body: ServiceBody) -> Result<Offer, Problem> {
    foreign(&body, &["/target", "/allow", "/head_timeout_ms"])?;
    check_short(name)?;
    let url = body.target.ok_or_else(|| wrong("/target", "is required"))?;
    let terms = body.allow.ok_or_else(|| wrong("/allow", "is required"))?;
    let head_ms = body.head_timeout_ms.unwrap_or(HEAD_TIMEOUT_MS);
    if !(100..=3_600_000).contains(&head_ms) {
        return Err(wrong("/head_timeout_ms", "must be 100 to 3600000"));
    }
    let target = target(turn, &url, "/target")?;
    if target.path.contains(['?', '%']) || !is_clean(&target.path) {
        return Err(not_allowed(
            "/target",
            "must have a plain path and no query",
        ));
    }
    Ok(Offer::Http(Box::new(HttpService {
        allow: allow(turn, &terms)?,
        head_time: Duration::from_millis(head_ms),
        target,
        url,
    })))
}

fn target(turn: &Turn<'_>, url: &str, field: &str) -> Result<Target, Problem> {
    Target::parse(url, &own_ports(turn)).map_err(|must| not_allowed(field, must))
}

fn not_allowed(field: &str, must: &str) -> Problem {
    let detail = "The address is not one that services may have.";
    Problem::new(Code::TargetNotAllowed, detail).with_error(field, must)
}

fn webhook(
    turn: &mut Turn<'_>,
    name: &str,
    body: ServiceBody,
    secret: Secret,
) -> Result<Offer, Problem> {
    if !name.bytes().all(|b| b.is_ascii_graphic()) {
        let detail = "The name goes into a header field of the application's requests.";
        return Err(Problem::new(Code::InvalidParameter, detail)
            .with_error("name", "must be printable ASCII without spaces"));
    }
    foreign(&body, &["/url", "/allow", "/timeout_ms"])?;
    let url = body.url.ok_or_else(|| wrong("/url", "is required"))?;
    let terms = body.allow.ok_or_else(|| wrong("/allow", "is required"))?;
    let timeout_ms = body.timeout_ms.unwrap_or(TIMEOUT_MS);
    if !(100..=60_000).contains(&timeout_ms) {
        return Err(wrong("/timeout_ms", "must be 100 to 60000"));
    }
    let target = target(turn, &url, "/url")?;
    let allow = allow(turn, &terms)?;
    let hook = Webhook {
        url,
        target,
        allow,
        timeout: Duration::from_millis(timeout_ms),
        secret,
    };
    Ok(Offer::Webhook(Box::new(hook)))
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
        .chain(turn.state.forwards.ports())
        .collect()
}

fn wrong(field: &str, must: &str) -> Problem {
    Problem::new(Code::InvalidBody, "A field of the body is wrong.").with_error(field, must)
}

fn view(name: &str, offer: Option<&Offer>) -> ServiceView {
    let mut view = ServiceView {
        name: name.to_owned(),
        built_in: offer.is_none(),
        ..ServiceView::default()
    };
    match offer {
        None => {}
        Some(Offer::Inbox) => view.deliver = Some(Deliver::Inbox),
        Some(Offer::Webhook(hook)) => {
            view.deliver = Some(Deliver::Webhook);
            view.url = Some(hook.url.clone());
            view.allow = Some(terms(&hook.allow));
            view.timeout_ms = Some(whole_ms(hook.timeout));
        }
        Some(Offer::Http(http)) => {
            view.deliver = Some(Deliver::Http);
            view.target = Some(http.url.clone());
            view.allow = Some(terms(&http.allow));
            view.head_timeout_ms = Some(whole_ms(http.head_time));
        }
        Some(Offer::Tcp(tcp)) => {
            view.deliver = Some(Deliver::Tcp);
            view.target = Some(tcp.text.clone());
            view.allow = Some(terms(&tcp.allow));
        }
    }
    view
}

/// A list as it may be written again.
fn terms(allow: &Allow) -> Vec<String> {
    let peers = allow.peers.iter().map(|id| format!("peer:{id}"));
    let anyone = allow.anyone.then(|| "anyone".to_owned());
    anyone.into_iter().chain(peers).collect()
}
