//! The first ticket: the surface is asked for one as any client with the token would ask, and the page's address is
//! made of it. How the request gets to the surface is the driver's affair.

use std::net::SocketAddr;

use p2p_http_api::{BodyKind, Request, ResponsePart};
use p2p_storage::SecretText;

/// The request for a ticket.
#[must_use]
pub fn ticket_request(http: &[SocketAddr], token: &SecretText) -> Request {
    let authorization = format!("Bearer {}", token.reveal());
    Request {
        method: "POST".to_owned(),
        target: "/v1/auth/tickets".to_owned(),
        headers: vec![
            ("host".to_owned(), host(http).into_bytes()),
            ("authorization".to_owned(), authorization.into_bytes()),
        ],
        peer_is_loopback: true,
        can_upgrade: false,
    }
}

/// The page's address, with the ticket of `answer` where there is one.
#[must_use]
pub fn page_url(http: &[SocketAddr], answer: Option<&ResponsePart>) -> String {
    let host = host(http);
    let ticket = match answer {
        Some(ResponsePart::Head {
            body: BodyKind::Full(bytes),
            ..
        }) => ticket_of(bytes),
        _ => None,
    };
    ticket.map_or_else(
        || format!("http://{host}/"),
        |ticket| format!("http://{host}/#t={ticket}"),
    )
}

fn host(http: &[SocketAddr]) -> String {
    http.first().map(ToString::to_string).unwrap_or_default()
}

fn ticket_of(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    body.get("ticket")?.as_str().map(ToOwned::to_owned)
}
