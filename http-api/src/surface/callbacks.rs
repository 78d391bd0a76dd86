//! Requests of peers on their way to applications, and the applications' answers on their way back.

use bytes::Bytes;
use p2p_core::api::{Answer, Command, Engine, RequestId, answer_status};
use p2p_core::id::NodeId;
use p2p_core::time::Instant;

use super::Surface;
use crate::callback::{Asked, Callback, CallbackEnd, CallbackId, Moment};

impl Surface {
    /// The next callback to carry out, away from the thread that owns the engine; tell its end with
    /// `handle_callback_end`.
    #[must_use]
    pub fn poll_callback(&mut self) -> Option<Callback> {
        self.state.callbacks.poll()
    }

    /// A callback has ended.
    pub fn handle_callback_end(
        &mut self,
        now: Instant,
        node: &mut dyn Engine,
        id: CallbackId,
        end: CallbackEnd,
    ) {
        if let Some((peer, request)) = self.state.callbacks.end(id) {
            let answer = end.answer();
            let command = Command::Answer {
                peer,
                request,
                answer,
            };
            // The peer may have gone; then nobody waits for the answer.
            let _ = node.handle_command(now, command);
        }
    }

    /// Hands a request to its application; the answer where that cannot be.
    pub(super) fn begin_callback(
        &mut self,
        now: Instant,
        (peer, request): (NodeId, RequestId),
        service: &str,
        body: Bytes,
    ) -> Result<(), Answer> {
        let refused = |status| Answer {
            status,
            body: Bytes::new(),
        };
        let state = &mut self.state;
        let Some(hook) = state.services.webhook(service) else {
            return Err(refused(answer_status::NO_SUCH_SERVICE));
        };
        let moment = Moment {
            run: state.run.0,
            rfc3339: state.clock.rfc3339(now),
            unix_ms: state.clock.unix_ms(now),
        };
        let asked = Asked {
            peer,
            request,
            service,
            body,
        };
        if state.callbacks.begin(hook, asked, &moment) {
            Ok(())
        } else {
            Err(refused(answer_status::BUSY))
        }
    }
}
