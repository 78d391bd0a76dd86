//! What arrived, what was sent, what is offered.

use p2p_core::api::MessageFailure;
use serde::Serialize;
use utoipa::ToSchema;

use super::Deliver;
use crate::clock::{WallClock, rfc3339_of_unix_ms};
use crate::encode::{RunMark, base64};
use crate::inbox::{Item, ItemKind};
use crate::outbox::{Sent, State};

/// One thing that arrived.
#[derive(Serialize, ToSchema)]
pub(crate) struct InboxItem {
    /// Id, and cursor of this place in the inbox.
    pub id: String,
    /// `datagram`, `request`, `message` or `stream`.
    pub r#type: &'static str,
    /// From whom.
    pub peer: String,
    /// What to call it, where anything is known.
    pub name: Option<String>,
    /// What that name is worth: `petname` (the owner's own word), `found` (by the owner's look-up), or `claimed` (the
    /// peer says so, and nobody is found by it).
    pub name_kind: Option<&'static str>,
    /// Channel, where it was sent to one.
    pub channel: Option<u32>,
    /// Service, where it was sent to one; requests always are.
    pub service: Option<String>,
    /// Flags of datagrams, messages and streams, as the sender set them.
    pub flags: u32,
    /// How many times a request may be handed on to a third node; null for all else.
    pub forwards: Option<u8>,
    /// Stream id for `/v1/peers/{peer}/streams/{id}`; streams only.
    pub stream: Option<String>,
    /// When it arrived.
    pub received_at: String,
    /// Size of the content.
    pub size_bytes: usize,
    /// The content, where it is UTF-8.
    pub text: Option<String>,
    /// The content in base64, where it is not UTF-8.
    pub data_base64: Option<String>,
}

impl InboxItem {
    /// Makes the picture; leaves content longer than `inline_bytes` out.
    pub(crate) fn new(number: u64, item: &Item, run: RunMark, inline_bytes: usize) -> Self {
        let inline = item.kind != ItemKind::Stream && item.data.len() <= inline_bytes;
        let text = core::str::from_utf8(&item.data).ok().filter(|_| inline);
        Self {
            id: run.encode(number),
            r#type: item.kind.text(),
            peer: item.peer.to_string(),
            name: item.name.as_ref().map(|(name, _)| name.clone()),
            name_kind: item.name.as_ref().map(|(_, kind)| kind.word()),
            channel: item.label.channel.number(),
            service: item.label.channel.service().map(ToString::to_string),
            flags: item.label.flags,
            forwards: item.forwards,
            stream: item.stream.map(|s| s.0.to_string()),
            received_at: rfc3339_of_unix_ms(item.received_unix_ms),
            size_bytes: item.data.len(),
            text: text.map(ToOwned::to_owned),
            data_base64: (inline && text.is_none()).then(|| base64(&item.data)),
        }
    }
}

/// What arrived after a cursor.
#[derive(Serialize, ToSchema)]
pub(crate) struct InboxList {
    /// Items in order of arrival.
    pub items: Vec<InboxItem>,
    /// Cursor to go on from: pass it as `since`, and to `/v1/inbox/ack` when the items are done with.
    pub next: Option<String>,
}

/// A message of ours.
#[derive(Serialize, ToSchema)]
#[schema(as = Message)]
pub(crate) struct MessageView {
    /// Id for `/v1/messages/{id}`.
    pub id: String,
    /// To whom.
    pub peer: String,
    /// Channel, where it goes to one.
    pub channel: Option<u32>,
    /// Service, where it goes to one.
    pub service: Option<String>,
    /// Size.
    pub size_bytes: usize,
    /// `queued`, `delivered` (it is in the peer's inbox) or `failed`.
    pub state: &'static str,
    /// Why it failed: `timed_out`, `abandoned` or `disconnected` (it may or may not have arrived).
    pub reason: Option<&'static str>,
    /// When it was queued.
    pub created_at: String,
    /// When it was delivered or failed.
    pub finished_at: Option<String>,
}

impl MessageView {
    /// Makes the picture.
    pub(crate) fn new(number: u64, sent: &Sent, run: RunMark, clock: WallClock) -> Self {
        let (state, reason) = match sent.state {
            State::Queued => ("queued", None),
            State::Delivered => ("delivered", None),
            State::Failed(reason) => ("failed", Some(reason)),
        };
        Self {
            id: run.encode(number),
            peer: sent.peer.to_string(),
            channel: sent.label.channel.number(),
            service: sent.label.channel.service().map(ToString::to_string),
            size_bytes: sent.size_bytes,
            state,
            reason: reason.map(|r| match r {
                MessageFailure::TimedOut => "timed_out",
                MessageFailure::Abandoned => "abandoned",
                MessageFailure::Disconnected => "disconnected",
            }),
            created_at: clock.rfc3339(sent.created_at),
            finished_at: sent.finished_at.map(|at| clock.rfc3339(at)),
        }
    }
}

/// One service offered to peers.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct ServiceView {
    /// Its name.
    pub name: String,
    /// Where requests go; null for those that the node answers itself.
    pub deliver: Option<Deliver>,
    /// Whether the node answers it itself.
    pub built_in: bool,
    /// The application that answers; null but for `webhook`.
    pub url: Option<String>,
    /// The application that peers reach; null but for `http` and `tcp`.
    pub target: Option<String>,
    /// Who may ask; null for `inbox`.
    pub allow: Option<Vec<String>>,
    /// Longest time for an answer; null but for `webhook`.
    pub timeout_ms: Option<u64>,
    /// Longest time for the head of an answer; null but for `http`.
    pub head_timeout_ms: Option<u64>,
    /// What signs the requests; told once, when it is made.
    pub secret: Option<String>,
}

/// Services offered to peers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Services {
    /// Services in order of their names.
    pub items: Vec<ServiceView>,
    /// Always null: there are few.
    pub next: Option<String>,
}
