//! Every route of the surface, one row each.

use p2p_core::limits::{
    DATAGRAM_BODY_BYTES, FORWARD_BUDGET, LATEST_VALUE_BYTES, MESSAGE_BYTES, REQUEST_BODY_BYTES,
    SERVICE_NAME_BYTES,
};

use super::{Answers, Body, Route};
use crate::call::{Kind, Param, WAIT_MAX_S};
use crate::locks::Scope;
use crate::resources::{
    auth, contacts, events, forwards, inbox, introducers, invites, knocks, lines, messages, node,
    page, peers, proxied, requests, search, services, streams, transfers,
};
use crate::schema::schema_of;
use crate::view;

/// Bytes of a JSON body: all of ours have a few short fields.
const JSON_BYTES: usize = 16 << 10;

/// Bytes of a body with paths.
const PATHS_BYTES: usize = 1 << 20;

const fn text(name: &'static str, max: usize, about: &'static str) -> Param {
    Param {
        name,
        kind: Kind::Text(max),
        required: false,
        about,
    }
}

const fn number(name: &'static str, min: u64, max: u64, about: &'static str) -> Param {
    Param {
        name,
        kind: Kind::Number(min, max),
        required: false,
        about,
    }
}

const LIMIT: Param = number("limit", 1, 500, "Most items on the page; 50 if absent.");
const CURSOR: Param = text("cursor", 2_048, "The next of the page before.");
const CHANNEL: Param = number("channel", 0, 0xFFFF_FFFF, "Channel number; 0 if absent.");
const SERVICE: Param = text(
    "service",
    SERVICE_NAME_BYTES,
    "Service instead of a channel.",
);
const FLAGS: Param = number(
    "flags",
    0,
    0xFFFF_FFFF,
    "Bits for the other application; 0 if absent.",
);
const ONLY_CHANNEL: Param = number("channel", 0, 0xFFFF_FFFF, "Only this channel.");
const ONLY_SERVICE: Param = text("service", SERVICE_NAME_BYTES, "Only this service.");
const CONFIRM: Param = number(
    "confirm",
    0,
    1,
    "1: the end counts as taken only with POST .../taken.",
);
const STREAM: &[Param] = &[
    CHANNEL,
    SERVICE,
    FLAGS,
    text(
        "until",
        8,
        "both (if absent): the response ends when our half is taken too; peer: with the peer's.",
    ),
    CONFIRM,
];
const READ_STREAM: &[Param] = &[CONFIRM];
const INTRODUCER: Param = text("introducer", 256, "Introducer to ask; all if absent.");
const SEARCH: &[Param] = &[
    Param {
        name: "q",
        kind: Kind::Text(256),
        required: true,
        about: "First characters of the name, three at least.",
    },
    INTRODUCER,
    CURSOR,
];
const PEERS: &[Param] = &[
    text(
        "state",
        16,
        "Only connecting, connected or disconnected ones.",
    ),
    text("q", 256, "Part of the name, or first characters of the id."),
    LIMIT,
    CURSOR,
];
const CONTACTS: &[Param] = &[LIMIT, CURSOR];
const INBOX: &[Param] = &[
    ONLY_CHANNEL,
    ONLY_SERVICE,
    text("type", 16, "Only datagram, request, message or stream."),
    text("since", 64, "Cursor: only items after it."),
    number(
        "wait",
        0,
        WAIT_MAX_S,
        "Seconds to wait for the first item; 0 if absent.",
    ),
    LIMIT,
];
const TRANSFERS: &[Param] = &[
    number(
        "wait",
        0,
        WAIT_MAX_S,
        "Only offers that wait for the owner; seconds to wait for the first.",
    ),
    number(
        "anyone",
        0,
        1,
        "1: while this waits, strangers may offer, too.",
    ),
];
const EVENTS: &[Param] = &[
    text("types", 256, "Only these kinds, separated by commas."),
    ONLY_CHANNEL,
    ONLY_SERVICE,
    text(
        "since",
        64,
        "Id to resume after, for clients without Last-Event-ID.",
    ),
];
const DATAGRAM: &[Param] = &[
    CHANNEL,
    SERVICE,
    FLAGS,
    number("ttl_ms", 1, 60_000, "Drop it when it has waited so long."),
];
const LINE: &[Param] = &[CHANNEL, SERVICE, FLAGS];
const MESSAGE: &[Param] = &[
    CHANNEL,
    SERVICE,
    FLAGS,
    number(
        "timeout_ms",
        100,
        86_400_000,
        "Give up after so long; never if absent.",
    ),
];
const REQUEST: &[Param] = &[
    number(
        "timeout_ms",
        100,
        50_000,
        "How long to wait for the answer; 10000 if absent.",
    ),
    number(
        "forwards",
        0,
        FORWARD_BUDGET as u64,
        "How many times the peer may hand it on to a third node; 0 if absent.",
    ),
];
const ANSWER: &[Param] = &[number(
    "status",
    0,
    65_535,
    "0 success, 1 to 6 as docs/http.md says, from 16 yours; 0 if absent.",
)];

