//! Peers' HTTP services: a program's request on its way to one.

use bytes::Bytes;
use p2p_core::api::{EngineExt as _, Label, ServiceName};

use super::resolve;
use crate::call::Call;
use crate::encode::percent_encode;
use crate::exchange::Request;
use crate::problem::{Code, Problem};
use crate::proxy::{Body, Calling, HTTP_KIND, RequestHead, is_clean, is_name, request_fields};
use crate::reply::{Full, Reply};
use crate::state::Turn;

/// The bytes of another protocol.
const OTHER_PROTOCOL: Body = Body {
    follows: true,
    length: None,
};

/// ANY `/v1/peers/{peer}/services/{name}/{path}`
pub(crate) fn call(turn: &mut Turn<'_>, call: &Call) -> Result<Reply, Problem> {
    let request = &call.request;
    let (upgrade, body) = match framing(request)? {
        // What the program sends after the answer is the body then.
        body if !body.follows && request.wants_websocket() => (true, OTHER_PROTOCOL),
        body => (false, body),
    };
    if upgrade && !request.can_upgrade {
        let detail = "This node's HTTP server cannot hand a connection over to another protocol.";
        return Err(Problem::new(Code::UpgradeNotSupported, detail));
    }
    if matches!(request.method.as_str(), "CONNECT" | "TRACE") {
        let detail = "These methods are for proxies themselves and lead nowhere.";
        return Err(Problem::new(Code::MethodNotAllowed, detail));
    }
    let query = request.target.split_once('?').map(|(_, query)| query);
    if call.param(2).is_empty() {
        return Ok(with_slash(&request.target).into());
    }
    let path = match query {
        Some(query) => format!("{}?{query}", call.param(2)),
        None => call.param(2).to_owned(),
    };
    if !is_clean(&path) {
        let detail = "The path has a dot segment or a broken percent-escape.";
        return Err(Problem::new(Code::BadTarget, detail));
    }
    let peer = resolve::peer(turn, call.param(0))?;
    let name = call.param(1);
    if !is_name(name) {
        let detail = "No HTTP service can have that name.";
        return Err(Problem::new(Code::InvalidParameter, detail).with_error(
            "name",
            "must be 1 to 40 of a-z, 0-9 and single hyphens inside",
        ));
    }
    let head = RequestHead {
        method: request.method.clone(),
        path,
        authority: request.header("host").unwrap_or_default().to_owned(),
        upgrade,
        body,
        fields: fields(turn, request),
    };
    let root = format!(
        "/v1/peers/{}/services/{name}",
        percent_encode(call.param(0))
    );
    let (calling, first) = Calling::new(&head, root).map_err(|_| {
        let detail = "At most 16 KiB, 100 fields and names of 64 bytes pass to a peer.";
        Problem::new(Code::HeadTooLarge, detail)
    })?;
    let service = ServiceName::new(&format!("{HTTP_KIND}/{name}"))?;
    let stream = turn
        .node
        .open_stream(turn.now, peer, Label::from(service))?;
    let ends = turn.state.streams.entry((peer, stream.0)).or_default();
    ends.reader = Some(call.id);
    ends.writer = Some(call.id);
    Ok(Reply::Call {
        peer,
        stream,
        calling: Box::new(calling),
        first,
    })
}

/// Where a service begins: without the slash, links of its pages would lead beside it.
fn with_slash(target: &str) -> Full {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mark = if query.is_empty() { "" } else { "?" };
    let location = format!("{path}/{mark}{query}");
    Full::bytes(308, "text/plain; charset=utf-8", Bytes::new()).with_header("location", location)
}

/// The fields that pass. `Authorization` is the application's where the token came in a field of its own, and is not
/// there a second time.
fn fields(turn: &Turn<'_>, request: &Request) -> Vec<(String, Vec<u8>)> {
    let is_consumed = !request.has_header("p2p-token");
    let given = request
        .headers
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_slice()));
    let locks = &turn.state.locks;
    let is_ours = |name: &str, value: &[u8]| {
        name.eq_ignore_ascii_case("authorization") && (is_consumed || locks.bears_token(value))
    };
    request_fields(given.filter(|(name, value)| !is_ours(name, value)))
}

/// What is said of the body, where it is said in one way only (RFC 9112 §6.3).
fn framing(request: &Request) -> Result<Body, Problem> {
    let bad = || {
        let detail = "Content-Length and Transfer-Encoding leave open where the body ends.";
        Problem::new(Code::BadFraming, detail)
    };
    let all = |name| {
        request
            .header_values(name)
            .map(<[u8]>::trim_ascii)
            .collect::<Vec<_>>()
    };
    let (codings, lengths) = (all("transfer-encoding"), all("content-length"));
    match (codings.as_slice(), lengths.as_slice()) {
        ([], []) => Ok(Body::default()),
        ([coding], []) if coding.eq_ignore_ascii_case(b"chunked") => Ok(Body {
            follows: true,
            length: None,
        }),
        ([], [length]) => {
            let digits = length.iter().all(u8::is_ascii_digit);
            let text = core::str::from_utf8(length).ok().filter(|_| digits);
            let length = text
                .and_then(|t| t.parse::<u64>().ok())
                .filter(|n| *n < 1 << 62);
            let length = length.ok_or_else(bad)?;
            Ok(Body {
                follows: length > 0,
                length: Some(length).filter(|n| *n > 0),
            })
        }
        _ => Err(bad()),
    }
}
