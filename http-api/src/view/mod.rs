//! What clients see: the engine's pictures as JSON with stable names. Durations end in `_ms`, sizes in `_bytes`,
//! times are RFC 3339, ids are text. Every type here is a schema of the OpenAPI document.

mod contact;
mod event;
mod forward;
mod invite;
mod item;
mod knock;
mod node;
mod path;
mod peer;
mod transfer;

use core::time::Duration;

pub(crate) use contact::{ContactBody, ContactList, ContactView, RebindBody};
pub(crate) use event::{event, event_kind};
pub(crate) use forward::{ForwardBody, ForwardList, ForwardView};
pub(crate) use invite::{InviteBody, InviteList, InviteView, JoinBody, JoinView};
pub(crate) use item::{InboxItem, InboxList, MessageView, ServiceView, Services};
pub(crate) use knock::{KnockList, KnockView};
pub(crate) use node::{InboxState, Introducer, Introducers, NodeView, Settings, introducer_state};
pub(crate) use path::{PathView, WhyView};
pub(crate) use peer::{Connected, PeerList, PeerView, Pong, SearchItem, SearchList};
use serde::{Deserialize, Serialize};
pub(crate) use transfer::{AcceptBody, TransferBody, TransferList, TransferView};
use utoipa::ToSchema;

/// Milliseconds with microsecond resolution.
pub(crate) fn ms(duration: Duration) -> f64 {
    u32::try_from(duration.as_micros()).map_or(f64::from(u32::MAX), f64::from) / 1_000.0
}

/// Whole milliseconds.
pub(crate) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// An error (RFC 9457); docs/errors.md lists the codes.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemView {
    /// Where the code is explained.
    pub r#type: String,
    /// Short summary, the same for each code.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// Stable code.
    pub code: String,
    /// What to do about it.
    pub hint: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// When it may.
    pub retry_after_ms: Option<u64>,
    /// Fields or parameters at fault.
    pub errors: Option<Vec<FieldErrorView>>,
}

/// One field or parameter at fault.
#[derive(Serialize, ToSchema)]
#[schema(as = FieldError)]
pub(crate) struct FieldErrorView {
    /// JSON pointer into the body, or the parameter's name.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// Life sign.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    pub status: &'static str,
}

/// Something was taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct Queued {
    /// Always true.
    pub queued: bool,
}

/// What came of an acknowledgement.
#[derive(Serialize, ToSchema)]
pub(crate) struct Acknowledged {
    /// Items freed.
    pub acknowledged: usize,
}

/// A stream's sending half was written to its end.
#[derive(Serialize, ToSchema)]
pub(crate) struct StreamWritten {
    /// The stream.
    pub stream: String,
    /// Bytes written in this request.
    pub written_bytes: u64,
}

/// A one-use log-in ticket.
#[derive(Serialize, ToSchema)]
pub(crate) struct Ticket {
    /// The ticket; `/#t=TICKET` logs the page in.
    pub ticket: String,
    /// When it ends.
    pub expires_at: String,
}

/// A log-in.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    /// Value for X-CSRF.
    pub csrf: String,
    /// When it ends.
    pub expires_at: String,
}

/// Body of `POST /v1/peers/{peer}/connect`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectBody {
    /// Introducer to ask: its id, or the first 8 characters or more; none for all.
    pub introducer: Option<String>,
    /// How long to try, 100 to 120000 milliseconds; 15000 if absent.
    pub timeout_ms: Option<u64>,
}

/// Body of `POST /v1/introducers`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntroducerBody {
    /// `p2p://ID@HOST:PORT`.
    pub address: String,
}

/// Body of `PUT /v1/services/{name}`.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceBody {
    /// Where requests go.
    pub deliver: Deliver,
    /// `webhook`: the application, on loopback: `http://127.0.0.1:PORT/path`.
    pub url: Option<String>,
    /// `http`: the application, on loopback: `http://127.0.0.1:PORT`, and a path that is put before all others.
    /// `tcp`: `127.0.0.1:PORT`.
    pub target: Option<String>,
    /// All but `inbox`: who may ask: `peer:` with an id or name, `anyone`; an empty list is nobody.
    pub allow: Option<Vec<String>>,
    /// `webhook`: longest time for an answer, 100 to 60000 milliseconds; 10000 if absent.
    pub timeout_ms: Option<u64>,
    /// `http`: longest time for the head of an answer, 100 to 3600000 milliseconds; 60000 if absent.
    pub head_timeout_ms: Option<u64>,
}

/// A service as it is kept.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ServiceDocument {
    /// As the owner would write it.
    pub body: ServiceBody,
    /// What signs a webhook's requests, in z-base-32.
    pub secret: Option<String>,
}

/// Where requests for a service go.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Deliver {
    /// To the inbox; answered with `POST /v1/requests/{id}/answer`.
    Inbox,
    /// To an application as an HTTP request; its answer is the peer's.
    Webhook,
    /// Peers speak HTTP with the application, at `/v1/peers/{peer}/services/{name}/`.
    Http,
    /// Peers' programs connect to the application through a forward, and speak what they like.
    Tcp,
}

/// Body of `POST /v1/inbox/ack`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AckBody {
    /// Id of the newest item that is done with.
    pub cursor: String,
    /// Only items of this channel.
    pub channel: Option<u32>,
    /// Only items of this service.
    pub service: Option<String>,
    /// Only items of this level: `datagram`, `request`, `message`, `stream`.
    pub r#type: Option<String>,
}

/// Body of `POST /v1/auth/login`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    /// The ticket.
    pub ticket: String,
}
