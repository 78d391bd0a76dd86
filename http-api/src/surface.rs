//! The surface itself.

use std::collections::VecDeque;

use bytes::Bytes;
use p2p_core::Node;
use p2p_core::api::Event;
use p2p_core::time::Instant;

use crate::config::SurfaceConfig;
use crate::exchange::{BodyKind, HttpId, Request, ResponsePart};

/// All HTTP exchanges of one node.
pub struct Surface {
    _config: SurfaceConfig,
    responses: VecDeque<(HttpId, ResponsePart)>,
}

impl Surface {
    /// Makes a surface. `wall_clock_unix_ms` is the time of day at `now`, for time stamps only.
    #[must_use]
    pub fn new(config: SurfaceConfig, _now: Instant, _wall_clock_unix_ms: u64) -> Self {
        Self {
            _config: config,
            responses: VecDeque::new(),
        }
    }

    /// A request head arrived. Call `handle_body_end` afterwards even where it has no body.
    pub fn handle_request(
        &mut self,
        _now: Instant,
        _node: &mut Node,
        id: HttpId,
        _request: Request,
    ) {
        let head = ResponsePart::Head {
            status: 503,
            headers: Vec::new(),
            body: BodyKind::Full(Bytes::new()),
        };
        self.responses.push_back((id, head));
    }

    /// Body bytes arrived; never more than `body_window` allowed.
    pub fn handle_body(&mut self, _now: Instant, _node: &mut Node, _id: HttpId, _chunk: Bytes) {}

    /// The request body is complete.
    pub fn handle_body_end(&mut self, _now: Instant, _node: &mut Node, _id: HttpId) {}

    /// The client went away, or the driver gave the exchange up.
    pub fn handle_abort(&mut self, _now: Instant, _node: &mut Node, _id: HttpId) {}

    /// The engine tells something.
    pub fn handle_event(&mut self, _now: Instant, _node: &mut Node, _event: Event) {}

    /// The driver wrote that many bytes of `Chunk`s to the client.
    pub fn handle_consumed(&mut self, _now: Instant, _node: &mut Node, _id: HttpId, _bytes: usize) {
    }

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, _now: Instant, _node: &mut Node) {}

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// The next part of a response to write.
    #[must_use]
    pub fn poll_response(&mut self) -> Option<(HttpId, ResponsePart)> {
        self.responses.pop_front()
    }

    /// How many more body bytes the driver may hand over now; ask again after each `handle_*`.
    #[must_use]
    pub fn body_window(&self, _id: HttpId) -> usize {
        0
    }

    /// Whether the surface still wants to hear of this request: more of its body, or that it was aborted. Once it
    /// is false and the response is written, the driver forgets the request; it closes the connection where
    /// body bytes are left unread.
    #[must_use]
    pub fn is_open(&self, _id: HttpId) -> bool {
        false
    }
}