use Answers::{Bytes, Empty, Json};
const OCTETS: &str = "application/octet-stream";
/// A peer's HTTP service, with its own paths below it.
const PROXIED: &str = "/v1/peers/{peer}/services/{name}/{path}";
const ANYTHING: &str = "*/*";
const HTML: &str = "text/html; charset=utf-8";

macro_rules! json {
    ($status:literal, $view:ty) => {
        Json($status, schema_of::<$view>)
    };
}

/// One method of a peer's HTTP service.
const fn proxied(method: &'static str, about: &'static str) -> Route {
    let route = Route::new(method, PROXIED, proxied::call, Bytes(200, ANYTHING), about);
    let route = route.scope(Scope::Token).tail();
    match method.as_bytes() {
        b"GET" | b"HEAD" => route,
        _ => route.body(Body::Stream),
    }
}

/// All routes.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    Route::new("GET", "/healthz", node::health, json!(200, view::Health), "Tells that the node runs.")
        .scope(Scope::Public),
    Route::new("GET", "/v1/node", node::show, json!(200, view::NodeView), "Shows this node."),
    Route::new("GET", "/v1/settings", node::settings, json!(200, view::Settings),
        "Shows how the node is set up, without secrets."),

    Route::new("GET", "/v1/peers", peers::list, json!(200, view::PeerList), "Lists the peers of this run.")
        .query(PEERS),
    Route::new("GET", "/v1/peers/{peer}", peers::show, json!(200, view::PeerView), "Shows one peer."),
    Route::new("POST", "/v1/peers/{peer}/connect", peers::connect, json!(200, view::Connected),
        "Connects, and answers when that has come to an end.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::ConnectBody>)),
    Route::new("DELETE", "/v1/peers/{peer}/connection", peers::disconnect, Empty(204), "Ends the connection."),
    Route::new("GET", "/v1/peers/{peer}/path", peers::path, json!(200, view::PathView),
        "Shows the path that carries data now."),
    Route::new("GET", "/v1/peers/{peer}/why", peers::why, json!(200, view::WhyView),
        "Explains why the path is what it is, and what to do about it."),
    Route::new("POST", "/v1/peers/{peer}/ping", peers::ping, json!(200, view::Pong), "Measures one round trip."),
    Route::new("GET", "/v1/search", search::by_query, json!(200, view::SearchList),
        "Finds registered names at introducers.").query(SEARCH),

    Route::new("POST", "/v1/peers/{peer}/datagrams", peers::send_datagram, json!(202, view::Queued),
        "Sends a datagram: at most once, in any order.")
        .query(DATAGRAM).body(Body::Bytes(DATAGRAM_BODY_BYTES)),
    Route::new("GET", "/v1/peers/{peer}/line", lines::open, Empty(101),
        "Opens a WebSocket whose messages are datagrams with the peer, both ways.").query(LINE),
    Route::new("PUT", "/v1/peers/{peer}/latest/{key}", peers::set_latest, json!(202, view::Queued),
        "Replaces the value of a key with the peer: the newest arrives, never an older one after it.")
        .body(Body::Bytes(LATEST_VALUE_BYTES)),
    Route::new("POST", "/v1/peers/{peer}/requests/{service}", requests::send, Bytes(200, OCTETS),
        "Asks a service of the peer; the answer's body is the peer's.")
        .query(REQUEST).body(Body::Bytes(REQUEST_BODY_BYTES)),
    Route::new("POST", "/v1/requests/{id}/answer", requests::answer, Empty(204),
        "Answers a request from the inbox.")
        .query(ANSWER).body(Body::Bytes(REQUEST_BODY_BYTES)),
    Route::new("POST", "/v1/peers/{peer}/messages", messages::send, json!(201, view::MessageView),
        "Sends a message: whole and once. Prefer: wait=N waits for its delivery.")
        .query(MESSAGE).body(Body::Bytes(MESSAGE_BYTES)),
    Route::new("GET", "/v1/messages/{id}", messages::show, json!(200, view::MessageView),
        "Shows where a message stands. Prefer: wait=N waits for its end."),
    Route::new("POST", "/v1/peers/{peer}/streams", streams::open, Bytes(200, OCTETS),
        "Opens a stream: the request's body goes up, the response's comes down; X-Stream-Id names it.")
        .query(STREAM).body(Body::Stream),
    Route::new("GET", "/v1/peers/{peer}/streams/{id}", streams::read, Bytes(200, OCTETS),
        "Reads what the peer sends on a stream, to its end.").query(READ_STREAM),
    Route::new("POST", "/v1/peers/{peer}/streams/{id}", streams::write, json!(200, view::StreamWritten),
        "Writes to a stream and finishes it; answers when the peer's application has taken all.").body(Body::Stream),
    Route::new("POST", "/v1/peers/{peer}/streams/{id}/taken", streams::taken, Empty(204),
        "Says that all that was read of a stream, and its end, was taken; its sender is told."),
    Route::new("DELETE", "/v1/peers/{peer}/streams/{id}", streams::abandon, Empty(204),
        "Abandons both directions of a stream; the peer is told."),

    Route::new("GET", "/v1/inbox", inbox::list, json!(200, view::InboxList),
        "Lists what arrived and is not acknowledged; wait makes it a long poll.").query(INBOX),
    Route::new("GET", "/v1/inbox/{id}", inbox::content, Bytes(200, OCTETS), "Gives the content of one item."),
    Route::new("POST", "/v1/inbox/ack", inbox::acknowledge, json!(200, view::Acknowledged),
        "Frees items up to and with a cursor.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::AckBody>)),
    Route::new("GET", "/v1/events", events::follow, Bytes(200, "text/event-stream"),
        "Follows live events; Last-Event-ID resumes.").query(EVENTS),

    Route::new("GET", "/v1/services", services::list, json!(200, view::Services), "Lists services offered to peers."),
    Route::new("PUT", "/v1/services/{name}", services::register, json!(200, view::ServiceView),
        "Offers a service to peers.").body(Body::Json(JSON_BYTES, schema_of::<view::ServiceBody>)),
    Route::new("DELETE", "/v1/services/{name}", services::unregister, Empty(204), "Takes a service back."),

    Route::new("GET", "/v1/forwards", forwards::list, json!(200, view::ForwardList),
        "Lists ports that lead to peers' TCP services."),
    Route::new("GET", "/v1/forwards/{name}", forwards::show, json!(200, view::ForwardView), "Shows one of them."),
    Route::new("PUT", "/v1/forwards/{name}", forwards::put, json!(200, view::ForwardView),
        "Listens on a port whose connections lead to a peer's TCP service.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::ForwardBody>)),
    Route::new("DELETE", "/v1/forwards/{name}", forwards::remove, Empty(204),
        "Closes such a port; its connections are reset."),

    Route::new("GET", "/v1/transfers", transfers::list, json!(200, view::TransferList),
        "Lists transfers of files; with wait only offers that wait for the owner.").query(TRANSFERS),
    Route::new("POST", "/v1/transfers", transfers::send, json!(201, view::TransferView),
        "Offers files and folders of this machine to a peer.")
        .scope(Scope::Token).body(Body::Json(PATHS_BYTES, schema_of::<view::TransferBody>)),
    Route::new("GET", "/v1/transfers/{id}", transfers::show, json!(200, view::TransferView), "Shows one transfer."),
    Route::new("POST", "/v1/transfers/{id}/accept", transfers::accept, json!(200, view::TransferView),
        "Takes what is offered, into a folder of this machine.")
        .scope(Scope::Token).body(Body::Json(JSON_BYTES, schema_of::<view::AcceptBody>)),
    Route::new("POST", "/v1/transfers/{id}/cancel", transfers::cancel, json!(200, view::TransferView),
        "Gives a transfer up, or declines what is offered."),

    proxied("GET", "Asks a peer's HTTP service; the answer is its own."),
    proxied("HEAD", "Asks a peer's HTTP service for the head of an answer."),
    proxied("POST", "Sends to a peer's HTTP service."),
    proxied("PUT", "Puts something at a peer's HTTP service."),
    proxied("PATCH", "Changes something at a peer's HTTP service."),
    proxied("DELETE", "Takes something from a peer's HTTP service."),
    proxied("OPTIONS", "Asks a peer's HTTP service what it takes; other methods pass, too."),

    Route::new("GET", "/v1/knocks", knocks::list, json!(200, view::KnockList),
        "Lists strangers that wait for the owner's word (strangers = ask)."),
    Route::new("POST", "/v1/knocks/{peer}/accept", knocks::accept, Empty(204), "Lets a stranger in, now and later."),
    Route::new("DELETE", "/v1/knocks/{peer}", knocks::dismiss, Empty(204), "Takes a stranger off the list."),

    Route::new("GET", "/v1/invites", invites::list, json!(200, view::InviteList),
        "Lists invitations of this node, and those of others that it follows."),
    Route::new("POST", "/v1/invites", invites::create, json!(201, view::InviteView),
        "Makes a link by which somebody becomes a contact; it is told once.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::InviteBody>)),
    Route::new("DELETE", "/v1/invites/{id}", invites::revoke, Empty(204), "Takes an invitation back."),
    Route::new("POST", "/v1/invites/accept", invites::accept, json!(200, view::JoinView),
        "Follows somebody's link: both become contacts. 202 where the inviter does not answer yet.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::JoinBody>)),

    Route::new("GET", "/v1/contacts", contacts::list, json!(200, view::ContactList), "Lists whom the owner knows.")
        .query(CONTACTS),
    Route::new("GET", "/v1/contacts/{peer}", contacts::show, json!(200, view::ContactView), "Shows one contact."),
    Route::new("PUT", "/v1/contacts/{peer}", contacts::put, json!(200, view::ContactView),
        "Makes a contact, or changes what is given of it: the owner's name for it, trust, a note.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::ContactBody>)),
    Route::new("DELETE", "/v1/contacts/{peer}", contacts::forget, Empty(204),
        "Forgets a contact and its names: whoever is named next is taken."),
    Route::new("POST", "/v1/contacts/{peer}/block", contacts::block, json!(200, view::ContactView),
        "Ends the connection with a peer and refuses it from now on."),
    Route::new("POST", "/v1/contacts/{peer}/unblock", contacts::unblock, json!(200, view::ContactView),
        "Takes a block back."),
    Route::new("POST", "/v1/contacts/{peer}/names", contacts::rebind, Empty(204),
        "Says that a name at an introducer is this peer's now, after it changed hands.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::RebindBody>)),

    Route::new("GET", "/v1/introducers", introducers::list, json!(200, view::Introducers), "Lists introducers."),
    Route::new("POST", "/v1/introducers", introducers::add, json!(201, view::Introducer),
        "Registers with one more introducer.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::IntroducerBody>)),
    Route::new("GET", "/v1/introducers/{id}", introducers::show, json!(200, view::Introducer), "Shows one introducer."),
    Route::new("DELETE", "/v1/introducers/{id}", introducers::remove, Empty(204), "Leaves an introducer."),

    Route::new("POST", "/v1/auth/tickets", auth::issue_ticket, json!(201, view::Ticket),
        "Gives a log-in ticket that works once within 60 seconds.").scope(Scope::Token),
    Route::new("POST", "/v1/auth/login", auth::log_in, json!(200, view::Session),
        "Exchanges a ticket for a log-in cookie and a csrf value.")
        .scope(Scope::Public).body(Body::Json(JSON_BYTES, schema_of::<view::LoginBody>)),
    Route::new("GET", "/v1/auth/session", auth::session, json!(200, view::Session),
        "Gives the csrf value of the log-in again."),
    Route::new("POST", "/v1/auth/logout", auth::log_out, Empty(204), "Ends the log-in."),

    Route::new("GET", "/v1/openapi.json", page::openapi, Bytes(200, "application/json"), "Describes this surface."),
    Route::new("GET", "/docs", page::docs, Bytes(200, HTML), "Shows that description.").scope(Scope::Public),
    Route::new("GET", "/docs/errors", page::errors, Bytes(200, HTML), "Explains the error codes.").scope(Scope::Public),
    Route::new("GET", "/", page::index, Bytes(200, HTML), "Serves the web page.").scope(Scope::Public),
    Route::new("GET", "/static/{file}", page::file, Bytes(200, OCTETS), "Serves the web page's files.")
        .scope(Scope::Public),

    Route::new("GET", "/peers", peers::list, json!(200, view::PeerList), "Lists the peers of this run.")
        .query(PEERS).replaced_by("/v1/peers"),
    Route::new("GET", "/peers/search/{q}", search::by_path, json!(200, view::SearchList),
        "Finds registered names.").query(&[INTRODUCER, CURSOR]).replaced_by("/v1/search"),
    Route::new("POST", "/peers/connect/{name}", peers::connect, json!(200, view::Connected),
        "Connects to name@introducer.")
        .body(Body::Json(JSON_BYTES, schema_of::<view::ConnectBody>))
        .replaced_by("/v1/peers/{peer}/connect"),
    Route::new("GET", "/settings", node::settings, json!(200, view::Settings), "Shows how the node is set up.")
        .replaced_by("/v1/settings"),
];
