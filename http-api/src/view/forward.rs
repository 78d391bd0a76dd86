//! Ports that lead to peers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::WallClock;
use crate::forwards::Forward;

/// Body of `PUT /v1/forwards/{name}`.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForwardBody {
    /// Whose service: id, name, `name@introducer`, or `ID@IP:PORT`.
    pub peer: String,
    /// Name of the peer's TCP service.
    pub service: String,
    /// Where programs connect, on loopback: `127.0.0.1:PORT`; any free port if absent or 0.
    pub listen: Option<String>,
}

/// One port that leads to a peer.
#[derive(Serialize, ToSchema)]
#[schema(as = Forward)]
pub(crate) struct ForwardView {
    /// Its name.
    pub name: String,
    /// Whose service.
    pub peer: String,
    /// Name of the service.
    pub service: String,
    /// Where programs connect.
    pub listen: String,
    /// Connections that wait for the peer to be connected.
    pub waiting: usize,
    /// Connections that programs began.
    pub connections: u64,
    /// Of those, how many came to nothing.
    pub failed: u64,
    /// Bytes that programs sent.
    pub sent_bytes: u64,
    /// Bytes that programs were sent.
    pub received_bytes: u64,
    /// Why the newest that failed did: an error code.
    pub last_error: Option<&'static str>,
    /// When that was.
    pub last_error_at: Option<String>,
}

impl ForwardView {
    /// Makes the picture.
    pub(crate) fn new(forward: &Forward, clock: WallClock) -> Self {
        let counts = forward.counts;
        let (code, at) = forward.last_error.unzip();
        Self {
            name: forward.name.clone(),
            peer: forward.to.peer.to_string(),
            service: forward.to.service.clone(),
            listen: forward.listen.to_string(),
            waiting: forward.waiting.len(),
            connections: counts.connections,
            failed: counts.failed,
            sent_bytes: counts.sent_bytes,
            received_bytes: counts.received_bytes,
            last_error: code.map(|code| code.row().text),
            last_error_at: at.map(|at| clock.rfc3339(at)),
        }
    }
}

/// Ports that lead to peers.
#[derive(Serialize, ToSchema)]
pub(crate) struct ForwardList {
    /// In order of their names.
    pub items: Vec<ForwardView>,
    /// Always null: there are few.
    pub next: Option<String>,
}
